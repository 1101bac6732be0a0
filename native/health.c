/* Is a path alive, and is a peer in use? Silence, and how often to ask.
 *
 *   peer   in use    data within idle_after_us: paths are probed every probe_us
 *          idle      the initiator keeps NAT mappings open, the other side only answers
 *   path   heard     something authenticated came lately
 *          doubted   heard, but silent for more than a probe interval: asked four times as often
 *          lost      silent too long, or unheard by the peer, or refused by the kernel
 *
 * A path is taken out here, at once, and let in again by TypeScript alone. */
#include "adaptive_corridor.h"

/* A path that is lost, or was never heard, is asked more rarely: it costs less and an answer still comes
 * within a second. One that worked is so by and by, which makes the time that it is away longer by a 32nd at
 * most. Of 20 Mbit/s with 10 ms and 20 with 25 that CUBIC fills, one that is cut for two to seven seconds
 * carries its share again 0.1 s sooner so (the mean, simulation). */
#define LOST_PROBE_SHARE 32u
#define LOST_PROBE_FACTOR 4u
/* One that does not answer is asked the more rarely the longer that lasts: in a link that stops, all
 * questions wait for it to go on, and the first one tells. On a recorded link that stops for up to six
 * seconds the queue's 95th percentile was 148 ms of its rate with one in 25 ms, and is 100 so. */
#define RETRY_SHARE 8u
/* Probing an idle path that does not answer, before it is given up. Round trips of satellites (600
 * ms) and sleeping radios (1-2 s to wake) fit in. */
#define IDLE_RETRY_US 500000u
#define IDLE_SILENCE_US 3000000u

/* A metered path that carries is asked so often, by the side that has not heard it for so long. The
 * initiator comes first, and the other side finds that it has been heard. */
#define METERED_PROBE_US 5000000u
#define METERED_TURN_US 1000000u

/* The only path is asked so often while data goes there and it is heard, once it is known: there is nothing
 * to compare it with and none that could take over. A hundred clients of one path each that are all busy
 * cost the server 2000 probes and echoes a second each way at 100 ms, and 200 so. What delays are usual
 * without data was to be known before: of a link of 50 Mbit/s with jitter of 20 ms BBR gets 68 % when it
 * was asked ten times, and 89 so, as with probes that go on (the means of three and of six seeds). */
#define LONE_PROBE_US 1000000u
#define KNOWN_PROBES 32u

/* How much a path's delay varies is to be known before it is loaded: under load nothing shows it (rest.h).
 * One that has just been heard for the first time, or again, is asked so often in a row. A single link of
 * 50 Mbit/s with 20 ms and jitter of 20, loaded as soon as it is up, carries 46, 44 and 8 Mbit/s of CUBIC
 * and 42 of BBR so, and 6 and 7 when it is asked each 100 ms (the kernel's, from the third second on). */
#define STRANGE_PROBES 8u
#define STRANGE_PROBE_US 25000u

/* While others work it is only kept alive; when none does, all are needed. */
static bool rests(const struct mp_peer *peer, uint8_t id)
{
  const struct mp_schedule *schedule = &peer->schedule;
  return schedule->resting & mp_path_bit(id) &&
         (schedule->carrying == 0 || peer->usable & ~schedule->resting);
}

static bool is_metered(const struct mp_peer *peer, uint8_t id)
{
  return peer->adaptive && peer->adaptive->lanes[id].listed &&
         peer->adaptive->lanes[id].flags & MP_PLAN_PATH_FLAG_METERED;
}

uint32_t mp_health_interval_us(const struct mp_peer *peer, uint8_t id)
{
  return rests(peer, id)        ? peer->keepalive_us
         : is_metered(peer, id) ? METERED_PROBE_US + (peer->initiator ? 0 : METERED_TURN_US)
                                : peer->probe_us;
}

static bool is_heard_anyway(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                            const struct mp_path *path)
{
  return mp_has_one_path(peer) && path->probe_id >= KNOWN_PROBES && path->heard && path->heard_by_peer &&
         tunnel->now_us - peer->last_data_us < peer->probe_us &&
         tunnel->now_us - path->last_rx_us < peer->probe_us;
}

static void tell_if_alive(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  if (peer->usable & mp_path_bit(id) || path->alive_told || path->refused || !path->heard ||
      !path->heard_by_peer)
    return;
  struct mp_event_path_alive *event = mp_event_because_of(tunnel, peer, MP_EVENT_PATH_ALIVE);
  if (!event)
    return; /* the next word of the peer brings it here again */
  event->peer = peer->id;
  event->path = id;
  mp_event_end(tunnel);
  path->alive_told = true;
}

uint32_t mp_health_retry_us(uint64_t unanswered_us, uint32_t least_us)
{
  const uint64_t share_us = unanswered_us / RETRY_SHARE;
  if (share_us > UINT32_MAX)
    return UINT32_MAX;
  return share_us > least_us ? (uint32_t)share_us : least_us;
}

