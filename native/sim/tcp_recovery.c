#include "tcp_sender.h"

static struct mp_congestion *congestion_of(struct mp_tcp_sender *tcp)
{
  return &tcp->base.congestion;
}

/* ---- Into loss and out of it ---- */

static void remember(struct mp_tcp_sender *tcp)
{
  const struct mp_congestion *congestion = congestion_of(tcp);
  tcp->undoable = true;
  tcp->undo_window = congestion->window;
  tcp->undo_threshold = congestion->threshold;
  /* Retransmissions of the episode before may still be under way: they count with these. */
  tcp->undo_retransmits = tcp->base.board.again;
  if (tcp->base.board.again == 0)
    tcp->retransmit_ms = 0;
}

static void enter_recovery(struct mp_tcp_sender *tcp)
{
  struct mp_congestion *congestion = congestion_of(tcp);
  remember(tcp);
  tcp->base.counts.recoveries++;
  tcp->recovery_end = tcp->base.board.next;
  tcp->tail_probe_end = 0;
  tcp->prior_window = congestion->window;
  tcp->prr_delivered = tcp->prr_out = 0;
  congestion->threshold = congestion->law->on_loss(congestion);
  congestion->growth = 0;
  tcp->state = MP_TCP_RECOVERY;
}

void mp_tcp_recovery_timeout(struct mp_tcp_sender *tcp, uint64_t now_us)
{
  struct mp_congestion *congestion = congestion_of(tcp);
  struct mp_scoreboard *board = &tcp->base.board;
  tcp->base.counts.timeouts++;
  if (tcp->state != MP_TCP_LOSS) {
    remember(tcp);
    congestion->threshold = congestion->law->on_loss(congestion);
    const struct mp_ack now = {.now_us = now_us, .una = board->una, .next = board->next};
    congestion->law->on_timeout(congestion, &now);
  }
  /* What was sent a moment ago is not lost yet (tcp_timeout_mark_lost). */
  for (uint64_t piece = board->una; piece < board->next; piece++) {
    const struct mp_sent *sent = mp_scoreboard_at(board, piece);
    if (piece == board->una || mp_tcp_rack_remaining_us(tcp, sent, now_us) <= 0)
      mp_scoreboard_lose(board, piece);
  }
  tcp->state = MP_TCP_LOSS;
  tcp->recovery_end = board->next;
  tcp->tail_probe_end = 0;
  tcp->reorder_at_us = UINT64_MAX;
  congestion->window = mp_scoreboard_in_flight(board) + 1;
  congestion->growth = 0;
}

/* RFC 3522 (the answer is to what was sent before the first retransmission), or a DSACK for each. */
static bool is_needless(const struct mp_tcp_sender *tcp, const struct mp_tcp_news *news)
{
  if (!tcp->undoable)
    return false;
  return (tcp->retransmit_ms > 0 && tcp->undo_retransmits == 0) ||
         (tcp->retransmit_ms > 0 && (int32_t)(news->echo_ms - tcp->retransmit_ms) < 0);
}

static void undo(struct mp_tcp_sender *tcp)
{
  struct mp_congestion *congestion = congestion_of(tcp);
  mp_scoreboard_forgive(&tcp->base.board);
  if (congestion->window < tcp->undo_window)
    congestion->window = tcp->undo_window;
  if (congestion->threshold < tcp->undo_threshold)
    congestion->threshold = tcp->undo_threshold;
  congestion->law->on_undo(congestion);
  tcp->base.counts.undos++;
  tcp->undoable = false;
  tcp->state = MP_TCP_OPEN;
}

static void leave(struct mp_tcp_sender *tcp)
{
  struct mp_congestion *congestion = congestion_of(tcp);
  if (tcp->state == MP_TCP_RECOVERY && !congestion->law->rules_recovery)
    congestion->window = congestion->threshold;
  tcp->state = MP_TCP_OPEN;
  tcp->undoable = false;
  if (tcp->reorder_persist > 0)
    tcp->reorder_persist--;
}

/* ---- The window while it lasts ---- */

