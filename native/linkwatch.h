/* Tells that a link, an address or a route changed, and whether one may be gone; not which: whoever
 * cares looks again, or tries. RFC 3549 section 2; rtnetlink(7). */
#ifndef MP_LINKWATCH_H
#define MP_LINKWATCH_H

#include "fault.h"

enum mp_linkwatch_news {
  MP_LINKWATCH_NOTHING,
  MP_LINKWATCH_CHANGED,
  MP_LINKWATCH_GONE, /* a link is gone or down, or an address is gone */
};

/* [control] Joins the multicast groups of this thread's network namespace; needs no privilege.
 * Returns a non-blocking descriptor, or -1 and *fault. */
int mp_linkwatch_open(struct mp_fault *fault);

/* [engine] Empties the socket: the worst of what it had. What the kernel had to drop may have been any. */
enum mp_linkwatch_news mp_linkwatch_drain(int fd);

#endif