void mp_health_probe_all(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  MP_FOR_EACH_PATH(peer->present, id) {
    mp_probe_send(tunnel, peer, id);
    peer->paths[id].next_probe_us = tunnel->now_us + peer->probe_us;
  }
  mp_wake_by(tunnel, peer, tunnel->now_us + peer->probe_us / 4);
}

static void probe_those_in_use(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  MP_FOR_EACH_PATH(peer->present, id) {
    if (rests(peer, id))
      continue;
    mp_probe_send(tunnel, peer, id);
    peer->paths[id].next_probe_us = tunnel->now_us + mp_health_interval_us(peer, id);
  }
  mp_wake_by(tunnel, peer, tunnel->now_us + peer->probe_us / 4);
}

void mp_health_enter_use(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  peer->in_use = true;
  peer->in_use_since_us = tunnel->now_us;
  struct mp_event_peer_use *event = mp_event_begin(tunnel, MP_EVENT_PEER_USE);
  if (event) {
    event->peer = peer->id;
    event->in_use = 1;
    mp_event_end(tunnel);
  }
  probe_those_in_use(tunnel, peer);
}

static void leave_use(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  peer->in_use = false;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
    peer->paths[id].next_probe_us = tunnel->now_us + peer->keepalive_us;
  struct mp_event_peer_use *event = mp_event_begin(tunnel, MP_EVENT_PEER_USE);
  if (event) {
    event->peer = peer->id;
    mp_event_end(tunnel);
  }
}

void mp_health_session(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  peer->last_data_us = tunnel->now_us;
  mp_health_enter_use(tunnel, peer);
  mp_health_probe_all(tunnel, peer);
}

void mp_health_heard_anew(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  path->heard = true;
  path->strange = STRANGE_PROBES;
  path->next_strange_us = tunnel->now_us + STRANGE_PROBE_US;
  /* The other side waits for this word before it uses the path. */
  mp_probe_send(tunnel, peer, id);
  mp_wake_by(tunnel, peer, tunnel->now_us); /* from now on its silence counts */
  tell_if_alive(tunnel, peer, id);
}

void mp_health_lose(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id, uint8_t why,
                    int error)
{
  struct mp_path *path = &peer->paths[id];
  if (!(peer->usable & mp_path_bit(id)) && !path->alive_told)
    return;
  peer->usable &= (uint16_t)~mp_path_bit(id);
  path->alive_told = false;
  path->lost_us = tunnel->now_us;
  path->refused = why == MP_PATH_LOST_ERROR;
  if (why == MP_PATH_LOST_UNHEARD) {
    mp_doubt_unheard(tunnel, peer, id, peer->heard_told_us);
  } else {
    path->heard = false;
    peer->has_news = true;
    mp_wake_by(tunnel, peer, tunnel->now_us);
    mp_doubt_leave(tunnel, peer, id);
  }
  peer->order_paths[id].live = path->heard;
  struct mp_event_path_lost *event = mp_event_begin(tunnel, MP_EVENT_PATH_LOST);
  if (!event)
    return;
  event->peer = peer->id;
  event->path = id;
  event->why = why;
  event->error_number = error;
  mp_event_end(tunnel);
}

void mp_health_heard_by_peer(struct mp_tunnel *tunnel, struct mp_peer *peer, uint16_t heard,
                             uint64_t sent_us)
{
  if (sent_us < peer->heard_told_us)
    return;
  peer->heard_told_us = sent_us;
  MP_FOR_EACH_PATH(peer->present, id) {
    struct mp_path *path = &peer->paths[id];
    const bool was_heard = path->heard_by_peer;
    path->heard_by_peer = heard & mp_path_bit(id);
    if (was_heard && !path->heard_by_peer)
      mp_health_lose(tunnel, peer, id, MP_PATH_LOST_UNHEARD, 0);
    tell_if_alive(tunnel, peer, id);
  }
}

/* How long the path has owed us a word. After idleness nobody could have spoken before the first
 * round trip. */
static uint64_t silence_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                           const struct mp_path *path)
{
  const uint64_t asked_us =
      path->watched_us > peer->in_use_since_us ? path->watched_us : peer->in_use_since_us;
  const uint64_t first_word_us = asked_us + path->rtt.smoothed_us + 4ull * path->rtt.var_us;
  const uint64_t since_us = path->last_rx_us > first_word_us ? path->last_rx_us : first_word_us;
  return tunnel->now_us > since_us ? tunnel->now_us - since_us : 0;
}

static void fall_silent(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  peer->paths[id].heard = false;
  mp_health_lose(tunnel, peer, id, MP_PATH_LOST_SILENT, 0);
  peer->order_paths[id].live = false;
}

/* Asked rarely, so that silence counts from a question that was not answered. */
static uint64_t tick_metered_path(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  if (path->heard && path->asked_us != 0 && tunnel->now_us >= path->asked_us + peer->silence_us)
    fall_silent(tunnel, peer, id);
  const bool works = path->heard && path->heard_by_peer;
  const uint32_t interval_us = mp_health_interval_us(peer, id);
  if (works && path->asked_us == 0)
    path->next_probe_us = path->last_rx_us + interval_us;
  if (path->next_probe_us <= tunnel->now_us) {
    mp_probe_send(tunnel, peer, id);
    path->next_probe_us = tunnel->now_us + (works ? IDLE_RETRY_US : interval_us);
  }
  return path->next_probe_us;
}

