/* What is read from an inner packet (native/inner.h): lengths that must match, and flows that must
 * stay together or spread. A copy of exact size on the heap lets ASan see an octet too far. */
#include "inner.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "contract.h"

enum { HOP_BY_HOP = 0, TCP = 6, UDP = 17, DCCP = 33, ROUTING = 43, FRAGMENT = 44, ESP = 50 };
enum { AH = 51, ICMPV6 = 58, NO_NEXT = 59, DESTINATION = 60, SCTP = 132, UDP_LITE = 136 };

static uint8_t packet[2048];
static uint32_t length;

static void set_big16(uint8_t *p, uint32_t v)
{
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

static void set_big32(uint8_t *p, uint32_t v)
{
  set_big16(p, v >> 16);
  set_big16(p + 2, v & 0xffff);
}

/* An IPv4 packet with `options` words of options and `payload` octets behind. */
static void begin_ipv4(uint8_t protocol, uint32_t options, uint32_t payload)
{
  memset(packet, 0, sizeof packet);
  length = 20 + 4 * options + payload;
  packet[0] = (uint8_t)(0x45 + options);
  set_big16(packet + 2, length);
  packet[9] = protocol;
  set_big32(packet + 12, 0x0a000001);
  set_big32(packet + 16, 0x0a000002);
}

static void begin_ipv6(uint8_t next)
{
  memset(packet, 0, sizeof packet);
  length = 40;
  packet[0] = 0x60;
  packet[6] = next;
  packet[8] = packet[24] = 0xfd;
  packet[23] = 1;
  packet[39] = 2;
}

static void append_ipv6(const void *bytes, uint32_t count)
{
  memcpy(packet + length, bytes, count);
  length += count;
  set_big16(packet + 4, length - 40);
}

/* An extension header of 8 * (1 + more) octets. */
static void append_extension(uint8_t next, uint8_t more)
{
  uint8_t header[8 * 256] = {next, more};
  append_ipv6(header, 8u * (1u + more));
}

static void append_fragment(uint8_t next, uint16_t offset_and_flag)
{
  uint8_t header[8] = {next};
  set_big16(header + 2, offset_and_flag);
  append_ipv6(header, sizeof header);
}

static void append_ports(uint32_t ports)
{
  uint8_t header[20] = {0};
  set_big32(header, ports);
  append_ipv6(header, sizeof header);
}

static bool parses(struct mp_inner *inner)
{
  uint8_t *copy = malloc(length ? length : 1);
  memcpy(copy, packet, length);
  const bool right = mp_inner_parse(inner, copy, length);
  free(copy);
  return right;
}

static uint16_t bucket_of(uint8_t hash, uint64_t seed)
{
  uint8_t *copy = malloc(length);
  memcpy(copy, packet, length);
  struct mp_inner inner;
  if (!mp_inner_parse(&inner, copy, length))
    abort();
  const uint16_t bucket = mp_inner_bucket(&inner, copy, length, hash, seed);
  free(copy);
  return bucket;
}

/* One bucket in 1024 could agree by chance, two under different seeds hardly. */
static uint32_t fingerprint(void)
{
  return (uint32_t)bucket_of(MP_HASH_LAYER3_4, 1) << 16 | bucket_of(MP_HASH_LAYER3_4, 2);
}

static void the_version_and_addresses_are_found(void)
{
  struct mp_inner inner;
  begin_ipv4(UDP, 0, 8);
  REQUIRE(mp_inner_parse(&inner, packet, length));
  CHECK_EQ(inner.version, 4);
  CHECK(inner.source == packet + 12 && inner.destination == packet + 16);
  begin_ipv6(UDP);
  append_ports(1);
  REQUIRE(mp_inner_parse(&inner, packet, length));
  CHECK_EQ(inner.version, 6);
  CHECK(inner.source == packet + 8 && inner.destination == packet + 24);
}

static void lengths_must_match_exactly(void)
{
  struct mp_inner inner;
  begin_ipv4(UDP, 3, 20);
  CHECK(parses(&inner));
  const uint32_t whole = length;
  for (length = 0; length < whole + 10; length++)
    CHECK(parses(&inner) == (length == whole));
  begin_ipv6(UDP);
  append_ports(1);
  const uint32_t whole6 = length;
  for (length = 0; length < whole6 + 10; length++)
    CHECK(parses(&inner) == (length == whole6));
}

static void bare_headers_are_packets(void)
{
  struct mp_inner inner;
  begin_ipv4(TCP, 0, 0);
  CHECK(parses(&inner));
  begin_ipv4(TCP, 10, 0);
  CHECK(parses(&inner));
  begin_ipv6(NO_NEXT);
  CHECK(parses(&inner));
}

static void broken_headers_are_refused(void)
{
  struct mp_inner inner;
  for (unsigned version = 0; version < 16; version++) {
    begin_ipv4(TCP, 0, 40);
    packet[0] = (uint8_t)(version << 4 | 5);
    set_big16(packet + 4, length - 40); /* would do for IPv6 */
    CHECK(parses(&inner) == (version == 4 || version == 6));
  }
  for (unsigned words = 0; words < 16; words++) {
    begin_ipv4(TCP, 0, 20);
    packet[0] = (uint8_t)(0x40 | words);
    CHECK(parses(&inner) == (words >= 5 && words <= 10));
  }
}

static void layer3_looks_at_addresses_alone(void)
{
  begin_ipv4(TCP, 0, 20);
  const uint16_t bucket = bucket_of(MP_HASH_LAYER3, 7);
  set_big32(packet + 20, 0x12345678);
  packet[9] = UDP;
  packet[1] = packet[8] = 0xff;
  CHECK_EQ(bucket_of(MP_HASH_LAYER3, 7), bucket);
  unsigned moved = 0;
  for (uint8_t last = 0; last < 32; last++) {
    packet[19] = last;
    moved += bucket_of(MP_HASH_LAYER3, 7) != bucket;
  }
  CHECK(moved >= 30);
}

static void only_the_flow_decides(void)
{
  begin_ipv4(UDP, 0, 40);
  set_big32(packet + 20, 0x00350035);
  const uint32_t before = fingerprint();
  packet[1] = 0xfc;             /* DSCP, ECN */
  set_big16(packet + 4, 77);    /* identification */
  set_big16(packet + 6, 0x4000); /* DF is no fragment */
  packet[8] = 12;               /* TTL */
  packet[10] = 99;              /* checksum */
  memset(packet + 24, 0x55, 36);
  CHECK_EQ(fingerprint(), before);
  set_big32(packet + 20, 0x00350036);
  CHECK(fingerprint() != before);
}

static void protocols_with_ports_or_spi_are_told_apart(void)
{
  for (unsigned protocol = 0; protocol < 256; protocol++) {
    const bool has_ports = protocol == TCP || protocol == UDP || protocol == DCCP ||
                           protocol == SCTP || protocol == UDP_LITE || protocol == ESP;
    const uint32_t at = protocol == AH ? 24 : 20;
    begin_ipv4((uint8_t)protocol, 0, 24);
    const uint32_t first = fingerprint();
    set_big32(packet + at, 0xcafe0001);
    CHECK((fingerprint() != first) == (has_ports || protocol == AH));
  }
}

static void ipv4_options_are_stepped_over(void)
{
  begin_ipv4(UDP, 0, 8);
  set_big32(packet + 20, 0x11112222);
  const uint32_t plain = fingerprint();
  for (uint32_t options = 1; options <= 10; options++) {
    begin_ipv4(UDP, options, 8);
    memset(packet + 20, 0x99, 4 * options);
    set_big32(packet + 20 + 4 * options, 0x11112222);
    CHECK_EQ(fingerprint(), plain);
  }
}

static void ipv4_fragments_stay_together(void)
{
  static const uint16_t fields[] = {0x2000, 0x2001, 0x0001, 0x1fff, 0x3fff, 0x6000};
  begin_ipv4(UDP, 0, 64);
  set_big32(packet + 20, 0x11112222);
  const uint32_t whole = fingerprint();
  set_big16(packet + 6, 0x2000);
  const uint32_t fragment = fingerprint();
  CHECK(fragment != whole);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    begin_ipv4(UDP, 0, 8 * (uint32_t)i);
    memset(packet + 20, (int)i, 8 * i);
    set_big16(packet + 6, fields[i]);
    CHECK_EQ(fingerprint(), fragment);
  }
}

