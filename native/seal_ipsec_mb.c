/* Sealing with Intel's libipsec-mb where it is installed: AES-256-GCM in a third of the time of
 * OpenSSL 3.0. Debian's package is libipsec-mb1, BSD-3-Clause.
 *
 * Its functions for this processor stand in a structure that init_mb_mgr_auto fills. There is no
 * other way to ask for them, and the structure's layout changes with the version: 1.4 needs more
 * room for a key, 2.0 moves the functions. Hence no header at build time but the layout of 1.3 here,
 * and no call into any other version. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "le.h"
#include "seal_provider.h"

#define SONAME "libIPSec_MB.so.1"
#define KNOWN_VERSION 0x0103u /* imb_get_version() >> 8 */

/* All that follows: intel-ipsec-mb.h of 1.3. */
#define MANAGER_FUNCTIONS_AT 64u
#define FUNCTION_GCM256_ENC 26
#define FUNCTION_GCM256_DEC 29
#define FUNCTION_GCM256_PRE 50
#define FUNCTION_CHACHA20_POLY1305_INIT 107
#define FUNCTION_CHACHA20_POLY1305_ENC_UPDATE 108
#define FUNCTION_CHACHA20_POLY1305_DEC_UPDATE 109
#define FUNCTION_CHACHA20_POLY1305_FINALIZE 110

enum architecture { ARCH_SSE = 2, ARCH_AVX512 = 5 }; /* below: without AES instructions */

struct gcm_key {
  _Alignas(64) uint8_t octets[1008];
};

struct gcm_context {
  uint64_t words[11];
};

struct chacha_context {
  uint64_t words[24];
};

typedef void gcm_work(const struct gcm_key *key, struct gcm_context *context, uint8_t *out,
                      const uint8_t *in, uint64_t bytes, const uint8_t *nonce, const uint8_t *clear,
                      uint64_t clear_bytes, uint8_t *tag, uint64_t tag_bytes);
typedef void gcm_pre(const void *key, struct gcm_key *expanded);
typedef void chacha_init(const void *key, struct chacha_context *context, const void *nonce,
                         const void *clear, uint64_t clear_bytes);
typedef void chacha_update(const void *key, struct chacha_context *context, void *out,
                           const void *in, uint64_t bytes);
typedef void chacha_finalize(struct chacha_context *context, void *tag, uint64_t tag_bytes);

/* Written once by look_up, before any context exists; read-only afterwards. The library stays
 * loaded for the life of the process. */
static struct {
  gcm_pre *gcm_pre;
  gcm_work *gcm_enc, *gcm_dec;
  chacha_init *chacha_init;
  chacha_update *chacha_enc, *chacha_dec;
  chacha_finalize *chacha_finalize;
  char name[64];
  char refusal[128];
} library;

struct context {
  struct mp_seal_context head;
  uint8_t aead;
  union {
    struct {
      struct gcm_key key;
      struct gcm_context work;
    } gcm;
    struct {
      uint8_t key[MP_SEAL_KEY_BYTES];
      struct chacha_context work;
    } chacha;
  };
};

/* C has no conversion from object to function pointer; POSIX (dlsym) has them alike. */
static bool find(void *handle, const char *symbol, void *pointer)
{
  void *const found = dlsym(handle, symbol);
  memcpy(pointer, &found, sizeof found);
  return found != NULL;
}

static void copy_function(const uint8_t *manager, size_t index, void *pointer)
{
  memcpy(pointer, manager + MANAGER_FUNCTIONS_AT + index * sizeof(void *), sizeof(void *));
}

static void copy_functions(const uint8_t *manager)
{
  copy_function(manager, FUNCTION_GCM256_PRE, &library.gcm_pre);
  copy_function(manager, FUNCTION_GCM256_ENC, &library.gcm_enc);
  copy_function(manager, FUNCTION_GCM256_DEC, &library.gcm_dec);
  copy_function(manager, FUNCTION_CHACHA20_POLY1305_INIT, &library.chacha_init);
  copy_function(manager, FUNCTION_CHACHA20_POLY1305_ENC_UPDATE, &library.chacha_enc);
  copy_function(manager, FUNCTION_CHACHA20_POLY1305_DEC_UPDATE, &library.chacha_dec);
  copy_function(manager, FUNCTION_CHACHA20_POLY1305_FINALIZE, &library.chacha_finalize);
}

/* Nanoseconds for one seal of 1408 octets, this library against OpenSSL 3.0.19 and 3.5.8 in node, all
 * confined to the same instructions of one processor (a Xeon at 2.6 GHz):
 *             AES-256-GCM     ChaCha20-Poly1305
 *   AVX-512   110   340 163   520    770  755
 *   AVX2      236   370 290   925    865  815
 *   SSE       260   470       1320  1430
 * Without AES instructions its tables would leak keys through the cache. */
