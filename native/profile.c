#define _GNU_SOURCE /* mempcpy */
#include "profile.h"

#include <string.h>

#include "checksum.h"
#include "contract.h"
#include "le.h"

enum { TCP = 6, UDP = 17 };
enum { IPV4_BYTES = 20, IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_FRAGMENT = 6, IPV4_TTL = 8 };
enum { IPV4_PROTOCOL = 9, IPV4_CHECKSUM = 10, IPV4_ADDRESSES = 12 };
enum { IPV6_BYTES = 40, IPV6_LENGTH = 4, IPV6_PROTOCOL = 6, IPV6_ADDRESSES = 8 };
enum { UDP_BYTES = 8, UDP_LENGTH = 4, UDP_CHECKSUM = 6 };
enum { TCP_BYTES = 20, TCP_DATA_OFFSET = 12, TCP_OPTIONS = 20, TIMESTAMPS_BYTES = 12 };
enum { PORTS_BYTES = 4 };
enum { MORE_FRAGMENTS_AND_OFFSET = 0x3fff };

/* What varies in TCP. Of the numbers the first octet, and of the times the first two, change rarely. */
enum { TCP_SEQ = 4, TCP_ACK = 8, NUMBER_BYTES = 4 };
enum { TCP_FLAGS = 13, TCP_PSH = 0x08, TCP_WINDOW = 14, WINDOW_BYTES = 2, TCP_CHECKSUM = 16 };
enum { TCP_URGENT = 18, TCP_TIME = TCP_OPTIONS + 4, TCP_ECHO = TCP_OPTIONS + 8 };
enum { HIGH_TIME_BYTES = 2, LOW_TIME_BYTES = 2 };
enum { CHECKSUM_BYTES = 2, ID_BYTES = 2 };

/* NOP, NOP, kind 8, length 10. */
static const uint8_t timestamps[] = {1, 1, 8, 10};

static uint16_t load_big16(const uint8_t *at) { return __builtin_bswap16(mp_load16(at)); }
static void store_big16(uint8_t *at, uint32_t v) { mp_store16(at, __builtin_bswap16((uint16_t)v)); }

static bool has_times(const struct mp_profile *profile)
{
  return profile->is_tcp && profile->header_bytes > profile->transport + TCP_BYTES;
}

static uint32_t checksum_at(const struct mp_profile *profile)
{
  return profile->transport + (profile->is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM);
}

/* Of a header of IPv4 with the checksum itself left out. */
static uint16_t ipv4_checksum(const uint8_t *header)
{
  const uint64_t sum = (uint64_t)mp_load32(header) + mp_load32(header + IPV4_ID) +
                       mp_load16(header + IPV4_TTL) + mp_load32(header + IPV4_ADDRESSES) +
                       mp_load32(header + IPV4_ADDRESSES + 4);
  return (uint16_t)~mp_checksum_fold(sum);
}

static uint16_t partial_checksum(const struct mp_profile *profile, const uint8_t *packet,
                                 uint32_t length)
{
  const bool is_ipv4 = profile->transport == IPV4_BYTES;
  return mp_checksum_fold(mp_checksum_pseudo(packet + (is_ipv4 ? IPV4_ADDRESSES : IPV6_ADDRESSES),
                                             is_ipv4 ? 8 : 32, profile->is_tcp ? TCP : UDP,
                                             length - profile->transport));
}

/* Octets of the IP header, 0 when it is of another kind. */
static uint8_t read_ip(const uint8_t *packet, uint32_t length, uint8_t *protocol)
{
  if (length >= IPV4_BYTES && packet[0] == 0x45) {
    *protocol = packet[IPV4_PROTOCOL];
    return load_big16(packet + IPV4_LENGTH) == length &&
                   (load_big16(packet + IPV4_FRAGMENT) & MORE_FRAGMENTS_AND_OFFSET) == 0 &&
                   mp_load16(packet + IPV4_CHECKSUM) == ipv4_checksum(packet)
               ? IPV4_BYTES
               : 0;
  }
  if (length >= IPV6_BYTES && packet[0] >> 4 == 6) {
    *protocol = packet[IPV6_PROTOCOL];
    return load_big16(packet + IPV6_LENGTH) == length - IPV6_BYTES ? IPV6_BYTES : 0;
  }
  return 0;
}

/* Octets of the transport header, 0 when it is of another kind. */
static uint8_t read_transport(uint8_t protocol, const uint8_t *header, uint32_t length)
{
  if (protocol == UDP)
    return length >= UDP_BYTES && load_big16(header + UDP_LENGTH) == length ? UDP_BYTES : 0;
  if (protocol != TCP || length < TCP_BYTES)
    return 0;
  const uint32_t bytes = (header[TCP_DATA_OFFSET] >> 4) * 4u;
  if (bytes == TCP_BYTES)
    return TCP_BYTES;
  const bool is_timed = bytes == TCP_BYTES + TIMESTAMPS_BYTES && length >= bytes &&
                        memcmp(header + TCP_OPTIONS, timestamps, sizeof timestamps) == 0;
  return is_timed ? TCP_BYTES + TIMESTAMPS_BYTES : 0;
}

