#include "schedule.h"

#include <string.h>

#include "le.h"

_Static_assert(MP_LIMIT_PATHS <= 16, "a set of paths has 16 bits");
_Static_assert((MP_CROSSING_NO_PATH & 31) >= 16, "and none of them is that of no path");

static bool has(uint32_t paths, uint8_t path)
{
  return paths >> (path & 31) & 1;
}

static bool is_path(uint8_t path)
{
  return path < MP_LIMIT_PATHS;
}

/* Different paths, then nothing but MP_CROSSING_NO_PATH. */
static bool read_order(const uint8_t order[MP_LIMIT_PATHS], uint32_t *ordered)
{
  *ordered = 0;
  unsigned count = 0;
  while (count < MP_LIMIT_PATHS && is_path(order[count]) && !has(*ordered, order[count]))
    *ordered |= 1u << order[count++];
  while (count < MP_LIMIT_PATHS && order[count] == MP_CROSSING_NO_PATH)
    count++;
  return count == MP_LIMIT_PATHS;
}

static uint32_t table_bytes(uint8_t kind, uint16_t slots)
{
  switch (kind) {
  case MP_PLAN_KIND_SLOTS:
    return slots;
  case MP_PLAN_KIND_BUCKETS:
    return MP_LIMIT_BUCKETS * MP_CROSSING_PLAN_CHOICES;
  case MP_PLAN_KIND_ARRIVAL:
    return slots * MP_PLAN_PATH_BYTES;
  default:
    return 0;
  }
}

static uint32_t slots_most(uint8_t kind)
{
  switch (kind) {
  case MP_PLAN_KIND_SLOTS:
    return MP_CROSSING_PLAN_SLOTS;
  case MP_PLAN_KIND_ARRIVAL:
    return MP_LIMIT_PATHS;
  default:
    return 0;
  }
}

/* The paths that the table names. False when one of them cannot be. */
static bool read_named(uint8_t kind, const uint8_t *table, uint32_t length, uint32_t *named)
{
  const uint32_t step = kind == MP_PLAN_KIND_ARRIVAL ? MP_PLAN_PATH_BYTES : 1;
  *named = 0;
  for (uint32_t i = 0; i < length; i += step) {
    if (is_path(table[i]))
      *named |= 1u << table[i];
    else if (kind != MP_PLAN_KIND_BUCKETS || table[i] != MP_CROSSING_NO_PATH)
      return false;
  }
  return true;
}

bool mp_schedule_load(struct mp_schedule *schedule, const uint8_t *payload, uint32_t length)
{
  if (length < MP_PLAN_BYTES)
    return false;
  const uint8_t kind = payload[MP_PLAN_KIND];
  const uint8_t hash = payload[MP_PLAN_HASH];
  const uint16_t slots = mp_load16(payload + MP_PLAN_SLOTS);
  const uint8_t *table = payload + MP_PLAN_BYTES;
  uint32_t named, ordered;
  if (kind > MP_PLAN_KIND_ARRIVAL || hash > MP_HASH_LAYER3 || slots > slots_most(kind) ||
      length - MP_PLAN_BYTES != table_bytes(kind, slots) || !read_order(payload + MP_PLAN_ORDER, &ordered) ||
      !read_named(kind, table, length - MP_PLAN_BYTES, &named))
    return false;

  schedule->kind = kind;
  schedule->hash = hash;
  schedule->carrying = mp_load16(payload + MP_PLAN_CARRYING);
  schedule->resting = mp_load16(payload + MP_PLAN_RESTING);
  schedule->slots = slots;
  schedule->named = (uint16_t)named;
  schedule->ordered = (uint16_t)ordered;
  schedule->cursor = 0;
  schedule->path = 0;
  schedule->run = 1;
  schedule->run_now = 0;
  schedule->waiting = 0;
  memset(schedule->drawn, 0, sizeof schedule->drawn);
  schedule->seen = 0;
  schedule->since_us = 0;
  schedule->newest_us = 0;
  schedule->next_draw = 0;
  memcpy(schedule->order, payload + MP_PLAN_ORDER, sizeof schedule->order);
  memcpy(kind == MP_PLAN_KIND_SLOTS     ? (void *)schedule->slot
         : kind == MP_PLAN_KIND_ARRIVAL ? (void *)schedule->arrival
                                        : (void *)schedule->choice,
         table, length - MP_PLAN_BYTES);
  return true;
}

static uint8_t first_of(const uint8_t *paths, unsigned count, uint32_t usable)
{
  for (unsigned i = 0; i < count; i++)
    if (has(usable, paths[i]))
      return paths[i];
  return MP_CROSSING_NO_PATH;
}

