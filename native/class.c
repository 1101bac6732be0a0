/* What a flow is, by what it sends: thin, narrow or wide. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "rate.h"

/* A flow that is not thin from here on: it sends more in a second than a person types or
 * says. Below it nothing is worth holding back for the sake of order (scheduling: thin). */
#define BULKY_OCTETS 32768u
#define BULKY_PACKETS 100u
/* And one that is thin again: nothing of it is under way that a thin packet could overtake. */
#define THIN_OCTETS 8192u
#define THIN_PACKETS 25u
#define THIN_CALM_US 500000u
/* A thin flow's packets go unordered from then on: before, it may be the beginning of a stream that
 * needs both paths at once (the first frame of live video overtook itself). */
#define LOOSE_US 1000000u
#define PAUSE_US 10000000u

/* What makes a flow wide. Either a backlog of so long, when it has sent more than the quickest path
 * would carry before the slowest brings its first; or that it presses on the quickest path for so
 * long: one that measures what it can send and sends no more, as BBR does, never leaves a backlog.
 * It is narrow again when neither has been so for a while, and it sends less than half. */
#define WIDE_BACKLOG_US 20000u
#define WAITED_US 10000u
#define WIDE_LEAST_OCTETS 65536u
#define PRESSING_US 200000u
#define PRESSED_CALM_US 500000u
#define NARROW_CALM_US 500000u
/* A wide flow that began so long ago fills the slowest path first. Order makes all its packets as
 * late as that path's anyway, but for the few that find no slow one before them: from one of these BBR
 * would take the quickest path's round trip for its own, which is too short to fill the others. It
 * keeps the least one for ten seconds (tcp_bbr.c, bbr_min_rtt_win_sec), measured when the flow was
 * narrow; just before it measures anew, what it measures must be the round trip that it has: from then on
 * those few are held back as well (stretch.h). Of 20 Mbit/s with 10 ms and 10 with 45 BBR gets 96 % of the
 * sum so, and 59 % without in two runs out of three. While it measures it is narrow, so that how long it
 * has been wide says little. */
#define LEVEL_US 9000000u
#define MOST_STEP_US 20000u
/* Something was lost so lately. */
#define LOSSY_US 1000000u

enum { TCP_SEQUENCE = 4, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, FLAG_SYN = 0x02 };

/* Without extension headers of IPv6: behind them mp_class_protocol sees no TCP either. */
static uint32_t ip_header_bytes(const uint8_t *packet)
{
  return packet[0] >> 4 == 4 ? (packet[0] & 15u) * 4u : 40u;
}

uint32_t mp_class_octets(const struct mp_load *load)
{
  const struct mp_segments *segments = &load->segments;
  if (segments->count > 1)
    return segments->payload_bytes;
  const uint8_t *packet = load->bytes;
  const uint32_t ip_header = ip_header_bytes(packet);
  if (mp_class_protocol(packet) != MP_PROTOCOL_TCP ||
      load->length < ip_header + TCP_DATA_OFFSET + 1)
    return load->length > ip_header ? load->length - ip_header : 0;
  const uint32_t header = ip_header + (packet[ip_header + TCP_DATA_OFFSET] >> 4) * 4u;
  return load->length > header ? load->length - header : 0;
}

/* TCP that says nothing but what has come: without data, SYN, FIN, RST or URG. */
static bool is_acknowledgement(const struct mp_load *load)
{
  const uint8_t *packet = load->bytes;
  if (mp_class_protocol(packet) != MP_PROTOCOL_TCP || mp_class_octets(load) > 0)
    return false;
  const uint32_t ip_header = ip_header_bytes(packet);
  return load->length > ip_header + TCP_FLAGS && (packet[ip_header + TCP_FLAGS] & 0x37u) == 0x10u;
}

/* Acknowledgements are a thin flow of their own, also where the connection sends data the same way: behind
 * that they would come in bunches, and the data that they call for at the other end too, which in turn
 * keeps its acknowledgements waiting. Each queue then is empty or holds a whole window by turns, at which
 * CoDel sees none that stands (Zhang, Shenker, Clark, Observations on the Dynamics of a Congestion Control
 * Algorithm, 1991; RFC 3449 section 5.4.1). Of 20 Mbit/s with 10 ms and 20 with 25, one CUBIC connection
 * that is full both ways gets 97 % so, with 53 ms in the 99th percentile of pings beside it, and 85 % with
 * 88 without (in namespaces). TCP takes one that is ahead of data in its stride: the timestamp that it
 * remembers is that of data (RFC 7323 section 4.3). */