bool mp_profile_read(struct mp_profile *profile, const uint8_t *packet, uint32_t length, bool partial)
{
  uint8_t protocol = 0;
  const uint8_t ip_bytes = read_ip(packet, length, &protocol);
  if (ip_bytes == 0)
    return false;
  const uint8_t bytes = read_transport(protocol, packet + ip_bytes, length - ip_bytes);
  *profile = (struct mp_profile){ip_bytes, (uint8_t)(ip_bytes + bytes), protocol == TCP};
  return bytes > 0 && (!partial || mp_load16(packet + checksum_at(profile)) ==
                                       partial_checksum(profile, packet, length));
}

static bool equal(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t behind)
{
  return memcmp(a + from, b + from, behind - from) == 0;
}

/* The ports stand behind the addresses. */
bool mp_profile_fits(const struct mp_profile *profile, const uint8_t *packet, const uint8_t *known)
{
  const bool is_ip_same =
      profile->transport == IPV4_BYTES
          ? equal(packet, known, 0, IPV4_LENGTH) && equal(packet, known, IPV4_FRAGMENT, IPV4_CHECKSUM) &&
                equal(packet, known, IPV4_ADDRESSES, IPV4_BYTES + PORTS_BYTES)
          : equal(packet, known, 0, IPV6_LENGTH) &&
                equal(packet, known, IPV6_PROTOCOL, IPV6_BYTES + PORTS_BYTES);
  if (!is_ip_same || !profile->is_tcp)
    return is_ip_same;
  packet += profile->transport;
  known += profile->transport;
  return packet[TCP_DATA_OFFSET] == known[TCP_DATA_OFFSET] &&
         equal(packet, known, TCP_URGENT, TCP_OPTIONS);
}

static uint16_t id_of(const uint8_t *packet) { return load_big16(packet + IPV4_ID); }

/* Whole words of the headers, whose first octet is the lowest. */
uint8_t mp_profile_same(const struct mp_profile *profile, const uint8_t *packet, const uint8_t *known,
                        uint16_t later)
{
  if (!profile->is_tcp)
    return 0;
  const uint8_t *tcp = packet + profile->transport, *known_tcp = known + profile->transport;
  const uint64_t numbers = mp_load64(tcp + TCP_SEQ) ^ mp_load64(known_tcp + TCP_SEQ);
  const uint16_t window = mp_load16(tcp + TCP_WINDOW) ^ mp_load16(known_tcp + TCP_WINDOW);
  const uint8_t flags = tcp[TCP_FLAGS] ^ known_tcp[TCP_FLAGS];
  unsigned same = 0;
  if (profile->transport == IPV4_BYTES && id_of(packet) == (uint16_t)(id_of(known) + later))
    same |= MP_SAME_IDENTIFICATION;
  same |= (uint32_t)numbers == 0 ? MP_SAME_SEQUENCE : 0;
  same |= numbers >> 32 == 0 ? MP_SAME_ACKNOWLEDGEMENT : 0;
  same |= (numbers & 0xff000000ff) == 0 ? MP_SAME_HIGH : 0;
  same |= (flags & ~TCP_PSH) == 0 ? MP_SAME_FLAGS : 0;
  same |= flags == TCP_PSH ? MP_SAME_PUSH : 0;
  same |= window == 0 ? MP_SAME_WINDOW : 0;
  if (!has_times(profile))
    return (uint8_t)same;
  const uint64_t times = mp_load64(tcp + TCP_TIME) ^ mp_load64(known_tcp + TCP_TIME);
  same |= (times & 0xffff0000ffff) == 0 ? MP_SAME_TIMES : 0;
  return (uint8_t)same;
}

static uint32_t number_bytes(uint8_t same) { return same & MP_SAME_HIGH ? NUMBER_BYTES - 1 : NUMBER_BYTES; }

static uint32_t tcp_fields(const struct mp_profile *profile, uint8_t same)
{
  return 1u + (same & MP_SAME_SEQUENCE ? 0u : number_bytes(same)) +
         (same & MP_SAME_ACKNOWLEDGEMENT ? 0u : number_bytes(same)) + (same & MP_SAME_FLAGS ? 0u : 1u) +
         (same & MP_SAME_WINDOW ? 0u : WINDOW_BYTES) +
         (has_times(profile) ? 2u * (LOW_TIME_BYTES + (same & MP_SAME_TIMES ? 0u : HIGH_TIME_BYTES)) : 0u);
}

uint32_t mp_profile_fields(const struct mp_profile *profile, bool partial, uint8_t same)
{
  const bool has_id = profile->transport == IPV4_BYTES && !(same & MP_SAME_IDENTIFICATION);
  return (profile->is_tcp ? tcp_fields(profile, same) : 0u) + (has_id ? ID_BYTES : 0u) +
         (partial ? 0u : CHECKSUM_BYTES);
}

