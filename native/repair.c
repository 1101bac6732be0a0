/* How long what is lost is waited for here, while the peer sends it again. */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* What is lost is told, sent again, and perhaps lost again: three round trips of the best path, with this
 * margin in each for what a report may wait and the threads may be late. The most is above the least
 * retransmission timeout of Linux (200 ms), to which TCP adds a round trip. A timeout that came too early TCP
 * takes back (RFC 5682); a gap that is passed a moment too early costs it a third of its window. Where each
 * way takes 50 ms with jitter of 20, and one packet in 50 is lost, a repair takes about 200 ms: of 20 Mbit/s
 * CUBIC gets 6.9 with at most 200, 12.1 with 300 and 14.9 with 400. BBR does not mind the loss but the wait,
 * and gets 11.8, 9.8 and 8.4 (the means of three seeds). */
#define REPAIR_MARGIN_US 15000u
#define REPAIR_MOST_US 300000u
/* But no less than one word and one try take: to wait less is to wait for nothing. Of 10 Mbit/s with 150 ms
 * each way, where one packet in 100 is lost, a stream gets 8.5 (QUIC), 7.2 (CUBIC) and 8.6 (BBR), and when
 * the wait ends before that 0.4, 2.9 and 7.5 (the means of three seeds). */
#define REPAIR_ONCE(turn_us) ((turn_us) / 4 * 5)

uint32_t mp_repair_turn_us(const struct mp_peer *peer)
{
  return mp_report_least_rtt_us(peer) + REPAIR_MARGIN_US;
}

static uint32_t most_repair_us(const struct mp_peer *peer)
{
  const uint32_t once_us = REPAIR_ONCE(mp_repair_turn_us(peer));
  return once_us > REPAIR_MOST_US ? once_us : REPAIR_MOST_US;
}

bool mp_repair_is_hurried(const struct mp_peer *peer)
{
  return 3 * mp_repair_turn_us(peer) > most_repair_us(peer);
}

void mp_repair_tune(struct mp_peer *peer)
{
  if (!peer->reports)
    return;
  const uint32_t wanted_us = 3 * mp_repair_turn_us(peer), most_us = most_repair_us(peer);
  mp_reorder_repair(peer->reorder, wanted_us < most_us ? wanted_us : most_us);
}
