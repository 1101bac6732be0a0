/* Sealed datagrams (native/seal.h). Runs outside of node, so main loads an OpenSSL for it to find;
 * before that, a child process sees what a process without one says. */
#include "seal.h"
#include "seal_provider.h"
#include "test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every library that seals here, by each AEAD that it offers; filled by main. */
static struct suite {
  const struct mp_seal_provider *provider;
  uint8_t aead;
} suites[4];
static size_t suite_count;

#define OVERHEAD_BYTES (MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES)

static const uint8_t key[MP_SEAL_KEY_BYTES] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                               11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                               22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
static const uint8_t header[MP_SEAL_HEADER_BYTES] = {4,    3,    0x34, 0x12, 8, 7, 6, 5,
                                                     0xaa, 0xbb, 0xcc, 0x21, 16, 1, 2, 3};

/* One key in both directions, as two ends of a tunnel have it. */
struct ends {
  struct mp_seal_context *seal, *unseal;
};

static struct ends open_ends(struct suite suite)
{
  struct ends ends = {mp_seal_open_by(suite.provider, suite.aead, key, true),
                      mp_seal_open_by(suite.provider, suite.aead, key, false)};
  if (!ends.seal || !ends.unseal)
    abort();
  return ends;
}

static void close_ends(struct ends ends)
{
  mp_seal_close(ends.seal);
  mp_seal_close(ends.unseal);
}

static size_t seal_body(struct ends ends, uint64_t path_seq, uint8_t *datagram, const uint8_t *body,
                        size_t body_bytes)
{
  memcpy(datagram, header, sizeof header);
  return mp_seal_seal(ends.seal, 3, path_seq, datagram, body, body_bytes);
}

static void a_process_without_openssl_says_what_is_missing(void)
{
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const char *why = NULL;
    const bool right = mp_seal_available(&why) == 0 && why && strstr(why, "EVP_CIPHER_fetch") &&
                       strcmp(mp_seal_provider(MP_AEAD_CHACHA20_POLY1305), "none") == 0 &&
                       mp_seal_open(MP_AEAD_CHACHA20_POLY1305, key, true) == NULL;
    _exit(right ? 0 : 1);
  }
  int status;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK_EQ_INT(status, 0);
}

static void *ask_whether_available(void *answer)
{
  const char *why;
  *(uint8_t *)answer = mp_seal_available(&why);
  return NULL;
}

static void every_thread_finds_both(void)
{
  pthread_t threads[4];
  uint8_t found[4] = {0};
  for (int i = 0; i < 4; i++)
    REQUIRE(pthread_create(&threads[i], NULL, ask_whether_available, &found[i]) == 0);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  for (int i = 0; i < 4; i++)
    CHECK_EQ(found[i], MP_AEAD_CHACHA20_POLY1305 | MP_AEAD_AES_256_GCM);
  const char *why = "unset";
  mp_seal_available(&why);
  CHECK(why == NULL);
  CHECK(strcmp(mp_seal_provider(0), "none") == 0);
}

static void only_known_algorithms_open(void)
{
  CHECK(mp_seal_open(0, key, true) == NULL);
  CHECK(mp_seal_open(3, key, true) == NULL);
  CHECK(mp_seal_open(4, key, true) == NULL);
  CHECK(mp_seal_open_by(&mp_seal_ipsec_mb, 3, key, true) == NULL);
  mp_seal_close(NULL);
}

static void instructions_prefer_aes_alone(void)
{
  CHECK((mp_seal_preferred() & ~MP_AEAD_AES_256_GCM) == 0);
}

/* Made with node:crypto; the first also with libsodium. */
static const uint8_t sealed[][OVERHEAD_BYTES + 21] = {
    [MP_AEAD_CHACHA20_POLY1305] =
        {0x04, 0x03, 0x34, 0x12, 0x08, 0x07, 0x06, 0x05, 0x0e, 0x39, 0x43, 0x02, 0x33,
         0x6e, 0x20, 0xfc, 0x8f, 0x15, 0x87, 0x11, 0x53, 0x12, 0x84, 0x30, 0xd9, 0xfd,
         0xe9, 0x37, 0x3a, 0xe2, 0x8d, 0x42, 0x1c, 0xa6, 0xa9, 0x62, 0xcc, 0xf0, 0xe8,
         0x90, 0x1a, 0x0c, 0x38, 0x4d, 0xe7, 0x8c, 0xa9, 0xf6, 0xbb, 0x54, 0xc8, 0xca,
         0x83},
    [MP_AEAD_AES_256_GCM] =
        {0x04, 0x03, 0x34, 0x12, 0x08, 0x07, 0x06, 0x05, 0x8d, 0x11, 0x26, 0x9d, 0x67,
         0xe0, 0xcb, 0x79, 0xc4, 0xae, 0x82, 0xc4, 0x2b, 0x60, 0x65, 0x6b, 0x3f, 0xbe,
         0x90, 0xd1, 0x02, 0x53, 0x1a, 0xbb, 0x5a, 0xa3, 0x98, 0xde, 0x0d, 0x0b, 0x39,
         0x24, 0xba, 0x93, 0xfd, 0x54, 0xee, 0x33, 0x60, 0x5c, 0x99, 0x96, 0xa3, 0x5b,
         0xd8},
};

