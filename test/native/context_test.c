/* When a packet proposes a context and when it goes by one (native/context.c). */
#include "context.h"

#include "checksum.h"
#include "contract.h"
#include "le.h"
#include "test.h"

enum { BUCKET = 7, BYTES = 60, START_US = 1000000, KEYS_LIVE_US = 180000000 };

static struct mp_contexts near, far;
static uint64_t now_us;
static uint32_t flow_seq;

static void begin(void)
{
  mp_contexts_close(&near);
  mp_contexts_close(&far);
  now_us = START_US;
  flow_seq = 0;
}

/* UDP of a flow that is told by its first port and its type of service. */
static void write_packet(uint8_t packet[BYTES], uint8_t flow, uint8_t tos)
{
  memset(packet, 0, BYTES);
  packet[0] = 0x45;
  packet[1] = tos;
  packet[3] = BYTES;
  packet[8] = 64;
  packet[9] = 17;
  packet[20] = flow;
  packet[25] = BYTES - 20;
  mp_checksum_ipv4(packet, 20);
}

static struct mp_context_choice choose_packet(const uint8_t *packet)
{
  const struct mp_headed headed = {.bytes = packet, .length = BYTES, .flow_seq = flow_seq++};
  return mp_context_choose(&near, BUCKET, &headed, now_us);
}

static struct mp_context_choice choose(uint8_t flow, uint8_t tos)
{
  uint8_t packet[BYTES];
  write_packet(packet, flow, tos);
  return choose_packet(packet);
}

static bool keep(uint8_t generation, const uint8_t *packet)
{
  const struct mp_headed headed = {.bytes = packet, .length = BYTES, .flow_seq = flow_seq - 1};
  return mp_context_keep(&far, BUCKET, generation, &headed);
}

/* So many go that the next one is worth a context: what it would have saved of all but the first is more than
 * an answer. */
static void meet(uint8_t flow)
{
  const unsigned saved = 28 - MP_COMPRESSED_BYTES - 4;
  for (unsigned i = 0; i <= MP_CONTEXT_COST_BYTES / saved; i++)
    CHECK_EQ(choose(flow, 0).type, MP_MSG_DATA);
}

static uint8_t propose(uint8_t flow)
{
  meet(flow);
  const struct mp_context_choice choice = choose(flow, 0);
  CHECK_EQ(choice.type, MP_MSG_CONTEXT);
  return choice.context ? choice.context->generation : 0;
}

/* And the other side keeps it. */
static uint8_t agree(uint8_t flow)
{
  uint8_t packet[BYTES];
  const uint8_t generation = propose(flow);
  write_packet(packet, flow, 0);
  CHECK(keep(generation, packet));
  mp_context_kept(&near, BUCKET, generation);
  return generation;
}

static void expect_compressed(uint8_t flow, uint8_t generation)
{
  const struct mp_context_choice choice = choose(flow, 0);
  CHECK_EQ(choice.type, MP_MSG_COMPRESSED);
  REQUIRE(choice.context);
  CHECK_EQ(choice.context->generation, generation);
}

static void nothing_goes_by_a_context_that_is_not_kept(void)
{
  begin();
  const uint8_t generation = propose(1);
  now_us += MP_CONTEXT_PROPOSE_US - 1;
  CHECK_EQ(choose(1, 0).type, MP_MSG_DATA);
  mp_context_kept(&near, BUCKET, (uint8_t)(generation + 2)); /* of another */
  mp_context_kept(&near, BUCKET, (uint8_t)(generation + 1));
  mp_context_kept(&near, BUCKET + 1, generation);
  CHECK_EQ(choose(1, 0).type, MP_MSG_DATA);
  mp_context_kept(&near, BUCKET, generation);
  expect_compressed(1, generation);
}

