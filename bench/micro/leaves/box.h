/* What one end of a pair has sent, until it arrives at the other. */
#ifndef MP_LEAF_BOX_H
#define MP_LEAF_BOX_H

#include "../../../test/native/tunnel_fixture.h"

enum { BOX_SLOTS = 4096 };

struct box {
  unsigned count;
  uint8_t path[BOX_SLOTS];
  uint32_t length[BOX_SLOTS];
  uint32_t bytes;
  uint8_t octets[BOX_SLOTS * MP_DATAGRAM_BYTES];
};

/* Takes what an end hands to its port. */
void box_post(struct box *box, struct mp_outbox *outbox);

/* Empties it at that end; `is_joined`: what is alike and came on one path, as the kernel would. False when
 * it was empty. */
bool box_arrive(struct box *box, struct end *at, bool is_joined, uint64_t now_us);

/* Ends a turn: sends and writes what it has left. */
void box_settle(struct end *end);

#endif
