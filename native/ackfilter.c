#include "ackfilter.h"

#include <string.h>

/* HyStart looks from a window of 16 segments on (tcp_cubic.c, hystart_low_window). */
#define LEAST_OCTETS 16000u
/* Four in a round trip that has become longer by half are still less than eight. */
#define ROUND_SHARE 4u
#define ROUND_LEAST_SHARE 6u
/* What comes as one burst. */
#define BURST_US 2000u
/* Slow start doubles; jitter makes less of that at times. */
#define GROWS(octets, before) ((octets) / 2 >= (before) / 4 * 3)
#define MOST_STRIKES 2u
/* An answer shows after this part of a round trip. */
#define JUDGED_SHARE 8u
/* After a pause a flow begins anew. */
#define PAUSE_US 1000000u

static bool is_after(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

/* The stream of that key, or the one that was seen longest ago, of which nothing waits. NULL: none. */
static struct mp_ackfilter_stream *find(struct mp_ackfilter *filter,
                                        const struct mp_ack *ack, uint64_t now_us)
{
  struct mp_ackfilter_stream *eldest = NULL;
  for (unsigned i = 0; i < MP_ACKFILTER_STREAMS; i++) {
    struct mp_ackfilter_stream *stream = &filter->streams[i];
    if (memcmp(stream->key, ack->key, sizeof ack->key) == 0) {
      if (now_us - stream->seen_us < PAUSE_US || stream->held)
        return stream;
      eldest = stream;
      break;
    }
    if (!stream->held && (!eldest || stream->seen_us < eldest->seen_us))
      eldest = stream;
  }
  if (!eldest)
    return NULL;
  *eldest = (struct mp_ackfilter_stream){
      .ack = ack->number, .round = {.since_us = now_us, .ack = ack->number}};
  memcpy(eldest->key, ack->key, sizeof ack->key);
  return eldest;
}

static void note_round(struct mp_ackfilter_stream *stream, uint32_t rtt_us, uint64_t now_us)
{
  if (now_us - stream->round.since_us < rtt_us)
    return;
  const uint32_t octets = stream->ack - stream->round.ack;
  stream->strikes = GROWS(octets, stream->round.octets_before) ? 0 : (uint8_t)(stream->strikes + 1);
  stream->is_over = stream->strikes >= MOST_STRIKES;
  stream->round.since_us = now_us;
  stream->round.ack = stream->ack;
  stream->round.octets_before = octets;
}

static bool is_large(const struct mp_ackfilter_stream *stream)
{
  return stream->ack - stream->round.ack + stream->round.octets_before >= LEAST_OCTETS;
}

static struct mp_packet *take_held(struct mp_ackfilter *filter, struct mp_ackfilter_stream *stream)
{
  struct mp_packet *held = stream->held;
  stream->held = NULL;
  filter->held--;
  return held;
}

/* Whether what was passed last was answered at once, or is still being answered. */
static void note_answer(struct mp_ackfilter_stream *stream, const struct mp_ackfilter_sight *sight)
{
  const uint64_t passed_for_us = sight->now_us - stream->passed_us;
  if (stream->judged_us == stream->passed_us || passed_for_us < sight->rtt_us / JUDGED_SHARE)
    return;
  stream->judged_us = stream->passed_us;
  stream->paced = sight->now_us - sight->sent_us < passed_for_us / 2 ? stream->paced + 1 : 0;
  stream->is_over |= stream->paced >= MOST_STRIKES;
}

bool mp_ackfilter_take(struct mp_ackfilter *filter, struct mp_pool *pool, struct mp_packet *packet,
                       const struct mp_ack *ack, const struct mp_ackfilter_sight *sight)
{
  const uint64_t now_us = sight->now_us;
  struct mp_ackfilter_stream *stream = find(filter, ack, now_us);
  if (!stream)
    return false;
  stream->seen_us = now_us;
  if (stream->is_over || is_after(stream->ack, ack->number))
    return false;
  const bool is_news = !ack->is_plain || ack->number == stream->ack;
  stream->ack = ack->number;
  note_round(stream, sight->rtt_us, now_us);
  if (is_large(stream))
    note_answer(stream, sight);
  if (stream->held) {
    mp_pool_give(pool, take_held(filter, stream));
    filter->thinned++;
  }
  const uint64_t due_us = stream->passed_us + sight->rtt_us / ROUND_SHARE;
  struct mp_packet *kept = NULL;
  if (!is_news && !stream->is_over && is_large(stream) && now_us < due_us)
    kept = mp_pool_keep(pool, packet);
  if (!kept) {
    stream->passed_us = now_us;
    return false;
  }
  const uint64_t least_us = stream->passed_us + sight->rtt_us / ROUND_LEAST_SHARE;
  const uint64_t calm_us = now_us + BURST_US > least_us ? now_us + BURST_US : least_us;
  stream->due_us = calm_us < due_us ? calm_us : due_us;
  stream->held = kept;
  filter->held++;
  return true;
}

void mp_ackfilter_end(struct mp_ackfilter *filter, uint64_t now_us)
{
  for (unsigned i = 0; i < MP_ACKFILTER_STREAMS; i++) {
    filter->streams[i].is_over = true;
    filter->streams[i].due_us = now_us;
  }
}

struct mp_packet *mp_ackfilter_release(struct mp_ackfilter *filter, uint64_t now_us)
{
  for (unsigned i = 0; filter->held > 0 && i < MP_ACKFILTER_STREAMS; i++) {
    struct mp_ackfilter_stream *stream = &filter->streams[i];
    if (!stream->held || stream->due_us > now_us)
      continue;
    stream->passed_us = now_us;
    return take_held(filter, stream);
  }
  return NULL;
}

uint64_t mp_ackfilter_due(const struct mp_ackfilter *filter)
{
  uint64_t due_us = UINT64_MAX;
  for (unsigned i = 0; filter->held > 0 && i < MP_ACKFILTER_STREAMS; i++)
    if (filter->streams[i].held && filter->streams[i].due_us < due_us)
      due_us = filter->streams[i].due_us;
  return due_us;
}