static void a_transport_cut_short_hashes_without_it(void)
{
  static const uint8_t protocols[] = {TCP, UDP, ESP, SCTP, AH};
  for (size_t i = 0; i < sizeof protocols; i++) {
    const uint32_t needed = protocols[i] == AH ? 8 : 4;
    begin_ipv4(protocols[i], 0, 0);
    const uint32_t bare = fingerprint();
    for (uint32_t payload = 1; payload <= needed; payload++) {
      begin_ipv4(protocols[i], 0, payload);
      memset(packet + 20, 0xab, payload);
      CHECK((fingerprint() == bare) == (payload < needed));
    }
  }
}

static void ipv6_extensions_are_walked(void)
{
  begin_ipv6(UDP);
  append_ports(0x11112222);
  const uint32_t plain = fingerprint();

  begin_ipv6(HOP_BY_HOP);
  append_extension(DESTINATION, 0);
  append_extension(ROUTING, 3);
  append_extension(DESTINATION, 2);
  append_extension(UDP, 0);
  append_ports(0x11112222);
  CHECK_EQ(fingerprint(), plain);

  begin_ipv6(FRAGMENT); /* RFC 6946: a fragment that is whole */
  append_fragment(UDP, 0);
  append_ports(0x11112222);
  CHECK_EQ(fingerprint(), plain);
}

