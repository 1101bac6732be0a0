#include "link.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "link_trace.h"
#include "prng.h"

#define NS_PER_US 1000u
#define NS_PER_S 1000000000u
#define US_PER_S 1000000u

#define MAX_RATE_BYTES_PER_S 1000000000000u
#define MAX_TIME_US (3600ull * US_PER_S)

/* One packet under way. Both times never decrease along the ring. */
struct transit {
  uint64_t served_ns; /* the rate is done with it, seen from the sender: done less the delay */
  uint64_t done_ns;
  uint32_t wire_bytes;
};

struct mp_link {
  struct mp_link_config config;
  struct mp_link_counters counters;

  /* Separate streams: the same seed loses the same packets whatever the jitter. */
  struct mp_prng loss_random;
  struct mp_prng delay_random;
  uint64_t loss_threshold; /* probabilities in 2^-32 */
  uint64_t burst_end_threshold;
  uint64_t duplicate_threshold;
  bool in_burst;

  uint64_t now_ns;
  uint64_t last_done_ns;
  uint64_t last_served_ns;
  uint64_t rate_remainder; /* of length / rate, carried so that the rate is exact */

  uint64_t trace_origin_ns;
  struct mp_link_place opportunity;
  uint32_t opportunity_left_bytes;

  uint64_t queue_limit_bytes; /* 0: none */
  uint64_t backlog_bytes;
  uint32_t epoch;

  /* Ring positions run on; the slot is the position modulo the capacity. */
  uint64_t tail;    /* the next packet */
  uint64_t waiting; /* the oldest that waits for the rate */
  uint64_t head;    /* the oldest under way */
  uint32_t capacity;
  struct transit ring[];
};

static uint64_t threshold_of(double probability)
{
  return (uint64_t)(probability * 4294967296.0 + 0.5);
}

static bool is_probability(double value)
{
  return value >= 0.0 && value <= 1.0;
}

static bool has_bursts(const struct mp_link_config *config)
{
  return config->loss_burst > 1.0 && config->loss > 0.0 && config->loss < 1.0;
}

/* Gilbert's chain: every packet in the bad state is lost. It ends with 1/burst a packet; it must
 * begin often enough for the mean loss. */
static double burst_start(const struct mp_link_config *config)
{
  return config->loss / (config->loss_burst * (1.0 - config->loss));
}

bool mp_link_config_is_valid(const struct mp_link_config *config)
{
  if (config->rate_bytes_per_s > MAX_RATE_BYTES_PER_S)
    return false;
  if (config->delay_us > MAX_TIME_US || config->jitter_us > MAX_TIME_US)
    return false;
  if (config->queue_us > MAX_TIME_US)
    return false;
  if (!is_probability(config->loss) || !is_probability(config->duplicate))
    return false;
  if (!isfinite(config->loss_burst) || config->loss_burst < 0.0)
    return false;
  if (has_bursts(config) && burst_start(config) > 1.0)
    return false;
  return mp_link_trace_is_valid(&config->trace);
}

static uint64_t mean_rate_bytes_per_s(const struct mp_link_config *config)
{
  if (config->trace.count == 0)
    return config->rate_bytes_per_s;
  return mp_link_trace_mean_bytes_per_s(&config->trace);
}

static uint64_t queue_limit_of(const struct mp_link_config *config)
{
  uint64_t rate = mean_rate_bytes_per_s(config);
  if (config->queue_us == 0 || rate == 0)
    return config->queue_bytes;
  uint64_t by_time =
    rate / US_PER_S * config->queue_us + rate % US_PER_S * config->queue_us / US_PER_S;
  if (by_time == 0)
    by_time = 1;
  return config->queue_bytes > 0 && config->queue_bytes < by_time ? config->queue_bytes : by_time;
}

static uint64_t opportunity_ns(const struct mp_link *link, struct mp_link_place place)
{
  return mp_link_trace_at_ns(&link->config.trace, link->trace_origin_ns, place);
}

static struct mp_link_place opportunity_from(const struct mp_link *link, uint64_t at_ns)
{
  return mp_link_trace_from(&link->config.trace, link->trace_origin_ns, at_ns);
}

static struct mp_link_place opportunity_after(const struct mp_link *link,
                                              struct mp_link_place place)
{
  return mp_link_trace_after(&link->config.trace, place);
}

static void go_to_opportunity(struct mp_link *link, struct mp_link_place place)
{
  link->opportunity = place;
  link->opportunity_left_bytes = MP_LINK_OPPORTUNITY_BYTES;
}

