/* Acknowledgements on their way in, of what this side sends: some are made to wait, so that their senders
 * keep more under way. */
#include <string.h>

#include "adaptive.h"
#include "adaptive_corridor.h"
#include "inner.h"

/* Slow start has found what the paths carry: something has waited for so long. Of 50 Mbit/s with 20 ms and
 * jitter of 20, twice, CUBIC gets nine tenths of the sum after 2.0 s so, 2.2 with 150 ms, and 9 without any
 * of this; of 50 with 20 ms and 50 with 120, from the third to the 16th second, 89 Mbit/s with either
 * (simulation, the medians of nine seeds). */
#define FULL_US 100000u

/* Fewer round trips of probes say little of what they differ by. A radio's own noise is no luck, and an
 * accident is no jitter. */
#define LEAST_TURNS 4u
#define LEAST_SPREAD_US 3000u
#define MOST_SPREAD_US 25000u

/* Who paced so lately, or did not, sends alike what he sends next: a system has one congestion control for
 * all as a rule. */
#define KNOWN_US (600ull * 1000000)

static uint32_t farthest_us(const struct mp_peer *peer)
{
  uint32_t farthest_us = 0;
  MP_FOR_EACH_PATH(peer->usable & peer->schedule.carrying, id) {
    const struct mp_rtt *rtt = &peer->paths[id].rtt;
    const uint32_t rtt_us = rtt->smoothed_us + 4 * rtt->var_us;
    if (rtt_us > farthest_us)
      farthest_us = rtt_us;
  }
  return farthest_us;
}

/* How long a flow may wait before the paths are taken to be full. While one of them opens, or the flow takes
 * one alone, that is what it waits for: of 20 Mbit/s with 50 ms and 15 with 60, with jitter of 20 and 25 and
 * 2 % of losses, CUBIC gets nine tenths of the sum after 3.5 s so, and after 12 with FULL_US alone
 * (simulation, the medians of nine seeds). */
static uint64_t patience_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                            const struct mp_adaptive_flow *flow)
{
  const uint64_t opens_us = flow->wide_us ? mp_choice_opens_us(tunnel, peer, mp_choice_wide(peer))
                                          : 2ull * farthest_us(peer);
  return opens_us > FULL_US ? opens_us : FULL_US;
}

static bool is_full(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                    const struct mp_adaptive_flow *flow, uint16_t bucket)
{
  const uint64_t since_us = mp_queue_since(peer->adaptive->queue, bucket);
  const uint64_t waited_us = since_us > 0 ? tunnel->now_us - since_us : 0;
  return waited_us >= FULL_US && waited_us >= patience_us(tunnel, peer, flow);
}

static void swap(uint8_t *a, uint8_t *b, size_t bytes)
{
  uint8_t kept[16];
  memcpy(kept, a, bytes);
  memcpy(a, b, bytes);
  memcpy(b, kept, bytes);
}

/* The flow that the packet acknowledges; NULL: none that we know. */
static struct mp_adaptive_flow *acknowledged(const struct mp_tunnel *tunnel,
                                             const struct mp_peer *peer,
                                             const struct mp_packet *ack, uint16_t *bucket)
{
  uint8_t packet[MP_ACKFILTER_MOST_BYTES];
  struct mp_inner inner;
  memcpy(packet, ack->bytes, ack->length);
  const bool is_ipv4 = packet[0] >> 4 == 4;
  const size_t source = is_ipv4 ? 12 : 8, address_bytes = is_ipv4 ? 4 : 16;
  uint8_t *ports = packet + (is_ipv4 ? 20 : 40);
  swap(packet + source, packet + source + address_bytes, address_bytes);
  swap(ports, ports + 2, 2);
  if (!mp_inner_parse(&inner, packet, ack->length))
    return NULL;
  *bucket = mp_inner_bucket(&inner, packet, ack->length, peer->schedule.hash, tunnel->seed);
  return mp_adaptive_flow(peer->adaptive, *bucket);
}

/* An acknowledgement of what we have sent. */
struct answer {
  struct mp_ack ack;
  uint16_t bucket;
  struct mp_adaptive_flow *flow; /* that it acknowledges */
};

