#include "quic_sender.h"

#include <stdlib.h>

#define PACKET_THRESHOLD 3u     /* RFC 9002, kPacketThreshold */
#define GRANULARITY_US 1000u    /* kGranularity */
#define INITIAL_RTT_US 333000u  /* kInitialRtt */
#define MAX_ACK_DELAY_US 25000u /* RFC 9000, section 18.2 */
#define PERSISTENT_PERIODS 3u   /* kPersistentCongestionThreshold */
#define PROBES 2u
#define BURST_PACKETS 10u       /* RFC 9002, section 7.7 */
#define RUN_PER_S 1024

bool mp_quic_sender_open(struct mp_quic_sender *quic, enum mp_congestion_kind kind,
                         uint32_t piece_bytes, uint64_t seed, uint64_t now_us)
{
  *quic = (struct mp_quic_sender){.loss_at_us = UINT64_MAX};
  quic->lost = calloc(MP_SCOREBOARD_ROOM, sizeof *quic->lost);
  return mp_sender_open(&quic->base, kind, piece_bytes, seed, now_us) && quic->lost;
}

void mp_quic_sender_close(struct mp_quic_sender *quic)
{
  mp_scoreboard_close(&quic->base.board);
  free(quic->lost);
}

/* ---- Loss: RFC 9002, section 6.1 ---- */

struct losses {
  uint32_t count;
  uint64_t newest_order;
  /* The longest row of packets lost without one between them that arrived. */
  uint64_t row_from_us, row_us;
};

static void lose(struct mp_quic_sender *quic, uint64_t packet, struct losses *losses)
{
  struct mp_scoreboard *board = &quic->base.board;
  const struct mp_sent *sent = mp_scoreboard_at(board, packet);
  mp_scoreboard_lose(board, packet);
  quic->lost[(quic->lost_first + quic->lost_count++) % MP_SCOREBOARD_ROOM] = sent->content;
  losses->count++;
  losses->newest_order = sent->order;
  if (losses->row_from_us == 0)
    losses->row_from_us = sent->sent_us + 1;
  const uint64_t row_us = sent->sent_us + 1 - losses->row_from_us;
  if (row_us > losses->row_us)
    losses->row_us = row_us;
}

static void detect(struct mp_quic_sender *quic, uint64_t now_us, struct losses *losses)
{
  struct mp_scoreboard *board = &quic->base.board;
  const struct mp_rtt *rtt = &quic->base.rtt;
  const uint32_t greater_us = rtt->latest_us > rtt->smoothed_us ? rtt->latest_us : rtt->smoothed_us;
  uint64_t delay_us = (uint64_t)greater_us * 9 / 8;
  if (delay_us < GRANULARITY_US)
    delay_us = GRANULARITY_US;
  quic->loss_at_us = UINT64_MAX;
  for (uint64_t packet = board->una; packet < quic->largest_acked; packet++) {
    const struct mp_sent *sent = mp_scoreboard_at(board, packet);
    if (sent->flags & MP_SENT_DELIVERED)
      losses->row_from_us = 0;
    if (sent->flags & (MP_SENT_DELIVERED | MP_SENT_LOST))
      continue;
    if (packet + PACKET_THRESHOLD < quic->largest_acked || sent->sent_us + delay_us <= now_us)
      lose(quic, packet, losses);
    else if (sent->sent_us + delay_us < quic->loss_at_us)
      quic->loss_at_us = sent->sent_us + delay_us;
  }
}

/* What is known to have arrived or to be lost, and has nothing unknown below it, is behind. */
static void advance(struct mp_scoreboard *board)
{
  uint64_t una = board->una;
  while (una < board->next &&
         mp_scoreboard_at(board, una)->flags & (MP_SENT_DELIVERED | MP_SENT_LOST))
    una++;
  mp_scoreboard_advance(board, una);
}

static uint64_t probe_timeout_us(const struct mp_quic_sender *quic)
{
  const struct mp_rtt *rtt = &quic->base.rtt;
  if (rtt->smoothed_us == 0)
    return 2 * INITIAL_RTT_US;
  const uint64_t var_us = 4ull * rtt->var_us;
  return rtt->smoothed_us + (var_us > GRANULARITY_US ? var_us : GRANULARITY_US) + MAX_ACK_DELAY_US;
}

