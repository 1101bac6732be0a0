/* A trial of the window: is the delay that keeps it small a queue of ours?
 *
 *   raised    the rate is measured, half more put under way, the rate measured again. If it followed,
 *             nothing of ours was waiting: the delay has another cause.
 *   drained   half of it for a round trip: the least delay then seen holds none of our queue.
 *
 * Both judge by what does not depend on the delay that is in question. A queue that is somebody
 * else's is told from none by neither, and need not be: the window then takes its share of the link.
 *
 * A leaf, O(1). */
#ifndef MP_TRIAL_H
#define MP_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

enum mp_trial_kind { MP_TRIAL_NONE, MP_TRIAL_RAISED, MP_TRIAL_DRAINED };

enum mp_trial_verdict {
  MP_TRIAL_GOES_ON,
  MP_TRIAL_RAISE,     /* goes on: put half more under way */
  MP_TRIAL_SUCCEEDED, /* raised: the rate followed; drained: least_us is known */
  MP_TRIAL_FAILED,
};

enum mp_trial_step { MP_TRIAL_BEFORE, MP_TRIAL_SETTLING, MP_TRIAL_SHOWING };

/* What the window sees of its path at a report. */
struct mp_trial_sight {
  uint64_t now_us;
  uint64_t arrived_us, received_bytes; /* the receiver's */
  bool delay_any;
  int64_t delay_us;
  uint32_t queue_us, slack_us; /* what stands; what may come on top before it is too much */
  uint32_t noise_us; /* by which one delay differs from the next, the mean */
  bool is_saturated; /* the window is what limits */
  bool is_wanted;    /* something waits for it */
  uint32_t srtt_us;
  uint64_t round_us; /* until a change shows in reports */
  uint64_t best;     /* greatest rate of late, bytes a second; UINT64_MAX: none is good enough */
};

/* All zero: none runs, none has. */
struct mp_trial {
  enum mp_trial_kind kind;
  enum mp_trial_step step;
  uint64_t ends_us;  /* the step */
  uint64_t next_us;  /* none should begin before: 200 ms, doubled by each failure up to 8 s, of those
                      * that told nothing up to 1.6 s */
  uint32_t pause_us;
  uint32_t queue_us; /* raised: what stood at the beginning */
  int64_t least_us;  /* drained: least delay seen */
  uint64_t rate, mark_arrived_us, mark_received_bytes;
};

void mp_trial_raise(struct mp_trial *trial, const struct mp_trial_sight *sight);

/* The caller puts half as much under way. */
void mp_trial_drain(struct mp_trial *trial, const struct mp_trial_sight *sight);

/* The rate has yet to become what the path delivers: none begins before. */
void mp_trial_put_off(struct mp_trial *trial, uint64_t now_us);

/* Of one that has failed: half more was put under way, and the rate did not follow. */
static inline bool mp_trial_was_in_vain(const struct mp_trial *trial)
{
  return trial->step == MP_TRIAL_SHOWING;
}

/* At each report. After a verdict none runs. Precondition: one runs. */
enum mp_trial_verdict mp_trial_run(struct mp_trial *trial, const struct mp_trial_sight *sight);

/* It has become meaningless. */
void mp_trial_give_up(struct mp_trial *trial, uint64_t now_us);

/* Whether a rate falls short of the best by so much that there is something to find out. */
static inline bool mp_trial_is_short(uint64_t rate, uint64_t best) { return rate < best / 10 * 9; }

#endif
