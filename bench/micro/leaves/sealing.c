/* One seal and one unseal, by each library that is here and each AEAD. */
#include <stdlib.h>
#include <string.h>

#include "leaf.h"
#include "seal.h"
#include "seal_provider.h"

enum { BATCH = 64 };

static struct mp_seal_context *seal, *unseal;
static uint8_t datagrams[BATCH][MP_SEAL_HEADER_BYTES + LEAF_PACKET_BYTES + MP_SEAL_TAG_BYTES];
static size_t body_bytes;
static uint64_t path_seq;

static bool open_by(const struct mp_seal_provider *provider, uint8_t aead, size_t bytes)
{
  const uint8_t key[MP_SEAL_KEY_BYTES] = {1};
  seal = mp_seal_open_by(provider, aead, key, true);
  unseal = mp_seal_open_by(provider, aead, key, false);
  body_bytes = bytes;
  path_seq = 0;
  return seal && unseal;
}

static void close_both(void)
{
  mp_seal_close(seal);
  mp_seal_close(unseal);
}

static unsigned seal_batch(void)
{
  for (unsigned i = 0; i < BATCH; i++)
    KEEP(mp_seal_seal(seal, 0, path_seq + i, datagrams[i], datagrams[i] + MP_SEAL_HEADER_BYTES,
                      body_bytes));
  path_seq += BATCH;
  return BATCH;
}

static void prepare_unseal(void)
{
  (void)seal_batch();
}

static unsigned unseal_batch(void)
{
  for (unsigned i = 0; i < BATCH; i++)
    if (!mp_seal_unseal(unseal, 0, path_seq - BATCH + i, datagrams[i],
                        MP_SEAL_HEADER_BYTES + body_bytes + MP_SEAL_TAG_BYTES))
      abort();
  return BATCH;
}

#define OPENER(name, provider, aead, bytes)                                                        \
  static bool name(void) { return open_by(&(provider), aead, bytes); }

OPENER(evp_gcm, mp_seal_evp, MP_AEAD_AES_256_GCM, LEAF_PACKET_BYTES)
OPENER(evp_gcm_small, mp_seal_evp, MP_AEAD_AES_256_GCM, 64)
OPENER(evp_chacha, mp_seal_evp, MP_AEAD_CHACHA20_POLY1305, LEAF_PACKET_BYTES)
OPENER(evp_chacha_small, mp_seal_evp, MP_AEAD_CHACHA20_POLY1305, 64)
OPENER(imb_gcm, mp_seal_ipsec_mb, MP_AEAD_AES_256_GCM, LEAF_PACKET_BYTES)
OPENER(imb_gcm_small, mp_seal_ipsec_mb, MP_AEAD_AES_256_GCM, 64)
OPENER(imb_chacha, mp_seal_ipsec_mb, MP_AEAD_CHACHA20_POLY1305, LEAF_PACKET_BYTES)
OPENER(imb_chacha_small, mp_seal_ipsec_mb, MP_AEAD_CHACHA20_POLY1305, 64)

#define BOTH_WAYS(text, opener)                                                                    \
  {.name = "seal " text, .open = opener, .run = seal_batch, .close = close_both},                  \
  {                                                                                                \
    .name = "unseal " text, .open = opener, .prepare = prepare_unseal, .run = unseal_batch,        \
    .close = close_both                                                                            \
  }

const struct leaf sealing_leaves[] = {
    BOTH_WAYS("AES-256-GCM, OpenSSL", evp_gcm),
    BOTH_WAYS("AES-256-GCM, libipsec-mb", imb_gcm),
    BOTH_WAYS("ChaCha20-Poly1305, OpenSSL", evp_chacha),
    BOTH_WAYS("ChaCha20-Poly1305, libipsec-mb", imb_chacha),
    BOTH_WAYS("AES-256-GCM of 64 octets, OpenSSL", evp_gcm_small),
    BOTH_WAYS("AES-256-GCM of 64 octets, libipsec-mb", imb_gcm_small),
    BOTH_WAYS("ChaCha20-Poly1305 of 64 octets, OpenSSL", evp_chacha_small),
    BOTH_WAYS("ChaCha20-Poly1305 of 64 octets, libipsec-mb", imb_chacha_small),
    {0},
};
