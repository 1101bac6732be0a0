/* A set of numbers as the intervals that it consists of: what a receiver has beyond what it has in
 * order. Additions near the end are cheap, as arrivals are. */
#ifndef MP_SIM_INTERVALS_H
#define MP_SIM_INTERVALS_H

#include <stdbool.h>
#include <stdint.h>

struct mp_interval {
  uint64_t begin, end; /* [begin, end) */
};

/* Ascending, neither overlapping nor touching. All zero: empty. */
struct mp_intervals {
  struct mp_interval *list;
  uint32_t count, room;
};

enum mp_intervals_verdict { MP_INTERVALS_NEW, MP_INTERVALS_KNOWN, MP_INTERVALS_NO_MEMORY };

enum mp_intervals_verdict mp_intervals_add(struct mp_intervals *set, uint64_t number);

/* The interval that holds the number, or NULL. */
const struct mp_interval *mp_intervals_find(const struct mp_intervals *set, uint64_t number);

/* Removes the first interval when it begins at *from, and moves *from to its end. */
void mp_intervals_advance(struct mp_intervals *set, uint64_t *from);

/* Forgets the lowest intervals until `count` are left. */
void mp_intervals_trim(struct mp_intervals *set, uint32_t count);

void mp_intervals_close(struct mp_intervals *set);

#endif
