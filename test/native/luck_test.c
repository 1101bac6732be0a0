/* Acknowledgements that came too soon (native/luck.h): when their data was sent; in which order they wait. */
#include "luck.h"

#include "test.h"

#define S 1000000u
#define MS 1000u
#define SEGMENT 1448u

static void it_knows_when_what_was_sent(void)
{
  struct mp_luck_flow flow = {0};
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT), 0);
  for (uint32_t i = 1; i <= 10; i++)
    mp_luck_sent(&flow, i * SEGMENT, S + i * 10 * MS);
  for (uint32_t i = 1; i <= 10; i++)
    CHECK_EQ(mp_luck_sent_us(&flow, i * SEGMENT), S + i * 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, 3 * SEGMENT - 1), S + 30 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, 10 * SEGMENT + 1), 0);
}

static void what_goes_together_counts_as_its_last(void)
{
  for (unsigned apart = 0; apart < 2; apart++) {
    struct mp_luck_flow flow = {0};
    mp_luck_sent(&flow, SEGMENT, S);
    mp_luck_sent(&flow, 2 * SEGMENT, S + 2 * MS);
    mp_luck_sent(&flow, 3 * SEGMENT, S + 5 * MS + apart);
    CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT), S + (apart ? 2 : 5) * MS);
  }
}

/* Who never pauses finds what is under way over a long round trip known as well as over a short one. */
static void it_knows_of_a_stream_for_a_fifth_of_a_second(void)
{
  struct mp_luck_flow flow = {0};
  const uint64_t now_us = 2 * S;
  for (uint64_t at_us = S; at_us <= now_us; at_us += MS)
    mp_luck_sent(&flow, (uint32_t)(at_us / MS) * SEGMENT, at_us);
  for (uint64_t ago_us = 0; ago_us <= 200 * MS; ago_us += MS) {
    const uint64_t at_us = now_us - ago_us;
    const uint64_t sent_us = mp_luck_sent_us(&flow, (uint32_t)(at_us / MS) * SEGMENT);
    CHECK(sent_us >= at_us && sent_us <= at_us + 6 * MS);
  }
}

/* What a clock counts in 32 bits is over after 71 minutes. */
static void times_wrap(void)
{
  struct mp_luck_flow flow = {0};
  const uint64_t turn_us = 1ull << 32;
  mp_luck_sent(&flow, SEGMENT, turn_us - 10 * MS);
  mp_luck_sent(&flow, 2 * SEGMENT, turn_us + 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT), turn_us - 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, 2 * SEGMENT), turn_us + 10 * MS);
}

static void it_forgets_what_was_sent_long_ago(void)
{
  struct mp_luck_flow flow = {0};
  for (uint32_t i = 1; i <= 2 * MP_LUCK_MARKS; i++)
    mp_luck_sent(&flow, i * SEGMENT, S + i * 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT), 0);
  CHECK_EQ(mp_luck_sent_us(&flow, 2 * MP_LUCK_MARKS * SEGMENT), S + 2 * MP_LUCK_MARKS * 10 * MS);
}

static void numbers_wrap(void)
{
  struct mp_luck_flow flow = {0};
  mp_luck_sent(&flow, UINT32_MAX - 10, S);
  mp_luck_sent(&flow, SEGMENT, S + 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, UINT32_MAX - 10), S);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT), S + 10 * MS);
}

static void what_is_sent_again_keeps_its_time(void)
{
  struct mp_luck_flow flow = {0};
  mp_luck_sent(&flow, 2 * SEGMENT, S);
  mp_luck_sent(&flow, SEGMENT, 2 * S - 1);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT), S);
}

static void another_connection_begins_anew(void)
{
  struct mp_luck_flow flow = {0};
  mp_luck_sent(&flow, 1000 * SEGMENT, S);
  mp_luck_sent(&flow, SEGMENT, 2 * S);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT), 2 * S);
  CHECK_EQ(mp_luck_sent_us(&flow, 1000 * SEGMENT), 0);
}

static void a_handshake_is_one_octet_of_its_own_connection(void)
{
  struct mp_luck_flow flow = {0};
  mp_luck_sent(&flow, 1000 * SEGMENT, S);
  mp_luck_opened(&flow, SEGMENT, S + 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT + 1), S + 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, 1000 * SEGMENT), 0);
  mp_luck_opened(&flow, SEGMENT, S + 300 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT + 1), S + 10 * MS);
  mp_luck_sent(&flow, 2 * SEGMENT, S + 400 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, SEGMENT + 1), S + 10 * MS);
  CHECK_EQ(mp_luck_sent_us(&flow, 2 * SEGMENT), S + 400 * MS);
}

static void those_that_wait_come_when_they_are_due(void)
{
  struct mp_luck luck = {0};
  struct mp_pool pool;
  mp_pool_open(&pool, 16);
  struct mp_packet *packets[3];
  static const uint64_t due_ms[3] = {30, 10, 30};
  for (unsigned i = 0; i < 3; i++) {
    packets[i] = mp_pool_take(&pool);
    CHECK(mp_luck_put(&luck, &pool, packets[i], due_ms[i] * MS));
  }
  CHECK_EQ(mp_luck_due(&luck), 10 * MS);
  CHECK(!mp_luck_take(&luck, 9 * MS));
  CHECK(mp_luck_take(&luck, 10 * MS) == packets[1]);
  CHECK(!mp_luck_take(&luck, 10 * MS));
  CHECK(mp_luck_take(&luck, 30 * MS) == packets[0]);
  CHECK(mp_luck_take(&luck, 30 * MS) == packets[2]);
  CHECK_EQ(mp_luck_due(&luck), UINT64_MAX);
  mp_pool_close(&pool);
}

static void so_many_wait_and_no_more(void)
{
  enum { PACKETS = 1024 };
  struct mp_luck luck = {0};
  struct mp_pool pool;
  mp_pool_open(&pool, PACKETS);
  struct mp_packet *packet = mp_pool_take(&pool);
  unsigned count = 0;
  while (mp_luck_put(&luck, &pool, packet, 10 * MS) && ++count < PACKETS - 1)
    packet = mp_pool_take(&pool);
  CHECK_EQ_INT(count, 256);
  struct mp_packet *first = mp_luck_take(&luck, 10 * MS);
  CHECK(mp_luck_put(&luck, &pool, packet, 20 * MS));
  CHECK(!mp_luck_put(&luck, &pool, first, 20 * MS));
  mp_pool_close(&pool);
}

int main(void)
{
  RUN(it_knows_when_what_was_sent);
  RUN(what_goes_together_counts_as_its_last);
  RUN(it_knows_of_a_stream_for_a_fifth_of_a_second);
  RUN(times_wrap);
  RUN(it_forgets_what_was_sent_long_ago);
  RUN(numbers_wrap);
  RUN(what_is_sent_again_keeps_its_time);
  RUN(another_connection_begins_anew);
  RUN(a_handshake_is_one_octet_of_its_own_connection);
  RUN(those_that_wait_come_when_they_are_due);
  RUN(so_many_wait_and_no_more);
  return test_end();
}
