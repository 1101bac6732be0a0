/* What JavaScript sees of a simulated world: build/mptun-sim.node, for tests alone. Everything runs
 * on the calling thread; nothing here is secret, waits or needs a privilege. */
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

struct handle {
  struct mp_world *world; /* NULL: closed */
};

static const napi_type_tag tag = {0x8a1f6f7b0d3c4e52u, 0x9be3a7d2c4f01867u};

static bool read_handle(napi_env env, napi_value value, struct handle **handle)
{
  napi_valuetype type;
  bool ours = false;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, value, &tag, &ours) != napi_ok || !ours)
    return mp_js_bug(env, "the world must be one that worldOpen() returned");
  return napi_get_value_external(env, value, (void **)handle) == napi_ok;
}

struct mp_world *mp_sim_call(napi_env env, napi_callback_info info, napi_value *values,
                             size_t count)
{
  struct handle *handle;
  if (!mp_js_arguments(env, info, values, count) || !read_handle(env, values[0], &handle))
    return NULL;
  if (!handle->world)
    mp_js_throw(env, "MPTUN_E_CLOSED", "the world is closed");
  return handle->world;
}

napi_value mp_sim_answer(napi_env env, int64_t result, const char *what)
{
  if (result >= 0)
    return mp_js_of_number(env, (double)result);
  mp_js_bug(env, "%s: %s", what, strerror((int)-result));
  return NULL;
}

bool mp_sim_id(napi_env env, napi_value value, const char *what, uint32_t *id)
{
  int64_t number;
  if (!mp_js_integer(env, value, what, 0, UINT32_MAX, &number))
    return false;
  *id = (uint32_t)number;
  return true;
}

bool mp_sim_optional(napi_env env, napi_value object, const char *name, double most,
                     double *out)
{
  napi_value value;
  *out = 0;
  if (!mp_js_property(env, object, "options", name, &value))
    return false;
  return mp_js_is_absent(env, value) || mp_js_number(env, value, name, 0, most, out);
}

bool mp_sim_address(napi_env env, napi_value object, const char *name, uint8_t out[4])
{
  napi_value value;
  uint8_t *bytes;
  size_t length;
  if (!mp_js_property(env, object, "options", name, &value) ||
      !mp_js_bytes(env, value, name, 4, 4, &bytes, &length))
    return false;
  memcpy(out, bytes, 4);
  return true;
}

static void collect(napi_env env, void *data, void *hint)
{
  struct handle *handle = data;
  (void)env;
  (void)hint;
  mp_world_close(handle->world);
  free(handle);
}

static napi_value js_digest(napi_env env, napi_callback_info info)
{
  (void)info;
  return mp_js_of_text(env, MP_CONTRACT_DIGEST);
}

static napi_value js_world_open(napi_env env, napi_callback_info info)
{
  napi_value value, external = NULL;
  int64_t seed;
  if (!mp_js_arguments(env, info, &value, 1) ||
      !mp_js_integer(env, value, "worldOpen: seed", 0, MP_SIM_MOST_US, &seed))
    return NULL;
  struct handle *handle = calloc(1, sizeof *handle);
  if (handle)
    handle->world = mp_world_open((uint64_t)seed);
  if (!handle || !handle->world ||
      napi_create_external(env, handle, collect, NULL, &external) != napi_ok) {
    free(handle);
    mp_js_throw_fault(env, &(struct mp_fault){ENOMEM, "calloc"});
    return NULL;
  }
  napi_type_tag_object(env, external, &tag);
  return external;
}

static napi_value js_world_close(napi_env env, napi_callback_info info)
{
  napi_value value;
  struct handle *handle;
  if (!mp_js_arguments(env, info, &value, 1) || !read_handle(env, value, &handle))
    return NULL;
  mp_world_close(handle->world);
  handle->world = NULL;
  return NULL;
}

static napi_value js_world_state(napi_env env, napi_callback_info info)
{
  napi_value value;
  struct mp_world *world = mp_sim_call(env, info, &value, 1);
  if (!world)
    return NULL;
  const uint64_t digest = mp_world_digest(world);
  char text[17];
  for (unsigned i = 0; i < 16; i++)
    text[i] = "0123456789abcdef"[digest >> (60 - 4 * i) & 15];
  text[16] = '\0';
  napi_value state = mp_js_object(env);
  mp_js_set(env, state, "nowUs", mp_js_of_number(env, (double)mp_world_now_us(world)));
  mp_js_set(env, state, "moments", mp_js_of_number(env, (double)mp_world_moments(world)));
  mp_js_set(env, state, "digest", mp_js_of_text(env, text));
  return state;
}

static napi_value js_node_add(napi_env env, napi_callback_info info)
{
  napi_value value;
  struct mp_world *world = mp_sim_call(env, info, &value, 1);
  return world ? mp_sim_answer(env, mp_world_node_add(world), "nodeAdd") : NULL;
}

static napi_value js_port_fail(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  uint32_t node;
  int64_t port, error;
  struct mp_world *world = mp_sim_call(env, info, values, 4);
  if (!world || !mp_sim_id(env, values[1], "node", &node) ||
      !mp_js_integer(env, values[2], "port", 0, MP_CROSSING_PORTS - 1, &port) ||
      !mp_js_integer(env, values[3], "errno", 0, 4095, &error))
    return NULL;
  return mp_sim_answer(env, mp_world_port_fail(world, node, (uint8_t)port, (int)error), "portFail");
}

