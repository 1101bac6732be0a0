#include "lapses.h"

void mp_lapses_open(struct mp_lapses *lapses)
{
  for (unsigned member = 0; member < MP_LAPSES_MEMBERS; member++)
    lapses->at_us[member] = UINT64_MAX;
  lapses->after[MP_LAPSES_MEMBERS] = lapses->before[MP_LAPSES_MEMBERS] = MP_LAPSES_MEMBERS;
}

static void put_behind(struct mp_lapses *lapses, uint16_t member, uint16_t other, uint64_t at_us)
{
  const uint16_t next = lapses->after[other];
  lapses->at_us[member] = at_us;
  lapses->before[member] = other;
  lapses->after[member] = next;
  lapses->after[other] = lapses->before[next] = member;
}

void mp_lapses_begin(struct mp_lapses *lapses, uint16_t member, uint64_t at_us)
{
  mp_lapses_remove(lapses, member);
  put_behind(lapses, member, lapses->before[MP_LAPSES_MEMBERS], at_us);
}

void mp_lapses_hasten(struct mp_lapses *lapses, uint16_t member, uint64_t at_us)
{
  mp_lapses_remove(lapses, member);
  put_behind(lapses, member, MP_LAPSES_MEMBERS, at_us);
}

void mp_lapses_remove(struct mp_lapses *lapses, uint16_t member)
{
  if (lapses->at_us[member] == UINT64_MAX)
    return;
  lapses->at_us[member] = UINT64_MAX;
  lapses->after[lapses->before[member]] = lapses->after[member];
  lapses->before[lapses->after[member]] = lapses->before[member];
}

bool mp_lapses_take(struct mp_lapses *lapses, uint64_t now_us, uint16_t *member)
{
  if (mp_lapses_next_us(lapses) > now_us)
    return false;
  *member = lapses->after[MP_LAPSES_MEMBERS];
  mp_lapses_remove(lapses, *member);
  return true;
}
