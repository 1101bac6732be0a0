/* Splitting super-packets (native/segment.h) and joining packets (native/coalesce.h): each undoes
 * the other, and every packet in between is one that a host could have sent. */
#include "checksum.h"
#include "coalesce.h"
#include "inner.h"
#include "segment.h"
#include "test.h"

#include <stdlib.h>

enum { TCP = 6, UDP = 17 };
enum { MOST_BYTES = 65535, MOST_SEGMENTS = 600 };

struct shape {
  uint8_t version, protocol;
  uint32_t options_bytes; /* of TCP */
  uint32_t payload_bytes, segment_bytes;
  uint8_t flags;
};

static uint8_t super_packet[MOST_BYTES];
static uint8_t rooms[MOST_SEGMENTS][MP_LIMIT_PACKET_BYTES];
static struct mp_packet packets[MOST_SEGMENTS];

static uint16_t naive_sum(const uint8_t *octets, uint32_t length, uint32_t sum)
{
  for (uint32_t i = 0; i < length; i++)
    sum += i % 2 ? octets[i] : (uint32_t)octets[i] << 8;
  while (sum > 0xffff)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static void put16(uint8_t *p, uint32_t v)
{
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

/* RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1, one octet after the other. */
static uint16_t naive_pseudo(const uint8_t *packet, uint8_t protocol, uint32_t transport_bytes)
{
  const bool ipv4 = packet[0] >> 4 == 4;
  uint32_t sum = protocol + (transport_bytes >> 16) + (transport_bytes & 0xffff);
  return naive_sum(packet + (ipv4 ? 12 : 8), ipv4 ? 8 : 32, sum);
}

/* A super-packet as the kernel makes it; returns its length and describes it. */
static uint32_t make(const struct shape *shape, struct mp_offload *offload)
{
  const uint32_t transport = shape->version == 4 ? 20 : 40;
  const uint32_t header = shape->protocol == TCP ? 20 + shape->options_bytes : 8;
  const uint32_t length = transport + header + shape->payload_bytes;
  uint8_t *packet = super_packet;
  for (uint32_t i = 0; i < length; i++)
    packet[i] = (uint8_t)rand();
  if (shape->version == 4) {
    packet[0] = 0x45;
    put16(packet + 2, length);
    put16(packet + 6, 0x4000);
    packet[9] = shape->protocol;
    mp_checksum_ipv4(packet, 20);
  } else {
    packet[0] = 0x60;
    put16(packet + 4, length - 40);
    packet[6] = shape->protocol;
  }
  if (shape->protocol == TCP) {
    packet[transport + 12] = (uint8_t)(header / 4 << 4);
    packet[transport + 13] = shape->flags;
    put16(packet + transport + 16, naive_pseudo(packet, TCP, length - transport));
  } else {
    put16(packet + transport + 4, length - transport);
    put16(packet + transport + 6, naive_pseudo(packet, UDP, length - transport));
  }
  *offload = (struct mp_offload){
      .partial = true,
      .gso = shape->protocol == TCP ? MP_GSO_TCP : MP_GSO_UDP,
      .segment_bytes = (uint16_t)shape->segment_bytes,
      .transport = (uint16_t)transport,
      .checksum = shape->protocol == TCP ? 16 : 6,
  };
  return length;
}

/* Splits what make made; returns the number of packets. */
static uint32_t split(uint32_t length, const struct mp_offload *offload)
{
  struct mp_inner inner;
  struct mp_segments segments;
  if (!mp_inner_parse(&inner, super_packet, length) ||
      !mp_segments_open(&segments, &inner, super_packet, length, offload))
    return 0;
  for (uint32_t i = 0; i < segments.count; i++) {
    const uint32_t each = mp_segments_length(&segments, i);
    uint32_t alike = 1;
    while (i + alike < segments.count && mp_segments_length(&segments, i + alike) == each)
      alike++;
    CHECK_EQ(mp_segments_alike(&segments, i), alike);
    packets[i] = (struct mp_packet){.bytes = rooms[i],
                                    .length = mp_segments_write(&segments, i, rooms[i]),
                                    .partial = true,
                                    .transport = offload->transport,
                                    .checksum = offload->checksum};
  }
  return segments.count;
}

/* Every field of a packet is what a receiver demands. */
static void check_packet(const struct mp_packet *packet)
{
  static uint8_t copy[MP_LIMIT_PACKET_BYTES];
  struct mp_inner inner;
  CHECK(mp_inner_parse(&inner, packet->bytes, packet->length));
  if (inner.version == 4)
    CHECK_EQ(naive_sum(packet->bytes, 20, 0), 0xffff);
  memcpy(copy, packet->bytes, packet->length);
  mp_checksum_complete(copy, packet->length, packet->transport, packet->checksum);
  const uint32_t transport_bytes = packet->length - packet->transport;
  const uint8_t protocol = inner.version == 4 ? copy[9] : copy[6];
  CHECK_EQ(naive_sum(copy + packet->transport, transport_bytes,
                     naive_pseudo(copy, protocol, transport_bytes)),
           0xffff);
}

/* Joins packets[0 .. count - 1] and compares with what they were split from. */
static void check_joins_back(uint32_t count, uint32_t length)
{
  static uint8_t joined[MOST_BYTES];
  struct mp_super super;
  uint32_t done = 0, runs = 0;
  while (done < count) {
    mp_super_begin(&super, &packets[done], true);
    while (done + super.count < count && mp_super_add(&super, &packets[done + super.count])) {
    }
    done += super.count;
    runs++;
  }
  if (count > MP_COALESCE_PACKETS)
    return;
  CHECK_EQ(runs, 1);
  REQUIRE(super.count == count && count > 1);
  mp_super_header(&super, &packets[count - 1], joined);
  uint32_t at = super.header_bytes;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t payload = packets[i].length - super.header_bytes;
    memcpy(joined + at, packets[i].bytes + super.header_bytes, payload);
    at += payload;
  }
  CHECK_EQ(at, length);
  CHECK_EQ(super.length, length);
  CHECK_BYTES(joined, super_packet, length);
}

static void random_super_packets_are_split_and_joined(void)
{
  srand(1);
  for (unsigned round = 0; round < 3000; round++) {
    struct mp_offload offload;
    struct shape shape = {.version = rand() % 2 ? 4 : 6,
                          .protocol = rand() % 3 ? TCP : UDP,
                          .options_bytes = (uint32_t)(rand() % 11) * 4,
                          .segment_bytes = 100 + (uint32_t)rand() % 1400,
                          .flags = (uint8_t)(0x10 | (rand() % 2 ? 0x08 : 0) |
                                             (rand() % 4 ? 0 : 0x01) | (rand() % 4 ? 0 : 0x80) |
                                             (rand() % 4 ? 0 : 0x40))};
    shape.payload_bytes = 1 + (uint32_t)rand() % (40 * shape.segment_bytes);
    if (shape.payload_bytes > 65000)
      shape.payload_bytes = 65000;
    const uint32_t length = make(&shape, &offload);
    const uint32_t count = split(length, &offload);
    CHECK_EQ(count, (shape.payload_bytes + shape.segment_bytes - 1) / shape.segment_bytes);
    for (uint32_t i = 0; i < count; i++) {
      check_packet(&packets[i]);
      const uint8_t *header = packets[i].bytes + packets[i].transport;
      if (shape.protocol != TCP)
        continue;
      CHECK_EQ(header[13] & 0x09, i + 1 == count ? shape.flags & 0x09 : 0);
      CHECK_EQ(header[13] & 0x80, i == 0 ? shape.flags & 0x80 : 0);
    }
    if (count > 1)
      check_joins_back(count, length);
  }
}

static struct shape plain(void)
{
  return (struct shape){.version = 4,
                        .protocol = TCP,
                        .options_bytes = 12,
                        .payload_bytes = 5000,
                        .segment_bytes = 1000,
                        .flags = 0x10};
}

/* How many of the packets join the first. */
static unsigned joined(uint32_t count)
{
  struct mp_super super;
  mp_super_begin(&super, &packets[0], true);
  while (super.count < count && mp_super_add(&super, &packets[super.count])) {
  }
  return super.count;
}

static unsigned joined_after(uint32_t offset, uint8_t change)
{
  struct mp_offload offload;
  const struct shape shape = plain();
  const uint32_t count = split(make(&shape, &offload), &offload);
  packets[2].bytes[offset] ^= change;
  return joined(count);
}

static void whatever_differs_ends_a_run(void)
{
  CHECK_EQ(joined_after(8, 0), 5);
  const struct {
    uint32_t offset;
    uint8_t change;
  } changes[] = {
      {1, 1},    /* type of service, ECN */
      {5, 1},    /* identification out of turn */
      {6, 0x40}, /* don't fragment */
      {8, 1},    /* time to live */
      {15, 1},   /* source address */
      {19, 1},   /* destination address */
      {21, 1},   /* source port */
      {23, 1},   /* destination port */
      {27, 1},   /* sequence */
      {31, 1},   /* acknowledgment */
      {32, 0x10}, /* header length */
      {33, 0x02}, /* SYN */
      {33, 0x04}, /* RST */
      {33, 0x20}, /* URG */
      {33, 0x40}, /* ECE */
      {33, 0x80}, /* CWR behind the first */
      {35, 1},   /* window */
      {39, 1},   /* urgent pointer */
      {45, 1},   /* an option */
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    const unsigned count = joined_after(changes[i].offset, changes[i].change);
    if (count != 2)
      printf("# octet %u: %u joined\n", changes[i].offset, count);
    CHECK_EQ(count, 2);
  }
}

static void what_has_psh_or_fin_is_the_last_of_a_run(void)
{
  CHECK_EQ(joined_after(33, 0x08), 3);
  CHECK_EQ(joined_after(33, 0x01), 3);
}

static void a_short_segment_is_the_last_of_a_run(void)
{
  struct mp_offload offload;
  const struct shape shape = plain();
  const uint32_t count = split(make(&shape, &offload), &offload);
  packets[2].length -= 10;
  CHECK_EQ(joined(count), 3);
  packets[1].length += 10; /* and a longer one begins another */
  CHECK_EQ(joined(count), 1);
}

static void whole_checksums_are_never_joined(void)
{
  struct mp_offload offload;
  const struct shape shape = plain();
  const uint32_t count = split(make(&shape, &offload), &offload);
  packets[1].partial = false;
  CHECK_EQ(joined(count), 1);
  packets[0].partial = false;
  CHECK_EQ(joined(count), 1);
}

static void runs_of_udp_need_a_kernel_that_takes_them(void)
{
  struct mp_offload offload;
  struct shape shape = plain();
  struct mp_super super;
  shape.protocol = UDP;
  split(make(&shape, &offload), &offload);
  mp_super_begin(&super, &packets[0], false);
  CHECK(!mp_super_add(&super, &packets[1]));
}

/* In rooms of their own size, so that ASan sees whoever reads behind them. */
static void headers_shorter_than_those_of_tcp_are_never_joined(void)
{
  struct mp_offload offload;
  struct shape shape = plain();
  shape.options_bytes = 0;
  for (uint8_t words = 0; words < 5; words++) {
    struct mp_super super;
    split(make(&shape, &offload), &offload);
    struct mp_packet two[2] = {packets[0], packets[0]};
    for (unsigned i = 0; i < 2; i++) {
      two[i].bytes = malloc(two[i].length);
      memcpy(two[i].bytes, packets[0].bytes, two[i].length);
      two[i].bytes[32] = (uint8_t)(words << 4);
      /* In turn, as far as such a header goes. */
      put16(two[i].bytes + 4, 7 + i);
      memset(two[i].bytes + 24, 0, 4);
      put16(two[i].bytes + 26, i * (two[i].length - 20 - words * 4u));
    }
    mp_super_begin(&super, &two[0], true);
    CHECK(!mp_super_add(&super, &two[1]));
    free(two[0].bytes);
    free(two[1].bytes);
  }
}

static void udp_that_contradicts_its_length_is_never_joined(void)
{
  struct mp_offload offload;
  struct shape shape = plain();
  shape.protocol = UDP;
  for (unsigned odd = 0; odd < 3; odd++) {
    const uint32_t count = split(make(&shape, &offload), &offload);
    packets[odd].bytes[25] ^= 1;
    CHECK_EQ(joined(count), odd == 0 ? 1 : odd);
  }
}

static void contradictions_are_refused(void)
{
  struct mp_offload offload;
  const struct shape shape = plain();
  const uint32_t length = make(&shape, &offload);
  struct mp_offload bad = offload;
  bad.segment_bytes = 0;
  CHECK_EQ(split(length, &bad), 0);
  bad = offload;
  bad.transport = 10; /* inside the IP header */
  CHECK_EQ(split(length, &bad), 0);
  bad = offload;
  bad.transport = (uint16_t)(length - 4);
  CHECK_EQ(split(length, &bad), 0);
  super_packet[32] = 0xf0; /* a TCP header of 60 octets is fine, one of 16 is not */
  CHECK(split(length, &offload) > 0);
  super_packet[32] = 0x40;
  CHECK_EQ(split(length, &offload), 0);
}

static void hostile_packets_never_lead_outside(void)
{
  struct mp_super super;
  srand(2);
  for (unsigned round = 0; round < 200000; round++) {
    struct mp_packet two[2];
    uint8_t *exact[2];
    for (unsigned i = 0; i < 2; i++) {
      const uint32_t length = (uint32_t)rand() % 90;
      exact[i] = malloc(length ? length : 1); /* ASan sees the first octet behind it */
      for (uint32_t k = 0; k < length; k++)
        exact[i][k] = (uint8_t)rand();
      if (length > 34) {
        exact[i][0] = rand() % 2 ? 0x45 : 0x60;
        exact[i][exact[i][0] == 0x45 ? 9 : 6] = rand() % 2 ? TCP : UDP;
        exact[i][6] &= exact[i][0] == 0x45 ? 0x40 : 0xff;
        exact[i][33] = 0x10;
      }
      two[i] = (struct mp_packet){.bytes = exact[i], .length = length, .partial = true};
      two[i].transport = length > 0 && exact[i][0] == 0x60 ? 40 : 20;
    }
    mp_super_begin(&super, &two[0], true);
    mp_super_add(&super, &two[1]);
    free(exact[0]);
    free(exact[1]);
  }
}

int main(void)
{
  RUN(random_super_packets_are_split_and_joined);
  RUN(whatever_differs_ends_a_run);
  RUN(what_has_psh_or_fin_is_the_last_of_a_run);
  RUN(a_short_segment_is_the_last_of_a_run);
  RUN(whole_checksums_are_never_joined);
  RUN(runs_of_udp_need_a_kernel_that_takes_them);
  RUN(headers_shorter_than_those_of_tcp_are_never_joined);
  RUN(udp_that_contradicts_its_length_is_never_joined);
  RUN(contradictions_are_refused);
  RUN(hostile_packets_never_lead_outside);
  return test_end();
}
