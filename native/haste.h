/* Which flows would rather miss a packet than wait for it.
 *
 * What is lost and sent again comes a round trip later, and order keeps all that follows as late. A flow
 * that cuts its window for each loss is well served. One that looks at the rate of what arrives and at
 * the least round trip, as BBR does, is not: it does not mind the loss, and keeps no more under way than
 * fits into two of the round trips that it has when nothing is lost. Where one packet in 50 is lost nearly
 * every packet waits for a repair, and the flow starves. For such a flow the far end waits only briefly
 * (MP_FLOW_BRIEF); the repair is delivered when it comes.
 *
 * Who is of that kind shows in what it sends. It paces, so that what was kept back comes out evenly
 * though acknowledgements come in lumps; others answer a lump with a lump. Of what BBR sends in a second
 * after its start nothing is ahead of one and a half times its rate, of CUBIC's a tenth to nine tenths
 * (links of 15 to 100 Mbit/s with 35 to 60 ms, jitter of 8 to 25 and 1 or 2 % loss).
 *
 * But CUBIC may be paced as well, by its system or by a link before the tunnel. As long as it sees no
 * loss it grows until the paths are full: haste is a trial, for those that do not grow though they have
 * room, and goes on where it brings more or the paths are full. From the eighth to the 30th second BBR gets,
 * of what is possible (the medians of twelve seeds; paced CUBIC of six):
 *
 *                                                     with this   without   tried for all that are even
 *   20 @50±20 and 15 @60±25 ms, 2 % loss                   77 %        61    86
 *   40 @35 and 100 @50±25 ms, 1 % loss                     68 %        54    70
 *   the first, paced CUBIC                                 79 %        79    22
 *
 * A leaf, O(1) a packet. */
#ifndef MP_HASTE_H
#define MP_HASTE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: of a flow that is not known yet. */
struct mp_haste {
  bool is_hasty;
  uint8_t spans;         /* hasty: of the trial, since it was last judged; else in a row without growth */
  uint8_t strikes;       /* hasty: in a row it was found of no use */
  uint8_t mistakes;      /* trials that failed */
  uint32_t credit_bytes; /* what it may send before it is ahead of its rate */
  uint32_t rate;         /* bytes a second: hasty: the most so far, else of the first in the row */
  uint64_t seen_us;      /* its last packet */
  uint64_t next_us;      /* no trial before */
  uint64_t since_us;     /* when the latest span began */
  struct mp_haste_span {
    uint32_t us, octets, ahead_octets, queued_us;
  } latest, trial;       /* the trial since it was last judged, without the latest span */
};

struct mp_haste_sight {
  uint64_t now_us;
  uint32_t octets;        /* of the packet */
  uint32_t recent_octets; /* of its flow, within a second */
  bool waits;             /* something of it: it sends more than the paths carry */
  uint32_t repair_us;     /* what is lost comes so much later; 0: nothing was lost lately */
};

/* Call for each packet of a flow that is put in order and sent again. Returns whether its far end shall
 * wait but briefly for what is missing before this packet. */
bool mp_haste_see(struct mp_haste *haste, const struct mp_haste_sight *sight);

#endif
