/* CoDel (RFC 8289) of one queue: tells of each packet that leaves whether it is to be a signal to
 * its sender, be it by a drop or by a mark. Pure: no queue, no clock. */
#ifndef MP_CODEL_H
#define MP_CODEL_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 8289 section 4: what a standing queue is. */
struct mp_queue_law {
  uint32_t target_us, interval_us;
};

/* A queue with no more than this left is not standing (maxpacket_ of RFC 8289 section 5.5): one
 * Ethernet frame, as in RFC 8290 section 5.2.4. */
#define MP_CODEL_MTU_BYTES 1514u

/* Zeroed when the queue begins. */
struct mp_codel {
  uint64_t first_above_us; /* when above the target for an interval; 0: below it */
  uint64_t next_us;        /* of the signal to come, or of the one that did not */
  uint32_t count;          /* signals since signalling began */
  uint32_t last_count;     /* what count began with then */
  bool signalling : 1;     /* dropping_ of RFC 8289 */
  uint8_t unheeded : 7;    /* intervals since signals have been of no use */
  /* Of patience: the intervals that were above, six at most, and the least wait of this one and of the
   * one before. */
  uint8_t intervals;
  uint16_t least_ms, before_ms;
  uint16_t most_ms; /* the greatest wait since the last signal, of who is sparing of them */
};

/* A packet is above the target, and more than an MTU is left behind it. */
bool mp_codel_above(struct mp_codel *codel, uint32_t interval_us, uint64_t now_us);
bool mp_codel_above_sparingly(struct mp_codel *codel, uint32_t interval_us, uint64_t waited_us,
                              uint64_t now_us);

static inline bool mp_codel_stands(struct mp_codel *codel, const struct mp_queue_law *law,
                                   uint64_t waited_us, uint32_t left_bytes)
{
  if (waited_us >= law->target_us && left_bytes > MP_CODEL_MTU_BYTES)
    return true;
  codel->first_above_us = 0;
  codel->signalling = false;
  return false;
}

/* Whether this packet, which has waited so long and leaves so much behind, is to be a signal. */
static inline bool mp_codel_judge(struct mp_codel *codel, const struct mp_queue_law *law,
                                  uint64_t waited_us, uint32_t left_bytes, uint64_t now_us)
{
  return mp_codel_stands(codel, law, waited_us, left_bytes) &&
         mp_codel_above(codel, law->interval_us, now_us);
}

/* The same where a signal is a loss, and the interval no shorter than what the sender takes to answer it:
 * all that is behind it waits at the far end until it is made good. One that has brought nothing comes
 * again after the second, fourth, eighth interval instead of ever sooner. BBR does not heed losses, and what
 * it sends too much when a path is gone lasts for ten round trips, until it has forgotten how much that
 * carried: of 20 Mbit/s with 10 ms and 20 with 25, beside 500 packets a second, an application gets 86 %
 * of what is left in the second after the first is cut by the law of the RFC, and 95 so (the means of six
 * starts, simulation); with the kernel's BBR 15.8 Mbit/s, and 17.6 (of eight cuts). */
static inline bool mp_codel_judge_sparingly(struct mp_codel *codel, const struct mp_queue_law *law,
                                            uint64_t waited_us, uint32_t left_bytes, uint64_t now_us)
{
  return mp_codel_stands(codel, law, waited_us, left_bytes) &&
         mp_codel_above_sparingly(codel, law->interval_us, waited_us, now_us);
}

/* The same for senders that hear of congestion by losses alone, which they may be unable to make good,
 * such as live video. It signals nothing in the first six intervals, nor while the least wait of each
 * is less than that of the one before: such a queue began when a path was cut, or not yet known, and
 * drains by itself. What waits for `late_us` all through an interval comes too late anyway. */
bool mp_codel_judge_patiently(struct mp_codel *codel, const struct mp_queue_law *law,
                              uint32_t late_us, uint64_t waited_us, uint32_t left_bytes,
                              uint64_t now_us);

/* So many packets were lost otherwise: the sender did not heed the signals so far. */
void mp_codel_press(struct mp_codel *codel, uint32_t lost);

#endif
