/* Reorder as its definition reads: sorted by searching, one packet after the other, nothing fast.
 * A twin drives the real one and the model alike and says where they differ. */
#ifndef MP_REORDER_MODEL_H
#define MP_REORDER_MODEL_H

#include "hold.h"
#include "once.h"
#include "reorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_API __attribute__((unused)) static

enum {
  MODEL_BUCKETS = 4,
  MODEL_SPAN = 16384,
  MODEL_SLACK_US = 2000,
  MODEL_CAP_US = 150000,
  MODEL_WITNESSES = 8,
};

#define MODEL_ORIGIN (1ll << 40) /* sequence 0: its low 24 bits are zero, and nothing is negative */

struct model_packet {
  int64_t sequence;
  uint32_t name;
  uint8_t path;
  uint64_t sent_us;
  uint64_t since_us;
  bool repaired, resent, hasty;
  bool proved;       /* what is missing before it is lost */
  uint64_t until_us; /* of a proved one: when to stop waiting */
};

/* Sequences in no order. */
struct model_set {
  uint32_t count, room;
  int64_t *members;
};

struct model_bucket {
  bool any; /* a packet came before */
  int64_t turn;
  uint64_t due_us;
  uint64_t stood; /* order in which buckets came to stand at their present gap */
  uint32_t held, room;
  struct model_packet *packets; /* in no order */
  struct model_set delivered;
  int64_t unordered_greatest;   /* negative: none yet */
  struct model_set unordered;
};

struct twin {
  struct mp_pool pool;
  struct mp_hold_store holds;
  struct mp_reorder *real;
  uint32_t limit;
  uint64_t repair_us;
  uint32_t names;
  uint64_t stands;
  struct mp_reorder_stats stats; /* the model's */
  struct model_bucket buckets[MODEL_BUCKETS];
  /* Names delivered by the present call. */
  uint32_t real_count, model_count, real_room, model_room;
  uint32_t *real_log, *model_log;
};

/* Room for one more of `size` octets. */
MODEL_API void *model_grow(void *members, uint32_t count, uint32_t *room, size_t size)
{
  if (count < *room)
    return members;
  *room = *room ? 2 * *room : 16;
  void *grown = realloc(members, *room * size);
  if (!grown)
    abort();
  return grown;
}

/* Writes a name down at the end of a log. */
MODEL_API void model_log(uint32_t **log, uint32_t *count, uint32_t *room, uint32_t name)
{
  *log = model_grow(*log, *count, room, sizeof **log);
  (*log)[(*count)++] = name;
}

MODEL_API void twin_note(void *context, struct mp_packet *packet)
{
  struct twin *twin = context;
  model_log(&twin->real_log, &twin->real_count, &twin->real_room, packet->length);
  mp_pool_give(&twin->pool, packet);
}

MODEL_API void model_add(struct model_set *set, int64_t member)
{
  set->members = model_grow(set->members, set->count, &set->room, sizeof member);
  set->members[set->count++] = member;
}

MODEL_API bool model_has(const struct model_set *set, int64_t member)
{
  for (uint32_t i = 0; i < set->count; i++)
    if (set->members[i] == member)
      return true;
  return false;
}

MODEL_API struct twin *twin_open(uint32_t limit, uint64_t repair_us)
{
  struct twin *twin = calloc(1, sizeof *twin);
  if (!twin)
    abort();
  mp_pool_open(&twin->pool, MODEL_BUCKETS * MODEL_SPAN + 1);
  twin->limit = limit;
  twin->repair_us = repair_us;
  twin->real = mp_reorder_open(&twin->pool, &twin->holds, limit, twin_note, twin);
  if (!twin->real)
    abort();
  mp_reorder_repair(twin->real, repair_us);
  for (int i = 0; i < MODEL_BUCKETS; i++) {
    twin->buckets[i].turn = MODEL_ORIGIN;
    twin->buckets[i].unordered_greatest = -1;
  }
  return twin;
}

/* Whether every packet was given back. */
MODEL_API bool twin_close(struct twin *twin)
{
  mp_reorder_close(twin->real);
  const bool is_clean = twin->pool.taken == 0;
  mp_hold_close(&twin->holds);
  mp_pool_close(&twin->pool);
  for (int i = 0; i < MODEL_BUCKETS; i++) {
    free(twin->buckets[i].packets);
    free(twin->buckets[i].delivered.members);
    free(twin->buckets[i].unordered.members);
  }
  free(twin->real_log);
  free(twin->model_log);
  free(twin);
  return is_clean;
}

