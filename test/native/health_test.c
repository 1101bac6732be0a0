/* How often paths are asked (native/health.c): the only one more rarely than several, which could take over
 * for each other, and a lost one the more rarely the longer it is lost. */
#include "tunnel_fixture.h"

enum { SECOND_US = 1000000, SILENCE_US = 250000 };

static struct pair pair;
static uint64_t number;

static const struct mp_path *client_path(uint8_t id)
{
  return &pair.client.tunnel->peers[0]->paths[id];
}

/* Both sides hear each other all the time. */
static void send_for(uint64_t us)
{
  for (const uint64_t end_us = pair.now_us + us; pair.now_us < end_us;
       run_until(&pair, pair.now_us + 10000)) {
    client_sends(&pair, number++);
    server_sends(&pair, number++);
  }
}

static void open_used(uint8_t paths)
{
  number = 0;
  pair_open_carrying(&pair, paths);
  send_for(5ull * SECOND_US);
}

static uint32_t probes_of_ten_seconds(uint8_t path)
{
  const uint32_t before = client_path(path)->probe_id;
  send_for(10ull * SECOND_US);
  return client_path(path)->probe_id - before;
}

static void the_only_path_is_asked_once_a_second(void)
{
  open_used(1);
  const uint32_t probes = probes_of_ten_seconds(0);
  CHECK(probes >= 9 && probes <= 11);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 1);
  pair_close(&pair);
}

static void a_path_that_is_new_is_asked_until_its_delay_is_known(void)
{
  number = 0;
  pair_open_carrying(&pair, 2);
  send_for(SECOND_US / 4);
  for (uint8_t path = 0; path < 2; path++) {
    CHECK(client_path(path)->probe_id >= 8 && client_path(path)->probe_id <= 20);
    CHECK_EQ(client_path(path)->strange, 0);
  }
  pair_close(&pair);
}

static void several_are_asked_ten_times_as_often(void)
{
  open_used(2);
  for (uint8_t path = 0; path < 2; path++) {
    const uint32_t probes = probes_of_ten_seconds(path);
    CHECK(probes >= 90 && probes <= 110);
  }
  pair_close(&pair);
}

static void the_only_path_is_asked_as_usual_while_nothing_comes(void)
{
  open_used(1);
  const uint32_t before = client_path(0)->probe_id;
  run_until(&pair, pair.now_us + SECOND_US);
  const uint32_t probes = client_path(0)->probe_id - before;
  CHECK(probes >= 8 && probes <= 11);
  pair_close(&pair);
}

static void a_second_path_makes_the_first_worth_asking(void)
{
  open_used(1);
  const uint32_t before = client_path(0)->probe_id;
  COMMAND(&pair, &pair.client,
          (struct mp_cmd_path_add){.kind = MP_CMD_PATH_ADD,
                                   .path = 1,
                                   .port = 1,
                                   .family = 4,
                                   .remote_port = pair.server.remote_port[1],
                                   .remote = {10, 0, 0, 1}});
  run_until(&pair, pair.now_us + 1000);
  CHECK_EQ(client_path(0)->probe_id, before + 1);
  send_for(SECOND_US);
  CHECK(client_path(0)->probe_id >= before + 9);
  CHECK(client_path(0)->heard);
  pair_close(&pair);
}

static void the_only_path_is_lost_when_a_question_stays_unanswered(void)
{
  open_used(1);
  pair.client.cut[0] = pair.server.cut[0] = true;
  const uint64_t cut_us = pair.now_us;
  while (client_path(0)->heard && pair.now_us < cut_us + 5ull * SECOND_US)
    send_for(10000);
  CHECK(pair.now_us - cut_us >= SILENCE_US);
  CHECK(pair.now_us - cut_us <= 2 * SILENCE_US);
  pair.client.cut[0] = pair.server.cut[0] = false;
  send_for(SECOND_US);
  CHECK(client_path(0)->heard);
  pair_close(&pair);
}

/* By the client, while the other path keeps the tunnel in use. */
static uint32_t probes_of_a_second(uint8_t path)
{
  const uint32_t before = client_path(path)->probe_id;
  send_for(SECOND_US);
  return client_path(path)->probe_id - before;
}

static void a_lost_path_is_asked_the_more_rarely_the_longer_it_is_silent(void)
{
  static const struct {
    uint64_t silent_us;
    uint32_t least, most;
  } rows[] = {{SECOND_US, 9, 11}, {8ull * SECOND_US, 3, 5}, {30ull * SECOND_US, 2, 3}};
  open_used(2);
  pair.client.cut[1] = pair.server.cut[1] = true;
  const uint64_t cut_us = pair.now_us;
  for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    send_for(cut_us + rows[i].silent_us - pair.now_us);
    CHECK(!client_path(1)->heard);
    const uint32_t probes = probes_of_a_second(1);
    CHECK(probes >= rows[i].least && probes <= rows[i].most);
  }
  pair_close(&pair);
}

/* PROTOCOL.md, "Probes": each says which paths its sender's packets may be on. */
static void the_peer_knows_which_paths_are_in_the_plan(void)
{
  open_used(2);
  const struct mp_reorder_path *server_view = pair.server.tunnel->peers[0]->order_paths;
  publish_plan(&pair, &pair.client, MP_PLAN_KIND_SLOTS, 1);
  send_for(SECOND_US / 2);
  for (unsigned i = 0; i < 100; i++) {
    send_for(10000);
    CHECK(server_view[0].carrying);
    CHECK(!server_view[1].carrying);
  }
  pair_close(&pair);
}

/* An idle client asks each keepalive; what is not answered is asked again after half a second, whatever
 * else wakes the tunnel. */
static void an_idle_path_that_does_not_answer_is_not_asked_all_the_time(void)
{
  open_used(1);
  run_until(&pair, pair.now_us + 31ull * SECOND_US);
  CHECK(!pair.client.tunnel->peers[0]->in_use);
  pair.client.cut[0] = pair.server.cut[0] = true;
  while (client_path(0)->asked_us == 0)
    run_until(&pair, pair.now_us + 10000);
  const uint32_t before = client_path(0)->probe_id;
  const uint64_t end_us = pair.now_us + 2ull * SECOND_US;
  for (; pair.now_us < end_us; run_until(&pair, pair.now_us + 10000))
    mp_wake_by(pair.client.tunnel, pair.client.tunnel->peers[0], pair.now_us);
  const uint32_t probes = client_path(0)->probe_id - before;
  CHECK(client_path(0)->heard);
  CHECK(probes >= 3 && probes <= 4);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(the_only_path_is_asked_once_a_second);
  RUN(a_path_that_is_new_is_asked_until_its_delay_is_known);
  RUN(several_are_asked_ten_times_as_often);
  RUN(the_only_path_is_asked_as_usual_while_nothing_comes);
  RUN(a_second_path_makes_the_first_worth_asking);
  RUN(the_only_path_is_lost_when_a_question_stays_unanswered);
  RUN(a_lost_path_is_asked_the_more_rarely_the_longer_it_is_silent);
  RUN(the_peer_knows_which_paths_are_in_the_plan);
  RUN(an_idle_path_that_does_not_answer_is_not_asked_all_the_time);
  return test_end();
}
