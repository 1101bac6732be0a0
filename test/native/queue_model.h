/* The ingress queue as its definition reads: arrays that are searched and shifted, nothing fast. It
 * decides all by itself but for what CoDel loses: that it takes from the real queue's count, and
 * demands that it was allowed. A twin drives both alike and says where they differ. */
#ifndef MP_QUEUE_MODEL_H
#define MP_QUEUE_MODEL_H

#include "queue_fixture.h"

enum { MODEL_BUCKETS = 6, MODEL_PACKETS = 1 << 15, MODEL_NAMES = 1 << 15, MODEL_QUANTUM = 1514 };
enum { MODEL_MTU = 1514, MODEL_SHED = 64 };

struct model_packet {
  uint32_t name, bytes;
  uint16_t index;
  bool ecn_capable;
  uint64_t since_us;
};

struct model_bucket {
  enum mp_queue_class class;
  int32_t deficit;
  uint64_t bytes;
  uint32_t count;
  struct model_packet packets[MODEL_PACKETS];
};

/* Buckets by turn. */
struct model_list {
  uint32_t count;
  uint16_t at[MODEL_BUCKETS];
};

struct twin {
  uint64_t limit_bytes;
  struct mp_queue_law laws[MP_QUEUE_CLASSES];
  struct mp_queue_stats stats; /* the model's */
  uint64_t taken;
  struct model_list new[MP_QUEUE_CLASSES], old[MP_QUEUE_CLASSES];
  struct model_bucket buckets[MODEL_BUCKETS];
  uint32_t names;
};

/* Spread over the real ones. */
FIXTURE_API uint16_t real_bucket(uint16_t at) { return (uint16_t)(at * 204 + 1); }
FIXTURE_API uint16_t model_bucket(uint16_t real) { return (uint16_t)((real - 1) / 204); }

FIXTURE_API bool list_remove(struct model_list *list, uint16_t at)
{
  for (uint32_t i = 0; i < list->count; i++) {
    if (list->at[i] != at)
      continue;
    memmove(&list->at[i], &list->at[i + 1], (list->count - i - 1) * sizeof list->at[0]);
    list->count--;
    return true;
  }
  return false;
}

FIXTURE_API void list_append(struct model_list *list, uint16_t at) { list->at[list->count++] = at; }

FIXTURE_API uint64_t model_bytes_of(const struct twin *twin, enum mp_queue_class class)
{
  uint64_t bytes = 0;
  for (int at = 0; at < MODEL_BUCKETS; at++)
    if (twin->buckets[at].class == class)
      bytes += twin->buckets[at].bytes;
  return bytes;
}

FIXTURE_API uint64_t model_bytes(const struct twin *twin)
{
  return model_bytes_of(twin, MP_QUEUE_NARROW) + model_bytes_of(twin, MP_QUEUE_WIDE);
}

FIXTURE_API void model_forget(struct twin *twin)
{
  for (int class = 0; class < MP_QUEUE_CLASSES; class++)
    if (model_bytes_of(twin, class) == 0)
      twin->new[class].count = twin->old[class].count = 0;
}

FIXTURE_API struct model_packet model_pop(struct twin *twin, struct model_bucket *bucket)
{
  const struct model_packet packet = bucket->packets[0];
  memmove(bucket->packets, bucket->packets + 1, --bucket->count * sizeof packet);
  bucket->bytes -= packet.bytes;
  model_forget(twin);
  return packet;
}

