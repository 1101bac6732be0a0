#include "reorder.h"

#include <stdlib.h>
#include <string.h>

#include "hold.h"
#include "missed.h"
#include "proof.h"
#include "sparse.h"
#include "unordered.h"

#define SEQ_MASK 0xffffffu /* MP_HEADER_FLOW_SEQ has 24 bits */

_Static_assert(MP_REORDER_HISTORY == MP_MISSED_SPAN, "what is behind the turn");

struct bucket {
  /* What is touched by every packet. */
  uint64_t turn; /* the sequence to deliver next; its low 24 bits are those on the wire */
  struct mp_hold *hold; /* NULL: nothing waits */

  /* Valid while something waits. */
  uint64_t front;  /* the lowest sequence that waits */
  uint64_t due_us; /* when the gap before the front is passed, our clock */
  struct mp_proof proof;
  struct bucket *older, *younger;

  struct mp_missed *missed; /* NULL: nothing was passed over */
};

struct mp_reorder {
  /* What every packet touches, up to the last bucket that was used. */
  _Alignas(64) struct mp_pool *pool;
  mp_reorder_deliver *deliver;
  void *context;
  uint64_t deadline_us;
  /* The buckets where something waits, by the time since when they have stood at their gap. */
  struct bucket *oldest, *youngest;
  struct mp_sparse buckets; /* struct bucket, of each that something of came */
  struct mp_hold_share share;
  uint32_t limit;
  uint64_t repair_us;
  struct mp_reorder_stats stats;
  _Alignas(64) struct mp_unordered unordered;
};
_Static_assert(offsetof(struct mp_reorder, buckets.last_entry) < 64, "a line for a packet in order");
_Static_assert(offsetof(struct mp_unordered, follow.count) / 64 ==
                 offsetof(struct mp_unordered, seen.last_entry) / 64, "and one for any other");

struct mp_reorder *mp_reorder_open(struct mp_pool *pool, struct mp_hold_store *holds, uint32_t limit,
                                   mp_reorder_deliver *deliver, void *context)
{
  struct mp_reorder *reorder = aligned_alloc(_Alignof(struct mp_reorder), sizeof *reorder);
  if (!reorder)
    return NULL;
  memset(reorder, 0, sizeof *reorder);
  reorder->pool = pool;
  reorder->deliver = deliver;
  reorder->context = context;
  reorder->limit = limit;
  reorder->deadline_us = UINT64_MAX;
  reorder->unordered.pool = pool;
  reorder->unordered.deliver = deliver;
  reorder->unordered.context = context;
  reorder->unordered.stats = &reorder->stats;
  mp_hold_open(&reorder->share, holds, limit);
  return reorder;
}

void mp_reorder_close(struct mp_reorder *reorder)
{
  if (!reorder)
    return;
  for (struct bucket *bucket = reorder->oldest; bucket; bucket = bucket->younger) {
    while (bucket->hold->count > 0) {
      const uint64_t front = mp_hold_first(bucket->hold, bucket->turn);
      mp_pool_give(reorder->pool, mp_hold_take(bucket->hold, front));
    }
    mp_hold_release(&reorder->share, &bucket->hold);
  }
  for (uint32_t n = 0; n < reorder->buckets.count; n++)
    free(((struct bucket *)mp_sparse_nth(&reorder->buckets, n, sizeof(struct bucket)))->missed);
  mp_sparse_close(&reorder->buckets);
  mp_unordered_close(&reorder->unordered);
  free(reorder);
}

static void append(struct mp_reorder *reorder, struct bucket *bucket)
{
  bucket->older = reorder->youngest;
  bucket->younger = NULL;
  *(bucket->older ? &bucket->older->younger : &reorder->oldest) = bucket;
  reorder->youngest = bucket;
}

static void unlink_bucket(struct mp_reorder *reorder, struct bucket *bucket)
{
  *(bucket->older ? &bucket->older->younger : &reorder->oldest) = bucket->younger;
  *(bucket->younger ? &bucket->younger->older : &reorder->youngest) = bucket->older;
}

