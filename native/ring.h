/* Single-producer single-consumer ring of fixed-size slots between the JavaScript thread and the
 * engine thread. One side calls reserve and publish, the other peek and release. C11 atomics; no
 * lock. A full ring refuses: the caller counts or reports it. Memory comes from the caller. */
#ifndef MP_RING_H
#define MP_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct mp_ring {
  uint8_t *slots;
  uint32_t slot_bytes;
  uint32_t mask; /* number of slots minus one, a power of two */
  /* Apart, so that the two sides do not share a cache line. */
  _Alignas(64) _Atomic uint32_t head; /* next slot to publish, moved by the producer */
  _Alignas(64) _Atomic uint32_t tail; /* next slot to release, moved by the consumer */
};

static inline void mp_ring_open(struct mp_ring *ring, void *slots, uint32_t count,
                                uint32_t slot_bytes)
{
  ring->slots = slots;
  ring->slot_bytes = slot_bytes;
  ring->mask = count - 1;
  atomic_init(&ring->head, 0);
  atomic_init(&ring->tail, 0);
}

/* [producer] Number of free slots. */
static inline uint32_t mp_ring_room(struct mp_ring *ring)
{
  const uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
  return ring->mask + 1 - (head - tail);
}

/* [producer] A slot to fill, or NULL when the ring is full. Not seen before publish. */
static inline void *mp_ring_reserve(struct mp_ring *ring)
{
  if (mp_ring_room(ring) == 0)
    return NULL;
  const uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  return ring->slots + (size_t)(head & ring->mask) * ring->slot_bytes;
}

/* [producer] */
static inline void mp_ring_publish(struct mp_ring *ring)
{
  const uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

/* [consumer] The oldest slot, or NULL when there is none. */
static inline void *mp_ring_peek(struct mp_ring *ring)
{
  const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  if (atomic_load_explicit(&ring->head, memory_order_acquire) == tail)
    return NULL;
  return ring->slots + (size_t)(tail & ring->mask) * ring->slot_bytes;
}

/* [consumer] Gives the slot of the last peek back. */
static inline void mp_ring_release(struct mp_ring *ring)
{
  const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

#endif