static void punish(struct mp_quic_sender *quic, const struct losses *losses, uint64_t now_us)
{
  struct mp_congestion *congestion = &quic->base.congestion;
  if (losses->count == 0)
    return;
  if (!quic->recovering && losses->newest_order > quic->recovery_order) {
    quic->recovering = true;
    quic->recovery_order = quic->base.board.transmissions;
    quic->base.counts.recoveries++;
    congestion->threshold = congestion->law->on_loss(congestion);
    congestion->growth = 0;
    if (!congestion->law->rules_recovery)
      congestion->window = congestion->threshold;
  }
  if (losses->row_us <= PERSISTENT_PERIODS * probe_timeout_us(quic) ||
      quic->base.rtt.smoothed_us == 0)
    return;
  const struct mp_ack now = {.now_us = now_us, .next = quic->base.board.next};
  quic->base.counts.timeouts++;
  congestion->window = MP_WINDOW_LEAST;
  congestion->law->on_timeout(congestion, &now);
}

/* ---- Acknowledgements in ---- */

static void take_time(struct mp_quic_sender *quic, uint64_t sent_us, uint32_t delay_us,
                      uint64_t now_us)
{
  struct mp_rtt *rtt = &quic->base.rtt;
  const uint32_t latest_us = now_us > sent_us ? (uint32_t)(now_us - sent_us) : 1;
  const uint32_t least_us = rtt->smoothed_us && rtt->min_us < latest_us ? rtt->min_us : latest_us;
  const uint32_t held_us = delay_us < MAX_ACK_DELAY_US ? delay_us : MAX_ACK_DELAY_US;
  /* RFC 9002 section 5.3: never below the smallest. */
  mp_rtt_sample(rtt, latest_us >= least_us + held_us ? latest_us - held_us : latest_us);
  rtt->latest_us = latest_us;
  rtt->min_us = least_us;
}

/* RFC 9002 section 7.7; in slow start as fast as the window doubles. */
static void pace(struct mp_sender *sender)
{
  struct mp_congestion *congestion = &sender->congestion;
  if (congestion->law->rules_recovery || sender->rtt.smoothed_us == 0)
    return;
  const double gain = congestion->window < congestion->threshold ? 2.0 : 1.25;
  congestion->pacing_per_s = gain * congestion->window * 1e6 / sender->rtt.smoothed_us;
}

void mp_quic_sender_take(struct mp_quic_sender *quic, const struct mp_quic_ack *ack,
                         uint64_t now_us)
{
  struct mp_sender *sender = &quic->base;
  struct mp_scoreboard *board = &sender->board;
  const uint32_t prior_in_flight = mp_scoreboard_in_flight(board);
  struct mp_delivery delivery = {0};
  uint32_t after_recovery = 0;
  bool timed = false;
  if (ack->range_count == 0 || ack->ranges[0].end > board->next)
    return;
  for (unsigned i = 0; i < ack->range_count; i++) {
    const struct mp_interval *range = &ack->ranges[i];
    for (uint64_t packet = range->begin > board->una ? range->begin : board->una;
         packet < range->end; packet++) {
      const struct mp_sent *sent = mp_scoreboard_at(board, packet);
      const uint64_t sent_us = sent->sent_us, order = sent->order;
      if (!mp_scoreboard_deliver(board, packet, now_us, &delivery))
        continue;
      after_recovery += order > quic->recovery_order;
      if (packet + 1 == ack->ranges[0].end) {
        take_time(quic, sent_us, ack->delay_us, now_us);
        timed = true;
      }
    }
  }
  if (delivery.count == 0)
    return;
  if (ack->ranges[0].end > quic->largest_acked)
    quic->largest_acked = ack->ranges[0].end;
  quic->probe_timeouts = 0;
  quic->recovering = quic->recovering && after_recovery == 0;
  struct losses losses = {0};
  detect(quic, now_us, &losses);
  advance(board);
  punish(quic, &losses, now_us);
  const struct mp_ack report = {
      .now_us = now_us,
      .una = quic->largest_acked,
      .next = board->next,
      .rtt_us = timed ? sender->rtt.latest_us : 0,
      .min_rtt_us = sender->rtt.min_us,
      .srtt_us = sender->rtt.smoothed_us,
      .delivered = delivery.count,
      .lost = losses.count,
      .in_flight = mp_scoreboard_in_flight(board),
      .prior_in_flight = prior_in_flight,
      .total_delivered = board->delivered,
      .prior_delivered = delivery.prior_delivered,
      .interval_us = mp_scoreboard_interval_us(&delivery, sender->rtt.min_us, now_us),
      .may_grow = after_recovery > 0 && !quic->recovering && sender->window_limited,
      .recovering = quic->recovering,
  };
  sender->congestion.law->on_ack(&sender->congestion, &report);
  pace(sender);
}

