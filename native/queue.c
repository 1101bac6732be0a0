#include <stdlib.h>
#include <string.h>

#include "queue_inside.h"

/* Octets of a turn: an Ethernet frame, so that a large packet costs as much as several small ones
 * (RFC 8290 section 5.2.4). Nobody feels turns of a super-packet where they are over in 100 us, and
 * packets of a flow that go together cost both ends half: four TCP streams over an unlimited path take 2.2 s
 * of CPU a GB, and 4.5 with turns of a frame. */
#define QUANTUM_BYTES 1514u
#define QUANTUM_BYTES_MOST 65536u
#define TURN_US 100u

#define LIMIT_BYTES (4u << 20)

/* For what has no ECN and no TCP to send it again. The interval is longer than the tunnel's own bursts;
 * half a second is what the receiver of a live stream can be expected to hold. */
static const struct mp_queue_law PATIENT = {20000, 300000};
#define LATE_US 500000u
/* Whoever asked has asked again by then (RFC 9002 section 6.2), and who plays a stream has gone on. What
 * gathers while no path works would hold up all that comes after it: 3 Mbit/s whose only link, of 4, is
 * gone for ten seconds are on time again 9 s after its return, and 23 s if all of it still went. */
#define STALE_US 3000000u

static uint16_t ring_of(unsigned class, enum age age)
{
  return (uint16_t)(MP_TURNS_BEGIN + 2 * class + (age == OLD));
}
_Static_assert(MP_TURNS_RINGS == 2 * MP_QUEUE_CLASSES, "a ring of new and one of old buckets each");

struct mp_queue *mp_queue_open(struct mp_loads *loads)
{
  struct mp_queue *queue = aligned_alloc(_Alignof(struct mp_queue), sizeof *queue);
  if (!queue)
    return NULL;
  memset(queue, 0, sizeof *queue);
  queue->loads = loads;
  queue->limit_bytes = LIMIT_BYTES;
  queue->impatient_limit_bytes = LIMIT_BYTES_MOST;
  queue->quantum_bytes = (int32_t)QUANTUM_BYTES;
  queue->lanes[MP_QUEUE_NARROW].law = (struct mp_queue_law){5000, 100000}; /* RFC 8290 section 5.2 */
  queue->lanes[MP_QUEUE_WIDE].law = (struct mp_queue_law){20000, 300000};
  mp_turns_open(&queue->turns);
  return queue;
}

/* Takes the turn away. */
static void rest(struct mp_queue *queue, struct bucket *bucket, uint16_t at)
{
  mp_turns_remove(&queue->turns, at);
  bucket->age = IDLE;
}

/* Last in the ring of its class and this age, wherever it was. */
static void line_up(struct mp_queue *queue, struct bucket *bucket, uint16_t at, enum age age)
{
  if (bucket->age != IDLE)
    rest(queue, bucket, at);
  mp_turns_append(&queue->turns, ring_of(bucket->class, age), at);
  bucket->age = (uint8_t)age;
}

/* A class where nothing waits forgets whose turn it was, as it would if it were asked on and on: no
 * bucket stays old for want of others. */
static void settle(struct mp_queue *queue, unsigned class)
{
  if (queue->lanes[class].bytes > 0)
    return;
  for (enum age age = NEW; age <= OLD; age++) {
    const uint16_t ring = ring_of(class, age);
    for (uint16_t at; (at = mp_turns_first(&queue->turns, ring)) != ring;)
      rest(queue, bucket_of(queue, at), at);
  }
}

/* Takes packets of the first load off a bucket. Whether they were its last: then the queue has no use
 * for its reference any more. */
static bool take_off(struct mp_queue *queue, struct bucket *bucket, uint32_t count, uint32_t bytes)
{
  const struct mp_load *load = bucket->head;
  bucket->index = (uint16_t)(bucket->index + count);
  const bool is_last = bucket->index == load->segments.count;
  if (is_last) {
    bucket->head = load->next;
    bucket->index = 0;
  }
  bucket->bytes -= bytes;
  queue->lanes[bucket->class].bytes -= bytes;
  if (!load->patient)
    queue->impatient_bytes -= bytes;
  settle(queue, bucket->class);
  return is_last;
}

/* Hands out the first packet of a bucket that has one, with a reference. Returns its octets. */
static uint32_t pop(struct mp_queue *queue, struct bucket *bucket, struct mp_queued *packet)
{
  struct mp_load *load = bucket->head;
  const uint32_t bytes = mp_segments_length(&load->segments, bucket->index);
  *packet = (struct mp_queued){.load = load, .index = bucket->index, .count = 1};
  if (!take_off(queue, bucket, 1, bytes))
    mp_load_keep(load);
  return bytes;
}

