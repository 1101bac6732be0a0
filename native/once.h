/* Lets each packet of a bucket through once, in whatever order they come: a window of sequences, each
 * seen or not, without shifts (RFC 6479). */
#ifndef MP_ONCE_H
#define MP_ONCE_H

#include <stdbool.h>
#include <stdint.h>

/* A power of two. 200 ms, the longest that a packet is sent again for, at 5000 packets a second: what
 * is unordered is thin. */
#define MP_ONCE_BITS 1024u

/* All zero: nothing was seen. */
struct mp_once {
  uint64_t next; /* one above the greatest seen; 0: none */
  uint64_t words[MP_ONCE_BITS / 64];
};

enum mp_once_verdict { MP_ONCE_FIRST, MP_ONCE_SEEN, MP_ONCE_TOO_OLD };

/* Marks the sequence as seen. `low`: its low 24 bits; the others are those that bring it nearest to
 * the greatest seen. Too old, so that nobody can tell, is what is more than MP_ONCE_BITS - 64 below
 * that. */
enum mp_once_verdict mp_once_take(struct mp_once *once, uint32_t low);

/* Whether something may have been sent before this sequence, and the one right before it has not been
 * seen. */
bool mp_once_is_ahead(const struct mp_once *once, uint32_t low);

#endif