/* It or its answer was lost; but what the other side has kept by now is of which of the two, nobody knows. */
static void another_try_has_another_generation(void)
{
  uint64_t wait_us = MP_CONTEXT_PROPOSE_US;
  begin();
  uint8_t generation = propose(1);
  for (unsigned i = 0; i < 6; i++) {
    now_us += wait_us - 1;
    CHECK_EQ(choose(1, 0).type, MP_MSG_DATA);
    now_us++;
    const struct mp_context_choice again = choose(1, 0);
    CHECK_EQ(again.type, MP_MSG_CONTEXT);
    REQUIRE(again.context);
    CHECK_EQ(again.context->generation, (uint8_t)(generation + 2));
    mp_context_kept(&near, BUCKET, generation);
    CHECK_EQ(choose(1, 0).type, MP_MSG_DATA);
    generation = again.context->generation;
    wait_us = i < MP_CONTEXT_DOUBLINGS ? 2 * wait_us : wait_us;
  }
  mp_context_kept(&near, BUCKET, generation);
  expect_compressed(1, generation);
}

/* However many flows come and go: keys live shorter than 128 of a kind take. */
static void generations_are_used_up_slowly(void)
{
  uint8_t first[2] = {0};
  uint64_t since_us[2] = {0};
  begin();
  for (unsigned i = 0, seen = 0; i < 100000; i++) {
    now_us += i / 1000 % 2 ? 20000 : MP_CONTEXT_REST_US / 3;
    for (unsigned j = 0; j < 4; j++) {
      const struct mp_context_choice choice = choose((uint8_t)(i / 8), 0);
      if (choice.type != MP_MSG_CONTEXT)
        continue;
      const uint8_t generation = choice.context->generation, kind = generation % 2;
      if (!(seen & 1u << kind)) {
        seen |= 1u << kind;
        first[kind] = generation;
        since_us[kind] = now_us;
      } else if (generation == first[kind]) {
        CHECK(now_us - since_us[kind] > KEYS_LIVE_US);
        since_us[kind] = now_us;
      }
      if (i / 500 % 3 == 0)
        mp_context_kept(&near, BUCKET, generation);
    }
  }
}

/* Nor do they use generations up: of what the other side keeps the next one is later, and no other. */
static void flows_of_a_few_packets_propose_nothing(void)
{
  begin();
  const uint8_t first = agree(1);
  for (unsigned i = 0; i < 300; i++) {
    now_us += MP_CONTEXT_REST_US;
    meet((uint8_t)(2 + i % 100));
    mp_context_kept(&near, BUCKET, first); /* an answer that comes late is to no proposal of these */
  }
  now_us += MP_CONTEXT_REST_US;
  const uint8_t next = agree(200);
  CHECK((uint8_t)(next - first) <= 2);
}

static void what_does_not_fit_goes_whole(void)
{
  begin();
  agree(1);
  CHECK_EQ(choose(2, 0).type, MP_MSG_DATA); /* another flow in the bucket */
  CHECK_EQ(choose(1, 3).type, MP_MSG_DATA); /* congestion experienced */
  CHECK_EQ(choose(1, 0).type, MP_MSG_COMPRESSED);
}

static void contexts_in_use_stay(void)
{
  begin();
  const uint8_t first = agree(1), second = agree(2);
  CHECK(first % 2 != second % 2);
  for (unsigned i = 0; i < 100; i++, now_us += MP_CONTEXT_REST_US / 2) {
    CHECK_EQ(choose(3, 0).type, MP_MSG_DATA);
    expect_compressed(1, first);
    expect_compressed(2, second);
  }
}

static void another_takes_its_place_when_it_rests(void)
{
  begin();
  const uint8_t first = agree(1);
  now_us += MP_CONTEXT_REST_US / 2;
  const uint8_t second = agree(2);
  now_us += MP_CONTEXT_REST_US / 2 - 1;
  CHECK_EQ(choose(3, 0).type, MP_MSG_DATA);
  now_us++;
  const uint8_t third = agree(3);
  CHECK_EQ(third, (uint8_t)(first + 2));
  expect_compressed(2, second);
  expect_compressed(3, third);
  CHECK_EQ(choose(1, 0).type, MP_MSG_DATA);
  /* What was under way for so long finds nothing, rather than another's header. */
  CHECK(mp_context_find(&far, BUCKET, first) == NULL);
  REQUIRE(mp_context_find(&far, BUCKET, third) && mp_context_find(&far, BUCKET, second));
  CHECK_EQ(mp_context_find(&far, BUCKET, third)->header[20], 3);
  CHECK_EQ(mp_context_find(&far, BUCKET, second)->header[20], 2);
}

