#include "carrier.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  /* At most this many before other links have their turn: about 50 us of work. */
  TAKE_PACKETS = 32,
  LATE_US = 1000,
};

uint64_t mp_now_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* A device that `ip link del` or its namespace's end took away reads as EBADFD ever after. */
static ssize_t take_bytes(struct mp_device *from, void *bytes, size_t size)
{
  ssize_t length = read(from->fd, bytes, size);
  if (length < 0 && errno != EAGAIN && errno != EINTR)
    mp_device_unplug(from);
  return length;
}

static void duplicate(struct mp_carrier *carrier, const struct mp_fifo_packet *original,
                      uint64_t arrival_us)
{
  struct mp_fifo_packet *copy = mp_fifo_reserve(&carrier->fifo, original->length_bytes);
  if (copy == NULL) {
    carrier->counters.overflow_packets++;
    return;
  }
  memcpy(copy, original, sizeof *copy + original->length_bytes);
  copy->arrival_us = arrival_us;
  mp_fifo_commit(&carrier->fifo);
}

static void send(struct mp_carrier *carrier, struct mp_fifo_packet *packet, size_t length_bytes)
{
  struct mp_link_passage passage;
  packet->length_bytes = (uint32_t)length_bytes;
  if (mp_link_send(carrier->link, packet->length_bytes, mp_now_us(), &passage) != MP_LINK_ACCEPTED)
    return;
  packet->arrival_us = passage.arrival_us[0];
  packet->epoch = passage.epoch;
  mp_fifo_commit(&carrier->fifo);
  if (passage.copies == 2)
    duplicate(carrier, packet, passage.arrival_us[1]);
}

void mp_carrier_take(struct mp_carrier *carrier)
{
  for (int i = 0; i < TAKE_PACKETS && carrier->from->fd >= 0; i++) {
    struct mp_fifo_packet *packet = mp_fifo_reserve(&carrier->fifo, MP_MTU_MAX_BYTES);
    if (packet == NULL) {
      uint8_t discarded;
      if (take_bytes(carrier->from, &discarded, sizeof discarded) < 0)
        return;
      carrier->counters.overflow_packets++;
      continue;
    }
    ssize_t length = take_bytes(carrier->from, packet->bytes, MP_MTU_MAX_BYTES);
    if (length < 0)
      return;
    send(carrier, packet, (size_t)length);
  }
}

static void hand_over(struct mp_carrier *carrier, const struct mp_fifo_packet *packet,
                      uint64_t now_us)
{
  struct mp_carrier_counters *counters = &carrier->counters;
  ssize_t written = carrier->to->fd < 0
                      ? -1
                      : write(carrier->to->fd, packet->bytes, packet->length_bytes);
  if (written < 0) {
    counters->undeliverable_packets++;
    return;
  }
  uint64_t late_us = now_us - packet->arrival_us;
  counters->late_packets += late_us > LATE_US;
  if (late_us > counters->late_max_us)
    counters->late_max_us = late_us;
  counters->delivered_packets++;
  counters->delivered_bytes += packet->length_bytes;
}

uint64_t mp_carrier_deliver(struct mp_carrier *carrier, uint64_t now_us)
{
  const struct mp_fifo_packet *packet;
  while ((packet = mp_fifo_first(&carrier->fifo)) != NULL) {
    if (mp_link_survives(carrier->link, packet->epoch)) {
      if (packet->arrival_us > now_us)
        return packet->arrival_us;
      hand_over(carrier, packet, now_us);
    }
    mp_fifo_drop_first(&carrier->fifo);
  }
  return UINT64_MAX;
}
