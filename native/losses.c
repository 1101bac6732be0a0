#include "losses.h"

#define HEAVY 3277u /* 5 % */
#define ROUNDS 3u   /* the first still shows what was under way before, the second half of it */

enum mp_losses_verdict mp_losses_judge(struct mp_losses *losses, uint64_t acked_bytes,
                                       uint64_t lost_bytes)
{
  const uint32_t share = (uint32_t)(lost_bytes * 65536 / (acked_bytes + lost_bytes));
  enum mp_losses_verdict verdict = MP_LOSSES_CHANCE;
  if (losses->rounds > 0) {
    if (--losses->rounds == 0 && share > losses->blamed / 2) {
      losses->usual = share > losses->blamed ? share : losses->blamed;
      verdict = MP_LOSSES_MISTAKEN;
    }
  } else if (share > HEAVY + losses->usual * 3 / 2) {
    losses->blamed = share;
    losses->rounds = ROUNDS;
    verdict = MP_LOSSES_HEAVY;
  }
  if (share < losses->usual)
    losses->usual -= (losses->usual - share) / 16;
  return verdict;
}
