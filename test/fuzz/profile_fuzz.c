/* Headers that compress, of hostile packets: what mp_profile_read lets in comes back as it was, whatever of
 * it is as in the known header. The first octet says whether the checksum is partial, and by its other bits
 * in which octets the known header differs. Then what comes is hostile: the packet's own octets in the place
 * of the fields. Each input is tried as it is and once more with its lengths and checksums set right, so that
 * mutations reach what is behind those checks. */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "le.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Another header of the flow: of TCP's octets 4 to 15, and the times, those differ that `spice` says. */
static void alter(const struct mp_profile *profile, uint8_t *known, uint8_t spice)
{
  if (!profile->is_tcp)
    return;
  static const uint8_t places[] = {4, 7, 8, 11, 13, 15, 28};
  uint8_t *tcp = known + profile->transport;
  for (unsigned i = 0; i < sizeof places; i++)
    if (spice >> i & 1 && profile->transport + places[i] < profile->header_bytes)
      tcp[places[i]] ^= places[i] == 13 && spice & 1 ? 8 : 0x30;
}

/* What comes need not be what any packet gives. */
static void expand_hostile(const struct mp_profile *profile, const uint8_t *known, const uint8_t *octets,
                           uint32_t length, bool partial)
{
  uint8_t header[MP_PROFILE_HEADER_BYTES], same;
  if (!mp_profile_read_same(profile, octets, length, &same))
    return;
  const uint32_t bytes = mp_profile_fields(profile, partial, same);
  REQUIRE(bytes <= MP_PROFILE_FIELDS_BYTES && bytes < profile->header_bytes);
  if (bytes > length)
    return;
  uint8_t *fields = malloc(bytes + 1); /* as long as they say, and no longer */
  REQUIRE(fields);
  memcpy(fields, octets, bytes);
  mp_profile_expand(profile, known, octets[0], fields, partial, profile->header_bytes + length - bytes,
                    header);
  REQUIRE(mp_profile_fits(profile, header, known));
  free(fields);
}

static void judge(const uint8_t *packet, uint32_t length, bool partial, uint8_t spice)
{
  struct mp_profile profile;
  uint8_t known[MP_PROFILE_HEADER_BYTES], header[MP_PROFILE_HEADER_BYTES];
  uint8_t fields[MP_PROFILE_FIELDS_BYTES], read;
  if (!mp_profile_read(&profile, packet, length, partial))
    return;
  REQUIRE(profile.header_bytes <= length && profile.header_bytes <= sizeof header);
  memcpy(known, packet, profile.header_bytes);
  alter(&profile, known, spice);
  REQUIRE(mp_profile_fits(&profile, packet, known));
  const uint16_t later = spice % 2;
  const uint8_t same = mp_profile_same(&profile, packet, known, later);
  const uint32_t bytes = mp_profile_compress(&profile, packet, partial, same, fields);
  REQUIRE(bytes == mp_profile_fields(&profile, partial, same) && bytes <= sizeof fields);
  REQUIRE(mp_profile_read_same(&profile, fields, bytes, &read) && read == same);
  mp_profile_expand(&profile, known, later, fields, partial, length, header);
  REQUIRE(memcmp(header, packet, profile.header_bytes) == 0);
  expand_hostile(&profile, known, packet, length, partial);
}

static void store_big16(uint8_t *at, size_t v) { mp_store16(at, __builtin_bswap16((uint16_t)v)); }

static void put_right(uint8_t *packet, size_t length, bool partial)
{
  const bool is_ipv4 = packet[0] >> 4 == 4;
  const size_t ip = is_ipv4 ? 20 : 40;
  const uint8_t protocol = packet[is_ipv4 ? 9 : 6];
  if (length < ip + 20)
    return;
  if (protocol == 17)
    store_big16(packet + ip + 4, length - ip);
  if (partial)
    mp_store16(packet + ip + (protocol == 6 ? 16 : 6),
               mp_checksum_fold(mp_checksum_pseudo(packet + (is_ipv4 ? 12 : 8), is_ipv4 ? 8 : 32, protocol,
                                                   (uint32_t)(length - ip))));
  store_big16(packet + (is_ipv4 ? 2 : 4), is_ipv4 ? length : length - ip);
  if (is_ipv4)
    mp_checksum_ipv4(packet, 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 21)
    return 0;
  const bool partial = data[0] & 1;
  const uint8_t spice = data[0] >> 1;
  uint8_t *packet = malloc(size - 1); /* its end is where ASan expects it */
  REQUIRE(packet);
  memcpy(packet, data + 1, size - 1);
  judge(packet, (uint32_t)(size - 1), partial, spice);
  put_right(packet, size - 1, partial);
  judge(packet, (uint32_t)(size - 1), partial, spice);
  free(packet);
  return 0;
}
