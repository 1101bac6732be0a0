/* How fast a path may be sent to that lumps overflow. Jitter makes packets arrive, and reports come, in
 * lumps, and what those make room for leaves in lumps again: a path that holds little more than what has
 * to be on it loses them, however small the delay. It carries nearly all of its rate when that comes
 * evenly.
 *
 * Losses tell how fast. What overflows is lost at once, behind a late packet, and then nothing is for some
 * round trips; chance takes its share of each, however slowly they come.
 *
 * A leaf, O(1). Asked once a round trip. Rates in bytes a second, shares in 1/65536. */
#ifndef MP_SPILL_H
#define MP_SPILL_H

#include <stdbool.h>
#include <stdint.h>

/* A round trip. */
struct mp_spill_round {
  uint64_t sent_us, now_us; /* when the first that it tells of left, and its end */
  uint64_t sent_rate, rate; /* of what was sent, and of what came */
  uint32_t share;           /* lost */
  uint32_t usual;           /* lost by chance, as far as is known */
  bool is_heavy;            /* more is lost than chance makes of that */
};

/* All zero: nothing overflows. */
struct mp_spill {
  uint64_t rate;      /* 0: whatever the window lets go */
  uint64_t full_rate; /* what that was when too much was lost last */
  uint64_t cut_us;    /* and when it was */
  struct {            /* whether less has helped since then */
    uint8_t rounds;   /* until that is judged, 0: it has */
    bool whole;       /* as much as was lost was taken */
    uint32_t blamed, sum; /* shares lost before, and since then */
  } trial;
  bool any;       /* the two below are known */
  uint32_t share; /* lost, smoothed over a few round trips */
  uint32_t lull;  /* the least of that, of late */
};

enum mp_spill_verdict {
  MP_SPILL_GOES_ON,
  MP_SPILL_BEGINS,
  MP_SPILL_MISTAKEN /* less did not help: the path takes what share says by chance, and nothing overflows */
};

/* Of a path that overflows, or may. */
enum mp_spill_verdict mp_spill_judge(struct mp_spill *spill, const struct mp_spill_round *round,
                                     uint32_t *chance);

#endif
