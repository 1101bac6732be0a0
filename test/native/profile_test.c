/* Headers without what their flow never changes, and with it again (native/profile.c). */
#include "checksum.h"
#include "contract.h"
#include "le.h"
#include "profile.h"
#include "random.h"
#include "test.h"

enum { MOST = 200, ROUNDS = 200000 };
enum { IPV4 = 4, IPV6 = 6, TCP = 6, UDP = 17 };

struct packet {
  uint8_t bytes[MOST];
  uint32_t length;
  bool partial;
};

static void store_big16(uint8_t *at, uint32_t v) { mp_store16(at, __builtin_bswap16((uint16_t)v)); }

static void fill(uint8_t *at, uint32_t bytes)
{
  for (uint32_t i = 0; i < bytes; i++)
    at[i] = (uint8_t)random_next();
}

/* A packet of which every octet is random that may be. */
static void draw(struct packet *packet, uint8_t version, uint8_t protocol, bool timed, bool partial)
{
  uint8_t *bytes = packet->bytes;
  const uint32_t ip_bytes = version == IPV4 ? 20 : 40;
  const uint32_t header = ip_bytes + (protocol == UDP ? 8 : timed ? 32 : 20);
  uint8_t *transport = bytes + ip_bytes;
  packet->length = header + (uint32_t)random_below(MOST - header + 1);
  packet->partial = partial;
  fill(bytes, packet->length);
  if (protocol == UDP) {
    store_big16(transport + 4, packet->length - ip_bytes);
  } else {
    transport[12] = (uint8_t)((timed ? 8 : 5) << 4 | (transport[12] & 15));
    if (timed)
      memcpy(transport + 20, (uint8_t[]){1, 1, 8, 10}, 4);
  }
  if (partial) {
    const uint64_t sum = mp_checksum_pseudo(bytes + (version == IPV4 ? 12 : 8), version == IPV4 ? 8 : 32,
                                            protocol, packet->length - ip_bytes);
    mp_store16(transport + (protocol == TCP ? 16 : 6), mp_checksum_fold(sum));
  }
  if (version == IPV6) {
    bytes[0] = 0x60 | (bytes[0] & 15);
    store_big16(bytes + 4, packet->length - ip_bytes);
    bytes[6] = protocol;
    return;
  }
  bytes[0] = 0x45;
  store_big16(bytes + 2, packet->length);
  bytes[6] &= 0xc0;
  bytes[7] = 0;
  bytes[9] = protocol;
  mp_checksum_ipv4(bytes, 20);
}

static void draw_any(struct packet *packet)
{
  draw(packet, random_below(2) ? IPV4 : IPV6, random_below(2) ? TCP : UDP, random_below(2),
       random_below(2));
}

static uint32_t transport_of(const struct packet *packet) { return packet->bytes[0] >> 4 == 4 ? 20 : 40; }

static bool is_tcp(const struct packet *packet)
{
  return packet->bytes[packet->bytes[0] >> 4 == 4 ? 9 : 6] == TCP;
}

static bool is_timed(const struct packet *packet)
{
  return is_tcp(packet) && packet->bytes[transport_of(packet) + 12] >> 4 == 8;
}

static uint16_t id_of(const struct packet *packet)
{
  return __builtin_bswap16(mp_load16(packet->bytes + 4));
}

/* Octets of TCP that a bit stands for, as PROTOCOL.md has them. */
static const struct {
  uint8_t bit, from, behind;
} same_octets[] = {
    {MP_SAME_SEQUENCE, 4, 8}, {MP_SAME_ACKNOWLEDGEMENT, 8, 12}, {MP_SAME_HIGH, 4, 5},
    {MP_SAME_HIGH, 8, 9},     {MP_SAME_FLAGS, 13, 14},          {MP_SAME_WINDOW, 14, 16},
    {MP_SAME_TIMES, 24, 26},  {MP_SAME_TIMES, 28, 30},
};
enum { SAME_OCTETS = sizeof same_octets / sizeof same_octets[0] };

/* Octet by octet, and slow. */
static uint8_t naive_same(const struct packet *packet, const struct packet *known, uint16_t later)
{
  if (!is_tcp(packet))
    return 0;
  const uint32_t at = transport_of(packet);
  uint8_t same = 0xff & ~MP_SAME_PUSH;
  if (at == 40 || (uint16_t)(id_of(packet) - id_of(known)) != later)
    same &= (uint8_t)~MP_SAME_IDENTIFICATION;
  if (!is_timed(packet))
    same &= (uint8_t)~MP_SAME_TIMES;
  if ((packet->bytes[at + 13] ^ known->bytes[at + 13]) == 8)
    same |= MP_SAME_PUSH;
  for (unsigned i = 0; i < SAME_OCTETS; i++)
    for (uint32_t j = at + same_octets[i].from; j < at + same_octets[i].behind; j++)
      if (same & same_octets[i].bit && packet->bytes[j] != known->bytes[j] &&
          !(j == at + 13 && same & MP_SAME_PUSH))
        same &= (uint8_t)~same_octets[i].bit;
  return same;
}

