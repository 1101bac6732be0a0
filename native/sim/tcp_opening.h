/* The handshake of a simulated TCP, as the end sees it that has something to send (RFC 9293, section 3.5):
 * SYN, SYN with an acknowledgement, acknowledgement. Its round trip is the first that congestion control
 * knows of (tcp_input.c, tcp_init_transfer). */
#ifndef MP_SIM_TCP_OPENING_H
#define MP_SIM_TCP_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#define MP_TCP_OPENING_TIMEOUT_US 1000000u /* RFC 6298 section 2.1 */

/* All zero: nothing sent yet. */
struct mp_tcp_opening {
  bool is_over;
  bool answer_due;   /* the other end has a SYN to answer */
  bool last_due;     /* and this one that */
  unsigned tries;
  uint64_t sent_us;  /* of the last SYN */
};

/* What the end that opens sends now: nothing, its SYN or the acknowledgement that ends it all. */
enum mp_tcp_opening_word { MP_TCP_OPENING_NONE, MP_TCP_OPENING_SYN, MP_TCP_OPENING_LAST };

static inline uint64_t mp_tcp_opening_wake_us(const struct mp_tcp_opening *opening)
{
  if (opening->tries == 0)
    return 0;
  return opening->sent_us + ((uint64_t)MP_TCP_OPENING_TIMEOUT_US << (opening->tries - 1));
}

static inline enum mp_tcp_opening_word mp_tcp_opening_next(struct mp_tcp_opening *opening,
                                                           uint64_t now_us)
{
  if (opening->last_due) {
    opening->last_due = false;
    return MP_TCP_OPENING_LAST;
  }
  if (opening->is_over || now_us < mp_tcp_opening_wake_us(opening))
    return MP_TCP_OPENING_NONE;
  opening->tries++;
  opening->sent_us = now_us;
  return MP_TCP_OPENING_SYN;
}

/* The answer came. Returns the round trip; 0: it says none, as it may answer either of several (Karn's
 * rule), or came before. */
static inline uint64_t mp_tcp_opening_answered(struct mp_tcp_opening *opening, uint64_t now_us)
{
  const bool is_first = !opening->is_over;
  opening->is_over = opening->last_due = true;
  return is_first && opening->tries == 1 ? now_us - opening->sent_us : 0;
}

#endif