static void a_proposal_that_comes_late_changes_nothing(void)
{
  uint8_t packet[BYTES];
  begin();
  uint8_t generation = 0;
  for (unsigned i = 0; i < 600; i++, now_us += MP_CONTEXT_REST_US) /* generations wrap */
    generation = agree((uint8_t)i);
  write_packet(packet, 77, 0);
  CHECK(!keep(generation, packet));
  CHECK(!keep((uint8_t)(generation - 2), packet));
  CHECK(!keep((uint8_t)(generation - 100), packet));
  CHECK(!keep((uint8_t)(generation - 3), packet));
  REQUIRE(mp_context_find(&far, BUCKET, generation));
  CHECK_EQ(mp_context_find(&far, BUCKET, generation)->header[20], (uint8_t)599);
  CHECK_EQ(mp_context_find(&far, BUCKET, (uint8_t)(generation - 1))->header[20], (uint8_t)598);
}

static void a_header_that_does_not_compress_is_no_context(void)
{
  uint8_t packet[BYTES];
  begin();
  write_packet(packet, 1, 0);
  packet[9] = 1; /* ICMP */
  mp_checksum_ipv4(packet, 20);
  CHECK_EQ(choose_packet(packet).type, MP_MSG_DATA);
  CHECK(!keep(1, packet));
  CHECK(mp_context_find(&far, BUCKET, 1) == NULL);
  mp_context_kept(&near, BUCKET, 0); /* of a proposal that never was */
  mp_context_kept(&near, BUCKET, 1);
  propose(1);
}

static void a_session_ends_with_its_contexts(void)
{
  begin();
  const uint8_t generation = agree(1);
  mp_contexts_erase(&near);
  mp_contexts_erase(&far);
  CHECK(mp_context_find(&far, BUCKET, generation) == NULL);
  CHECK(mp_context_find(&far, BUCKET, 0) == NULL);
  propose(1);
}

/* ---- Of a stream, whose header moves away ---- */

enum { IP = 20, ACK = IP + 8, SAVED_BY_ACK = 4, COMPARED_ONE_IN = 8 };

/* TCP that acknowledges `acked`, with one more octet of payload than the one before it. */
static void write_tcp(uint8_t packet[BYTES], uint32_t number, uint32_t acked)
{
  memset(packet, 0, BYTES);
  packet[0] = 0x45;
  packet[3] = BYTES;
  mp_store16(packet + 4, __builtin_bswap16((uint16_t)flow_seq));
  packet[8] = 64;
  packet[9] = 6;
  mp_store32(packet + IP + 4, __builtin_bswap32(number));
  mp_store32(packet + ACK, __builtin_bswap32(acked));
  packet[IP + 12] = 5 << 4;
  packet[IP + 13] = 0x10;
  mp_checksum_ipv4(packet, IP);
}

static struct mp_context_choice choose_tcp(uint32_t number, uint32_t acked)
{
  uint8_t packet[BYTES];
  write_tcp(packet, number, acked);
  const struct mp_context_choice choice = choose_packet(packet);
  if (choice.type == MP_MSG_CONTEXT) /* and its answer comes at once */
    CHECK(keep(choice.context->generation, packet));
  return choice;
}

static uint8_t agree_on_tcp(uint32_t acked)
{
  struct mp_context_choice choice = choose_tcp(0, acked);
  for (uint32_t i = 1; i < 5 && choice.type == MP_MSG_DATA; i++)
    choice = choose_tcp(i, acked);
  CHECK_EQ(choice.type, MP_MSG_CONTEXT);
  mp_context_kept(&near, BUCKET, choice.context->generation);
  return choice.context->generation;
}

