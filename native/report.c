/* Feedback, written: for the peer, when its data asks for it. */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* Between reports while data flows: a quarter of the least round trip, within these. */
#define INTERVAL_LEAST_US 5000u
#define INTERVAL_MOST_US 20000u
/* Of such a round trip: each 10 ms. */
#define OFTEN_RTT_US 40000u
/* Longer than that is a pause of the sender, as a rule, and none of the path. */
#define ARRIVALS_APART_US 500000u
/* A peer that is heard on one path alone has no other to change to, and need not hear soon of what came. A
 * report that says little, of fewer octets than the least window lets go, waits for more: with data of ours
 * it goes after RIDES_US, alone after PATIENT_US, which is a fifth less than a peer counts on (PROTOCOL.md,
 * 13). The time between the two is longer than that between two bursts of a TCP stream of 1 Mbit/s that the
 * kernel paces. Beside 500 packets of 200 octets a second reports take 1.4 % of the octets, and 9.7 % when
 * none waits. Of a hundred clients that download 1 Mbit/s each every third packet brings one, with 60 and
 * 30 ms every second, and when none waits each (bench/micro). */
#define PATIENT_US 80000u
#define RIDES_US 50000u
#define LITTLE_BYTES MP_WINDOW_LEAST_BYTES
/* Datagrams that are shorter on average are acknowledgements, of TCP with all its options too. */
#define DATA_OCTETS 160u
/* Sooner when something is missing, or when so many datagrams came: on a path of a gigabit the
 * window would have to hold 5 ms of it otherwise. */
#define URGENT_US 2000u
#define MANY_DATAGRAMS 256u
#define MANY_US 1000u
/* At such rates a report waits so long for data of ours to go with: alone it would cost one more system
 * call here, and one more waking of the peer's thread. */
#define RIDE_US 500u
/* A path heard within so long is believed to work when it comes to choosing one for a report. */
#define FRESH_US 30000u
/* A copy of a report goes on a second path, in case the first one has just died: of each report while both
 * together are less than 1/64 of what they tell of, and of every fourth when they are more, or come because
 * of MANY_DATAGRAMS. To take turns would do as well, but that the way of a report on a slow path would pass
 * for a part of the data's round trip. */
#define COPY_SHARE 64u
#define COPY_TURNS 4u
/* And of every second where reports come sooner because data of ours fills a path (is_hurried). Of 20 Mbit/s
 * down and 5 up, twice, BBR in both directions gets 7.6 Mbit/s up, and 7.2 with a copy of each
 * (simulation). */
#define HURRIED_TURNS 2u
#define UNKNOWN_RTT_US 300000u
/* After a gap every report is wanted for so long. */
#define LOSSY_US 1000000u
/* As the peer has it, see mp_doubt_pto_us; with room for reports that are as rare as may be. */
#define PTO_SPREAD_US 10000u

uint32_t mp_report_least_rtt_us(const struct mp_peer *peer)
{
  uint32_t least_us = UINT32_MAX;
  MP_FOR_EACH_PATH(peer->present, id) {
    const struct mp_path *path = &peer->paths[id];
    if (path->heard && path->rtt.smoothed_us > 0 && path->rtt.smoothed_us < least_us)
      least_us = path->rtt.smoothed_us;
  }
  return least_us < UINT32_MAX ? least_us : UNKNOWN_RTT_US;
}

static void note_sizes(struct mp_sizes *sizes, uint64_t octets, uint64_t datagrams)
{
  if (datagrams > sizes->datagrams && octets > sizes->octets) {
    const uint64_t size_octets = (octets - sizes->octets) / (datagrams - sizes->datagrams);
    sizes->mean_octets = (uint32_t)((15ull * sizes->mean_octets + size_octets) / 16);
  }
  sizes->octets = octets;
  sizes->datagrams = datagrams;
}

