/* What is under way on one path: a record of every packet sent there that will be sent again if the
 * peer does not report it. RFC 9002 section 2 calls it "in flight".
 *
 * Path sequences begin anew with each epoch, so each record has a serial of the path's own, which
 * goes on; a span maps one to the other. Sequences that are not recorded (probes, copies) count as
 * settled. A ring that grows to what the path needs; O(1) a packet, amortised. */
#ifndef MP_FLIGHT_H
#define MP_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "load.h"

/* A packet that can be sent again. */
struct mp_flown {
  struct mp_load *load; /* one reference */
  uint64_t first_us;    /* when it was sent for the first time, on whatever path */
  uint32_t flow_seq;
  uint16_t flow;        /* as it went: bucket and MP_FLOW_* */
  uint16_t index;       /* among the segments of the load */
  uint8_t tries;        /* how often it has been sent */
  bool congested;       /* marked CE */
};

struct mp_flight_entry {
  struct mp_flown what;
  uint64_t sent_us;
  uint16_t bytes; /* of the datagram; 0: settled */
  bool offered;   /* to go on another path as well */
  bool copied;    /* it did: when it is lost here, nobody need know */
};

/* Serial = base + path sequence for datagrams that carry this receiver index. */
struct mp_flight_span {
  bool exists;
  uint16_t receiver;
  uint64_t base;
};

struct mp_flight {
  struct mp_flight_entry *entries;
  uint32_t capacity;
  uint64_t first, next;    /* serials: the oldest that may be open, and the one to come */
  uint64_t inflight_bytes; /* of open entries */
  struct mp_flight_span spans[MP_CROSSING_EPOCHS];
  uint8_t newest_span;
};

/* Missing sequences of a report, as serials: [from, to). */
struct mp_flight_gap {
  uint64_t from, to;
};

/* All of an epoch up to `newest` has arrived but for the gaps, oldest first. What is open of the epochs
 * before has not: it was to be told first. */
struct mp_flight_report {
  uint16_t receiver; /* of the epoch; where nothing is recorded of it, all counts as of one */
  uint64_t newest;
  unsigned gap_count;
  struct mp_flight_gap gaps[MP_LIMIT_FEEDBACK_GAPS];
};

struct mp_flight_outcome {
  uint64_t newest; /* as reported, or the last of its epoch: that has sequences without a record behind it */
  uint64_t acked_bytes, lost_bytes;
  uint32_t lost;
  bool newest_acked;       /* the newest one reported was open until now */
  uint64_t newest_sent_us; /* and was sent then */
};

/* What becomes of packets that are under way no more: those that are lost, or believed to be, are handed to
 * `lost` with their reference; the references of all others go back to the loads. */
struct mp_flight_fate {
  struct mp_loads *loads;
  void (*lost)(void *context, const struct mp_flown *what);
  void *context;
};

/* Erased with the drop of every reference. */
void mp_flight_close(struct mp_flight *flight, struct mp_loads *loads);

/* Records `count` packets, with a reference each: `first` was sent as a datagram of `bytes` under this
 * sequence, those that follow it in its load and its flow, alike, under the next ones. False, and
 * nothing recorded, when memory is gone or the ring is as large as it may be. A receiver index whose
 * sequences run back, or that gave way to another, is of a new epoch: the one before is forgotten. */
bool mp_flight_add(struct mp_flight *flight, uint16_t receiver, uint64_t path_seq,
                   const struct mp_flown *first, uint32_t count, uint32_t bytes, uint64_t now_us);

/* A path that holds so many records takes no more: 16 Ki full-size packets are 20 ms of 10 Gbit/s, 400
 * ms of 500 Mbit/s. */
#define MP_FLIGHT_MOST 16384u

/* How many it still takes. */
static inline uint32_t mp_flight_room(const struct mp_flight *flight)
{
  /* Sequences that are not recorded, such as probes, take room as well. */
  const uint64_t most = MP_FLIGHT_MOST - 64, taken = flight->next - flight->first;
  return taken < most ? (uint32_t)(most - taken) : 0;
}

static inline bool mp_flight_is_full(const struct mp_flight *flight)
{
  return mp_flight_room(flight) == 0;
}

/* The serial that the low 32 bits of a reported sequence stand for. False when nothing is recorded of its
 * epoch. */
bool mp_flight_serial(const struct mp_flight *flight, uint16_t receiver, uint32_t low,
                      uint64_t *serial);

/* Packets reported behind a missing one before it is lost: RFC 9002, section 6.1.1. */
#define MP_FLIGHT_DISORDER 3u

/* Settles what a report says. What is missing, with MP_FLIGHT_DISORDER or more sent after it reported, is
 * lost. */
void mp_flight_report(struct mp_flight *flight, const struct mp_flight_report *report,
                      const struct mp_flight_fate *fate, struct mp_flight_outcome *outcome);

/* Whether something may be open that was sent before this one. */
static inline bool mp_flight_has_before(const struct mp_flight *flight, uint64_t serial)
{
  return flight->first < serial && flight->first < flight->next;
}

/* What is open though `newest` was sent after it and came, and was sent by sent_us, is lost as well. Returns
 * when the oldest of the others was sent, UINT64_MAX: there is none. At most MP_FLIGHT_DISORDER steps. */
uint64_t mp_flight_overtaken(struct mp_flight *flight, uint64_t newest, uint64_t sent_us,
                             const struct mp_flight_fate *fate, struct mp_flight_outcome *outcome);

/* What is under way here may go on another path as well. Takes over the reference. */
typedef void mp_flight_offer(void *context, uint64_t serial, const struct mp_flown *what);

/* Offers, oldest first, what is open, was sent at or after since_us and was not offered before; what is
 * unordered whenever it was sent, because the order in which it goes is the one in which it is delivered.
 * What was itself sent again is left out: its turn comes when it is lost, or two bad paths would outbid
 * each other. */
void mp_flight_copy(struct mp_flight *flight, uint64_t since_us, mp_flight_offer *offer,
                    void *context);

/* Call before what was offered goes elsewhere: false when that is not needed any more, because it has
 * come, or was lost. */
bool mp_flight_take_copy(struct mp_flight *flight, uint64_t serial);

/* Everything that is open counts as lost, but for what was copied: the path is given up for now. First goes
 * what mp_flight_copy would offer of the same since_us, then the rest, oldest first each time. Returns how
 * many were open. */
uint32_t mp_flight_abandon(struct mp_flight *flight, uint64_t since_us, const struct mp_flight_fate *fate);

/* The kernel refused to send this one: it is lost, even if it was copied. */
void mp_flight_refused(struct mp_flight *flight, uint64_t serial, const struct mp_flight_fate *fate);

/* The oldest and the newest that are open; NULL when none is. */
const struct mp_flight_entry *mp_flight_oldest(const struct mp_flight *flight);
const struct mp_flight_entry *mp_flight_newest(const struct mp_flight *flight);

/* Of those that are open and were sent after this one, the n-th oldest; n from 1. */
const struct mp_flight_entry *mp_flight_after(const struct mp_flight *flight, uint64_t serial,
                                              unsigned n);

#endif
