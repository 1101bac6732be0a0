/* The proof that a library seals rightly (native/seal_proof.c): what is wrong must not pass. Each
 * liar below is EVP with one fault. */
#include "seal_provider.h"
#include "test.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t aeads[] = {MP_AEAD_CHACHA20_POLY1305, MP_AEAD_AES_256_GCM};

static struct mp_seal_provider liar;
static unsigned fault_from_bytes;

/* A context whose functions are the liar's. */
static struct mp_seal_context *open_liar(uint8_t aead, const uint8_t *key, bool for_sealing)
{
  struct mp_seal_context *context = mp_seal_evp.open(aead, key, for_sealing);
  if (context)
    context->provider = &liar;
  return context;
}

static struct mp_seal_context *open_nothing(uint8_t aead, const uint8_t *key, bool for_sealing)
{
  (void)aead;
  (void)key;
  (void)for_sealing;
  return NULL;
}

static bool seal_with_a_wrong_tag(struct mp_seal_context *context, const uint8_t *nonce,
                                  const uint8_t *clear, size_t clear_bytes, uint8_t *at,
                                  size_t bytes)
{
  const bool done = mp_seal_evp.seal(context, nonce, clear, clear_bytes, at, bytes);
  if (bytes >= fault_from_bytes)
    at[bytes + MP_SEAL_TAG_BYTES - 1] ^= 0x80;
  return done;
}

static bool seal_with_a_wrong_octet(struct mp_seal_context *context, const uint8_t *nonce,
                                    const uint8_t *clear, size_t clear_bytes, uint8_t *at,
                                    size_t bytes)
{
  const bool done = mp_seal_evp.seal(context, nonce, clear, clear_bytes, at, bytes);
  if (bytes >= fault_from_bytes && bytes > 0)
    at[bytes - 1] ^= 1;
  return done;
}

static bool seal_without_clear(struct mp_seal_context *context, const uint8_t *nonce,
                               const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes)
{
  (void)clear_bytes;
  return mp_seal_evp.seal(context, nonce, clear, 0, at, bytes);
}

static bool seal_nothing(struct mp_seal_context *context, const uint8_t *nonce,
                         const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes)
{
  (void)context;
  (void)nonce;
  (void)clear;
  (void)clear_bytes;
  (void)at;
  (void)bytes;
  return true;
}

static bool unseal_anything(struct mp_seal_context *context, const uint8_t *nonce,
                            const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes)
{
  (void)mp_seal_evp.unseal(context, nonce, clear, clear_bytes, at, bytes);
  return true;
}

static bool unseal_with_a_wrong_octet(struct mp_seal_context *context, const uint8_t *nonce,
                                      const uint8_t *clear, size_t clear_bytes, uint8_t *at,
                                      size_t bytes)
{
  const bool right = mp_seal_evp.unseal(context, nonce, clear, clear_bytes, at, bytes);
  if (bytes >= fault_from_bytes && bytes > 0)
    at[0] ^= 1;
  return right;
}

static void tell_the_truth(void)
{
  liar = mp_seal_evp;
  liar.open = open_liar;
  fault_from_bytes = 0;
}

static void the_truth_passes(void)
{
  tell_the_truth();
  for (size_t i = 0; i < sizeof aeads; i++) {
    CHECK(mp_seal_fails(&liar, aeads[i]) == NULL);
    CHECK(mp_seal_agree(&mp_seal_evp, &liar, aeads[i]));
  }
}

static void every_lie_is_found(void)
{
  const struct {
    mp_seal_in_place *seal, *unseal;
  } lies[] = {
      {seal_with_a_wrong_tag, mp_seal_evp.unseal}, {seal_with_a_wrong_octet, mp_seal_evp.unseal},
      {seal_without_clear, mp_seal_evp.unseal},    {seal_nothing, mp_seal_evp.unseal},
      {mp_seal_evp.seal, unseal_anything},         {mp_seal_evp.seal, unseal_with_a_wrong_octet},
  };
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    tell_the_truth();
    liar.seal = lies[i].seal;
    liar.unseal = lies[i].unseal;
    for (size_t k = 0; k < sizeof aeads; k++) {
      const char *failure = mp_seal_fails(&liar, aeads[k]);
      REQUIRE(failure);
      CHECK(strstr(failure, k == 0 ? "RFC 8439" : "test case 16"));
    }
  }
}

/* The published answers end at 114 octets; a wide implementation has other code above. */
static void a_lie_in_long_packets_is_found(void)
{
  const struct {
    mp_seal_in_place *seal, *unseal;
  } lies[] = {
      {seal_with_a_wrong_tag, mp_seal_evp.unseal},
      {seal_with_a_wrong_octet, mp_seal_evp.unseal},
      {mp_seal_evp.seal, unseal_with_a_wrong_octet},
  };
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    tell_the_truth();
    liar.seal = lies[i].seal;
    liar.unseal = lies[i].unseal;
    fault_from_bytes = 257;
    for (size_t k = 0; k < sizeof aeads; k++) {
      CHECK(mp_seal_fails(&liar, aeads[k]) == NULL);
      CHECK(!mp_seal_agree(&mp_seal_evp, &liar, aeads[k]));
      CHECK(!mp_seal_agree(&liar, &mp_seal_evp, aeads[k]));
    }
  }
}

static void a_library_without_memory_is_no_library(void)
{
  tell_the_truth();
  liar.open = open_nothing;
  for (size_t i = 0; i < sizeof aeads; i++) {
    CHECK(mp_seal_fails(&liar, aeads[i]) != NULL);
    CHECK(!mp_seal_agree(&mp_seal_evp, &liar, aeads[i]));
  }
}

int main(void)
{
  const char *why = NULL;
  if (!dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL) || mp_seal_evp.look_up(&why) != 3) {
    fprintf(stderr, "%s\ninstall OpenSSL 3: apt-get install libssl3\n", why ? why : dlerror());
    return 1;
  }
  RUN(the_truth_passes);
  RUN(every_lie_is_found);
  RUN(a_lie_in_long_packets_is_found);
  RUN(a_library_without_memory_is_no_library);
  return test_end();
}
