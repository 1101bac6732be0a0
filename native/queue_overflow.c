/* The overflow of a queue: how much may wait, and what is lost when more does. */
#include "queue_inside.h"

/* Most packets that one bucket loses before another may have become the fattest. */
#define SHED_PACKETS 64u

static uint32_t shed(struct mp_queue *queue, struct bucket *bucket)
{
  const uint32_t kept_bytes = bucket->bytes - bucket->bytes / 2;
  uint32_t lost = 0;
  do {
    mp_queue_drop(queue, bucket);
    lost++;
  } while (lost < SHED_PACKETS && bucket->bytes > kept_bytes);
  mp_codel_press(&bucket->codel, lost);
  queue->stats.dropped_overflow += lost;
  return lost;
}

static struct bucket *find_fattest(const struct mp_queue *queue, bool is_patient_too)
{
  struct bucket *fattest = NULL;
  MP_FOR_EACH_TURN(&queue->turns, at) {
    struct bucket *bucket = bucket_of(queue, at);
    if (bucket->head && (is_patient_too || !bucket->head->patient) &&
        (!fattest || bucket->bytes > fattest->bytes))
      fattest = bucket;
  }
  return fattest;
}

uint32_t mp_queue_shed(struct mp_queue *queue)
{
  struct bucket *fattest = find_fattest(queue, true);
  return fattest ? shed(queue, fattest) : 0;
}

/* Makes room, while something waits. */
static void keep_limit(struct mp_queue *queue)
{
  while (mp_queue_bytes(queue) > queue->limit_bytes)
    (void)mp_queue_shed(queue);
}

/* The same among those whose loads are not patient; what is patient waits by a law of its own. */
static void keep_impatient(struct mp_queue *queue)
{
  while (queue->impatient_bytes > queue->impatient_limit_bytes) {
    struct bucket *fattest = find_fattest(queue, false);
    if (!fattest) /* they wait behind a patient one of the same bucket */
      return;
    (void)shed(queue, fattest);
  }
}

void mp_queue_overflow(struct mp_queue *queue, bool is_impatient)
{
  keep_limit(queue);
  if (is_impatient)
    keep_impatient(queue);
}

void mp_queue_limit(struct mp_queue *queue, uint64_t limit_bytes)
{
  queue->limit_bytes = limit_bytes < LIMIT_BYTES_MOST ? limit_bytes : LIMIT_BYTES_MOST;
  keep_limit(queue);
}

void mp_queue_limit_impatient(struct mp_queue *queue, uint64_t limit_bytes)
{
  queue->impatient_limit_bytes = limit_bytes;
}
