#include "box.h"

#include <stdlib.h>
#include <string.h>

#define JOINED_MOST_BYTES 65000u

void box_post(struct box *box, struct mp_outbox *outbox)
{
  for (unsigned i = 0; i < outbox->count; i++) {
    struct mp_datagram *datagram = &outbox->datagrams[i];
    datagram->error = 0;
    if (box->count == BOX_SLOTS)
      abort();
    memcpy(box->octets + box->bytes, datagram->bytes, datagram->length);
    box->bytes += datagram->length;
    box->path[box->count] = datagram->path;
    box->length[box->count++] = datagram->length;
  }
}

bool box_arrive(struct box *box, struct end *at, bool is_joined, uint64_t now_us)
{
  static struct mp_arrival arrivals[BOX_SLOTS];
  unsigned count = 0;
  uint8_t *bytes = box->octets;
  for (unsigned i = 0; i < box->count; bytes += box->length[i++]) {
    struct mp_arrival *last = is_joined && count ? &arrivals[count - 1] : NULL;
    if (last && last->from.port == box->path[i] && last->segment_bytes == box->length[i] &&
        last->length + box->length[i] <= JOINED_MOST_BYTES)
      last->length += box->length[i];
    else
      arrivals[count++] = (struct mp_arrival){.bytes = bytes,
                                              .length = box->length[i],
                                              .segment_bytes = box->length[i],
                                              .from = fixture_endpoint(at->other, box->path[i])};
  }
  box->count = box->bytes = 0;
  if (count > 0)
    mp_tunnel_on_udp(at->tunnel, &at->outbox, arrivals, count, now_us);
  return count > 0;
}

void box_settle(struct end *end)
{
  if (mp_tunnel_send(end->tunnel, &end->outbox))
    abort();
  mp_tunnel_write(end->tunnel);
}
