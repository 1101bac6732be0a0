/* The two rings between JavaScript and the engine, and their two bells: an eventfd wakes C, a
 * callback without payload wakes JavaScript. Each bell is rung once and not again until it was
 * answered. */
#ifndef MP_CROSSING_H
#define MP_CROSSING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "fault.h"
#include "ring.h"

struct mp_command {
  /* First, so that it is aligned as a record. */
  _Alignas(8) uint8_t record[MP_CROSSING_COMMAND_SLOT_BYTES];
  uint8_t *payload; /* made by the control thread, freed by the engine thread; may be NULL */
  uint32_t payload_bytes;
};

struct mp_crossing {
  struct mp_ring commands, events;
  atomic_bool woken; /* the eventfd was written and the commands not yet looked at */
  atomic_bool rung;  /* the bell was rung and the events not yet looked at */
  int wake_fd;       /* readable when commands wait */
  void (*ring_bell)(void *context);
  void *context;
  struct mp_command *command_slots;
  uint8_t *event_slots;
};

/* False and *fault when the system refuses; close is allowed then, too. */
bool mp_crossing_open(struct mp_crossing *crossing, void (*ring_bell)(void *), void *context,
                      struct mp_fault *fault);

/* Frees and erases both rings; sockets in commands that nobody took are closed. One thread is left. */
void mp_crossing_close(struct mp_crossing *crossing);

/* [control] Copies one command. False when the ring is full: nothing was taken. */
bool mp_crossing_command(struct mp_crossing *crossing, const uint8_t *record, uint32_t record_bytes,
                         const uint8_t *payload, uint32_t payload_bytes);

/* [control] Answers the bell and copies up to `slots` events of MP_CROSSING_EVENT_SLOT_BYTES. */
uint32_t mp_crossing_read_events(struct mp_crossing *crossing, uint8_t *into, uint32_t slots);

/* [control] Wakes the engine thread. */
void mp_crossing_wake(struct mp_crossing *crossing);

/* [engine] Answers the wake-up; to be called before looking for commands. */
void mp_crossing_woken(struct mp_crossing *crossing);

/* [engine] The oldest command, or NULL; mp_crossing_done gives it back. */
struct mp_command *mp_crossing_next(struct mp_crossing *crossing);
void mp_crossing_done(struct mp_crossing *crossing);

/* [engine] Rings when events wait and the last bell was answered. */
void mp_crossing_ring(struct mp_crossing *crossing);

#endif
