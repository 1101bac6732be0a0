/* The law of one direction of an emulated link: when does a packet arrive, if it does?
 *
 * A leaf: no system call, no clock, no allocation after open. Time is an argument, randomness comes
 * from a seed. The link emulator carries real packets by it and the simulation carries them in
 * virtual time; the same description and seed give the same arrivals in both.
 *
 * With a rate the law is netem's (Linux net/sched/sch_netem.c, netem_enqueue):
 *   start = max(done of the packet before, now + d)    d ~ N(delay, jitter), never negative
 *   done  = start + length / rate
 * so a link never reorders, and jitter costs rate. With a trace the opportunities are mahimahi's
 * (mm-link, LinkQueue::rationalize): each one carries up to 1500 bytes of what waits, several small
 * packets may share it, a large one may need more than one, and what finds nobody waiting is gone.
 *
 * Two differences from netem: the queue bounds what waits for the rate, not the delay line
 * (limit_packets bounds both, as netem's limit does), and without a rate packets keep their order.
 *
 * A packet's fate is settled when it is sent: a later change of rate or delay touches only packets
 * sent after it. Only a cut reaches packets under way, see mp_link_survives.
 *
 * Thread: one at a time. Time: microseconds of any monotonic clock; a step back counts as none. */
#ifndef MP_LINK_H
#define MP_LINK_H

#include <stdbool.h>
#include <stdint.h>

#define MP_LINK_OPPORTUNITY_BYTES 1500u

enum mp_link_jitter_law {
  MP_LINK_JITTER_NORMAL,  /* standard deviation jitter_us: netem's "distribution normal" */
  MP_LINK_JITTER_UNIFORM, /* within +- jitter_us: what netem does when no distribution is named */
};

/* Delivery opportunities, milliseconds since the start of the trace, not decreasing, the last one
 * above 0: there the trace starts again. Owned by the caller, outlives the link. */
struct mp_link_trace {
  const uint32_t *opportunity_ms;
  uint32_t count; /* 0: no trace */
};

/* All zero is a perfect wire: unlimited, at once, without loss. */
struct mp_link_config {
  uint64_t rate_bytes_per_s;  /* 0: unlimited; at most 1e12; ignored with a trace */
  struct mp_link_trace trace; /* in place of a rate */
  uint64_t delay_us;          /* one way; at most an hour */
  uint64_t jitter_us;         /* at most an hour */
  enum mp_link_jitter_law jitter_law;
  double loss;            /* 0..1, mean of all packets; a lost packet takes no rate, as in netem */
  double loss_burst;      /* mean length of a run of losses, packets; up to 1: losses independent */
  double duplicate;       /* 0..1; the copy takes rate and queue like any packet */
  uint64_t queue_bytes;   /* drop-tail bound on what waits for the rate; 0: none */
  uint64_t queue_us;      /* the same in time of the rate (of a trace: its mean rate); 0: none */
  uint32_t limit_packets; /* bound on all packets under way, delay line included; 0: none */
  uint32_t overhead_bytes; /* added to each length: 14 repeats netem on an Ethernet device */
  bool down;
};

enum mp_link_verdict {
  MP_LINK_ACCEPTED,
  MP_LINK_LOST, /* by chance */
  MP_LINK_FULL, /* no room in the queue, under the limit or in the link's own memory */
  MP_LINK_DOWN,
};

/* An accepted packet's way. `copies` is 1, or 2 when the link duplicated it. */
struct mp_link_passage {
  uint64_t arrival_us[2];
  uint32_t copies;
  uint32_t epoch; /* for mp_link_survives */
};

/* Since open. offered = accepted + lost + full + refused. */
struct mp_link_counters {
  uint64_t offered_packets;
  uint64_t offered_bytes;
  uint64_t accepted_packets;
  uint64_t accepted_bytes;
  uint64_t lost_packets;
  uint64_t full_packets;
  uint64_t refused_packets; /* sent while down */
  uint64_t copied_packets;  /* duplicates accepted, not part of accepted */
  uint64_t cut_packets;     /* accepted or copied, then lost under way by going down */
};

struct mp_link;

/* Opens a link at now_us, where a trace starts. It remembers up to capacity_packets packets under
 * way (24 bytes each) and drops beyond. NULL with errno: EINVAL (mp_link_config_is_valid) or
 * ENOMEM. */
struct mp_link *mp_link_open(const struct mp_link_config *config, uint32_t capacity_packets,
                             uint64_t seed, uint64_t now_us);
void mp_link_close(struct mp_link *link);

/* Whether every number is within the bounds given above. */
bool mp_link_config_is_valid(const struct mp_link_config *config);

/* Changes a running link; what is under way keeps its arrival. A trace that differs from the one
 * in force (by address) starts at now_us. `down` cuts. Returns 0, or -EINVAL: nothing changed. */
int mp_link_configure(struct mp_link *link, const struct mp_link_config *config, uint64_t now_us);
const struct mp_link_config *mp_link_config_of(const struct mp_link *link);

/* Sends one packet of length_bytes (its IP length). Fills `passage` only when accepted. O(1), with
 * a trace O(log of its length) after idle time. */
enum mp_link_verdict mp_link_send(struct mp_link *link, uint32_t length_bytes, uint64_t now_us,
                                  struct mp_link_passage *passage);

/* Whether a packet accepted in `epoch` is still on its way: false once the link went down after,
 * even if it is up again. To be asked before each delivery. */
bool mp_link_survives(const struct mp_link *link, uint32_t epoch);

/* Bytes that wait for the rate, the packet in service included. */
uint64_t mp_link_backlog_bytes(struct mp_link *link, uint64_t now_us);
/* How much later the next octet would be on its way for what was sent before it: the delay that the
 * senders bring upon themselves. A stop of the link itself, at which one alone would wait as long, is not
 * in it (Sprout, NSDI 2013, section 5.1, calls this self-inflicted). Jitter is taken at its mean. */
uint64_t mp_link_inflicted_us(struct mp_link *link, uint64_t now_us);
/* Packets under way, waiting ones included. */
uint32_t mp_link_in_flight_packets(struct mp_link *link, uint64_t now_us);
const struct mp_link_counters *mp_link_counters_of(const struct mp_link *link);

#endif
