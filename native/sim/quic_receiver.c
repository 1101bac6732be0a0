#include "quic_receiver.h"

#define MAX_ACK_DELAY_US 25000u

void mp_quic_receiver_open(struct mp_quic_receiver *receiver)
{
  *receiver = (struct mp_quic_receiver){.ack_at_us = UINT64_MAX};
}

void mp_quic_receiver_close(struct mp_quic_receiver *receiver)
{
  mp_intervals_close(&receiver->packets);
  mp_intervals_close(&receiver->ahead);
}

static bool take_piece(struct mp_quic_receiver *receiver, uint64_t piece)
{
  if (piece < receiver->next)
    return true;
  if (piece > receiver->next)
    return mp_intervals_add(&receiver->ahead, piece) != MP_INTERVALS_NO_MEMORY;
  receiver->next++;
  mp_intervals_advance(&receiver->ahead, &receiver->next);
  return true;
}

bool mp_quic_receiver_take(struct mp_quic_receiver *receiver, uint64_t packet, uint64_t piece,
                           uint64_t now_us)
{
  switch (mp_intervals_add(&receiver->packets, packet)) {
  case MP_INTERVALS_KNOWN:
    return true;
  case MP_INTERVALS_NO_MEMORY:
    return false;
  default:
    break;
  }
  mp_intervals_trim(&receiver->packets, MP_QUIC_RANGES);
  /* Out of order, or behind a gap. */
  receiver->ack_due |= packet != receiver->largest || ++receiver->unacked >= 2;
  if (!receiver->ack_due)
    receiver->ack_at_us = now_us + MAX_ACK_DELAY_US;
  if (packet >= receiver->largest) {
    receiver->largest = packet + 1;
    receiver->largest_us = now_us;
  }
  return take_piece(receiver, piece);
}

bool mp_quic_receiver_next(struct mp_quic_receiver *receiver, uint64_t now_us,
                           struct mp_quic_ack *ack)
{
  if (!receiver->ack_due && now_us < receiver->ack_at_us)
    return false;
  const struct mp_intervals *packets = &receiver->packets;
  *ack = (struct mp_quic_ack){.delay_us = (uint32_t)(now_us - receiver->largest_us)};
  for (uint32_t i = packets->count; i > 0; i--)
    ack->ranges[ack->range_count++] = packets->list[i - 1];
  receiver->ack_due = false;
  receiver->unacked = 0;
  receiver->ack_at_us = UINT64_MAX;
  return true;
}
