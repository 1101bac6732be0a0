#include "flight.h"

#include <stdlib.h>
#include <string.h>

#include "le.h"

#define CAPACITY_LEAST 64u
#define FLOW_SEQ_MASK 0xffffffu /* MP_HEADER_FLOW_SEQ has 24 bits */
/* What was sent on the path before the first record has serials as well, and reports may tell of it. */
#define FIRST_SERIAL (1ull << 40)

static struct mp_flight_entry *entry_of(const struct mp_flight *flight, uint64_t serial)
{
  return &flight->entries[serial & (flight->capacity - 1)];
}

static bool grow(struct mp_flight *flight, uint64_t serials)
{
  uint32_t capacity = flight->capacity ? flight->capacity : CAPACITY_LEAST;
  if (serials > MP_FLIGHT_MOST)
    return false;
  while (capacity < serials)
    capacity *= 2;
  if (capacity == flight->capacity)
    return true;
  struct mp_flight_entry *entries = calloc(capacity, sizeof *entries);
  if (!entries)
    return false;
  for (uint64_t serial = flight->first; serial < flight->next; serial++)
    entries[serial & (capacity - 1)] = *entry_of(flight, serial);
  free(flight->entries);
  flight->entries = entries;
  flight->capacity = capacity;
  return true;
}

static void drop(void *loads, const struct mp_flown *what) { mp_load_drop(loads, what->load); }

void mp_flight_close(struct mp_flight *flight, struct mp_loads *loads)
{
  mp_flight_abandon(flight, 0, &(struct mp_flight_fate){loads, drop, loads});
  free(flight->entries);
  *flight = (struct mp_flight){0};
}

static const struct mp_flight_span *find_span(const struct mp_flight *flight, uint16_t receiver)
{
  for (unsigned i = 0; i < MP_CROSSING_EPOCHS; i++)
    if (flight->spans[i].exists && flight->spans[i].receiver == receiver)
      return &flight->spans[i];
  return NULL;
}

/* Where the epoch behind it begins. */
static uint64_t end_of(const struct mp_flight *flight, const struct mp_flight_span *span)
{
  uint64_t end = UINT64_MAX;
  for (unsigned i = 0; i < MP_CROSSING_EPOCHS; i++) {
    const struct mp_flight_span *other = &flight->spans[i];
    if (other->exists && other->base > span->base && other->base < end)
      end = other->base;
  }
  return end;
}

/* The span that a sequence about to be recorded belongs to. Sequences of one epoch only grow: what seems to
 * run back is of another one, which the peer has given an index of before. */
static const struct mp_flight_span *span_for(struct mp_flight *flight, uint16_t receiver,
                                             uint64_t path_seq)
{
  struct mp_flight_span *newest = &flight->spans[flight->newest_span];
  if (newest->exists && newest->receiver == receiver && newest->base + path_seq >= flight->next)
    return newest;
  if (newest->exists)
    flight->newest_span = (uint8_t)((flight->newest_span + 1) % MP_CROSSING_EPOCHS);
  else
    flight->first = flight->next = FIRST_SERIAL;
  for (unsigned i = 0; i < MP_CROSSING_EPOCHS; i++)
    flight->spans[i].exists &= flight->spans[i].receiver != receiver;
  newest = &flight->spans[flight->newest_span];
  *newest = (struct mp_flight_span){true, receiver, flight->next};
  return newest;
}

static void forget_settled(struct mp_flight *flight)
{
  while (flight->first < flight->next && entry_of(flight, flight->first)->bytes == 0)
    flight->first++;
}

bool mp_flight_add(struct mp_flight *flight, uint16_t receiver, uint64_t path_seq,
                   const struct mp_flown *first, uint32_t count, uint32_t bytes, uint64_t now_us)
{
  const uint64_t serial = span_for(flight, receiver, path_seq)->base + path_seq;
  if (flight->first == flight->next)
    flight->first = flight->next = serial; /* nothing to remember of what is in between */
  if (!grow(flight, serial - flight->first + count))
    return false;
  for (; flight->next < serial; flight->next++)
    entry_of(flight, flight->next)->bytes = 0;
  struct mp_flight_entry entry = {.what = *first, .sent_us = now_us, .bytes = (uint16_t)bytes};
  for (; flight->next < serial + count; flight->next++) {
    *entry_of(flight, flight->next) = entry;
    entry.what.index++;
    entry.what.flow_seq = (entry.what.flow_seq + 1) & FLOW_SEQ_MASK;
  }
  flight->inflight_bytes += (uint64_t)count * bytes;
  return true;
}

