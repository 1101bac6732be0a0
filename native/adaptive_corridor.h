/* What the files of the mode adaptive call of each other, and the tunnel library of them. Nobody else
 * includes it. */
#ifndef MP_ADAPTIVE_CORRIDOR_H
#define MP_ADAPTIVE_CORRIDOR_H

#include "adaptive.h"
#include "corridor.h"

/* adaptive.c APIs: */

/* Brings up what a plan of kind arrival needs, and the plan's table. False when memory is gone. */
bool mp_adaptive_start(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* The peer began anew: nothing that was under way can be reported. */
void mp_adaptive_restart(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* The path is gone, and its number another's from here on: nothing that was learnt of it holds. What was
 * under way there must have been given up. */
void mp_adaptive_forget(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);

/* Another plan, or the end: what waits goes at once, what is under way is not followed any more. */
void mp_adaptive_stop(struct mp_tunnel *tunnel, struct mp_peer *peer);
void mp_adaptive_close(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* A packet from the TUN, which mp_segments_open has found sound. */
void mp_adaptive_put(struct mp_tunnel *tunnel, struct mp_peer *peer, const struct mp_slice *packet,
                     const struct mp_segments *segments, uint16_t bucket, bool partial);

/* Puts what has been held back for long enough into the queue. */
void mp_adaptive_release(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Whether there is a packet to send, for the first time or again: mostly there is none when a report has
 * come, or a thin packet has gone. */
static inline bool mp_adaptive_has_packets(const struct mp_adaptive *adaptive)
{
  for (unsigned class = 0; class < MP_QUEUE_CLASSES; class++)
    if (adaptive->again[class].head != adaptive->again[class].tail)
      return true;
  return mp_queue_bytes(adaptive->queue) > 0 || mp_stretch_due(&adaptive->stretch) < UINT64_MAX;
}

/* Call before packets leave the queue when the paths were measured anew: how much may wait there, and for
 * how long. */
void mp_adaptive_tune(const struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Runs the same timer of each path; returns when the first of them wants to be run again. */
static inline uint64_t mp_adaptive_tick(struct mp_tunnel *tunnel, struct mp_peer *peer,
                                        uint64_t (*tick)(struct mp_tunnel *, struct mp_peer *, uint8_t path))
{
  uint64_t next_us = UINT64_MAX;
  if (!peer->adaptive)
    return next_us;
  MP_FOR_EACH_PATH(peer->present, id) {
    const uint64_t at_us = tick(tunnel, peer, id);
    if (at_us < next_us)
      next_us = at_us;
  }
  return next_us;
}

/* class.c APIs: */

#define MP_PROTOCOL_TCP 6

static inline uint8_t mp_class_protocol(const uint8_t *packet)
{
  return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

/* Octets that a packet brings its receiver: of TCP without the header, so that a stream of
 * acknowledgements stays thin however fast it is. */
uint32_t mp_class_octets(const struct mp_load *load);

/* The bucket of a load whose connection has this one: another for what only acknowledges. */
uint16_t mp_class_bucket(const struct mp_load *load, uint16_t bucket);

/* Call for each load of a flow that came from the TUN: counts it, and marks it unordered where nobody
 * needs its order. */
void mp_class_note(struct mp_adaptive_flow *flow, struct mp_load *load, uint64_t now_us);

/* The class of a packet that has to wait, which is its flow's. Decides that anew. */
enum mp_queue_class mp_class_of(struct mp_peer *peer, struct mp_load *load, uint64_t now_us);

/* Whether the flow is wide and so old that it fills the slowest path first. */
bool mp_class_is_level(const struct mp_adaptive_flow *flow, uint64_t now_us);

/* The same as it was decided last. */
static inline enum mp_queue_class mp_class_now(const struct mp_peer *peer, uint16_t bucket)
{
  return mp_adaptive_flow(peer->adaptive, bucket)->wide_us ? MP_QUEUE_WIDE : MP_QUEUE_NARROW;
}

/* far.c APIs: */

/* Call for each packet of a flow that has to wait; `best` is the quickest path. Decides whether the flow
 * takes paths that are out of its reach, which makes it wide or narrow. */
void mp_far_see(struct mp_peer *peer, const struct mp_load *load, uint8_t best, bool is_backlogged,
                uint64_t now_us);

/* pump.c APIs: */

/* Sends what windows and pacing allow. Call at the end of a turn that has changed any of it. */
void mp_pump(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Sends a whole load on the quickest path at once, ahead of all that waits. False when there is none
 * that could take it; else the reference is gone. */
bool mp_pump_thin(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_load *load);

/* Sends a copy of what is under way on the same path, at once. */
void mp_pump_copy(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path,
                  const struct mp_flown *what);

/* Sends a packet that waited when the plan became another, without a record. */
void mp_pump_unfollowed(struct mp_tunnel *tunnel, struct mp_peer *peer,
                        const struct mp_queued *packet);

/* fly.c APIs: */

static inline uint32_t mp_fly_datagram_bytes(uint32_t packet_bytes)
{
  return packet_bytes + MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES;
}

/* Sends packets of a load on a path, alike and no more than the outbox has room for, and records them
 * there, with a reference for each. Returns how many. */
uint32_t mp_fly(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path,
                const struct mp_flown *first, uint32_t count);

/* The same without a record: seals packets of a load into the outbox, `count` that follow each other, of
 * which `first` is the first. Returns how many: fewer when the path is of no use. */
uint32_t mp_fly_push(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path,
                     const struct mp_flown *first, uint32_t count);

/* again.c APIs: */

/* Whose record of what is under way (flight.h) calls the two below. */
struct mp_place {
  struct mp_tunnel *tunnel;
  struct mp_peer *peer;
  uint8_t path;
};

/* A packet sent in this place is lost: it goes again unless it is too old. Takes its reference. */
void mp_again_lost(void *place, const struct mp_flown *what);

static inline struct mp_flight_fate mp_again_fate(struct mp_place *place)
{
  return (struct mp_flight_fate){&place->tunnel->loads, mp_again_lost, place};
}

/* A packet that is under way there, under this serial of its record, goes on another path as well, if
 * it has not come by then. Takes its reference. */
void mp_again_offer(void *place, uint64_t serial, const struct mp_flown *what);

/* The kernel did not take a datagram: what was in it goes again. */
void mp_again_refused(struct mp_tunnel *tunnel, struct mp_peer *peer,
                     const struct mp_datagram *datagram);

/* choice.c APIs: */

/* Paths that thin and narrow packets may take, and those for wide ones: the plan's, or when none of
 * them works, what does. */
uint16_t mp_choice_narrow(const struct mp_peer *peer);
uint16_t mp_choice_wide(const struct mp_peer *peer);

/* How long who takes these paths may wait without being the cause: one of them doubles its window each round
 * trip, and may come to as much as all others. 0: none does. */
uint64_t mp_choice_opens_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint16_t paths);

/* Bytes a second that a path would carry, as far as is known. */
uint64_t mp_choice_capacity(const struct mp_window *window);

/* One-way delay of an empty path: what a stream has of it, and what a lucky packet; and the path where
 * the first is least or MP_CROSSING_NO_PATH. */
int64_t mp_choice_delay_us(const struct mp_peer *peer, uint8_t path);
int64_t mp_choice_least_us(const struct mp_peer *peer, uint8_t path);
uint8_t mp_choice_quickest(const struct mp_peer *peer);

/* How late a packet is that goes on this path now, at least: a flow whose packets trust in that, and come
 * sooner, shows BBR a short round trip, by which it keeps too little under way for ten seconds. */
int64_t mp_choice_surely_us(const struct mp_peer *peer, uint8_t path);

/* When a packet sent on this path now would arrive, on the clock difference, and the path of those
 * where that is soonest. */
int64_t mp_choice_arrival_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t path);
uint8_t mp_choice_quickest_of(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                              uint16_t paths);

/* The slowest of the paths that would send a packet on without a queue, for a flow that is as late as
 * that anyway; of those that are farther than the quickest by no more than reach_us. */
uint8_t mp_choice_slowest(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                          uint16_t paths, int64_t reach_us);

/* Of these paths the one that is the least open, while the quickest opens too and is ahead of it; of those
 * that are near enough for a flow whose round trip is not stretched. Else MP_CROSSING_NO_PATH. */
uint8_t mp_choice_opening(const struct mp_peer *peer, uint16_t paths);

/* How much farther than the quickest a path may be for a flow whose round trip is not stretched. */
int64_t mp_choice_near_us(const struct mp_peer *peer);

/* Those of the able ones, out of all these paths, that are worth a wide packet. */
uint16_t mp_choice_worthwhile(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                              uint16_t paths, uint16_t able);

/* young.c APIs: */

/* Those of the able ones, out of all these paths, that are worth the next packet of a flow. */
uint16_t mp_young_paths(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                        const struct mp_adaptive_flow *flow, uint16_t paths, uint16_t able);

/* report.c APIs: */

/* Call for every authenticated datagram of a peer whose data asks for feedback. Nearly all are the next: only
 * what others are copied into needs a place in memory. */
void mp_report_heard_else(struct mp_peer *peer, uint8_t path, const struct mp_feedback_datagram *datagram);
static inline void mp_report_heard(struct mp_peer *peer, uint8_t id,
                                   const struct mp_feedback_datagram *datagram)
{
  peer->reporting.datagrams++;
  if (mp_feedback_heard_next(&peer->reporting.notes[id], datagram)) {
    peer->reporting.pending |= (uint16_t)(peer->reporting.notes[id].pending << id);
  } else {
    const struct mp_feedback_datagram copy = *datagram;
    mp_report_heard_else(peer, id, &copy);
  }
}

/* Sends feedback when it is due. */
void mp_report_settle(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* The same, of what has just arrived. A report that nothing hurries is left to a tick that is due at once:
 * the packets are written before it, and their answers read, which take it along. */
void mp_report_arrived(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Sends what there is to tell. */
void mp_report_now(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Call before a path is closed: what has come there is told on another while its totals are known. */
void mp_report_leave(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);

/* Where it goes in data that goes to the peer now: a report that would come soon comes along. One that
 * nothing hurries is the last, shorter segment of the run (udp(7), UDP_SEGMENT), where before them it would
 * be a message of its own. */
enum mp_report_seat { MP_REPORT_STAYS, MP_REPORT_FIRST, MP_REPORT_LAST };
enum mp_report_seat mp_report_seat(const struct mp_tunnel *tunnel, const struct mp_peer *peer);

/* The longest time between reports while data flows: both ends compute it from the same round trips. */
uint32_t mp_report_interval_us(const struct mp_peer *peer);

/* For how long no report may leave on another path when the one that they take was cut. */
uint32_t mp_report_astray_us(const struct mp_peer *peer);

/* How long the peer may hold back the report of what was sent then, when its last one came at told_us:
 * after a pause it does not wait for more. */
uint32_t mp_report_wait_us(const struct mp_peer *peer, uint64_t sent_us, uint64_t told_us);

/* When nothing sent on the path is reported for so long, the peer sends all of it again: what it
 * measures is near what we do. */
uint32_t mp_report_pto_us(const struct mp_path *path);

/* A round trip of the best path, or what stands for it while none is known. */
uint32_t mp_report_least_rtt_us(const struct mp_peer *peer);

/* Data goes both ways, not acknowledgements alone. */
bool mp_report_is_mutual(const struct mp_peer *peer);

/* repair.c APIs: */

/* A round trip of the best path, and what a report may wait and the threads be late on top. */
uint32_t mp_repair_turn_us(const struct mp_peer *peer);

/* Call when the round trips were measured anew, or the peer begins to repair: how long to wait for what is
 * sent again. */
void mp_repair_tune(struct mp_peer *peer);

/* Whether the peer does not wait as long for what is lost as sending it again twice takes. */
bool mp_repair_is_hurried(const struct mp_peer *peer);

/* reported.c APIs: */

/* Takes feedback in. False when its body is malformed. */
bool mp_reported_take(struct mp_tunnel *tunnel, struct mp_peer *peer,
                    const struct mp_packet *packet);

/* A delay as feedback or an echo tells it, made comparable with others of the peer. */
int64_t mp_reported_delay(struct mp_adaptive *adaptive, uint32_t delay_us);

/* An echo came on the path, of a probe of then: what the delay is when nothing of ours waits. */
void mp_reported_idle(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path,
                    uint64_t asked_us);

/* twin.c APIs: */

/* Call for each path of a report: what it settled. */
void mp_twin_settled(struct mp_lane *lane, uint64_t acked_bytes, uint64_t lost_bytes,
                     uint32_t lost, uint64_t now_us);

/* The path that a copy of a thin packet takes which went on `first`, and its price paid; or
 * MP_CROSSING_NO_PATH: none is wanted, or it would cost too much. */
uint8_t mp_twin_path(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t first,
                     uint32_t bytes);

/* doubt.c APIs: */

/* Of one path, the newest that has come: its serial in the record of what is under way, and, where
 * that is known, how long it took, on the clock difference. */
struct mp_doubt_report {
  uint64_t serial;
  bool delay_any;
  int64_t delay_us;
  uint64_t reach_us; /* when it was sent, plus the time until the report was written */
  uint64_t arrived_us; /* on the peer's clock */
};

/* The path is of no use for now: what is under way on it goes on others, as far as no report says that
 * it has come. */
void mp_doubt_leave(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);

/* The same, of a path that the peer does not hear us on any more; it said so at this time of its clock. */
void mp_doubt_unheard(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, uint64_t told_us);

/* The same, for good: no report is waited for. */
void mp_doubt_abandon(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);

/* Call when an answer on the path shows that it has worked in both directions since asked_us. */
void mp_doubt_heard(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path,
                    uint64_t asked_us);

/* Call for each path of a report, when what it settles is settled. `newest` is its serial. */
void mp_doubt_reported(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path,
                       const struct mp_doubt_report *report);

/* Call at the end of a report, which its sender wrote at told_us on its own clock. */
void mp_doubt_compare(struct mp_tunnel *tunnel, struct mp_peer *peer, uint64_t told_us);

/* When nothing sent on the path is reported for so long, it is doubted. */
uint64_t mp_doubt_pto_us(const struct mp_peer *peer, uint8_t path);

/* Looks for paths without progress; returns when it wants to be run again. */
uint64_t mp_doubt_tick(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* behind.c APIs: */

/* Looks for packets that were overtaken on their path for too long; returns when it wants to be run
 * again. Call at the end of a report too. */
uint64_t mp_behind_tick(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* acks.c APIs. Precondition of all but the second: a plan of kind arrival. */

/* Whether who sends here may pace what he sends, as BBR does. */
bool mp_acks_may_pace(const struct mp_peer *peer, uint64_t now_us);

/* Whether the packet, which is about to be delivered, may have to wait. Asked of each, and so of data in a
 * few instructions. */
static inline bool mp_acks_concerns(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                                    const struct mp_packet *packet)
{
  return peer->adaptive && (packet->length <= MP_ACKFILTER_MOST_BYTES ||
                            !mp_gather_is_idle(&peer->adaptive->gather, tunnel->now_us));
}

/* Whether it does: then it was taken. */
bool mp_acks_hold(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_packet *packet);

/* Whether one does, or did: mostly not. */
static inline bool mp_acks_wait(const struct mp_adaptive *adaptive)
{
  return adaptive->luck.first || adaptive->gather.oldest || adaptive->acks.thinned ||
         mp_ackfilter_due(&adaptive->acks) < UINT64_MAX;
}

/* Delivers what has waited long enough; or all that waits. */
void mp_acks_settle(struct mp_tunnel *tunnel, struct mp_peer *peer);
void mp_acks_end(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Gives back what waits. */
void mp_acks_close(struct mp_tunnel *tunnel, struct mp_peer *peer);

#endif
