/* Headers without what their flow never changes, and with it again (native/profile.c). */
#include "checksum.h"
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

/* What the other end makes of the packet, once it has the model of another of its flow. */
static void expect_same(const struct packet *packet, const struct packet *other)
{
  struct mp_profile profile, own;
  uint8_t model[MP_PROFILE_HEADER_BYTES], own_model[MP_PROFILE_HEADER_BYTES];
  uint8_t fields[MP_PROFILE_FIELDS_BYTES], header[MP_PROFILE_HEADER_BYTES];
  REQUIRE(mp_profile_read(&profile, other->bytes, other->length, other->partial));
  mp_profile_model(&profile, other->bytes, model);
  REQUIRE(mp_profile_read(&own, packet->bytes, packet->length, packet->partial));
  mp_profile_model(&own, packet->bytes, own_model);
  CHECK_EQ(own.header_bytes, profile.header_bytes);
  CHECK_BYTES(own_model, model, sizeof model);
  const uint32_t bytes = mp_profile_compress(&own, packet->bytes, packet->partial, fields);
  CHECK(bytes <= MP_PROFILE_FIELDS_BYTES && bytes < own.header_bytes);
  CHECK_EQ(bytes, mp_profile_fields(&profile, packet->partial));
  mp_profile_expand(&profile, model, fields, packet->partial, packet->length, header);
  CHECK_BYTES(header, packet->bytes, profile.header_bytes);
}

static void a_packet_comes_back_as_it_was(void)
{
  for (unsigned i = 0; i < ROUNDS && !test_state.broken; i++) {
    struct packet packet;
    draw_any(&packet);
    expect_same(&packet, &packet);
  }
}

/* Another packet of the same flow: what may vary differs, in any way. */
static void one_model_serves_the_whole_flow(void)
{
  for (unsigned i = 0; i < ROUNDS / 10 && !test_state.broken; i++) {
    struct packet first, next;
    const uint8_t version = random_below(2) ? IPV4 : IPV6, protocol = random_below(2) ? TCP : UDP;
    const bool timed = random_below(2), partial = random_below(2);
    draw(&first, version, protocol, timed, partial);
    draw(&next, version, protocol, timed, partial);
    const uint32_t ip = version == IPV4 ? 20 : 40;
    uint8_t *to = next.bytes;
    const uint8_t *from = first.bytes;
    if (version == IPV4) {
      to[1] = from[1]; /* type of service */
      memcpy(to + 6, from + 6, 3);
      memcpy(to + 12, from + 12, 8);
    } else {
      memcpy(to, from, 4);
      to[7] = from[7];
      memcpy(to + 8, from + 8, 32);
    }
    memcpy(to + ip, from + ip, 4); /* ports */
    if (protocol == TCP) {
      to[ip + 12] = from[ip + 12];
      memcpy(to + ip + 18, from + ip + 18, 2);
    }
    if (partial) {
      const uint64_t sum =
          mp_checksum_pseudo(to + (ip == 20 ? 12 : 8), ip == 20 ? 8 : 32, protocol, next.length - ip);
      mp_store16(to + ip + (protocol == TCP ? 16 : 6), mp_checksum_fold(sum));
    }
    if (version == IPV4)
      mp_checksum_ipv4(to, 20);
    expect_same(&next, &first);
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
      expect_same(&packet, &packet);
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

static void a_stream_with_timestamps_keeps_its_numbers_alone(void)
{
  struct packet packet;
  struct mp_profile profile;
  draw(&packet, IPV4, TCP, true, true);
  REQUIRE(mp_profile_read(&profile, packet.bytes, packet.length, true));
  CHECK_EQ(profile.header_bytes, 52);
  CHECK_EQ(mp_profile_fields(&profile, true), 21);
  CHECK_EQ(mp_profile_fields(&profile, false), 23);
  draw(&packet, IPV6, UDP, false, false);
  REQUIRE(mp_profile_read(&profile, packet.bytes, packet.length, false));
  CHECK_EQ(profile.header_bytes, 48);
  CHECK_EQ(mp_profile_fields(&profile, false), 2);
}

int main(void)
{
  RUN(a_packet_comes_back_as_it_was);
  RUN(one_model_serves_the_whole_flow);
  RUN(an_altered_packet_is_refused_or_comes_back);
  RUN(what_does_not_follow_from_the_rest_is_refused);
  RUN(a_stream_with_timestamps_keeps_its_numbers_alone);
  return test_end();
}
