/* The contexts of header compression: for each flow bucket a header that the other side has surely got, so
 * that the next packets of the flow can go without what it says.
 *
 * A context is proposed by a packet that goes whole, the MP_CONTEXT_WORTH_PACKETS-th that it fits, and used
 * from when the other side has answered that it keeps it. Each has a generation (RFC 2507 section 3.2): a
 * packet names the one that it goes by, and what comes too late for it is dropped and never misread. A bucket
 * gets another context when none of its packets went by the old one for MP_CONTEXT_REST_US: what was under
 * way has come by then. So a generation comes back after 2560 s, and no datagram lives longer than the keys
 * that open it, MP_TIMER_REJECT_AFTER_US.
 *
 * A leaf. Contexts belong to the session: both ends erase them with it. */
#ifndef MP_CONTEXT_H
#define MP_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "profile.h"
#include "sparse.h"

#define MP_CONTEXT_REST_US 10000000u
/* An answer is longer than what compression saves of two packets; and many a flow has no more, such as that
 * of a resolver which asks for both addresses of a name. */
#define MP_CONTEXT_WORTH_PACKETS 3u
/* A proposal without an answer is made again: it or its answer was lost, or the round trip is longer. */
#define MP_CONTEXT_PROPOSE_US 100000u

struct mp_context {
  struct mp_profile profile; /* of no octets: there is no context */
  uint8_t generation;
  uint8_t model[MP_PROFILE_HEADER_BYTES];
};

/* All zero: none. */
struct mp_contexts {
  struct mp_sparse sending, receiving;
};

void mp_contexts_close(struct mp_contexts *contexts);
void mp_contexts_erase(struct mp_contexts *contexts);

/* What the next packet of the bucket is to be sent as: MP_MSG_DATA, MP_MSG_CONTEXT (it proposes *context) or
 * MP_MSG_COMPRESSED (*context is what it goes by). */
uint8_t mp_context_choose(struct mp_contexts *contexts, uint16_t bucket, const uint8_t *packet,
                          uint32_t length, bool partial, uint64_t now_us,
                          const struct mp_context **context);

/* The other side keeps what was proposed. */
void mp_context_kept(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation);

/* A packet that proposes a context has come. False when it is not kept: no header that compresses, older
 * than what is there, or memory is gone. */
bool mp_context_keep(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation,
                     const uint8_t *packet, uint32_t length, bool partial);

/* What a packet of the bucket goes by that names this generation; NULL: it is not kept. */
const struct mp_context *mp_context_find(const struct mp_contexts *contexts, uint16_t bucket,
                                         uint8_t generation);

#endif