/* The first by turn of those that have most. */
FIXTURE_API void model_shed(struct twin *twin)
{
  while (model_bytes(twin) > twin->limit_bytes) {
    struct model_bucket *fattest = NULL;
    for (int class = 0; class < MP_QUEUE_CLASSES; class++) {
      for (int is_old = 0; is_old < 2; is_old++) {
        const struct model_list *list = is_old ? &twin->old[class] : &twin->new[class];
        for (uint32_t i = 0; i < list->count; i++)
          if (!fattest || twin->buckets[list->at[i]].bytes > fattest->bytes)
            fattest = &twin->buckets[list->at[i]];
      }
    }
    const uint64_t half = fattest->bytes / 2;
    uint64_t lost_bytes = 0;
    for (int lost = 0; lost == 0 || (lost < MODEL_SHED && lost_bytes < half); lost++) {
      lost_bytes += model_pop(twin, fattest).bytes;
      twin->stats.dropped_overflow++;
    }
  }
}

FIXTURE_API void model_move(struct twin *twin, uint16_t at, enum mp_queue_class class)
{
  struct model_bucket *bucket = &twin->buckets[at];
  const enum mp_queue_class before = bucket->class;
  if (before == class)
    return;
  const bool is_new = list_remove(&twin->new[before], at);
  const bool is_old = list_remove(&twin->old[before], at);
  bucket->class = class;
  if (is_new && bucket->count > 0)
    list_append(&twin->new[class], at);
  else if (is_new || is_old)
    list_append(&twin->old[class], at);
  model_forget(twin);
}

FIXTURE_API void model_put(struct twin *twin, uint16_t at, const struct mp_load *load,
                           enum mp_queue_class class, uint64_t now_us)
{
  struct model_bucket *bucket = &twin->buckets[at];
  if (bucket->count == 0)
    model_move(twin, at, class);
  for (uint32_t index = 0; index < load->segments.count; index++) {
    const uint32_t bytes = mp_segments_length(&load->segments, index);
    if (bucket->count == MODEL_PACKETS)
      abort();
    bucket->packets[bucket->count++] = (struct model_packet){
        name_of(load), bytes, (uint16_t)index, load->ecn_capable, now_us};
    bucket->bytes += bytes;
  }
  bool has_turn = false;
  for (uint32_t i = 0; i < twin->new[bucket->class].count; i++)
    has_turn |= twin->new[bucket->class].at[i] == at;
  for (uint32_t i = 0; i < twin->old[bucket->class].count; i++)
    has_turn |= twin->old[bucket->class].at[i] == at;
  if (!has_turn) {
    bucket->deficit = MODEL_QUANTUM;
    list_append(&twin->new[bucket->class], at);
  }
}

/* Whose turn it is; MODEL_BUCKETS when nothing waits. RFC 8290 section 4.2. */
FIXTURE_API uint16_t model_turn(struct twin *twin, enum mp_queue_class class)
{
  while (model_bytes_of(twin, class) > 0) {
    struct model_list *list = twin->new[class].count > 0 ? &twin->new[class] : &twin->old[class];
    const uint16_t at = list->at[0];
    struct model_bucket *bucket = &twin->buckets[at];
    if (bucket->deficit > 0 && bucket->count > 0)
      return at;
    list_remove(list, at);
    if (bucket->deficit <= 0)
      bucket->deficit += MODEL_QUANTUM;
    else if (list == &twin->old[class])
      continue;
    list_append(&twin->old[class], at);
  }
  return MODEL_BUCKETS;
}

/* What follows says what differs, or NULL. */

FIXTURE_API const char *twin_compare(const struct twin *twin)
{
  const struct mp_queue_stats *stats = mp_queue_stats(queue);
  uint64_t oldest_us = 0;
  for (uint16_t at = 0; at < MODEL_BUCKETS; at++) {
    const struct model_bucket *bucket = &twin->buckets[at];
    const uint64_t since_us = bucket->count > 0 ? bucket->packets[0].since_us : 0;
    if (mp_queue_holds(queue, real_bucket(at)) != (bucket->count > 0))
      return "holds";
    if (mp_queue_since(queue, real_bucket(at)) != since_us)
      return "since";
    if (bucket->count > 0 && mp_queue_class_of(queue, real_bucket(at)) != bucket->class)
      return "class";
    if (since_us != 0 && (oldest_us == 0 || since_us < oldest_us))
      oldest_us = since_us;
  }
  if (mp_queue_oldest_us(queue) != oldest_us)
    return "oldest";
  for (int class = 0; class < MP_QUEUE_CLASSES; class++)
    if (mp_queue_waits(queue, class) != (model_bytes_of(twin, class) > 0))
      return "waits";
  if (mp_queue_bytes(queue) != model_bytes(twin))
    return "bytes";
  if (stats->dropped_overflow != twin->stats.dropped_overflow)
    return "overflow";
  if (stats->dropped_delay != twin->stats.dropped_delay || stats->marked != twin->stats.marked)
    return "signals";
  return NULL;
}