static struct mp_hold_slot *front_slot(const struct bucket *bucket)
{
  return mp_hold_slot(bucket->hold, bucket->front);
}

/* When the gap before the front is passed, judged now. */
static uint64_t due_of(const struct mp_reorder *reorder, const struct bucket *bucket,
                       const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  return mp_proof_due(&bucket->proof, bucket->hold, bucket->front, reorder->repair_us, paths);
}

static void advance_deadline(struct mp_reorder *reorder, uint64_t due_us)
{
  if (due_us < reorder->deadline_us)
    reorder->deadline_us = due_us;
}

static void deliver_turn(struct mp_reorder *reorder, struct bucket *bucket,
                         struct mp_packet *packet)
{
  bucket->turn++;
  reorder->deliver(reorder->context, packet);
}

/* Moves the turn without a delivery. What is passed over counts as never seen, but for lack of memory. */
static void skip_to(struct bucket *bucket, uint64_t turn)
{
  if (!bucket->missed)
    bucket->missed = calloc(1, sizeof *bucket->missed);
  if (bucket->missed)
    mp_missed_pass(bucket->missed, bucket->turn, turn);
  bucket->turn = turn;
}

/* The front's turn has come: delivers it and all that follows without a gap. */
static void deliver_run(struct mp_reorder *reorder, struct bucket *bucket,
                        const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  struct mp_hold *hold = bucket->hold;
  do {
    reorder->stats.held--;
    deliver_turn(reorder, bucket, mp_hold_take(hold, bucket->turn));
  } while (hold->count > 0 && mp_hold_has(hold, bucket->turn));

  unlink_bucket(reorder, bucket);
  if (hold->count == 0) {
    mp_hold_release(&reorder->share, &bucket->hold);
    if (reorder->stats.held == 0)
      reorder->deadline_us = UINT64_MAX;
    return;
  }
  append(reorder, bucket);
  bucket->front = mp_hold_first(hold, bucket->turn);
  if (bucket->front > bucket->proof.proved)
    mp_proof_doubt(&bucket->proof, hold, bucket->turn, bucket->front);
  bucket->due_us = due_of(reorder, bucket, paths);
  advance_deadline(reorder, bucket->due_us);
}

static void pass_gap(struct mp_reorder *reorder, struct bucket *bucket,
                     const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  skip_to(bucket, bucket->front);
  deliver_run(reorder, bucket, paths);
}

/* Passes the oldest gaps until `sequence` is at most `span` after the turn. A jump over what no
 * packet waits for (the peer lost its state) is one gap, however wide. */
static void close_in(struct mp_reorder *reorder, struct bucket *bucket, uint64_t sequence,
                     uint64_t span, const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  while (sequence - bucket->turn > span) {
    reorder->stats.overflowed++;
    if (bucket->hold)
      pass_gap(reorder, bucket, paths);
    else
      skip_to(bucket, sequence - span);
  }
}

/* Afterwards it is the turn of `sequence`, or the bucket's ring reaches it. */
static void make_room(struct mp_reorder *reorder, struct bucket *bucket, uint64_t sequence,
                      const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  close_in(reorder, bucket, sequence, MP_HOLD_SPAN, paths);
  while (sequence != bucket->turn &&
         !mp_hold_reach(&reorder->share, &bucket->hold, bucket->turn, sequence))
    close_in(reorder, bucket, sequence, bucket->hold ? bucket->hold->capacity : 0, paths);
}

static inline void insert_turn(struct mp_reorder *reorder, struct bucket *bucket,
                        struct mp_packet *packet,
                        const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  reorder->stats.repaired += packet->resent;
  deliver_turn(reorder, bucket, packet);
  if (bucket->hold && bucket->front == bucket->turn)
    deliver_run(reorder, bucket, paths);
}

