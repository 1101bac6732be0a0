/* What a bucket's turn passed over and what of that came after all: the sequences behind the turn for
 * which a late packet is told from a copy. Everything else behind the turn was delivered, so that
 * nothing is written down while nothing is passed over. */
#ifndef MP_MISSED_H
#define MP_MISSED_H

#include <stdbool.h>
#include <stdint.h>

#define MP_MISSED_SPAN 16384u /* sequences behind the turn; as far as MP_HOLD_SPAN is ahead of it */

/* All zero: nothing was passed over. */
struct mp_missed {
  uint64_t end; /* nothing from here on was passed over */
  /* Bit s mod MP_MISSED_SPAN, for the MP_MISSED_SPAN sequences below `end`: s has not come. */
  uint64_t words[MP_MISSED_SPAN / 64];
};

/* The turn goes from `from`, which has not come, to `to`, and nothing from there on was passed over
 * before: missed->end <= from < to. At most MP_MISSED_SPAN / 64 steps. */
void mp_missed_pass(struct mp_missed *missed, uint64_t from, uint64_t to);

/* Whether `sequence`, at most MP_MISSED_SPAN behind the turn, is missing; from now on it is not. */
bool mp_missed_take(struct mp_missed *missed, uint64_t sequence);

#endif