static bool read_answer(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                        const struct mp_packet *packet, struct answer *answer)
{
  if (packet->length > MP_ACKFILTER_MOST_BYTES ||
      !mp_ack_read(&answer->ack, packet->bytes, packet->length))
    return false;
  answer->flow = acknowledged(tunnel, peer, packet, &answer->bucket);
  return answer->flow;
}

/* How long a round trip of one packet takes on the quickest path as a rule, and how much it differs on all
 * of them, each as far as it carries; false where it hardly does. By the path that differs most 300 Mbit/s
 * with 8 ms and 30 with 40 that jitter give 248 at least, and 265 so (simulation, twelve seeds). */
static bool ordinary(const struct mp_peer *peer, uint64_t *turn_us, uint64_t *spread_us)
{
  uint64_t weights = 0, spreads_us = 0;
  *turn_us = UINT64_MAX;
  MP_FOR_EACH_PATH(peer->usable & peer->schedule.carrying, id) {
    const struct mp_window *window = &peer->adaptive->lanes[id].window;
    const struct mp_rest *turns = &window->turns;
    if (turns->count < LEAST_TURNS)
      continue;
    if ((uint64_t)turns->mean_us < *turn_us)
      *turn_us = (uint64_t)turns->mean_us;
    const uint64_t weight = mp_choice_capacity(window) + 1; /* none is known before the first load */
    weights += weight;
    spreads_us += weight * turns->spread_us;
  }
  *spread_us = weights == 0 ? 0 : spreads_us / weights;
  return *spread_us >= LEAST_SPREAD_US;
}

static bool is_lately(uint64_t at_us, uint64_t now_us)
{
  return at_us > 0 && now_us - at_us < KNOWN_US;
}

/* Who has not shown that he does not. When they have shown that they do, it is too late for the connection by
 * which they did. */
bool mp_acks_may_pace(const struct mp_peer *peer, uint64_t now_us)
{
  const struct mp_ackfilter *acks = &peer->adaptive->acks;
  return is_lately(acks->paced_us, now_us) || !is_lately(acks->prompt_us, now_us);
}

/* The least round trip that its sender may find. Somebody waits for the handshake, which is held for no
 * longer than one packet takes as a rule. Of two links of 50 Mbit/s with 20 ms and jitter of 20 BBR gets 84
 * Mbit/s from the third to the 16th second so, 78 at least; 85 and 79 with half of what they differ by there,
 * too; and 53 and 10 where the handshake may be lucky (simulation, twelve seeds). A connection opens after 54
 * ms there, and after 40 without (the means of 60).
 *
 * Who paces begins with as much as fits 2.885 of its handshakes (tcp_bbr.c, bbr_high_gain), and stops
 * growing where a stream in order takes longer than that. So for who may pace it is what four packets of
 * five are done in, by a normal distribution. Of 20 Mbit/s with 50 ms, jitter of 20 and 15 with 60 and 25,
 * of which one packet in 50 is lost, BBR gets 25 Mbit/s from the third to the tenth second so, 17 at least,
 * and 19 and 15 as the others do; of 40 with 35 ms, jitter of 8 and 100 with 50 and 25, of which one in 100
 * is, 72 and 53, and 65 and 50 (simulation, twelve seeds). What opens before anybody has shown how he sends
 * opens 15 ms later for it over the links above. */
static uint64_t least_us(const struct mp_peer *peer, const struct mp_ack *ack, uint64_t now_us)
{
  uint64_t turn_us, spread_us;
  if (!(ack->is_plain || ack->is_first) || !ordinary(peer, &turn_us, &spread_us))
    return 0;
  const uint64_t more_us = spread_us < MOST_SPREAD_US ? spread_us : MOST_SPREAD_US;
  if (mp_acks_may_pace(peer, now_us))
    return turn_us + more_us;
  return ack->is_first ? turn_us : turn_us + more_us / 2;
}

static bool is_lucky(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_packet *packet,
                     const struct answer *answer)
{
  const uint64_t turn_us = least_us(peer, &answer->ack, tunnel->now_us);
  if (turn_us == 0)
    return false;
  const uint64_t sent_us = mp_luck_sent_us(&answer->flow->sent, answer->ack.number);
  return sent_us > 0 && sent_us + turn_us > tunnel->now_us &&
         mp_luck_put(&peer->adaptive->luck, tunnel->pool, packet, sent_us + turn_us);
}

