/* Probes and echoes: asking a path, answering, and what either says. When to ask, and what silence
 * means, is decided in health.c. */
#include "adaptive_corridor.h"
#include "le.h"

/* An answer that takes so much longer than usual tells of a stop, and not of a round trip. Taken for one it
 * would make the usual one seconds, and at the next stop what is under way would have to be late by seconds
 * before it is doubted. Where questions are rarer, CUBIC gets 86.7 % of the sum of a link that stops and a
 * steadier one, and 84.5 without this; BBR 87.4 and 84.4 (the means of eight delays). */
#define STOP_US 500000u

static uint16_t heard_paths(const struct mp_peer *peer)
{
  uint16_t heard = 0;
  MP_FOR_EACH_PATH(peer->present, id)
    if (peer->paths[id].heard)
      heard |= mp_path_bit(id);
  return heard;
}

void mp_probe_send(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  if (path->endpoint.port == MP_CROSSING_NO_PORT)
    return;
  uint8_t question[MP_PROBE_BYTES] = {0};
  mp_store32(question + MP_PROBE_ID, path->probe_id++);
  mp_store64(question + MP_PROBE_TIME, tunnel->now_us);
  mp_store16(question + MP_PROBE_HEARD, heard_paths(peer));
  mp_store16(question + MP_PROBE_CARRYING, peer->schedule.carrying);
  mp_store32(question + MP_PROBE_EXPECTED, (uint32_t)path->rx_expected);
  mp_store32(question + MP_PROBE_RECEIVED, (uint32_t)path->rx_datagrams);
  const struct mp_body body = {.type = MP_MSG_PROBE, .bytes = question, .length = sizeof question};
  if (!mp_out_push(tunnel, peer, id, &body))
    return;
  if (path->asked_us == 0)
    path->asked_us = tunnel->now_us;
}

/* The newest word on which paths the peer's packets may be on. Its probe is the last datagram under
 * the old plan on this path, or the first under the new one. */
static void take_carrying(struct mp_peer *peer, uint16_t carrying, uint64_t sent_us)
{
  if (sent_us < peer->carrying_told_us)
    return;
  peer->carrying_told_us = sent_us;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    struct mp_reorder_path *view = &peer->order_paths[id];
    const bool now = carrying & mp_path_bit(id);
    if (view->carrying == now)
      continue;
    view->carrying = now;
    view->changed_us = sent_us;
  }
}

/* What probes and echoes say alike. */
static void take_report(struct mp_tunnel *tunnel, struct mp_peer *peer,
                        const struct mp_packet *packet)
{
  const uint8_t *body = packet->bytes;
  struct mp_path *path = &peer->paths[packet->path];
  take_carrying(peer, mp_load16(body + MP_PROBE_CARRYING), packet->sent_us);
  path->peer_expected = mp_unwrap(path->peer_expected, mp_load32(body + MP_PROBE_EXPECTED), 32);
  path->peer_received = mp_unwrap(path->peer_received, mp_load32(body + MP_PROBE_RECEIVED), 32);
  mp_health_heard_by_peer(tunnel, peer, mp_load16(body + MP_PROBE_HEARD), packet->sent_us);
}

bool mp_probe_answer(struct mp_tunnel *tunnel, struct mp_peer *peer,
                     const struct mp_packet *packet)
{
  if (packet->length != MP_PROBE_BYTES)
    return false;
  take_report(tunnel, peer, packet);
  const uint8_t *question = packet->bytes;
  const struct mp_path *path = &peer->paths[packet->path];
  uint8_t answer[MP_PROBE_BYTES];
  memcpy(answer, question, sizeof answer);
  /* Answered within the batch that it came in: no time is held back that could be told. */
  mp_store32(answer + MP_PROBE_HOLD, 0);
  mp_store32(answer + MP_PROBE_OWD,
             (uint32_t)(tunnel->now_us - mp_load64(question + MP_PROBE_TIME)));
  mp_store16(answer + MP_PROBE_HEARD, heard_paths(peer));
  mp_store16(answer + MP_PROBE_CARRYING, peer->schedule.carrying);
  mp_store32(answer + MP_PROBE_EXPECTED, (uint32_t)path->rx_expected);
  mp_store32(answer + MP_PROBE_RECEIVED, (uint32_t)path->rx_datagrams);
  const struct mp_body body = {.type = MP_MSG_ECHO, .bytes = answer, .length = sizeof answer};
  mp_out_push(tunnel, peer, packet->path, &body);
  return true;
}

/* All that was asked while the path stood still is answered at once when it goes on, and says nothing of
 * round trips. What is asked after that does. */
static bool has_waited_out_stop(struct mp_path *path, uint32_t rtt_us, uint64_t asked_us,
                                uint64_t now_us)
{
  if (path->rtt.smoothed_us == 0 || rtt_us <= path->rtt.smoothed_us + STOP_US) {
    path->went_on_us = 0;
    return false;
  }
  if (path->went_on_us == 0)
    path->went_on_us = now_us;
  return asked_us < path->went_on_us;
}

bool mp_probe_on_echo(struct mp_tunnel *tunnel, struct mp_peer *peer,
                      const struct mp_packet *packet)
{
  if (packet->length != MP_PROBE_BYTES)
    return false;
  const uint8_t *body = packet->bytes;
  const uint64_t away_us = tunnel->now_us - mp_load64(body + MP_PROBE_TIME);
  const uint32_t hold_us = mp_load32(body + MP_PROBE_HOLD);
  /* The peer is authentic, its arithmetic need not be: more than an hour, or less than nothing, is
   * no round trip. */
  if (away_us > 3600u * 1000000ull || hold_us > away_us)
    return false;
  struct mp_path *path = &peer->paths[packet->path];
  const uint32_t rtt_us = (uint32_t)away_us - hold_us;
  const uint64_t asked_us = mp_load64(body + MP_PROBE_TIME);
  if (!has_waited_out_stop(path, rtt_us, asked_us, tunnel->now_us)) {
    mp_rtt_sample(&path->rtt, rtt_us ? rtt_us : 1);
    peer->order_paths[packet->path].pto_us = mp_report_pto_us(path);
  }
  path->tx_owd_us = mp_load32(body + MP_PROBE_OWD);
  path->tx_owd_any = true;
  path->refused = false;
  mp_reported_idle(tunnel, peer, packet->path, asked_us);
  mp_doubt_heard(tunnel, peer, packet->path, asked_us);
  mp_repair_tune(peer);
  take_report(tunnel, peer, packet);
  return true;
}
