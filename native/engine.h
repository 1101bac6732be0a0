/* Runs the library of tunnel.h against the kernel, in two threads of its own: a pause of the
 * JavaScript heap delays neither a packet nor a failover.
 *
 *   in    UDP -> TUN, commands, timers. Receives, opens under the lock, writes. While that leaves it
 *         time, also:
 *   out   TUN -> UDP. Reads, seals under the lock, sends. A thread of its own under load; the rest of
 *         the time it sleeps, because waking it would take longer than what it does.
 *
 * The lock is held for a batch, never for a system call (but where a box overflows), so that the two
 * threads meet only in sealing and opening. Two rings cross between them and the control thread
 * (JavaScript's), to which all functions here belong. */
#ifndef MP_ENGINE_H
#define MP_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "fault.h"

struct mp_engine;

struct mp_engine_options {
  int tun_fd;    /* non-blocking; the engine's own once open has succeeded */
  bool offload;  /* runs of datagrams, where the kernel can */
  uint64_t seed; /* of the flow hash */
  /* [in, out] Called when events wait and the last bell has been answered by mp_engine_read_events.
   * Must not block and must not call back. */
  void (*ring_bell)(void *context);
  void *context;
};

/* NULL and *fault when the system refuses; the descriptor is then still the caller's. */
struct mp_engine *mp_engine_open(const struct mp_engine_options *options, struct mp_fault *fault);

/* Queues one command of at most MP_CROSSING_COMMAND_SLOT_BYTES and a copy of its payload. False when
 * the ring is full: nothing was taken, a descriptor in the record is still the caller's. */
bool mp_engine_command(struct mp_engine *engine, const uint8_t *record, uint32_t record_bytes,
                       const uint8_t *payload, uint32_t payload_bytes);

/* Answers the bell: copies up to `slots` events of MP_CROSSING_EVENT_SLOT_BYTES. Call until it
 * returns fewer than asked. */
uint32_t mp_engine_read_events(struct mp_engine *engine, uint8_t *into, uint32_t slots);

/* Joins the threads, closes all descriptors, erases keys and rings. NULL is allowed. */
void mp_engine_close(struct mp_engine *engine);

#endif
