#define _GNU_SOURCE /* mempcpy */
#include "profile.h"

#include <string.h>

#include "checksum.h"
#include "le.h"

enum { TCP = 6, UDP = 17 };
enum { IPV4_BYTES = 20, IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_FRAGMENT = 6, IPV4_PROTOCOL = 9 };
enum { IPV4_CHECKSUM = 10, IPV4_ADDRESSES = 12 };
enum { IPV6_BYTES = 40, IPV6_LENGTH = 4, IPV6_PROTOCOL = 6, IPV6_ADDRESSES = 8 };
enum { UDP_BYTES = 8, UDP_LENGTH = 4, UDP_CHECKSUM = 6 };
enum { TCP_BYTES = 20, TCP_DATA_OFFSET = 12, TCP_OPTIONS = 20, TIMESTAMPS_BYTES = 12 };
enum { MORE_FRAGMENTS_AND_OFFSET = 0x3fff };

/* What varies in TCP: the numbers; flags and window; the times, where there are any. */
enum { TCP_NUMBERS = 4, NUMBERS_BYTES = 8 };
enum { TCP_FLAGS = 13, FLAGS_BYTES = 3, TCP_CHECKSUM = 16 };
enum { TCP_TIMES = TCP_OPTIONS + 4, TIMES_BYTES = 8 };
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
  const uint64_t sum = mp_checksum_add(0, header, IPV4_CHECKSUM);
  return (uint16_t)~mp_checksum_fold(
      mp_checksum_add(sum, header + IPV4_ADDRESSES, IPV4_BYTES - IPV4_ADDRESSES));
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

void mp_profile_model(const struct mp_profile *profile, const uint8_t *packet, uint8_t *model)
{
  memset(model, 0, MP_PROFILE_HEADER_BYTES);
  memcpy(model, packet, profile->header_bytes);
  uint8_t *transport = model + profile->transport;
  if (profile->transport == IPV4_BYTES) {
    mp_store32(model + IPV4_LENGTH, 0); /* and identification */
    mp_store16(model + IPV4_CHECKSUM, 0);
  } else {
    mp_store16(model + IPV6_LENGTH, 0);
  }
  mp_store16(model + checksum_at(profile), 0);
  if (!profile->is_tcp) {
    mp_store16(transport + UDP_LENGTH, 0);
    return;
  }
  memset(transport + TCP_NUMBERS, 0, NUMBERS_BYTES);
  memset(transport + TCP_FLAGS, 0, FLAGS_BYTES);
  if (has_times(profile))
    memset(transport + TCP_TIMES, 0, TIMES_BYTES);
}

uint32_t mp_profile_fields(const struct mp_profile *profile, bool partial)
{
  return (profile->transport == IPV4_BYTES ? ID_BYTES : 0u) +
         (profile->is_tcp ? NUMBERS_BYTES + FLAGS_BYTES : 0u) + (partial ? 0u : CHECKSUM_BYTES) +
         (has_times(profile) ? TIMES_BYTES : 0u);
}

/* One field after the other, in the order of the packet: these two go through them alike. */

uint32_t mp_profile_compress(const struct mp_profile *profile, const uint8_t *packet, bool partial,
                             uint8_t *fields)
{
  const uint8_t *transport = packet + profile->transport;
  uint8_t *at = fields;
  if (profile->transport == IPV4_BYTES)
    at = mempcpy(at, packet + IPV4_ID, ID_BYTES);
  if (profile->is_tcp) {
    at = mempcpy(at, transport + TCP_NUMBERS, NUMBERS_BYTES);
    at = mempcpy(at, transport + TCP_FLAGS, FLAGS_BYTES);
  }
  if (!partial)
    at = mempcpy(at, packet + checksum_at(profile), CHECKSUM_BYTES);
  if (has_times(profile))
    at = mempcpy(at, transport + TCP_TIMES, TIMES_BYTES);
  return (uint32_t)(at - fields);
}

void mp_profile_expand(const struct mp_profile *profile, const uint8_t *model, const uint8_t *fields,
                       bool partial, uint32_t length, uint8_t *header)
{
  const bool is_ipv4 = profile->transport == IPV4_BYTES;
  uint8_t *transport = header + profile->transport;
  memcpy(header, model, profile->header_bytes);
  if (is_ipv4) {
    memcpy(header + IPV4_ID, fields, ID_BYTES);
    fields += ID_BYTES;
    store_big16(header + IPV4_LENGTH, length);
    mp_store16(header + IPV4_CHECKSUM, ipv4_checksum(header));
  } else {
    store_big16(header + IPV6_LENGTH, length - IPV6_BYTES);
  }
  if (profile->is_tcp) {
    memcpy(transport + TCP_NUMBERS, fields, NUMBERS_BYTES);
    memcpy(transport + TCP_FLAGS, fields + NUMBERS_BYTES, FLAGS_BYTES);
    fields += NUMBERS_BYTES + FLAGS_BYTES;
  } else {
    store_big16(transport + UDP_LENGTH, length - profile->transport);
  }
  if (partial) {
    mp_store16(header + checksum_at(profile), partial_checksum(profile, header, length));
  } else {
    memcpy(header + checksum_at(profile), fields, CHECKSUM_BYTES);
    fields += CHECKSUM_BYTES;
  }
  if (has_times(profile))
    memcpy(transport + TCP_TIMES, fields, TIMES_BYTES);
}
