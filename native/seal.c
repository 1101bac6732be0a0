#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "seal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include "le.h"

#define HIDDEN_BYTES (MP_SEAL_HEADER_BYTES - MP_SEAL_CLEAR_BYTES)

/* The benchmark's own build shows what sealing costs: the same datagrams, in the clear and unproved. */
#ifdef MP_BENCH_UNSEALED
#define IS_UNSEALED true
#else
#define IS_UNSEALED false
#endif

/* openssl/evp.h and openssl/crypto.h. */
#define CTRL_AEAD_GET_TAG 0x10
#define CTRL_AEAD_SET_TAG 0x11
#define VERSION_TEXT 0

/* What is used of EVP. A context of ours is an EVP_CIPHER_CTX: struct mp_seal_context has no other
 * definition. An int that comes back is positive on success. */
#define EVP_FUNCTIONS(F)                                                                           \
  F(EVP_CIPHER_fetch, struct cipher *, (void *, const char *, const char *))                       \
  F(EVP_CIPHER_CTX_new, struct mp_seal_context *, (void))                                          \
  F(EVP_CIPHER_CTX_free, void, (struct mp_seal_context *))                                         \
  F(EVP_CIPHER_CTX_ctrl, int, (struct mp_seal_context *, int, int, void *))                        \
  F(EVP_EncryptInit_ex, int,                                                                       \
    (struct mp_seal_context *, const struct cipher *, void *, const uint8_t *, const uint8_t *))   \
  F(EVP_EncryptUpdate, int, (struct mp_seal_context *, uint8_t *, int *, const uint8_t *, int))    \
  F(EVP_EncryptFinal_ex, int, (struct mp_seal_context *, uint8_t *, int *))                        \
  F(EVP_DecryptInit_ex, int,                                                                       \
    (struct mp_seal_context *, const struct cipher *, void *, const uint8_t *, const uint8_t *))   \
  F(EVP_DecryptUpdate, int, (struct mp_seal_context *, uint8_t *, int *, const uint8_t *, int))    \
  F(EVP_DecryptFinal_ex, int, (struct mp_seal_context *, uint8_t *, int *))                        \
  F(OpenSSL_version, const char *, (int))

#define DECLARE_POINTER(name, result, arguments) result(*name) arguments;
#define DESCRIBE_SYMBOL(name, result, arguments)                                                   \
  {#name, #name " is not in this process: it has no OpenSSL 3", &library.name},

/* Written once by look_up, before any context exists; read-only afterwards. The fetched ciphers
 * stay for the life of the process. */
static struct {
  EVP_FUNCTIONS(DECLARE_POINTER)
  struct cipher *aes_256_gcm, *chacha20_poly1305;
  uint8_t available; /* MP_AEAD_* bits */
  const char *why;   /* NULL when both work */
} library;

static pthread_once_t looked_up = PTHREAD_ONCE_INIT;

static bool find_symbols(void)
{
  const struct {
    const char *name, *missing;
    void *pointer;
  } symbols[] = {EVP_FUNCTIONS(DESCRIBE_SYMBOL)};

  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *const found = dlsym(RTLD_DEFAULT, symbols[i].name);
    if (found == NULL) {
      library.why = symbols[i].missing;
      return false;
    }
    /* C has no conversion from object to function pointer; POSIX (dlsym) has them alike. */
    memcpy(symbols[i].pointer, &found, sizeof found);
  }
  return true;
}

/* Seals `bytes` octets at `at` in place and writes the tag behind them. */
static bool seal_in_place(struct mp_seal_context *context, const uint8_t *nonce,
                          const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes)
{
  int done;
  return library.EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce) > 0 &&
         library.EVP_EncryptUpdate(context, NULL, &done, clear, (int)clear_bytes) > 0 &&
         library.EVP_EncryptUpdate(context, at, &done, at, (int)bytes) > 0 &&
         library.EVP_EncryptFinal_ex(context, at + bytes, &done) > 0 &&
         library.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_GET_TAG, MP_SEAL_TAG_BYTES, at + bytes) > 0;
}

