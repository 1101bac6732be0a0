#include "ping.h"

#include <stdlib.h>
#include <string.h>

#include "intervals.h"
#include "le.h"

/* Payload offsets. */
enum { PAYLOAD_SEQUENCE = 0, PAYLOAD_SENT = 8 };

struct request {
  uint64_t sequence, sent_us;
};

struct mp_ping {
  struct mp_ping_config config;
  struct mp_inner_flow ways[2]; /* of what each end sends */
  bool stopped;
  uint64_t next; /* sequence of the next request */
  struct mp_intervals answered;
  /* To be answered. */
  struct request *waiting;
  uint32_t waiting_count, waiting_room;
  struct mp_ping_stats stats;
  struct mp_delays delays;
};

struct mp_ping *mp_ping_open(const struct mp_ping_config *config)
{
  struct mp_ping *ping = calloc(1, sizeof *ping);
  if (!ping)
    return NULL;
  ping->config = *config;
  struct mp_inner_flow *out = &ping->ways[MP_PING_ASKER], *back = &ping->ways[MP_PING_ANSWERER];
  *out = *back = config->flow;
  out->protocol = back->protocol = MP_PROTOCOL_ICMP;
  memcpy(back->from, out->to, sizeof back->from);
  memcpy(back->to, out->from, sizeof back->to);
  mp_delays_clear(&ping->delays);
  return ping;
}

void mp_ping_close(struct mp_ping *ping)
{
  if (!ping)
    return;
  mp_intervals_close(&ping->answered);
  free(ping->waiting);
  free(ping);
}

uint32_t mp_ping_node(const struct mp_ping *ping, unsigned end)
{
  return end == MP_PING_ASKER ? ping->config.from_node : ping->config.to_node;
}

/* ---- In ---- */

static bool is_same(const struct mp_inner_flow *a, const struct mp_inner_flow *b)
{
  return a->protocol == b->protocol && a->from_port == b->from_port &&
         memcmp(a->from, b->from, 4) == 0 && memcmp(a->to, b->to, 4) == 0;
}

bool mp_ping_claims(const struct mp_ping *ping, const struct mp_inner_flow *flow, unsigned *to)
{
  *to = is_same(flow, &ping->ways[MP_PING_ASKER]) ? MP_PING_ANSWERER : MP_PING_ASKER;
  return *to == MP_PING_ANSWERER || is_same(flow, &ping->ways[MP_PING_ANSWERER]);
}

static bool take_request(struct mp_ping *ping, struct request request)
{
  if (ping->waiting_count == ping->waiting_room) {
    const uint32_t room = ping->waiting_room ? ping->waiting_room * 2 : 16;
    struct request *waiting = realloc(ping->waiting, room * sizeof *waiting);
    if (!waiting)
      return false;
    ping->waiting = waiting;
    ping->waiting_room = room;
  }
  ping->waiting[ping->waiting_count++] = request;
  return true;
}

static bool take_answer(struct mp_ping *ping, struct request request, uint64_t now_us)
{
  if (request.sequence >= ping->next || request.sent_us > now_us)
    return true; /* nobody asked */
  switch (mp_intervals_add(&ping->answered, request.sequence)) {
  case MP_INTERVALS_NEW:
    ping->stats.answered++;
    mp_delays_take(&ping->delays, now_us - request.sent_us);
    return true;
  case MP_INTERVALS_KNOWN:
    ping->stats.duplicated++;
    return true;
  default:
    return false;
  }
}

bool mp_ping_take(struct mp_ping *ping, unsigned to, const uint8_t *packet, uint32_t length,
                  uint32_t header_bytes, uint32_t node, uint64_t now_us, uint64_t *identity)
{
  *identity = 0;
  if (length != header_bytes + ping->config.payload_bytes || node != mp_ping_node(ping, to))
    return true;
  const struct request request = {mp_load64(packet + header_bytes + PAYLOAD_SEQUENCE),
                                  mp_load64(packet + header_bytes + PAYLOAD_SENT)};
  *identity = request.sequence;
  return to == MP_PING_ANSWERER ? take_request(ping, request)
                                : take_answer(ping, request, now_us);
}

/* ---- Out ---- */

static bool is_over(const struct mp_ping *ping)
{
  return ping->stopped || (ping->config.count > 0 && ping->next >= ping->config.count);
}

uint64_t mp_ping_wake_us(const struct mp_ping *ping, unsigned end)
{
  if (end == MP_PING_ANSWERER)
    return ping->waiting_count > 0 ? 0 : UINT64_MAX;
  return is_over(ping) ? UINT64_MAX : ping->config.start_us + ping->next * ping->config.interval_us;
}

static void write(const struct mp_ping *ping, unsigned end, struct request request, uint8_t *room,
                  struct mp_slice *slice)
{
  const uint32_t payload_bytes = ping->config.payload_bytes;
  uint8_t *payload = room + MP_INNER_IPV4_BYTES + MP_INNER_ICMP_BYTES;
  memset(payload, 0, payload_bytes);
  mp_store64(payload + PAYLOAD_SEQUENCE, request.sequence);
  mp_store64(payload + PAYLOAD_SENT, request.sent_us);
  const uint16_t sequence = (uint16_t)request.sequence;
  *slice = (struct mp_slice){
      .bytes = room,
      .length = payload_bytes + mp_inner_write_echo(room, &ping->ways[end],
                                                    end == MP_PING_ANSWERER, sequence,
                                                    payload_bytes, sequence)};
}

bool mp_ping_next(struct mp_ping *ping, unsigned end, uint64_t now_us, uint8_t *room,
                  struct mp_slice *slice)
{
  if (mp_ping_wake_us(ping, end) > now_us)
    return false;
  if (end == MP_PING_ANSWERER) {
    write(ping, end, ping->waiting[0], room, slice);
    memmove(ping->waiting, ping->waiting + 1, --ping->waiting_count * sizeof *ping->waiting);
    return true;
  }
  ping->stats.sent++;
  write(ping, end, (struct request){ping->next++, now_us}, room, slice);
  return true;
}

void mp_ping_stop(struct mp_ping *ping) { ping->stopped = true; }

/* ---- What became of it ---- */

void mp_ping_stats(const struct mp_ping *ping, struct mp_ping_stats *stats)
{
  const struct mp_delays *delays = &ping->delays;
  *stats = ping->stats;
  stats->answers = delays->count;
  stats->p50_us = mp_delays_quantile_us(delays, 0.50);
  stats->p99_us = mp_delays_quantile_us(delays, 0.99);
  stats->max_us = delays->max_us;
  if (delays->count > 0) {
    stats->min_us = delays->min_us;
    stats->mean_us = delays->sum_us / (double)delays->count;
  }
}

void mp_ping_restart(struct mp_ping *ping) { mp_delays_clear(&ping->delays); }