uint16_t mp_class_bucket(const struct mp_load *load, uint16_t bucket)
{
  return is_acknowledgement(load) ? bucket ^ (MP_LIMIT_BUCKETS / 2) : bucket;
}

static void fade(struct mp_adaptive_flow *flow, uint64_t now_us)
{
  const uint64_t past_us = now_us - flow->seen_us;
  if (past_us < 1000)
    return;
  if (past_us >= 1000000) {
    flow->recent_octets = flow->recent_packets = 0;
  } else {
    flow->recent_octets -= (uint32_t)(flow->recent_octets * past_us / 1000000);
    flow->recent_packets -= (uint32_t)(flow->recent_packets * past_us / 1000000);
  }
  flow->seen_us = now_us;
}

static void note_queue(struct mp_adaptive *adaptive, uint16_t bucket, uint64_t now_us)
{
  struct mp_adaptive_flow *flow = mp_adaptive_flow(adaptive, bucket);
  const uint64_t step_us = now_us - flow->judged_us;
  flow->judged_us = now_us;
  if (!mp_queue_holds(adaptive->queue, bucket)) {
    flow->backlog_us = 0;
    return;
  }
  if (flow->backlog_us == 0)
    flow->backlog_us = mp_queue_since(adaptive->queue, bucket);
  /* A flow that sends less than its share waits for its turn among wide ones, always but never long. */
  if (now_us - mp_queue_since(adaptive->queue, bucket) >= WAITED_US)
    flow->waited_us = now_us;
  flow->queued_us += step_us < MOST_STEP_US ? step_us : MOST_STEP_US;
}

/* How much a flow must have sent in a second to be worth the slowest path's delay. */
static uint64_t wide_octets(const struct mp_peer *peer, uint8_t best)
{
  const struct mp_lane *lanes = peer->adaptive->lanes;
  int64_t skew_us = 0;
  MP_FOR_EACH_PATH(peer->usable & peer->schedule.carrying, id) {
    const int64_t above_us = mp_choice_delay_us(peer, id) - mp_choice_delay_us(peer, best);
    if (above_us > skew_us)
      skew_us = above_us;
  }
  /* More than a quarter of a second's worth is never asked for. */
  const uint64_t most_us = skew_us < 250000 ? (uint64_t)skew_us : 250000;
  const uint64_t octets = mp_window_rate(&lanes[best].window) * most_us / 1000000;
  return octets > WIDE_LEAST_OCTETS ? octets : WIDE_LEAST_OCTETS;
}

/* Follows whether the flow alone sends nearly all that the quickest path can carry. That a queue comes
 * and goes there tells the rate of a path that is full from that of one that nobody has filled. */
static void note_pressure(const struct mp_peer *peer, struct mp_adaptive_flow *flow, uint8_t best,
                          uint64_t now_us)
{
  const struct mp_window *window = &peer->adaptive->lanes[best].window;
  const uint64_t rate = mp_window_rate(window);
  if (rate == 0 || !mp_rate_is_nearly(flow->recent_octets, rate)) {
    flow->pressing_us = 0;
    return;
  }
  if (now_us - flow->pressed_us > PRESSED_CALM_US)
    flow->pressing_us = 0;
  if (mp_window_queue_us(window) < mp_window_target_us(window) / 4)
    return;
  flow->pressed_us = now_us;
  if (flow->pressing_us == 0)
    flow->pressing_us = now_us;
}

/* A stretched flow stays what it is while it measures, which is a pause. */
static void note_width(const struct mp_peer *peer, uint16_t bucket, uint8_t best, bool backlogged,
                       uint64_t now_us)
{
  const struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_adaptive_flow *flow = mp_adaptive_flow(peer->adaptive, bucket);
  if (mp_stretch_is(&adaptive->stretch, MP_STRETCH_REACHES, bucket))
    return;
  if (!flow->wide_us &&
      ((backlogged && flow->recent_octets >= wide_octets(peer, best)) ||
       (flow->pressing_us && now_us - flow->pressing_us >= PRESSING_US))) {
    flow->wide_us = now_us;
    flow->queued_us = 0;
  } else if (flow->wide_us && now_us - flow->waited_us >= NARROW_CALM_US &&
           flow->recent_octets < mp_window_rate(&adaptive->lanes[best].window) / 2) {
    flow->wide_us = 0;
  }
}

/* For TCP alone, which learns how far its packets overtake each other (RFC 8985 section 7.2) and takes back
 * what it did for one that was only late. QUIC counts three packets behind a missing one (RFC 9002 section
 * 6.1.1): its BBR gets 41 % of two lossy links with 50 and 60 ms when it is hurried, and 55 when not. */
