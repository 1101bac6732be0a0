#include "seal.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include "le.h"
#include "seal_provider.h"

#define HIDDEN_BYTES (MP_SEAL_HEADER_BYTES - MP_SEAL_CLEAR_BYTES)

/* The benchmark's own build shows what sealing costs: the same datagrams, in the clear and unproved. */
#ifdef MP_BENCH_UNSEALED
#define IS_UNSEALED true
#else
#define IS_UNSEALED false
#endif

static const uint8_t aeads[] = {MP_AEAD_CHACHA20_POLY1305, MP_AEAD_AES_256_GCM};
#define AEADS (sizeof aeads / sizeof *aeads)

/* Written once by look_up, before any context exists; read-only afterwards. */
static struct {
  uint8_t evp, ipsec_mb; /* the MP_AEAD_* bits that each has proved */
  const char *why;       /* NULL when EVP has proved both */
  char evp_name[256];
} chosen;

static pthread_once_t looked_up = PTHREAD_ONCE_INIT;

/* EVP decides what is offered: what a peer may ask of this machine does not depend on an optional
 * package. libipsec-mb only makes it quicker, and only where it does as EVP does. */
static void look_up(void)
{
  const uint8_t evp = mp_seal_evp.look_up(&chosen.why);
  for (size_t i = 0; i < AEADS; i++) {
    if (!(evp & aeads[i]))
      continue;
    const char *failure = mp_seal_fails(&mp_seal_evp, aeads[i]);
    if (failure)
      chosen.why = failure;
    else
      chosen.evp |= aeads[i];
  }

  const char *unused = NULL;
  const uint8_t ipsec_mb = chosen.evp ? mp_seal_ipsec_mb.look_up(&unused) & chosen.evp : 0;
  for (size_t i = 0; i < AEADS; i++) {
    if (!(ipsec_mb & aeads[i]))
      continue;
    if (mp_seal_fails(&mp_seal_ipsec_mb, aeads[i]))
      unused = "libipsec-mb is not used: it fails its proof, install another build";
    else if (!mp_seal_agree(&mp_seal_evp, &mp_seal_ipsec_mb, aeads[i]))
      unused = "libipsec-mb is not used: it does not seal as OpenSSL does, install another build";
    else
      chosen.ipsec_mb |= aeads[i];
  }
  if (chosen.evp)
    snprintf(chosen.evp_name, sizeof chosen.evp_name, "%s%s%s%s", mp_seal_evp.name(),
             unused ? " (" : "", unused ? unused : "", unused ? ")" : "");
}

uint8_t mp_seal_available(const char **why)
{
  pthread_once(&looked_up, look_up);
  *why = chosen.why;
  return chosen.evp;
}

uint8_t mp_seal_preferred(void)
{
#if defined __x86_64__
  const bool fast = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined __aarch64__
  const bool fast = (getauxval(AT_HWCAP) & (HWCAP_AES | HWCAP_PMULL)) == (HWCAP_AES | HWCAP_PMULL);
#else
  const bool fast = false;
#endif
  return fast ? MP_AEAD_AES_256_GCM : 0;
}

const char *mp_seal_provider(uint8_t aead)
{
  if (IS_UNSEALED)
    return "none: this build is the benchmark's and seals nothing";
  pthread_once(&looked_up, look_up);
  if (chosen.ipsec_mb & aead)
    return mp_seal_ipsec_mb.name();
  return chosen.evp & aead ? chosen.evp_name : "none";
}

struct mp_seal_context *mp_seal_open_by(const struct mp_seal_provider *provider, uint8_t aead,
                                        const uint8_t *key, bool for_sealing)
{
  pthread_once(&looked_up, look_up);
  const uint8_t proved = provider == &mp_seal_evp ? chosen.evp : chosen.ipsec_mb;
  for (size_t i = 0; i < AEADS; i++)
    if (aeads[i] == aead && (proved & aead))
      return provider->open(aead, key, for_sealing);
  return NULL;
}

struct mp_seal_context *mp_seal_open(uint8_t aead, const uint8_t key[MP_SEAL_KEY_BYTES],
                                     bool for_sealing)
{
  pthread_once(&looked_up, look_up);
  const struct mp_seal_provider *provider =
      chosen.ipsec_mb & aead ? &mp_seal_ipsec_mb : &mp_seal_evp;
  return mp_seal_open_by(provider, aead, key, for_sealing);
}

void mp_seal_close(struct mp_seal_context *context)
{
  if (context)
    context->provider->close(context);
}

static void write_nonce(uint8_t nonce[MP_SEAL_NONCE_BYTES], uint8_t path, uint64_t path_seq)
{
  mp_store32(nonce, path);
  mp_store64(nonce + 4, path_seq);
}

size_t mp_seal_seal(struct mp_seal_context *context, uint8_t path, uint64_t path_seq,
                    uint8_t *datagram, const uint8_t *body, size_t body_bytes)
{
  /* The hidden header and the body go through the cipher as one stretch, for which the body is
   * copied: 1400 octets cost 3 to 30 ns so. Two stretches would leave every block of the body
   * across a block of key stream: 20 ns more with AES-256-GCM, 300 with ChaCha20-Poly1305
   * (OpenSSL 3.0.19). */
  if (body != datagram + MP_SEAL_HEADER_BYTES && body_bytes > 0)
    memcpy(datagram + MP_SEAL_HEADER_BYTES, body, body_bytes);
  if (IS_UNSEALED) {
    memset(datagram + MP_SEAL_HEADER_BYTES + body_bytes, 0, MP_SEAL_TAG_BYTES);
    return MP_SEAL_HEADER_BYTES + body_bytes + MP_SEAL_TAG_BYTES;
  }

  uint8_t nonce[MP_SEAL_NONCE_BYTES];
  write_nonce(nonce, path, path_seq);
  if (!context->provider->seal(context, nonce, datagram, MP_SEAL_CLEAR_BYTES,
                               datagram + MP_SEAL_CLEAR_BYTES, HIDDEN_BYTES + body_bytes))
    return 0;
  return MP_SEAL_HEADER_BYTES + body_bytes + MP_SEAL_TAG_BYTES;
}

bool mp_seal_unseal(struct mp_seal_context *context, uint8_t path, uint64_t path_seq,
                    uint8_t *datagram, size_t length)
{
  if (IS_UNSEALED)
    return true;

  uint8_t nonce[MP_SEAL_NONCE_BYTES];
  write_nonce(nonce, path, path_seq);
  return context->provider->unseal(context, nonce, datagram, MP_SEAL_CLEAR_BYTES,
                                   datagram + MP_SEAL_CLEAR_BYTES,
                                   length - MP_SEAL_CLEAR_BYTES - MP_SEAL_TAG_BYTES);
}
