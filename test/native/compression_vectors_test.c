/* test/vectors/compression.json against native/compression.c: bodies that a peer written from PROTOCOL.md
 * alone has compressed. */
#include "le.h"
#include "tunnel_fixture.h"
#include "vectors_fixture.h"

enum { BUCKET = 5, MOST = 64 };

struct octets {
  size_t count;
  uint8_t bytes[MP_LIMIT_PACKET_BYTES];
};

static struct vector {
  uint8_t generation;
  bool first_is_partial, is_partial;
  uint32_t first_flow_seq, flow_seq;
  struct octets first, context, packet, compressed;
} vectors[MOST];
static size_t vector_count;

static struct pair pair;

static void read_octets(const char *line, const char *name, struct octets *octets)
{
  octets->count = octets_of(line, name, octets->bytes, sizeof octets->bytes);
}

static void read_vector(const char *line)
{
  if (vector_count == MOST)
    abort();
  struct vector *vector = &vectors[vector_count++];
  vector->generation = (uint8_t)number_of(line, "generation");
  vector->first_is_partial = number_of(line, "firstPartial") == 1;
  vector->is_partial = number_of(line, "partial") == 1;
  vector->first_flow_seq = (uint32_t)number_of(line, "firstFlowSeq");
  vector->flow_seq = (uint32_t)number_of(line, "flowSeq");
  read_octets(line, "first", &vector->first);
  read_octets(line, "context", &vector->context);
  read_octets(line, "packet", &vector->packet);
  read_octets(line, "compressed", &vector->compressed);
}

static uint16_t flow_of(bool partial) { return BUCKET | (partial ? MP_FLOW_PARTIAL_CHECKSUM : 0); }

/* What the client makes of a packet; `room` is as long as one. */
static struct mp_body sent(const struct octets *octets, bool partial, uint32_t flow_seq, uint8_t *room)
{
  struct mp_body body = {.type = MP_MSG_DATA,
                         .flow = flow_of(partial),
                         .flow_seq = flow_seq,
                         .bytes = room,
                         .length = (uint32_t)octets->count};
  memcpy(room, octets->bytes, octets->count);
  mp_compression_send(pair.client.tunnel, pair.client.tunnel->peers[0], room, &body);
  return body;
}

static void expect_body(const struct mp_body *body, uint8_t type, const struct octets *octets)
{
  CHECK_EQ(body->type, type);
  REQUIRE(body->length == octets->count);
  CHECK_BYTES(body->bytes, octets->bytes, octets->count);
}

/* What the client makes of the first packet that is worth a context. */
static struct mp_body proposed(const struct octets *octets, bool partial, uint32_t flow_seq, uint8_t *room)
{
  struct mp_body body = {.type = MP_MSG_DATA};
  for (unsigned i = 1; i <= 5 && body.type == MP_MSG_DATA; i++) {
    body = sent(octets, partial, flow_seq, room);
    CHECK(i > 1 || body.type == MP_MSG_DATA);
  }
  return body;
}

/* Contexts of other flows, so that the one of this vector is of the generation that it tells. */
static void propose_others(const struct vector *vector)
{
  struct octets other = vector->first;
  uint8_t room[MP_LIMIT_PACKET_BYTES];
  uint8_t *port = other.bytes + (other.bytes[0] >> 4 == 4 ? 20 : 40);
  for (uint8_t generation = MP_CONTEXT_KINDS; generation < vector->generation; generation++) {
    port[0] ^= generation;
    CHECK_EQ(proposed(&other, vector->first_is_partial, 0, room).type, MP_MSG_CONTEXT);
    pair.client.tunnel->now_us += MP_CONTEXT_REST_US;
    port[0] ^= generation;
  }
}

static void packets_go_as_in_the_vectors(void)
{
  unsigned lean = 0;
  for (size_t i = 0; i < vector_count; i++) {
    const struct vector *vector = &vectors[i];
    uint8_t room[MP_LIMIT_PACKET_BYTES];
    pair_open_carrying(&pair, 1);
    struct mp_body body;
    if (vector->context.count > 0) {
      propose_others(vector);
      body = proposed(&vector->first, vector->first_is_partial, vector->first_flow_seq, room);
      expect_body(&body, MP_MSG_CONTEXT, &vector->context);
      mp_context_kept(&pair.client.tunnel->peers[0]->contexts, BUCKET, vector->generation);
      body = sent(&vector->packet, vector->is_partial, vector->flow_seq, room);
      const bool is_lean = vector->compressed.count > 0;
      expect_body(&body, is_lean ? MP_MSG_COMPRESSED : MP_MSG_DATA,
                  is_lean ? &vector->compressed : &vector->packet);
      lean += is_lean;
    } else {
      body = sent(&vector->first, vector->first_is_partial, vector->first_flow_seq, room);
      expect_body(&body, MP_MSG_DATA, &vector->first);
    }
    pair_close(&pair);
  }
  CHECK_EQ(vector_count, 49);
  CHECK_EQ(lean, 33);
}

/* What the server makes of a body; the caller gives it back. */
static struct mp_packet *received(uint8_t type, bool partial, uint32_t flow_seq, const struct octets *body)
{
  uint8_t header[MP_SEAL_HEADER_BYTES] = {[MP_HEADER_TYPE] = type};
  mp_store16(header + MP_HEADER_FLOW, flow_of(partial));
  mp_store24(header + MP_HEADER_FLOW_SEQ, flow_seq);
  struct mp_packet *packet = mp_pool_take(&pair.server.pool);
  packet->length = (uint32_t)body->count;
  memcpy(packet->bytes, body->bytes, body->count);
  struct mp_packet *whole = mp_compression_whole(
      pair.server.tunnel, pair.server.tunnel->peers[0], header, packet);
  if (whole != packet)
    mp_pool_give(&pair.server.pool, packet);
  return whole;
}

static void bodies_of_the_vectors_come_out_as_packets(void)
{
  for (size_t i = 0; i < vector_count; i++) {
    const struct vector *vector = &vectors[i];
    if (vector->compressed.count == 0)
      continue;
    pair_open_carrying(&pair, 1);
    const struct octets *wanted[] = {&vector->first, &vector->packet};
    for (unsigned turn = 0; turn < 2; turn++) {
      struct mp_packet *whole =
          turn == 0
              ? received(MP_MSG_CONTEXT, vector->first_is_partial, vector->first_flow_seq, &vector->context)
              : received(MP_MSG_COMPRESSED, vector->is_partial, vector->flow_seq, &vector->compressed);
      REQUIRE(whole && whole->length == wanted[turn]->count);
      CHECK_BYTES(whole->bytes, wanted[turn]->bytes, wanted[turn]->count);
      mp_pool_give(&pair.server.pool, whole);
    }
    pair_close(&pair);
  }
}

int main(void)
{
  fixture_load_openssl();
  vectors_read("test/vectors/compression.json", read_vector);
  RUN(packets_go_as_in_the_vectors);
  RUN(bodies_of_the_vectors_come_out_as_packets);
  return test_end();
}
