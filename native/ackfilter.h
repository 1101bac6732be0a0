/* Thins the acknowledgements of TCP flows in slow start.
 *
 * HyStart ends slow start where the least delay of eight samples in a round trip is an eighth above the
 * least of all (RFC 9406 section 4.2; Linux' tcp_cubic.c: HYSTART_MIN_SAMPLES, HYSTART_DELAY_THRESH):
 * so much longer is a queue that begins to stand. Of a bond it is not. A stream in order is as late as the
 * farthest path that it takes and as the unluckiest packet, and CUBIC grows by a twentieth in a round trip
 * from then on. Its sender's tunnel knows better: nothing waits there while paths have room. Until
 * something does it hands on less than eight acknowledgements in a round trip, each for all before it
 * (RFC 3449 section 5.2.1: ACK filtering). A round trip is what its sender takes for one, however long a
 * queue makes it: it ends with what was sent in the next.
 *
 * Only while the flow grows, and from the size on where HyStart looks: who counts acknowledgements
 * and not what they say (RFC 3465, L = 2) would grow more slowly for it, and is let alone when it does. So
 * is who paces what he sends, as BBR does, which has no HyStart: CUBIC answers each acknowledgement at
 * once, and is silent until the next one.
 *
 * A leaf, O(streams) an acknowledgement. */
#ifndef MP_ACKFILTER_H
#define MP_ACKFILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "ack.h"
#include "pool.h"

#define MP_ACKFILTER_STREAMS 16u
/* IPv6, and TCP with all its options. Longer packets need not be shown. */
#define MP_ACKFILTER_MOST_BYTES 100u

/* In the order of use: of one whose acknowledgements pass, each looks at no more than a line of the cache. */
struct mp_ackfilter_stream {
  struct mp_packet *held; /* NULL: none */
  uint64_t seen_us;
  uint8_t key[MP_ACK_KEY_BYTES];
  bool is_over;    /* its acknowledgements pass */
  bool is_large;   /* HyStart looks */
  uint8_t strikes; /* round trips in a row in which it did not grow */
  uint8_t paced;   /* acknowledgements in a row that were not answered at once */
  uint8_t prompt;  /* and that were */
  uint32_t began;  /* acknowledged when it was seen first */
  uint32_t ack;    /* the newest */
  uint32_t passed; /* the newest that was handed on */
  uint32_t sent_to;
  uint32_t turn_us; /* of the round trip before this */
  uint64_t passed_us, judged_us;
  struct {         /* the present round trip */
    uint64_t since_us;
    uint32_t to;     /* it is over when more is acknowledged */
    uint32_t octets; /* under way when it began */
    uint8_t count;   /* handed on in it */
  } round;
  uint64_t due_us;
};

/* All zero: nothing known. */
struct mp_ackfilter {
  struct mp_ackfilter_stream streams[MP_ACKFILTER_STREAMS];
  uint64_t paced_us;  /* when a stream was last found to be of one who paces; 0: never */
  uint64_t prompt_us; /* and of one who does not */
  uint64_t thinned;   /* given back */
  unsigned held;      /* it and the one before are asked for with what their owner has behind them */
};

struct mp_ackfilter_sight {
  uint64_t now_us;
  uint32_t rtt_us;  /* of the farthest path in use */
  uint64_t sent_us; /* when the flow that is acknowledged last sent something */
  uint32_t sent_to; /* the sequence number after the last octet of it */
};

/* Whether who is acknowledged so was seen to pace what he sends. */
bool mp_ackfilter_paces(const struct mp_ackfilter *filter, const uint8_t key[MP_ACK_KEY_BYTES]);

/* Shows an acknowledgement that is about to be handed to the host. True: it waits, and what it makes
 * superfluous is given back. False: to be handed on. */
bool mp_ackfilter_take(struct mp_ackfilter *filter, struct mp_pool *pool, struct mp_packet *packet,
                       const struct mp_ack *ack, const struct mp_ackfilter_sight *sight);

/* What waits is due, and no stream's acknowledgements wait from now on: the flows fill the paths. */
void mp_ackfilter_end(struct mp_ackfilter *filter, uint64_t now_us);

/* One that has waited long enough, which is the caller's then; NULL: none has. */
struct mp_packet *mp_ackfilter_release(struct mp_ackfilter *filter, uint64_t now_us);

/* When the next one has; UINT64_MAX: nothing waits. */
uint64_t mp_ackfilter_due(const struct mp_ackfilter *filter);

#endif