/* All octets that vary and that no bit stands for, in the order of the packet. */
static uint32_t naive_fields(const struct packet *packet, uint8_t same, uint8_t *fields)
{
  bool comes[MP_PROFILE_HEADER_BYTES] = {false};
  const uint32_t at = transport_of(packet);
  uint32_t count = 0;
  comes[4] = comes[5] = at == 20 && !(same & MP_SAME_IDENTIFICATION);
  comes[at + (is_tcp(packet) ? 16 : 6)] = comes[at + (is_tcp(packet) ? 17 : 7)] = !packet->partial;
  if (is_tcp(packet)) {
    memset(comes + at + 4, true, 8);
    memset(comes + at + 13, true, 3);
    memset(comes + at + 24, is_timed(packet), 8);
    for (unsigned i = 0; i < SAME_OCTETS; i++)
      if (same & same_octets[i].bit)
        memset(comes + at + same_octets[i].from, false, same_octets[i].behind - same_octets[i].from);
    fields[count++] = same;
  }
  for (uint32_t i = 0; i < sizeof comes; i++)
    if (comes[i])
      fields[count++] = packet->bytes[i];
  return count;
}

/* What the other end makes of the packet, once it knows the header of another of its flow. */
static void expect_same(const struct packet *packet, const struct packet *known, uint16_t later)
{
  struct mp_profile profile, own;
  uint8_t fields[MP_PROFILE_FIELDS_BYTES], expected[MP_PROFILE_FIELDS_BYTES];
  uint8_t header[MP_PROFILE_HEADER_BYTES], read;
  REQUIRE(mp_profile_read(&profile, known->bytes, known->length, known->partial));
  REQUIRE(mp_profile_read(&own, packet->bytes, packet->length, packet->partial));
  CHECK_EQ(own.header_bytes, profile.header_bytes);
  CHECK(mp_profile_fits(&own, packet->bytes, known->bytes));
  const uint8_t all = mp_profile_same(&own, packet->bytes, known->bytes, later);
  CHECK_EQ(all, naive_same(packet, known, later));
  uint8_t same = all & (random_below(2) ? 0xff : (uint8_t)random_next()); /* none need be left out */
  if (!(same & MP_SAME_FLAGS))
    same &= (uint8_t)~MP_SAME_PUSH;
  if (all & MP_SAME_PUSH && !(same & MP_SAME_PUSH))
    same &= (uint8_t)~MP_SAME_FLAGS;
  const uint32_t bytes = mp_profile_compress(&own, packet->bytes, packet->partial, same, fields);
  CHECK(bytes <= MP_PROFILE_FIELDS_BYTES && bytes < own.header_bytes);
  CHECK_EQ(bytes, mp_profile_fields(&profile, packet->partial, same));
  REQUIRE(bytes == naive_fields(packet, same, expected));
  CHECK_BYTES(fields, expected, bytes);
  CHECK(mp_profile_read_same(&profile, fields, bytes, &read));
  CHECK_EQ(read, same);
  mp_profile_expand(&profile, known->bytes, later, fields, packet->partial, packet->length, header);
  CHECK_BYTES(header, packet->bytes, profile.header_bytes);
}

static void a_packet_comes_back_as_it_was(void)
{
  for (unsigned i = 0; i < ROUNDS && !test_state.broken; i++) {
    struct packet packet;
    draw_any(&packet);
    expect_same(&packet, &packet, (uint16_t)random_below(2));
  }
}

static void put_checksums_right(struct packet *packet)
{
  uint8_t *to = packet->bytes;
  const uint32_t ip = transport_of(packet);
  if (packet->partial) {
    const uint64_t sum = mp_checksum_pseudo(to + (ip == 20 ? 12 : 8), ip == 20 ? 8 : 32,
                                            is_tcp(packet) ? TCP : UDP, packet->length - ip);
    mp_store16(to + ip + (is_tcp(packet) ? 16 : 6), mp_checksum_fold(sum));
  }
  if (ip == 20)
    mp_checksum_ipv4(to, 20);
}

