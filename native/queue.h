/* The ingress queue of one peer, between the TUN and the paths: the only place where a packet is
 * dropped on purpose. FQ-CoDel (RFC 8290) over the flow buckets, with ECN (RFC 3168).
 *
 * Loads go in, packets come out, one by one or those of a load in runs. Each bucket is of one class at
 * a time: narrow ones wait for the quickest path, wide ones take any path with room; whoever takes
 * packets says which of the two he can carry, and within a class buckets take turns by deficit round
 * robin with new ones first.
 *
 * A bulk flow behind a tunnel that reorders and sends again makes bursts of 30 to 70 ms that are no
 * standing queue: wide buckets are judged by a longer interval and a higher target than narrow ones.
 * Loads that are `patient` have a law of their own, whatever their class (codel.h).
 *
 * O(1) a packet, but for the overflow, which is O(buckets in use) for many packets at once. */
#ifndef MP_QUEUE_H
#define MP_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "codel.h"
#include "contract.h"
#include "load.h"

enum mp_queue_class { MP_QUEUE_NARROW, MP_QUEUE_WIDE, MP_QUEUE_CLASSES };

struct mp_queue_stats {
  uint64_t dropped_delay;    /* packets, by CoDel */
  uint64_t dropped_overflow; /* packets, for lack of room */
  uint64_t marked;           /* packets, instead of a drop */
};

/* Packets on their way out: `count` of the load's segments from `index` on, all of one length. The
 * holder has one reference. */
struct mp_queued {
  struct mp_load *load;
  uint16_t index, count;
  bool congested; /* to be marked CE; of a single one */
};

struct mp_queue;

/* NULL when memory is gone. `loads` outlives the queue. */
struct mp_queue *mp_queue_open(struct mp_loads *loads);

/* Drops what waits. NULL is allowed. */
void mp_queue_close(struct mp_queue *queue);

/* The law of a class, and how many octets of packets may wait in all classes together, 2 GiB at most.
 * Unless told otherwise: 5 ms in 100 ms for narrow, 20 ms in 300 ms for wide, 4 MiB. */
void mp_queue_tune(struct mp_queue *queue, enum mp_queue_class class, struct mp_queue_law law);
void mp_queue_limit(struct mp_queue *queue, uint64_t limit_bytes);

/* How many octets of loads that are not patient may wait, looked at when the next such load comes: of their
 * buckets the one with most is shed. Unless told otherwise: no limit of their own. */
void mp_queue_limit_impatient(struct mp_queue *queue, uint64_t limit_bytes);

/* What leaves the queue together, as far as is known: how long turns are. */
void mp_queue_rate(struct mp_queue *queue, uint64_t bytes_per_s);

/* Takes the reference over, and load->next until the last packet left; load->since_us becomes now_us,
 * from where CoDel counts. The bucket is that of load->flow; where there is no memory for
 * it the load is lost. An empty bucket takes this class; one where something waits keeps its own.
 *
 * While more waits than the limit, packets are shed. */
void mp_queue_put(struct mp_queue *queue, struct mp_load *load, enum mp_queue_class class,
                  uint64_t now_us);

/* The bucket with most octets loses packets from its head, half its octets or 64 packets (RFC 8290 section
 * 4.1). No mark takes the place of these drops. Returns how many; 0: nothing waits. */
uint32_t mp_queue_shed(struct mp_queue *queue);

/* The next packet of the class, after CoDel has had its say; mp_segments_length knows its octets.
 * False when none waits. */
bool mp_queue_take(struct mp_queue *queue, enum mp_queue_class class, uint64_t now_us,
                   struct mp_queued *packet);

/* The bucket whose turn it is in a class where something waits: the next packet is of it, unless CoDel takes
 * all that it has. */
uint16_t mp_queue_turn(struct mp_queue *queue, enum mp_queue_class class);

/* Adds to what was just taken, now, up to `most` packets of the same turn that would be taken next
 * anyway, as far as they are of the same load, of the same length and not marked. */
void mp_queue_take_more(struct mp_queue *queue, struct mp_queued *packets, uint32_t most,
                        uint64_t now_us);

/* Whether a packet of this class waits, or of this bucket. */
bool mp_queue_waits(const struct mp_queue *queue, enum mp_queue_class class);
bool mp_queue_holds(const struct mp_queue *queue, uint16_t bucket);

/* What waits in a bucket: of which class it is (meaningless when empty), and since when its oldest
 * packet does (0: none). Moves it to another class, with all that waits and what CoDel knows of it. */
enum mp_queue_class mp_queue_class_of(const struct mp_queue *queue, uint16_t bucket);
uint64_t mp_queue_since(const struct mp_queue *queue, uint16_t bucket);
void mp_queue_move(struct mp_queue *queue, uint16_t bucket, enum mp_queue_class class);

/* Octets of packets that wait, and since when the oldest of all buckets' heads does (0: none);
 * the latter is O(buckets in use). */
uint64_t mp_queue_bytes(const struct mp_queue *queue);
uint64_t mp_queue_oldest_us(const struct mp_queue *queue);

const struct mp_queue_stats *mp_queue_stats(const struct mp_queue *queue);

#endif
