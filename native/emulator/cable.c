#include "cable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
  /* Bounds on what one direction holds: 300 ms at a gigabit. */
  CAPACITY_PACKETS = 1 << 15,
  CAPACITY_BYTES = 1 << 25,
};

bool mp_cable_plug(struct mp_cable *cable, enum mp_side side, char complaint[MP_COMPLAINT_SIZE])
{
  const struct mp_description *description = &cable->description;
  return cable->devices[side].fd >= 0 ||
         mp_device_plug(&cable->devices[side], description->namespace[side],
                        description->device[side], description->mtu_bytes, complaint);
}

static bool open_carrier(struct mp_cable *cable, enum mp_direction direction, uint64_t seed,
                         char *complaint)
{
  struct mp_carrier *carrier = &cable->carriers[direction];
  bool is_up = direction == MP_DIRECTION_UP;
  carrier->from = &cable->devices[is_up ? MP_SIDE_A : MP_SIDE_B];
  carrier->to = &cable->devices[is_up ? MP_SIDE_B : MP_SIDE_A];
  carrier->link = mp_link_open(&cable->description.config[direction], CAPACITY_PACKETS,
                               seed + direction, mp_now_us());
  if (carrier->link != NULL && mp_fifo_open(&carrier->fifo, CAPACITY_BYTES) == 0)
    return true;
  snprintf(complaint, MP_COMPLAINT_SIZE, "memory for link %s: %s", cable->description.name,
           strerror(errno));
  return false;
}

bool mp_cable_open(struct mp_cable *cable, const struct mp_description *description, uint64_t seed,
                   char complaint[MP_COMPLAINT_SIZE])
{
  *cable = (struct mp_cable){.description = *description, .devices = {{.fd = -1}, {.fd = -1}}};
  bool is_open = open_carrier(cable, MP_DIRECTION_UP, seed, complaint) &&
                 open_carrier(cable, MP_DIRECTION_DOWN, seed, complaint) &&
                 mp_cable_plug(cable, MP_SIDE_A, complaint) &&
                 mp_cable_plug(cable, MP_SIDE_B, complaint);
  if (!is_open)
    mp_cable_close(cable);
  return is_open;
}

void mp_cable_close(struct mp_cable *cable)
{
  for (int side = 0; side < MP_SIDES; side++)
    mp_device_unplug(&cable->devices[side]);
  for (int side = 0; side < MP_SIDES; side++)
    mp_device_join(&cable->devices[side]);
  for (int direction = 0; direction < MP_DIRECTIONS; direction++) {
    mp_fifo_close(&cable->carriers[direction].fifo);
    mp_link_close(cable->carriers[direction].link);
  }
}

bool mp_cable_set(struct mp_cable *cable, const char *text, char complaint[MP_COMPLAINT_SIZE])
{
  if (!mp_description_read(&cable->description, text, true, complaint))
    return false;
  uint64_t now_us = mp_now_us();
  for (int direction = 0; direction < MP_DIRECTIONS; direction++)
    mp_link_configure(cable->carriers[direction].link, &cable->description.config[direction],
                      now_us);
  return true;
}