/* Makes all of a packet that is static as in another of its kind. */
static void join_flow(struct packet *packet, const struct packet *first)
{
  uint8_t *to = packet->bytes;
  const uint8_t *from = first->bytes;
  const uint32_t ip = transport_of(first);
  if (ip == 20) {
    to[1] = from[1]; /* type of service */
    memcpy(to + 6, from + 6, 3);
    memcpy(to + 12, from + 12, 8);
  } else {
    memcpy(to, from, 4);
    to[7] = from[7];
    memcpy(to + 8, from + 8, 32);
  }
  memcpy(to + ip, from + ip, 4); /* ports */
  if (is_tcp(first)) {
    to[ip + 12] = from[ip + 12];
    memcpy(to + ip + 18, from + ip + 18, 2);
  }
}

/* And some of what varies. */
static void grow_alike(struct packet *packet, const struct packet *first, uint16_t later)
{
  const uint32_t ip = transport_of(first);
  if (ip == 20 && random_below(2))
    store_big16(packet->bytes + 4, (uint32_t)id_of(first) + later);
  for (unsigned i = 0; is_tcp(first) && i < SAME_OCTETS; i++)
    if (random_below(2) && (same_octets[i].bit != MP_SAME_TIMES || is_timed(first)))
      memcpy(packet->bytes + ip + same_octets[i].from, first->bytes + ip + same_octets[i].from,
             same_octets[i].behind - same_octets[i].from);
  if (is_tcp(first) && random_below(3) == 0)
    packet->bytes[ip + 13] = first->bytes[ip + 13] ^ (uint8_t)(1 << random_below(8));
}

/* Another packet of the same flow: what may vary differs, in any way. */
static void one_header_serves_the_whole_flow(void)
{
  unsigned seen = 0;
  for (unsigned i = 0; i < ROUNDS && !test_state.broken; i++) {
    struct packet first, next;
    const uint8_t version = random_below(2) ? IPV4 : IPV6, protocol = random_below(2) ? TCP : UDP;
    const bool timed = random_below(2);
    const uint16_t later = (uint16_t)random_next();
    draw(&first, version, protocol, timed, random_below(2));
    draw(&next, version, protocol, timed, random_below(2));
    join_flow(&next, &first);
    if (i % 2)
      grow_alike(&next, &first, later);
    put_checksums_right(&next);
    expect_same(&next, &first, later);
    seen |= naive_same(&next, &first, later);
  }
  CHECK_EQ(seen, 0xff);
}

/* Each octet of a header is static, follows from the rest, or varies: one that is static and another is of
 * another flow. */
static void another_flow_does_not_fit(void)
{
  for (unsigned i = 0; i < ROUNDS && !test_state.broken; i++) {
    struct packet first, next;
    struct mp_profile profile;
    draw_any(&first);
    REQUIRE(mp_profile_read(&profile, first.bytes, first.length, first.partial));
    next = first;
    next.partial = false;
    const uint32_t at = (uint32_t)random_below(profile.header_bytes);
    next.bytes[at] ^= (uint8_t)(1 + random_below(255));
    put_checksums_right(&next);
    if (!mp_profile_read(&profile, next.bytes, next.length, false))
      continue;
    uint8_t header[MP_PROFILE_HEADER_BYTES], fields[MP_PROFILE_FIELDS_BYTES];
    naive_fields(&next, 0, fields);
    mp_profile_expand(&profile, first.bytes, 0, fields, false, next.length, header);
    CHECK_EQ(mp_profile_fits(&profile, next.bytes, first.bytes),
             memcmp(header, next.bytes, profile.header_bytes) == 0);
  }
}

static void bits_of_what_is_not_there_are_refused(void)
{
  static const struct {
    uint8_t version, protocol;
    bool timed;
    uint8_t same;
    bool is_read;
  } cases[] = {
      {IPV4, TCP, true, 0, true},
      {IPV4, TCP, true, 0xff, true},
      {IPV4, TCP, true, MP_SAME_PUSH, false},
      {IPV4, TCP, true, 0xff & ~MP_SAME_FLAGS, false},
      {IPV4, TCP, false, 0xff & ~MP_SAME_TIMES, true},
      {IPV4, TCP, false, MP_SAME_TIMES, false},
      {IPV6, TCP, true, 0xff & ~MP_SAME_IDENTIFICATION, true},
      {IPV6, TCP, true, MP_SAME_IDENTIFICATION, false},
      {IPV4, UDP, false, 0xff, true}, /* of UDP there are none: it is another field */
  };
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct packet packet;
    struct mp_profile profile;
    uint8_t same;
    draw(&packet, cases[i].version, cases[i].protocol, cases[i].timed, false);
    REQUIRE(mp_profile_read(&profile, packet.bytes, packet.length, false));
    CHECK_EQ(mp_profile_read_same(&profile, &cases[i].same, 1, &same), cases[i].is_read);
    CHECK_EQ(same, cases[i].protocol == UDP ? 0 : cases[i].same);
    CHECK_EQ(mp_profile_read_same(&profile, &cases[i].same, 0, &same), cases[i].protocol == UDP);
  }
}

