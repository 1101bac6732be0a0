#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "contract.h"

#define SMALL_BYTES MP_LIMIT_PACKET_BYTES
#define LARGE_BYTES 65536u

static uint32_t room_of(const struct mp_load *load)
{
  return load->large ? LARGE_BYTES : SMALL_BYTES;
}

void mp_loads_open(struct mp_loads *loads, uint64_t limit_bytes)
{
  *loads = (struct mp_loads){.limit_bytes = limit_bytes};
}

static void free_all(struct mp_load *load)
{
  while (load) {
    struct mp_load *next = load->next;
    explicit_bzero(load->bytes, room_of(load));
    free(load);
    load = next;
  }
}

void mp_loads_close(struct mp_loads *loads)
{
  free_all(loads->free_small);
  free_all(loads->free_large);
  *loads = (struct mp_loads){0};
}

static struct mp_load *allocate(struct mp_loads *loads, uint32_t room)
{
  struct mp_load *load = malloc(sizeof *load + room);
  if (load)
    loads->allocated_bytes += room;
  return load;
}

/* Memory of the other size makes room for this one. */
static void shrink(struct mp_loads *loads, struct mp_load **list, uint32_t wanted)
{
  while (*list && loads->allocated_bytes + wanted > loads->limit_bytes) {
    struct mp_load *load = *list;
    *list = load->next;
    loads->allocated_bytes -= room_of(load);
    explicit_bzero(load->bytes, room_of(load));
    free(load);
  }
}

struct mp_load *mp_load_take(struct mp_loads *loads, uint32_t length)
{
  const bool large = length > SMALL_BYTES;
  const uint32_t room = large ? LARGE_BYTES : SMALL_BYTES;
  struct mp_load **list = large ? &loads->free_large : &loads->free_small;
  if (loads->taken_bytes + room > loads->limit_bytes)
    return NULL;
  struct mp_load *load = *list;
  if (load) {
    *list = load->next;
  } else {
    shrink(loads, large ? &loads->free_small : &loads->free_large, room);
    load = allocate(loads, room);
  }
  if (!load)
    return NULL;
  memset(load, 0, sizeof *load);
  load->references = 1;
  load->large = large;
  load->length = length;
  loads->taken_bytes += room;
  return load;
}

void mp_load_drop(struct mp_loads *loads, struct mp_load *load)
{
  if (--load->references > 0)
    return;
  struct mp_load **list = load->large ? &loads->free_large : &loads->free_small;
  load->next = *list;
  *list = load;
  loads->taken_bytes -= room_of(load);
}
