/* Tells that a link, an address or a route changed, and nothing about how: whoever cares looks
 * again. RFC 3549 section 2; rtnetlink(7). */
#ifndef MP_LINKWATCH_H
#define MP_LINKWATCH_H

#include <stdbool.h>

#include "fault.h"

/* [control] Joins the multicast groups of this thread's network namespace; needs no privilege.
 * Returns a non-blocking descriptor, or -1 and *fault. */
int mp_linkwatch_open(struct mp_fault *fault);

/* [engine] Empties the socket. True when something changed or the kernel had to drop news. */
bool mp_linkwatch_drain(int fd);

#endif
