#include "reorder.h"

#include <stdlib.h>
#include <string.h>

#include "gap.h"
#include "hold.h"

#define SEQ_MASK 0xffffffu /* MP_HEADER_FLOW_SEQ has 24 bits */

struct bucket {
  /* What is touched by every packet. */
  uint64_t turn; /* the sequence to deliver next; its low 24 bits are those on the wire */
  struct mp_hold *hold; /* NULL: nothing waits */

  /* Valid while something waits. */
  uint64_t front;    /* the lowest sequence that does */
  struct mp_gap gap; /* in front of it */
  uint64_t due_us;   /* when the gap is passed without proof, our clock */
  struct bucket *older, *younger;

  /* Bit s mod MP_REORDER_HISTORY: sequence s, behind the turn, was delivered. */
  uint64_t history[MP_REORDER_HISTORY / 64];
};

struct mp_reorder {
  struct mp_pool *pool;
  mp_reorder_deliver *deliver;
  void *context;
  uint32_t limit;
  struct mp_reorder_stats stats;
  struct mp_hold_store store;
  uint64_t deadline_us;
  /* The buckets where something waits, by the time since when they have stood at their gap. */
  struct bucket *oldest, *youngest;
  struct bucket buckets[MP_LIMIT_BUCKETS];
};

struct mp_reorder *mp_reorder_open(struct mp_pool *pool, uint32_t limit,
                                   mp_reorder_deliver *deliver, void *context)
{
  /* Mapped by the kernel page by page: a peer with few flows costs little of its 200 KiB. */
  struct mp_reorder *reorder = calloc(1, sizeof *reorder);
  if (!reorder)
    return NULL;
  reorder->pool = pool;
  reorder->deliver = deliver;
  reorder->context = context;
  reorder->limit = limit;
  reorder->deadline_us = UINT64_MAX;
  mp_hold_open(&reorder->store, limit);
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
    mp_hold_release(&reorder->store, &bucket->hold);
  }
  mp_hold_close(&reorder->store);
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

/* `front` waits and nothing below it does. */
static void face(struct bucket *bucket, uint64_t front)
{
  const struct mp_packet *packet = mp_hold_slot(bucket->hold, front)->packet;
  bucket->front = front;
  bucket->gap = (struct mp_gap){packet->sent_us, packet->path};
}

static void advance_deadline(struct mp_reorder *reorder, uint64_t due_us)
{
  if (due_us < reorder->deadline_us)
    reorder->deadline_us = due_us;
}

static void deliver_turn(struct mp_reorder *reorder, struct bucket *bucket,
                         struct mp_packet *packet)
{
  bucket->history[bucket->turn / 64 % (MP_REORDER_HISTORY / 64)] |= 1ull << (bucket->turn % 64);
  bucket->turn++;
  reorder->deliver(reorder->context, packet);
}

/* Moves the turn without a delivery. What is passed over counts as never seen. */
static void skip_to(struct bucket *bucket, uint64_t turn)
{
  if (turn - bucket->turn >= MP_REORDER_HISTORY) {
    memset(bucket->history, 0, sizeof bucket->history);
    bucket->turn = turn;
    return;
  }
  for (; bucket->turn < turn; bucket->turn++)
    bucket->history[bucket->turn / 64 % (MP_REORDER_HISTORY / 64)] &=
      ~(1ull << (bucket->turn % 64));
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
    mp_hold_release(&reorder->store, &bucket->hold);
    if (reorder->stats.held == 0)
      reorder->deadline_us = UINT64_MAX;
    return;
  }
  append(reorder, bucket);
  face(bucket, mp_hold_first(hold, bucket->turn));
  bucket->due_us = mp_gap_due(&bucket->gap, mp_hold_slot(hold, bucket->front)->since_us, paths);
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
         !mp_hold_reach(&reorder->store, &bucket->hold, bucket->turn, sequence))
    close_in(reorder, bucket, sequence, bucket->hold ? bucket->hold->capacity : 0, paths);
}

static void insert_turn(struct mp_reorder *reorder, struct bucket *bucket,
                        struct mp_packet *packet,
                        const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  deliver_turn(reorder, bucket, packet);
  if (bucket->hold && bucket->front == bucket->turn)
    deliver_run(reorder, bucket, paths);
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
  const bool is_only = bucket->hold->count == 0;
  mp_hold_put(bucket->hold, sequence, packet, now_us);
  reorder->stats.held++;
  reorder->stats.held_total++;
  if (is_only || sequence < bucket->front) {
    face(bucket, sequence);
    const uint64_t due_us = mp_gap_due(&bucket->gap, now_us, paths);
    if (is_only)
      append(reorder, bucket);
    /* A front that came later must not keep the one before it for longer than its own time. */
    if (is_only || due_us < bucket->due_us)
      bucket->due_us = due_us;
    advance_deadline(reorder, bucket->due_us);
  }
  while (reorder->stats.held > reorder->limit) {
    reorder->stats.overflowed++;
    pass_gap(reorder, reorder->oldest, paths);
  }
  return MP_REORDER_TAKEN;
}

static enum mp_reorder_verdict insert_behind(struct mp_reorder *reorder, struct bucket *bucket,
                                             uint32_t distance, struct mp_packet *packet)
{
  if (distance > MP_REORDER_HISTORY) {
    mp_pool_give(reorder->pool, packet);
    return MP_REORDER_TOO_OLD;
  }
  const uint64_t sequence = bucket->turn - distance;
  uint64_t *word = &bucket->history[sequence / 64 % (MP_REORDER_HISTORY / 64)];
  const uint64_t bit = 1ull << (sequence % 64);
  if (*word & bit) {
    reorder->stats.duplicates++;
    mp_pool_give(reorder->pool, packet);
    return MP_REORDER_DUPLICATE;
  }
  *word |= bit;
  reorder->stats.late++;
  reorder->deliver(reorder->context, packet);
  return MP_REORDER_TAKEN;
}

enum mp_reorder_verdict mp_reorder_insert(struct mp_reorder *reorder, uint16_t bucket_id,
                                          uint32_t flow_seq, struct mp_packet *packet,
                                          const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                          uint64_t now_us)
{
  struct bucket *bucket = &reorder->buckets[bucket_id];
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

void mp_reorder_advance(struct mp_reorder *reorder,
                        const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us)
{
  if (reorder->stats.held == 0)
    return;
  const struct mp_gap_horizon horizon = mp_gap_horizon_of(paths);
  uint64_t deadline_us = UINT64_MAX;
  /* A bucket that gets past a gap moves to the end of the list and is looked at once more. */
  for (struct bucket *bucket = reorder->oldest, *following; bucket; bucket = following) {
    following = bucket->younger;
    while (bucket->hold) {
      if (mp_gap_is_lost(&bucket->gap, &horizon))
        reorder->stats.proved_lost++;
      else if (bucket->due_us <= now_us)
        reorder->stats.deadline_passed++;
      else
        break;
      pass_gap(reorder, bucket, paths);
    }
    if (bucket->hold && bucket->due_us < deadline_us)
      deadline_us = bucket->due_us;
  }
  reorder->deadline_us = deadline_us;
}

uint64_t mp_reorder_deadline(const struct mp_reorder *reorder)
{
  return reorder->deadline_us;
}

const struct mp_reorder_stats *mp_reorder_stats(const struct mp_reorder *reorder)
{
  return &reorder->stats;
}