static void the_layout_is_that_of_the_protocol(void)
{
  static const uint8_t body[] = "a body of 21 octets..";
  for (size_t i = 0; i < suite_count; i++) {
    struct ends ends = open_ends(suites[i]);
    uint8_t datagram[sizeof *sealed];
    CHECK_EQ(seal_body(ends, 0x0102030405060708, datagram, body, 21), sizeof *sealed);
    CHECK_BYTES(datagram, sealed[suites[i].aead], sizeof *sealed);

    memcpy(datagram, header, sizeof header);
    memcpy(datagram + sizeof header, body, 21);
    CHECK_EQ(seal_body(ends, 0x0102030405060708, datagram, datagram + sizeof header, 21),
             sizeof *sealed);
    CHECK_BYTES(datagram, sealed[suites[i].aead], sizeof *sealed);

    CHECK(mp_seal_unseal(ends.unseal, 3, 0x0102030405060708, datagram, sizeof datagram));
    CHECK_BYTES(datagram, header, sizeof header);
    CHECK_BYTES(datagram + sizeof header, body, 21);
    close_ends(ends);
  }
}

static void every_length_comes_back(void)
{
  static uint8_t body[MP_LIMIT_PACKET_BYTES], datagram[sizeof body + OVERHEAD_BYTES];
  for (size_t i = 0; i < sizeof body; i++)
    body[i] = (uint8_t)(i * 167 + 13);
  for (size_t i = 0; i < suite_count; i++) {
    struct ends ends = open_ends(suites[i]);
    for (size_t bytes = 0; bytes <= sizeof body; bytes++) {
      REQUIRE(seal_body(ends, bytes, datagram, bytes ? body : NULL, bytes) ==
              bytes + OVERHEAD_BYTES);
      REQUIRE(mp_seal_unseal(ends.unseal, 3, bytes, datagram, bytes + OVERHEAD_BYTES));
      REQUIRE(memcmp(datagram, header, sizeof header) == 0);
      REQUIRE(memcmp(datagram + sizeof header, body, bytes) == 0);
    }
    close_ends(ends);
  }
}

static void every_flipped_bit_is_refused(void)
{
  static const uint8_t body[40] = {1, 2, 3};
  for (size_t i = 0; i < suite_count; i++) {
    struct ends ends = open_ends(suites[i]);
    uint8_t right[sizeof body + OVERHEAD_BYTES], datagram[sizeof right];
    seal_body(ends, 7, right, body, sizeof body);
    for (size_t bit = 0; bit < 8 * sizeof right; bit++) {
      memcpy(datagram, right, sizeof right);
      datagram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
      REQUIRE(!mp_seal_unseal(ends.unseal, 3, 7, datagram, sizeof datagram));
    }
    CHECK(mp_seal_unseal(ends.unseal, 3, 7, right, sizeof right));
    close_ends(ends);
  }
}

static void path_sequence_key_and_length_are_bound(void)
{
  static const uint8_t body[40] = {1, 2, 3};
  static const uint8_t other_key[MP_SEAL_KEY_BYTES] = {1};
  for (size_t i = 0; i < suite_count; i++) {
    struct ends ends = open_ends(suites[i]);
    struct mp_seal_context *other =
        mp_seal_open_by(suites[i].provider, suites[i].aead, other_key, false);
    REQUIRE(other);
    uint8_t right[sizeof body + OVERHEAD_BYTES], datagram[sizeof right];
    seal_body(ends, 7, right, body, sizeof body);
    const struct {
      struct mp_seal_context *context;
      uint8_t path;
      uint64_t path_seq;
      size_t length;
    } wrong[] = {
        {ends.unseal, 2, 7, sizeof right},
        {ends.unseal, 3, 8, sizeof right},
        {ends.unseal, 3, 7 + (1ull << 32), sizeof right},
        {ends.unseal, 3, 7 + (1ull << 63), sizeof right},
        {ends.unseal, 3, 7, sizeof right - 1},
        {ends.unseal, 3, 7, OVERHEAD_BYTES},
        {other, 3, 7, sizeof right},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
      memcpy(datagram, right, sizeof right);
      CHECK(!mp_seal_unseal(wrong[k].context, wrong[k].path, wrong[k].path_seq, datagram,
                            wrong[k].length));
    }
    CHECK(mp_seal_unseal(ends.unseal, 3, 7, right, sizeof right));
    mp_seal_close(other);
    close_ends(ends);
  }
}

