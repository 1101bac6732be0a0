/* What arrives of a simulated stream at the far TUN, packet by packet, and what of it the
 * application gets. */
#ifndef MP_SIM_TALLY_H
#define MP_SIM_TALLY_H

#include "contract.h"
#include "delays.h"
#include "intervals.h"

#define MP_TALLY_SLOT_US 100000u

struct mp_tally {
  uint64_t start_us;
  /* Since the stream began. */
  struct mp_intervals orders; /* transmissions that arrived */
  uint64_t arrivals, duplicated, damaged;
  uint64_t delivered_bytes; /* payload, in order, to the application */
  uint64_t by_path[MP_LIMIT_PATHS];
  uint32_t *slots;          /* delivered bytes of each 100 ms */
  uint32_t slot_count, slot_room;
  uint64_t expected;        /* RFC 4737: NextExp */
  /* Since the last restart. */
  uint64_t reordered, longest_gap_us, last_delivery_us;
  uint64_t longest_pause_us, last_arrival_us; /* of packets, whatever their order */
  struct mp_delays delays;  /* through the tunnel, one way */
};

void mp_tally_open(struct mp_tally *tally, uint64_t start_us);
void mp_tally_close(struct mp_tally *tally);

/* Transmission `order` (from 1) came. */
enum mp_intervals_verdict mp_tally_arrival(struct mp_tally *tally, uint64_t order,
                                           uint64_t sent_us, uint8_t path, uint64_t now_us);
/* The application got so much more. False when memory is gone. */
bool mp_tally_delivery(struct mp_tally *tally, uint64_t bytes, uint64_t now_us);

/* Without a delivery, and without an arrival; one that lasts counts. */
uint64_t mp_tally_longest_gap_us(const struct mp_tally *tally, uint64_t now_us);
uint64_t mp_tally_longest_pause_us(const struct mp_tally *tally, uint64_t now_us);
void mp_tally_restart(struct mp_tally *tally, uint64_t now_us);

#endif
