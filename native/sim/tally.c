#include "tally.h"

#include <stdlib.h>
#include <string.h>

void mp_tally_open(struct mp_tally *tally, uint64_t start_us)
{
  *tally = (struct mp_tally){.start_us = start_us, .last_delivery_us = start_us, .last_arrival_us = start_us,
                              .expected = 1};
  mp_delays_clear(&tally->delays);
}

void mp_tally_close(struct mp_tally *tally)
{
  mp_intervals_close(&tally->orders);
  free(tally->slots);
}

enum mp_intervals_verdict mp_tally_arrival(struct mp_tally *tally, uint64_t order,
                                           uint64_t sent_us, uint8_t path, uint64_t now_us)
{
  const enum mp_intervals_verdict verdict = mp_intervals_add(&tally->orders, order);
  if (verdict == MP_INTERVALS_KNOWN)
    tally->duplicated++;
  if (verdict != MP_INTERVALS_NEW)
    return verdict;
  tally->arrivals++;
  tally->longest_pause_us = mp_tally_longest_pause_us(tally, now_us);
  tally->last_arrival_us = now_us;
  if (order < tally->expected)
    tally->reordered++;
  else
    tally->expected = order + 1;
  if (path < MP_LIMIT_PATHS)
    tally->by_path[path]++;
  mp_delays_take(&tally->delays, now_us - sent_us);
  return verdict;
}

static bool has_slot(struct mp_tally *tally, uint32_t slot)
{
  if (slot >= tally->slot_room) {
    const uint32_t room = (slot + 1) * 2;
    uint32_t *slots = realloc(tally->slots, room * sizeof *slots);
    if (!slots)
      return false;
    memset(slots + tally->slot_room, 0, (room - tally->slot_room) * sizeof *slots);
    tally->slots = slots;
    tally->slot_room = room;
  }
  if (slot >= tally->slot_count)
    tally->slot_count = slot + 1;
  return true;
}

bool mp_tally_delivery(struct mp_tally *tally, uint64_t bytes, uint64_t now_us)
{
  const uint64_t gap_us = now_us - tally->last_delivery_us;
  if (gap_us > tally->longest_gap_us)
    tally->longest_gap_us = gap_us;
  tally->last_delivery_us = now_us;
  tally->delivered_bytes += bytes;
  const uint32_t slot = (uint32_t)((now_us - tally->start_us) / MP_TALLY_SLOT_US);
  if (!has_slot(tally, slot))
    return false;
  tally->slots[slot] += (uint32_t)bytes;
  return true;
}

uint64_t mp_tally_longest_gap_us(const struct mp_tally *tally, uint64_t now_us)
{
  const uint64_t open_us = now_us > tally->last_delivery_us ? now_us - tally->last_delivery_us : 0;
  return open_us > tally->longest_gap_us ? open_us : tally->longest_gap_us;
}

uint64_t mp_tally_longest_pause_us(const struct mp_tally *tally, uint64_t now_us)
{
  const uint64_t open_us = now_us > tally->last_arrival_us ? now_us - tally->last_arrival_us : 0;
  return open_us > tally->longest_pause_us ? open_us : tally->longest_pause_us;
}

void mp_tally_restart(struct mp_tally *tally, uint64_t now_us)
{
  tally->reordered = tally->longest_gap_us = tally->longest_pause_us = 0;
  if (now_us > tally->last_delivery_us)
    tally->last_delivery_us = now_us;
  if (now_us > tally->last_arrival_us)
    tally->last_arrival_us = now_us;
  mp_delays_clear(&tally->delays);
}
