#include "losses.h"

#include <stdbool.h>

#define WHOLE 65536u
#define HEAVY 3277u /* 5 % */
#define ROUNDS 3u   /* the first still shows what was under way before, the second half of it */

#define PACKET_BYTES 1500u
#define US_PER_S 1000000u

struct round {
  uint64_t sent_bytes, lost_bytes;
  uint32_t share;           /* lost */
  uint64_t sent_rate, rate; /* bytes a second, of what was sent and of what came */
};

/* By more than twice what chance makes of so few packets. Of 40, of which one in 50 is lost, more than 5 %
 * are every twentieth time; the window was cut for that, and the worst of six runs with such links
 * carried 47 % of CUBIC's sum where it carries 73 so. */
static bool exceeds(uint64_t lost_bytes, uint64_t all_bytes, uint32_t share)
{
  const uint64_t usual_bytes = all_bytes * share / WHOLE;
  if (lost_bytes < usual_bytes + PACKET_BYTES)
    return false;
  const uint64_t usual = usual_bytes / PACKET_BYTES;
  const uint64_t more = (lost_bytes - usual_bytes) / PACKET_BYTES;
  return more > 4 * usual / more;
}

static void begin(struct mp_losses *losses, const struct round *round)
{
  losses->blamed = round->share;
  losses->rate = round->rate;
  losses->rounds = ROUNDS;
  losses->sent_bytes = losses->lost_bytes = 0;
}

/* A quarter more than that, within which chance and the ends of a round trip make a difference. */
static bool is_more(uint64_t rate, uint64_t than) { return rate > than + than / 4; }

/* Fewer were lost than chance makes of what was blamed, by a quarter of all. */
static bool has_helped(const struct mp_losses *losses, const struct round *round)
{
  return round->share + WHOLE / 4 < losses->blamed &&
         exceeds(round->sent_bytes * losses->blamed / WHOLE, round->sent_bytes, round->share);
}

/* Where more was still sent than had come, as on a path that has become much slower, what was taken proves
 * nothing; where it has helped, more may. Of 12 Mbit/s with 60 ms, 5 % loss and a queue of 20 ms, of which 2
 * are left, four fifths of what CUBIC sends are lost ever after when that is taken for chance. */
static enum mp_losses_verdict judge_taken(struct mp_losses *losses, const struct round *round)
{
  if (exceeds(round->lost_bytes, round->sent_bytes, HEAVY + losses->blamed * 3 / 2)) {
    begin(losses, round);
    return MP_LOSSES_OVERFULL;
  }
  if (losses->rounds == ROUNDS) {
    if (round->rate < losses->rate)
      losses->rate = round->rate;
  } else {
    losses->sent_bytes += round->sent_bytes;
    losses->lost_bytes += round->lost_bytes;
  }
  if (--losses->rounds > 0)
    return MP_LOSSES_CHANCE;
  const uint32_t since = (uint32_t)(losses->lost_bytes * WHOLE / losses->sent_bytes);
  if (since <= losses->blamed / 2)
    return MP_LOSSES_CHANCE;
  const bool is_overfull = is_more(round->sent_rate, losses->rate);
  if (is_overfull || has_helped(losses, round)) {
    begin(losses, round);
    return is_overfull ? MP_LOSSES_OVERFULL : MP_LOSSES_HEAVY;
  }
  losses->usual = since;
  return MP_LOSSES_MISTAKEN;
}

static bool is_heavy(const struct mp_losses *losses, uint64_t lost_bytes, uint64_t sent_bytes)
{
  return exceeds(lost_bytes, sent_bytes, HEAVY + losses->usual * 3 / 2);
}

static void note_share(struct mp_losses *losses, uint32_t share)
{
  if (share < losses->usual)
    losses->usual -= (losses->usual - share) / 16;
}

uint32_t mp_losses_share(uint64_t acked_bytes, uint64_t lost_bytes)
{
  return (uint32_t)(lost_bytes * WHOLE / (acked_bytes + lost_bytes));
}

enum mp_losses_verdict mp_losses_judge(struct mp_losses *losses, uint64_t acked_bytes,
                                       uint64_t lost_bytes, uint64_t passed_us)
{
  const uint64_t sent_bytes = acked_bytes + lost_bytes;
  const struct round round = {.sent_bytes = sent_bytes,
                              .lost_bytes = lost_bytes,
                              .share = mp_losses_share(acked_bytes, lost_bytes),
                              .sent_rate = sent_bytes * US_PER_S / passed_us,
                              .rate = acked_bytes * US_PER_S / passed_us};
  enum mp_losses_verdict verdict = MP_LOSSES_CHANCE;
  if (losses->rounds > 0) {
    verdict = judge_taken(losses, &round);
  } else if (is_heavy(losses, lost_bytes, sent_bytes)) {
    begin(losses, &round);
    verdict = MP_LOSSES_HEAVY;
  }
  note_share(losses, round.share);
  return verdict;
}

bool mp_losses_are_heavy(struct mp_losses *losses, uint64_t acked_bytes, uint64_t lost_bytes)
{
  const bool are_heavy = is_heavy(losses, lost_bytes, acked_bytes + lost_bytes);
  note_share(losses, mp_losses_share(acked_bytes, lost_bytes));
  return are_heavy;
}