static napi_value js_node_pause(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  uint32_t node;
  int64_t until_us;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !mp_sim_id(env, values[1], "node", &node) ||
      !mp_js_integer(env, values[2], "nodePause: untilUs", 0, INT64_MAX / 2, &until_us))
    return NULL;
  return mp_sim_answer(env, mp_world_node_pause(world, node, (uint64_t)until_us), "nodePause");
}

static napi_value js_command(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  uint32_t node;
  uint8_t *bytes, *payload = NULL;
  size_t length, payload_bytes = 0;
  _Alignas(8) uint8_t record[MP_CROSSING_COMMAND_SLOT_BYTES] = {0};
  struct mp_world *world = mp_sim_call(env, info, values, 4);
  if (!world || !mp_sim_id(env, values[1], "node", &node) ||
      !mp_js_bytes(env, values[2], "command: record", sizeof(uint16_t), sizeof record, &bytes,
                   &length))
    return NULL;
  if (!mp_js_is_absent(env, values[3]) &&
      !mp_js_bytes(env, values[3], "command: payload", 0, UINT16_MAX, &payload, &payload_bytes))
    return NULL;
  memcpy(record, bytes, length);
  return mp_sim_answer(env, mp_world_command(world, node, record, payload, (uint32_t)payload_bytes),
                "command");
}

static napi_value js_read_events(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  uint32_t node;
  uint8_t *into;
  size_t length;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !mp_sim_id(env, values[1], "node", &node) ||
      !mp_js_bytes(env, values[2], "readEvents: into", MP_CROSSING_EVENT_SLOT_BYTES, UINT32_MAX,
                   &into, &length))
    return NULL;
  const uint32_t slots = (uint32_t)(length / MP_CROSSING_EVENT_SLOT_BYTES);
  return mp_sim_answer(env, mp_world_read_events(world, node, into, slots), "readEvents");
}

static napi_value js_inject(napi_env env, napi_callback_info info)
{
  napi_value values[6];
  uint32_t node;
  int64_t port, udp_port;
  uint8_t *address, *bytes;
  size_t address_bytes, length;
  struct mp_world *world = mp_sim_call(env, info, values, 6);
  if (!world || !mp_sim_id(env, values[1], "node", &node) ||
      !mp_js_integer(env, values[2], "port", 0, MP_CROSSING_PORTS - 1, &port) ||
      !mp_js_bytes(env, values[3], "address", 4, 4, &address, &address_bytes) ||
      !mp_js_integer(env, values[4], "udpPort", 0, UINT16_MAX, &udp_port) ||
      !mp_js_bytes(env, values[5], "bytes", 0, UINT16_MAX, &bytes, &length))
    return NULL;
  return mp_sim_answer(env,
                mp_world_inject(world, node, (uint8_t)port, address, (uint16_t)udp_port, bytes,
                                (uint32_t)length),
                "inject");
}

/* The node that has something to tell, or -1 when the time has come. */
static napi_value js_run_until(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  int64_t until_us;
  uint32_t node = 0;
  struct mp_world *world = mp_sim_call(env, info, values, 2);
  if (!world || !mp_js_integer(env, values[1], "runUntil: us", 0, MP_SIM_MOST_US, &until_us))
    return NULL;
  const int reason = mp_world_run(world, (uint64_t)until_us, &node);
  if (reason < 0)
    return mp_sim_answer(env, reason, "runUntil");
  return mp_js_of_number(env, reason == MP_WORLD_EVENTS ? (double)node : -1);
}

NAPI_MODULE_INIT()
{
  static const struct mp_js_function functions[] = {
      {"digest", js_digest},
      {"worldOpen", js_world_open},
      {"worldClose", js_world_close},
      {"worldState", js_world_state},
      {"runUntil", js_run_until},
      {"nodeAdd", js_node_add},
      {"command", js_command},
      {"readEvents", js_read_events},
      {"linkAdd", mp_sim_link_add},
      {"linkSet", mp_sim_link_set},
      {"linkDown", mp_sim_link_down},
      {"linkNarrow", mp_sim_link_narrow},
      {"linkRebind", mp_sim_link_rebind},
      {"linkCounters", mp_sim_link_counters},
      {"linkBacklog", mp_sim_link_backlog},
      {"linkInflicted", mp_sim_link_inflicted},
      {"portFail", js_port_fail},
      {"nodePause", js_node_pause},
      {"inject", js_inject},
      {"captureStart", mp_sim_capture_start},
      {"captureTake", mp_sim_capture_take},
      {"flowAdd", mp_sim_flow_add},
      {"flowStop", mp_sim_flow_stop},
      {"flowStats", mp_sim_flow_stats},
      {"streamAdd", mp_sim_stream_add},
      {"streamJoin", mp_sim_stream_join},
      {"streamStats", mp_sim_stream_stats},
      {"pingAdd", mp_sim_ping_add},
      {"pingStats", mp_sim_ping_stats},
      {"talkStop", mp_sim_talk_stop},
  };
  mp_js_export(env, exports, functions, sizeof functions / sizeof *functions);
  return exports;
}
