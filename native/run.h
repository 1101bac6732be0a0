/* Datagrams that the kernel hands over as one: all from one place, and in a stream one like the other.
 * What was found out with one of them is so of those that are like it, which saves 230 of 770
 * instructions a packet on the way in. Lives as long as the buffer that they stand in. */
#ifndef MP_RUN_H
#define MP_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "le.h"
#include "pool.h"

struct mp_endpoint;
struct mp_path;
struct mp_peer;

struct mp_run {
  const struct mp_endpoint *from;
  const struct mp_path *learnt; /* `from` is its endpoint */
  /* An inner packet that was let in. NULL: none yet. */
  const uint8_t *model;
  const struct mp_peer *peer; /* its source is this one's */
  uint32_t header_bytes;      /* of IP */
  bool partial;
  uint16_t transport, checksum; /* as in mp_packet */
};

enum { MP_RUN_IPV6_BYTES = 40 };

/* Whether the packet is whole, as mp_inner_parse has it, and like the model in all that tells whose its
 * source is and where its transport header: of IPv6 with no header between. */
static inline bool mp_run_knows(const struct mp_run *run, const struct mp_peer *peer,
                                const struct mp_packet *packet)
{
  const uint8_t *model = run->model, *bytes = packet->bytes;
  if (!model || packet->length < run->header_bytes || run->peer != peer ||
      run->partial != packet->partial || model[0] != bytes[0])
    return false;
  if (model[0] >> 4 == 4)
    return __builtin_bswap16(mp_load16(bytes + 2)) == packet->length &&
           mp_load32(model + 6) == mp_load32(bytes + 6) && /* fragment, time to live, protocol */
           mp_load64(model + 12) == mp_load64(bytes + 12); /* addresses */
  return __builtin_bswap16(mp_load16(bytes + 4)) == packet->length - MP_RUN_IPV6_BYTES &&
         (!run->partial || run->transport == MP_RUN_IPV6_BYTES) && model[6] == bytes[6] &&
         memcmp(model + 8, bytes + 8, 32) == 0;
}

/* Where the checksum of a packet is that the run knows; false when that is not inside it. */
static inline bool mp_run_checksum(const struct mp_run *run, struct mp_packet *packet)
{
  packet->transport = run->transport;
  packet->checksum = run->checksum;
  return run->transport + run->checksum + 2u <= packet->length;
}

static inline void mp_run_keep(struct mp_run *run, const struct mp_peer *peer,
                               const struct mp_packet *packet)
{
  run->model = packet->bytes;
  run->peer = peer;
  run->header_bytes = packet->bytes[0] >> 4 == 4 ? (packet->bytes[0] & 15u) * 4u : MP_RUN_IPV6_BYTES;
  run->partial = packet->partial;
  run->transport = packet->transport;
  run->checksum = packet->checksum;
}

#endif
