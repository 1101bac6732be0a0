/* One path in virtual time: a sender that fills its window (native/window.h) or trickles, an emulated
 * link (native/link.h), a receiver that reports, a way back. A loss is told by the report on what came
 * after it; a path that makes no progress for its probe timeout is suspected and probed. */
#ifndef MP_WINDOW_FIXTURE_H
#define MP_WINDOW_FIXTURE_H

#include "link.h"
#include "window.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define MS 1000u
#define S 1000000u
#define MBIT 125000u /* bytes a second */
#define PACKET 1500u
#define NEVER_US UINT64_MAX
#define START_US (7 * S) /* not 0, so that nothing rests on it */
#define CLOCK_AHEAD_US (-3600ll * S) /* of the receiver */
#define RING (1u << 18)

enum outcome { FLYING, ARRIVED, LOST };

struct drive_packet {
  uint64_t sent_us, arrival_us;
  enum outcome outcome;
  bool written_off; /* by the sender */
};

struct drive_report {
  uint64_t at_us; /* reaches the sender, */
  uint32_t late_us; /* by so much later than at best */
  uint64_t up_to; /* packets below have arrived or never will */
  uint64_t newest, hold_us, arrived_us, received_bytes;
  int64_t delay_us;
};

struct drive {
  struct mp_window window;
  struct mp_link *link;
  struct mp_link_config config;
  uint64_t now_us, reverse_us, feedback_us, report_packets;
  uint64_t behind_us; /* what waits on the way back, before a report */
  bool mutual;        /* that is data */
  uint64_t stamped_late_us; /* by so much later than it was there the receiver takes what arrives */
  uint64_t app_rate; /* bytes a second, 0: as much as may go */
  uint64_t app_us;   /* when the next packet of the app is there */
  uint64_t app_window; /* bytes that the app lets be under way, 0: as many as may go */

  struct drive_packet packets[RING];
  struct drive_report reports[1024];
  uint64_t reports_head, reports_tail;
  uint64_t sent, delivered, heard, reported; /* packet numbers; all below have happened */
  uint64_t inflight, received_bytes, last_report_us, unreported;
  uint64_t report_due_us;
  int64_t delay_us;
  bool limited, suspect;
  uint64_t progress_us, probe_us, suspects;

  /* Since the last drive_measure. */
  uint64_t measured_from_us, measured_bytes;
  uint32_t extra_count, extra[1u << 21]; /* delays beyond that of the link, microseconds */
  uint64_t slice_us, slice_end_us, slice_bytes, slice_count, slice[4096];
};

static inline struct drive *drive_open(struct mp_link_config config, uint64_t reverse_us,
                                       uint64_t seed)
{
  struct drive *d = calloc(1, sizeof *d);
  d->now_us = START_US;
  d->config = config;
  d->link = mp_link_open(&config, RING, seed, d->now_us);
  d->reverse_us = reverse_us;
  const uint64_t quarter_us = (config.delay_us + reverse_us) / 4;
  d->feedback_us = quarter_us < 5 * MS ? 5 * MS : quarter_us > 20 * MS ? 20 * MS : quarter_us;
  d->report_packets = UINT64_MAX;
  d->report_due_us = NEVER_US;
  d->delay_us = INT64_MAX;
  d->slice_us = 500 * MS;
  mp_window_open(&d->window, d->now_us);
  return d;
}

/* Probes of an idle path, each 100 ms, before anything else is sent. */
static inline void drive_rest(struct drive *d, unsigned probes)
{
  for (unsigned i = 0; i < probes; i++, d->now_us += 100 * MS) {
    struct mp_link_passage passage;
    if (mp_link_send(d->link, 100, d->now_us, &passage) != MP_LINK_ACCEPTED)
      continue;
    const int64_t delay_us = (int64_t)(passage.arrival_us[0] - d->now_us) + CLOCK_AHEAD_US;
    mp_window_rest(&d->window, delay_us, d->now_us, passage.arrival_us[0] + d->reverse_us);
  }
  d->now_us += S;
}

static inline void drive_close(struct drive *d)
{
  mp_link_close(d->link);
  free(d);
}

static inline void drive_configure(struct drive *d, struct mp_link_config config)
{
  d->config = config;
  mp_link_configure(d->link, &config, d->now_us);
}

static inline struct drive_packet *drive_packet_of(struct drive *d, uint64_t number)
{
  return &d->packets[number % RING];
}