/* ---- Timers: RFC 9002, section 6.2 ---- */

static uint64_t probe_at_us(const struct mp_quic_sender *quic)
{
  if (quic->base.board.una == quic->base.board.next)
    return UINT64_MAX;
  return quic->sent_us + (probe_timeout_us(quic) << quic->probe_timeouts);
}

void mp_quic_sender_expire(struct mp_quic_sender *quic, uint64_t now_us)
{
  if (now_us >= quic->loss_at_us) {
    struct losses losses = {0};
    detect(quic, now_us, &losses);
    advance(&quic->base.board);
    punish(quic, &losses, now_us);
  } else if (quic->probes_due == 0 && now_us >= probe_at_us(quic)) {
    quic->base.counts.probes++;
    quic->probes_due = PROBES;
    if (quic->probe_timeouts < 10)
      quic->probe_timeouts++;
  }
}

/* ---- Packets out ---- */

static bool may_send_new(const struct mp_quic_sender *quic)
{
  const struct mp_scoreboard *board = &quic->base.board;
  return board->next - board->una < quic->base.window_limit &&
         mp_sender_left(&quic->base, quic->next_piece) > 0;
}

static bool has_data(const struct mp_quic_sender *quic)
{
  return !mp_scoreboard_is_full(&quic->base.board) && (quic->lost_count > 0 || may_send_new(quic));
}

static void send(struct mp_quic_sender *quic, bool probe, uint64_t now_us)
{
  struct mp_scoreboard *board = &quic->base.board;
  uint64_t piece;
  if (quic->lost_count > 0) {
    piece = quic->lost[quic->lost_first];
    quic->lost_first = (quic->lost_first + 1) % MP_SCOREBOARD_ROOM;
    quic->lost_count--;
    quic->base.counts.retransmits++;
  } else if (probe && !may_send_new(quic)) {
    piece = mp_scoreboard_at(board, board->una)->content;
    quic->base.counts.retransmits++;
  } else {
    piece = quic->next_piece++;
  }
  const uint64_t packet = board->next;
  mp_scoreboard_send(board, packet, now_us);
  mp_scoreboard_at(board, packet)->content = piece;
  quic->sent_us = now_us;
}

bool mp_quic_sender_next(struct mp_quic_sender *quic, uint32_t most, uint64_t now_us,
                         struct mp_run *run)
{
  struct mp_sender *sender = &quic->base;
  struct mp_scoreboard *board = &sender->board;
  *run = (struct mp_run){.first = board->next, .order = board->transmissions + 1};
  if (quic->probes_due > 0 && !mp_scoreboard_is_full(board)) {
    quic->probes_due--;
    run->count = 1;
    send(quic, true, now_us);
    return true;
  }
  if (mp_scoreboard_in_flight(board) >= sender->congestion.window) {
    sender->window_limited = true;
    return false;
  }
  if (!has_data(quic)) {
    sender->window_limited = false;
    return false;
  }
  if (mp_sender_is_paced(sender, now_us))
    return false;
  const double wanted = sender->congestion.pacing_per_s / RUN_PER_S;
  uint32_t size = wanted < 2 ? 2 : wanted > BURST_PACKETS ? BURST_PACKETS : (uint32_t)wanted;
  if (size > most)
    size = most;
  while (run->count < size && mp_scoreboard_in_flight(board) < sender->congestion.window &&
         has_data(quic)) {
    send(quic, false, now_us);
    run->count++;
  }
  mp_sender_pace(sender, run->count, now_us);
  return true;
}

uint64_t mp_quic_sender_wake_us(const struct mp_quic_sender *quic)
{
  const struct mp_sender *sender = &quic->base;
  if (quic->probes_due > 0)
    return 0;
  const uint64_t probe_us = probe_at_us(quic);
  uint64_t at_us = quic->loss_at_us < probe_us ? quic->loss_at_us : probe_us;
  if (mp_scoreboard_in_flight(&sender->board) < sender->congestion.window && has_data(quic) &&
      mp_sender_paced_us(sender) < at_us)
    at_us = mp_sender_paced_us(sender);
  return at_us;
}
