/* Little-endian loads and stores on unaligned octets: the only way wire fields are touched. */
#ifndef MP_LE_H
#define MP_LE_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the host must be little-endian");

static inline uint16_t mp_load16(const uint8_t *p)
{
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint32_t mp_load24(const uint8_t *p)
{
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static inline uint32_t mp_load32(const uint8_t *p)
{
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint64_t mp_load64(const uint8_t *p)
{
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void mp_store16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void mp_store32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void mp_store64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof v); }

static inline void mp_store24(uint8_t *p, uint32_t v)
{
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
  p[2] = (uint8_t)(v >> 16);
}

/* The value nearest to `reference` whose low `bits` bits are `low` (bits < 64). Never below zero. */
static inline uint64_t mp_unwrap(uint64_t reference, uint64_t low, unsigned bits)
{
  const uint64_t span = 1ull << bits;
  const uint64_t half = span >> 1;
  uint64_t value = (reference & ~(span - 1)) | low;
  if (value > reference && value - reference > half && value >= span)
    value -= span;
  else if (reference > value && reference - value > half)
    value += span;
  return value;
}

#endif
