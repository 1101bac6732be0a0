/* Until when a bucket waits for what is missing in front of its packets.
 *
 * Its gaps are proved lost one by one, from the lowest on: `gap` is the one before the packet
 * `doubtful`, the first that is not proved. What is proved may still be sent again, and is waited for
 * until the time that the clock of the packet's slot in the hold says then. */
#ifndef MP_PROOF_H
#define MP_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "gap.h"
#include "hold.h"
#include "pool.h"

/* Valid while something waits. The clock of a packet up to `proved` says until when to
 * wait for what is missing before it, 0: no longer; that of one above, when it came. */
struct mp_proof {
  uint64_t proved;      /* what is missing below is proved lost; held, or not above the turn */
  uint64_t doubtful;    /* the lowest that waits above `proved`, or MP_HOLD_NONE */
  struct mp_gap gap;    /* before `doubtful`, and whatever is missing below */
  bool is_witness_late; /* `doubtful` was sent again: what follows it may know better */
};

/* How long a repair of what is missing before this packet is waited for; 0: not at all. repair_us: where
 * nothing is said of its flow. */
uint64_t mp_proof_repair_us(const struct mp_packet *packet, uint64_t repair_us);

/* From now on the gap before `sequence`, which waits, is the one to be proved. `turn` is the next sequence
 * that will be delivered, here and below. */
void mp_proof_doubt(struct mp_proof *proof, struct mp_hold *hold, uint64_t turn, uint64_t sequence);

/* The gap before `doubtful` is lost: from now on its packet's clock says until when it waits, and the next
 * gap is the one to be proved. */
void mp_proof_pass(struct mp_proof *proof, struct mp_hold *hold, uint64_t turn, uint64_t repair_us,
                   const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us);

/* When the gap before `front`, the lowest that waits, is passed, judged now. */
uint64_t mp_proof_due(const struct mp_proof *proof, struct mp_hold *hold, uint64_t front,
                      uint64_t repair_us, const struct mp_reorder_path paths[MP_LIMIT_PATHS]);

#endif