/* The lowest that waits above `sequence`. */
MODEL_API struct model_packet *model_above(struct model_bucket *bucket, int64_t sequence)
{
  struct model_packet *lowest = NULL;
  for (uint32_t i = 0; i < bucket->held; i++)
    if (bucket->packets[i].sequence > sequence &&
        (!lowest || bucket->packets[i].sequence < lowest->sequence))
      lowest = &bucket->packets[i];
  return lowest;
}

MODEL_API struct model_packet *model_front(struct model_bucket *bucket)
{
  return model_above(bucket, bucket->turn);
}

/* The lowest that waits for something not yet proved lost. */
MODEL_API struct model_packet *model_doubtful(struct model_bucket *bucket)
{
  struct model_packet *lowest = model_front(bucket);
  while (lowest && lowest->proved)
    lowest = model_above(bucket, lowest->sequence);
  return lowest;
}

/* Of a packet and what follows it, up to the first that was not sent again: the earliest sent. */
MODEL_API struct model_packet model_witness(struct model_bucket *bucket,
                                            const struct model_packet *packet)
{
  const struct model_packet *witness = packet;
  for (int i = 0; i < MODEL_WITNESSES && packet && packet->resent; i++) {
    packet = model_above(bucket, packet->sequence);
    if (packet && packet->sent_us < witness->sent_us)
      witness = packet;
  }
  return *witness;
}

MODEL_API struct model_packet *model_find(struct model_bucket *bucket, int64_t sequence)
{
  for (uint32_t i = 0; i < bucket->held; i++)
    if (bucket->packets[i].sequence == sequence)
      return &bucket->packets[i];
  return NULL;
}

MODEL_API void model_deliver(struct twin *twin, struct model_bucket *bucket, int64_t sequence,
                             uint32_t name)
{
  model_add(&bucket->delivered, sequence);
  model_log(&twin->model_log, &twin->model_count, &twin->model_room, name);
}

/* What came on the path shows that nothing sent before the packet can still come on it. */
MODEL_API bool model_is_shown(const struct mp_reorder_path *paths, uint8_t id,
                              const struct model_packet *packet)
{
  const struct mp_reorder_path *path = &paths[id];
  if (id == packet->path && path->intra_us == 0)
    return true;
  if (path->newest_sent_us > packet->sent_us + path->intra_us)
    return true;
  return !path->carrying && path->newest_sent_us >= path->changed_us + path->intra_us;
}

MODEL_API bool model_is_lost(const struct mp_reorder_path *paths,
                             const struct model_packet *packet)
{
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
    if (paths[id].live && !model_is_shown(paths, id, packet))
      return false;
  return true;
}

MODEL_API bool model_may_bring(const struct mp_reorder_path *paths, uint8_t id,
                               const struct model_packet *packet)
{
  return paths[id].live && (paths[id].carrying || !model_is_shown(paths, id, packet));
}

/* Our clock, `high_us` after the packet was sent. */
MODEL_API uint64_t model_time(const struct mp_reorder_path *paths,
                              const struct model_packet *packet, uint64_t since_us,
                              int64_t high_us)
{
  int64_t skew_us = high_us - paths[packet->path].owd_high_us;
  if (skew_us < 0)
    skew_us = 0;
  const uint64_t expected_us = (uint64_t)((int64_t)packet->sent_us + high_us + MODEL_SLACK_US);
  const uint64_t cap_us = since_us + (uint64_t)skew_us + MODEL_CAP_US;
  return expected_us < cap_us ? expected_us : cap_us;
}

/* How long what is missing before the packet is waited for once it is proved lost. */
MODEL_API uint64_t repair_of_model(const struct twin *twin, const struct model_packet *packet)
{
  const uint64_t most_us = packet->hasty ? 50000 : UINT64_MAX;
  if (!packet->repaired)
    return 0;
  return twin->repair_us < most_us ? twin->repair_us : most_us;
}

/* Of a gap whose loss is not repaired. */
MODEL_API uint64_t model_due(const struct mp_reorder_path *paths,
                             const struct model_packet *packet, uint64_t since_us)
{
  bool any = false;
  int64_t high_us = 0;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    if (!model_may_bring(paths, id, packet))
      continue;
    if (!any || paths[id].owd_high_us > high_us)
      high_us = paths[id].owd_high_us;
    any = true;
  }
  return any ? model_time(paths, packet, since_us, high_us) : since_us;
}

