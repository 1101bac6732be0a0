#include "follow.h"

#include <string.h>

#define SEQ_HALF (1u << 23) /* MP_HEADER_FLOW_SEQ has 24 bits */
#define SEQ_MASK 0xffffffu

bool mp_follow_put(struct mp_follow *follow, const struct mp_follower *follower)
{
  if (follow->count == MP_FOLLOW_MOST)
    return false;
  follow->waiting[follow->count++] = *follower;
  return true;
}

const struct mp_follower *mp_follow_first(const struct mp_follow *follow, uint16_t bucket)
{
  const struct mp_follower *first = NULL;
  for (unsigned i = 0; i < follow->count; i++) {
    const struct mp_follower *each = &follow->waiting[i];
    if (each->bucket == bucket &&
        (!first || ((each->flow_seq - first->flow_seq) & SEQ_MASK) > SEQ_HALF))
      first = each;
  }
  return first;
}

struct mp_packet *mp_follow_take(struct mp_follow *follow, const struct mp_follower *follower)
{
  struct mp_packet *packet = follower->packet;
  const size_t at = (size_t)(follower - follow->waiting);
  memmove(&follow->waiting[at], &follow->waiting[at + 1],
          (follow->count - at - 1) * sizeof *follower);
  follow->count--;
  return packet;
}

uint64_t mp_follow_due(const struct mp_follow *follow)
{
  uint64_t due_us = UINT64_MAX;
  for (unsigned i = 0; i < follow->count; i++) {
    if (follow->waiting[i].due_us < due_us)
      due_us = follow->waiting[i].due_us;
  }
  return due_us;
}
