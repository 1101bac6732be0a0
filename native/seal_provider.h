/* What sealing asks of a library, and the two libraries that answer. Included by the files of
 * sealing, their tests and their benches, which may choose the library; nobody else may. */
#ifndef MP_SEAL_PROVIDER_H
#define MP_SEAL_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract.h"

/* The head of each library's own context. */
struct mp_seal_context {
  const struct mp_seal_provider *provider;
};

/* `clear` is associated data in front of `bytes` octets at `at`, which are worked upon in place;
 * behind them is the tag. The nonce has MP_SEAL_NONCE_BYTES. */
typedef bool mp_seal_in_place(struct mp_seal_context *context, const uint8_t *nonce,
                              const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes);

struct mp_seal_provider {
  /* Looks for the library; called once in a process, before all else. Returns the MP_AEAD_* bits
   * that it offers and that are worth having on this CPU. *why says what is missing where that can
   * be helped, else it stays NULL. */
  uint8_t (*look_up)(const char **why);
  /* Library and version. */
  const char *(*name)(void);
  /* NULL when memory is gone. Precondition: look_up has offered the AEAD. */
  struct mp_seal_context *(*open)(uint8_t aead, const uint8_t *key, bool for_sealing);
  /* Erases the key and all that came of it. */
  void (*close)(struct mp_seal_context *context);
  /* False when the library failed. */
  mp_seal_in_place *seal;
  /* False when the tag is wrong: the octets are then undefined. */
  mp_seal_in_place *unseal;
};

extern const struct mp_seal_provider mp_seal_evp;       /* seal_evp.c */
extern const struct mp_seal_provider mp_seal_ipsec_mb;  /* seal_ipsec_mb.c */

/* seal.c APIs: */

/* Opens by this library whatever mp_seal_open would choose. NULL, too, when it does not offer the
 * AEAD or has failed its proof. */
struct mp_seal_context *mp_seal_open_by(const struct mp_seal_provider *provider, uint8_t aead,
                                        const uint8_t *key, bool for_sealing);

/* seal_proof.c APIs: */

/* NULL when the provider gives the published octets of an AEAD that it offers, opens them again,
 * refuses a wrong tag and recovers from it; else what it fails. */
const char *mp_seal_fails(const struct mp_seal_provider *provider, uint8_t aead);

/* Whether two providers seal alike, and open each other's, at lengths that take every way through a
 * wide implementation: the published answers are too short for that. */
bool mp_seal_agree(const struct mp_seal_provider *a, const struct mp_seal_provider *b,
                   uint8_t aead);

#endif
