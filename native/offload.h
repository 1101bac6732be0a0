/* What the kernel leaves undone in a packet that it hands to us, or that we hand to it. The words
 * are those of virtio (VIRTIO 1.2, section 5.1.6), without its struct: that is known in tun.c. */
#ifndef MP_OFFLOAD_H
#define MP_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

enum mp_gso {
  MP_GSO_NONE,
  MP_GSO_TCP, /* a run of TCP segments under one header */
  MP_GSO_UDP, /* a run of UDP datagrams of one flow under one header */
};

struct mp_offload {
  bool partial;           /* the transport checksum covers the pseudo-header alone, not complemented */
  enum mp_gso gso;
  uint16_t segment_bytes; /* payload of each segment but the last; of gso only */
  uint16_t transport;     /* where the transport header starts; of partial and gso only */
  uint16_t checksum;      /* where, from there, the checksum is */
};

#endif
