/* What will happen in a simulated world, in order of time and, within an instant, of insertion: the
 * same insertions give the same world. A heap with four children a node (two cache lines each). */
#ifndef MP_SIM_AGENDA_H
#define MP_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mp_moment_kind {
  MP_MOMENT_ARRIVAL, /* subject: struct mp_parcel */
  MP_MOMENT_TICK,    /* subject: struct mp_node */
  MP_MOMENT_SOURCE,  /* subject: struct mp_flow */
  MP_MOMENT_TALKER,  /* subject: struct mp_talker */
};

struct mp_moment {
  uint64_t at_us;
  uint64_t order; /* given by mp_agenda_add */
  enum mp_moment_kind kind;
  void *subject;
};

struct mp_agenda {
  struct mp_moment *moments;
  size_t count, room;
  uint64_t added;
};

/* False when memory is gone. */
bool mp_agenda_add(struct mp_agenda *agenda, uint64_t at_us, enum mp_moment_kind kind,
                   void *subject);

/* The next moment, or NULL; valid until the agenda changes. */
const struct mp_moment *mp_agenda_next(const struct mp_agenda *agenda);

/* Precondition: there is one. */
struct mp_moment mp_agenda_take(struct mp_agenda *agenda);

void mp_agenda_close(struct mp_agenda *agenda);

#endif
