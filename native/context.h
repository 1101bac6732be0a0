/* The contexts of header compression: for each flow bucket headers that the other side has surely got, so
 * that the next packets of a flow can go without what they say.
 *
 * A context is proposed by a packet that goes whole, and used from when the other side has answered that it
 * keeps it. Each has a generation (RFC 2507 section 3.2): a packet names the one that it goes by, and what
 * comes too late for it is dropped and never misread. The other side keeps the latest of the even generations
 * of a bucket, and the latest of the odd ones. So a flow goes on by the one while the other is proposed, and
 * gets a new one when its acknowledgements and times have moved away from the old one. One gives way when no
 * packet went by it for MP_CONTEXT_REST_US: what was under way has come by then. Each proposal has a
 * generation of its own, being of another header; those without an answer become ever rarer, so that the 128
 * of a kind take 13 minutes: no datagram lives longer than the keys that open it, TIMER.rejectAfterUs.
 *
 * A leaf. Contexts belong to the session: both ends erase them with it. */
#ifndef MP_CONTEXT_H
#define MP_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "profile.h"
#include "sparse.h"

#define MP_CONTEXT_REST_US 10000000u
/* An answer, in UDP over IPv4. A context is proposed when it would have saved that: many a flow has no more
 * than two packets, such as that of a resolver which asks for both addresses of a name. */
#define MP_CONTEXT_COST_BYTES (28u + MP_SEAL_HEADER_BYTES + MP_KEPT_BYTES + MP_SEAL_TAG_BYTES)
/* Half as much again of TCP: 3 MB over 50 Mbit/s with 20 ms and 50 with 120 take CUBIC 850 ms where the
 * second packet of the flow proposes a context, and 731 so (simulation). */
#define MP_CONTEXT_TCP_COST_BYTES (MP_CONTEXT_COST_BYTES * 3 / 2)
/* One that is in use gives way for more: in slow start that costs more than it saves, and why is not known.
 * The least of 12 starts of CUBIC over the same two carries 90.3 Mbit/s from the third to the 16th second
 * where a context is made anew as cheaply as it is made first, and 92.9 so (simulation). */
#define MP_CONTEXT_ANEW_BYTES 3000u
/* A proposal without an answer is made again: it or its answer was lost, or the round trip is longer. Each
 * time it waits twice as long. */
#define MP_CONTEXT_PROPOSE_US 400000u
#define MP_CONTEXT_DOUBLINGS 4u

/* By its lowest bit a generation is of one kind or the other. */
#define MP_CONTEXT_KINDS 2u

struct mp_context {
  struct mp_profile profile; /* of no octets: there is no context */
  uint8_t generation;
  uint16_t flow_seq;         /* of the packet whose header it is */
  uint8_t header[MP_PROFILE_HEADER_BYTES];
};

/* What the other side proposed, by kind. */
struct mp_context_kept {
  struct mp_context kinds[MP_CONTEXT_KINDS];
};

/* All zero: none. */
struct mp_contexts {
  struct mp_sparse sending, receiving; /* the latter: struct mp_context_kept */
};

/* As it is given to be sent, or has come. */
struct mp_headed {
  const uint8_t *bytes;
  uint32_t length;
  uint32_t flow_seq;
  bool partial; /* its checksum */
};

/* What a packet is to be sent as. */
struct mp_context_choice {
  uint8_t type;                     /* MP_MSG_DATA, MP_MSG_CONTEXT or MP_MSG_COMPRESSED */
  uint8_t same;                     /* compressed: MP_SAME_* that it may leave out */
  const struct mp_context *context; /* that it proposes or goes by */
};

void mp_contexts_close(struct mp_contexts *contexts);
void mp_contexts_erase(struct mp_contexts *contexts);

struct mp_context_choice mp_context_choose(struct mp_contexts *contexts, uint16_t bucket,
                                           const struct mp_headed *packet, uint64_t now_us);

/* The other side keeps what was proposed. */
void mp_context_kept(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation);

/* A packet that proposes a context has come. False when it is not kept: no header that compresses, no later
 * than what is there, or memory is gone. */
bool mp_context_keep(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation,
                     const struct mp_headed *packet);

/* What a packet of the bucket goes by that names this generation; NULL: it is not kept. */
const struct mp_context *mp_context_find(const struct mp_contexts *contexts, uint16_t bucket,
                                         uint8_t generation);

#endif
