#include "tcp_sender.h"

#define SEGMENTS_LEAST 2u      /* tcp_min_tso_segs */
#define RUN_PER_S 1024         /* runs a second at the pacing rate: sk_pacing_shift of 10 */
#define REORDERING_FIRST 3u

bool mp_tcp_sender_open(struct mp_tcp_sender *tcp, enum mp_congestion_kind kind,
                        uint32_t segment_bytes, uint64_t seed, uint64_t now_us)
{
  *tcp = (struct mp_tcp_sender){.reordering = REORDERING_FIRST,
                                .reorder_steps = 1,
                                .reorder_at_us = UINT64_MAX,
                                .timeout_at_us = UINT64_MAX};
  return mp_sender_open(&tcp->base, kind, segment_bytes, seed, now_us);
}

void mp_tcp_sender_opened(struct mp_tcp_sender *tcp, enum mp_congestion_kind kind, uint64_t seed,
                          uint64_t rtt_us, uint64_t now_us)
{
  if (rtt_us == 0)
    return;
  mp_rtt_sample(&tcp->base.rtt, (uint32_t)rtt_us);
  mp_congestion_open(&tcp->base.congestion, kind, seed, rtt_us, now_us);
}

/* ---- Acknowledgements in ---- */

struct intake {
  struct mp_tcp_sender *tcp;
  struct mp_tcp_news *news;
  uint64_t highest_before, now_us;
  uint64_t first_sent_us, last_sent_us, sack_sent_us; /* of originals; 0: none */
};

static void deliver(struct intake *in, uint64_t piece, bool by_sack)
{
  struct mp_tcp_sender *tcp = in->tcp;
  const struct mp_sent *sent = mp_scoreboard_at(&tcp->base.board, piece);
  if (sent->flags & MP_SENT_DELIVERED)
    return;
  const bool again = (sent->flags & MP_SENT_EVER_AGAIN) != 0;
  const bool is_newest = !in->news->delivery.any || sent->order > in->news->delivery.newest_order;
  mp_tcp_rack_deliver(tcp, sent, piece, in->highest_before, in->now_us);
  mp_scoreboard_deliver(&tcp->base.board, piece, in->now_us, &in->news->delivery);
  if (is_newest)
    in->news->newest_retransmitted = again;
  if (again)
    return;
  in->news->original_arrived |= piece < tcp->recovery_end;
  if (by_sack) {
    in->sack_sent_us = sent->sent_us + 1;
    return;
  }
  if (in->first_sent_us == 0)
    in->first_sent_us = sent->sent_us + 1;
  in->last_sent_us = sent->sent_us + 1;
}

/* Delivers a block but for what the last acknowledgement had already said. */
static void take_block(struct intake *in, struct mp_interval block)
{
  struct mp_tcp_sender *tcp = in->tcp;
  const struct mp_scoreboard *board = &tcp->base.board;
  if (block.begin < board->una)
    block.begin = board->una;
  if (block.end > board->next)
    block.end = board->next;
  for (uint64_t piece = block.begin; piece < block.end; piece++) {
    for (unsigned i = 0; i < tcp->known_count; i++)
      if (piece >= tcp->known[i].begin && piece < tcp->known[i].end)
        piece = tcp->known[i].end;
    if (piece < block.end)
      deliver(in, piece, true);
  }
}

static void take_blocks(struct intake *in, const struct mp_tcp_ack *ack)
{
  struct mp_tcp_sender *tcp = in->tcp;
  unsigned first = 0;
  if (ack->duplicate) {
    first = 1;
    tcp->duplicate_seen = true;
    if (tcp->undo_retransmits > 0)
      tcp->undo_retransmits--;
  }
  for (unsigned i = first; i < ack->block_count; i++)
    take_block(in, ack->blocks[i]);
  tcp->known_count = 0;
  for (unsigned i = first; i < ack->block_count; i++)
    tcp->known[tcp->known_count++] = ack->blocks[i];
}

/* Karn's rule: originals alone. Of a cumulative acknowledgement the smoothed round trip takes the
 * first segment, congestion control the last (tcp_clean_rtx_queue). */
static void take_time(struct intake *in)
{
  struct mp_tcp_sender *tcp = in->tcp;
  const uint64_t first_us = in->first_sent_us ? in->first_sent_us : in->sack_sent_us;
  if (first_us == 0)
    return;
  const uint64_t last_us = in->last_sent_us ? in->last_sent_us : in->sack_sent_us;
  const uint64_t rtt_us = in->now_us - (first_us - 1);
  const uint64_t newest_us = in->now_us - (last_us - 1);
  mp_rtt_sample(&tcp->base.rtt, rtt_us > 0 ? (uint32_t)rtt_us : 1);
  if (newest_us > 0 && newest_us < tcp->base.rtt.min_us)
    tcp->base.rtt.min_us = (uint32_t)newest_us;
  in->news->rtt_us = newest_us > 0 ? newest_us : 1;
}

