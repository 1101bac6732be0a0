/* Executes a plan: which path carries the next packet. The plan comes from TypeScript
 * (src/core/schedule.ts); all that is decided here is to step over a path that may not carry, and,
 * when packets come fast, to take slots that stand near each other by path: packets that leave
 * together share system calls and buffers only with those of their own path. */
#ifndef MP_SCHEDULE_H
#define MP_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"

struct mp_schedule {
  uint8_t kind;      /* MP_PLAN_KIND_* */
  uint8_t hash;      /* MP_HASH_* */
  uint16_t carrying; /* bit p: path p may carry data under this plan */
  uint16_t resting;  /* bit p: path p is for later */
  uint16_t slots;    /* of kind slots */
  uint16_t cursor;   /* next slot */
  uint16_t named;    /* bit p: path p is in the table */
  uint16_t ordered;  /* bit p: path p is in `order`: no other may carry anything */
  uint8_t order[MP_LIMIT_PATHS]; /* best first, then MP_CROSSING_NO_PATH */

  /* Of kind slots. */
  uint8_t path;      /* that the present run is of */
  uint16_t run;      /* packets that one path should carry in a row; 1: slot by slot */
  uint16_t run_now;  /* of the present one */
  uint16_t waiting;  /* bit p: drawn[p] is not 0 */
  uint16_t drawn[MP_LIMIT_PATHS]; /* slots that the cursor has passed and no packet has taken yet */
  uint16_t next_draw;             /* packets until more are drawn */
  uint32_t seen;     /* packets since since_us */
  uint64_t since_us;
  uint64_t newest_us; /* when the newest packet came: those of one time leave together */

  union {
    uint8_t slot[MP_CROSSING_PLAN_SLOTS];
    uint8_t choice[MP_LIMIT_BUCKETS][MP_CROSSING_PLAN_CHOICES];
    uint8_t arrival[MP_LIMIT_PATHS * MP_PLAN_PATH_BYTES];
  };
};

/* Reads the payload of planPublish. False, and *schedule unchanged, unless kind and hash are known,
 * the length is exact, `order` names no path twice and nothing after MP_CROSSING_NO_PATH, and every
 * other path id is below MP_LIMIT_PATHS or, in choices, MP_CROSSING_NO_PATH. The cursor starts at
 * 0. */
bool mp_schedule_load(struct mp_schedule *schedule, const uint8_t *payload, uint32_t length);

/* How long one path is kept, in time and in packets: then until the packets that came together are
 * through, at most as long again, because a run that is cut costs as much as two. The time is less
 * than links differ by anyway; below 20 000 packets a second (250 Mbit/s) no run is longer than one
 * packet. 16 packets of 1400 octets spread the price of a system call and of a buffer as well as
 * more do. */
#define MP_SCHEDULE_RUN_US 100u
#define MP_SCHEDULE_RUN_PACKETS 16u
/* The rate is that of the last whole window: a burst from a slow flow is shorter than it. */
#define MP_SCHEDULE_WINDOW_US 5000u

/* The path for a packet of `bucket`, among those whose bits in `usable` and `carrying` are set: as
 * the table has it, else the first of `order`. When none of them works, the first of `order` that
 * does: a reserve. MP_CROSSING_NO_PATH when there is none either. Kind slots moves the cursor; a slot
 * whose path is not usable is stepped over, so that the others keep their proportions; now_us, which
 * never runs back, tells it how fast packets come. Not for kind all. */
uint8_t mp_schedule_pick(struct mp_schedule *schedule, uint16_t bucket, uint16_t usable,
                         uint64_t now_us);

#endif
