#include "gather.h"

#include <string.h>

#include "rate.h"

#define US_PER_S 1000000u

/* Who has sent nearly all that the quickest path carries for so long has ended its slow start there, or
 * something of it would wait. */
#define FILLING_US 300000u
#define SLOT_US 200000u
/* Held acknowledgements look like a queue to HyStart: CUBIC would end its slow start by them, and gets 72 of
 * 132 Mbit/s where the quickest path's round trip is as long as this. Who paces ends it by his rate alone. Of
 * the links of gather.h BBR gets 84.3 Mbit/s from the third to the 16th second so, and 82.4 when it is asked
 * for as much (the means of twelve starts; 82.3 and 78.5 at least). */
#define PACED_FILLING_US 100000u
#define PACED_SLOT_US 100000u
/* BBR measures anew after ten seconds. In what is left when one is eight seconds old, nothing is won. */
#define YOUNG_US 8000000u
#define LASTING_US 10000000u

/* BBR takes no more than it sends in so long for acknowledgements that came at once
 * (bbr_extra_acked_max_us). */
#define MOST_GATHERED_US 100000u
/* The rate grows until they are gathered again, and then they must be enough for it. */
#define gathered_of(short_us) ((short_us) * 5 / 3)
#define MOST_SHORT_US (MOST_GATHERED_US * 4 / 5)
/* Less is what runs of packets add to a round trip. Beside 10 Mbit/s with 10 ms a path of 3 with 60 falls
 * short by 30: 11.5 Mbit/s from the third to the 16th second so, and 10.9 where such are left to what goes
 * there now and then (stretch.h; the means of six starts, 11.3 and 10.7 at least). */
#define LEAST_SHORT_US 5000u
/* BBR keeps the most of a slot of so many round trips, and of the one before (bbr_extra_acked_win_rtts). */
#define SLOT_TURNS 5u
/* A queue makes a round trip longer. */
#define QUEUE_US 20000u

/* Within a second it must have sent more by then than the quickest path carries. BBR looks for more in one of
 * eight round trips, by a fifteenth each time: after two of them it shows, or the path brings less than it
 * costs. Judged once, after four seconds, a flow may just be draining what it has sent too much: of the links
 * of gather.h BBR gets 73.7 Mbit/s from the third to the 16th second so, and 71.5 with that (the means of 12
 * starts; 67.8 and 64.2 at least). */
#define SHOWN_US US_PER_S
#define JUDGE_TURNS 16u
/* Whose flow sends nothing for so long, or is of no interest any more, makes room for another. */
#define QUIET_US US_PER_S
#define PAUSE_US (60u * US_PER_S)

/* What a receiver that acknowledges each second packet sends of 200 Mbit/s meanwhile. */
#define MOST_WAITING 1024u

/* ---- Whose, and when ---- */

bool mp_gather_asks(const struct mp_gather *gather, uint32_t recent_octets, uint64_t age_us,
                    uint64_t rate)
{
  return age_us < LASTING_US && (gather->is_on || (rate > 0 && recent_octets >= rate / 2));
}

void mp_gather_stop(struct mp_gather *gather, uint64_t now_us)
{
  gather->is_on = gather->reaches = false;
  gather->since_us = gather->next_us = 0;
  if (gather->until_us > now_us)
    gather->until_us = now_us;
}

static void count(struct mp_gather *gather, const struct mp_gather_sight *sight)
{
  gather->slot.octets += sight->octets;
  const uint64_t passed_us = sight->now_us - gather->slot.since_us;
  if (passed_us < (sight->is_paced ? PACED_SLOT_US : SLOT_US))
    return;
  gather->slot.rate = gather->slot.octets * US_PER_S / passed_us;
  gather->slot.since_us = sight->now_us;
  gather->slot.octets = 0;
}

/* How much less twice the round trip is than that of the far path. */
static uint32_t short_us(const struct mp_gather_sight *sight)
{
  return sight->farther_us > sight->rtt_us ? sight->farther_us - sight->rtt_us : 0;
}

static uint64_t turns_us(const struct mp_gather_sight *sight, uint32_t turns)
{
  return (uint64_t)turns * (sight->rtt_us + sight->farther_us + QUEUE_US);
}

static uint32_t wait_us(const struct mp_gather_sight *sight)
{
  const uint32_t gathered_us = gathered_of(short_us(sight));
  return gathered_us < MOST_GATHERED_US ? gathered_us : MOST_GATHERED_US;
}

/* What they bring in the present round trip is forgotten with the slot after the next. */
static void hold(struct mp_gather *gather, uint32_t turn, uint64_t now_us)
{
  gather->until_us = now_us + gather->wait_us;
  gather->due_turn = (turn / SLOT_TURNS + 2) * SLOT_TURNS;
}

static enum mp_gather_advice begin(struct mp_gather *gather, const struct mp_gather_sight *sight)
{
  const bool fills = mp_rate_is_nearly(gather->slot.rate, sight->rate) && !sight->is_backlogged &&
                     short_us(sight) >= LEAST_SHORT_US && short_us(sight) <= MOST_SHORT_US &&
                     sight->age_us < YOUNG_US;
  if (!fills) {
    gather->since_us = 0;
    return MP_GATHER_AS_IT_IS;
  }
  if (gather->since_us == 0)
    gather->since_us = sight->now_us;
  if (sight->now_us - gather->since_us < (sight->is_paced ? PACED_FILLING_US : FILLING_US))
    return MP_GATHER_AS_IT_IS;
  if (!mp_ack_key(gather->key, sight->packet, sight->length, true))
    return MP_GATHER_AS_IT_IS;
  gather->is_on = true;
  gather->rate = gather->slot.rate;
  gather->over_us = sight->now_us - sight->age_us + LASTING_US;
  gather->wait_us = wait_us(sight);
  hold(gather, sight->turns, sight->now_us);
  return MP_GATHER_AS_IT_IS;
}