static void note_traffic(struct mp_peer *peer)
{
  uint64_t sent_octets = 0, sent = 0, heard_octets = 0, heard = 0;
  MP_FOR_EACH_PATH(peer->present, id) {
    const struct mp_path *path = &peer->paths[id];
    sent_octets += path->tx_bytes;
    sent += path->tx_datagrams;
    heard_octets += path->rx_bytes;
    heard += path->rx_datagrams;
  }
  note_sizes(&peer->reporting.sent, sent_octets, sent);
  note_sizes(&peer->reporting.heard, heard_octets, heard);
}

static void note_arrivals(struct mp_arrivals *arrivals, uint64_t octets, uint64_t at_us)
{
  const uint64_t passed_us = at_us - arrivals->at_us;
  if (octets >= arrivals->octets && passed_us < ARRIVALS_APART_US)
    mp_variation_note(&arrivals->variation, octets - arrivals->octets, passed_us);
  else
    mp_variation_skip(&arrivals->variation);
  arrivals->at_us = at_us;
  arrivals->octets = octets;
}

static bool hears_data(const struct mp_peer *peer)
{
  return peer->reporting.heard.mean_octets > DATA_OCTETS;
}

bool mp_report_is_mutual(const struct mp_peer *peer)
{
  return peer->reporting.sent.mean_octets > DATA_OCTETS && hears_data(peer);
}

/* Of what comes there, as far as can be told here: of a sender that goes up and down by itself it is, too. */
static bool is_unsteady(const struct mp_peer *peer, uint8_t id)
{
  return mp_variation_unsteady(&peer->reporting.arrivals[id].variation) >= MP_REST_WHOLE / 2;
}

/* The same as if nothing waited where it matters. Where both directions are full a probe waits in each of
 * them, and reports as rare as its round trip says would each let go of a quarter of a window at once. Over
 * ten pairs of links with 7 to 31 ms that CUBIC or BBR fills both ways a ping takes up to 30 ms more than at
 * rest, and 37 without this (99th percentiles, the means, simulation). Where only acknowledgements go, the
 * window is so small that to be full says nothing.
 *
 * Nor does data that comes alone make reports later, within bounds, where the rate goes up and down: a
 * window holds what arrives between two of them, and all of that stands in a link whose rate falls. Three
 * pairs of recorded LTE links keep the next packet for 98 ms (CUBIC) and 100 (BBR) in the 95th percentile so,
 * and 102 and 103 without, for 1 and 3 % of what they carry (the means of 48 starts each, simulation). Where
 * the rate is steady they would only fill the way back: of 20 Mbit/s down and 1 up with 30 ms and with 50 BBR
 * carries 36.3 Mbit/s so, and 35.2 where they are no later there either. */
static uint32_t least_free_rtt_us(const struct mp_peer *peer)
{
  const uint32_t least_us = mp_report_least_rtt_us(peer);
  if (!peer->adaptive || !hears_data(peer))
    return least_us;
  const bool is_mutual = mp_report_is_mutual(peer);
  uint32_t free_us = least_us;
  MP_FOR_EACH_PATH(peer->usable, id) {
    const struct mp_path *path = &peer->paths[id];
    const struct mp_window *window = &peer->adaptive->lanes[id].window;
    const bool counts = is_mutual ? mp_window_is_full(window) : is_unsteady(peer, id);
    if (path->heard && counts && path->rtt.min_us > 0 && path->rtt.min_us < free_us)
      free_us = path->rtt.min_us;
  }
  if (is_mutual || free_us >= OFTEN_RTT_US)
    return free_us;
  return least_us < OFTEN_RTT_US ? least_us : OFTEN_RTT_US;
}

static bool has_choice(const struct mp_peer *peer)
{
  if (mp_has_one_path(peer))
    return false;
  unsigned heard = 0;
  MP_FOR_EACH_PATH(peer->present, id)
    heard += peer->paths[id].heard;
  return heard > 1;
}

static uint32_t interval_of(uint32_t rtt_us)
{
  const uint32_t quarter_us = rtt_us / 4;
  if (quarter_us < INTERVAL_LEAST_US)
    return INTERVAL_LEAST_US;
  return quarter_us < INTERVAL_MOST_US ? quarter_us : INTERVAL_MOST_US;
}

