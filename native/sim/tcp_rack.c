#include "tcp_sender.h"

#define TICK_US 1000u
#define TIMEOUT_LEAST_US 200000u
#define TIMEOUT_FIRST_US 1000000u
#define TIMEOUT_MOST_US 120000000u
#define DELAYED_ACK_US 200000u
#define STEPS_MOST 255u
#define STEPS_PERSIST 16u

/* ---- What is lost: RFC 8985, section 6 ---- */

static bool was_sent_after(const struct mp_tcp_sender *tcp, const struct mp_sent *sent)
{
  return sent->sent_us > tcp->rack_sent_us ||
         (sent->sent_us == tcp->rack_sent_us && sent->order > tcp->rack_order);
}

void mp_tcp_rack_deliver(struct mp_tcp_sender *tcp, const struct mp_sent *sent, uint64_t piece,
                         uint64_t highest_before, uint64_t now_us)
{
  const bool again = (sent->flags & MP_SENT_EVER_AGAIN) != 0;
  if (!again && piece + 1 < highest_before) {
    const uint32_t distance = (uint32_t)(highest_before - piece);
    if (distance > tcp->reordering)
      tcp->reordering = distance < 300 ? distance : 300; /* tcp_max_reordering */
    tcp->reordering_seen = true;
  }
  const uint64_t rtt_us = now_us - sent->sent_us;
  /* Step 2: the answer may be to the original. */
  if (again && rtt_us < tcp->base.rtt.min_us)
    return;
  tcp->rack_rtt_us = rtt_us;
  if (was_sent_after(tcp, sent)) {
    tcp->rack_sent_us = sent->sent_us;
    tcp->rack_order = sent->order;
  }
}

/* Step 4: the window widens by a quarter of the round trip for each round with a DSACK. */
void mp_tcp_rack_round(struct mp_tcp_sender *tcp, const struct mp_tcp_news *news)
{
  if (news->delivery.any && news->delivery.prior_delivered < tcp->steps_delivered)
    tcp->duplicate_seen = false; /* within one round */
  if (tcp->duplicate_seen) {
    if (tcp->reorder_steps < STEPS_MOST)
      tcp->reorder_steps++;
    tcp->duplicate_seen = false;
    tcp->steps_delivered = tcp->base.board.delivered;
    tcp->reorder_persist = STEPS_PERSIST;
  } else if (tcp->reorder_persist == 0) {
    tcp->reorder_steps = 1;
  }
}

static uint64_t reorder_window_us(const struct mp_tcp_sender *tcp)
{
  const struct mp_rtt *rtt = &tcp->base.rtt;
  if (!tcp->reordering_seen &&
      (tcp->state != MP_TCP_OPEN || tcp->base.board.delivered_ahead >= tcp->reordering))
    return 0;
  const uint64_t window_us = (uint64_t)rtt->min_us / 4 * tcp->reorder_steps;
  return window_us < rtt->smoothed_us ? window_us : rtt->smoothed_us;
}

int64_t mp_tcp_rack_remaining_us(const struct mp_tcp_sender *tcp, const struct mp_sent *sent,
                                 uint64_t now_us)
{
  return (int64_t)(tcp->rack_rtt_us + reorder_window_us(tcp)) - (int64_t)(now_us - sent->sent_us);
}

uint32_t mp_tcp_rack_detect(struct mp_tcp_sender *tcp, uint64_t now_us)
{
  struct mp_scoreboard *board = &tcp->base.board;
  uint32_t lost = 0;
  int64_t wait_us = 0;
  uint64_t next;
  for (uint64_t piece = board->oldest; piece != MP_SENT_NONE; piece = next) {
    const struct mp_sent *sent = mp_scoreboard_at(board, piece);
    next = sent->newer;
    if (was_sent_after(tcp, sent) || sent->order == tcp->rack_order)
      break;
    const int64_t remaining_us = mp_tcp_rack_remaining_us(tcp, sent, now_us);
    if (remaining_us <= 0) {
      mp_scoreboard_lose(board, piece);
      lost++;
    } else if (remaining_us > wait_us) {
      wait_us = remaining_us;
    }
  }
  tcp->reorder_at_us = wait_us > 0 ? now_us + (uint64_t)wait_us + 2 * TICK_US : UINT64_MAX;
  return lost;
}

/* ---- Timers ---- */

uint64_t mp_tcp_timeout_us(const struct mp_tcp_sender *tcp)
{
  const struct mp_rtt *rtt = &tcp->base.rtt;
  if (rtt->smoothed_us == 0)
    return TIMEOUT_FIRST_US << tcp->backoff;
  const uint64_t var_us = 4ull * rtt->var_us;
  const uint64_t once_us =
      rtt->smoothed_us + (var_us > TIMEOUT_LEAST_US ? var_us : TIMEOUT_LEAST_US);
  const uint64_t timeout_us = once_us << tcp->backoff;
  return timeout_us < TIMEOUT_MOST_US ? timeout_us : TIMEOUT_MOST_US;
}

/* RFC 8985 section 7.2, with the constants of tcp_schedule_loss_probe. */
static uint64_t probe_us(const struct mp_tcp_sender *tcp)
{
  const struct mp_rtt *rtt = &tcp->base.rtt;
  if (rtt->smoothed_us == 0)
    return TIMEOUT_FIRST_US;
  const bool single = tcp->base.board.next - tcp->base.board.una == 1;
  return 2ull * rtt->smoothed_us + (single ? DELAYED_ACK_US : 2 * TICK_US);
}

void mp_tcp_rack_arm(struct mp_tcp_sender *tcp, uint64_t now_us)
{
  const struct mp_scoreboard *board = &tcp->base.board;
  if (board->una == board->next) {
    tcp->timeout_at_us = UINT64_MAX;
    return;
  }
  const uint64_t timeout_us = mp_tcp_timeout_us(tcp);
  tcp->timeout_at_us = now_us + timeout_us;
  tcp->timeout_is_probe = false;
  /* A probe only where nothing is known to be missing, and one at a time. */
  if (tcp->state != MP_TCP_OPEN || board->delivered_ahead > 0 || tcp->tail_probe_end > 0)
    return;
  const uint64_t wait_us = probe_us(tcp);
  if (wait_us < timeout_us) {
    tcp->timeout_at_us = now_us + wait_us;
    tcp->timeout_is_probe = true;
  }
}

static void timeout(struct mp_tcp_sender *tcp, uint64_t now_us)
{
  if (tcp->timeout_is_probe) {
    tcp->base.counts.probes++;
    tcp->probe_due = true;
    mp_tcp_rack_arm(tcp, now_us);
    tcp->timeout_is_probe = false;
    tcp->timeout_at_us = now_us + mp_tcp_timeout_us(tcp);
    return;
  }
  mp_tcp_recovery_timeout(tcp, now_us);
  if (tcp->backoff < 10)
    tcp->backoff++;
  tcp->timeout_at_us = now_us + mp_tcp_timeout_us(tcp);
}

void mp_tcp_sender_expire(struct mp_tcp_sender *tcp, uint64_t now_us)
{
  if (now_us >= tcp->reorder_at_us)
    mp_tcp_recovery_detect(tcp, now_us);
  if (now_us >= tcp->timeout_at_us)
    timeout(tcp, now_us);
}
