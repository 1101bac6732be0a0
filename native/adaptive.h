/* What one peer needs while its plan is of kind arrival (PLAN_KIND in src/boundary.ts): a queue in
 * front of the paths, a window on each, a record of what is under way, and what must go again.
 *
 * adaptive.c  opening, closing, the way of a packet from the TUN into the queue, and what may wait there
 * class.c     what kind of flow it is of
 * pump.c      from the queue onto the paths, which fly.c puts them on
 * choice.c    which of them; young.c for flows that may be over soon
 * again.c     what is lost
 * behind.c    what has been overtaken on its path for too long
 * haste.c     flows that would rather miss a packet than wait for it
 * far.c       paths out of a flow's reach, by stretch.c (its round trip) and gather.c (its acknowledgements)
 * acks.c      acknowledgements that wait on their way in, see gather.h, ackfilter.h and luck.h
 * report.c    feedback, written for the peer
 * reported.c  feedback, read from it
 * repair.c    how long what the peer sends again is waited for
 * doubt.c     paths without progress
 * twin.c      copies of thin packets while a path is in doubt
 *
 * They stand on leaves, which know of one path or one queue and of nothing else:
 *
 * stretch.c   what waits so that a flow's round trip fits a far path
 * rate.h      when a flow sends nearly all that a path carries
 * queue.c     what waits, by codel.c dropped or marked when it waits for too long, and by queue_overflow.c
 *             when there is too much; load.c keeps it, turns.h knows whose turn it is
 * flight.c    what is under way on one path
 * feedback.c  what a report says of it
 * window.c    how much may be; steer.c lets reports change it, by what delivery.c, variation.c, standing.c,
 *             rest.c and losses.c make of them, window_trial.c lets it try what trial.c then judges, and
 *             window_spill.c bounds how fast it goes where lumps overflow the path, as spill.c says
 * pacer.c     how fast it may go
 * ackfilter.c whose acknowledgements are thinned; gather.c whose are gathered; luck.c which came too soon;
 *             ack.c reads them
 *
 * scheduling: a flow is thin until it has shown otherwise. When it has been so for a while its packets
 * are delivered on arrival, but for TCP's: their receiver could do nothing with them before the missing
 * one came, but take it for lost. All others are put in order by the far end; a narrow flow takes the
 * quickest path alone, a wide one all. */
#ifndef MP_ADAPTIVE_H
#define MP_ADAPTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ackfilter.h"
#include "contract.h"
#include "flight.h"
#include "gather.h"
#include "haste.h"
#include "load.h"
#include "luck.h"
#include "queue.h"
#include "sparse.h"
#include "stretch.h"
#include "window.h"

/* What the scheduler knows of the flows in one bucket, in the order of use: of a thin packet first. */
struct mp_adaptive_flow {
  uint64_t seen_us;       /* when the two below were brought up to date */
  uint32_t recent_octets; /* of payload, with a time constant of one second */
  uint32_t recent_packets;
  bool bulky;             /* has shown that it is not thin */
  uint8_t path;           /* of its last narrow packet */
  uint32_t sent_to;       /* of TCP: the sequence number after the last octet of data */
  uint64_t began_us;      /* its first packet, or the first after a long pause or as thin again */
  uint64_t follows_us;    /* until then they may overtake what it has sent on another path */
  uint64_t backlog_us;    /* since when something of it has waited without a pause; 0: nothing waits */
  uint64_t waited_us;     /* when something of it waited last */
  uint64_t pressing_us;   /* since when it has sent nearly all that the quickest path carries; 0: not */
  uint64_t pressed_us;    /* when it last made a queue there */
  uint64_t wide_us;       /* since when it takes all paths; 0: narrow */
  uint64_t queued_us;     /* for how long of that something of it waited */
  uint64_t judged_us;     /* when its class was last decided */
  struct mp_luck_flow sent;     /* of TCP: when */
  struct mp_gather_turns turns; /* of TCP */
  struct mp_haste haste;
};
_Static_assert(offsetof(struct mp_adaptive_flow, sent.marks) <= 2 * 64, "two lines, and one for its mark");