/* When the sender misses, at the latest, what was on a path that is silent or about to be; and, of a gap
 * that is not proved, when what was on the others should have come. */
MODEL_API uint64_t model_missed(const struct mp_reorder_path *paths,
                                const struct model_packet *packet, uint64_t since_us,
                                bool is_proved)
{
  bool any = false;
  int64_t high_us = 0;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    const struct mp_reorder_path *path = &paths[id];
    const bool is_shown = model_is_shown(paths, id, packet);
    if ((is_shown && is_proved) || (!path->live && path->newest_sent_us == 0))
      continue;
    int64_t after_us = path->owd_high_us + (is_shown ? 0 : path->pto_us);
    if (!path->carrying && path->changed_us < packet->sent_us)
      after_us -= (int64_t)(packet->sent_us - path->changed_us);
    if (!any || after_us > high_us)
      high_us = after_us;
    any = true;
  }
  return any ? model_time(paths, packet, since_us, high_us) : since_us;
}

/* When the gap before the front is passed, judged now. */
MODEL_API uint64_t model_front_due(struct twin *twin, struct model_bucket *bucket,
                                   const struct mp_reorder_path *paths)
{
  const struct model_packet *front = model_front(bucket);
  if (front->proved)
    return front->until_us;
  const struct model_packet witness = model_witness(bucket, front);
  if (repair_of_model(twin, front) == 0)
    return model_due(paths, &witness, front->since_us);
  const uint64_t missed_us = model_missed(paths, &witness, front->since_us, false);
  return (missed_us > front->since_us ? missed_us : front->since_us) + repair_of_model(twin, front);
}

/* Passes the gap in front of what is held, and delivers what follows it without another. */
MODEL_API void model_pass(struct twin *twin, struct model_bucket *bucket,
                          const struct mp_reorder_path *paths)
{
  if (!model_find(bucket, bucket->turn))
    bucket->turn = model_front(bucket)->sequence;
  for (struct model_packet *next; (next = model_find(bucket, bucket->turn)) != NULL;) {
    const uint32_t name = next->name;
    *next = bucket->packets[--bucket->held];
    twin->stats.held--;
    model_deliver(twin, bucket, bucket->turn++, name);
  }
  if (bucket->held == 0)
    return;
  bucket->due_us = model_front_due(twin, bucket, paths);
  bucket->stood = twin->stands++;
}

/* The bucket that holds something and came to stand first, not before `from`. */
MODEL_API struct model_bucket *model_oldest(struct twin *twin, uint64_t from)
{
  struct model_bucket *oldest = NULL;
  for (int i = 0; i < MODEL_BUCKETS; i++) {
    struct model_bucket *bucket = &twin->buckets[i];
    if (bucket->held > 0 && bucket->stood >= from && (!oldest || bucket->stood < oldest->stood))
      oldest = bucket;
  }
  return oldest;
}

MODEL_API enum mp_reorder_verdict model_insert(struct twin *twin, struct model_bucket *bucket,
                                               uint32_t flow_seq, struct model_packet packet,
                                               const struct mp_reorder_path *paths)
{
  int64_t distance = (int64_t)(flow_seq & 0xffffff) - (bucket->turn & 0xffffff);
  if (distance < (bucket->any ? -(1 << 23) : 0))
    distance += 1 << 24;
  else if (bucket->any && distance >= 1 << 23)
    distance -= 1 << 24;
  bucket->any = true;
  packet.sequence = bucket->turn + distance;

  if (distance < -(int64_t)MP_REORDER_HISTORY || packet.sequence < MODEL_ORIGIN)
    return MP_REORDER_TOO_OLD;
  if (model_find(bucket, packet.sequence) ||
      (distance < 0 && model_has(&bucket->delivered, packet.sequence))) {
    twin->stats.duplicates++;
    return MP_REORDER_DUPLICATE;
  }
  if (distance < 0) {
    twin->stats.late++;
    model_deliver(twin, bucket, packet.sequence, packet.name);
    return MP_REORDER_TAKEN;
  }
  while (packet.sequence - bucket->turn > MODEL_SPAN) {
    twin->stats.overflowed++;
    if (bucket->held > 0)
      model_pass(twin, bucket, paths);
    else
      bucket->turn = packet.sequence - MODEL_SPAN;
  }
  twin->stats.repaired += packet.resent;
  if (packet.sequence == bucket->turn) {
    bucket->turn++;
    model_deliver(twin, bucket, packet.sequence, packet.name);
    if (model_find(bucket, bucket->turn))
      model_pass(twin, bucket, paths);
    return MP_REORDER_TAKEN;
  }
  const struct model_packet *front = model_front(bucket);
  const struct model_packet *above = model_above(bucket, packet.sequence);
  const bool is_front = !front || packet.sequence < front->sequence;
  if (!front) {
    bucket->due_us = UINT64_MAX;
    bucket->stood = twin->stands++;
  }
  packet.proved = above && above->proved;
  packet.until_us = above ? above->until_us : 0;
  bucket->packets =
    model_grow(bucket->packets, bucket->held, &bucket->room, sizeof bucket->packets[0]);
  bucket->packets[bucket->held++] = packet;
  twin->stats.held++;
  twin->stats.held_total++;
  if (is_front) {
    const uint64_t due_us = model_front_due(twin, bucket, paths);
    if (due_us < bucket->due_us)
      bucket->due_us = due_us;
  }
  while (twin->stats.held > twin->limit) {
    twin->stats.overflowed++;
    model_pass(twin, model_oldest(twin, 0), paths);
  }
  return MP_REORDER_TAKEN;
}

