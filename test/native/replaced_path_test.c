/* A path whose number was another's (native/command.c): what was learnt of that one says nothing of it. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "tunnel_fixture.h"

enum { STAYS, REPLACED, SPACING_US = 2000, SECOND_US = 1000000, CAP = 5000000, TARGET_US = 30000 };

static struct pair pair;
static uint64_t number;

static const struct mp_adaptive *adaptive_of(const struct end *end)
{
  return end->tunnel->peers[0]->adaptive;
}

/* With a cap and a target for the path that is going to be replaced. */
static void publish(struct end *end)
{
  uint8_t plan[ARRIVAL_PLAN_BYTES];
  const uint32_t bytes = fixture_arrival(plan, 3);
  mp_store64(plan + MP_PLAN_BYTES + MP_PLAN_PATH_BYTES + MP_PLAN_PATH_CAP_BYTES_PER_S, CAP);
  mp_store32(plan + MP_PLAN_BYTES + MP_PLAN_PATH_BYTES + MP_PLAN_PATH_TARGET_US, TARGET_US);
  const struct mp_cmd_plan_publish command = {.kind = MP_CMD_PLAN_PUBLISH};
  fixture_command(&pair, end, &command, sizeof command, plan, bytes);
}

static void delay(uint8_t path, uint64_t us)
{
  pair.client.delay_us[path] = pair.server.delay_us[path] = us;
}

static void send_for(uint64_t us)
{
  for (const uint64_t end_us = pair.now_us + us; pair.now_us < end_us;
       run_until(&pair, pair.now_us + SPACING_US)) {
    client_sends(&pair, number);
    server_sends(&pair, number++);
  }
}

/* From 10 ms, the other has 20, to 60. What was on its way is lost. */
static void replace(void)
{
  pair_open_carrying(&pair, 2);
  delay(STAYS, 20000);
  publish(&pair.client);
  publish(&pair.server);
  send_for(SECOND_US);
  const struct mp_cmd_path_remove gone = {.kind = MP_CMD_PATH_REMOVE, .path = REPLACED};
  pair.client.cut[REPLACED] = pair.server.cut[REPLACED] = true;
  send_for(SECOND_US / 10);
  COMMAND(&pair, &pair.client, gone);
  COMMAND(&pair, &pair.server, gone);
  pair.client.cut[REPLACED] = pair.server.cut[REPLACED] = false;
  delay(REPLACED, 60000);
  COMMAND(&pair, &pair.client,
          (struct mp_cmd_path_add){.kind = MP_CMD_PATH_ADD, .path = REPLACED, .port = REPLACED, .family = 4});
}

static void nothing_is_known_of_it_but_what_its_owner_wants(void)
{
  replace();
  const struct end *ends[] = {&pair.client, &pair.server};
  for (unsigned i = 0; i < 2; i++) {
    const struct mp_lane *lane = &adaptive_of(ends[i])->lanes[REPLACED];
    CHECK(!mp_window_base_known(&lane->window));
    CHECK_EQ(mp_window_srtt_us(&lane->window), 0);
    CHECK(!lane->heard.any);
    CHECK_EQ(lane->window.cap_bytes_per_s, CAP);
    CHECK_EQ(mp_window_target_us(&lane->window), TARGET_US);
  }
  pair_close(&pair);
}

static void it_is_not_taken_for_the_quickest_that_it_was(void)
{
  replace();
  run_until(&pair, pair.now_us + SECOND_US);
  allow(&pair, &pair.client, REPLACED);
  allow(&pair, &pair.server, REPLACED);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 3);
  CHECK_EQ(pair.server.tunnel->peers[0]->usable, 3);
  CHECK_EQ(mp_choice_quickest(pair.client.tunnel->peers[0]), STAYS);
  CHECK_EQ(mp_choice_quickest(pair.server.tunnel->peers[0]), STAYS);
  pair_close(&pair);
}

static void what_was_on_its_way_is_not_lost(void)
{
  replace();
  send_for(SECOND_US);
  run_until(&pair, pair.now_us + SECOND_US);
  CHECK_EQ(pair.client.delivered_count, number);
  CHECK_EQ(pair.server.delivered_count, number);
  CHECK_EQ(pair.client.tunnel->loads.taken_bytes, 0);
  CHECK_EQ(pair.server.tunnel->loads.taken_bytes, 0);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(nothing_is_known_of_it_but_what_its_owner_wants);
  RUN(it_is_not_taken_for_the_quickest_that_it_was);
  number = 0;
  RUN(what_was_on_its_way_is_not_lost);
  return test_end();
}
