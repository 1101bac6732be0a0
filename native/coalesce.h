/* Joins packets of one flow that follow each other into one super-packet, which the kernel takes in
 * one write and carries as one. The opposite of segment.h: splitting the result gives the same
 * packets back, octet for octet.
 *
 * Only packets whose checksum is partial are joined: a whole one would have to be verified first,
 * or damage would be hidden under a new sum. */
#ifndef MP_COALESCE_H
#define MP_COALESCE_H

#include <stdbool.h>
#include <stdint.h>

#include "offload.h"
#include "pool.h"

/* Packets of one super-packet; full-size ones make 46. */
#define MP_COALESCE_PACKETS 64u

/* IPv6 and the largest TCP header. */
#define MP_COALESCE_HEADER_BYTES 100u

struct mp_super {
  const struct mp_packet *first;
  unsigned count;          /* packets */
  uint32_t length;         /* octets of the super-packet */
  uint32_t header_bytes;
  bool closed;             /* the last packet allows none behind it */
  struct mp_offload offload;
  uint32_t next_seq;       /* of TCP */
  uint16_t next_id;        /* of IPv4 */
};

/* Begins with a packet, which may be the only one. `udp`: the kernel takes runs of UDP, too. */
void mp_super_begin(struct mp_super *super, const struct mp_packet *packet, bool udp);

/* True when the packet belongs behind what is there and was added. */
bool mp_super_add(struct mp_super *super, const struct mp_packet *packet);

/* Writes the header of the super-packet, header_bytes, to `out`; the payloads of all its packets
 * behind their own header_bytes follow it. `last` is the last packet that was added. */
void mp_super_header(const struct mp_super *super, const struct mp_packet *last,
                     uint8_t out[MP_COALESCE_HEADER_BYTES]);

#endif