/* Puts the packet where it has to wait, within reach and above the turn. */
static void hold_back(struct mp_reorder *reorder, struct bucket *bucket, uint64_t sequence,
                      struct mp_packet *packet,
                      const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us)
{
  struct mp_hold *hold = bucket->hold;
  const bool is_only = hold->count == 0;
  struct mp_proof *proof = &bucket->proof;
  const bool is_proved = !is_only && sequence < proof->proved;
  /* What is missing before it was missing before the next one too, and was proved lost with that. */
  const uint64_t clock_us =
    is_proved ? mp_hold_slot(hold, mp_hold_first(hold, sequence))->clock_us : now_us;
  mp_hold_put(hold, sequence, packet, clock_us);
  reorder->stats.held++;
  reorder->stats.held_total++;
  reorder->stats.repaired += packet->resent;
  if (is_only)
    append(reorder, bucket);
  if (is_only || (!is_proved && sequence < proof->doubtful))
    mp_proof_doubt(proof, hold, bucket->turn, sequence);
  else if (proof->is_witness_late)
    mp_proof_doubt(proof, hold, bucket->turn, proof->doubtful);
  if (is_only || sequence < bucket->front) {
    bucket->front = sequence;
    const uint64_t due_us = due_of(reorder, bucket, paths);
    /* A front that came later must not keep the one before it for longer than its own time. */
    if (is_only || due_us < bucket->due_us)
      bucket->due_us = due_us;
    advance_deadline(reorder, bucket->due_us);
  }
}

/* No more than are left for others in a pool that all peers share, so that what some hold never leaves
 * one without (dynamic thresholds, Choudhury and Hahne, IEEE/ACM ToN 6:2, 1998). */
static uint32_t bound_of(const struct mp_reorder *reorder)
{
  const uint32_t left = reorder->pool->limit - reorder->pool->taken;
  return reorder->limit < left ? reorder->limit : left;
}

static enum mp_reorder_verdict insert_ahead(struct mp_reorder *reorder, struct bucket *bucket,
                                            uint64_t sequence, struct mp_packet *packet,
                                            const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                            uint64_t now_us)
{
  struct mp_hold *held = bucket->hold;
  if (held && sequence - bucket->turn <= held->capacity && mp_hold_has(held, sequence)) {
    reorder->stats.duplicates++;
    mp_pool_give(reorder->pool, packet);
    return MP_REORDER_DUPLICATE;
  }
  struct mp_packet *kept = mp_pool_keep(reorder->pool, packet);
  if (kept)
    make_room(reorder, bucket, sequence, paths);
  else
    close_in(reorder, bucket, sequence, 0, paths); /* no memory to wait in: its turn is now */
  packet = kept ? kept : packet;
  if (sequence == bucket->turn) {
    insert_turn(reorder, bucket, packet, paths);
    return MP_REORDER_TAKEN;
  }
  hold_back(reorder, bucket, sequence, packet, paths, now_us);
  while (reorder->stats.held > bound_of(reorder)) {
    reorder->stats.overflowed++;
    pass_gap(reorder, reorder->oldest, paths);
  }
  return MP_REORDER_TAKEN;
}

static enum mp_reorder_verdict insert_behind(struct mp_reorder *reorder, struct bucket *bucket,
                                             uint32_t distance, struct mp_packet *packet)
{
  if (distance > MP_REORDER_HISTORY || distance > bucket->turn) { /* nothing comes before 0 */
    mp_pool_give(reorder->pool, packet);
    return MP_REORDER_TOO_OLD;
  }
  if (!bucket->missed || !mp_missed_take(bucket->missed, bucket->turn - distance)) {
    reorder->stats.duplicates++;
    mp_pool_give(reorder->pool, packet);
    return MP_REORDER_DUPLICATE;
  }
  reorder->stats.late++;
  reorder->deliver(reorder->context, packet);
  return MP_REORDER_TAKEN;
}