/* A pause is part of the window before it, so that bursts count for the time that they must last. */
__attribute__((cold)) static void end_window(struct mp_schedule *schedule, uint64_t now_us)
{
  const uint64_t run =
      (uint64_t)schedule->seen * MP_SCHEDULE_RUN_US / (now_us - schedule->since_us);
  schedule->run = (uint16_t)(run < 1                         ? 1
                             : run > MP_SCHEDULE_RUN_PACKETS ? MP_SCHEDULE_RUN_PACKETS
                                                             : run);
  schedule->since_us = now_us;
  schedule->seen = 0;
}

/* Precondition of all that follow: a usable path has a slot. */

static uint8_t next_slot(struct mp_schedule *schedule, uint32_t usable)
{
  uint8_t path;
  do {
    path = schedule->slot[schedule->cursor++];
    if (schedule->cursor == schedule->slots)
      schedule->cursor = 0;
  } while (!has(usable, path));
  return path;
}

/* Draws ahead, so that a path whose turn comes has a whole run, even one that lasts twice as long.
 * What was drawn for paths that have become unusable is stepped over like their slots. Rare, and
 * better not inlined. */
__attribute__((noinline)) static void draw(struct mp_schedule *schedule, uint32_t usable)
{
  const unsigned round = schedule->run * (unsigned)__builtin_popcount(usable & schedule->named);
  unsigned drawn = 0;
  for (unsigned path = 0; path < MP_LIMIT_PATHS; path++) {
    if (!has(usable, (uint8_t)path))
      schedule->drawn[path] = 0;
    drawn += schedule->drawn[path];
  }
  schedule->waiting &= (uint16_t)usable;
  for (; drawn < 3 * round; drawn++) {
    const uint8_t path = next_slot(schedule, usable);
    schedule->drawn[path]++;
    schedule->waiting |= (uint16_t)(1u << path);
  }
  schedule->next_draw = (uint16_t)round;
}

/* The first of `paths` after `path`, around. */
static uint8_t path_after(uint8_t path, uint32_t paths)
{
  const uint32_t after = paths & (UINT32_MAX << (path + 1));
  return (uint8_t)__builtin_ctz(after ? after : paths);
}

static bool has_ended(const struct mp_schedule *schedule, bool is_new)
{
  return schedule->run_now >= schedule->run &&
         (is_new || schedule->run_now >= 2 * schedule->run - 1);
}

/* Not inlined: what goes slot by slot should not pay for it. */
__attribute__((noinline)) static uint8_t next_in_run(struct mp_schedule *schedule, uint32_t usable,
                                                     uint64_t now_us)
{
  const bool is_new = now_us != schedule->newest_us;
  schedule->newest_us = now_us;
  if (schedule->run > 1 && (schedule->next_draw == 0 || !(schedule->waiting & usable)))
    draw(schedule, usable);
  const uint32_t ready = schedule->waiting & usable;
  if (!has(ready, schedule->path) || has_ended(schedule, is_new)) {
    schedule->path = path_after(schedule->path, ready);
    schedule->run_now = 0;
  }
  schedule->run_now++;
  if (schedule->next_draw > 0)
    schedule->next_draw--;
  if (--schedule->drawn[schedule->path] == 0)
    schedule->waiting &= (uint16_t)~(1u << schedule->path);
  return schedule->path;
}

static uint8_t pick_slot(struct mp_schedule *schedule, uint32_t usable, uint64_t now_us)
{
  if (now_us - schedule->since_us >= MP_SCHEDULE_WINDOW_US)
    end_window(schedule, now_us);
  schedule->seen++;
  if (schedule->run > 1 || (schedule->waiting & usable))
    return next_in_run(schedule, usable, now_us);
  schedule->waiting = 0;
  return next_slot(schedule, usable);
}

uint8_t mp_schedule_pick(struct mp_schedule *schedule, uint16_t bucket, uint16_t usable,
                         uint64_t now_us)
{
  const uint16_t members = usable & schedule->carrying;
  if (schedule->kind <= MP_PLAN_KIND_BUCKETS && (members & schedule->named)) {
    if (schedule->kind == MP_PLAN_KIND_SLOTS)
      return pick_slot(schedule, members, now_us);
    const uint8_t path = first_of(schedule->choice[bucket], MP_CROSSING_PLAN_CHOICES, members);
    if (path != MP_CROSSING_NO_PATH)
      return path;
  }
  return first_of(schedule->order, MP_LIMIT_PATHS, members ? members : usable);
}
