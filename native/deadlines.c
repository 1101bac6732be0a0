#include "deadlines.h"

void mp_deadlines_open(struct mp_deadlines *deadlines)
{
  deadlines->count = 0;
  for (unsigned member = 0; member < MP_DEADLINES_MEMBERS; member++)
    deadlines->at_us[member] = UINT64_MAX;
}

static uint64_t time_at(const struct mp_deadlines *deadlines, uint32_t place)
{
  return deadlines->at_us[deadlines->heap[place]];
}

static void put(struct mp_deadlines *deadlines, uint32_t place, uint16_t member)
{
  deadlines->heap[place] = member;
  deadlines->place[member] = (uint16_t)place;
}

/* Moves a hole up to where the member belongs, and fills it. */
static void rise(struct mp_deadlines *deadlines, uint32_t place, uint16_t member)
{
  while (place > 0) {
    const uint32_t parent = (place - 1) / 2;
    if (time_at(deadlines, parent) <= deadlines->at_us[member])
      break;
    put(deadlines, place, deadlines->heap[parent]);
    place = parent;
  }
  put(deadlines, place, member);
}

/* Down to the bottom first, where nearly all belong that stood last: half the comparisons (Wegener,
 * "Bottom-Up-Heapsort", 1993). */
static void sink(struct mp_deadlines *deadlines, uint32_t place, uint16_t member)
{
  for (uint32_t child; (child = 2 * place + 1) < deadlines->count; place = child) {
    if (child + 1 < deadlines->count && time_at(deadlines, child + 1) < time_at(deadlines, child))
      child++;
    put(deadlines, place, deadlines->heap[child]);
  }
  rise(deadlines, place, member);
}

void mp_deadlines_bring_forward(struct mp_deadlines *deadlines, uint16_t member, uint64_t at_us)
{
  const bool is_new = deadlines->at_us[member] == UINT64_MAX;
  if (at_us >= deadlines->at_us[member])
    return;
  deadlines->at_us[member] = at_us;
  rise(deadlines, is_new ? deadlines->count++ : deadlines->place[member], member);
}

void mp_deadlines_remove(struct mp_deadlines *deadlines, uint16_t member)
{
  if (deadlines->at_us[member] == UINT64_MAX)
    return;
  const uint32_t place = deadlines->place[member];
  const uint64_t was_us = deadlines->at_us[member];
  deadlines->at_us[member] = UINT64_MAX;
  const uint16_t last = deadlines->heap[--deadlines->count];
  if (last == member)
    return;
  if (deadlines->at_us[last] < was_us)
    rise(deadlines, place, last);
  else
    sink(deadlines, place, last);
}

bool mp_deadlines_take(struct mp_deadlines *deadlines, uint64_t now_us, uint16_t *member)
{
  if (mp_deadlines_next_us(deadlines) > now_us)
    return false;
  *member = deadlines->heap[0];
  mp_deadlines_remove(deadlines, *member);
  return true;
}