/* A path as the scheduler sees it. What every packet touches stands first, as it does in the window. */
struct mp_lane {
  _Alignas(64) bool listed; /* the plan's table has it */
  uint8_t flags;          /* MP_PLAN_PATH_FLAG_* */
  bool suspect;           /* no progress: carries nothing until it is heard of */
  bool paused;            /* by pacing, until enough may go together */
  bool limited;           /* something has waited for its window since the last report */
  bool late;              /* so is what is under way: it goes on others too, and nothing new here */
  bool counted;           /* a suspect one: among the suspicions, because it stayed so */
  uint64_t rests_us;      /* until then nothing goes, for the kernel has refused some */
  struct mp_flight flight;
  struct mp_window window;
  uint64_t progress_us;   /* when something newer was last reported */
  struct {                /* what the peer's reports say of the newest that came */
    bool any;
    uint64_t serial;
    int64_t delay_us;         /* its own, on the clock difference */
    uint64_t reach_us;        /* when it was sent, and what the peer held the report for */
    uint64_t known_from;      /* serial; of those before it no delay is known, see reported.c */
    uint32_t late_us;         /* of the next one, as the last report without it shows */
    uint64_t missed_us;       /* when the report was written that showed a late path to be so; peer's clock */
    struct mp_lowest latest;  /* the greatest of those that came in the end, negated */
  } heard;
  uint64_t stopped_us;    /* since when it has made none, as far as we know; of a late one, when it was */
  uint64_t doubted_us;    /* when its tail was last sent again for lack of progress */
  uint32_t doubts;        /* how often in a row */
  uint64_t overtaken_bytes; /* lost since the last report, without one, see behind.c */
  uint64_t peer_octets, peer_datagrams; /* as reported, unwrapped */
  uint64_t lost, suspicions;
  struct { /* of what was sent of late, see twin.c */
    uint64_t since_us, bytes, lost_bytes;
    uint32_t lost;
  } fate;
  struct { /* what copies of thin packets may still take */
    uint64_t at_us, credit_bytes;
  } copies;
};
_Static_assert(offsetof(struct mp_lane, window.standing.late_us) <= 4 * 64, "four lines for a packet");

/* Packets that were lost, in the order in which that was found out: at most so many. */
#define MP_AGAIN_MOST 4096u

struct mp_again {
  struct mp_flown what;
  uint64_t serial; /* of its record on the path that it avoids, when it is offered */
  uint8_t avoids;  /* path that it should not take, where another works */
  bool is_offer;   /* it is under way there, and may have come by the time when it is its turn */
};

/* A ring that grows to what is lost at once. */
struct mp_agains {
  uint32_t head, tail;
  uint32_t capacity; /* a power of two, or 0 */
  struct mp_again *slots;
};

/* The oldest; there must be one. */
static inline struct mp_again *mp_agains_first(const struct mp_agains *agains)
{
  return &agains->slots[agains->head & (agains->capacity - 1)];
}

/* What every packet touches stands together, behind the streams of acknowledgements and before the flows. */
struct mp_adaptive {
  _Alignas(64) struct mp_ackfilter acks;
  struct mp_queue *queue;
  bool wanted;                 /* the pump should run at the end of the turn */
  bool untuned;                /* the paths were measured since the queue was last tuned */
  bool detours;                /* no report is to be expected on the path of the next */
  uint8_t reports_on;          /* the path that reports should come on: the quickest towards us */
  uint32_t detour_us;          /* how much later the newest one came, if on another */
  uint64_t pump_us;            /* when pacing lets something go */
  uint64_t lost_us;            /* when a packet was last found lost */
  uint64_t wide_backlog_us;    /* since when wide packets have waited without a pause; 0: none */
  struct mp_load_share share;  /* of the memory for packets on their way out */
  struct mp_agains again[MP_QUEUE_CLASSES]; /* of narrow flows first: few, and somebody waits */
  struct mp_luck luck;
  struct mp_gather gather;
  uint64_t resent, resent_octets, copied, given_up;
  struct mp_stretch stretch;
  struct mp_sparse flows;      /* struct mp_adaptive_flow, of each bucket that sent something */
  uint64_t straight_us;        /* when a report last came on the path that it should */
  bool delay_any;
  uint32_t delay_reference_us; /* of this peer's clock difference, modulo 2^24 */
  struct {                     /* the way of reports to us, as if all came on that path */
    uint64_t newest_us;        /* when the newest was written, on the peer's clock */
    struct mp_lowest ways;     /* how long they took, on the difference of the clocks */
  } back;
  struct mp_lane lanes[MP_LIMIT_PATHS];
};
_Static_assert(sizeof(struct mp_ackfilter_stream) % 64 == 0, "the first line of each is one of the cache");
#define MP_LINE_OF(field) (offsetof(struct mp_adaptive, field) / 64)
_Static_assert(MP_LINE_OF(gather.youngest) - MP_LINE_OF(acks.paced_us) < 3, "three lines for a packet,");
_Static_assert(MP_LINE_OF(flows.last_entry) == MP_LINE_OF(stretch.step), "and one more");
#undef MP_LINE_OF

/* Of a bucket that has sent something. */
static inline struct mp_adaptive_flow *mp_adaptive_flow(const struct mp_adaptive *adaptive,
                                                        uint16_t bucket)
{
  return mp_sparse_find(&adaptive->flows, bucket, sizeof(struct mp_adaptive_flow));
}

#endif
