#include "flow.h"

#include <stdlib.h>
#include <string.h>

#include "delays.h"
#include "le.h"

#define MARK 0x6d707431u
#define NS_PER_US 1000u
#define IPV4_BYTES 20u

/* Payload offsets. */
enum { PAYLOAD_MARK = 0, PAYLOAD_FLOW = 4, PAYLOAD_SEQUENCE = 8, PAYLOAD_TIME = 16 };

struct mp_flow {
  uint32_t id;
  struct mp_flow_config config;
  uint8_t header[MP_FLOW_HEADER_BYTES];
  bool stopped;
  uint32_t burst_left;
  uint64_t next; /* sequence of the next packet */

  uint64_t *seen; /* bit per sequence */
  uint64_t seen_words;
  uint64_t expected; /* RFC 4737: NextExp */
  bool any_arrival;
  uint64_t last_arrival_us; /* or since when one is waited for */

  struct mp_flow_stats stats;
  struct mp_delays delays;
};

static uint16_t header_checksum(const uint8_t *header)
{
  uint32_t sum = 0;
  for (unsigned i = 0; i < IPV4_BYTES; i += 2)
    sum += (uint32_t)header[i] << 8 | header[i + 1];
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void store_big16(uint8_t *at, uint32_t value)
{
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

/* RFC 791 and RFC 768, without options and with the UDP checksum left out. */
static void write_header(struct mp_flow *flow)
{
  const struct mp_flow_config *config = &flow->config;
  uint8_t *header = flow->header;
  header[0] = 0x45;
  header[1] = (uint8_t)(config->dscp << 2);
  store_big16(header + 2, MP_FLOW_HEADER_BYTES + config->payload_bytes);
  header[6] = 0x40; /* don't fragment */
  header[8] = 64;
  header[9] = 17;
  memcpy(header + 12, config->from, 4);
  memcpy(header + 16, config->to, 4);
  store_big16(header + 10, header_checksum(header));
  store_big16(header + 20, config->from_port);
  store_big16(header + 22, config->to_port);
  store_big16(header + 24, 8 + config->payload_bytes);
}

struct mp_flow *mp_flow_open(uint32_t id, const struct mp_flow_config *config)
{
  struct mp_flow *flow = calloc(1, sizeof *flow);
  if (!flow)
    return NULL;
  flow->id = id;
  flow->config = *config;
  flow->burst_left = config->burst;
  write_header(flow);
  mp_flow_restart(flow, config->start_us);
  return flow;
}

void mp_flow_close(struct mp_flow *flow)
{
  if (!flow)
    return;
  free(flow->seen);
  free(flow);
}

const struct mp_flow_config *mp_flow_config(const struct mp_flow *flow) { return &flow->config; }

static bool is_over(const struct mp_flow *flow)
{
  return flow->stopped || (flow->config.count > 0 && flow->next >= flow->config.count);
}

uint64_t mp_flow_next_us(const struct mp_flow *flow)
{
  if (is_over(flow))
    return UINT64_MAX;
  return flow->config.start_us + flow->next * flow->config.interval_ns / NS_PER_US;
}

uint32_t mp_flow_send(struct mp_flow *flow, uint8_t *packet, uint64_t now_us)
{
  if (flow->burst_left == 0 || is_over(flow))
    return 0;
  const uint64_t sequence = flow->next++;
  const uint32_t length = MP_FLOW_HEADER_BYTES + flow->config.payload_bytes;
  uint8_t *payload = packet + MP_FLOW_HEADER_BYTES;
  memcpy(packet, flow->header, MP_FLOW_HEADER_BYTES);
  memset(payload, 0, flow->config.payload_bytes);
  mp_store32(payload + PAYLOAD_MARK, MARK);
  mp_store32(payload + PAYLOAD_FLOW, flow->id);
  mp_store64(payload + PAYLOAD_SEQUENCE, sequence);
  mp_store64(payload + PAYLOAD_TIME, now_us);
  mp_store64(packet + length - 8, sequence);
  flow->burst_left--;
  flow->stats.sent++;
  return length;
}

void mp_flow_burst_done(struct mp_flow *flow) { flow->burst_left = flow->config.burst; }

void mp_flow_stop(struct mp_flow *flow) { flow->stopped = true; }

bool mp_flow_claim(const uint8_t *packet, uint32_t length, uint32_t *id)
{
  if (length < MP_FLOW_HEADER_BYTES + MP_FLOW_LEAST_PAYLOAD_BYTES)
    return false;
  const uint8_t *payload = packet + MP_FLOW_HEADER_BYTES;
  *id = mp_load32(payload + PAYLOAD_FLOW);
  return mp_load32(payload + PAYLOAD_MARK) == MARK;
}

/* Whether the sequence is new. */
static bool mark_seen(struct mp_flow *flow, uint64_t sequence, bool *is_new)
{
  const uint64_t word = sequence / 64;
  if (word >= flow->seen_words) {
    const uint64_t words = (word + 1) * 2;
    uint64_t *seen = realloc(flow->seen, words * sizeof *seen);
    if (!seen)
      return false;
    memset(seen + flow->seen_words, 0, (words - flow->seen_words) * sizeof *seen);
    flow->seen = seen;
    flow->seen_words = words;
  }
  const uint64_t bit = 1ull << sequence % 64;
  *is_new = !(flow->seen[word] & bit);
  flow->seen[word] |= bit;
  return true;
}

static void take_arrival(struct mp_flow *flow, uint64_t now_us)
{
  const uint64_t gap_us = now_us - flow->last_arrival_us;
  if (flow->any_arrival && gap_us > flow->stats.longest_gap_us)
    flow->stats.longest_gap_us = gap_us;
  flow->any_arrival = true;
  flow->last_arrival_us = now_us;
}

bool mp_flow_take(struct mp_flow *flow, const uint8_t *packet, uint32_t length, uint32_t node,
                  uint8_t path, uint64_t now_us)
{
  struct mp_flow_stats *stats = &flow->stats;
  const uint8_t *payload = packet + MP_FLOW_HEADER_BYTES;
  const uint64_t sequence = mp_load64(payload + PAYLOAD_SEQUENCE);
  if (node != flow->config.to_node || sequence >= flow->next ||
      length != MP_FLOW_HEADER_BYTES + flow->config.payload_bytes ||
      memcmp(packet, flow->header, MP_FLOW_HEADER_BYTES) != 0 ||
      mp_load64(packet + length - 8) != sequence) {
    stats->damaged++;
    return true;
  }
  bool is_new;
  if (!mark_seen(flow, sequence, &is_new))
    return false;
  if (!is_new) {
    stats->duplicated++;
    return true;
  }
  stats->received++;
  stats->received_bytes += length;
  if (sequence < flow->expected)
    stats->reordered++;
  else
    flow->expected = sequence + 1;
  if (path < MP_LIMIT_PATHS)
    stats->by_path[path]++;
  take_arrival(flow, now_us);
  mp_delays_take(&flow->delays, now_us - mp_load64(payload + PAYLOAD_TIME));
  return true;
}

void mp_flow_stats(const struct mp_flow *flow, uint64_t now_us, struct mp_flow_stats *stats)
{
  *stats = flow->stats;
  const struct mp_delays *delays = &flow->delays;
  stats->delays = delays->count;
  stats->delay_max_us = delays->max_us;
  if (delays->count > 0) {
    stats->delay_min_us = delays->min_us;
    stats->delay_mean_us = delays->sum_us / (double)delays->count;
  }
  stats->delay_p50_us = mp_delays_quantile_us(delays, 0.50);
  stats->delay_p99_us = mp_delays_quantile_us(delays, 0.99);
  if (!is_over(flow) && now_us > flow->last_arrival_us &&
      now_us - flow->last_arrival_us > stats->longest_gap_us)
    stats->longest_gap_us = now_us - flow->last_arrival_us;
}

void mp_flow_restart(struct mp_flow *flow, uint64_t now_us)
{
  struct mp_flow_stats *stats = &flow->stats;
  *stats = (struct mp_flow_stats){.sent = stats->sent,
                                  .received = stats->received,
                                  .received_bytes = stats->received_bytes,
                                  .duplicated = stats->duplicated,
                                  .damaged = stats->damaged};
  mp_delays_clear(&flow->delays);
  /* A gap that began before counts from now on only. */
  if (now_us > flow->last_arrival_us)
    flow->last_arrival_us = now_us;
}