/* What our peer is expected to keep to, which does not know our queue. */
static uint32_t least_interval_us(const struct mp_peer *peer)
{
  return interval_of(mp_report_least_rtt_us(peer));
}

static uint32_t own_interval_us(const struct mp_peer *peer)
{
  return interval_of(least_free_rtt_us(peer));
}

static bool is_hurried(const struct mp_peer *peer)
{
  return own_interval_us(peer) < least_interval_us(peer);
}

uint32_t mp_report_interval_us(const struct mp_peer *peer)
{
  return has_choice(peer) ? least_interval_us(peer) : PATIENT_US;
}

uint32_t mp_report_astray_us(const struct mp_peer *peer)
{
  return FRESH_US + 2 * least_interval_us(peer); /* each before and after what the path brought last */
}

uint32_t mp_report_wait_us(const struct mp_peer *peer, uint64_t sent_us, uint64_t told_us)
{
  return sent_us < told_us + PATIENT_US ? mp_report_interval_us(peer) : least_interval_us(peer);
}

/* Where it is noted. What comes late of an epoch counts with that one. */
static struct mp_feedback_note *note_for(struct mp_peer *peer, uint8_t id,
                                         const struct mp_feedback_datagram *datagram)
{
  struct mp_feedback_note *note = &peer->reporting.notes[id], *before = &peer->reporting.before[id];
  if (mp_feedback_is_of(note, datagram))
    return note;
  if (!peer->sending || datagram->replay != &peer->sending->replay[id])
    return before;
  if (note->replay)
    *before = *note;
  return note;
}

void mp_report_heard_else(struct mp_peer *peer, uint8_t id, const struct mp_feedback_datagram *datagram)
{
  struct mp_reporting *reporting = &peer->reporting;
  struct mp_feedback_note *note = note_for(peer, id, datagram);
  mp_feedback_heard(note, datagram);
  if (note->pending)
    reporting->pending |= mp_path_bit(id);
  reporting->urgent |= note->urgent;
  if (note->urgent)
    reporting->gap_us = datagram->at_us;
}

/* The plan keeps it for later: it may cost money, or have nothing left of its budget. */
static bool rests(const struct mp_peer *peer, uint8_t id)
{
  return peer->adaptive && !peer->adaptive->lanes[id].listed;
}

/* What goes there costs money, or soon may. */
static bool is_dear(const struct mp_peer *peer, uint8_t id)
{
  return rests(peer, id) ||
         (peer->adaptive && peer->adaptive->lanes[id].flags & MP_PLAN_PATH_FLAG_METERED);
}

/* How soon an answer on this path would be known to arrive; those that rest, and silent ones, last. */
static uint64_t rank(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id)
{
  const struct mp_path *path = &peer->paths[id];
  uint64_t rank_us = path->rtt.smoothed_us;
  if (rests(peer, id))
    rank_us += 1ull << 31;
  if (tunnel->now_us - path->last_rx_us > FRESH_US)
    rank_us += 1ull << 32;
  if (!(peer->usable & mp_path_bit(id)) || (peer->adaptive && peer->adaptive->lanes[id].suspect))
    rank_us += 1ull << 33;
  return rank_us;
}

static void choose(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t chosen[2])
{
  chosen[0] = chosen[1] = MP_CROSSING_NO_PATH;
  MP_FOR_EACH_PATH(peer->present, id) {
    if (!peer->paths[id].heard)
      continue;
    if (chosen[0] == MP_CROSSING_NO_PATH ||
        rank(tunnel, peer, id) < rank(tunnel, peer, chosen[0])) {
      chosen[1] = chosen[0];
      chosen[0] = id;
    } else if (chosen[1] == MP_CROSSING_NO_PATH ||
               rank(tunnel, peer, id) < rank(tunnel, peer, chosen[1])) {
      chosen[1] = id;
    }
  }
}

static bool is_many(const struct mp_reporting *reporting)
{
  return reporting->datagrams >= MANY_DATAGRAMS;
}