bool mp_profile_read_same(const struct mp_profile *profile, const uint8_t *fields, uint32_t length,
                          uint8_t *same)
{
  *same = 0;
  if (!profile->is_tcp)
    return true;
  if (length == 0)
    return false;
  *same = fields[0];
  const unsigned absent = (profile->transport == IPV4_BYTES ? 0u : MP_SAME_IDENTIFICATION) |
                          (*same & MP_SAME_FLAGS ? 0u : MP_SAME_PUSH) |
                          (has_times(profile) ? 0u : MP_SAME_TIMES);
  return (*same & absent) == 0;
}

/* One field after the other, in the order of the packet: what follows goes through them alike. */

static uint8_t *take_number(uint8_t *to, const uint8_t *number, uint8_t same)
{
  return same & MP_SAME_HIGH ? mempcpy(to, number + 1, NUMBER_BYTES - 1) : mempcpy(to, number, NUMBER_BYTES);
}

static uint8_t *take_time(uint8_t *to, const uint8_t *time, uint8_t same)
{
  return same & MP_SAME_TIMES ? mempcpy(to, time + HIGH_TIME_BYTES, LOW_TIME_BYTES)
                              : mempcpy(to, time, HIGH_TIME_BYTES + LOW_TIME_BYTES);
}

uint32_t mp_profile_compress(const struct mp_profile *profile, const uint8_t *packet, bool partial,
                             uint8_t same, uint8_t *fields)
{
  const uint8_t *transport = packet + profile->transport;
  uint8_t *at = fields;
  if (profile->is_tcp)
    *at++ = same;
  if (profile->transport == IPV4_BYTES && !(same & MP_SAME_IDENTIFICATION))
    at = mempcpy(at, packet + IPV4_ID, ID_BYTES);
  if (profile->is_tcp) {
    if (!(same & MP_SAME_SEQUENCE))
      at = take_number(at, transport + TCP_SEQ, same);
    if (!(same & MP_SAME_ACKNOWLEDGEMENT))
      at = take_number(at, transport + TCP_ACK, same);
    if (!(same & MP_SAME_FLAGS))
      *at++ = transport[TCP_FLAGS];
    if (!(same & MP_SAME_WINDOW))
      at = mempcpy(at, transport + TCP_WINDOW, WINDOW_BYTES);
  }
  if (!partial)
    at = mempcpy(at, packet + checksum_at(profile), CHECKSUM_BYTES);
  if (has_times(profile)) {
    at = take_time(at, transport + TCP_TIME, same);
    at = take_time(at, transport + TCP_ECHO, same);
  }
  return (uint32_t)(at - fields);
}

static const uint8_t *put(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
  memcpy(to, from, bytes);
  return from + bytes;
}

static const uint8_t *put_number(uint8_t *number, const uint8_t *from, uint8_t same)
{
  return same & MP_SAME_HIGH ? put(number + 1, from, NUMBER_BYTES - 1) : put(number, from, NUMBER_BYTES);
}

static const uint8_t *put_time(uint8_t *time, const uint8_t *from, uint8_t same)
{
  return same & MP_SAME_TIMES ? put(time + HIGH_TIME_BYTES, from, LOW_TIME_BYTES)
                              : put(time, from, HIGH_TIME_BYTES + LOW_TIME_BYTES);
}

void mp_profile_expand(const struct mp_profile *profile, const uint8_t *known, uint16_t later,
                       const uint8_t *fields, bool partial, uint32_t length, uint8_t *header)
{
  const uint8_t same = profile->is_tcp ? *fields++ : 0;
  uint8_t *transport = header + profile->transport;
  memcpy(header, known, profile->header_bytes);
  if (profile->transport == IPV4_BYTES) {
    if (same & MP_SAME_IDENTIFICATION)
      store_big16(header + IPV4_ID, id_of(known) + later);
    else
      fields = put(header + IPV4_ID, fields, ID_BYTES);
    store_big16(header + IPV4_LENGTH, length);
    mp_store16(header + IPV4_CHECKSUM, ipv4_checksum(header));
  } else {
    store_big16(header + IPV6_LENGTH, length - IPV6_BYTES);
  }
  if (profile->is_tcp) {
    if (!(same & MP_SAME_SEQUENCE))
      fields = put_number(transport + TCP_SEQ, fields, same);
    if (!(same & MP_SAME_ACKNOWLEDGEMENT))
      fields = put_number(transport + TCP_ACK, fields, same);
    if (!(same & MP_SAME_FLAGS))
      transport[TCP_FLAGS] = *fields++;
    else if (same & MP_SAME_PUSH)
      transport[TCP_FLAGS] ^= TCP_PSH;
    if (!(same & MP_SAME_WINDOW))
      fields = put(transport + TCP_WINDOW, fields, WINDOW_BYTES);
  } else {
    store_big16(transport + UDP_LENGTH, length - profile->transport);
  }
  if (partial)
    mp_store16(header + checksum_at(profile), partial_checksum(profile, header, length));
  else
    fields = put(header + checksum_at(profile), fields, CHECKSUM_BYTES);
  if (has_times(profile)) {
    fields = put_time(transport + TCP_TIME, fields, same);
    put_time(transport + TCP_ECHO, fields, same);
  }
}
