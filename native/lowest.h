/* The least of what was seen within a window of time, in constant space and time: the window is cut
 * into eighths, and each keeps its least. Eight eighths are remembered and the running one, so what
 * is forgotten is between one and nine eighths of a window old. Of these only such stay as are less
 * than all later ones, so that the oldest is the least: mostly one or two.
 *
 * A leaf. Time: microseconds of any monotonic clock; the window may differ from call to call. */
#ifndef MP_LOWEST_H
#define MP_LOWEST_H

#include <stdbool.h>
#include <stdint.h>

#define MP_LOWEST_PARTS 8u

/* All zero: nothing seen. */
struct mp_lowest {
  uint8_t oldest, count;
  struct mp_lowest_part {
    uint64_t since_us, last_us;
    int64_t least;
  } part[MP_LOWEST_PARTS + 1];
};

void mp_lowest_note(struct mp_lowest *lowest, int64_t value, uint64_t window_us, uint64_t now_us);

/* INT64_MAX when nothing was seen within the window. */
int64_t mp_lowest_of(const struct mp_lowest *lowest, uint64_t window_us, uint64_t now_us);

#endif
