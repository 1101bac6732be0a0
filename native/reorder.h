/* Puts the packets of one peer back in order, bucket by bucket, and drops copies.
 *
 * A packet m waits while a packet n before it in its bucket is missing. It is released by proof
 * when no path can still deliver n: sendTime never runs back and a path is first in, first out, so
 * a path that has delivered something sent later than m has nothing older left. Where no proof
 * comes (a path fell silent), it is released at a deadline taken from the paths' measured delays.
 * Where the sender sends again what is lost, m waits for that too. Proof, deadline and repair are
 * those of PROTOCOL.md, "Order".
 *
 * reorder.c    whose turn it is, and passing gaps
 * proof.c      until when a bucket waits at its gap
 * gap.c        whether what is missing can still come
 * hold.c       where a bucket's packets wait
 * missed.c     what the turn passed over
 * unordered.c  what needs no order: once.c tells copies, in follow.c waits what overtook its flow
 *
 * One timer for all, never restarted by arriving packets. Insertion and release are O(1) per
 * packet; no list is walked. Memory is bounded: what does not fit releases the oldest gap. */
#ifndef MP_REORDER_H
#define MP_REORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "pool.h"

/* What the receiver knows of a path when it judges a gap. Times: microseconds; `newest_sent_us` and
 * `changed_us` on the sender's clock (unwrapped), delays as (our clock - sender's clock), an
 * unknown constant that cancels out. */
struct mp_reorder_path {
  bool live;              /* exists and is heard: a path that is not cannot deliver */
  bool carrying;          /* the sender's plan has it, as its newest probe said */
  uint64_t changed_us;    /* sender's time of the last change of `carrying` */
  uint64_t newest_sent_us;/* greatest sendTime received on this path */
  uint32_t intra_us;      /* disorder seen inside the path; 0 for a first-in first-out path */
  int64_t owd_high_us;    /* a delay that packets of this path rarely exceed */
  uint32_t pto_us;        /* when nothing sent on it is reported for so long, a sender that repairs
                             sends all of it again */
};

struct mp_reorder_stats {
  uint64_t held_total;      /* packets that had to wait */
  uint64_t proved_lost;     /* gaps passed: every path had overtaken them */
  uint64_t deadline_passed; /* gaps passed: time was up */
  uint64_t overflowed;      /* gaps passed: what waited behind them did not fit */
  uint64_t repair_expired;  /* of the gaps proved or due: a repair was waited for in vain */
  uint64_t repaired;        /* packets sent again that found their place in order */
  uint64_t late;            /* packets delivered behind their turn */
  uint64_t duplicates;      /* copies given back */
  uint32_t held;            /* packets that wait now */
};

/* Takes a packet that is next in order; must not call back into reorder. Ownership passes. */
typedef void mp_reorder_deliver(void *context, struct mp_packet *packet);

struct mp_reorder; /* one peer, one direction */
struct mp_hold_store;

/* NULL when memory is gone. `limit` bounds the packets held, and so does what others leave of the
 * pool: at most as many are held as are free. `pool` gets dropped copies back, `holds` the rings that they
 * wait in. Both outlive it, and others may have them too. */
struct mp_reorder *mp_reorder_open(struct mp_pool *pool, struct mp_hold_store *holds, uint32_t limit,
                                   mp_reorder_deliver *deliver, void *context);

/* Gives all held packets back without delivering them. NULL is allowed. */
void mp_reorder_close(struct mp_reorder *reorder);

/* How long what is proved lost is still waited for when the packet behind it is `repaired`: about
 * three round trips of the best path. 0, as after opening: not at all. Holds for gaps met from now
 * on. */
void mp_reorder_repair(struct mp_reorder *reorder, uint64_t repair_us);

/* Takes ownership; a loan that has to wait is copied. Delivers at once what is in order; a copy is
 * given back and counted; a packet behind its turn that was never seen is delivered late; one so
 * old that nobody can tell (MP_REORDER_HISTORY) is given back and counted by the return value.
 * Uses sent_us, path, repaired and resent of the packet. flow_seq has 24 bits and wraps. */
enum mp_reorder_verdict { MP_REORDER_TAKEN, MP_REORDER_DUPLICATE, MP_REORDER_TOO_OLD };
enum mp_reorder_verdict mp_reorder_insert(struct mp_reorder *reorder, uint16_t bucket,
                                          uint32_t flow_seq, struct mp_packet *packet,
                                          const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                          uint64_t now_us);

/* The same for a packet that needs no order: delivered at once, if it is no copy. One that `follows` waits
 * for the one before it while that can still come, and as briefly where a path fell silent, but for no
 * other repair. Sequences of their own; too old is what MP_ONCE_BITS do not reach. */
enum mp_reorder_verdict mp_reorder_insert_unordered(struct mp_reorder *reorder, uint16_t bucket,
                                                    uint32_t flow_seq, struct mp_packet *packet,
                                                    const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                                    uint64_t now_us);

/* Passes what is proved lost, or begins to wait for its repair. Call after each batch of datagrams:
 * no deadline passes here, because what would meet it may be in a batch not yet read.
 * O(number of buckets that hold something), and once for each packet behind a repair. */
void mp_reorder_prove(struct mp_reorder *reorder,
                      const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us);

/* The same, and passes what is due: call at the deadline, when all that came has been inserted. */
void mp_reorder_advance(struct mp_reorder *reorder,
                        const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t now_us);

/* Earliest time at which advance can release something by deadline; UINT64_MAX when nothing waits.
 * Exact after prove and advance; an insert that releases something may leave it too early, never too
 * late. */
uint64_t mp_reorder_deadline(const struct mp_reorder *reorder);

const struct mp_reorder_stats *mp_reorder_stats(const struct mp_reorder *reorder);

#define MP_REORDER_HISTORY 16384u /* sequences behind the turn for which copies are told apart */

#endif
