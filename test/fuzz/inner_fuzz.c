/* mp_inner_parse and mp_inner_bucket on hostile packets. Each input is tried as it is and once more
 * with its length field set right, so that mutations reach what is behind that check. */
#include "inner.h"

#include <stdlib.h>
#include <string.h>

#include "contract.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void judge(const uint8_t *packet, uint32_t length)
{
  struct mp_inner inner;
  if (!mp_inner_parse(&inner, packet, length))
    return;
  const size_t address_bytes = inner.version == 4 ? 4 : 16;
  REQUIRE(inner.version == 4 || inner.version == 6);
  REQUIRE(inner.source >= packet && inner.source + address_bytes == inner.destination);
  REQUIRE(inner.destination + address_bytes <= packet + length);
  for (uint64_t seed = 0; seed < 2; seed++) {
    REQUIRE(mp_inner_bucket(&inner, packet, length, MP_HASH_LAYER3, seed) < MP_LIMIT_BUCKETS);
    REQUIRE(mp_inner_bucket(&inner, packet, length, MP_HASH_LAYER3_4, seed) < MP_LIMIT_BUCKETS);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  judge(data, (uint32_t)size);
  if (size < 20)
    return 0;
  uint8_t *copy = malloc(size);
  REQUIRE(copy);
  memcpy(copy, data, size);
  const size_t field = copy[0] >> 4 == 6 ? 4 : 2;
  const size_t value = copy[0] >> 4 == 6 ? size - 40 : size;
  copy[field] = (uint8_t)(value >> 8);
  copy[field + 1] = (uint8_t)value;
  judge(copy, (uint32_t)size);
  free(copy);
  return 0;
}