static void ipv6_walks_eight_extensions_and_no_more(void)
{
  begin_ipv6(UDP);
  append_ports(0x11112222);
  const uint32_t plain = fingerprint();
  for (int count = 1; count <= 12; count++) {
    begin_ipv6(DESTINATION);
    for (int i = 1; i < count; i++)
      append_extension(DESTINATION, 0);
    append_extension(UDP, 0);
    append_ports(0x11112222);
    CHECK((fingerprint() == plain) == (count <= 8));
  }
}

static void ipv6_fragments_stay_together(void)
{
  begin_ipv6(DESTINATION);
  append_extension(FRAGMENT, 0);
  append_fragment(UDP, 1);
  append_ports(0x11112222);
  const uint32_t first = fingerprint();

  begin_ipv6(DESTINATION);
  append_extension(FRAGMENT, 0);
  append_fragment(UDP, 8 * 5 + 1);
  append_ports(0x33334444);
  CHECK_EQ(fingerprint(), first);

  begin_ipv6(DESTINATION);
  append_extension(FRAGMENT, 0);
  append_fragment(NO_NEXT, 8 * 9); /* RFC 8200 section 4.5: only what the first one says counts */
  CHECK_EQ(fingerprint(), first);
}

static void ipv6_cut_short_hashes_without_transport(void)
{
  begin_ipv6(HOP_BY_HOP);
  const uint32_t bare = fingerprint();
  append_ipv6("\x11\x00\x01\x04\x00\x00\x00", 7); /* an extension of seven octets */
  CHECK_EQ(fingerprint(), bare);

  begin_ipv6(UDP);
  const uint32_t bare_udp = fingerprint();
  append_ipv6("\x01\x02\x03", 3);
  CHECK_EQ(fingerprint(), bare_udp);

  begin_ipv6(HOP_BY_HOP); /* an extension that claims 2048 octets */
  append_extension(UDP, 0);
  packet[41] = 0xff;
  append_ports(0x11112222);
  const uint32_t beyond = fingerprint();
  set_big32(packet + 48, 0x55556666);
  CHECK_EQ(fingerprint(), beyond);
}