static inline void drive_send(struct drive *d)
{
  struct drive_packet *packet = drive_packet_of(d, d->sent++);
  struct mp_link_passage passage;
  *packet = (struct drive_packet){.sent_us = d->now_us, .outcome = LOST};
  if (mp_link_send(d->link, PACKET, d->now_us, &passage) == MP_LINK_ACCEPTED) {
    packet->outcome = FLYING;
    packet->arrival_us = passage.arrival_us[0];
  }
  d->inflight += PACKET;
  mp_window_sent(&d->window, PACKET, d->inflight, d->now_us);
  if (d->app_rate > 0)
    d->app_us += (uint64_t)PACKET * S / d->app_rate;
}

/* Sends what may go; returns when more may. */
static inline uint64_t drive_pump(struct drive *d)
{
  for (;;) {
    if (d->app_rate > 0 && d->app_us > d->now_us)
      return d->app_us;
    if (d->suspect) {
      d->limited = true;
      if (d->probe_us > d->now_us)
        return d->probe_us;
      drive_send(d);
      d->probe_us = d->now_us + 50 * MS;
      continue;
    }
    if (d->app_window > 0 && d->inflight + PACKET > d->app_window)
      return NEVER_US;
    if (mp_window_room(&d->window, d->inflight) == 0) {
      d->limited = true;
      return NEVER_US;
    }
    const uint64_t due_us = mp_window_due(&d->window, PACKET, d->now_us);
    if (due_us > d->now_us)
      return due_us;
    drive_send(d);
  }
}

/* The next packet that arrives; those before it that never will are passed over. */
static inline uint64_t drive_next_arrival(struct drive *d)
{
  uint64_t at = d->delivered;
  while (at < d->sent && drive_packet_of(d, at)->outcome == LOST)
    at++;
  return at < d->sent ? drive_packet_of(d, at)->arrival_us : NEVER_US;
}

static inline void drive_count(struct drive *d, const struct drive_packet *packet)
{
  d->measured_bytes += PACKET;
  const uint64_t owd_us = packet->arrival_us - packet->sent_us;
  const uint64_t extra_us = owd_us > d->config.delay_us ? owd_us - d->config.delay_us : 0;
  if (d->extra_count < sizeof d->extra / sizeof *d->extra)
    d->extra[d->extra_count++] = (uint32_t)extra_us;
  d->slice_bytes += PACKET;
}

static inline void drive_receive(struct drive *d)
{
  bool gap = false;
  while (drive_packet_of(d, d->delivered)->outcome == LOST) {
    d->delivered++;
    gap = true;
  }
  struct drive_packet *packet = drive_packet_of(d, d->delivered++);
  packet->outcome = ARRIVED;
  d->received_bytes += PACKET;
  d->heard = d->delivered;
  d->unreported++;
  const int64_t delay_us = (int64_t)(packet->arrival_us - packet->sent_us) + CLOCK_AHEAD_US;
  if (delay_us < d->delay_us)
    d->delay_us = delay_us;
  drive_count(d, packet);
  const uint64_t soon_us = d->last_report_us + (gap || d->unreported >= d->report_packets
                                                    ? 2 * MS < d->feedback_us ? 2 * MS : 0
                                                    : d->feedback_us);
  const uint64_t due_us = soon_us > d->now_us ? soon_us : d->now_us;
  if (due_us < d->report_due_us)
    d->report_due_us = due_us;
}

static inline void drive_report(struct drive *d)
{
  const struct drive_packet *newest = drive_packet_of(d, d->heard - 1);
  const uint64_t before_us =
      d->reports_tail > 0 ? d->reports[(d->reports_tail - 1) % 1024].at_us : 0;
  const uint64_t best_us = d->now_us + d->reverse_us, own_us = best_us + d->behind_us;
  const uint64_t at_us = own_us > before_us ? own_us : before_us;
  struct drive_report *report = &d->reports[d->reports_tail++ % 1024];
  *report = (struct drive_report){
      .at_us = at_us,
      .late_us = (uint32_t)(at_us - best_us),
      .up_to = d->heard,
      .newest = d->heard - 1,
      .hold_us = d->now_us - newest->arrival_us,
      .arrived_us = (uint64_t)((int64_t)(newest->arrival_us + d->stamped_late_us) + CLOCK_AHEAD_US),
      .received_bytes = d->received_bytes,
      .delay_us = d->delay_us + (int64_t)d->stamped_late_us,
  };
  d->delay_us = INT64_MAX;
  d->unreported = 0;
  d->last_report_us = d->now_us;
  d->report_due_us = NEVER_US;
}