static void contexts_do_not_mix(void)
{
  struct ends ends[4];
  uint8_t datagram[OVERHEAD_BYTES], copy[OVERHEAD_BYTES];
  for (size_t i = 0; i < suite_count; i++)
    ends[i] = open_ends(suites[i]);
  for (uint64_t seq = 0; seq < 100; seq++) {
    for (size_t from = 0; from < suite_count; from++) {
      REQUIRE(seal_body(ends[from], seq, datagram, NULL, 0) == sizeof datagram);
      for (size_t to = 0; to < suite_count; to++) {
        memcpy(copy, datagram, sizeof copy);
        REQUIRE(mp_seal_unseal(ends[to].unseal, 3, seq, copy, sizeof copy) ==
                (suites[from].aead == suites[to].aead));
      }
    }
  }
  for (size_t i = 0; i < suite_count; i++)
    close_ends(ends[i]);
}

static uint8_t random_octet(uint64_t *state)
{
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint8_t)(*state >> 56);
}

static void libraries_agree_on_random_datagrams(void)
{
  static uint8_t datagrams[4][MP_LIMIT_PACKET_BYTES + OVERHEAD_BYTES], body[MP_LIMIT_PACKET_BYTES];
  uint64_t state = 20;
  for (int round = 0; round < 2000; round++) {
    uint8_t round_key[MP_SEAL_KEY_BYTES];
    for (size_t i = 0; i < sizeof round_key; i++)
      round_key[i] = random_octet(&state);
    const size_t bytes = (state >> 32) % (sizeof body + 1);
    for (size_t i = 0; i < bytes; i++)
      body[i] = random_octet(&state);
    const uint64_t seq = state;
    const uint8_t path = random_octet(&state) % MP_LIMIT_PATHS;
    for (size_t k = 0; k < suite_count; k++) {
      struct mp_seal_context *seal =
          mp_seal_open_by(suites[k].provider, suites[k].aead, round_key, true);
      REQUIRE(seal);
      memcpy(datagrams[k], header, sizeof header);
      const size_t length = mp_seal_seal(seal, path, seq, datagrams[k], body, bytes);
      mp_seal_close(seal);
      REQUIRE(length == bytes + OVERHEAD_BYTES);
      for (size_t other = 0; other < k; other++)
        REQUIRE(suites[other].aead != suites[k].aead ||
                memcmp(datagrams[other], datagrams[k], length) == 0);
    }
  }
}

static bool has(const struct mp_seal_provider *provider, uint8_t aead)
{
  for (size_t i = 0; i < suite_count; i++)
    if (suites[i].provider == provider && suites[i].aead == aead)
      return true;
  return false;
}

static void the_quicker_library_is_chosen(void)
{
  for (uint8_t aead = 1; aead <= 2; aead++) {
    struct mp_seal_context *context = mp_seal_open(aead, key, true);
    REQUIRE(context);
    const bool quick = has(&mp_seal_ipsec_mb, aead);
    CHECK(context->provider == (quick ? &mp_seal_ipsec_mb : &mp_seal_evp));
    CHECK(strncmp(mp_seal_provider(aead), quick ? "libipsec-mb 1.3" : "OpenSSL 3",
                  quick ? 15 : 9) == 0);
    mp_seal_close(context);
  }
#ifdef __x86_64__
  /* Else half of these tests would pass for want of a library: apt-get install libipsec-mb1. */
  if (mp_seal_preferred())
    CHECK(has(&mp_seal_ipsec_mb, MP_AEAD_AES_256_GCM));
#endif
}

static void find_suites(void)
{
  const struct mp_seal_provider *const providers[] = {&mp_seal_evp, &mp_seal_ipsec_mb};
  for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
    for (uint8_t aead = 1; aead <= 2; aead++) {
      struct mp_seal_context *context = mp_seal_open_by(providers[i], aead, key, true);
      if (context)
        suites[suite_count++] = (struct suite){providers[i], aead};
      mp_seal_close(context);
    }
  }
}

int main(void)
{
  RUN(a_process_without_openssl_says_what_is_missing);
  if (!dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL)) {
    fprintf(stderr, "%s\ninstall OpenSSL 3: apt-get install libssl3\n", dlerror());
    return 1;
  }
  RUN(every_thread_finds_both);
  find_suites();
  RUN(the_quicker_library_is_chosen);
  RUN(only_known_algorithms_open);
  RUN(instructions_prefer_aes_alone);
  RUN(the_layout_is_that_of_the_protocol);
  RUN(every_length_comes_back);
  RUN(every_flipped_bit_is_refused);
  RUN(path_sequence_key_and_length_are_bound);
  RUN(contexts_do_not_mix);
  RUN(libraries_agree_on_random_datagrams);
  return test_end();
}