static bool thin(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_packet *packet,
                 const struct answer *answer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  const struct mp_ackfilter_sight sight = {
      .now_us = tunnel->now_us,
      .rtt_us = farthest_us(peer),
      .sent_us = answer->flow->seen_us,
      .sent_to = answer->flow->sent_to,
  };
  if (answer->ack.is_first ||
      !mp_ackfilter_take(&adaptive->acks, tunnel->pool, packet, &answer->ack, &sight))
    return false;
  if (is_full(tunnel, peer, answer->flow, answer->bucket))
    mp_ackfilter_end(&adaptive->acks, tunnel->now_us);
  return true;
}

static void pass(const struct answer *answer)
{
  if (!answer->ack.is_first)
    mp_gather_passed(&answer->flow->turns, answer->ack.number, answer->flow->sent_to);
}

/* For what does not come too soon. */
static bool hold(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_packet *packet,
                 const struct answer *answer)
{
  struct mp_gather *gather = &peer->adaptive->gather;
  if (answer && !answer->ack.is_first)
    mp_gather_came(gather, answer->bucket, &answer->flow->turns, answer->ack.number,
                   answer->flow->sent_to, tunnel->now_us);
  if (mp_gather_put(gather, tunnel->pool, packet, tunnel->now_us) ||
      (answer && thin(tunnel, peer, packet, answer)))
    return true;
  if (answer)
    pass(answer);
  return false;
}

bool mp_acks_hold(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_packet *packet)
{
  struct answer answer;
  const bool is_answer = read_answer(tunnel, peer, packet, &answer);
  return (is_answer && is_lucky(tunnel, peer, packet, &answer)) ||
         hold(tunnel, peer, packet, is_answer ? &answer : NULL);
}

/* It has waited for luck to end, and may have to for something else. */
static void go_on(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_packet *packet)
{
  struct answer answer;
  const bool is_answer = read_answer(tunnel, peer, packet, &answer);
  if (!hold(tunnel, peer, packet, is_answer ? &answer : NULL))
    mp_data_hand_on(tunnel, packet);
}

static struct mp_packet *release(struct mp_adaptive *adaptive, uint64_t now_us)
{
  struct mp_packet *packet = mp_gather_take(&adaptive->gather, now_us);
  return packet ? packet : mp_ackfilter_release(&adaptive->acks, now_us);
}

void mp_acks_settle(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_packet *packet;
  while ((packet = mp_luck_take(&adaptive->luck, tunnel->now_us)))
    go_on(tunnel, peer, packet);
  while ((packet = release(adaptive, tunnel->now_us))) {
    struct answer answer;
    if (read_answer(tunnel, peer, packet, &answer))
      pass(&answer);
    mp_data_hand_on(tunnel, packet);
  }
  tunnel->counters[MP_COUNTER_DROP_ACK_THINNED] += adaptive->acks.thinned;
  adaptive->acks.thinned = 0;
  mp_deadlines_by(&tunnel->answers, peer->id, mp_luck_due(&adaptive->luck));
  mp_deadlines_by(&tunnel->answers, peer->id, mp_gather_due(&adaptive->gather));
  mp_deadlines_by(&tunnel->answers, peer->id, mp_ackfilter_due(&adaptive->acks));
}

void mp_acks_end(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  mp_gather_stop(&peer->adaptive->gather, tunnel->now_us);
  mp_ackfilter_end(&peer->adaptive->acks, tunnel->now_us);
  struct mp_packet *packet;
  while ((packet = mp_luck_take(&peer->adaptive->luck, UINT64_MAX)))
    mp_data_hand_on(tunnel, packet);
  mp_acks_settle(tunnel, peer);
}

void mp_acks_close(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  mp_deadlines_remove(&tunnel->answers, peer->id);
  struct mp_packet *packet;
  while ((packet = mp_luck_take(&peer->adaptive->luck, UINT64_MAX)))
    mp_pool_give(tunnel->pool, packet);
  while ((packet = release(peer->adaptive, UINT64_MAX)))
    mp_pool_give(tunnel->pool, packet);
}