static inline void drive_hear(struct drive *d)
{
  const struct drive_report *report = &d->reports[d->reports_head++ % 1024];
  struct mp_window_report to = {
      .now_us = d->now_us,
      .late_us = report->late_us,
      .delay_any = true,
      .delay_us = report->delay_us,
      .arrived_us = report->arrived_us,
      .received_bytes = report->received_bytes,
      .limited = d->limited,
      .mutual = d->mutual,
  };
  to.rtt_us = (uint32_t)(d->now_us - drive_packet_of(d, report->newest)->sent_us - report->hold_us);
  while (d->reported < report->up_to) {
    const struct drive_packet *packet = drive_packet_of(d, d->reported++);
    if (packet->written_off)
      continue;
    d->inflight -= PACKET;
    *(packet->outcome == LOST ? &to.lost_bytes : &to.acked_bytes) += PACKET;
  }
  to.inflight_bytes = d->inflight;
  d->progress_us = d->now_us;
  if (d->suspect)
    mp_window_resume(&d->window, d->now_us);
  d->suspect = d->limited = false;
  mp_window_report(&d->window, &to);
}

/* No progress for a probe timeout. */
static inline void drive_suspect(struct drive *d)
{
  for (uint64_t at = d->reported; at < d->sent; at++)
    drive_packet_of(d, at)->written_off = true;
  d->inflight = 0;
  d->suspect = true;
  d->suspects++;
  d->probe_us = d->now_us;
  mp_window_suspect(&d->window, d->now_us);
}

static inline uint64_t drive_timeout(const struct drive *d)
{
  if (d->suspect || d->inflight == 0)
    return NEVER_US;
  const uint64_t oldest_us = d->packets[d->reported % RING].sent_us;
  const uint64_t since_us = oldest_us > d->progress_us ? oldest_us : d->progress_us;
  return since_us + mp_window_pto_us(&d->window);
}

static inline uint64_t drive_least(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static inline void drive_slice(struct drive *d)
{
  if (d->slice_count < sizeof d->slice / sizeof *d->slice)
    d->slice[d->slice_count++] = d->slice_bytes;
  d->slice_bytes = 0;
  d->slice_end_us += d->slice_us;
}

/* Forgets what was measured: figures begin here. */
static inline void drive_measure(struct drive *d)
{
  d->measured_from_us = d->now_us;
  d->measured_bytes = d->slice_bytes = d->slice_count = 0;
  d->extra_count = 0;
  d->slice_end_us = d->now_us + d->slice_us;
}

static inline void drive_run(struct drive *d, uint64_t for_us)
{
  const uint64_t end_us = d->now_us + for_us;
  if (d->slice_end_us == 0)
    drive_measure(d);
  for (;;) {
    const uint64_t pump_us = drive_pump(d);
    const uint64_t arrival_us = drive_next_arrival(d);
    const uint64_t heard_us =
        d->reports_head < d->reports_tail ? d->reports[d->reports_head % 1024].at_us : NEVER_US;
    const uint64_t timeout_us = drive_timeout(d);
    uint64_t next_us = drive_least(drive_least(pump_us, arrival_us), d->report_due_us);
    next_us = drive_least(drive_least(next_us, heard_us), drive_least(timeout_us, end_us));
    next_us = drive_least(next_us, d->slice_end_us);
    if (next_us > d->now_us)
      d->now_us = next_us;
    if (d->now_us >= d->slice_end_us)
      drive_slice(d);
    if (d->now_us >= end_us)
      return;
    if (arrival_us <= d->now_us)
      drive_receive(d);
    else if (d->report_due_us <= d->now_us)
      drive_report(d);
    else if (heard_us <= d->now_us)
      drive_hear(d);
    else if (timeout_us <= d->now_us)
      drive_suspect(d);
  }
}

/* Bytes a second delivered since drive_measure. */
static inline uint64_t drive_rate(const struct drive *d)
{
  return d->measured_bytes * S / (d->now_us - d->measured_from_us);
}

static inline int drive_compare(const void *a, const void *b)
{
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* A quantile of the delay beyond the link's own, in microseconds. */
static inline uint32_t drive_extra(struct drive *d, double quantile)
{
  if (d->extra_count == 0)
    return 0;
  qsort(d->extra, d->extra_count, sizeof *d->extra, drive_compare);
  return d->extra[(uint32_t)((d->extra_count - 1) * quantile)];
}

/* The worst slice's rate. */
static inline uint64_t drive_worst(const struct drive *d)
{
  uint64_t worst = UINT64_MAX;
  for (uint64_t i = 0; i < d->slice_count; i++)
    worst = d->slice[i] < worst ? d->slice[i] : worst;
  return worst * S / d->slice_us;
}

#endif