/* A report must not come before one that tells more: what was told on another path and is still on its
 * way is told again. Else the sender takes what this one does not speak of for late, and sends it again
 * on the quickest path, of which BBR then knows the round trip. Of 20 Mbit/s with 10 ms and 10 with 120 it
 * gets 97 % of the sum in its second half minute, and 72 % without this (the medians of four seeds). */
static void tell_again(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t on)
{
  struct mp_reporting *reporting = &peer->reporting;
  if (on != reporting->on) {
    const uint32_t away_us = peer->paths[reporting->on].rtt.smoothed_us;
    MP_FOR_EACH_PATH(reporting->told, id) {
      if (tunnel->now_us - reporting->notes[id].newest_at_us < away_us)
        reporting->pending |= mp_path_bit(id);
    }
    reporting->told = 0;
    reporting->on = on;
  }
  reporting->told |= reporting->pending;
}

/* What there is to report, of each path since it was told of last. */
static uint64_t heard_octets(const struct mp_peer *peer)
{
  uint64_t octets = 0;
  MP_FOR_EACH_PATH(peer->reporting.pending, id)
    octets += peer->paths[id].rx_bytes - peer->paths[id].told_bytes;
  return octets;
}

/* Appends what there is to tell of a path. False where there was no room for all of it. */
static bool write_path(struct mp_peer *peer, uint8_t id, uint8_t *message, uint32_t *length, uint64_t now_us)
{
  struct mp_path *path = &peer->paths[id];
  const struct mp_feedback_totals totals = {path->rx_bytes, path->rx_datagrams};
  struct mp_feedback_note *notes[] = {&peer->reporting.before[id], &peer->reporting.notes[id]};
  for (unsigned i = 0; i < 2; i++) {
    if (i == 0 ? !mp_feedback_is_untold(notes[i]) : !notes[i]->replay)
      continue;
    const uint32_t before = *length;
    *length = mp_feedback_write(message, before, id, notes[i], &totals, now_us);
    if (*length == before)
      return false;
  }
  path->told_bytes = path->rx_bytes;
  return true;
}

static void send_report(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_reporting *reporting = &peer->reporting;
  uint8_t message[MP_LIMIT_FEEDBACK_BYTES], chosen[2];
  uint32_t length = 0;
  choose(tunnel, peer, chosen);
  if (chosen[0] != MP_CROSSING_NO_PATH)
    tell_again(tunnel, peer, chosen[0]);
  const uint64_t octets = heard_octets(peer);
  uint16_t untold = 0; /* for want of room */
  MP_FOR_EACH_PATH(reporting->pending, id) {
    note_arrivals(&reporting->arrivals[id], peer->paths[id].rx_bytes, reporting->notes[id].newest_at_us);
    if (!write_path(peer, id, message, &length, tunnel->now_us))
      untold |= mp_path_bit(id);
  }
  const struct mp_body body = {.type = MP_MSG_FEEDBACK, .bytes = message, .length = length};
  const uint64_t bytes = length + MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES;
  const bool cheap = octets / COPY_SHARE >= 2 * bytes;
  const unsigned turns = !cheap || is_many(reporting) ? COPY_TURNS : is_hurried(peer) ? HURRIED_TURNS : 1;
  const bool both = turns == 1 || reporting->turn++ % turns == 0;
  for (unsigned i = 0; i < (both ? 2 : 1); i++) {
    if (chosen[i] == MP_CROSSING_NO_PATH || (i > 0 && is_dear(peer, chosen[i])))
      continue;
    if (mp_out_push(tunnel, peer, chosen[i], &body))
      reporting->sent_bytes += bytes;
  }
  note_traffic(peer);
  reporting->reported_us = tunnel->now_us;
  reporting->pending = untold;
  reporting->urgent = false;
  reporting->datagrams = 0;
  if (has_choice(peer)) /* each has a time of its own then */
    mp_lapses_remove(&tunnel->reports, peer->id);
  else
    mp_lapses_begin(&tunnel->reports, peer->id, tunnel->now_us + PATIENT_US);
}