/* Opens `bytes` octets at `at` in place; the tag is behind them. */
static bool open_in_place(struct mp_seal_context *context, const uint8_t *nonce,
                          const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes)
{
  int done;
  return library.EVP_DecryptInit_ex(context, NULL, NULL, NULL, nonce) > 0 &&
         library.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_SET_TAG, MP_SEAL_TAG_BYTES, at + bytes) >
             0 &&
         library.EVP_DecryptUpdate(context, NULL, &done, clear, (int)clear_bytes) > 0 &&
         library.EVP_DecryptUpdate(context, at, &done, at, (int)bytes) > 0 &&
         library.EVP_DecryptFinal_ex(context, at + bytes, &done) > 0;
}

static struct mp_seal_context *keyed(const struct cipher *cipher, const uint8_t *key,
                                     bool for_sealing)
{
  struct mp_seal_context *context = library.EVP_CIPHER_CTX_new();
  if (context == NULL)
    return NULL;
  const int done = for_sealing
                       ? library.EVP_EncryptInit_ex(context, cipher, NULL, key, NULL)
                       : library.EVP_DecryptInit_ex(context, cipher, NULL, key, NULL);
  if (done > 0)
    return context;
  library.EVP_CIPHER_CTX_free(context);
  return NULL;
}

struct known_answer {
  uint8_t key[MP_SEAL_KEY_BYTES], nonce[MP_SEAL_NONCE_BYTES];
  uint8_t clear[20];
  size_t clear_bytes;
  uint8_t plain[114];
  size_t plain_bytes;
  uint8_t sealed[114 + MP_SEAL_TAG_BYTES];
};

/* RFC 8439 section 2.8.2. */
static const struct known_answer chacha20_poly1305_answer = {
    .key = {0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a,
            0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95,
            0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f},
    .nonce = {0x07, 0x00, 0x00, 0x00, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47},
    .clear = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7},
    .clear_bytes = 12,
    .plain = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
             "future, sunscreen would be it.",
    .plain_bytes = 114,
    .sealed = {0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb, 0x7b, 0x86, 0xaf, 0xbc, 0x53,
               0xef, 0x7e, 0xc2, 0xa4, 0xad, 0xed, 0x51, 0x29, 0x6e, 0x08, 0xfe, 0xa9, 0xe2,
               0xb5, 0xa7, 0x36, 0xee, 0x62, 0xd6, 0x3d, 0xbe, 0xa4, 0x5e, 0x8c, 0xa9, 0x67,
               0x12, 0x82, 0xfa, 0xfb, 0x69, 0xda, 0x92, 0x72, 0x8b, 0x1a, 0x71, 0xde, 0x0a,
               0x9e, 0x06, 0x0b, 0x29, 0x05, 0xd6, 0xa5, 0xb6, 0x7e, 0xcd, 0x3b, 0x36, 0x92,
               0xdd, 0xbd, 0x7f, 0x2d, 0x77, 0x8b, 0x8c, 0x98, 0x03, 0xae, 0xe3, 0x28, 0x09,
               0x1b, 0x58, 0xfa, 0xb3, 0x24, 0xe4, 0xfa, 0xd6, 0x75, 0x94, 0x55, 0x85, 0x80,
               0x8b, 0x48, 0x31, 0xd7, 0xbc, 0x3f, 0xf4, 0xde, 0xf0, 0x8e, 0x4b, 0x7a, 0x9d,
               0xe5, 0x76, 0xd2, 0x65, 0x86, 0xce, 0xc6, 0x4b, 0x61, 0x16, 0x1a, 0xe1, 0x0b,
               0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91},
};

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16. */
static const struct known_answer aes_256_gcm_answer = {
    .key = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f,
            0x94, 0x67, 0x30, 0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65,
            0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08},
    .nonce = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88},
    .clear = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
              0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2},
    .clear_bytes = 20,
    .plain = {0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5,
              0xaf, 0xf5, 0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda,
              0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31, 0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95,
              0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25,
              0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39},
    .plain_bytes = 60,
    .sealed = {0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07, 0xf4, 0x7f, 0x37, 0xa3, 0x2a,
               0x84, 0x42, 0x7d, 0x64, 0x3a, 0x8c, 0xdc, 0xbf, 0xe5, 0xc0, 0xc9, 0x75, 0x98,
               0xa2, 0xbd, 0x25, 0x55, 0xd1, 0xaa, 0x8c, 0xb0, 0x8e, 0x48, 0x59, 0x0d, 0xbb,
               0x3d, 0xa7, 0xb0, 0x8b, 0x10, 0x56, 0x82, 0x88, 0x38, 0xc5, 0xf6, 0x1e, 0x63,
               0x93, 0xba, 0x7a, 0x0a, 0xbc, 0xc9, 0xf6, 0x62, 0x76, 0xfc, 0x6e, 0xce, 0x0f,
               0x4e, 0x17, 0x68, 0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b},
};