static uint64_t serve_by_trace(struct mp_link *link, uint32_t wire_bytes, uint64_t entry_ns)
{
  if (opportunity_ns(link, link->opportunity) < entry_ns)
    go_to_opportunity(link, opportunity_from(link, entry_ns));
  while (wire_bytes > link->opportunity_left_bytes) {
    wire_bytes -= link->opportunity_left_bytes;
    go_to_opportunity(link, opportunity_after(link, link->opportunity));
  }
  link->opportunity_left_bytes -= wire_bytes;
  uint64_t at_ns = opportunity_ns(link, link->opportunity);
  return at_ns > link->last_done_ns ? at_ns : link->last_done_ns;
}

static uint64_t serve_by_rate(struct mp_link *link, uint32_t wire_bytes, uint64_t entry_ns)
{
  uint64_t start_ns = entry_ns > link->last_done_ns ? entry_ns : link->last_done_ns;
  uint64_t rate = link->config.rate_bytes_per_s;
  if (rate == 0)
    return start_ns;
  uint64_t work = (uint64_t)wire_bytes * NS_PER_S + link->rate_remainder;
  link->rate_remainder = work % rate;
  return start_ns + work / rate;
}

static uint64_t draw_delay_ns(struct mp_link *link)
{
  int64_t delay_ns = (int64_t)(link->config.delay_us * NS_PER_US);
  int64_t jitter_ns = (int64_t)(link->config.jitter_us * NS_PER_US);
  if (jitter_ns == 0)
    return (uint64_t)delay_ns;
  if (link->config.jitter_law == MP_LINK_JITTER_UNIFORM)
    delay_ns += (int64_t)(mp_prng_next(&link->delay_random) % (2 * (uint64_t)jitter_ns)) - jitter_ns;
  else
    delay_ns += jitter_ns * mp_prng_normal(&link->delay_random) / 65536;
  return delay_ns > 0 ? (uint64_t)delay_ns : 0;
}

static bool is_lost(struct mp_link *link)
{
  if (!has_bursts(&link->config))
    return mp_prng_hits(&link->loss_random, link->loss_threshold);
  if (link->in_burst)
    link->in_burst = !mp_prng_hits(&link->loss_random, link->burst_end_threshold);
  else
    link->in_burst = mp_prng_hits(&link->loss_random, link->loss_threshold);
  return link->in_burst;
}

/* Moves the clock and lets go of what has been served and what has arrived by then. */
static void advance(struct mp_link *link, uint64_t now_us)
{
  uint64_t now_ns = now_us * NS_PER_US;
  if (now_ns > link->now_ns)
    link->now_ns = now_ns;
  while (link->waiting < link->tail) {
    const struct transit *transit = &link->ring[link->waiting % link->capacity];
    if (transit->served_ns > link->now_ns)
      break;
    link->backlog_bytes -= transit->wire_bytes;
    link->waiting++;
  }
  while (link->head < link->waiting &&
         link->ring[link->head % link->capacity].done_ns <= link->now_ns)
    link->head++;
}

static bool has_room(const struct mp_link *link, uint32_t wire_bytes)
{
  uint64_t in_flight = link->tail - link->head;
  if (in_flight >= link->capacity)
    return false;
  if (link->config.limit_packets > 0 && in_flight >= link->config.limit_packets)
    return false;
  /* An idle link takes any packet, or a short queue could never pass a long one. */
  return link->queue_limit_bytes == 0 || link->backlog_bytes == 0 ||
         link->backlog_bytes + wire_bytes <= link->queue_limit_bytes;
}

static bool admit(struct mp_link *link, uint32_t wire_bytes, uint64_t *arrival_us)
{
  if (!has_room(link, wire_bytes))
    return false;

  uint64_t entry_ns = link->now_ns + draw_delay_ns(link);
  uint64_t done_ns = link->config.trace.count > 0 ? serve_by_trace(link, wire_bytes, entry_ns)
                                                  : serve_by_rate(link, wire_bytes, entry_ns);
  link->last_done_ns = done_ns;

  /* Delay above the mean counts as waiting: on a link that keeps order it holds up the rest. */
  uint64_t delay_ns = link->config.delay_us * NS_PER_US;
  uint64_t served_ns = done_ns > delay_ns ? done_ns - delay_ns : 0;
  if (served_ns < link->last_served_ns)
    served_ns = link->last_served_ns;
  link->last_served_ns = served_ns < done_ns ? served_ns : done_ns;

  link->ring[link->tail++ % link->capacity] = (struct transit){
    .served_ns = link->last_served_ns,
    .done_ns = done_ns,
    .wire_bytes = wire_bytes,
  };
  link->backlog_bytes += wire_bytes;
  *arrival_us = (done_ns + NS_PER_US - 1) / NS_PER_US;
  return true;
}

