/* The inside of a queue: queue.c keeps it, queue_overflow.c sheds what is too much. */
#ifndef MP_QUEUE_INSIDE_H
#define MP_QUEUE_INSIDE_H

#include "queue.h"
#include "sparse.h"
#include "turns.h"

#define LIMIT_BYTES_MOST (1ull << 31) /* octets of a bucket have 32 bits; a load may exceed this */

/* Whether a bucket has a turn to come, and with whom: a new one before all that are old. */
enum age { IDLE, NEW, OLD };

/* Touched by every packet. */
struct bucket {
  struct mp_load *head, *tail; /* the tail is valid while there is a head */
  struct mp_codel codel;
  uint32_t bytes;  /* of packets that wait */
  int32_t deficit; /* octets left of its turn */
  uint16_t index;  /* the next segment of the head */
  uint8_t class;
  uint8_t age;
};
_Static_assert(sizeof(struct bucket) == 64, "as small as a line of the cache");

struct lane {
  struct mp_queue_law law;
  uint64_t bytes;
};

/* What every packet touches stands together, between the two tables: the rings and the first slab too. */
struct mp_queue {
  _Alignas(64) struct mp_turns turns; /* of the buckets that are not idle, be they empty or not */
  struct lane lanes[MP_QUEUE_CLASSES];
  struct mp_loads *loads;
  uint64_t limit_bytes;
  uint64_t impatient_bytes, impatient_limit_bytes; /* of loads that are not patient: what waits, at most */
  int32_t quantum_bytes; /* signed as deficits are */
  struct mp_sparse buckets; /* struct bucket, of each where something has waited */
  struct mp_queue_stats stats;
};

/* Of a bucket where something has waited. */
static inline struct bucket *bucket_of(const struct mp_queue *queue, uint16_t at)
{
  return mp_sparse_find(&queue->buckets, at, sizeof(struct bucket));
}

/* queue.c APIs: */

/* Takes the first packet off a bucket that has one: it is lost. */
void mp_queue_drop(struct mp_queue *queue, struct bucket *bucket);

/* queue_overflow.c APIs: */

/* Sheds what is above the limit, and above that of loads that are not patient if one of these has come. */
void mp_queue_overflow(struct mp_queue *queue, bool is_impatient);

#endif
