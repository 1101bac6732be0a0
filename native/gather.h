/* Gathers the acknowledgements of a flow, so that its sender keeps more under way.
 *
 * BBR keeps as much under way as fits into twice the least round trip that it has seen, and as much more as
 * acknowledgements have brought at once of late, beyond its rate: of the last five to ten round trips the
 * most, and up to what it sends in 100 ms (tcp_bbr.c, bbr_update_ack_aggregation). The first is that of the
 * quickest path for ten seconds, which is too little to fill one that is much farther as well (stretch.h).
 * The second is in our hand. Its acknowledgements wait on their way in, for as long as twice the round trip
 * falls short of the far path's, and then come at once; as often as BBR forgets. After the first time the
 * flow takes the far path, and all its packets are as late as that one's.
 *
 * Each time costs what it falls short by, when the sender may send no more: there must be few. BBR forgets
 * by turns: with each fifth round trip since the connection began it forgets what came in the five before
 * the last five. They begin to wait with the acknowledgement that begins such a round trip: all that they
 * bring comes within it, and is kept for ten. From the third to the 16th second BBR gets 84 Mbit/s of 50 with
 * 20 ms and 50 with 120, and 63 without any of this (the means of twelve starts, 82 and 56 at least). A flow
 * that gains nothing by it is left alone.
 *
 * A path that falls short by little is taken by itself, but not filled: of 20 Mbit/s with 10 ms and 20
 * with 40 BBR gets 36.4 Mbit/s from the third to the 16th second when they are gathered for it, and 34.6
 * without (the means of six starts).
 *
 * Nothing but acknowledgements waits: what brings data, or tells of a gap, takes all that waits with it. One
 * flow of a peer at a time. A leaf, O(1) a packet. */
#ifndef MP_GATHER_H
#define MP_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "ack.h"
#include "pool.h"

/* The round trips of a flow since it began, as BBR counts them (bbr_update_bw): each ends with what was sent
 * after its first acknowledgement. All zero: none. */
struct mp_gather_turns {
  uint32_t count;
  uint32_t end; /* the sequence number behind what was sent before the present one */
};

/* All zero: none. Read it, change it by the functions. Every packet asks for what stands first. */
struct mp_gather {
  bool is_on;
  bool reaches;         /* on: they have been gathered once, and it takes the far path */
  uint16_t bucket;      /* of the flow, or of the one that is watched */
  uint64_t until_us;    /* acknowledgements that come before wait until then */
  struct mp_packet *oldest, *youngest;
  uint64_t rate;        /* bytes a second that it sent before */
  uint64_t since_us;    /* since it reaches; before, since it fills the quickest; 0: not */
  uint64_t judge_us;    /* on: when it must have gained; 0: it has */
  uint64_t next_us;     /* none begins before */
  uint64_t over_us;     /* on: when BBR measures anew */
  uint32_t due_turn;    /* on: its acknowledgements are gathered again when this round trip begins */
  uint32_t wait_us;     /* and wait for so long; 0: are not */
  uint64_t seen_us;     /* on: when its flow last sent */
  struct {
    uint64_t since_us, octets, rate;
  } slot;
  uint8_t key[MP_ACK_KEY_BYTES]; /* of an acknowledgement of the flow */
  uint32_t waiting;
};

/* What its scheduler knows when a packet comes. */
struct mp_gather_sight {
  uint64_t now_us;
  uint16_t bucket;
  uint32_t octets;        /* of payload, in the packet */
  uint32_t recent_octets; /* of its flow, within a second */
  uint64_t age_us;        /* of the flow */
  uint32_t turns;         /* its round trips */
  bool is_backlogged;     /* the flow sends more than leaves */
  uint64_t rate;          /* of the quickest path, bytes a second; 0: unknown */
  uint32_t rtt_us;        /* of the quickest path */
  uint32_t farther_us;    /* than that: the path that it should take, or takes; 0: none */
  bool is_used;           /* it takes that one by itself */
  bool is_paced;          /* the flow, by its sender */
  const uint8_t *packet;
  uint32_t length;
};

enum mp_gather_advice {
  MP_GATHER_AS_IT_IS,
  MP_GATHER_REACH, /* the flow should take the far path from now on */
  MP_GATHER_LEAVE, /* and no longer */
};

/* Whether a flow of this age that sends so much matters. */
bool mp_gather_asks(const struct mp_gather *gather, uint32_t recent_octets, uint64_t age_us,
                    uint64_t rate);

/* Call for each packet of TCP with data for whose flow it matters. */
enum mp_gather_advice mp_gather_see(struct mp_gather *gather, const struct mp_gather_sight *sight);

/* Call for each SYN: the sequence number behind it. */
void mp_gather_opened(struct mp_gather_turns *turns, uint32_t end);

/* Call for each acknowledgement that comes, by its number, before it may wait; `sent_to` is the sequence
 * number behind what its flow has sent. */
void mp_gather_came(struct mp_gather *gather, uint16_t bucket, const struct mp_gather_turns *turns,
                    uint32_t number, uint32_t sent_to, uint64_t now_us);

/* Call for each that is handed on. */
void mp_gather_passed(struct mp_gather_turns *turns, uint32_t number, uint32_t sent_to);

/* The flow takes the far path no more, or never did. */
void mp_gather_stop(struct mp_gather *gather, uint64_t now_us);

/* Takes a packet over, or a copy of it, that is to wait: false when it is not. */
bool mp_gather_put(struct mp_gather *gather, struct mp_pool *pool, struct mp_packet *packet,
                   uint64_t now_us);

/* Gives one that has waited long enough back; NULL: none has. */
struct mp_packet *mp_gather_take(struct mp_gather *gather, uint64_t now_us);

/* Whether nothing waits, nor would if it came now. */
static inline bool mp_gather_is_idle(const struct mp_gather *gather, uint64_t now_us)
{
  return now_us >= gather->until_us && !gather->oldest;
}

/* When those that wait have waited long enough; UINT64_MAX: none waits. */
static inline uint64_t mp_gather_due(const struct mp_gather *gather)
{
  return gather->oldest ? gather->until_us : UINT64_MAX;
}

#endif
