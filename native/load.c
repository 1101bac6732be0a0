#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "contract.h"

static const uint32_t ROOM_BYTES[MP_LOAD_SIZES] = {MP_LIMIT_PACKET_BYTES, 8192, 32768,
                                                   MP_LOAD_MOST_BYTES};

void mp_loads_open(struct mp_loads *loads, uint64_t limit_bytes)
{
  *loads = (struct mp_loads){.limit_bytes = limit_bytes};
}

static void release_first(struct mp_loads *loads, unsigned size)
{
  struct mp_load *load = loads->free[size];
  loads->free[size] = load->next;
  loads->allocated_bytes -= ROOM_BYTES[size];
  explicit_bzero(load->bytes, ROOM_BYTES[size]);
  free(load);
}

void mp_loads_close(struct mp_loads *loads)
{
  for (unsigned size = 0; size < MP_LOAD_SIZES; size++)
    while (loads->free[size])
      release_first(loads, size);
}

/* Memory of other sizes makes room for this one. */
static struct mp_load *allocate(struct mp_loads *loads, uint32_t room)
{
  for (unsigned size = 0; size < MP_LOAD_SIZES; size++)
    while (loads->free[size] && loads->allocated_bytes + room > loads->limit_bytes)
      release_first(loads, size);
  struct mp_load *load = malloc(sizeof *load + room);
  if (load)
    loads->allocated_bytes += room;
  return load;
}

struct mp_load *mp_load_take(struct mp_loads *loads, uint32_t length)
{
  uint8_t size = 0;
  while (ROOM_BYTES[size] < length)
    size++;
  const uint32_t room = ROOM_BYTES[size];
  if (loads->taken_bytes + room > loads->limit_bytes)
    return NULL;
  struct mp_load *load = loads->free[size];
  if (load)
    loads->free[size] = load->next;
  else
    load = allocate(loads, room);
  if (!load)
    return NULL;
  *load = (struct mp_load){.references = 1, .size = size, .length = length};
  loads->taken_bytes += room;
  return load;
}

struct mp_load *mp_load_take_from(struct mp_loads *loads, struct mp_load **room, uint32_t length)
{
  const bool stays = length > ROOM_BYTES[MP_LOAD_SIZES - 2];
  struct mp_load *taken = mp_load_take(loads, stays ? MP_LOAD_MOST_BYTES : length);
  if (!taken)
    return NULL;
  if (!stays) {
    memcpy(taken->bytes, (*room)->bytes, length);
    return taken;
  }
  struct mp_load *load = *room;
  *room = taken;
  load->length = length;
  return load;
}

void mp_load_drop(struct mp_loads *loads, struct mp_load *load)
{
  if (--load->references > 0)
    return;
  load->next = loads->free[load->size];
  loads->free[load->size] = load;
  loads->taken_bytes -= ROOM_BYTES[load->size];
}
