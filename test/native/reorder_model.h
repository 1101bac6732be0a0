/* Reorder as its definition reads: sorted by searching, one packet after the other, nothing fast.
 * A twin drives the real one and the model alike and says where they differ. */
#ifndef MP_REORDER_MODEL_H
#define MP_REORDER_MODEL_H

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
  MODEL_LOG = MODEL_BUCKETS * MODEL_SPAN + 1, /* most deliveries of one call */
  MODEL_SEEN = 2 * MP_REORDER_HISTORY,
};

#define MODEL_ORIGIN (1ll << 40) /* sequence 0: its low 24 bits are zero, and nothing is negative */

struct model_packet {
  int64_t sequence;
  uint32_t name;
  uint8_t path;
  uint64_t sent_us;
  uint64_t since_us;
};

struct model_bucket {
  bool any; /* a packet came before */
  int64_t turn;
  uint64_t due_us;
  uint64_t stood; /* order in which buckets came to stand at their present gap */
  uint32_t held;
  struct model_packet packets[MODEL_SPAN]; /* unordered */
  uint32_t seen_count;
  int64_t seen[MODEL_SEEN]; /* delivered; unordered */
};

struct twin {
  struct mp_pool pool;
  struct mp_reorder *real;
  uint32_t limit;
  uint32_t names;
  uint64_t stands;
  struct mp_reorder_stats stats; /* the model's */
  struct model_bucket buckets[MODEL_BUCKETS];
  /* Names delivered by the present call. */
  uint32_t real_count, model_count;
  uint32_t real_log[MODEL_LOG], model_log[MODEL_LOG];
};

MODEL_API void twin_note(void *context, struct mp_packet *packet)
{
  struct twin *twin = context;
  if (twin->real_count < MODEL_LOG)
    twin->real_log[twin->real_count] = packet->length;
  twin->real_count++;
  mp_pool_give(&twin->pool, packet);
}

MODEL_API struct twin *twin_open(uint32_t limit)
{
  struct twin *twin = calloc(1, sizeof *twin);
  if (!twin)
    abort();
  mp_pool_open(&twin->pool, MODEL_LOG + 1);
  twin->limit = limit;
  twin->real = mp_reorder_open(&twin->pool, limit, twin_note, twin);
  if (!twin->real)
    abort();
  for (int i = 0; i < MODEL_BUCKETS; i++)
    twin->buckets[i].turn = MODEL_ORIGIN;
  return twin;
}

/* Whether every packet was given back. */
MODEL_API bool twin_close(struct twin *twin)
{
  mp_reorder_close(twin->real);
  const bool is_clean = twin->pool.taken == 0;
  mp_pool_close(&twin->pool);
  free(twin);
  return is_clean;
}

MODEL_API struct model_packet *model_front(struct model_bucket *bucket)
{
  struct model_packet *front = NULL;
  for (uint32_t i = 0; i < bucket->held; i++)
    if (!front || bucket->packets[i].sequence < front->sequence)
      front = &bucket->packets[i];
  return front;
}

MODEL_API struct model_packet *model_find(struct model_bucket *bucket, int64_t sequence)
{
  for (uint32_t i = 0; i < bucket->held; i++)
    if (bucket->packets[i].sequence == sequence)
      return &bucket->packets[i];
  return NULL;
}

MODEL_API bool model_is_seen(const struct model_bucket *bucket, int64_t sequence)
{
  for (uint32_t i = 0; i < bucket->seen_count; i++)
    if (bucket->seen[i] == sequence)
      return true;
  return false;
}

MODEL_API void model_deliver(struct twin *twin, struct model_bucket *bucket, int64_t sequence,
                             uint32_t name)
{
  if (bucket->seen_count == MODEL_SEEN) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < MODEL_SEEN; i++)
      if (bucket->seen[i] >= bucket->turn - MP_REORDER_HISTORY)
        bucket->seen[kept++] = bucket->seen[i];
    bucket->seen_count = kept;
  }
  bucket->seen[bucket->seen_count++] = sequence;
  twin->model_log[twin->model_count++] = name;
}

MODEL_API bool model_is_cleared(const struct mp_reorder_path *paths, uint8_t id,
                                const struct model_packet *front)
{
  const struct mp_reorder_path *path = &paths[id];
  if (!path->live)
    return true;
  if (id == front->path && path->intra_us == 0)
    return true;
  if (path->newest_sent_us > front->sent_us + path->intra_us)
    return true;
  return !path->carrying && path->newest_sent_us >= path->changed_us + path->intra_us;
}

MODEL_API bool model_is_lost(const struct mp_reorder_path *paths, const struct model_packet *front)
{
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
    if (!model_is_cleared(paths, id, front))
      return false;
  return true;
}

