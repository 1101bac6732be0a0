#include "proof.h"

/* Packets looked at, behind one that was sent again, for one that was not. */
#define WITNESSES 8u

/* How long a hasty flow's gap waits for its repair: where paths are short most are repaired by then. Of
 * 20 Mbit/s with 50 ms, jitter of 20 and 15 with 60 ms, jitter of 25, of which one in 50 is lost, BBR gets
 * 86 % of what is possible when it waits 50 ms from the start, 84 with 100, 65 with 200 and 61 with 300; with
 * 25 ms 87 % (200: the median of six seeds, the others of twelve). */
#define HASTY_US 50000u

uint64_t mp_proof_repair_us(const struct mp_packet *packet, uint64_t repair_us)
{
  if (!packet->repaired)
    return 0;
  return packet->hasty && repair_us > HASTY_US ? HASTY_US : repair_us;
}

/* A packet sent again bears the time of that. What is missing before it was sent before the packet was
 * sent for the first time, and so before anything that follows it: the earliest sent of those is the
 * better witness, and any is a true one. */
static void ask_followers(struct mp_proof *proof, struct mp_hold *hold, uint64_t turn)
{
  uint64_t sequence = proof->doubtful;
  for (unsigned i = 0; i < WITNESSES; i++) {
    sequence = mp_hold_above(hold, turn, sequence);
    if (sequence == MP_HOLD_NONE)
      return;
    const struct mp_packet *follower = mp_hold_slot(hold, sequence)->packet;
    if (follower->sent_us < proof->gap.sent_us)
      proof->gap = (struct mp_gap){follower->sent_us, follower->path};
    if (!follower->resent)
      return;
  }
}

void mp_proof_doubt(struct mp_proof *proof, struct mp_hold *hold, uint64_t turn, uint64_t sequence)
{
  const struct mp_packet *packet = mp_hold_slot(hold, sequence)->packet;
  proof->doubtful = sequence;
  proof->gap = (struct mp_gap){packet->sent_us, packet->path};
  proof->is_witness_late = packet->resent;
  if (packet->resent)
    ask_followers(proof, hold, turn);
}

static void doubt_nothing(struct mp_proof *proof)
{
  proof->doubtful = MP_HOLD_NONE;
  proof->gap = (struct mp_gap){.sent_us = UINT64_MAX};
  proof->is_witness_late = false;
}

void mp_proof_pass(struct mp_proof *proof, struct mp_hold *hold, uint64_t turn, uint64_t repair_us,
                   const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us)
{
  struct mp_hold_slot *slot = mp_hold_slot(hold, proof->doubtful);
  const uint64_t wait_us = mp_proof_repair_us(slot->packet, repair_us);
  slot->clock_us =
    wait_us > 0 ? mp_gap_repair_due(&proof->gap, slot->clock_us, now_us, wait_us, paths) : 0;
  proof->proved = proof->doubtful;
  const uint64_t next = mp_hold_above(hold, turn, proof->proved);
  if (next != MP_HOLD_NONE)
    mp_proof_doubt(proof, hold, turn, next);
  else
    doubt_nothing(proof);
}

uint64_t mp_proof_due(const struct mp_proof *proof, struct mp_hold *hold, uint64_t front,
                      uint64_t repair_us, const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  const struct mp_hold_slot *slot = mp_hold_slot(hold, front);
  const uint64_t clock_us = slot->clock_us;
  if (front <= proof->proved)
    return clock_us;
  const uint64_t wait_us = mp_proof_repair_us(slot->packet, repair_us);
  if (wait_us > 0)
    return mp_gap_repair_due(&proof->gap, clock_us, 0, wait_us, paths);
  return mp_gap_due(&proof->gap, clock_us, paths);
}