void mp_queue_drop(struct mp_queue *queue, struct bucket *bucket)
{
  struct mp_queued packet;
  pop(queue, bucket, &packet);
  mp_load_drop(queue->loads, packet.load);
}

void mp_queue_close(struct mp_queue *queue)
{
  if (!queue)
    return;
  for (uint32_t n = 0; n < queue->buckets.count; n++) {
    struct bucket *bucket = mp_sparse_nth(&queue->buckets, n, sizeof *bucket);
    while (bucket->head)
      mp_queue_drop(queue, bucket);
  }
  mp_sparse_close(&queue->buckets);
  free(queue);
}

void mp_queue_tune(struct mp_queue *queue, enum mp_queue_class class, struct mp_queue_law law)
{
  queue->lanes[class].law = law;
}

void mp_queue_rate(struct mp_queue *queue, uint64_t bytes_per_s)
{
  const uint64_t quantum = bytes_per_s / (1000000 / TURN_US);
  queue->quantum_bytes = quantum > QUANTUM_BYTES_MOST ? (int32_t)QUANTUM_BYTES_MOST
                         : quantum > QUANTUM_BYTES    ? (int32_t)quantum
                                                      : (int32_t)QUANTUM_BYTES;
}

static uint32_t packets_bytes(const struct mp_segments *segments)
{
  return segments->count * segments->header_bytes + segments->payload_bytes;
}

void mp_queue_put(struct mp_queue *queue, struct mp_load *load, enum mp_queue_class class,
                  uint64_t now_us)
{
  const uint16_t at = mp_flow_bucket(load->flow);
  struct bucket *bucket = mp_sparse_use(&queue->buckets, at, sizeof *bucket);
  const uint32_t bytes = packets_bytes(&load->segments);
  const bool is_patient = load->patient;
  if (!bucket) {
    queue->stats.dropped_overflow += load->segments.count;
    mp_load_drop(queue->loads, load);
    return;
  }
  load->since_us = now_us;
  load->next = NULL;
  if (bucket->head) {
    bucket->tail->next = load;
  } else {
    mp_queue_move(queue, at, class);
    bucket->head = load;
  }
  bucket->tail = load;
  bucket->bytes += bytes;
  queue->lanes[bucket->class].bytes += bytes;
  if (!is_patient)
    queue->impatient_bytes += bytes;
  if (bucket->age == IDLE) {
    bucket->deficit = queue->quantum_bytes;
    line_up(queue, bucket, at, NEW);
  }
  if (mp_queue_bytes(queue) > queue->limit_bytes ||
      (!is_patient && queue->impatient_bytes > queue->impatient_limit_bytes))
    mp_queue_overflow(queue, !is_patient);
}

/* Whether CoDel takes a packet of this load, the last that was handed out, for a signal. Where flows are
 * narrow its interval is as short as the round trip of a path, and an answer may take longer. */
static bool is_signal(struct mp_queue *queue, struct bucket *bucket, const struct mp_load *load,
                      uint64_t now_us)
{
  const struct mp_queue_law *law = &queue->lanes[bucket->class].law;
  const uint64_t waited_us = now_us > load->since_us ? now_us - load->since_us : 0;
  if (load->patient)
    return waited_us >= STALE_US || mp_codel_judge_patiently(&bucket->codel, &PATIENT, LATE_US, waited_us,
                                                             bucket->bytes, now_us);
  if (bucket->class == MP_QUEUE_WIDE && !load->ecn_capable)
    return mp_codel_judge_sparingly(&bucket->codel, law, waited_us, bucket->bytes, now_us);
  return mp_codel_judge(&bucket->codel, law, waited_us, bucket->bytes, now_us);
}

/* Whether a packet that was handed out may go; otherwise it is dropped. */
static bool passes(struct mp_queue *queue, struct bucket *bucket, uint64_t now_us,
                   struct mp_queued *packet)
{
  if (!is_signal(queue, bucket, packet->load, now_us))
    return true;
  if (packet->load->ecn_capable) {
    queue->stats.marked++;
    packet->congested = true;
    return true;
  }
  queue->stats.dropped_delay++;
  mp_load_drop(queue->loads, packet->load);
  return false;
}

/* RFC 8290 section 4.2. A new bucket that ran empty goes once through the old ones before it can be
 * new again: otherwise it could keep them waiting forever, with a packet at a time. */