enum mp_link_verdict mp_link_send(struct mp_link *link, uint32_t length_bytes, uint64_t now_us,
                                  struct mp_link_passage *passage)
{
  struct mp_link_counters *counters = &link->counters;
  advance(link, now_us);
  counters->offered_packets++;
  counters->offered_bytes += length_bytes;
  if (link->config.down) {
    counters->refused_packets++;
    return MP_LINK_DOWN;
  }
  if (is_lost(link)) {
    counters->lost_packets++;
    return MP_LINK_LOST;
  }
  uint32_t wire_bytes = length_bytes + link->config.overhead_bytes;
  if (!admit(link, wire_bytes, &passage->arrival_us[0])) {
    counters->full_packets++;
    return MP_LINK_FULL;
  }
  counters->accepted_packets++;
  counters->accepted_bytes += length_bytes;
  passage->epoch = link->epoch;
  passage->copies = 1;
  if (mp_prng_hits(&link->loss_random, link->duplicate_threshold) &&
      admit(link, wire_bytes, &passage->arrival_us[1])) {
    counters->copied_packets++;
    passage->copies = 2;
  }
  return MP_LINK_ACCEPTED;
}

bool mp_link_survives(const struct mp_link *link, uint32_t epoch)
{
  return epoch == link->epoch;
}

static void cut(struct mp_link *link)
{
  link->counters.cut_packets += link->tail - link->head;
  link->head = link->waiting = link->tail;
  link->backlog_bytes = 0;
  link->last_done_ns = link->last_served_ns = link->now_ns;
  link->epoch++;
  if (link->config.trace.count > 0)
    go_to_opportunity(link, opportunity_from(link, link->now_ns));
}

static void adopt(struct mp_link *link, const struct mp_link_config *config)
{
  link->config = *config;
  link->queue_limit_bytes = queue_limit_of(config);
  link->duplicate_threshold = threshold_of(config->duplicate);
  if (has_bursts(config)) {
    link->loss_threshold = threshold_of(burst_start(config));
    link->burst_end_threshold = threshold_of(1.0 / config->loss_burst);
  } else {
    link->loss_threshold = threshold_of(config->loss);
    link->in_burst = false;
  }
}

int mp_link_configure(struct mp_link *link, const struct mp_link_config *config, uint64_t now_us)
{
  if (!mp_link_config_is_valid(config))
    return -EINVAL;
  advance(link, now_us);
  bool goes_down = config->down && !link->config.down;
  bool new_trace = config->trace.count > 0 &&
                   (config->trace.opportunity_ms != link->config.trace.opportunity_ms ||
                    config->trace.count != link->config.trace.count);
  if (config->rate_bytes_per_s != link->config.rate_bytes_per_s)
    link->rate_remainder = 0;
  adopt(link, config);
  if (new_trace) {
    link->trace_origin_ns = link->now_ns;
    go_to_opportunity(link, opportunity_from(link, link->now_ns));
  }
  if (goes_down)
    cut(link);
  return 0;
}

const struct mp_link_config *mp_link_config_of(const struct mp_link *link)
{
  return &link->config;
}

struct mp_link *mp_link_open(const struct mp_link_config *config, uint32_t capacity_packets,
                             uint64_t seed, uint64_t now_us)
{
  if (capacity_packets == 0 || !mp_link_config_is_valid(config)) {
    errno = EINVAL;
    return NULL;
  }
  struct mp_link *link = calloc(1, sizeof *link + capacity_packets * sizeof(struct transit));
  if (link == NULL)
    return NULL;
  link->capacity = capacity_packets;
  link->now_ns = now_us * NS_PER_US;
  mp_prng_seed(&link->loss_random, &seed);
  mp_prng_seed(&link->delay_random, &seed);
  mp_link_configure(link, config, now_us);
  return link;
}

void mp_link_close(struct mp_link *link)
{
  free(link);
}

uint64_t mp_link_backlog_bytes(struct mp_link *link, uint64_t now_us)
{
  advance(link, now_us);
  return link->backlog_bytes;
}

uint64_t mp_link_inflicted_us(struct mp_link *link, uint64_t now_us)
{
  advance(link, now_us);
  const uint64_t entry_ns = link->now_ns + link->config.delay_us * NS_PER_US;
  uint64_t alone_ns = entry_ns;
  uint64_t behind_ns = link->last_done_ns;
  if (link->config.trace.count > 0) {
    const bool has_left = link->opportunity_left_bytes > 0;
    const struct mp_link_place next =
      has_left ? link->opportunity : opportunity_after(link, link->opportunity);
    alone_ns = opportunity_ns(link, opportunity_from(link, entry_ns));
    if (opportunity_ns(link, next) > behind_ns)
      behind_ns = opportunity_ns(link, next);
  }
  return behind_ns > alone_ns ? (behind_ns - alone_ns) / NS_PER_US : 0;
}

uint32_t mp_link_in_flight_packets(struct mp_link *link, uint64_t now_us)
{
  advance(link, now_us);
  return (uint32_t)(link->tail - link->head);
}

const struct mp_link_counters *mp_link_counters_of(const struct mp_link *link)
{
  return &link->counters;
}
