/* Inner packets on their way out, kept for as long as they wait or may have to be sent again.
 *
 * One load is one read of the TUN: a packet, or a super-packet that stands for several. Whoever needs
 * one of its packets later (the queue, the record of what is under way) holds a reference. Memory
 * comes in a few sizes and is bounded; nothing is allocated once the bound, or what the traffic needs,
 * has been reached. One thread at a time.
 *
 * Those who share the memory may each have as much as is left to all others (dynamic thresholds, Choudhury
 * and Hahne, IEEE/ACM ToN 6:2, 1998): one alone has half, n who want all have a part of n + 1 each, and
 * whoever comes to them finds as much. */
#ifndef MP_LOAD_H
#define MP_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "offload.h"
#include "segment.h"

/* What one of those who share the memory has of it. */
struct mp_load_share {
  uint64_t taken_bytes;
};

struct mp_load {
  struct mp_load *next; /* of whoever keeps it in a list */
  struct mp_load_share *share; /* that it counts in; NULL: in none */
  uint32_t references;
  uint32_t length;
  uint64_t since_us; /* when it was read */
  struct mp_offload offload;
  struct mp_segments segments; /* of `bytes` */
  uint16_t flow;    /* bucket and MP_FLOW_*, as its packets will carry them */
  bool ecn_capable; /* ECT(0), ECT(1) or marked before, RFC 3168 section 5 */
  bool patient;     /* its flow hears of congestion by losses alone, and may not make them good */
  uint8_t size;     /* of MP_LOAD_SIZES */
  uint8_t bytes[];
};

/* Of a `flow`, here or in a packet. */
static inline uint16_t mp_flow_bucket(uint16_t flow)
{
  return flow & (MP_LIMIT_BUCKETS - 1);
}

/* Rooms of 2, 3, 8, 32 and 64 KiB, about: slow TCP flows make super-packets of two segments. */
#define MP_LOAD_SIZES 5u
#define MP_LOAD_MOST_BYTES 65536u

struct mp_loads {
  struct mp_load *free[MP_LOAD_SIZES];
  uint64_t limit_bytes, taken_bytes;
  uint64_t allocated_bytes; /* of all sizes but the largest */
  /* Rooms of the largest size, side by side; reserved when the first is needed, touched as they are. */
  uint8_t *large;
  uint32_t large_count;
};

/* `limit_bytes` bounds the memory of all loads together. What large ones took is not given to small
 * ones: a tunnel that needed the whole bound for either may hold twice as much, half of it idle. */
void mp_loads_open(struct mp_loads *loads, uint64_t limit_bytes);

/* Erases and frees what is in store; every load must have been dropped. */
void mp_loads_close(struct mp_loads *loads);

/* A load with room for `length` octets and one reference, everything else zero. NULL when the share has all
 * that it may, the limit is reached or memory is gone. The share lives until its last load was dropped; NULL
 * for what is nobody's, and bounded by the limit alone. Precondition: length <= MP_LOAD_MOST_BYTES. */
struct mp_load *mp_load_take(struct mp_loads *loads, struct mp_load_share *share, uint32_t length);

/* The same for `length` octets that stand in *room, a load of the largest size that belongs to somebody
 * who reads into it. What needs such a room anyway is not copied: it stays where it is, and *room
 * becomes an empty one. */
struct mp_load *mp_load_take_from(struct mp_loads *loads, struct mp_load_share *share,
                                  struct mp_load **room, uint32_t length);

static inline void mp_load_keep(struct mp_load *load) { load->references++; }

/* Gives one reference back. */
void mp_load_drop(struct mp_loads *loads, struct mp_load *load);

/* The same of several references at once. Precondition: count > 0. */
static inline void mp_load_keep_more(struct mp_load *load, uint32_t count)
{
  load->references += count;
}

static inline void mp_load_drop_more(struct mp_loads *loads, struct mp_load *load, uint32_t count)
{
  load->references -= count - 1;
  mp_load_drop(loads, load);
}

#endif
