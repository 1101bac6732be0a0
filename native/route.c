#include "route.h"

#include <string.h>

#include "hash.h"
#include "le.h"

_Static_assert((MP_ROUTE_SLOTS & (MP_ROUTE_SLOTS - 1)) == 0, "a slot is the low bits of a hash");

static struct mp_route_entry entry_of(uint8_t family, const uint8_t *address, uint16_t peer)
{
  struct mp_route_entry entry = {.family = family, .peer = peer};
  memcpy(entry.address, address, family == 4 ? 4 : 16);
  return entry;
}

static bool is_same_address(const struct mp_route_entry *a, const struct mp_route_entry *b)
{
  return a->family == b->family && memcmp(a->address, b->address, sizeof a->address) == 0;
}

static uint32_t next_slot(uint32_t slot)
{
  return (slot + 1) % MP_ROUTE_SLOTS;
}

/* Where the search for an address begins. */
static uint32_t home_of(const struct mp_route *route, const struct mp_route_entry *entry)
{
  const uint64_t key = mp_hash_key(route->seed);
  uint64_t state = mp_hash_word(route->seed, mp_load64(entry->address), key);
  state = mp_hash_word(state, mp_load64(entry->address + 8), key);
  return mp_hash_end(state) % MP_ROUTE_SLOTS;
}

/* The slot of the address, else the empty one where it would go, else MP_ROUTE_SLOTS. */
static uint32_t search(const struct mp_route *route, const struct mp_route_entry *wanted)
{
  uint32_t slot = home_of(route, wanted);
  for (uint32_t probe = 0; probe < MP_ROUTE_SLOTS; probe++) {
    const struct mp_route_entry *entry = &route->entries[slot];
    if (entry->family == 0 || is_same_address(entry, wanted))
      return slot;
    slot = next_slot(slot);
  }
  return MP_ROUTE_SLOTS;
}

/* Linear probing without tombstones (Knuth, The Art of Computer Programming 6.4, algorithm R):
 * entries that follow move back into the hole unless that would put them before their home. */
static void empty(struct mp_route *route, uint32_t hole)
{
  uint32_t slot = hole;
  for (uint32_t probe = 1; probe < MP_ROUTE_SLOTS; probe++) {
    slot = next_slot(slot);
    const struct mp_route_entry *entry = &route->entries[slot];
    if (entry->family == 0)
      break;
    const uint32_t from_home = (slot - home_of(route, entry)) % MP_ROUTE_SLOTS;
    const uint32_t from_hole = (slot - hole) % MP_ROUTE_SLOTS;
    if (from_home < from_hole)
      continue;
    route->entries[hole] = *entry;
    hole = slot;
  }
  route->entries[hole] = (struct mp_route_entry){0};
}

void mp_route_open(struct mp_route *route, uint64_t seed)
{
  memset(route, 0, sizeof *route);
  route->everything = MP_ROUTE_NONE;
  route->seed = seed;
}

bool mp_route_add(struct mp_route *route, uint8_t family, const uint8_t *address, uint16_t peer)
{
  const struct mp_route_entry entry = entry_of(family, address, peer);
  const uint32_t slot = search(route, &entry);
  if (slot == MP_ROUTE_SLOTS)
    return false;
  route->entries[slot] = entry;
  return true;
}

void mp_route_remove_peer(struct mp_route *route, uint16_t peer)
{
  if (route->everything == peer)
    route->everything = MP_ROUTE_NONE;
  for (uint32_t slot = 0; slot < MP_ROUTE_SLOTS;) {
    /* Another entry of the peer may have moved here: the slot is looked at again. */
    if (route->entries[slot].family != 0 && route->entries[slot].peer == peer)
      empty(route, slot);
    else
      slot++;
  }
}

uint16_t mp_route_find(const struct mp_route *route, uint8_t family, const uint8_t *address)
{
  const struct mp_route_entry wanted = entry_of(family, address, 0);
  const uint32_t slot = search(route, &wanted);
  if (slot == MP_ROUTE_SLOTS || route->entries[slot].family == 0)
    return route->everything;
  return route->entries[slot].peer;
}