/* Not before it may keep more under way: else it sends half of what it did until then, and after ten round
 * trips BBR has forgotten that it was more. Of the links of gather.h it gets 71 Mbit/s the other way round,
 * and 73 so (the same 30 starts: 2.0 more on the mean, 1.2 either way). */
static enum mp_gather_advice reach(struct mp_gather *gather, const struct mp_gather_sight *sight)
{
  if (sight->now_us < gather->until_us)
    return MP_GATHER_AS_IT_IS;
  gather->reaches = true;
  gather->since_us = sight->now_us;
  gather->judge_us = sight->is_used ? 0 : sight->now_us + SHOWN_US + turns_us(sight, JUDGE_TURNS);
  return sight->is_used ? MP_GATHER_AS_IT_IS : MP_GATHER_REACH;
}

enum mp_gather_advice mp_gather_see(struct mp_gather *gather, const struct mp_gather_sight *sight)
{
  const uint64_t now_us = sight->now_us;
  if (gather->is_on && now_us - gather->seen_us >= QUIET_US)
    mp_gather_stop(gather, now_us);
  if (gather->bucket != sight->bucket) {
    if (gather->is_on || now_us < gather->next_us)
      return MP_GATHER_AS_IT_IS;
    gather->bucket = sight->bucket;
    gather->since_us = gather->slot.rate = gather->slot.octets = 0;
    gather->slot.since_us = now_us;
  }
  count(gather, sight);
  gather->seen_us = now_us;
  if (!gather->is_on)
    return now_us < gather->next_us ? MP_GATHER_AS_IT_IS : begin(gather, sight);
  if (!gather->reaches)
    return reach(gather, sight);
  if (sight->recent_octets > sight->rate && now_us >= gather->since_us + SHOWN_US)
    gather->judge_us = 0;
  if (gather->judge_us > 0 && now_us >= gather->judge_us && !sight->is_backlogged) {
    mp_gather_stop(gather, now_us);
    gather->next_us = now_us + PAUSE_US;
    return MP_GATHER_LEAVE;
  }
  /* BBR forgets as well while something of it waits here, and CUBIC keeps the paths full. Of the links of
   * gather.h CUBIC gets 92.3 Mbit/s from the third to the 16th second so, and 90.6 when it is not let alone
   * (the means of six starts). */
  gather->wait_us = sight->is_backlogged && !sight->is_paced ? 0 : wait_us(sight);
  return MP_GATHER_AS_IT_IS;
}

/* ---- Round trips ---- */

/* What is behind all that was sent is of another connection, whose SYN was not seen. */
static bool is_next(const struct mp_gather_turns *turns, uint32_t number, uint32_t sent_to)
{
  return (int32_t)(number - turns->end) > 0 || (int32_t)(turns->end - sent_to) > 0;
}

void mp_gather_opened(struct mp_gather_turns *turns, uint32_t end)
{
  *turns = (struct mp_gather_turns){.end = end};
}

void mp_gather_passed(struct mp_gather_turns *turns, uint32_t number, uint32_t sent_to)
{
  if (!is_next(turns, number, sent_to))
    return;
  turns->count++;
  turns->end = sent_to;
}

void mp_gather_came(struct mp_gather *gather, uint16_t bucket, const struct mp_gather_turns *turns,
                    uint32_t number, uint32_t sent_to, uint64_t now_us)
{
  const uint32_t turn = turns->count + 1;
  if (!gather->reaches || gather->bucket != bucket || now_us >= gather->over_us)
    return;
  if (turn >= gather->due_turn && gather->wait_us > 0 && is_next(turns, number, sent_to))
    hold(gather, turn, now_us);
}

/* ---- What waits ---- */

bool mp_gather_put(struct mp_gather *gather, struct mp_pool *pool, struct mp_packet *packet,
                   uint64_t now_us)
{
  if (mp_gather_is_idle(gather, now_us))
    return false;
  uint8_t key[MP_ACK_KEY_BYTES];
  struct mp_ack ack;
  if (!mp_ack_key(key, packet->bytes, packet->length, false) ||
      memcmp(key, gather->key, sizeof key) != 0)
    return false;
  const bool is_bare = mp_ack_read(&ack, packet->bytes, packet->length);
  if (!is_bare) /* where data comes all the time, nothing can be gathered */
    gather->over_us = now_us;
  if (!is_bare || !ack.is_plain || gather->waiting >= MOST_WAITING)
    gather->until_us = now_us;
  if (mp_gather_is_idle(gather, now_us))
    return false;
  struct mp_packet *kept = mp_pool_keep(pool, packet);
  if (!kept)
    return false;
  kept->next = NULL;
  *(gather->oldest ? &gather->youngest->next : &gather->oldest) = kept;
  gather->youngest = kept;
  gather->waiting++;
  return true;
}

struct mp_packet *mp_gather_take(struct mp_gather *gather, uint64_t now_us)
{
  struct mp_packet *packet = gather->oldest;
  if (!packet || now_us < gather->until_us)
    return NULL;
  gather->oldest = packet->next;
  gather->waiting--;
  return packet;
}