FIXTURE_API const char *twin_put(struct twin *twin, uint16_t at, struct mp_load *load,
                                 enum mp_queue_class class, uint64_t now_us)
{
  load->flow = real_bucket(at) | MP_FLOW_REPAIRED;
  model_put(twin, at, load, class, now_us);
  mp_queue_put(queue, load, class, now_us);
  model_shed(twin);
  return twin_compare(twin);
}

FIXTURE_API const char *twin_limit(struct twin *twin, uint64_t limit_bytes)
{
  twin->limit_bytes = limit_bytes;
  mp_queue_limit(queue, limit_bytes);
  model_shed(twin);
  return twin_compare(twin);
}

FIXTURE_API void twin_tune(struct twin *twin, enum mp_queue_class class, struct mp_queue_law law)
{
  twin->laws[class] = law;
  mp_queue_tune(queue, class, law);
}

FIXTURE_API const char *twin_move(struct twin *twin, uint16_t at, enum mp_queue_class class)
{
  model_move(twin, at, class);
  mp_queue_move(queue, real_bucket(at), class);
  return twin_compare(twin);
}

/* Whether CoDel may signal by this packet, now the first of its bucket. */
FIXTURE_API bool model_may_signal(const struct twin *twin, const struct model_bucket *bucket,
                                  uint64_t now_us)
{
  return now_us - bucket->packets[0].since_us >= twin->laws[bucket->class].target_us &&
         bucket->bytes - bucket->packets[0].bytes > MODEL_MTU;
}

/* The packet's reference goes to `kept`, for the test to give back when it likes. */
FIXTURE_API const char *twin_take(struct twin *twin, enum mp_queue_class class, uint64_t now_us,
                                  struct mp_queued *kept)
{
  const uint16_t at = model_turn(twin, class);
  *kept = (struct mp_queued){0};
  if (mp_queue_take(queue, class, now_us, kept) != (at < MODEL_BUCKETS))
    return "take";
  if (at == MODEL_BUCKETS)
    return twin_compare(twin);
  if (model_bucket(bucket_of(kept)) != at)
    return "turn";
  struct model_bucket *bucket = &twin->buckets[at];
  const uint64_t dropped = mp_queue_stats(queue)->dropped_delay;
  for (; twin->stats.dropped_delay < dropped; twin->stats.dropped_delay++) {
    if (bucket->count == 0 || bucket->packets[0].ecn_capable)
      return "lost what it should have marked";
    if (!model_may_signal(twin, bucket, now_us))
      return "lost what it should not";
    model_pop(twin, bucket);
  }
  if (bucket->count == 0)
    return "handed out what is not there";
  if (kept->congested && !bucket->packets[0].ecn_capable)
    return "marked what it may not";
  if (kept->congested && !model_may_signal(twin, bucket, now_us))
    return "marked what it should not";
  const struct model_packet expected = model_pop(twin, bucket);
  bucket->deficit -= (int32_t)expected.bytes;
  twin->stats.marked += kept->congested;
  twin->taken++;
  if (name_of(kept->load) != expected.name || kept->index != expected.index)
    return "order";
  if (octets_of(kept) != expected.bytes)
    return "length";
  return twin_compare(twin);
}

#endif