static uint32_t lost_interval_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                                 const struct mp_path *path)
{
  const uint64_t most_us = LOST_PROBE_FACTOR * (uint64_t)peer->probe_us;
  const uint64_t share_us = (tunnel->now_us - path->lost_us) / LOST_PROBE_SHARE;
  if (path->lost_us == 0 || share_us > most_us)
    return (uint32_t)most_us;
  return share_us > peer->probe_us ? (uint32_t)share_us : peer->probe_us;
}

static uint64_t tick_used_path(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  const uint64_t silent_us = silence_us(tunnel, peer, path);
  if (path->heard && silent_us >= peer->silence_us)
    fall_silent(tunnel, peer, id);
  uint32_t interval_us = peer->probe_us;
  if (!path->heard || !path->heard_by_peer)
    interval_us = lost_interval_us(tunnel, peer, path);
  else if (path->seldom && interval_us < LONE_PROBE_US)
    interval_us = LONE_PROBE_US;
  else if (silent_us > interval_us + interval_us / 4)
    interval_us = mp_health_retry_us(silent_us, interval_us / 4);
  if (path->next_probe_us > tunnel->now_us + interval_us)
    path->next_probe_us = tunnel->now_us + interval_us;
  if (path->next_probe_us <= tunnel->now_us) {
    mp_probe_send(tunnel, peer, id);
    path->next_probe_us = tunnel->now_us + interval_us;
  }
  /* A quarter of the interval is the grain of doubt and of silence. */
  const uint64_t grain_us = (path->seldom ? path->last_rx_us + peer->probe_us : tunnel->now_us) +
                            peer->probe_us / 4;
  return path->next_probe_us < grain_us || !path->heard ? path->next_probe_us : grain_us;
}

static uint64_t tick_idle_path(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  const uint64_t since_us =
      peer->initiator ? path->asked_us : path->last_rx_us + 3ull * peer->keepalive_us;
  if (path->heard && since_us != 0 && tunnel->now_us >= since_us + IDLE_SILENCE_US)
    fall_silent(tunnel, peer, id);
  if (!peer->initiator)
    return path->heard ? since_us + IDLE_SILENCE_US : UINT64_MAX;

  if (path->heard && path->asked_us == 0)
    path->next_probe_us = path->last_rx_us + peer->keepalive_us;
  if (path->next_probe_us <= tunnel->now_us) {
    mp_probe_send(tunnel, peer, id);
    path->next_probe_us =
        tunnel->now_us + (path->heard ? IDLE_RETRY_US : peer->keepalive_us);
  }
  return path->next_probe_us;
}

static uint64_t tick_strange_path(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  if (path->strange == 0 || !path->heard)
    return UINT64_MAX;
  if (path->next_strange_us <= tunnel->now_us) {
    mp_probe_send(tunnel, peer, id);
    path->strange--;
    path->next_strange_us = tunnel->now_us + STRANGE_PROBE_US;
  }
  return path->next_strange_us;
}

static uint64_t tick_path(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  const bool was_rested = path->rested, was_seldom = path->seldom;
  path->rested = rests(peer, id);
  path->seldom = peer->in_use && !path->rested && is_heard_anyway(tunnel, peer, path);
  if ((was_rested && !path->rested) || (was_seldom && !path->seldom && peer->in_use)) {
    path->watched_us = tunnel->now_us;
    path->next_probe_us = tunnel->now_us;
  }
  if (!peer->in_use || path->rested)
    return tick_idle_path(tunnel, peer, id);
  return is_metered(peer, id) ? tick_metered_path(tunnel, peer, id)
                              : tick_used_path(tunnel, peer, id);
}

void mp_health_probe_usable(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  MP_FOR_EACH_PATH(peer->usable, id)
    mp_probe_send(tunnel, peer, id);
}

/* That a path is gone is told at once on those that work, and before that what has come on it: the peer
 * sends the rest again. */
static void tell_news(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  peer->has_news = false;
  mp_report_now(tunnel, peer);
  mp_health_probe_usable(tunnel, peer);
}

uint64_t mp_health_tick(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (!peer->sending)
    return UINT64_MAX;
  if (peer->has_news)
    tell_news(tunnel, peer);
  const uint64_t idle_at_us = peer->last_data_us + peer->idle_after_us;
  if (peer->in_use && tunnel->now_us >= idle_at_us)
    leave_use(tunnel, peer);
  uint64_t next_us = peer->in_use ? idle_at_us : UINT64_MAX;
  MP_FOR_EACH_PATH(peer->present, id) {
    const uint64_t at_us = tick_path(tunnel, peer, id);
    const uint64_t strange_us = tick_strange_path(tunnel, peer, id);
    if (at_us < next_us)
      next_us = at_us;
    if (strange_us < next_us)
      next_us = strange_us;
  }
  return next_us;
}
