#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "contract.h"

static const uint32_t rooms[MP_LOAD_SIZES] = {MP_LIMIT_PACKET_BYTES, 3072, 8192, 32768,
                                              MP_LOAD_MOST_BYTES};

/* Hundreds of large rooms are passed through in turn, more than the processor has addresses of small
 * pages for: with huge ones the sender of a TCP stream of 5 Gbit/s takes 6 to 9 % less CPU. */
#define HUGE_PAGE_BYTES (2u << 20)
#define LARGE (MP_LOAD_SIZES - 1)
#define LARGE_STRIDE ((sizeof(struct mp_load) + MP_LOAD_MOST_BYTES + 63) / 64 * 64)

void mp_loads_open(struct mp_loads *loads, uint64_t limit_bytes)
{
  *loads = (struct mp_loads){.limit_bytes = limit_bytes};
}

static void release_first(struct mp_loads *loads, unsigned size)
{
  struct mp_load *load = loads->free[size];
  loads->free[size] = load->next;
  loads->allocated_bytes -= rooms[size];
  explicit_bzero(load->bytes, rooms[size]);
  free(load);
}

void mp_loads_close(struct mp_loads *loads)
{
  for (unsigned size = 0; size < LARGE; size++)
    while (loads->free[size])
      release_first(loads, size);
  if (loads->large)
    explicit_bzero(loads->large, loads->large_count * LARGE_STRIDE);
  free(loads->large);
}

/* Memory of other sizes makes room for this one. */
static struct mp_load *allocate(struct mp_loads *loads, uint32_t room)
{
  for (unsigned size = 0; size < LARGE; size++)
    while (loads->free[size] && loads->allocated_bytes + room > loads->limit_bytes)
      release_first(loads, size);
  struct mp_load *load = malloc(sizeof *load + room);
  if (load)
    loads->allocated_bytes += room;
  return load;
}

/* The bound on what is taken ends within the reserved memory. */
static struct mp_load *carve_large(struct mp_loads *loads)
{
  if (!loads->large) {
    const size_t bytes = loads->limit_bytes / MP_LOAD_MOST_BYTES * LARGE_STRIDE;
    const size_t whole = (bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    loads->large = aligned_alloc(HUGE_PAGE_BYTES, whole);
    if (!loads->large)
      return NULL;
    (void)madvise(loads->large, whole, MADV_HUGEPAGE); /* refused where the kernel has none */
  }
  return (struct mp_load *)(void *)(loads->large + LARGE_STRIDE * loads->large_count++);
}

/* Whether the share may have so much more. */
static bool is_fair(const struct mp_loads *loads, const struct mp_load_share *share, uint32_t room)
{
  const uint64_t left_bytes = loads->limit_bytes - loads->taken_bytes;
  return left_bytes >= room && (!share || share->taken_bytes + room <= left_bytes - room);
}

struct mp_load *mp_load_take(struct mp_loads *loads, struct mp_load_share *share, uint32_t length)
{
  uint8_t size = 0;
  while (rooms[size] < length)
    size++;
  const uint32_t room = rooms[size];
  if (!is_fair(loads, share, room))
    return NULL;
  struct mp_load *load = loads->free[size];
  if (load)
    loads->free[size] = load->next;
  else
    load = size == LARGE ? carve_large(loads) : allocate(loads, room);
  if (!load)
    return NULL;
  *load = (struct mp_load){.share = share, .references = 1, .size = size, .length = length};
  loads->taken_bytes += room;
  if (share)
    share->taken_bytes += room;
  return load;
}

struct mp_load *mp_load_take_from(struct mp_loads *loads, struct mp_load_share *share,
                                  struct mp_load **room, uint32_t length)
{
  const bool stays = length > rooms[LARGE - 1];
  struct mp_load *taken = mp_load_take(loads, share, stays ? MP_LOAD_MOST_BYTES : length);
  if (!taken)
    return NULL;
  if (!stays) {
    memcpy(taken->bytes, (*room)->bytes, length);
    return taken;
  }
  struct mp_load *load = *room;
  *room = taken;
  taken->share = load->share;
  load->share = share;
  load->length = length;
  return load;
}

void mp_load_drop(struct mp_loads *loads, struct mp_load *load)
{
  if (--load->references > 0)
    return;
  load->next = loads->free[load->size];
  loads->free[load->size] = load;
  loads->taken_bytes -= rooms[load->size];
  if (load->share)
    load->share->taken_bytes -= rooms[load->size];
}
