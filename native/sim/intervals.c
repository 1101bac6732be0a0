#include "intervals.h"

#include <stdlib.h>
#include <string.h>

/* How many intervals begin at or below the number. */
static uint32_t rank(const struct mp_intervals *set, uint64_t number)
{
  uint32_t low = 0, high = set->count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (set->list[middle].begin <= number)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void remove_at(struct mp_intervals *set, uint32_t at, uint32_t count)
{
  set->count -= count;
  memmove(set->list + at, set->list + at + count, (set->count - at) * sizeof *set->list);
}

static bool insert_at(struct mp_intervals *set, uint32_t at, struct mp_interval interval)
{
  if (set->count == set->room) {
    const uint32_t room = set->room ? set->room * 2 : 64;
    struct mp_interval *list = realloc(set->list, room * sizeof *list);
    if (!list)
      return false;
    set->list = list;
    set->room = room;
  }
  memmove(set->list + at + 1, set->list + at, (set->count - at) * sizeof *set->list);
  set->list[at] = interval;
  set->count++;
  return true;
}

enum mp_intervals_verdict mp_intervals_add(struct mp_intervals *set, uint64_t number)
{
  const uint32_t at = rank(set, number);
  struct mp_interval *before = at > 0 ? &set->list[at - 1] : NULL;
  struct mp_interval *after = at < set->count ? &set->list[at] : NULL;
  if (before && number < before->end)
    return MP_INTERVALS_KNOWN;
  const bool extends = before && before->end == number;
  if (after && after->begin == number + 1) {
    after->begin = extends ? before->begin : number;
    if (extends)
      remove_at(set, at - 1, 1);
    return MP_INTERVALS_NEW;
  }
  if (extends) {
    before->end = number + 1;
    return MP_INTERVALS_NEW;
  }
  return insert_at(set, at, (struct mp_interval){number, number + 1}) ? MP_INTERVALS_NEW
                                                                      : MP_INTERVALS_NO_MEMORY;
}

const struct mp_interval *mp_intervals_find(const struct mp_intervals *set, uint64_t number)
{
  const uint32_t at = rank(set, number);
  return at > 0 && number < set->list[at - 1].end ? &set->list[at - 1] : NULL;
}

void mp_intervals_advance(struct mp_intervals *set, uint64_t *from)
{
  if (set->count == 0 || set->list[0].begin != *from)
    return;
  *from = set->list[0].end;
  remove_at(set, 0, 1);
}

void mp_intervals_trim(struct mp_intervals *set, uint32_t count)
{
  if (set->count > count)
    remove_at(set, 0, set->count - count);
}

void mp_intervals_close(struct mp_intervals *set)
{
  free(set->list);
  *set = (struct mp_intervals){0};
}
