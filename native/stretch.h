/* Stretches the round trip of a flow until a path fits into it that is much farther than the quickest.
 *
 * BBR keeps at most twice what fits into the least round trip that it has seen under way, and remembers
 * that for ten seconds (tcp_bbr.c: bbr_cwnd_gain, bbr_min_rtt_win_sec). A flow that began on the
 * quickest path knows that path's. Order makes all its packets as late as those of the farthest path
 * that it uses: where that is more than twice the round trip, what is under way fills neither path, and
 * the flow is worse off than with the quickest alone. A round trip that is twice as long costs it
 * nothing, though, and once it has measured that, four times are not too long any more:
 *
 *   holds    its packets are held back by as much as the quickest path's round trip, and when that is
 *            not enough, by as much as makes twice of that
 *   reaches  it takes the far path as well. What finds no packet of that path before it is held back
 *            as before: one early packet, and BBR would know the short round trip again. As long as it
 *            still does, and is known not to measure soon, nothing is: what is held may go on the far path
 *            afterwards, and is later there than anything need be
 *
 * A path that fits within two and a half round trips is taken at once, but little of it, one packet in
 * each time that one takes longer: what is sent after it comes with it, in a lump, for which BBR keeps more
 * under way (bbr_extra_acked_gain). Before it measures, the path's window has grown like that, and it fills
 * both sooner: from the eighth to the 30th second it gets 93 % of 50 Mbit/s with 20 ms and 50 with 120, and
 * 87 when its packets are held first (the medians of eight seeds). Where a path is four times as far it gets
 * more when they are. Young TCP has such a path sooner (gather.h).
 *
 * A path whose delay jitters is far to itself: the least round trip that BBR sees is that of a lucky
 * packet, and a stream in order is as late as the unlucky ones.
 *
 * One flow of a peer at a time, because no two send nearly all that the quickest path carries. A leaf,
 * O(1) a packet; what is held back waits in a list of its own, first in, first out. */
#ifndef MP_STRETCH_H
#define MP_STRETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "load.h"

enum mp_stretch_step { MP_STRETCH_NONE, MP_STRETCH_HOLDS, MP_STRETCH_REACHES };

/* All zero: none. Read it, change it by the functions. Times of 0: not. What every packet asks for stands
 * last, with what its owner has behind it. */
struct mp_stretch {
  uint32_t later_us;    /* than on the quickest path, at least, its packets arrive */
  uint32_t reach_us;    /* reaches: so much farther may the paths be that it takes */
  uint64_t since_us;    /* when later_us became what it is */
  uint64_t seen_us;     /* when it last sent, or pressed */
  uint64_t full_us;     /* and for how long of that something stood there */
  uint64_t rate;        /* bytes a second that it sent before */
  uint64_t covered_us;  /* reaches: until then the quickest path's packets wait for one of a far path */
  struct {              /* of the flow, a tenth of a second; of all flows, a second */
    uint64_t since_us, octets;
  } slot, second;
  bool dipped;
  bool is_early;        /* reaches: the flow has not measured yet */
  uint8_t poor_seconds; /* in a row in which less was sent than before */
  uint8_t new_seconds;  /* to come in which the rate is measured anew */
  uint16_t paths;       /* that there were at the end of the last second */
  uint8_t used_seconds; /* reaches: for so many seconds, how far at most the paths were that it used */
  uint32_t used_us;
  uint64_t spilled_us;  /* when something last went to the far path for the sake of that */
  uint64_t measures_us; /* reaches: when the flow may at the soonest; nothing is held back before */
  uint64_t held_bytes;
  struct mp_load *youngest;
  enum mp_stretch_step step;
  uint16_t bucket;      /* of the flow, or of the last one */
  uint64_t next_us;     /* none begins before */
  uint64_t pressing_us; /* none: since when the flow has sent nearly all that the path carries */
  struct mp_load *oldest;
};