static void the_seed_decides(void)
{
  begin_ipv4(TCP, 0, 20);
  unsigned same = 0;
  for (uint64_t seed = 0; seed < 4096; seed++)
    same += bucket_of(MP_HASH_LAYER3_4, seed) == bucket_of(MP_HASH_LAYER3_4, seed + 4096);
  CHECK(same < 20); /* 4 expected */
}

/* Chi-square over the buckets, 1023 degrees of freedom: 99.99 % lie within 1023 +- 4 * 45.2. More
 * even than chance is as well: only an excess is a fault. */
static void spread(const char *name, void (*vary)(uint32_t))
{
  enum { EACH = 64, FLOWS = EACH * MP_LIMIT_BUCKETS };
  static const uint64_t seeds[] = {0, 1, 0x8000000000000000, 0xdeadbeefcafef00d, UINT64_MAX,
                                   0x0123456789abcdef, 0xffffffff, 0xffffffff00000000};
  for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
    static uint32_t counts[MP_LIMIT_BUCKETS];
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < FLOWS; i++) {
      vary(i);
      struct mp_inner inner;
      REQUIRE(mp_inner_parse(&inner, packet, length));
      const uint16_t bucket =
          mp_inner_bucket(&inner, packet, length, MP_HASH_LAYER3_4, seeds[s]);
      REQUIRE(bucket < MP_LIMIT_BUCKETS);
      counts[bucket]++;
    }
    double chi_square = 0;
    for (size_t b = 0; b < MP_LIMIT_BUCKETS; b++)
      chi_square += pow((double)counts[b] - EACH, 2) / EACH;
    if (chi_square > 1023 + 4 * 45.2) {
      CHECK(!"buckets are uneven");
      printf("#   %s, seed %#" PRIx64 ": chi-square %.0f\n", name, seeds[s], chi_square);
    }
  }
}

static void source_port(uint32_t i) { set_big16(packet + 20, i); }
static void destination_port(uint32_t i) { set_big16(packet + 22, i); }
static void both_ports(uint32_t i) { set_big32(packet + 20, (i & 0xff) << 16 | i >> 8); }
static void source_address(uint32_t i) { set_big32(packet + 12, 0x0a000000 + i); }
static void destination_network(uint32_t i) { set_big32(packet + 16, i << 16); }
static void every_eighth_port(uint32_t i) { set_big32(packet + 20, i * 8); }
static void ipv6_host(uint32_t i) { set_big32(packet + 20, i); }
static void ipv6_network(uint32_t i) { set_big32(packet + 24, 0xfd000000 + i); }
static void ipv6_port(uint32_t i) { set_big16(packet + 40, i); }

static void flows_spread_evenly(void)
{
#define SPREAD(change) spread(#change, change)
  begin_ipv4(TCP, 0, 20);
  SPREAD(source_port);
  SPREAD(destination_port);
  SPREAD(both_ports);
  SPREAD(source_address);
  SPREAD(destination_network);
  SPREAD(every_eighth_port);
  begin_ipv6(TCP);
  append_ports(0);
  SPREAD(ipv6_host);
  SPREAD(ipv6_network);
  SPREAD(ipv6_port);
}

int main(void)
{
  RUN(the_version_and_addresses_are_found);
  RUN(lengths_must_match_exactly);
  RUN(bare_headers_are_packets);
  RUN(broken_headers_are_refused);
  RUN(layer3_looks_at_addresses_alone);
  RUN(only_the_flow_decides);
  RUN(protocols_with_ports_or_spi_are_told_apart);
  RUN(ipv4_options_are_stepped_over);
  RUN(ipv4_fragments_stay_together);
  RUN(a_transport_cut_short_hashes_without_it);
  RUN(ipv6_extensions_are_walked);
  RUN(ipv6_walks_eight_extensions_and_no_more);
  RUN(ipv6_fragments_stay_together);
  RUN(ipv6_cut_short_hashes_without_transport);
  RUN(the_seed_decides);
  RUN(flows_spread_evenly);
  return test_end();
}
