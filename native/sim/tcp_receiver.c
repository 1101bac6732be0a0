#include "tcp_receiver.h"

#include <string.h>

#define DELAYED_ACK_US 40000u
#define QUICK_SEGMENTS 16u /* TCP_MAX_QUICKACKS */

void mp_tcp_receiver_open(struct mp_tcp_receiver *receiver)
{
  *receiver = (struct mp_tcp_receiver){.quick = QUICK_SEGMENTS, .ack_at_us = UINT64_MAX};
}

/* RFC 2018 section 4: the block with the newest segment first, then those reported before. */
static void note_recent(struct mp_tcp_receiver *receiver, uint64_t segment)
{
  const struct mp_interval *own = mp_intervals_find(&receiver->ahead, segment);
  unsigned kept = 1;
  uint64_t recent[MP_TCP_BLOCKS] = {segment};
  for (unsigned i = 0; i < receiver->recent_count && kept < MP_TCP_BLOCKS; i++) {
    const uint64_t each = receiver->recent[i];
    const bool same = own && each >= own->begin && each < own->end;
    if (!same && each > receiver->next)
      recent[kept++] = each;
  }
  memcpy(receiver->recent, recent, sizeof recent);
  receiver->recent_count = kept;
}

static void take_duplicate(struct mp_tcp_receiver *receiver, uint64_t segment)
{
  receiver->duplicate = true;
  receiver->duplicate_segment = segment;
  receiver->ack_due = true;
}

enum mp_intervals_verdict mp_tcp_receiver_take(struct mp_tcp_receiver *receiver, uint64_t segment,
                                               uint32_t sent_ms, uint64_t now_us)
{
  /* RFC 7323 section 4.3 */
  if (segment <= receiver->acked_next && (int32_t)(sent_ms - receiver->echo_ms) > 0)
    receiver->echo_ms = sent_ms;
  if (segment < receiver->next) {
    take_duplicate(receiver, segment);
    return MP_INTERVALS_KNOWN;
  }
  if (segment > receiver->next) {
    const enum mp_intervals_verdict verdict = mp_intervals_add(&receiver->ahead, segment);
    if (verdict == MP_INTERVALS_KNOWN)
      take_duplicate(receiver, segment);
    if (verdict == MP_INTERVALS_NEW)
      note_recent(receiver, segment);
    receiver->ack_due = true;
    return verdict;
  }
  const bool fills = receiver->ahead.count > 0; /* RFC 5681 section 4.2: at once */
  receiver->next++;
  mp_intervals_advance(&receiver->ahead, &receiver->next);
  receiver->unacked++;
  if (receiver->quick > 0 || fills || receiver->unacked >= 2)
    receiver->ack_due = true;
  else
    receiver->ack_at_us = now_us + DELAYED_ACK_US;
  receiver->quick -= receiver->quick > 0;
  return MP_INTERVALS_NEW;
}

static void add_blocks(const struct mp_tcp_receiver *receiver, struct mp_tcp_ack *ack)
{
  for (unsigned i = 0; i < receiver->recent_count && ack->block_count < MP_TCP_SACKS; i++) {
    const struct mp_interval *found = mp_intervals_find(&receiver->ahead, receiver->recent[i]);
    bool reported = !found;
    for (unsigned k = ack->duplicate; !reported && k < ack->block_count; k++)
      reported = ack->blocks[k].begin == found->begin;
    if (!reported)
      ack->blocks[ack->block_count++] = *found;
  }
}

static void told(struct mp_tcp_receiver *receiver)
{
  receiver->duplicate = receiver->ack_due = false;
  receiver->unacked = 0;
  receiver->acked_next = receiver->next;
  receiver->ack_at_us = UINT64_MAX;
}

void mp_tcp_receiver_ride(struct mp_tcp_receiver *receiver, struct mp_tcp_ack *ack)
{
  *ack = (struct mp_tcp_ack){.una = receiver->next, .echo_ms = receiver->echo_ms};
  if (!receiver->duplicate && receiver->ahead.count == 0)
    told(receiver);
}

bool mp_tcp_receiver_next(struct mp_tcp_receiver *receiver, uint64_t now_us,
                          struct mp_tcp_ack *ack)
{
  if (!receiver->ack_due && now_us < receiver->ack_at_us)
    return false;
  *ack = (struct mp_tcp_ack){.una = receiver->next, .echo_ms = receiver->echo_ms};
  if (receiver->duplicate) {
    ack->duplicate = true;
    ack->blocks[ack->block_count++] = (struct mp_interval){receiver->duplicate_segment,
                                                           receiver->duplicate_segment + 1};
  }
  add_blocks(receiver, ack);
  told(receiver);
  return true;
}