/* What its scheduler knows when a packet comes. */
struct mp_stretch_sight {
  uint64_t now_us;
  uint16_t bucket;
  uint32_t octets;        /* of the packet */
  uint32_t recent_octets; /* of its flow, within a second */
  bool is_backlogged;     /* the flow sends more than leaves: it does not mind the round trip */
  uint64_t rate;          /* of the quickest path, bytes a second; 0: unknown */
  uint32_t rtt_us;        /* of the quickest path */
  bool is_full;           /* something stands there, at this moment */
  uint32_t farther_us;    /* than that: the nearest path that is out of reach; 0: none, or not asked */
  uint16_t paths;         /* that carry what flows of many paths send; 0: no flow is stretched */
  uint32_t used_us;       /* farther, with jitter, the farthest is that something is under way on; if asked */
};

/* Whether it matters for a flow that sends so much within a second how far other paths are. */
bool mp_stretch_asks(const struct mp_stretch *stretch, uint16_t bucket, uint32_t recent_octets,
                     uint64_t rate);

/* Whether it matters how far those are that are used. */
bool mp_stretch_asks_used(const struct mp_stretch *stretch, uint64_t now_us);

/* Call for each packet of a flow that is not thin. */
void mp_stretch_see(struct mp_stretch *stretch, const struct mp_stretch_sight *sight);

/* A flow that sends so much uses a path so much farther anyway, and may use any up to reach_us. It is
 * about to measure that: from now on it finds no shorter way. */
void mp_stretch_keep(struct mp_stretch *stretch, uint16_t bucket, uint64_t rate,
                     uint32_t farther_us, uint32_t reach_us, uint64_t now_us);

/* A flow that sends so much, and may keep more under way from now on, takes a path so much farther. It
 * measures at measures_us at the soonest. */
void mp_stretch_reach(struct mp_stretch *stretch, uint16_t bucket, uint64_t rate,
                      uint32_t farther_us, uint64_t measures_us, uint64_t now_us);

/* And does so no more. */
void mp_stretch_leave(struct mp_stretch *stretch);

/* A packet of the bucket left on a path that is so much farther than the quickest. */
void mp_stretch_sent(struct mp_stretch *stretch, uint16_t bucket, int64_t farther_us,
                     uint64_t now_us);

/* Whether the next packet of the flow, which reaches, goes on the far path: always, or while the flow has
 * not measured as often as one holds up the others. */
bool mp_stretch_spills(struct mp_stretch *stretch, uint64_t now_us);

/* Holds a packet back, if it is to be: then the reference is taken. queued_us: for how long others of its
 * bucket have waited that are to go before it. */
bool mp_stretch_hold(struct mp_stretch *stretch, struct mp_load *load, uint64_t queued_us,
                     uint64_t now_us);

/* Gives one that has waited long enough back, with its reference; NULL: none has. */
struct mp_load *mp_stretch_release(struct mp_stretch *stretch, uint64_t now_us);

/* Everything that waits has waited long enough, and no flow is stretched. */
void mp_stretch_end(struct mp_stretch *stretch, uint64_t now_us);

static inline bool mp_stretch_is(const struct mp_stretch *stretch, enum mp_stretch_step step,
                                 uint16_t bucket)
{
  return stretch->step == step && stretch->bucket == bucket;
}

/* Whether a flow may be stretched at all. */
static inline bool mp_stretch_is_free(const struct mp_stretch *stretch, uint64_t now_us)
{
  return stretch->step == MP_STRETCH_NONE && !stretch->oldest && now_us >= stretch->next_us;
}

/* Whether packets of the bucket wait: no later one may pass them. */
static inline bool mp_stretch_waits(const struct mp_stretch *stretch, uint16_t bucket)
{
  return stretch->oldest && stretch->bucket == bucket;
}

/* When the oldest has waited long enough; UINT64_MAX: nothing waits. */
static inline uint64_t mp_stretch_due(const struct mp_stretch *stretch)
{
  return stretch->oldest ? stretch->oldest->since_us : UINT64_MAX;
}

#endif
