#include "crossing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mp_crossing_open(struct mp_crossing *crossing, void (*ring_bell)(void *), void *context,
                      struct mp_fault *fault)
{
  crossing->ring_bell = ring_bell;
  crossing->context = context;
  crossing->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (crossing->wake_fd < 0) {
    *fault = (struct mp_fault){errno, "eventfd"};
    return false;
  }
  crossing->command_slots = calloc(MP_CROSSING_COMMAND_SLOTS, sizeof *crossing->command_slots);
  crossing->event_slots = calloc(MP_CROSSING_EVENT_SLOTS, MP_CROSSING_EVENT_SLOT_BYTES);
  if (!crossing->command_slots || !crossing->event_slots) {
    *fault = (struct mp_fault){ENOMEM, "calloc"};
    return false;
  }
  mp_ring_open(&crossing->commands, crossing->command_slots, MP_CROSSING_COMMAND_SLOTS,
               sizeof *crossing->command_slots);
  mp_ring_open(&crossing->events, crossing->event_slots, MP_CROSSING_EVENT_SLOTS,
               MP_CROSSING_EVENT_SLOT_BYTES);
  return true;
}

static void drop_commands(struct mp_crossing *crossing)
{
  for (;;) {
    struct mp_command *command = mp_crossing_next(crossing);
    if (!command)
      return;
    const struct mp_cmd_port_open *open = (const void *)command->record;
    if (open->kind == MP_CMD_PORT_OPEN && open->fd >= 0)
      close(open->fd);
    mp_crossing_done(crossing);
  }
}

void mp_crossing_close(struct mp_crossing *crossing)
{
  if (crossing->wake_fd >= 0)
    close(crossing->wake_fd);
  if (crossing->command_slots && crossing->event_slots) {
    drop_commands(crossing);
    explicit_bzero(crossing->command_slots,
                   MP_CROSSING_COMMAND_SLOTS * sizeof *crossing->command_slots);
    explicit_bzero(crossing->event_slots, MP_CROSSING_EVENT_SLOTS * MP_CROSSING_EVENT_SLOT_BYTES);
  }
  free(crossing->command_slots);
  free(crossing->event_slots);
}

bool mp_crossing_command(struct mp_crossing *crossing, const uint8_t *record, uint32_t record_bytes,
                         const uint8_t *payload, uint32_t payload_bytes)
{
  struct mp_command *command = mp_ring_reserve(&crossing->commands);
  if (!command)
    return false;
  memset(command, 0, sizeof *command);
  if (payload_bytes > 0) {
    command->payload = malloc(payload_bytes);
    if (!command->payload)
      return false;
    memcpy(command->payload, payload, payload_bytes);
    command->payload_bytes = payload_bytes;
  }
  memcpy(command->record, record, record_bytes);
  mp_ring_publish(&crossing->commands);
  if (!atomic_exchange(&crossing->woken, true))
    mp_crossing_wake(crossing);
  return true;
}

uint32_t mp_crossing_read_events(struct mp_crossing *crossing, uint8_t *into, uint32_t slots)
{
  /* Before the ring is looked at: what is published after this rings again. */
  atomic_exchange(&crossing->rung, false);
  uint32_t count = 0;
  for (; count < slots; count++) {
    const void *slot = mp_ring_peek(&crossing->events);
    if (!slot)
      break;
    memcpy(into + (size_t)count * MP_CROSSING_EVENT_SLOT_BYTES, slot,
           MP_CROSSING_EVENT_SLOT_BYTES);
    mp_ring_release(&crossing->events);
  }
  return count;
}

void mp_crossing_wake(struct mp_crossing *crossing)
{
  const uint64_t one = 1;
  (void)!write(crossing->wake_fd, &one, sizeof one);
}

void mp_crossing_woken(struct mp_crossing *crossing)
{
  uint64_t count;
  (void)!read(crossing->wake_fd, &count, sizeof count);
  /* Before the ring is looked at: what is queued after this writes the eventfd again. */
  atomic_exchange(&crossing->woken, false);
}

struct mp_command *mp_crossing_next(struct mp_crossing *crossing)
{
  return mp_ring_peek(&crossing->commands);
}

void mp_crossing_done(struct mp_crossing *crossing)
{
  struct mp_command *command = mp_ring_peek(&crossing->commands);
  free(command->payload);
  command->payload = NULL;
  mp_ring_release(&crossing->commands);
}

void mp_crossing_ring(struct mp_crossing *crossing)
{
  if (mp_ring_room(&crossing->events) == MP_CROSSING_EVENT_SLOTS)
    return;
  if (!atomic_exchange(&crossing->rung, true))
    crossing->ring_bell(crossing->context);
}
