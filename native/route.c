#include "route.h"

#include <string.h>

#include "hash.h"
#include "le.h"

_Static_assert((MP_ROUTE_SLOTS & (MP_ROUTE_SLOTS - 1)) == 0, "a slot is the low bits of a hash");

/* An address as words, kept in registers: a search with an entry built on the stack took 18 ns
 * instead of 4, because the octets just stored were loaded again in another width. */
struct key {
  uint64_t words[2];
  uint8_t family;
};

static struct key key_of(uint8_t family, const uint8_t *address)
{
  if (family == 4)
    return (struct key){{mp_load32(address), 0}, family};
  return (struct key){{mp_load64(address), mp_load64(address + 8)}, family};
}

static bool has_key(const struct mp_route_entry *entry, const struct key *key)
{
  return entry->family == key->family && mp_load64(entry->address) == key->words[0] &&
         mp_load64(entry->address + 8) == key->words[1];
}

static uint32_t next_slot(uint32_t slot)
{
  return (slot + 1) % MP_ROUTE_SLOTS;
}

/* Where the search for an address begins. */
static uint32_t home_of(const struct mp_route *route, const struct key *key)
{
  const uint64_t factor = mp_hash_key(route->seed);
  uint64_t state = mp_hash_word(route->seed, key->words[0], factor);
  state = mp_hash_word(state, key->words[1], factor);
  return mp_hash_end(state) % MP_ROUTE_SLOTS;
}

/* The slot of the address, else the empty one where it would go, else MP_ROUTE_SLOTS. */
static uint32_t search(const struct mp_route *route, const struct key *key)
{
  uint32_t slot = home_of(route, key);
  for (uint32_t probe = 0; probe < MP_ROUTE_SLOTS; probe++) {
    const struct mp_route_entry *entry = &route->entries[slot];
    if (entry->family == 0 || has_key(entry, key))
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
    const struct key key = key_of(6, entry->address); /* all octets, of either family */
    const uint32_t from_home = (slot - home_of(route, &key)) % MP_ROUTE_SLOTS;
    const uint32_t from_hole = (slot - hole) % MP_ROUTE_SLOTS;
    if (from_home < from_hole)
      continue;
    route->entries[hole] = *entry;
    hole = slot;
  }
  route->entries[hole] = (struct mp_route_entry){0};
  route->count--;
}

void mp_route_open(struct mp_route *route, uint64_t seed)
{
  memset(route, 0, sizeof *route);
  route->everything = MP_ROUTE_NONE;
  route->seed = seed;
}

bool mp_route_add(struct mp_route *route, uint8_t family, const uint8_t *address, uint16_t peer)
{
  const struct key key = key_of(family, address);
  const uint32_t slot = search(route, &key);
  if (slot == MP_ROUTE_SLOTS)
    return false;
  struct mp_route_entry *entry = &route->entries[slot];
  route->count += entry->family == 0;
  mp_store64(entry->address, key.words[0]);
  mp_store64(entry->address + 8, key.words[1]);
  entry->family = family;
  entry->peer = peer;
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
  if (route->count == 0) /* a client: 70 instructions a packet saved, each way */
    return route->everything;
  const struct key key = key_of(family, address);
  const uint32_t slot = search(route, &key);
  if (slot == MP_ROUTE_SLOTS || route->entries[slot].family == 0)
    return route->everything;
  return route->entries[slot].peer;
}