static void hurry(const struct mp_peer *peer, struct mp_adaptive_flow *flow, struct mp_load *load,
                  uint64_t now_us)
{
  const uint64_t lost_us = peer->adaptive->lost_us;
  if (mp_class_protocol(load->bytes) != MP_PROTOCOL_TCP || load->flow & MP_FLOW_UNORDERED)
    return;
  const struct mp_haste_sight sight = {
      .now_us = now_us,
      .octets = mp_class_octets(load),
      .recent_octets = flow->recent_octets,
      .waits = flow->backlog_us != 0,
      .repair_us = lost_us > 0 && now_us - lost_us < LOSSY_US ? mp_repair_turn_us(peer) : 0,
  };
  if (mp_haste_see(&flow->haste, &sight))
    load->flow |= MP_FLOW_BRIEF;
}

/* Decides at each arrival; a flow without arrivals needs no decision. */
enum mp_queue_class mp_class_of(struct mp_peer *peer, struct mp_load *load, uint64_t now_us)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  const uint16_t bucket = mp_flow_bucket(load->flow);
  struct mp_adaptive_flow *flow = mp_adaptive_flow(adaptive, bucket);
  const uint8_t best = mp_choice_quickest(peer);
  if (best == MP_CROSSING_NO_PATH)
    return mp_class_now(peer, bucket);
  note_queue(adaptive, bucket, now_us);
  note_pressure(peer, flow, best, now_us);
  const bool backlogged = flow->backlog_us && now_us - flow->backlog_us >= WIDE_BACKLOG_US;
  note_width(peer, bucket, best, backlogged, now_us);
  mp_far_see(peer, load, best, backlogged, now_us);
  hurry(peer, flow, load, now_us);
  const enum mp_queue_class class = mp_class_now(peer, bucket);
  if (mp_queue_class_of(adaptive->queue, bucket) != class)
    mp_queue_move(adaptive->queue, bucket, class);
  return class;
}

/* A packet of TCP with so many octets of data. */
static void note_sequence(struct mp_adaptive_flow *flow, const struct mp_load *load, uint32_t octets,
                          uint64_t now_us)
{
  const uint32_t ip_header = ip_header_bytes(load->bytes);
  if (load->length <= ip_header + TCP_FLAGS)
    return;
  const uint8_t *tcp = load->bytes + ip_header, *at = tcp + TCP_SEQUENCE;
  const uint32_t from = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
  const uint32_t to = from + octets;
  if (tcp[TCP_FLAGS] & FLAG_SYN) {
    mp_luck_opened(&flow->sent, from, now_us);
    mp_gather_opened(&flow->turns, from + 1);
    flow->sent_to = from + 1;
  } else if (octets > 0) {
    mp_luck_sent(&flow->sent, to, now_us);
  }
  if (octets > 0 && (!flow->bulky || (int32_t)(to - flow->sent_to) > 0))
    flow->sent_to = to;
}

bool mp_class_is_level(const struct mp_adaptive_flow *flow, uint64_t now_us)
{
  return flow->wide_us && now_us - flow->began_us >= LEVEL_US;
}

void mp_class_note(struct mp_adaptive_flow *flow, struct mp_load *load, uint64_t now_us)
{
  const uint64_t calm_us = now_us - flow->seen_us;
  if (flow->seen_us == 0 || calm_us >= PAUSE_US)
    flow->began_us = now_us;
  fade(flow, now_us);
  if (flow->bulky && calm_us >= THIN_CALM_US && flow->recent_octets < THIN_OCTETS &&
      flow->recent_packets < THIN_PACKETS) {
    flow->bulky = false;
    flow->began_us = now_us;
  }
  const uint32_t octets = mp_class_octets(load);
  if (octets > 0) {
    flow->recent_octets += octets;
    flow->recent_packets += load->segments.count;
    if (flow->recent_octets > BULKY_OCTETS || flow->recent_packets > BULKY_PACKETS)
      flow->bulky = true;
  }
  if (mp_class_protocol(load->bytes) == MP_PROTOCOL_TCP)
    note_sequence(flow, load, octets, now_us);
  const bool is_settled = now_us - flow->began_us >= LOOSE_US;
  if (!flow->bulky && (octets == 0 || (is_settled && mp_class_protocol(load->bytes) != MP_PROTOCOL_TCP)))
    load->flow |= MP_FLOW_UNORDERED;
}
