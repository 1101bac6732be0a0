/* Lets no acknowledgement come sooner after its data than is ordinary where delays jitter.
 *
 * BBR keeps twice as much under way as fits the least round trip that it has seen, for ten seconds
 * (tcp_bbr.c, bbr_min_rtt_win_sec), and ends its startup when that gains nothing. A packet by itself is
 * lucky at times; a stream in order is as late as its unluckiest packets, and never fills what it may send
 * by the lucky one. Each such acknowledgement waits until its data has been under way for as long as one
 * packet is as a rule, and so does the answer to a SYN, with whose round trip BBR begins (bbr_init). What
 * goes out is not made to wait, nor is any data, or what tells of a gap.
 *
 * A leaf, O(what waits) an acknowledgement. */
#ifndef MP_LUCK_H
#define MP_LUCK_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

#define MP_LUCK_MARKS 48u

/* When a flow sent what. All zero: nothing. */
struct mp_luck_flow {
  uint8_t count, newest;
  uint64_t since_us, sent_us; /* of the newest mark: its first and its last */
  struct mp_luck_mark {
    uint32_t sent_us; /* its last, modulo 2^32 */
    uint32_t end;     /* the sequence number behind it */
  } marks[MP_LUCK_MARKS];
};

/* Those that wait, by when they are due. All zero: none. */
struct mp_luck {
  uint32_t waiting;
  struct mp_packet *first;
};

/* Call for each SYN, which counts as one octet (RFC 9293 section 3.4): its sequence number. */
void mp_luck_opened(struct mp_luck_flow *flow, uint32_t number, uint64_t now_us);

/* Call for each other segment with data: the sequence number behind it. */
void mp_luck_sent(struct mp_luck_flow *flow, uint32_t end, uint64_t now_us);

/* When what ends there was sent, or the last that went together with it, up to 5 ms later: what is doubtful
 * waits. 0: not known, or not any more. */
uint64_t mp_luck_sent_us(const struct mp_luck_flow *flow, uint32_t end);

/* Takes a packet over, or a copy of it, that is to wait until then: false when it cannot. */
bool mp_luck_put(struct mp_luck *luck, struct mp_pool *pool, struct mp_packet *packet,
                 uint64_t due_us);

/* Gives one that has waited long enough back; NULL: none has. */
struct mp_packet *mp_luck_take(struct mp_luck *luck, uint64_t now_us);

/* When the next one has; UINT64_MAX: none waits. */
static inline uint64_t mp_luck_due(const struct mp_luck *luck)
{
  return luck->first ? luck->first->due_us : UINT64_MAX;
}

#endif