void mp_tcp_sender_take(struct mp_tcp_sender *tcp, const struct mp_tcp_ack *ack, uint64_t now_us)
{
  struct mp_scoreboard *board = &tcp->base.board;
  if (ack->una < board->una || ack->una > board->next)
    return; /* older than another, or nonsense */
  struct mp_tcp_news news = {.prior_in_flight = mp_scoreboard_in_flight(board),
                             .echo_ms = ack->echo_ms,
                             .advanced = ack->una > board->una};
  struct intake in = {
      .tcp = tcp, .news = &news, .highest_before = board->highest, .now_us = now_us};
  take_blocks(&in, ack);
  for (uint64_t piece = board->una; piece < ack->una; piece++)
    deliver(&in, piece, false);
  mp_scoreboard_advance(board, ack->una);
  take_time(&in);
  if (news.advanced)
    tcp->backoff = 0;
  if (tcp->tail_probe_end > 0 && board->una >= tcp->tail_probe_end)
    tcp->tail_probe_end = 0;
  mp_tcp_rack_round(tcp, &news);
  mp_tcp_recovery_take(tcp, &news, now_us);
  if (news.advanced || news.delivery.count > 0)
    mp_tcp_rack_arm(tcp, now_us);
}

/* ---- Runs out ---- */

/* What the kernel would pace to, also where it does not pace: it sizes the runs by it. */
static double pieces_per_s(const struct mp_tcp_sender *tcp)
{
  const struct mp_congestion *congestion = &tcp->base.congestion;
  if (congestion->pacing_per_s > 0)
    return congestion->pacing_per_s;
  const double srtt_us = tcp->base.rtt.smoothed_us ? tcp->base.rtt.smoothed_us : 1000;
  const double ratio = congestion->window < congestion->threshold / 2 ? 2.0 : 1.2;
  return ratio * congestion->window * 1e6 / srtt_us;
}

/* tcp_tso_autosize */
static uint32_t run_size(const struct mp_tcp_sender *tcp, uint32_t most)
{
  const double wanted = pieces_per_s(tcp) / RUN_PER_S;
  const uint32_t size = wanted < SEGMENTS_LEAST ? SEGMENTS_LEAST : (uint32_t)wanted;
  return size < most ? size : most;
}

static bool may_send_new(const struct mp_tcp_sender *tcp)
{
  const struct mp_scoreboard *board = &tcp->base.board;
  return board->next - board->una < tcp->base.window_limit &&
         mp_sender_left(&tcp->base, board->next) > 0;
}

static void send(struct mp_tcp_sender *tcp, struct mp_run *run, uint64_t now_us)
{
  const bool again = run->first < tcp->base.board.next;
  const bool was_idle = tcp->timeout_at_us == UINT64_MAX;
  run->order = tcp->base.board.transmissions + 1;
  for (uint32_t i = 0; i < run->count; i++)
    mp_scoreboard_send(&tcp->base.board, run->first + i, now_us);
  mp_tcp_recovery_sent(tcp, run, again, now_us);
  mp_sender_pace(&tcp->base, run->count, now_us);
  if (was_idle || !again)
    mp_tcp_rack_arm(tcp, now_us);
}

static bool send_probe(struct mp_tcp_sender *tcp, uint64_t now_us, struct mp_run *run)
{
  tcp->probe_due = false;
  const struct mp_scoreboard *board = &tcp->base.board;
  *run = (struct mp_run){.first = may_send_new(tcp) ? board->next : board->next - 1, .count = 1};
  const uint64_t timeout_at_us = tcp->timeout_at_us;
  send(tcp, run, now_us);
  tcp->tail_probe_end = board->next;
  tcp->timeout_at_us = timeout_at_us;
  tcp->timeout_is_probe = false;
  return true;
}

bool mp_tcp_sender_next(struct mp_tcp_sender *tcp, uint32_t most, uint64_t now_us,
                        struct mp_run *run)
{
  struct mp_scoreboard *board = &tcp->base.board;
  if (tcp->probe_due)
    return send_probe(tcp, now_us, run);
  const uint32_t in_flight = mp_scoreboard_in_flight(board);
  const uint32_t window = tcp->base.congestion.window;
  if (in_flight >= window) {
    tcp->base.window_limited = true;
    return false;
  }
  if (mp_sender_is_paced(&tcp->base, now_us))
    return false;
  uint32_t room = window - in_flight;
  const uint32_t size = run_size(tcp, most);
  if (room > size)
    room = size;
  const uint64_t lost = mp_scoreboard_next_lost(board);
  if (lost != MP_SENT_NONE) {
    *run = (struct mp_run){.first = lost, .count = 1};
    while (run->count < room && lost + run->count < board->next &&
           (mp_scoreboard_at(board, lost + run->count)->flags &
            (MP_SENT_LOST | MP_SENT_AGAIN | MP_SENT_DELIVERED)) == MP_SENT_LOST)
      run->count++;
  } else if (may_send_new(tcp)) {
    const uint64_t allowed = tcp->base.window_limit - (board->next - board->una);
    const uint64_t supplied = mp_sender_left(&tcp->base, board->next);
    const uint64_t left = supplied < allowed ? supplied : allowed;
    *run = (struct mp_run){.first = board->next, .count = left < room ? (uint32_t)left : room};
  } else {
    tcp->base.window_limited = false;
    return false;
  }
  send(tcp, run, now_us);
  return true;
}

uint64_t mp_tcp_sender_wake_us(const struct mp_tcp_sender *tcp)
{
  uint64_t at_us = tcp->reorder_at_us < tcp->timeout_at_us ? tcp->reorder_at_us
                                                           : tcp->timeout_at_us;
  const struct mp_scoreboard *board = &tcp->base.board;
  const bool has_room = mp_scoreboard_in_flight(board) < tcp->base.congestion.window &&
                        (board->lost > board->again || may_send_new(tcp));
  if (has_room && mp_sender_paced_us(&tcp->base) < at_us)
    at_us = mp_sender_paced_us(&tcp->base);
  return tcp->probe_due ? 0 : at_us;
}