/* Whatever else a packet is, it is refused, or comes back as it was all the same. */
static void an_altered_packet_is_refused_or_comes_back(void)
{
  unsigned refused = 0;
  for (unsigned i = 0; i < ROUNDS && !test_state.broken; i++) {
    struct packet packet;
    struct mp_profile profile;
    draw_any(&packet);
    for (uint64_t changes = 1 + random_below(3); changes > 0; changes--)
      packet.bytes[random_below(packet.length < 72 ? packet.length : 72)] ^=
          (uint8_t)(1 << random_below(8));
    if (random_below(4) == 0)
      packet.length = (uint32_t)random_below(packet.length + 1);
    if (mp_profile_read(&profile, packet.bytes, packet.length, packet.partial))
      expect_same(&packet, &packet, 0);
    else
      refused++;
  }
  CHECK(refused > ROUNDS / 10 && refused < ROUNDS);
}

static void what_does_not_follow_from_the_rest_is_refused(void)
{
  static const struct {
    uint8_t version, protocol;
    uint8_t at, flip;
  } faults[] = {
      {IPV4, UDP, 0, 0x03},  /* options of IP */
      {IPV4, UDP, 3, 0x01},  /* length */
      {IPV4, UDP, 6, 0x20},  /* more fragments */
      {IPV4, UDP, 7, 0x01},  /* fragment offset */
      {IPV4, UDP, 9, 0x80},  /* protocol */
      {IPV4, UDP, 11, 0x01}, /* checksum of IP */
      {IPV4, UDP, 25, 0x01}, /* length of UDP */
      {IPV4, TCP, 32, 0x10}, /* data offset */
      {IPV4, TCP, 43, 0x01}, /* length of the timestamps */
      {IPV4, TCP, 37, 0x01}, /* partial checksum */
      {IPV6, UDP, 5, 0x01},  /* length */
      {IPV6, UDP, 6, 0x40},  /* next header */
      {IPV6, UDP, 47, 0x01}, /* partial checksum */
  };
  for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    struct packet packet;
    struct mp_profile profile;
    draw(&packet, faults[i].version, faults[i].protocol, true, true);
    CHECK(mp_profile_read(&profile, packet.bytes, packet.length, true));
    packet.bytes[faults[i].at] ^= faults[i].flip;
    if (faults[i].version == IPV4 && faults[i].at != 11)
      mp_checksum_ipv4(packet.bytes, 20);
    if (mp_profile_read(&profile, packet.bytes, packet.length, true))
      printf("# fault %u\n", i), CHECK(false);
  }
}

/* What most packets are: of a stream one way, whose numbers and times count up. */
static void a_stream_brings_what_moves(void)
{
  struct packet packet;
  struct mp_profile profile;
  const uint8_t data = 0xff & ~(MP_SAME_SEQUENCE | MP_SAME_PUSH);
  draw(&packet, IPV4, TCP, true, true);
  REQUIRE(mp_profile_read(&profile, packet.bytes, packet.length, true));
  CHECK_EQ(profile.header_bytes, 52);
  CHECK_EQ(mp_profile_fields(&profile, true, 0), 22);
  CHECK_EQ(mp_profile_fields(&profile, false, 0), 24);
  CHECK_EQ(mp_profile_fields(&profile, true, data), 8);
  CHECK_EQ(mp_profile_fields(&profile, true, 0xff), 5);
  draw(&packet, IPV6, UDP, false, false);
  REQUIRE(mp_profile_read(&profile, packet.bytes, packet.length, false));
  CHECK_EQ(profile.header_bytes, 48);
  CHECK_EQ(mp_profile_fields(&profile, false, 0), 2);
}

int main(void)
{
  RUN(a_packet_comes_back_as_it_was);
  RUN(one_header_serves_the_whole_flow);
  RUN(another_flow_does_not_fit);
  RUN(bits_of_what_is_not_there_are_refused);
  RUN(an_altered_packet_is_refused_or_comes_back);
  RUN(what_does_not_follow_from_the_rest_is_refused);
  RUN(a_stream_brings_what_moves);
  return test_end();
}
