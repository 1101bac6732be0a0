/* One direction of a link: takes packets from one device, holds each as long as the law says, and
 * hands it to the other. Time: microseconds of CLOCK_MONOTONIC. */
#ifndef MP_EMULATOR_CARRIER_H
#define MP_EMULATOR_CARRIER_H

#include "device.h"
#include "fifo.h"
#include "link.h"

struct mp_carrier_counters {
  uint64_t delivered_packets;
  uint64_t delivered_bytes;
  uint64_t undeliverable_packets; /* the far device was unplugged or down */
  uint64_t overflow_packets;      /* no memory left; the law did not ask for this */
  uint64_t late_packets;          /* delivered more than 1 ms after their due time */
  uint64_t late_max_us;           /* the latest delivery since it was last told */
};

struct mp_carrier {
  struct mp_link *link;
  struct mp_device *from;
  struct mp_device *to;
  struct mp_fifo fifo;
  uint32_t mtu_bytes;
  struct mp_carrier_counters counters;
};

uint64_t mp_now_us(void);

/* Takes some of the packets that wait at the near device. */
void mp_carrier_take(struct mp_carrier *carrier);

/* Delivers what is due and forgets what was cut. Returns when to come again, UINT64_MAX: never. */
uint64_t mp_carrier_deliver(struct mp_carrier *carrier, uint64_t now_us);

#endif