bool mp_flight_serial(const struct mp_flight *flight, uint16_t receiver, uint32_t low,
                      uint64_t *serial)
{
  const struct mp_flight_span *span = find_span(flight, receiver);
  if (!span)
    return false;
  /* Of two epochs that follow each other the later one's sequences are small: `next` is far enough
   * from none of them to be taken for a lap of 2^32. */
  *serial = span->base + mp_unwrap(flight->next - span->base, low, 32);
  return true;
}

/* The packet of a settled entry will not come. */
static void lose(const struct mp_flight_entry *entry, const struct mp_flown *what,
                 const struct mp_flight_fate *fate)
{
  if (entry->copied)
    mp_load_drop(fate->loads, what->load);
  else
    fate->lost(fate->context, what);
}

static struct mp_flown settle(struct mp_flight *flight, struct mp_flight_entry *entry)
{
  flight->inflight_bytes -= entry->bytes;
  entry->bytes = 0;
  return entry->what;
}

static uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* All from `serial` up to `to` has come. Returns where to go on. Packets of a load stand together: its
 * references go back at once. */
static uint64_t settle_come(struct mp_flight *flight, struct mp_loads *loads, uint64_t serial,
                            uint64_t to, uint64_t newest, struct mp_flight_outcome *outcome)
{
  struct mp_load *load = NULL;
  uint32_t references = 0;
  uint64_t bytes = 0;
  for (; serial < to; serial++) {
    struct mp_flight_entry *entry = entry_of(flight, serial);
    if (entry->bytes == 0)
      continue;
    if (entry->what.load != load && references > 0) {
      mp_load_drop_more(loads, load, references);
      references = 0;
    }
    load = entry->what.load;
    references++;
    bytes += entry->bytes;
    entry->bytes = 0;
    if (serial == newest) {
      outcome->newest_acked = true;
      outcome->newest_sent_us = entry->sent_us;
    }
  }
  if (references > 0)
    mp_load_drop_more(loads, load, references);
  flight->inflight_bytes -= bytes;
  outcome->acked_bytes += bytes;
  return serial;
}

static void settle_missing(struct mp_flight *flight, uint64_t serial, const struct mp_flight_fate *fate,
                           struct mp_flight_outcome *outcome)
{
  struct mp_flight_entry *entry = entry_of(flight, serial);
  if (entry->bytes == 0)
    return;
  outcome->lost_bytes += entry->bytes;
  outcome->lost++;
  const struct mp_flown what = settle(flight, entry);
  lose(entry, &what, fate);
}

void mp_flight_report(struct mp_flight *flight, const struct mp_flight_report *report,
                      const struct mp_flight_fate *fate, struct mp_flight_outcome *outcome)
{
  const struct mp_flight_span *span = find_span(flight, report->receiver);
  const uint64_t newest = report->newest;
  *outcome = (struct mp_flight_outcome){.newest = span ? lesser(newest, end_of(flight, span) - 1) : newest};
  const uint64_t end = lesser(outcome->newest + 1, flight->next);
  uint64_t serial = flight->first;
  for (const uint64_t to = span ? lesser(span->base, end) : 0; serial < to; serial++)
    if (newest - serial >= MP_FLIGHT_DISORDER)
      settle_missing(flight, serial, fate, outcome);
  for (unsigned i = 0; i < report->gap_count && serial < end; i++) {
    const struct mp_flight_gap *gap = &report->gaps[i];
    serial = settle_come(flight, fate->loads, serial, lesser(gap->from, end), newest, outcome);
    const uint64_t to = lesser(gap->to, end);
    for (; serial < to; serial++)
      if (newest - serial >= MP_FLIGHT_DISORDER)
        settle_missing(flight, serial, fate, outcome);
  }
  settle_come(flight, fate->loads, serial, end, newest, outcome);
  forget_settled(flight);
}

