/* test/vectors/datagram.json against native/seal.c: octets that a peer written from PROTOCOL.md
 * alone has sealed. */
#include "le.h"
#include "seal.h"
#include "test.h"
#include "vectors_fixture.h"

#include <dlfcn.h>

enum { DATAGRAM_BYTES = 2048 };

struct vector {
  uint8_t aead;
  uint8_t key[MP_SEAL_KEY_BYTES];
  uint8_t path;
  uint64_t path_seq;
  uint8_t header[MP_SEAL_HEADER_BYTES];
  uint8_t body[DATAGRAM_BYTES], datagram[DATAGRAM_BYTES];
  size_t body_bytes, datagram_bytes;
};

static struct vector vectors[64];
static size_t vector_count;

static void read_vector(const char *line)
{
  if (vector_count == sizeof vectors / sizeof vectors[0])
    abort();
  struct vector *vector = &vectors[vector_count++];
  const bool aes = strncmp(value_of(line, "aead"), "aes-256-gcm", 11) == 0;
  vector->aead = aes ? MP_AEAD_AES_256_GCM : MP_AEAD_CHACHA20_POLY1305;
  octets_of(line, "key", vector->key, sizeof vector->key);
  vector->path = (uint8_t)number_of(line, "path");
  vector->path_seq = number_of(line, "pathSeq");
  vector->body_bytes = octets_of(line, "body", vector->body, sizeof vector->body);
  vector->datagram_bytes = octets_of(line, "datagram", vector->datagram, sizeof vector->datagram);

  uint8_t *header = vector->header;
  header[MP_HEADER_TYPE] = (uint8_t)number_of(line, "type");
  header[MP_HEADER_PATH] = vector->path;
  mp_store16(header + MP_HEADER_RECEIVER, (uint16_t)number_of(line, "receiver"));
  mp_store32(header + MP_HEADER_PATH_SEQ, (uint32_t)vector->path_seq);
  mp_store24(header + MP_HEADER_SEND_TIME, (uint32_t)number_of(line, "sendTime"));
  mp_store16(header + MP_HEADER_FLOW, (uint16_t)number_of(line, "flow"));
  mp_store24(header + MP_HEADER_FLOW_SEQ, (uint32_t)number_of(line, "flowSeq"));
}

static void there_are_vectors_of_both_aeads(void)
{
  size_t of_aes = 0;
  for (size_t i = 0; i < vector_count; i++)
    of_aes += vectors[i].aead == MP_AEAD_AES_256_GCM;
  CHECK_EQ(vector_count, 18);
  CHECK_EQ(of_aes, 9);
}

static void sealing_gives_their_octets(void)
{
  for (size_t i = 0; i < vector_count; i++) {
    const struct vector *vector = &vectors[i];
    struct mp_seal_context *seal = mp_seal_open(vector->aead, vector->key, true);
    REQUIRE(seal != NULL);
    uint8_t datagram[DATAGRAM_BYTES];
    memcpy(datagram, vector->header, sizeof vector->header);
    const size_t length = mp_seal_seal(seal, vector->path, vector->path_seq, datagram,
                                       vector->body, vector->body_bytes);
    mp_seal_close(seal);
    CHECK_EQ(length, vector->datagram_bytes);
    CHECK_BYTES(datagram, vector->datagram, vector->datagram_bytes);
  }
}

static void opening_gives_their_header_and_body(void)
{
  for (size_t i = 0; i < vector_count; i++) {
    const struct vector *vector = &vectors[i];
    struct mp_seal_context *unseal = mp_seal_open(vector->aead, vector->key, false);
    REQUIRE(unseal != NULL);
    uint8_t datagram[DATAGRAM_BYTES];
    memcpy(datagram, vector->datagram, vector->datagram_bytes);
    CHECK(mp_seal_unseal(unseal, vector->path, vector->path_seq, datagram,
                         vector->datagram_bytes));
    mp_seal_close(unseal);
    CHECK_BYTES(datagram, vector->header, sizeof vector->header);
    CHECK_BYTES(datagram + sizeof vector->header, vector->body, vector->body_bytes);
  }
}

int main(void)
{
  if (!dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL)) {
    fprintf(stderr, "%s\ninstall OpenSSL 3: apt-get install libssl3\n", dlerror());
    return 1;
  }
  vectors_read("test/vectors/datagram.json", read_vector);
  RUN(there_are_vectors_of_both_aeads);
  RUN(sealing_gives_their_octets);
  RUN(opening_gives_their_header_and_body);
  return test_end();
}