/* RFC 6937, with slow start reduction bound where the acknowledgement is a good sign. */
static void reduce(struct mp_tcp_sender *tcp, const struct mp_tcp_news *news)
{
  struct mp_congestion *congestion = congestion_of(tcp);
  const uint32_t in_flight = mp_scoreboard_in_flight(&tcp->base.board);
  const uint32_t delivered = news->delivery.count;
  if (delivered == 0 || tcp->prior_window == 0)
    return;
  tcp->prr_delivered += delivered;
  int64_t send;
  if (in_flight > congestion->threshold) {
    const uint64_t due = (uint64_t)congestion->threshold * tcp->prr_delivered;
    send = (int64_t)((due + tcp->prior_window - 1) / tcp->prior_window) - tcp->prr_out;
  } else {
    const int64_t room = (int64_t)congestion->threshold - in_flight;
    send = (int64_t)tcp->prr_delivered - tcp->prr_out;
    if (send < delivered)
      send = delivered;
    if (news->advanced && news->lost == 0)
      send++;
    if (send > room)
      send = room;
  }
  /* The first retransmission leaves at once. */
  if (send < (tcp->prr_out ? 0 : 1))
    send = tcp->prr_out ? 0 : 1;
  congestion->window = in_flight + (uint32_t)send;
}

static void tell_law(struct mp_tcp_sender *tcp, const struct mp_tcp_news *news, uint64_t now_us)
{
  struct mp_congestion *congestion = congestion_of(tcp);
  const struct mp_scoreboard *board = &tcp->base.board;
  const struct mp_rtt *rtt = &tcp->base.rtt;
  const bool in_order = news->advanced || tcp->reordering > 3;
  const struct mp_ack ack = {
      .now_us = now_us,
      .una = board->una,
      .next = board->next,
      .rtt_us = news->rtt_us,
      .min_rtt_us = rtt->min_us,
      .srtt_us = rtt->smoothed_us,
      .delivered = news->delivery.count,
      .lost = news->lost,
      .in_flight = mp_scoreboard_in_flight(board),
      .prior_in_flight = news->prior_in_flight,
      .total_delivered = board->delivered,
      .prior_delivered = news->delivery.prior_delivered,
      .interval_us = mp_scoreboard_interval_us(&news->delivery, rtt->min_us, now_us),
      .may_grow = in_order && news->delivery.count > 0 && tcp->state != MP_TCP_RECOVERY &&
                  tcp->base.window_limited,
      .recovering = tcp->state != MP_TCP_OPEN,
      .retransmitted = news->newest_retransmitted,
  };
  if (tcp->state == MP_TCP_RECOVERY && !congestion->law->rules_recovery)
    reduce(tcp, news);
  congestion->law->on_ack(congestion, &ack);
}

void mp_tcp_recovery_take(struct mp_tcp_sender *tcp, struct mp_tcp_news *news, uint64_t now_us)
{
  struct mp_scoreboard *board = &tcp->base.board;
  if (tcp->state != MP_TCP_OPEN) {
    /* RFC 5682: what was never sent again and arrives after a timeout says that it was none. */
    const bool spurious_timeout = tcp->state == MP_TCP_LOSS && news->original_arrived &&
                                  tcp->undoable && board->una < tcp->recovery_end;
    if ((news->advanced && is_needless(tcp, news)) || spurious_timeout)
      undo(tcp);
    else if (board->una >= tcp->recovery_end)
      leave(tcp);
  }
  news->lost = mp_tcp_rack_detect(tcp, now_us);
  if (tcp->state == MP_TCP_OPEN && board->lost > 0)
    enter_recovery(tcp);
  tell_law(tcp, news, now_us);
}

void mp_tcp_recovery_detect(struct mp_tcp_sender *tcp, uint64_t now_us)
{
  struct mp_tcp_news news = {.prior_in_flight = mp_scoreboard_in_flight(&tcp->base.board)};
  news.lost = mp_tcp_rack_detect(tcp, now_us);
  if (news.lost == 0)
    return;
  if (tcp->state == MP_TCP_OPEN) {
    enter_recovery(tcp);
    if (!congestion_of(tcp)->law->rules_recovery)
      congestion_of(tcp)->window = mp_scoreboard_in_flight(&tcp->base.board) + 1;
  }
  mp_tcp_rack_arm(tcp, now_us);
}

void mp_tcp_recovery_sent(struct mp_tcp_sender *tcp, const struct mp_run *run, bool again,
                          uint64_t now_us)
{
  if (tcp->state == MP_TCP_RECOVERY)
    tcp->prr_out += run->count;
  if (!again)
    return;
  tcp->base.counts.retransmits += run->count;
  tcp->undo_retransmits += run->count;
  if (tcp->retransmit_ms == 0)
    tcp->retransmit_ms = mp_tcp_clock_ms(now_us);
}
