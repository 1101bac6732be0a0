/* What one peer sends without order: copies are dropped, and all else is delivered on arrival, but for
 * what may have overtaken its own flow and waits for it (native/follow.h). Half of reorder, which owns
 * it and says what its calls mean. */
#ifndef MP_UNORDERED_H
#define MP_UNORDERED_H

#include "follow.h"
#include "gap.h"
#include "once.h"
#include "pool.h"
#include "reorder.h"
#include "sparse.h"

/* All zero, but for what its owner sets: nothing was seen. */
struct mp_unordered {
  struct mp_follow follow;
  /* What every packet touches, from how many follow to the last that was seen. */
  struct mp_pool *pool;          /* gets dropped copies back */
  mp_reorder_deliver *deliver;
  void *context;
  struct mp_reorder_stats *stats;
  struct mp_sparse seen; /* struct mp_once, of each bucket that something of came */
};

/* Gives what waits back without delivering it. */
void mp_unordered_close(struct mp_unordered *unordered);

/* mp_reorder_insert_unordered. */
enum mp_reorder_verdict mp_unordered_insert(struct mp_unordered *unordered, uint16_t bucket,
                                            uint32_t flow_seq, struct mp_packet *packet,
                                            const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                            uint64_t now_us);

/* Delivers those that nothing can come before any more, or that were due at until_us, with what waits
 * before them. */
void mp_unordered_settle(struct mp_unordered *unordered,
                         const struct mp_reorder_path paths[MP_LIMIT_PATHS], uint64_t until_us);

#endif
