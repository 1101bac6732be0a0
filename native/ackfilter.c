#include "ackfilter.h"

#include <string.h>

/* HyStart looks from a window of 16 segments on (tcp_cubic.c, hystart_low_window): six more than there are
 * to begin with (RFC 6928). */
#define LEAST_OCTETS 8000u
/* Of a round trip as long as the one before. Of one that has become longer each takes half as much again:
 * three times as long makes seven. */
#define ROUND_SHARE 4u
#define ROUND_LEAST_SHARE 6u
#define LONGER_SHARE 2u
/* What comes as one burst. */
#define BURST_US 2000u
/* Slow start doubles what is under way, but for what the last acknowledgement had not told yet. */
#define GROWS(octets, before) ((octets) / 2 >= (before) / 4 * 3)
#define MOST_STRIKES 2u
/* Who paces is silent after one now and then, where his window is full, but not for a whole round trip. */
#define LEAST_PROMPT ROUND_SHARE
/* An answer shows after this part of a round trip. */
#define JUDGED_SHARE 8u
/* After a pause a flow begins anew. */
#define PAUSE_US 1000000u
/* More is under way of nobody: the numbers are of two flows in one bucket. */
#define MOST_OCTETS (64u << 20)

static bool is_after(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

/* The stream of that key, or the one that was seen longest ago, of which nothing waits. NULL: none. */
static struct mp_ackfilter_stream *find(struct mp_ackfilter *filter, const struct mp_ack *ack,
                                        const struct mp_ackfilter_sight *sight)
{
  const uint64_t now_us = sight->now_us;
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
  *eldest = (struct mp_ackfilter_stream){.began = ack->number,
                                         .ack = ack->number,
                                         .passed = ack->number,
                                         .sent_to = sight->sent_to,
                                         .turn_us = sight->rtt_us,
                                         .round = {.since_us = now_us, .to = sight->sent_to}};
  memcpy(eldest->key, ack->key, sizeof ack->key);
  return eldest;
}

/* As its sender does: a round trip is over when something is acknowledged that was sent in the next one. */
static void begin_round(struct mp_ackfilter_stream *stream, uint64_t now_us)
{
  const uint32_t octets = stream->sent_to - stream->passed;
  stream->strikes = GROWS(octets, stream->round.octets) ? 0 : (uint8_t)(stream->strikes + 1);
  stream->is_over |= stream->strikes >= MOST_STRIKES;
  stream->turn_us = (uint32_t)(now_us - stream->round.since_us);
  stream->round.since_us = now_us;
  stream->round.to = stream->sent_to;
  stream->round.octets = octets;
  stream->round.count = 0;
}

/* The newest is handed on. */
static void pass(struct mp_ackfilter_stream *stream, uint64_t now_us)
{
  if (is_after(stream->ack, stream->round.to))
    begin_round(stream, now_us);
  if (stream->ack != stream->passed && stream->round.count < UINT8_MAX)
    stream->round.count++;
  stream->passed = stream->ack;
  stream->passed_us = now_us;
}

static struct mp_packet *take_held(struct mp_ackfilter *filter, struct mp_ackfilter_stream *stream)
{
  struct mp_packet *held = stream->held;
  stream->held = NULL;
  filter->held--;
  return held;
}

/* Whether what was passed last was answered at once, or is still being answered. */
static void note_answer(struct mp_ackfilter *filter, struct mp_ackfilter_stream *stream,
                        const struct mp_ackfilter_sight *sight)
{
  const uint64_t passed_for_us = sight->now_us - stream->passed_us;
  if (stream->judged_us == stream->passed_us || passed_for_us < stream->turn_us / JUDGED_SHARE)
    return;
  stream->judged_us = stream->passed_us;
  const bool is_prompt = sight->now_us - sight->sent_us >= passed_for_us / 2;
  stream->prompt = is_prompt ? stream->prompt + 1 : 0;
  stream->paced = is_prompt ? 0 : stream->paced + 1;
  if (stream->prompt >= LEAST_PROMPT)
    filter->prompt_us = sight->now_us;
  if (stream->paced < MOST_STRIKES)
    return;
  stream->is_over = true;
  filter->paced_us = sight->now_us;
}

/* When one that has come now is handed on at the latest. */
static uint64_t latest_us(const struct mp_ackfilter_stream *stream)
{
  if (stream->round.count < ROUND_SHARE)
    return stream->passed_us + stream->turn_us / ROUND_SHARE;
  return stream->passed_us + (stream->passed_us - stream->round.since_us) / LONGER_SHARE;
}

/* And when in fact: sooner, if it is the last of a burst. */
static uint64_t due_us(const struct mp_ackfilter_stream *stream, uint64_t now_us)
{
  const uint64_t late_us = latest_us(stream);
  if (stream->round.count >= ROUND_SHARE)
    return late_us;
  const uint64_t least_us = stream->passed_us + stream->turn_us / ROUND_LEAST_SHARE;
  const uint64_t calm_us = now_us + BURST_US > least_us ? now_us + BURST_US : least_us;
  return calm_us < late_us ? calm_us : late_us;
}

/* One that was overtaken by what waits, as acknowledgements are that take several paths. */
static bool is_told_by_held(const struct mp_ackfilter_stream *stream, const struct mp_ack *ack)
{
  return stream->held && ack->is_plain && is_after(ack->number, stream->passed);
}

static bool give_back(struct mp_ackfilter *filter, struct mp_pool *pool, struct mp_packet *packet)
{
  mp_pool_give(pool, packet);
  filter->thinned++;
  return true;
}

bool mp_ackfilter_take(struct mp_ackfilter *filter, struct mp_pool *pool, struct mp_packet *packet,
                       const struct mp_ack *ack, const struct mp_ackfilter_sight *sight)
{
  const uint64_t now_us = sight->now_us;
  struct mp_ackfilter_stream *stream = find(filter, ack, sight);
  if (!stream)
    return false;
  stream->seen_us = now_us;
  if (stream->is_over)
    return false;
  if (is_after(stream->ack, ack->number))
    return is_told_by_held(stream, ack) && give_back(filter, pool, packet);
  const bool is_news = !ack->is_plain || ack->number == stream->ack;
  stream->ack = ack->number;
  stream->sent_to = sight->sent_to;
  stream->is_large |= stream->ack - stream->began >= LEAST_OCTETS;
  if (stream->is_large)
    note_answer(filter, stream, sight);
  if (stream->held)
    give_back(filter, pool, take_held(filter, stream));
  struct mp_packet *kept = NULL;
  if (!is_news && !stream->is_over && stream->is_large && now_us < latest_us(stream) &&
      stream->sent_to - stream->ack < MOST_OCTETS)
    kept = mp_pool_keep(pool, packet);
  if (!kept) {
    pass(stream, now_us);
    return false;
  }
  stream->due_us = due_us(stream, now_us);
  stream->held = kept;
  filter->held++;
  return true;
}

bool mp_ackfilter_paces(const struct mp_ackfilter *filter, const uint8_t key[MP_ACK_KEY_BYTES])
{
  for (unsigned i = 0; i < MP_ACKFILTER_STREAMS; i++)
    if (memcmp(filter->streams[i].key, key, MP_ACK_KEY_BYTES) == 0)
      return filter->streams[i].paced >= MOST_STRIKES;
  return false;
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
    pass(stream, now_us);
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
