/* What is looked up for a packet before it is touched. */
#include <stdlib.h>
#include <string.h>

#include "inner.h"
#include "le.h"
#include "leaf.h"
#include "replay.h"
#include "route.h"
#include "schedule.h"

enum { FLOWS = 64, SEED = 7, HOSTS = 200, SLOTS = 100 };

static uint8_t packets[FLOWS][LEAF_PACKET_BYTES];
static struct mp_route *route;
static struct mp_replay replay;
static struct mp_schedule schedule;
static uint64_t seq;

static bool open_ipv4(void)
{
  for (uint16_t i = 0; i < FLOWS; i++)
    leaf_packet(packets[i], 4, LEAF_PACKET_BYTES, i, 0);
  return true;
}

static bool open_ipv6(void)
{
  for (uint16_t i = 0; i < FLOWS; i++)
    leaf_packet(packets[i], 6, LEAF_PACKET_BYTES, i, 0);
  return true;
}

static unsigned run_inner(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i++) {
    struct mp_inner inner;
    const uint8_t *packet = packets[i % FLOWS];
    if (!mp_inner_parse(&inner, packet, LEAF_PACKET_BYTES))
      abort();
    KEEP(mp_inner_bucket(&inner, packet, LEAF_PACKET_BYTES, MP_HASH_LAYER3_4, SEED));
  }
  return LEAF_BATCH;
}

static void host_address(uint8_t address[4], unsigned host)
{
  memcpy(address, (uint8_t[]){10, 77, (uint8_t)(host >> 8), (uint8_t)host}, 4);
}

static bool open_route(void)
{
  route = malloc(sizeof *route);
  if (!route)
    abort();
  mp_route_open(route, SEED);
  for (uint16_t host = 0; host < HOSTS; host++) {
    uint8_t address[4];
    host_address(address, host);
    if (!mp_route_add(route, 4, address, host))
      abort();
  }
  return true;
}

static void close_route(void) { free(route); }

static unsigned run_route(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i++) {
    uint8_t address[4];
    host_address(address, i % HOSTS);
    KEEP(mp_route_find(route, 4, address));
  }
  return LEAF_BATCH;
}

static void load_plan(uint8_t kind, uint16_t slots, uint32_t table_bytes)
{
  static uint8_t payload[MP_PLAN_BYTES + MP_LIMIT_BUCKETS * MP_CROSSING_PLAN_CHOICES];
  memset(payload, MP_CROSSING_NO_PATH, sizeof payload);
  payload[MP_PLAN_KIND] = kind;
  payload[MP_PLAN_HASH] = MP_HASH_LAYER3_4;
  mp_store16(payload + MP_PLAN_CARRYING, 3);
  mp_store16(payload + MP_PLAN_SLOTS, slots);
  memcpy(payload + MP_PLAN_ORDER, (uint8_t[]){0, 1}, 2);
  for (uint32_t i = 0; i < table_bytes; i++)
    payload[MP_PLAN_BYTES + i] = i % 2;
  if (!mp_schedule_load(&schedule, payload, MP_PLAN_BYTES + table_bytes))
    abort();
}

static bool open_slots(void)
{
  load_plan(MP_PLAN_KIND_SLOTS, SLOTS, SLOTS);
  return true;
}

static bool open_buckets(void)
{
  load_plan(MP_PLAN_KIND_BUCKETS, 0, MP_LIMIT_BUCKETS * MP_CROSSING_PLAN_CHOICES);
  return true;
}

static unsigned run_plan(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i++)
    KEEP(mp_schedule_pick(&schedule, i % MP_LIMIT_BUCKETS, 3, i));
  return LEAF_BATCH;
}

static bool open_replay(void)
{
  memset(&replay, 0, sizeof replay);
  seq = 0;
  return true;
}

/* Every fourth comes three later than sent. */
static unsigned run_replay(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i++, seq++) {
    const uint64_t arriving = seq % 4 == 0 ? seq + 3 : seq - 1;
    const uint64_t whole = mp_replay_expand(&replay, (uint32_t)arriving);
    if (!mp_replay_check(&replay, whole))
      abort();
    KEEP(mp_replay_accept(&replay, whole));
  }
  return LEAF_BATCH;
}

const struct leaf classify_leaves[] = {
    {.name = "inner IPv4", .open = open_ipv4, .run = run_inner},
    {.name = "inner IPv6", .open = open_ipv6, .run = run_inner},
    {.name = "route", .open = open_route, .run = run_route, .close = close_route},
    {.name = "plan slots", .open = open_slots, .run = run_plan},
    {.name = "plan buckets", .open = open_buckets, .run = run_plan},
    {.name = "replay", .open = open_replay, .run = run_replay},
    {0},
};
