#include "scoreboard.h"

#include <stdlib.h>

bool mp_scoreboard_open(struct mp_scoreboard *board)
{
  *board = (struct mp_scoreboard){.oldest = MP_SENT_NONE, .newest = MP_SENT_NONE};
  board->ring = calloc(MP_SCOREBOARD_ROOM, sizeof *board->ring);
  return board->ring != NULL;
}

void mp_scoreboard_close(struct mp_scoreboard *board)
{
  free(board->ring);
  board->ring = NULL;
}

/* ---- The order of transmission ---- */

static void append(struct mp_scoreboard *board, uint64_t piece)
{
  struct mp_sent *sent = mp_scoreboard_at(board, piece);
  sent->older = board->newest;
  sent->newer = MP_SENT_NONE;
  if (board->newest != MP_SENT_NONE)
    mp_scoreboard_at(board, board->newest)->newer = piece;
  else
    board->oldest = piece;
  board->newest = piece;
}

static void take_out(struct mp_scoreboard *board, const struct mp_sent *sent)
{
  if (sent->older != MP_SENT_NONE)
    mp_scoreboard_at(board, sent->older)->newer = sent->newer;
  else
    board->oldest = sent->newer;
  if (sent->newer != MP_SENT_NONE)
    mp_scoreboard_at(board, sent->newer)->older = sent->older;
  else
    board->newest = sent->older;
}

static bool is_under_way(const struct mp_sent *sent)
{
  return !(sent->flags & MP_SENT_DELIVERED) &&
         (sent->flags & (MP_SENT_LOST | MP_SENT_AGAIN)) != MP_SENT_LOST;
}

/* ---- What happens to a piece ---- */

void mp_scoreboard_send(struct mp_scoreboard *board, uint64_t piece, uint64_t now_us)
{
  if (mp_scoreboard_in_flight(board) == 0)
    board->flight_us = board->delivered_us = now_us;
  struct mp_sent *sent = mp_scoreboard_at(board, piece);
  if (piece == board->next) {
    sent->flags = 0;
    board->next++;
  } else {
    if (is_under_way(sent)) /* a probe sends again what nobody has missed */
      take_out(board, sent);
    if (sent->flags & MP_SENT_LOST && !(sent->flags & MP_SENT_AGAIN)) {
      sent->flags |= MP_SENT_AGAIN;
      board->again++;
    }
    sent->flags |= MP_SENT_EVER_AGAIN;
  }
  sent->sent_us = now_us;
  sent->order = ++board->transmissions;
  sent->delivered = board->delivered;
  sent->delivered_us = board->delivered_us;
  sent->flight_us = board->flight_us;
  append(board, piece);
}

static void sample(struct mp_scoreboard *board, const struct mp_sent *sent,
                   struct mp_delivery *delivery)
{
  delivery->count++;
  if (delivery->any && sent->order <= delivery->newest_order)
    return;
  delivery->any = true;
  delivery->newest_order = sent->order;
  delivery->prior_delivered = sent->delivered;
  delivery->prior_us = sent->delivered_us;
  delivery->send_us = sent->sent_us - sent->flight_us;
  board->flight_us = sent->sent_us;
}

bool mp_scoreboard_deliver(struct mp_scoreboard *board, uint64_t piece, uint64_t now_us,
                           struct mp_delivery *delivery)
{
  struct mp_sent *sent = mp_scoreboard_at(board, piece);
  if (sent->flags & MP_SENT_DELIVERED)
    return false;
  if (is_under_way(sent))
    take_out(board, sent);
  board->lost -= (sent->flags & MP_SENT_LOST) != 0;
  board->again -= (sent->flags & MP_SENT_AGAIN) != 0;
  sent->flags = (uint8_t)(MP_SENT_DELIVERED | (sent->flags & MP_SENT_EVER_AGAIN));
  board->delivered_ahead++;
  board->delivered++;
  board->delivered_us = now_us;
  if (piece >= board->highest)
    board->highest = piece + 1;
  sample(board, sent, delivery);
  return true;
}

void mp_scoreboard_advance(struct mp_scoreboard *board, uint64_t una)
{
  for (; board->una < una; board->una++) {
    const struct mp_sent *sent = mp_scoreboard_at(board, board->una);
    if (is_under_way(sent))
      take_out(board, sent);
    board->delivered_ahead -= (sent->flags & MP_SENT_DELIVERED) != 0;
    board->lost -= (sent->flags & MP_SENT_LOST) != 0;
    board->again -= (sent->flags & MP_SENT_AGAIN) != 0;
  }
  if (board->lost_hint < una)
    board->lost_hint = una;
}

void mp_scoreboard_lose(struct mp_scoreboard *board, uint64_t piece)
{
  struct mp_sent *sent = mp_scoreboard_at(board, piece);
  if (!is_under_way(sent))
    return;
  take_out(board, sent);
  if (sent->flags & MP_SENT_AGAIN) {
    sent->flags &= (uint8_t)~MP_SENT_AGAIN;
    board->again--;
  } else {
    sent->flags |= MP_SENT_LOST;
    board->lost++;
  }
  if (piece < board->lost_hint)
    board->lost_hint = piece;
}

void mp_scoreboard_forgive(struct mp_scoreboard *board)
{
  for (uint64_t piece = board->una; piece < board->next && board->lost > 0; piece++) {
    struct mp_sent *sent = mp_scoreboard_at(board, piece);
    if (!(sent->flags & MP_SENT_LOST))
      continue;
    if (sent->flags & MP_SENT_AGAIN)
      board->again--;
    else
      append(board, piece);
    sent->flags &= (uint8_t) ~(MP_SENT_LOST | MP_SENT_AGAIN);
    board->lost--;
  }
}

uint64_t mp_scoreboard_next_lost(struct mp_scoreboard *board)
{
  if (board->lost == board->again)
    return MP_SENT_NONE;
  for (; board->lost_hint < board->next; board->lost_hint++) {
    const uint8_t flags = mp_scoreboard_at(board, board->lost_hint)->flags;
    if ((flags & (MP_SENT_LOST | MP_SENT_AGAIN)) == MP_SENT_LOST)
      return board->lost_hint;
  }
  return MP_SENT_NONE;
}

uint64_t mp_scoreboard_interval_us(const struct mp_delivery *delivery, uint64_t min_rtt_us,
                                   uint64_t now_us)
{
  if (!delivery->any)
    return 0;
  const uint64_t ack_us = now_us - delivery->prior_us;
  const uint64_t interval_us = ack_us > delivery->send_us ? ack_us : delivery->send_us;
  /* tcp_rate_gen: shorter than any round trip, it is an artefact of retransmission. */
  return interval_us < min_rtt_us ? 0 : interval_us;
}