/* One gap that is now proved, or passed; false when there is none. */
MODEL_API bool model_settle_one(struct twin *twin, struct model_bucket *bucket,
                                const struct mp_reorder_path *paths, uint64_t now_us,
                                uint64_t due_by_us)
{
  struct model_packet *front = model_front(bucket), *doubtful = model_doubtful(bucket);
  if (doubtful) {
    const struct model_packet witness = model_witness(bucket, doubtful);
    if (model_is_lost(paths, &witness)) {
      doubtful->proved = true;
      doubtful->until_us = 0;
      if (repair_of_model(twin, doubtful) > 0) {
        const uint64_t missed_us = model_missed(paths, &witness, doubtful->since_us, true);
        doubtful->until_us = (missed_us > now_us ? missed_us : now_us) + repair_of_model(twin, doubtful);
      }
      if (doubtful == front)
        bucket->due_us = front->until_us;
      return true;
    }
  }
  if (bucket->due_us > due_by_us)
    return false;
  if (front->proved)
    twin->stats.proved_lost++;
  else
    twin->stats.deadline_passed++;
  if (repair_of_model(twin, front) > 0)
    twin->stats.repair_expired++;
  model_pass(twin, bucket, paths);
  return true;
}

MODEL_API void model_settle(struct twin *twin, const struct mp_reorder_path *paths,
                            uint64_t now_us, uint64_t due_by_us)
{
  const uint64_t until = twin->stands;
  uint64_t from = 0;
  for (struct model_bucket *bucket; (bucket = model_oldest(twin, from)) && bucket->stood < until;) {
    from = bucket->stood + 1;
    while (bucket->held > 0 && model_settle_one(twin, bucket, paths, now_us, due_by_us))
      continue;
  }
}

MODEL_API uint64_t model_deadline(const struct twin *twin)
{
  uint64_t deadline_us = UINT64_MAX;
  for (int i = 0; i < MODEL_BUCKETS; i++)
    if (twin->buckets[i].held > 0 && twin->buckets[i].due_us < deadline_us)
      deadline_us = twin->buckets[i].due_us;
  return deadline_us;
}

/* What differs between the two after a call, or NULL. */
MODEL_API const char *twin_difference(const struct twin *twin)
{
  const struct mp_reorder_stats *real = mp_reorder_stats(twin->real), *model = &twin->stats;
  if (twin->real_count != twin->model_count)
    return "number of deliveries";
  if (twin->real_count > 0 &&
      memcmp(twin->real_log, twin->model_log, twin->real_count * sizeof twin->real_log[0]) != 0)
    return "order of deliveries";
  if (real->held != model->held || real->held_total != model->held_total)
    return "held";
  if (real->proved_lost != model->proved_lost)
    return "proved_lost";
  if (real->deadline_passed != model->deadline_passed)
    return "deadline_passed";
  if (real->overflowed != model->overflowed)
    return "overflowed";
  if (real->repair_expired != model->repair_expired || real->repaired != model->repaired)
    return "repairs";
  if (real->late != model->late || real->duplicates != model->duplicates)
    return "late or duplicates";
  if (real->held != twin->pool.taken)
    return "packets out of the pool";
  if (real->held > twin->limit)
    return "limit";
  if (mp_reorder_deadline(twin->real) > model_deadline(twin))
    return "deadline too late";
  if (real->held == 0 && mp_reorder_deadline(twin->real) != UINT64_MAX)
    return "deadline of nothing";
  return NULL;
}

