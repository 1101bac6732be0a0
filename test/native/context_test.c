/* When a packet proposes a context and when it goes by one (native/context.c). */
#include "context.h"

#include "checksum.h"
#include "contract.h"
#include "le.h"
#include "test.h"

enum { BUCKET = 7, BYTES = 60, START_US = 1000000 };

static struct mp_contexts near, far;
static uint64_t now_us;

static void begin(void)
{
  mp_contexts_close(&near);
  mp_contexts_close(&far);
  now_us = START_US;
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

static uint8_t choose(uint8_t flow, uint8_t tos, const struct mp_context **context)
{
  uint8_t packet[BYTES];
  write_packet(packet, flow, tos);
  return mp_context_choose(&near, BUCKET, packet, BYTES, false, now_us, context);
}

/* So many go that the next one is worth a context. */
static void meet(uint8_t flow)
{
  const struct mp_context *context = NULL;
  for (unsigned i = 1; i < MP_CONTEXT_WORTH_PACKETS; i++)
    CHECK_EQ(choose(flow, 0, &context), MP_MSG_DATA);
}

/* That one proposes it, and the other side keeps it. */
static uint8_t agree(uint8_t flow)
{
  const struct mp_context *context = NULL;
  uint8_t packet[BYTES];
  meet(flow);
  write_packet(packet, flow, 0);
  CHECK_EQ(choose(flow, 0, &context), MP_MSG_CONTEXT);
  const uint8_t generation = context ? context->generation : 0;
  CHECK(mp_context_keep(&far, BUCKET, generation, packet, BYTES, false));
  mp_context_kept(&near, BUCKET, generation);
  return generation;
}

static void nothing_goes_by_a_context_that_is_not_kept(void)
{
  const struct mp_context *context = NULL;
  begin();
  meet(1);
  CHECK_EQ(choose(1, 0, &context), MP_MSG_CONTEXT);
  const uint8_t generation = context->generation;
  now_us += MP_CONTEXT_PROPOSE_US - 1;
  CHECK_EQ(choose(1, 0, &context), MP_MSG_DATA);
  mp_context_kept(&near, BUCKET, (uint8_t)(generation + 1)); /* of another */
  mp_context_kept(&near, BUCKET + 1, generation);
  CHECK_EQ(choose(1, 0, &context), MP_MSG_DATA);
  now_us++;
  CHECK_EQ(choose(1, 0, &context), MP_MSG_CONTEXT); /* again, because it or its answer was lost */
  CHECK_EQ(context->generation, generation);
  mp_context_kept(&near, BUCKET, generation);
  CHECK_EQ(choose(1, 0, &context), MP_MSG_COMPRESSED);
  CHECK_EQ(context->generation, generation);
}

/* Nor do they use generations up: of what the other side keeps the next one is later, and no other. */
static void flows_of_a_few_packets_propose_nothing(void)
{
  begin();
  const uint8_t first = agree(1);
  for (unsigned i = 0; i < 300; i++) {
    now_us += MP_CONTEXT_REST_US;
    meet(2);
    mp_context_kept(&near, BUCKET, first); /* an answer that comes late is to no proposal of these */
    now_us += MP_CONTEXT_REST_US;
    meet(3);
  }
  now_us += MP_CONTEXT_REST_US;
  CHECK_EQ(agree(4), (uint8_t)(first + 1));
}

static void what_does_not_fit_goes_whole(void)
{
  const struct mp_context *context = NULL;
  begin();
  agree(1);
  CHECK_EQ(choose(2, 0, &context), MP_MSG_DATA); /* another flow in the bucket */
  CHECK_EQ(choose(1, 3, &context), MP_MSG_DATA); /* congestion experienced */
  CHECK_EQ(choose(1, 0, &context), MP_MSG_COMPRESSED);
}

static void a_context_in_use_stays(void)
{
  const struct mp_context *context = NULL;
  begin();
  agree(1);
  for (unsigned i = 0; i < 100; i++, now_us += MP_CONTEXT_REST_US / 2) {
    CHECK_EQ(choose(2, 0, &context), MP_MSG_DATA);
    CHECK_EQ(choose(1, 0, &context), MP_MSG_COMPRESSED);
  }
}

static void another_takes_its_place_when_it_rests(void)
{
  const struct mp_context *context = NULL;
  begin();
  const uint8_t first = agree(1);
  now_us += MP_CONTEXT_REST_US - 1;
  CHECK_EQ(choose(2, 0, &context), MP_MSG_DATA);
  now_us++;
  const uint8_t second = agree(2);
  CHECK(first != second);
  CHECK_EQ(choose(2, 0, &context), MP_MSG_COMPRESSED);
  CHECK_EQ(choose(1, 0, &context), MP_MSG_DATA);
  /* What was under way for so long finds nothing, rather than another's header. */
  CHECK(mp_context_find(&far, BUCKET, first) == NULL);
  REQUIRE(mp_context_find(&far, BUCKET, second));
  CHECK_EQ(mp_context_find(&far, BUCKET, second)->model[20], 2);
}

static void a_proposal_that_comes_late_changes_nothing(void)
{
  uint8_t packet[BYTES];
  begin();
  uint8_t generation = 0;
  for (unsigned i = 0; i < 300; i++, now_us += MP_CONTEXT_REST_US) /* generations wrap */
    generation = agree((uint8_t)i);
  write_packet(packet, 77, 0);
  CHECK(!mp_context_keep(&far, BUCKET, (uint8_t)(generation - 1), packet, BYTES, false));
  CHECK(!mp_context_keep(&far, BUCKET, (uint8_t)(generation - 100), packet, BYTES, false));
  REQUIRE(mp_context_find(&far, BUCKET, generation));
  CHECK_EQ(mp_context_find(&far, BUCKET, generation)->model[20], (uint8_t)299);
}

static void a_header_that_does_not_compress_is_no_context(void)
{
  const struct mp_context *context = NULL;
  uint8_t packet[BYTES];
  begin();
  write_packet(packet, 1, 0);
  packet[9] = 1; /* ICMP */
  mp_checksum_ipv4(packet, 20);
  CHECK_EQ(mp_context_choose(&near, BUCKET, packet, BYTES, false, now_us, &context), MP_MSG_DATA);
  CHECK(!mp_context_keep(&far, BUCKET, 1, packet, BYTES, false));
  CHECK(mp_context_find(&far, BUCKET, 1) == NULL);
  mp_context_kept(&near, BUCKET, 0); /* of a proposal that never was */
  meet(1);
  CHECK_EQ(choose(1, 0, &context), MP_MSG_CONTEXT);
}

static void a_session_ends_with_its_contexts(void)
{
  const struct mp_context *context = NULL;
  begin();
  const uint8_t generation = agree(1);
  mp_contexts_erase(&near);
  mp_contexts_erase(&far);
  CHECK(mp_context_find(&far, BUCKET, generation) == NULL);
  CHECK(mp_context_find(&far, BUCKET, 0) == NULL);
  meet(1);
  CHECK_EQ(choose(1, 0, &context), MP_MSG_CONTEXT);
}

int main(void)
{
  RUN(nothing_goes_by_a_context_that_is_not_kept);
  RUN(flows_of_a_few_packets_propose_nothing);
  RUN(what_does_not_fit_goes_whole);
  RUN(a_context_in_use_stays);
  RUN(another_takes_its_place_when_it_rests);
  RUN(a_proposal_that_comes_late_changes_nothing);
  RUN(a_header_that_does_not_compress_is_no_context);
  RUN(a_session_ends_with_its_contexts);
  mp_contexts_close(&near);
  mp_contexts_close(&far);
  return test_end();
}
