/* Headers that compress, of hostile packets: what mp_profile_read lets in comes back as it was. The first
 * octet says whether the checksum is partial. Each input is tried as it is and once more with its lengths
 * and checksums set right, so that mutations reach what is behind those checks. */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "le.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const uint8_t *packet, uint32_t length, bool partial)
{
  struct mp_profile profile;
  uint8_t model[MP_PROFILE_HEADER_BYTES], header[MP_PROFILE_HEADER_BYTES];
  uint8_t fields[MP_PROFILE_FIELDS_BYTES];
  if (!mp_profile_read(&profile, packet, length, partial))
    return;
  REQUIRE(profile.header_bytes <= length && profile.header_bytes <= sizeof header);
  mp_profile_model(&profile, packet, model);
  const uint32_t bytes = mp_profile_compress(&profile, packet, partial, fields);
  REQUIRE(bytes == mp_profile_fields(&profile, partial) && bytes <= sizeof fields);
  mp_profile_expand(&profile, model, fields, partial, length, header);
  REQUIRE(memcmp(header, packet, profile.header_bytes) == 0);
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
  uint8_t *packet = malloc(size - 1); /* its end is where ASan expects it */
  REQUIRE(packet);
  memcpy(packet, data + 1, size - 1);
  judge(packet, (uint32_t)(size - 1), partial);
  put_right(packet, size - 1, partial);
  judge(packet, (uint32_t)(size - 1), partial);
  free(packet);
  return 0;
}