static void a_stream_says_what_moves(void)
{
  begin();
  const uint8_t generation = agree_on_tcp(7);
  const struct mp_context_choice choice = choose_tcp(9, 7);
  CHECK_EQ(choice.type, MP_MSG_COMPRESSED);
  CHECK_EQ(choice.context->generation, generation);
  CHECK_EQ(choice.same, MP_SAME_IDENTIFICATION | MP_SAME_ACKNOWLEDGEMENT | MP_SAME_HIGH | MP_SAME_FLAGS |
                            MP_SAME_WINDOW);
  flow_seq += 9; /* something else of the bucket went: the identification is no longer so far ahead */
  uint8_t packet[BYTES];
  write_tcp(packet, 4, 7);
  mp_store16(packet + 4, 0);
  mp_checksum_ipv4(packet, IP);
  CHECK_EQ(choose_packet(packet).same,
           MP_SAME_ACKNOWLEDGEMENT | MP_SAME_HIGH | MP_SAME_FLAGS | MP_SAME_WINDOW);
}

/* It goes on by the old one until the new one is kept. */
static void a_context_is_made_anew_when_that_pays(void)
{
  begin();
  const uint8_t first = agree_on_tcp(7);
  for (uint32_t i = 0; i < 1000; i++) /* by one that is as good as new */
    CHECK_EQ(choose_tcp(i, 7).type, MP_MSG_COMPRESSED);
  unsigned lean = 0;
  struct mp_context_choice choice = choose_tcp(0, 8);
  for (; choice.type == MP_MSG_COMPRESSED && lean < MP_CONTEXT_ANEW_BYTES; lean++)
    choice = choose_tcp(lean, 8);
  CHECK_EQ(choice.type, MP_MSG_CONTEXT);
  const unsigned expected = MP_CONTEXT_ANEW_BYTES / (SAVED_BY_ACK - 1) + 1;
  CHECK(lean >= expected - COMPARED_ONE_IN && lean < expected + 2 * COMPARED_ONE_IN);
  const uint8_t second = choice.context->generation;
  CHECK(first % 2 != second % 2);
  CHECK_EQ(choose_tcp(0, 8).context->generation, first);
  mp_context_kept(&near, BUCKET, second);
  choice = choose_tcp(0, 8);
  CHECK_EQ(choice.context->generation, second);
  CHECK(choice.same & MP_SAME_ACKNOWLEDGEMENT);
  CHECK(mp_context_find(&far, BUCKET, first) && mp_context_find(&far, BUCKET, second));
}

static void the_third_waits_until_the_first_has_rested(void)
{
  begin();
  const uint8_t first = agree_on_tcp(7);
  struct mp_context_choice choice = choose_tcp(0, 8);
  while (choice.type == MP_MSG_COMPRESSED)
    choice = choose_tcp(0, 8);
  mp_context_kept(&near, BUCKET, choice.context->generation);
  const uint64_t since_us = now_us;
  do {
    now_us += 10000;
    choice = choose_tcp(0, 9);
  } while (choice.type == MP_MSG_COMPRESSED && now_us < since_us + 3ull * MP_CONTEXT_REST_US);
  CHECK_EQ(choice.type, MP_MSG_CONTEXT);
  CHECK_EQ(choice.context->generation, (uint8_t)(first + 2));
  CHECK(now_us - since_us >= MP_CONTEXT_REST_US);
}

int main(void)
{
  RUN(nothing_goes_by_a_context_that_is_not_kept);
  RUN(another_try_has_another_generation);
  RUN(generations_are_used_up_slowly);
  RUN(flows_of_a_few_packets_propose_nothing);
  RUN(what_does_not_fit_goes_whole);
  RUN(contexts_in_use_stay);
  RUN(another_takes_its_place_when_it_rests);
  RUN(a_proposal_that_comes_late_changes_nothing);
  RUN(a_header_that_does_not_compress_is_no_context);
  RUN(a_session_ends_with_its_contexts);
  RUN(a_stream_says_what_moves);
  RUN(a_context_is_made_anew_when_that_pays);
  RUN(the_third_waits_until_the_first_has_rested);
  mp_contexts_close(&near);
  mp_contexts_close(&far);
  return test_end();
}
