/* Little-endian octets and the unwrapping of short counters (native/le.h). */
#include "le.h"
#include "test.h"

#include <stdlib.h>

static void octets_come_lowest_first_at_any_alignment(void)
{
  static const uint8_t bytes[] = {0xff, 0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88, 0xff};
  CHECK_EQ(mp_load16(bytes + 1), 0x8201);
  CHECK_EQ(mp_load24(bytes + 1), 0x038201);
  CHECK_EQ(mp_load32(bytes + 1), 0x84038201);
  CHECK_EQ(mp_load64(bytes + 1), 0x8807860584038201);
}

static void stores_touch_their_octets_only(void)
{
  for (size_t width = 2; width <= 8; width++) {
    uint8_t bytes[10], expected[10];
    memset(bytes, 0xee, sizeof bytes);
    memset(expected, 0xee, sizeof expected);
    const uint64_t value = 0x8807860584038201;
    switch (width) {
    case 2:
      mp_store16(bytes + 1, (uint16_t)value);
      break;
    case 3:
      mp_store24(bytes + 1, (uint32_t)value); /* the highest octet is not its business */
      break;
    case 4:
      mp_store32(bytes + 1, (uint32_t)value);
      break;
    case 8:
      mp_store64(bytes + 1, value);
      break;
    default:
      continue;
    }
    for (size_t i = 0; i < width; i++)
      expected[1 + i] = (uint8_t)(value >> (8 * i));
    CHECK_BYTES(bytes, expected, sizeof bytes);
  }
}

static void unwrapping_finds_the_nearest(void)
{
  static const struct {
    uint64_t reference, low;
    unsigned bits;
    uint64_t value;
  } rows[] = {
      {0, 0, 24, 0},
      {0, 0xffffff, 24, 0xffffff}, /* nothing below zero */
      {0x1000000, 0xffffff, 24, 0xffffff},
      {0xffffff, 0, 24, 0x1000000},
      {0x2800000, 0, 24, 0x2000000}, /* half a span either way: it stays */
      {0x2800001, 0, 24, 0x3000000},
      {0x2000000, 0x800000, 24, 0x2800000},
      {0x2000000, 0x800001, 24, 0x1800001},
      {(7ull << 32) + 5, 0xfffffffe, 32, (7ull << 32) - 2},
      {(7ull << 32) - 2, 5, 32, (7ull << 32) + 5},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_EQ(mp_unwrap(rows[i].reference, rows[i].low, rows[i].bits), rows[i].value);
}

static void unwrapping_returns_what_was_cut(void)
{
  static const unsigned widths[] = {8, 16, 24, 32};
  srand(3);
  for (int i = 0; i < 400000; i++) {
    const unsigned bits = widths[i % 4];
    const uint64_t half = 1ull << (bits - 1);
    const uint64_t reference =
        half + ((((uint64_t)rand() << 31) | (uint64_t)rand()) >> (rand() % 50));
    const uint64_t distance = (((uint64_t)rand() << 31) | (uint64_t)rand()) % half;
    const uint64_t value = rand() % 2 ? reference + distance : reference - distance;
    REQUIRE(mp_unwrap(reference, value & (2 * half - 1), bits) == value);
  }
}

int main(void)
{
  RUN(octets_come_lowest_first_at_any_alignment);
  RUN(stores_touch_their_octets_only);
  RUN(unwrapping_finds_the_nearest);
  RUN(unwrapping_returns_what_was_cut);
  return test_end();
}
