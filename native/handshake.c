/* What strangers send: the one kind of datagram that is not sealed. TypeScript reads it. */
#include <string.h>

#include "corridor.h"

static uint32_t bytes_of(uint8_t type)
{
  switch (type) {
  case MP_MSG_INITIATION:
    return MP_INITIATION_BYTES;
  case MP_MSG_RESPONSE:
    return MP_RESPONSE_BYTES;
  case MP_MSG_COOKIE:
    return MP_COOKIE_BYTES;
  default:
    return 0;
  }
}

void mp_handshake_pass(struct mp_tunnel *tunnel, const uint8_t *bytes, uint32_t length,
                       const struct mp_endpoint *from)
{
  const uint32_t wanted = bytes_of(bytes[0]);
  if (length < wanted)
    goto drop_short;
  if (length > wanted)
    goto drop_long;
  if (mp_ring_room(tunnel->events) <= MP_CROSSING_EVENT_SLOTS / 2)
    goto drop_handshake_full;
  struct mp_event_handshake *event = mp_event_begin(tunnel, MP_EVENT_HANDSHAKE);
  if (!event)
    goto drop_handshake_full;
  MP_EVENT_ENDPOINT(event, from);
  event->length = (uint16_t)wanted;
  memcpy(event->bytes, bytes, wanted);
  mp_event_end(tunnel);
  return;

drop_short:
  mp_count(tunnel, MP_COUNTER_DROP_SHORT);
  return;
drop_long:
  mp_count(tunnel, MP_COUNTER_DROP_LONG);
  return;
drop_handshake_full:
  mp_count(tunnel, MP_COUNTER_DROP_HANDSHAKE_FULL);
}