MODEL_API uint64_t model_due(const struct mp_reorder_path *paths, const struct model_packet *front)
{
  bool any = false;
  int64_t high_us = 0;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    if (!paths[id].live || (!paths[id].carrying && model_is_cleared(paths, id, front)))
      continue;
    if (!any || paths[id].owd_high_us > high_us)
      high_us = paths[id].owd_high_us;
    any = true;
  }
  if (!any)
    return front->since_us;
  int64_t skew_us = high_us - paths[front->path].owd_high_us;
  if (skew_us < 0)
    skew_us = 0;
  const uint64_t expected_us = (uint64_t)((int64_t)front->sent_us + high_us + MODEL_SLACK_US);
  const uint64_t cap_us = front->since_us + (uint64_t)skew_us + MODEL_CAP_US;
  return expected_us < cap_us ? expected_us : cap_us;
}

/* Passes the gap in front of what is held, and delivers what follows it without another. */
MODEL_API void model_pass(struct twin *twin, struct model_bucket *bucket,
                          const struct mp_reorder_path *paths)
{
  bucket->turn = model_front(bucket)->sequence;
  for (struct model_packet *next; (next = model_find(bucket, bucket->turn)) != NULL;) {
    const uint32_t name = next->name;
    *next = bucket->packets[--bucket->held];
    twin->stats.held--;
    model_deliver(twin, bucket, bucket->turn++, name);
  }
  if (bucket->held == 0)
    return;
  bucket->due_us = model_due(paths, model_front(bucket));
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
      (distance < 0 && model_is_seen(bucket, packet.sequence))) {
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
  if (packet.sequence == bucket->turn) {
    bucket->turn++;
    model_deliver(twin, bucket, packet.sequence, packet.name);
    if (model_find(bucket, bucket->turn))
      model_pass(twin, bucket, paths);
    return MP_REORDER_TAKEN;
  }
  const struct model_packet *front = model_front(bucket);
  const bool is_front = !front || packet.sequence < front->sequence;
  if (!front) {
    bucket->due_us = UINT64_MAX;
    bucket->stood = twin->stands++;
  }
  bucket->packets[bucket->held++] = packet;
  twin->stats.held++;
  twin->stats.held_total++;
  if (is_front) {
    const uint64_t due_us = model_due(paths, &packet);
    if (due_us < bucket->due_us)
      bucket->due_us = due_us;
  }
  while (twin->stats.held > twin->limit) {
    twin->stats.overflowed++;
    model_pass(twin, model_oldest(twin, 0), paths);
  }
  return MP_REORDER_TAKEN;
}

MODEL_API void model_advance(struct twin *twin, const struct mp_reorder_path *paths,
                             uint64_t now_us)
{
  const uint64_t until = twin->stands;
  uint64_t from = 0;
  for (struct model_bucket *bucket; (bucket = model_oldest(twin, from)) && bucket->stood < until;) {
    from = bucket->stood + 1;
    while (bucket->held > 0) {
      if (model_is_lost(paths, model_front(bucket)))
        twin->stats.proved_lost++;
      else if (bucket->due_us <= now_us)
        twin->stats.deadline_passed++;
      else
        break;
      model_pass(twin, bucket, paths);
    }
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
  if (memcmp(twin->real_log, twin->model_log, twin->real_count * sizeof twin->real_log[0]) != 0)
    return "order of deliveries";
  if (real->held != model->held || real->held_total != model->held_total)
    return "held";
  if (real->proved_lost != model->proved_lost)
    return "proved_lost";
  if (real->deadline_passed != model->deadline_passed)
    return "deadline_passed";
  if (real->overflowed != model->overflowed)
    return "overflowed";
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

MODEL_API const char *twin_insert(struct twin *twin, uint16_t bucket, uint32_t flow_seq,
                                  uint8_t path, uint64_t sent_us,
                                  const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                  uint64_t now_us)
{
  struct mp_packet *packet = mp_pool_take(&twin->pool);
  if (!packet)
    return "pool is empty";
  packet->length = twin->names;
  packet->path = path;
  packet->sent_us = sent_us;
  const struct model_packet copy = {
    .name = twin->names++, .path = path, .sent_us = sent_us, .since_us = now_us};
  twin->real_count = twin->model_count = 0;
  const enum mp_reorder_verdict verdict =
    mp_reorder_insert(twin->real, bucket, flow_seq, packet, paths, now_us);
  if (model_insert(twin, &twin->buckets[bucket], flow_seq, copy, paths) != verdict)
    return "verdict";
  return twin_difference(twin);
}

MODEL_API const char *twin_advance(struct twin *twin,
                                   const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                   uint64_t now_us)
{
  twin->real_count = twin->model_count = 0;
  mp_reorder_advance(twin->real, paths, now_us);
  model_advance(twin, paths, now_us);
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
