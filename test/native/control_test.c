/* Which path a control message takes (native/command.c), and what comes of it at the other end (native/in.c). */
#include "tunnel_fixture.h"

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
  RUN(control_goes_where_the_other_side_answers_though_nothing_is_allowed);
  return test_end();
}