/* How a packet of the twin is sent. */
struct twin_packet {
  uint16_t bucket;
  uint32_t flow_seq;
  uint8_t path;
  uint64_t sent_us;
  bool repaired, resent, hasty;
};

MODEL_API struct mp_packet *twin_take(struct twin *twin, const struct twin_packet *sent)
{
  struct mp_packet *packet = mp_pool_take(&twin->pool);
  if (!packet)
    abort();
  packet->length = twin->names++;
  packet->path = sent->path;
  packet->sent_us = sent->sent_us;
  packet->repaired = sent->repaired;
  packet->resent = sent->resent;
  packet->hasty = sent->hasty;
  twin->real_count = twin->model_count = 0;
  return packet;
}

MODEL_API const char *twin_insert(struct twin *twin, struct twin_packet sent,
                                  const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                  uint64_t now_us)
{
  struct mp_packet *packet = twin_take(twin, &sent);
  const struct model_packet copy = {.name = packet->length,
                                    .path = sent.path,
                                    .sent_us = sent.sent_us,
                                    .since_us = now_us,
                                    .repaired = sent.repaired,
                                    .resent = sent.resent,
                                    .hasty = sent.hasty};
  const enum mp_reorder_verdict verdict =
    mp_reorder_insert(twin->real, sent.bucket, sent.flow_seq, packet, paths, now_us);
  if (model_insert(twin, &twin->buckets[sent.bucket], sent.flow_seq, copy, paths) != verdict)
    return "verdict";
  return twin_difference(twin);
}

MODEL_API enum mp_reorder_verdict model_insert_unordered(struct twin *twin,
                                                         struct model_bucket *bucket,
                                                         uint32_t flow_seq, uint32_t name)
{
  const int64_t greatest = bucket->unordered_greatest < 0 ? 0 : bucket->unordered_greatest;
  int64_t sequence = (greatest & ~0xffffffll) + flow_seq;
  if (sequence - greatest > 1 << 23 && sequence >= 1 << 24)
    sequence -= 1 << 24;
  else if (greatest - sequence > 1 << 23)
    sequence += 1 << 24;
  if (sequence < bucket->unordered_greatest - (int64_t)(MP_ONCE_BITS - 64))
    return MP_REORDER_TOO_OLD;
  if (model_has(&bucket->unordered, sequence)) {
    twin->stats.duplicates++;
    return MP_REORDER_DUPLICATE;
  }
  model_add(&bucket->unordered, sequence);
  if (sequence > bucket->unordered_greatest)
    bucket->unordered_greatest = sequence;
  model_log(&twin->model_log, &twin->model_count, &twin->model_room, name);
  return MP_REORDER_TAKEN;
}

MODEL_API const char *twin_insert_unordered(struct twin *twin, uint16_t bucket, uint32_t flow_seq)
{
  static const struct mp_reorder_path paths[MP_LIMIT_PATHS];
  struct mp_packet *packet = twin_take(twin, &(struct twin_packet){0});
  const uint32_t name = packet->length;
  const enum mp_reorder_verdict verdict =
    mp_reorder_insert_unordered(twin->real, bucket, flow_seq, packet, paths, 0);
  if (model_insert_unordered(twin, &twin->buckets[bucket], flow_seq, name) != verdict)
    return "verdict of an unordered one";
  return twin_difference(twin);
}

MODEL_API const char *twin_prove(struct twin *twin,
                                 const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                 uint64_t now_us)
{
  twin->real_count = twin->model_count = 0;
  mp_reorder_prove(twin->real, paths, now_us);
  model_settle(twin, paths, now_us, 0);
  if (mp_reorder_deadline(twin->real) != model_deadline(twin))
    return "deadline after a proof";
  return twin_difference(twin);
}

MODEL_API const char *twin_advance(struct twin *twin,
                                   const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                   uint64_t now_us)
{
  twin->real_count = twin->model_count = 0;
  mp_reorder_advance(twin->real, paths, now_us);
  model_settle(twin, paths, now_us, now_us);
  if (mp_reorder_deadline(twin->real) != model_deadline(twin))
    return "deadline";
  return twin_difference(twin);
}

/* The sequence on the wire that is `distance` from the turn of the bucket. */
MODEL_API uint32_t twin_sequence(const struct twin *twin, uint16_t bucket, int64_t distance)
{
  return (uint32_t)(twin->buckets[bucket].turn + distance) & 0xffffff;
}

#endif
