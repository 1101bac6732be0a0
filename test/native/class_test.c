/* Which packets of a connection are a flow of their own (native/class.c). */
#include <stdlib.h>

#include "adaptive_corridor.h"
#include "test.h"

enum {
  BUCKET = 700,
  IPV4_BYTES = 20,
  IPV6_BYTES = 40,
  TCP_BYTES = 32, /* with timestamps */
  UDP = 17,
  FIN = 0x01,
  SYN = 0x02,
  RST = 0x04,
  PSH = 0x08,
  ACK = 0x10,
  URG = 0x20,
  ECE = 0x40,
};

static uint32_t write_ip(uint8_t *packet, uint8_t version, uint8_t protocol, uint32_t body_bytes)
{
  if (version == 4) {
    const uint32_t length = IPV4_BYTES + body_bytes;
    memcpy(packet, (uint8_t[]){0x45, 0, (uint8_t)(length >> 8), (uint8_t)length, 0, 0, 0, 0, 64,
                               protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, IPV4_BYTES);
    return IPV4_BYTES;
  }
  memset(packet, 0, IPV6_BYTES);
  memcpy(packet, (uint8_t[]){0x60, 0, 0, 0, (uint8_t)(body_bytes >> 8), (uint8_t)body_bytes,
                             protocol, 64, 0xfd}, 9);
  return IPV6_BYTES;
}

/* The bucket of a packet whose connection has BUCKET. */
static uint16_t bucket_of(uint8_t version, uint8_t protocol, uint8_t flags, uint32_t payload_bytes)
{
  struct mp_load *load = calloc(1, sizeof *load + 256);
  const uint32_t at = write_ip(load->bytes, version, protocol, TCP_BYTES + payload_bytes);
  load->bytes[at + 12] = TCP_BYTES / 4 << 4;
  load->bytes[at + 13] = flags;
  load->length = at + TCP_BYTES + payload_bytes;
  struct mp_inner inner;
  const struct mp_offload none = {0};
  CHECK(mp_inner_parse(&inner, load->bytes, load->length));
  CHECK(mp_segments_open(&load->segments, &inner, load->bytes, load->length, &none));
  const uint16_t bucket = mp_class_bucket(load, BUCKET);
  free(load);
  return bucket;
}

static void what_only_acknowledges_has_a_bucket_of_its_own(void)
{
  const uint16_t own = bucket_of(4, MP_PROTOCOL_TCP, ACK, 0);
  CHECK(own != BUCKET);
  CHECK(own < MP_LIMIT_BUCKETS);
  CHECK_EQ(bucket_of(6, MP_PROTOCOL_TCP, ACK, 0), own);
  CHECK_EQ(bucket_of(4, MP_PROTOCOL_TCP, ACK | ECE | PSH, 0), own);
}

static void whatever_else_is_said_stays_with_the_data(void)
{
  CHECK_EQ(bucket_of(4, MP_PROTOCOL_TCP, ACK, 1), BUCKET);
  CHECK_EQ(bucket_of(6, MP_PROTOCOL_TCP, ACK, 100), BUCKET);
  static const uint8_t flags[] = {SYN, SYN | ACK, FIN | ACK, RST, RST | ACK, URG | ACK, 0};
  for (size_t i = 0; i < sizeof flags; i++)
    CHECK_EQ(bucket_of(4, MP_PROTOCOL_TCP, flags[i], 0), BUCKET);
  CHECK_EQ(bucket_of(4, UDP, ACK, 0), BUCKET);
}

static void a_header_cut_short_is_no_acknowledgement(void)
{
  struct mp_load *load = calloc(1, sizeof *load + 256);
  load->length = write_ip(load->bytes, 4, MP_PROTOCOL_TCP, 12) + 12;
  load->bytes[IPV4_BYTES + 13] = ACK; /* beyond its end */
  struct mp_inner inner;
  const struct mp_offload none = {0};
  CHECK(mp_inner_parse(&inner, load->bytes, load->length));
  CHECK(mp_segments_open(&load->segments, &inner, load->bytes, load->length, &none));
  CHECK_EQ(mp_class_bucket(load, BUCKET), BUCKET);
  free(load);
}

int main(void)
{
  RUN(what_only_acknowledges_has_a_bucket_of_its_own);
  RUN(whatever_else_is_said_stays_with_the_data);
  RUN(a_header_cut_short_is_no_acknowledgement);
  return test_end();
}