enum mp_reorder_verdict mp_reorder_insert(struct mp_reorder *reorder, uint16_t bucket_id,
                                          uint32_t flow_seq, struct mp_packet *packet,
                                          const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                          uint64_t now_us)
{
  struct bucket *bucket = mp_sparse_use(&reorder->buckets, bucket_id, sizeof *bucket);
  if (!bucket) { /* no memory to know its order: its turn is now */
    reorder->deliver(reorder->context, packet);
    return MP_REORDER_TAKEN;
  }
  const uint32_t ahead = (flow_seq - (uint32_t)bucket->turn) & SEQ_MASK;
  if (ahead == 0) {
    insert_turn(reorder, bucket, packet, paths);
    return MP_REORDER_TAKEN;
  }
  /* Nothing is behind the first packet of all. */
  const bool is_fresh = bucket->turn == 0 && !bucket->hold;
  if (ahead > SEQ_MASK / 2 && !is_fresh)
    return insert_behind(reorder, bucket, SEQ_MASK + 1 - ahead, packet);
  return insert_ahead(reorder, bucket, bucket->turn + ahead, packet, paths, now_us);
}

enum mp_reorder_verdict mp_reorder_insert_unordered(struct mp_reorder *reorder, uint16_t bucket,
                                                    uint32_t flow_seq, struct mp_packet *packet,
                                                    const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                                    uint64_t now_us)
{
  return mp_unordered_insert(&reorder->unordered, bucket, flow_seq, packet, paths, now_us);
}

static void prove(struct mp_reorder *reorder, struct bucket *bucket,
                  const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us)
{
  struct mp_proof *proof = &bucket->proof;
  mp_proof_pass(proof, bucket->hold, bucket->turn, reorder->repair_us, paths, now_us);
  if (bucket->front == proof->proved)
    bucket->due_us = front_slot(bucket)->clock_us;
}

static void give_up(struct mp_reorder *reorder, struct bucket *bucket,
                    const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  if (bucket->front <= bucket->proof.proved)
    reorder->stats.proved_lost++;
  else
    reorder->stats.deadline_passed++;
  if (mp_proof_repair_us(front_slot(bucket)->packet, reorder->repair_us) > 0)
    reorder->stats.repair_expired++;
  pass_gap(reorder, bucket, paths);
}

/* Passes what is proved lost and not waited for, and what was due at `until_us`. */
static void settle(struct mp_reorder *reorder, const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                   uint64_t now_us, uint64_t until_us)
{
  const struct mp_gap_horizon horizon = mp_gap_horizon_of(paths);
  uint64_t deadline_us = UINT64_MAX;
  /* A bucket that gets past a gap moves to the end of the list and is looked at once more. */
  for (struct bucket *bucket = reorder->oldest, *following; bucket; bucket = following) {
    following = bucket->younger;
    while (bucket->hold) {
      if (mp_gap_is_lost(&bucket->proof.gap, &horizon))
        prove(reorder, bucket, paths, now_us);
      else if (bucket->due_us <= until_us)
        give_up(reorder, bucket, paths);
      else
        break;
    }
    if (bucket->hold && bucket->due_us < deadline_us)
      deadline_us = bucket->due_us;
  }
  reorder->deadline_us = deadline_us;
  mp_unordered_settle(&reorder->unordered, paths, until_us);
}

static bool is_waiting(const struct mp_reorder *reorder)
{
  return reorder->oldest || reorder->unordered.follow.count > 0;
}

void mp_reorder_prove(struct mp_reorder *reorder,
                      const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us)
{
  if (is_waiting(reorder))
    settle(reorder, paths, now_us, 0);
}

void mp_reorder_advance(struct mp_reorder *reorder,
                        const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us)
{
  if (is_waiting(reorder))
    settle(reorder, paths, now_us, now_us);
}

void mp_reorder_repair(struct mp_reorder *reorder, uint64_t repair_us)
{
  reorder->repair_us = repair_us;
}

uint64_t mp_reorder_deadline(const struct mp_reorder *reorder)
{
  const uint64_t due_us = mp_follow_due(&reorder->unordered.follow);
  return due_us < reorder->deadline_us ? due_us : reorder->deadline_us;
}

const struct mp_reorder_stats *mp_reorder_stats(const struct mp_reorder *reorder)
{
  return &reorder->stats;
}
