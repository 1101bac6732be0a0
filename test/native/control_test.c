/* Which path a control message takes (native/command.c), and whether the other end takes it (native/in.c). */
#include "tunnel_fixture.h"

/* Sends so many octets where the client thinks best. Returns the path on which the server took them, or
 * MP_CROSSING_NO_PATH. */
static uint8_t path_of_control(struct pair *pair, uint32_t octets)
{
  const uint8_t message[MP_LIMIT_CONTROL_BYTES] = {0};
  const struct mp_cmd_control_send command = {.kind = MP_CMD_CONTROL_SEND, .path = MP_CROSSING_NO_PATH};
  fixture_command(pair, &pair->client, &command, sizeof command, message, octets);
  run_until(pair, pair->now_us + 15000);
  const struct mp_event_control *event = fixture_event(&pair->server, MP_EVENT_CONTROL);
  return event ? event->path : MP_CROSSING_NO_PATH;
}

static void disallow(struct pair *pair, uint8_t path)
{
  COMMAND(pair, &pair->client, (struct mp_cmd_path_allow){.kind = MP_CMD_PATH_ALLOW, .path = path});
}

static void round_trips(struct pair *pair, uint32_t first_us, uint32_t second_us, uint32_t third_us)
{
  struct mp_path *paths = pair->client.tunnel->peers[0]->paths;
  paths[0].rtt.smoothed_us = first_us;
  paths[1].rtt.smoothed_us = second_us;
  paths[2].rtt.smoothed_us = third_us;
}

static void control_takes_the_quickest_path_that_data_may_use(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 3);
  round_trips(&pair, 30000, 20000, 10000);
  CHECK_EQ(path_of_control(&pair, 5), 2);
  round_trips(&pair, 30000, 20000, 40000);
  CHECK_EQ(path_of_control(&pair, 5), 1);
  disallow(&pair, 1);
  round_trips(&pair, 30000, 20000, 40000);
  CHECK_EQ(path_of_control(&pair, 5), 0);
  round_trips(&pair, 40000, 20000, 40000);
  CHECK_EQ(path_of_control(&pair, 5), 0);
  pair_close(&pair);
}

static void where_data_may_use_none_control_takes_the_quickest_that_works_both_ways(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 3);
  for (uint8_t path = 0; path < 3; path++)
    disallow(&pair, path);
  round_trips(&pair, 30000, 20000, 10000);
  CHECK_EQ(path_of_control(&pair, 5), 2);
  round_trips(&pair, 30000, 20000, 0); /* of which no answer is known */
  CHECK_EQ(path_of_control(&pair, 5), 1);
  round_trips(&pair, 0, 20000, 0);
  CHECK_EQ(path_of_control(&pair, 5), 1);
  round_trips(&pair, 30000, 20000, 10000);
  pair.client.tunnel->peers[0]->paths[2].heard_by_peer = false;
  pair.client.tunnel->peers[0]->paths[1].heard = false;
  CHECK_EQ(path_of_control(&pair, 5), 0);
  pair_close(&pair);
}

static void control_that_is_too_short_is_not_passed_on(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  CHECK_EQ(path_of_control(&pair, MP_CONTROL_BYTES - 1), MP_CROSSING_NO_PATH);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_BODY], 1);
  CHECK_EQ(path_of_control(&pair, MP_CONTROL_BYTES), 0);
  CHECK_EQ(path_of_control(&pair, MP_LIMIT_CONTROL_BYTES), 0);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_BODY], 1);
  pair_close(&pair);
}

static void control_goes_where_the_other_side_answers_though_nothing_is_allowed(void)
{
  struct pair pair;
  pair_open(&pair, 2);
  pair.client.cut[0] = pair.server.cut[0] = true;
  /* Anew: one that was never heard, and has no round trip. */
  COMMAND(&pair, &pair.client, (struct mp_cmd_path_remove){.kind = MP_CMD_PATH_REMOVE, .path = 0});
  COMMAND(&pair, &pair.client,
          (struct mp_cmd_path_add){.kind = MP_CMD_PATH_ADD, .path = 0, .family = 4});
  run_until(&pair, pair.now_us + 100000);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 0);
  const struct mp_cmd_control_send command = {.kind = MP_CMD_CONTROL_SEND,
                                              .path = MP_CROSSING_NO_PATH};
  fixture_command(&pair, &pair.client, &command, sizeof command, (const uint8_t *)"hello", 5);
  run_until(&pair, pair.now_us + 100000);
  const struct mp_event_control *event = fixture_event(&pair.server, MP_EVENT_CONTROL);
  REQUIRE(event != NULL);
  CHECK_EQ(event->path, 1);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(control_takes_the_quickest_path_that_data_may_use);
  RUN(where_data_may_use_none_control_takes_the_quickest_that_works_both_ways);
  RUN(control_that_is_too_short_is_not_passed_on);
  RUN(control_goes_where_the_other_side_answers_though_nothing_is_allowed);
  return test_end();
}
