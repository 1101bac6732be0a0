/* What is kept for each flow bucket, from when the bucket is first used. A hash spreads the few flows of
 * a peer over all buckets: in a plain table each would have a page of memory to itself.
 *
 * Entries stand close together in the order in which they came into use, and never move. The one that was
 * used last is known without the tables: a packet asks for its flow's several times, and of a hundred busy
 * peers' tables nothing is in a near cache. A leaf, O(1); one in MP_SPARSE_SLAB first uses allocates. */
#ifndef MP_SPARSE_H
#define MP_SPARSE_H

#include <stddef.h>
#include <stdint.h>

#include "contract.h"

#define MP_SPARSE_SLAB 16u

/* All zero: no bucket has an entry. Read it, change it by the functions. */
struct mp_sparse {
  uint16_t count;
  uint16_t last; /* bucket that was used, and its entry */
  void *last_entry;
  uint8_t *slabs[MP_LIMIT_BUCKETS / MP_SPARSE_SLAB]; /* the first beside what its owner has before it */
  uint16_t places[MP_LIMIT_BUCKETS]; /* one more than the number of the bucket's entry; 0: it has none */
};

void mp_sparse_close(struct mp_sparse *sparse);

/* In all that follows `bytes` is the size of an entry, always the same: a constant, by which the compiler
 * multiplies at no cost. */

/* Zeroes all entries; the buckets keep them. */
void mp_sparse_erase(struct mp_sparse *sparse, size_t bytes);

/* The n-th entry, n below `count`. */
static inline void *mp_sparse_nth(const struct mp_sparse *sparse, uint32_t n, size_t bytes)
{
  return sparse->slabs[n / MP_SPARSE_SLAB] + n % MP_SPARSE_SLAB * bytes;
}

/* The entry of a bucket, NULL while it has none. */
static inline void *mp_sparse_find(const struct mp_sparse *sparse, uint16_t bucket, size_t bytes)
{
  if (bucket == sparse->last)
    return sparse->last_entry;
  const uint32_t place = sparse->places[bucket];
  return place > 0 ? mp_sparse_nth(sparse, place - 1, bytes) : NULL;
}

/* Gives a bucket that has none an entry, all zero. NULL when memory is gone. */
void *mp_sparse_make(struct mp_sparse *sparse, uint16_t bucket, size_t bytes);

/* The entry of a bucket, all zero at first. NULL when memory is gone. */
static inline void *mp_sparse_use(struct mp_sparse *sparse, uint16_t bucket, size_t bytes)
{
  void *const known = mp_sparse_find(sparse, bucket, bytes);
  void *const entry = known ? known : mp_sparse_make(sparse, bucket, bytes);
  if (entry) {
    sparse->last = bucket;
    sparse->last_entry = entry;
  }
  return entry;
}

#endif
