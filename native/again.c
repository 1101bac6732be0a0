/* What has to be sent again: lost, refused by the kernel, or perhaps lost. It waits for the pump. */
#include "adaptive.h"

#include <stdlib.h>

#include "adaptive_corridor.h"
#include "le.h"

#define CAPACITY_LEAST 16u

/* Tries of one packet, the first included. */
#define MOST_TRIES 4u
/* What is older than this is of no use to its flow, which has sent it again by itself. At least so
 * long, or a cut would lose packets: twice the time after which a path is doubted. */
#define AGAIN_LEAST_US 400000u
/* Tried again within the turn, what the kernel refused would be refused again, and the turn would have no
 * end. A millisecond empties an eighth of a megabyte from a full buffer at 1 Gbit/s. */
#define REST_US 1000u

/* Makes room for one more. */
static bool has_room(struct mp_agains *agains)
{
  const uint32_t count = agains->tail - agains->head;
  if (count < agains->capacity)
    return true;
  const uint32_t capacity = agains->capacity > 0 ? agains->capacity * 2 : CAPACITY_LEAST;
  struct mp_again *slots =
      capacity <= MP_AGAIN_MOST ? malloc(capacity * sizeof slots[0]) : NULL;
  if (!slots)
    return false;
  for (uint32_t at = agains->head; at != agains->tail; at++)
    slots[at & (capacity - 1)] = agains->slots[at & (agains->capacity - 1)];
  free(agains->slots);
  agains->slots = slots;
  agains->capacity = capacity;
  return true;
}

/* Takes the reference. False when there is no room. */
static bool put_again(struct mp_tunnel *tunnel, struct mp_peer *peer, const struct mp_again *again)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  const uint16_t bucket = mp_flow_bucket(again->what.flow);
  struct mp_agains *agains = &adaptive->again[mp_class_now(peer, bucket)];
  if (!has_room(agains)) {
    mp_load_drop(&tunnel->loads, again->what.load);
    return false;
  }
  agains->slots[agains->tail++ & (agains->capacity - 1)] = *again;
  return true;
}

void mp_again_lost(void *place, const struct mp_flown *what)
{
  const struct mp_place *on = place;
  struct mp_tunnel *tunnel = on->tunnel;
  struct mp_peer *peer = on->peer;
  struct mp_again again = {.what = *what, .avoids = MP_CROSSING_NO_PATH};
  const uint64_t pto_us = 2 * mp_doubt_pto_us(peer, on->path);
  const uint64_t age_us = tunnel->now_us - what->first_us;
  if (what->tries >= MOST_TRIES || age_us > (pto_us > AGAIN_LEAST_US ? pto_us : AGAIN_LEAST_US)) {
    peer->adaptive->given_up++;
    mp_load_drop(&tunnel->loads, what->load);
    return;
  }
  if (!put_again(tunnel, peer, &again)) { /* nor is there room for a second */
    peer->adaptive->given_up++;
    return;
  }
  /* The last but one goes out twice: with one try for each 50-80 ms of hold 12 packets stay lost in 50 s of
   * 2 % losses (simulation), enough to halve CUBIC. So does the first where there is no time for more: over
   * two links with 50 and 60 ms, jitter of 20 and 25 and 2 % losses CUBIC gets 77 % of the sum, and 44 %
   * without this (the medians of six seeds). */
  if (what->tries > 2 || (what->tries == 1 && !mp_repair_is_hurried(peer)))
    return;
  mp_load_keep(what->load);
  again.avoids = on->path;
  put_again(tunnel, peer, &again);
}

void mp_again_offer(void *place, uint64_t serial, const struct mp_flown *what)
{
  const struct mp_place *on = place;
  put_again(on->tunnel, on->peer, &(struct mp_again){
      .what = *what, .serial = serial, .avoids = on->path, .is_offer = true});
}

/* It was never under way: that is no try. */
static void take_refused(void *place, const struct mp_flown *what)
{
  const struct mp_place *on = place;
  struct mp_again again = {.what = *what, .avoids = MP_CROSSING_NO_PATH};
  again.what.tries--;
  on->peer->adaptive->given_up += !put_again(on->tunnel, on->peer, &again);
}

/* A path that is out of use, as one without a device is, may be so for long. Packets then go there no more
 * often than a path in doubt is asked. */
static uint32_t rest_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id)
{
  if (peer->usable & mp_path_bit(id))
    return REST_US;
  const uint32_t share_us = mp_health_retry_us(tunnel->now_us - peer->paths[id].lost_us, REST_US);
  const uint32_t most_us = peer->probe_us / 4;
  return share_us < most_us ? share_us : most_us;
}

void mp_again_refused(struct mp_tunnel *tunnel, struct mp_peer *peer,
                     const struct mp_datagram *datagram)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  if (!adaptive)
    return;
  struct mp_lane *lane = &adaptive->lanes[datagram->path];
  struct mp_flight *flight = &lane->flight;
  lane->rests_us = tunnel->now_us + rest_us(tunnel, peer, datagram->path);
  /* The pump has ended before the kernel was asked, perhaps with nothing left to send. */
  if (lane->rests_us < adaptive->pump_us)
    adaptive->pump_us = lane->rests_us;
  mp_wake_by(tunnel, peer, lane->rests_us);
  struct mp_place place = {tunnel, peer, datagram->path};
  uint64_t serial;
  if (mp_flight_serial(flight, mp_load16(datagram->bytes + MP_HEADER_RECEIVER),
                       mp_load32(datagram->bytes + MP_HEADER_PATH_SEQ), &serial))
    mp_flight_refused(flight, serial, &(struct mp_flight_fate){&tunnel->loads, take_refused, &place});
}