/* Everything a tunnel relies on: the right octets twice with one keying, so that a new nonce alone
 * starts anew; opening them again; refusing a wrong tag and recovering from it. */
static bool answers(const struct cipher *cipher, const struct known_answer *known)
{
  struct mp_seal_context *seal = keyed(cipher, known->key, true);
  struct mp_seal_context *unseal = keyed(cipher, known->key, false);
  const size_t bytes = known->plain_bytes;
  const size_t sealed_bytes = bytes + MP_SEAL_TAG_BYTES;
  bool right = seal && unseal;
  for (int round = 0; right && round < 2; round++) {
    uint8_t room[sizeof known->sealed];
    memcpy(room, known->plain, bytes);
    right = seal_in_place(seal, known->nonce, known->clear, known->clear_bytes, room, bytes) &&
            memcmp(room, known->sealed, sealed_bytes) == 0 &&
            open_in_place(unseal, known->nonce, known->clear, known->clear_bytes, room, bytes) &&
            memcmp(room, known->plain, bytes) == 0;
    memcpy(room, known->sealed, sealed_bytes);
    room[sealed_bytes - 1] ^= 1;
    right = right && !open_in_place(unseal, known->nonce, known->clear, known->clear_bytes, room,
                                    bytes);
  }
  mp_seal_close(seal);
  mp_seal_close(unseal);
  return right;
}

/* The cipher when it is there and right, else NULL and library.why. */
static struct cipher *proved(const char *name, const struct known_answer *known,
                             const char *absent, const char *wrong)
{
  struct cipher *cipher = library.EVP_CIPHER_fetch(NULL, name, NULL);
  if (cipher && answers(cipher, known))
    return cipher;
  library.why = cipher ? wrong : absent;
  return NULL;
}

static void look_up(void)
{
  if (!find_symbols())
    return;
  library.chacha20_poly1305 =
      proved("ChaCha20-Poly1305", &chacha20_poly1305_answer,
             "this OpenSSL does not offer ChaCha20-Poly1305",
             "ChaCha20-Poly1305 of this OpenSSL fails the test of RFC 8439 section 2.8.2");
  library.aes_256_gcm = proved("AES-256-GCM", &aes_256_gcm_answer,
                               "this OpenSSL does not offer AES-256-GCM",
                               "AES-256-GCM of this OpenSSL fails test case 16 of its authors");
  if (library.chacha20_poly1305)
    library.available |= MP_AEAD_CHACHA20_POLY1305;
  if (library.aes_256_gcm)
    library.available |= MP_AEAD_AES_256_GCM;
}

uint8_t mp_seal_available(const char **why)
{
  pthread_once(&looked_up, look_up);
  *why = library.why;
  return library.available;
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

const char *mp_seal_provider(void)
{
  if (IS_UNSEALED)
    return "none: this build is the benchmark's and seals nothing";
  pthread_once(&looked_up, look_up);
  return library.OpenSSL_version ? library.OpenSSL_version(VERSION_TEXT) : "none";
}

struct mp_seal_context *mp_seal_open(uint8_t aead, const uint8_t key[MP_SEAL_KEY_BYTES],
                                     bool for_sealing)
{
  pthread_once(&looked_up, look_up);
  switch (aead & library.available) {
  case MP_AEAD_CHACHA20_POLY1305:
    return keyed(library.chacha20_poly1305, key, for_sealing);
  case MP_AEAD_AES_256_GCM:
    return keyed(library.aes_256_gcm, key, for_sealing);
  default:
    return NULL;
  }
}

void mp_seal_close(struct mp_seal_context *context)
{
  if (context) /* The library clears the key schedule before it frees. */
    library.EVP_CIPHER_CTX_free(context);
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
  if (!seal_in_place(context, nonce, datagram, MP_SEAL_CLEAR_BYTES, datagram + MP_SEAL_CLEAR_BYTES,
                     HIDDEN_BYTES + body_bytes))
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
  return open_in_place(context, nonce, datagram, MP_SEAL_CLEAR_BYTES,
                       datagram + MP_SEAL_CLEAR_BYTES,
                       length - MP_SEAL_CLEAR_BYTES - MP_SEAL_TAG_BYTES);
}