/* Little has come since the last report, and nothing is missing. */
static bool says_little(const struct mp_tunnel *tunnel, const struct mp_peer *peer)
{
  const struct mp_reporting *reporting = &peer->reporting;
  return heard_octets(peer) < LITTLE_BYTES &&
         (reporting->gap_us == 0 || tunnel->now_us - reporting->gap_us >= LOSSY_US);
}

/* When there is something to tell, and where: with data, and alone. */
struct due {
  uint64_t with_us, alone_us;
  bool stands_back; /* none but this path could do better, and nothing hurries */
};

static bool is_due(const struct mp_tunnel *tunnel, const struct mp_peer *peer, struct due *due)
{
  const struct mp_reporting *reporting = &peer->reporting;
  uint32_t with_us, alone_us;
  if (!reporting->pending || !peer->sending)
    return false;
  due->stands_back = false;
  if (reporting->urgent) {
    with_us = alone_us = URGENT_US;
  } else if (is_many(reporting)) {
    with_us = MANY_US;
    alone_us = MANY_US + RIDE_US;
  } else {
    due->stands_back = !has_choice(peer);
    const bool waits = due->stands_back && says_little(tunnel, peer);
    with_us = waits ? RIDES_US : own_interval_us(peer);
    alone_us = waits ? PATIENT_US : with_us;
  }
  due->with_us = reporting->reported_us + with_us;
  due->alone_us = reporting->reported_us + alone_us;
  return true;
}

static void settle(struct mp_tunnel *tunnel, struct mp_peer *peer, bool may_stand_back)
{
  struct due due;
  while (is_due(tunnel, peer, &due)) {
    if (due.alone_us > tunnel->now_us) {
      /* When it is as patient as may be, nobody needs to look but where no other went with data before. */
      if (due.alone_us < tunnel->reports.at_us[peer->id])
        mp_wake_about(tunnel, peer, due.alone_us);
      return;
    }
    if (may_stand_back && due.stands_back) {
      mp_lapses_hasten(&tunnel->reports, peer->id, tunnel->now_us);
      return;
    }
    send_report(tunnel, peer);
  }
}

void mp_report_settle(struct mp_tunnel *tunnel, struct mp_peer *peer) { settle(tunnel, peer, false); }

/* The report of a ping goes with its answer, and not ahead of it: three sends in place of four, and of pings
 * 100 ms apart the answers come 13 to 38 us sooner (of 160 to 250, medians). Where there is a choice of
 * paths a report never stands back: of 50 Mbit/s twice with a jitter of 20 ms BBR gets 81, and 51 when
 * reports of up to 6000 octets do (medians of 12 runs). */
void mp_report_arrived(struct mp_tunnel *tunnel, struct mp_peer *peer) { settle(tunnel, peer, true); }

/* For what has come on a path that is gone. When of 20 Mbit/s with 10 ms and 20 with 25 the second is pulled
 * out under CUBIC, its receiver waits for 32 ms, and for 35 without this: what had come is sent again first,
 * or what it waits for last (simulation). */
void mp_report_now(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (peer->reporting.pending && peer->sending)
    send_report(tunnel, peer);
}

void mp_report_leave(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_reporting *reporting = &peer->reporting;
  peer->paths[id].heard = false;
  if (reporting->pending & mp_path_bit(id))
    mp_report_now(tunnel, peer);
  reporting->pending &= (uint16_t)~mp_path_bit(id);
  reporting->told &= (uint16_t)~mp_path_bit(id);
}

enum mp_report_seat mp_report_seat(const struct mp_tunnel *tunnel, const struct mp_peer *peer)
{
  struct due due;
  if (!is_due(tunnel, peer, &due) || due.with_us > tunnel->now_us)
    return MP_REPORT_STAYS;
  return due.stands_back ? MP_REPORT_LAST : MP_REPORT_FIRST;
}

uint32_t mp_report_pto_us(const struct mp_path *path)
{
  const uint32_t spread_us = 4 * path->rtt.var_us;
  return path->rtt.smoothed_us + (spread_us > PTO_SPREAD_US ? spread_us : PTO_SPREAD_US) +
         INTERVAL_MOST_US;
}