static inline uint16_t turn_of(struct mp_queue *queue, enum mp_queue_class class)
{
  const uint16_t new = ring_of(class, NEW), old = ring_of(class, OLD);
  for (;;) {
    const bool is_new = mp_turns_first(&queue->turns, new) != new;
    const uint16_t at = mp_turns_first(&queue->turns, is_new ? new : old);
    struct bucket *bucket = bucket_of(queue, at);
    if (bucket->deficit <= 0) {
      bucket->deficit += queue->quantum_bytes;
      line_up(queue, bucket, at, OLD);
    } else if (bucket->head) {
      return at;
    } else if (is_new) {
      line_up(queue, bucket, at, OLD);
    } else {
      rest(queue, bucket, at);
    }
  }
}

uint16_t mp_queue_turn(struct mp_queue *queue, enum mp_queue_class class)
{
  return turn_of(queue, class);
}

bool mp_queue_take(struct mp_queue *queue, enum mp_queue_class class, uint64_t now_us,
                   struct mp_queued *packet)
{
  while (queue->lanes[class].bytes > 0) {
    struct bucket *bucket = bucket_of(queue, turn_of(queue, class));
    const uint32_t bytes = pop(queue, bucket, packet);
    if (passes(queue, bucket, now_us, packet)) {
      bucket->deficit -= (int32_t)bytes;
      return true;
    }
  }
  return false;
}

static uint32_t lesser(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* What came together has waited as long: where one passed without a signal, CoDel has nothing to say
 * of the next ones before time goes on. The last tells it what is left. */
void mp_queue_take_more(struct mp_queue *queue, struct mp_queued *packets, uint32_t most,
                        uint64_t now_us)
{
  if (most == 0 || packets->congested)
    return;
  struct mp_load *load = packets->load;
  struct bucket *bucket = bucket_of(queue, mp_flow_bucket(load->flow));
  if (bucket->head != load || bucket->deficit <= 0)
    return;
  const uint32_t each = mp_segments_length(&load->segments, packets->index);
  const uint32_t alike = mp_segments_alike(&load->segments, packets->index) - packets->count;
  const uint32_t turn = ((uint32_t)bucket->deficit + each - 1) / each;
  const uint32_t more = lesser(most, lesser(alike, turn));
  if (more == 0)
    return;
  packets->count = (uint16_t)(packets->count + more);
  bucket->deficit -= (int32_t)(more * each);
  if (take_off(queue, bucket, more, more * each))
    mp_load_drop(queue->loads, load);
  (void)is_signal(queue, bucket, load, now_us);
}

bool mp_queue_waits(const struct mp_queue *queue, enum mp_queue_class class)
{
  return queue->lanes[class].bytes > 0;
}

bool mp_queue_holds(const struct mp_queue *queue, uint16_t at)
{
  const struct bucket *bucket = bucket_of(queue, at);
  return bucket && bucket->head;
}

enum mp_queue_class mp_queue_class_of(const struct mp_queue *queue, uint16_t at)
{
  const struct bucket *bucket = bucket_of(queue, at);
  return bucket ? bucket->class : MP_QUEUE_NARROW;
}

uint64_t mp_queue_since(const struct mp_queue *queue, uint16_t at)
{
  const struct bucket *bucket = bucket_of(queue, at);
  return bucket && bucket->head ? bucket->head->since_us : 0;
}

/* Who moves keeps his age, and stands last among his like. An empty one has his turn among the old
 * of the other class, then: no packet buys a new start by being of another. */
void mp_queue_move(struct mp_queue *queue, uint16_t at, enum mp_queue_class class)
{
  struct bucket *bucket = bucket_of(queue, at);
  const unsigned before = bucket ? bucket->class : class;
  if (before == class)
    return;
  const enum age age = bucket->age;
  if (age != IDLE)
    rest(queue, bucket, at);
  bucket->class = (uint8_t)class;
  if (age != IDLE)
    line_up(queue, bucket, at, bucket->head ? age : OLD);
  queue->lanes[before].bytes -= bucket->bytes;
  queue->lanes[class].bytes += bucket->bytes;
  settle(queue, before);
  settle(queue, class);
}

uint64_t mp_queue_bytes(const struct mp_queue *queue)
{
  uint64_t bytes = 0;
  for (unsigned class = 0; class < MP_QUEUE_CLASSES; class++)
    bytes += queue->lanes[class].bytes;
  return bytes;
}

uint64_t mp_queue_oldest_us(const struct mp_queue *queue)
{
  uint64_t oldest_us = UINT64_MAX;
  MP_FOR_EACH_TURN(&queue->turns, at) {
    const struct mp_load *head = bucket_of(queue, at)->head;
    if (head && head->since_us < oldest_us)
      oldest_us = head->since_us;
  }
  return oldest_us < UINT64_MAX ? oldest_us : 0;
}

const struct mp_queue_stats *mp_queue_stats(const struct mp_queue *queue)
{
  return &queue->stats;
}
