#include "hold.h"

#include <stdlib.h>
#include <string.h>

/* Slots in use for each packet that may be held. Rings are sparse where a path with a small share
 * runs ahead of one with a large share (1 : 8, times 2 for the power of two); what is sparser than
 * that gives up its oldest gaps rather than memory. */
#define SLOTS_PER_PACKET 16u

void mp_hold_open(struct mp_hold_share *share, struct mp_hold_store *store, uint32_t limit)
{
  *share = (struct mp_hold_share){
    .store = store,
    .slots_limit =
      (uint64_t)limit * SLOTS_PER_PACKET + (uint64_t)MP_LIMIT_BUCKETS * MP_HOLD_SPAN_LEAST,
  };
}

static struct mp_hold *take(struct mp_hold_store *store, uint32_t size)
{
  struct mp_hold *hold = store->free[size];
  store->free[size] = hold->next;
  store->slots -= hold->capacity;
  return hold;
}

void mp_hold_close(struct mp_hold_store *store)
{
  for (uint32_t size = 0; size < MP_HOLD_SIZES; size++)
    while (store->free[size])
      free(take(store, size));
}

/* The widest go first: one takes the memory of many, and few are in use at a time. */
static void bound(struct mp_hold_store *store)
{
  for (uint32_t size = MP_HOLD_SIZES; store->slots > MP_HOLD_KEPT_SLOTS; size--)
    while (store->free[size - 1] && store->slots > MP_HOLD_KEPT_SLOTS)
      free(take(store, size - 1));
}

static uint32_t size_of(uint32_t capacity)
{
  return (uint32_t)__builtin_ctz(capacity / MP_HOLD_SPAN_LEAST);
}

static struct mp_hold *ring_of(struct mp_hold_share *share, uint32_t capacity)
{
  struct mp_hold *hold;
  if (share->store->free[size_of(capacity)]) {
    hold = take(share->store, size_of(capacity));
  } else {
    hold = calloc(1, sizeof *hold + capacity * sizeof hold->slots[0] + capacity / 8);
    if (!hold)
      return NULL;
    hold->capacity = capacity;
    hold->occupied = (uint64_t *)&hold->slots[capacity];
  }
  share->slots_used += capacity;
  return hold;
}

void mp_hold_release(struct mp_hold_share *share, struct mp_hold **hold)
{
  struct mp_hold_store *store = share->store;
  struct mp_hold **free = &store->free[size_of((*hold)->capacity)];
  share->slots_used -= (*hold)->capacity;
  store->slots += (*hold)->capacity;
  (*hold)->next = *free;
  *free = *hold;
  *hold = NULL;
  bound(store);
}

bool mp_hold_reach(struct mp_hold_share *share, struct mp_hold **hold, uint64_t turn,
                   uint64_t sequence)
{
  struct mp_hold *narrow = *hold;
  uint32_t capacity = narrow ? narrow->capacity : MP_HOLD_SPAN_LEAST;
  if (narrow && sequence - turn <= capacity)
    return true;
  while (capacity < sequence - turn)
    capacity *= 2;
  /* The narrow one comes back: it does not count, though both exist for a moment. */
  if (share->slots_used - (narrow ? narrow->capacity : 0) + capacity > share->slots_limit)
    return false;
  struct mp_hold *wide = ring_of(share, capacity);
  if (!wide)
    return false;
  if (narrow) {
    while (narrow->count > 0) {
      const uint64_t held = mp_hold_first(narrow, turn);
      const uint64_t clock_us = mp_hold_slot(narrow, held)->clock_us;
      mp_hold_put(wide, held, mp_hold_take(narrow, held), clock_us);
    }
    mp_hold_release(share, hold);
  }
  *hold = wide;
  return true;
}

void mp_hold_put(struct mp_hold *hold, uint64_t sequence, struct mp_packet *packet,
                 uint64_t clock_us)
{
  const uint32_t at = (uint32_t)sequence & (hold->capacity - 1);
  const uint32_t word = at / 64;
  hold->slots[at] = (struct mp_hold_slot){packet, clock_us};
  hold->occupied[word] |= 1ull << (at % 64);
  hold->words[word / 64] |= 1ull << (word % 64);
  hold->count++;
}

struct mp_packet *mp_hold_take(struct mp_hold *hold, uint64_t sequence)
{
  const uint32_t at = (uint32_t)sequence & (hold->capacity - 1);
  const uint32_t word = at / 64;
  hold->occupied[word] &= ~(1ull << (at % 64));
  if (hold->occupied[word] == 0)
    hold->words[word / 64] &= ~(1ull << (word % 64));
  hold->count--;
  return hold->slots[at].packet;
}

/* The next word that is not zero, after `word` and around the end of the ring; perhaps itself. */
static uint32_t word_after(const struct mp_hold *hold, uint32_t word)
{
  const uint32_t groups = sizeof hold->words / sizeof hold->words[0];
  uint32_t group = (word + 1) / 64;
  uint64_t words = group < groups ? hold->words[group] & (~0ull << ((word + 1) % 64)) : 0;
  while (words == 0) {
    group = group + 1 < groups ? group + 1 : 0;
    words = hold->words[group];
  }
  return group * 64 + (uint32_t)__builtin_ctzll(words);
}

/* Looks at the rest of the word where the sequences above the turn begin, then at the next word
 * that is not zero; last comes the beginning of the first word. */
uint64_t mp_hold_first(const struct mp_hold *hold, uint64_t turn)
{
  const uint32_t start = (uint32_t)(turn + 1) & (hold->capacity - 1);
  uint32_t word = start / 64;
  uint64_t bits = hold->occupied[word] & (~0ull << (start % 64));
  if (bits == 0) {
    word = word_after(hold, word);
    bits = hold->occupied[word];
  }
  const uint32_t at = word * 64 + (uint32_t)__builtin_ctzll(bits);
  return turn + 1 + ((at - start) & (hold->capacity - 1));
}
