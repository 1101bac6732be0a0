/* Reads the TCP of a connection: which one, and what an acknowledgement says. Every octet is hostile until
 * checked here. */
#ifndef MP_ACK_H
#define MP_ACK_H

#include <stdbool.h>
#include <stdint.h>

/* Version, addresses, ports; what is left is zero. */
#define MP_ACK_KEY_BYTES 37u

struct mp_ack {
  uint8_t key[MP_ACK_KEY_BYTES];
  uint32_t number;
  bool is_plain; /* it says no more than its number */
  bool is_first; /* it is the handshake's: a SYN as well */
};

/* What all packets of one direction of a connection share; `is_back`: of the other direction. False when the
 * packet is none of TCP, or a fragment. */
bool mp_ack_key(uint8_t key[MP_ACK_KEY_BYTES], const uint8_t *packet, uint32_t length,
                bool is_back);

/* False for all but TCP segments that only acknowledge: without data, and with no flag but those of ECN and
 * SYN. */
bool mp_ack_read(struct mp_ack *ack, const uint8_t *packet, uint32_t length);

#endif