static uint8_t worthwhile(int architecture)
{
  return (uint8_t)((architecture >= ARCH_SSE ? MP_AEAD_AES_256_GCM : 0) |
                   (architecture >= ARCH_AVX512 ? MP_AEAD_CHACHA20_POLY1305 : 0));
}

static uint8_t look_up(const char **why)
{
  void *const handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return 0; /* nothing is wrong: it is optional */

  unsigned (*get_version)(void);
  uint8_t *(*alloc_manager)(uint64_t flags);
  void (*init_manager)(uint8_t *manager, int *architecture);
  void (*free_manager)(uint8_t *manager);
  if (!find(handle, "imb_get_version", &get_version) ||
      !find(handle, "alloc_mb_mgr", &alloc_manager) ||
      !find(handle, "init_mb_mgr_auto", &init_manager) ||
      !find(handle, "free_mb_mgr", &free_manager)) {
    *why = SONAME " is not used: it is not libipsec-mb";
    return 0;
  }
  const unsigned version = get_version();
  snprintf(library.name, sizeof library.name, "libipsec-mb %u.%u.%u", version >> 16,
           version >> 8 & 0xff, version & 0xff);
  if (version >> 8 != KNOWN_VERSION) {
    snprintf(library.refusal, sizeof library.refusal,
             "%s is not used: only the layout of version %u.%u is known", library.name,
             KNOWN_VERSION >> 8, KNOWN_VERSION & 0xff);
    *why = library.refusal;
    return 0;
  }
  uint8_t *manager = alloc_manager(0);
  if (!manager)
    return 0;
  int architecture = 0;
  init_manager(manager, &architecture);
  copy_functions(manager);
  free_manager(manager);
  return worthwhile(architecture);
}

static const char *name(void)
{
  return library.name;
}

static struct mp_seal_context *open_context(uint8_t aead, const uint8_t *key, bool for_sealing)
{
  (void)for_sealing; /* both directions have the same key schedule */
  struct context *context = aligned_alloc(_Alignof(struct context), sizeof *context);
  if (!context)
    return NULL;
  memset(context, 0, sizeof *context);
  context->head.provider = &mp_seal_ipsec_mb;
  context->aead = aead;
  if (aead == MP_AEAD_AES_256_GCM)
    library.gcm_pre(key, &context->gcm.key);
  else
    memcpy(context->chacha.key, key, sizeof context->chacha.key);
  return &context->head;
}

static void close_context(struct mp_seal_context *head)
{
  explicit_bzero(head, sizeof(struct context));
  free(head);
}

static void work(struct context *context, bool sealing, const uint8_t *nonce, const uint8_t *clear,
                 size_t clear_bytes, uint8_t *at, size_t bytes, uint8_t *tag)
{
  if (context->aead == MP_AEAD_AES_256_GCM) {
    (sealing ? library.gcm_enc : library.gcm_dec)(&context->gcm.key, &context->gcm.work, at, at,
                                                  bytes, nonce, clear, clear_bytes, tag,
                                                  MP_SEAL_TAG_BYTES);
    return;
  }
  const uint8_t *key = context->chacha.key;
  struct chacha_context *chacha = &context->chacha.work;
  library.chacha_init(key, chacha, nonce, clear, clear_bytes);
  (sealing ? library.chacha_enc : library.chacha_dec)(key, chacha, at, at, bytes);
  library.chacha_finalize(chacha, tag, MP_SEAL_TAG_BYTES);
}

static bool seal(struct mp_seal_context *head, const uint8_t *nonce, const uint8_t *clear,
                 size_t clear_bytes, uint8_t *at, size_t bytes)
{
  work((struct context *)head, true, nonce, clear, clear_bytes, at, bytes, at + bytes);
  return true;
}

/* In constant time: where two tags differ is a secret of whoever holds the key. */
static bool same_tag(const uint8_t a[MP_SEAL_TAG_BYTES], const uint8_t b[MP_SEAL_TAG_BYTES])
{
  _Static_assert(MP_SEAL_TAG_BYTES == 16, "a tag is two words");
  return ((mp_load64(a) ^ mp_load64(b)) | (mp_load64(a + 8) ^ mp_load64(b + 8))) == 0;
}

static bool unseal(struct mp_seal_context *head, const uint8_t *nonce, const uint8_t *clear,
                   size_t clear_bytes, uint8_t *at, size_t bytes)
{
  uint8_t tag[MP_SEAL_TAG_BYTES];
  work((struct context *)head, false, nonce, clear, clear_bytes, at, bytes, tag);
  return same_tag(tag, at + bytes);
}

const struct mp_seal_provider mp_seal_ipsec_mb = {
    .look_up = look_up,
    .name = name,
    .open = open_context,
    .close = close_context,
    .seal = seal,
    .unseal = unseal,
};