uint64_t mp_flight_overtaken(struct mp_flight *flight, uint64_t newest, uint64_t sent_us,
                             const struct mp_flight_fate *fate, struct mp_flight_outcome *outcome)
{
  *outcome = (struct mp_flight_outcome){0};
  uint64_t oldest_us = UINT64_MAX;
  const uint64_t end = lesser(newest, flight->next);
  uint64_t serial = end > MP_FLIGHT_DISORDER ? end - MP_FLIGHT_DISORDER : 0;
  for (serial = serial > flight->first ? serial : flight->first; serial < end; serial++) {
    const struct mp_flight_entry *entry = entry_of(flight, serial);
    if (entry->bytes == 0)
      continue;
    if (entry->sent_us <= sent_us)
      settle_missing(flight, serial, fate, outcome);
    else if (entry->sent_us < oldest_us)
      oldest_us = entry->sent_us;
  }
  forget_settled(flight);
  return oldest_us;
}

/* What may wait is what has perhaps come, and was not sent at or after since_us. */
static bool may_wait(const struct mp_flight_entry *entry, uint64_t since_us)
{
  return entry->sent_us < since_us && !(entry->what.flow & MP_FLOW_UNORDERED);
}

void mp_flight_copy(struct mp_flight *flight, uint64_t since_us, mp_flight_offer *offer,
                    void *context)
{
  for (uint64_t serial = flight->first; serial < flight->next; serial++) {
    struct mp_flight_entry *entry = entry_of(flight, serial);
    const bool is_copy = entry->what.tries > 1;
    if (entry->bytes == 0 || entry->offered || is_copy || may_wait(entry, since_us))
      continue;
    entry->offered = true;
    mp_load_keep(entry->what.load);
    offer(context, serial, &entry->what);
  }
}

bool mp_flight_take_copy(struct mp_flight *flight, uint64_t serial)
{
  if (serial < flight->first || serial >= flight->next || entry_of(flight, serial)->bytes == 0)
    return false;
  entry_of(flight, serial)->copied = true;
  return true;
}

static uint32_t abandon_since(struct mp_flight *flight, uint64_t since_us,
                              const struct mp_flight_fate *fate)
{
  uint32_t count = 0;
  for (uint64_t serial = flight->first; serial < flight->next; serial++) {
    struct mp_flight_entry *entry = entry_of(flight, serial);
    if (entry->bytes == 0 || may_wait(entry, since_us))
      continue;
    const struct mp_flown what = settle(flight, entry);
    lose(entry, &what, fate);
    count++;
  }
  return count;
}

uint32_t mp_flight_abandon(struct mp_flight *flight, uint64_t since_us, const struct mp_flight_fate *fate)
{
  uint32_t count = abandon_since(flight, since_us, fate);
  count += abandon_since(flight, 0, fate);
  flight->first = flight->next;
  return count;
}

void mp_flight_refused(struct mp_flight *flight, uint64_t serial, const struct mp_flight_fate *fate)
{
  if (serial < flight->first || serial >= flight->next || entry_of(flight, serial)->bytes == 0)
    return;
  const struct mp_flown what = settle(flight, entry_of(flight, serial));
  fate->lost(fate->context, &what);
  forget_settled(flight);
}

const struct mp_flight_entry *mp_flight_oldest(const struct mp_flight *flight)
{
  for (uint64_t serial = flight->first; serial < flight->next; serial++)
    if (entry_of(flight, serial)->bytes > 0)
      return entry_of(flight, serial);
  return NULL;
}

const struct mp_flight_entry *mp_flight_after(const struct mp_flight *flight, uint64_t serial,
                                              unsigned n)
{
  serial = serial < flight->first ? flight->first : serial + 1;
  for (; serial < flight->next; serial++)
    if (entry_of(flight, serial)->bytes > 0 && --n == 0)
      return entry_of(flight, serial);
  return NULL;
}

const struct mp_flight_entry *mp_flight_newest(const struct mp_flight *flight)
{
  for (uint64_t serial = flight->next; serial > flight->first; serial--)
    if (entry_of(flight, serial - 1)->bytes > 0)
      return entry_of(flight, serial - 1);
  return NULL;
}
