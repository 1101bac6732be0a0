#include <errno.h>

#include "binding.h"

napi_value mp_sim_flow_add(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  double from_node, to_node, from_port, to_port, dscp, payload, interval, burst, start, count;
  struct mp_flow_config config;
  struct mp_world *world = mp_sim_call(env, info, values, 2);
  if (!world || !mp_sim_optional(env, values[1], "fromNode", UINT32_MAX, &from_node) ||
      !mp_sim_optional(env, values[1], "toNode", UINT32_MAX, &to_node) ||
      !mp_sim_address(env, values[1], "from", config.from) ||
      !mp_sim_address(env, values[1], "to", config.to) ||
      !mp_sim_optional(env, values[1], "fromPort", UINT16_MAX, &from_port) ||
      !mp_sim_optional(env, values[1], "toPort", UINT16_MAX, &to_port) ||
      !mp_sim_optional(env, values[1], "dscp", 63, &dscp) ||
      !mp_sim_optional(env, values[1], "payloadBytes", MP_LIMIT_PACKET_BYTES, &payload) ||
      !mp_sim_optional(env, values[1], "intervalNs", 1e15, &interval) ||
      !mp_sim_optional(env, values[1], "burst", MP_FLOW_MOST_BURST, &burst) ||
      !mp_sim_optional(env, values[1], "startUs", MP_SIM_MOST_US, &start) ||
      !mp_sim_optional(env, values[1], "count", 1e12, &count))
    return NULL;
  config.from_node = (uint32_t)from_node;
  config.to_node = (uint32_t)to_node;
  config.from_port = (uint16_t)from_port;
  config.to_port = (uint16_t)to_port;
  config.dscp = (uint8_t)dscp;
  config.payload_bytes = (uint32_t)payload;
  config.interval_ns = (uint64_t)interval;
  config.burst = burst > 0 ? (uint32_t)burst : 1;
  config.start_us = (uint64_t)start;
  config.count = (uint64_t)count;
  return mp_sim_answer(env, mp_world_flow_add(world, &config), "flowAdd");
}

napi_value mp_sim_flow_stop(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  uint32_t flow;
  struct mp_world *world = mp_sim_call(env, info, values, 2);
  if (!world || !mp_sim_id(env, values[1], "flow", &flow))
    return NULL;
  return mp_sim_answer(env, mp_world_flow_stop(world, flow), "flowStop");
}

napi_value mp_sim_flow_stats(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  uint32_t flow;
  bool restart = false;
  struct mp_flow_stats stats;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !mp_sim_id(env, values[1], "flow", &flow))
    return NULL;
  napi_get_value_bool(env, values[2], &restart);
  if (mp_world_flow_stats(world, flow, restart, &stats) != 0)
    return mp_sim_answer(env, -EINVAL, "flowStats");
  napi_value object = mp_js_object(env), paths = NULL;
  const struct {
    const char *name;
    double value;
  } numbers[] = {
      {"sent", (double)stats.sent},
      {"received", (double)stats.received},
      {"receivedBytes", (double)stats.received_bytes},
      {"lost", (double)(stats.sent - stats.received)},
      {"duplicated", (double)stats.duplicated},
      {"damaged", (double)stats.damaged},
      {"reordered", (double)stats.reordered},
      {"longestGapUs", (double)stats.longest_gap_us},
      {"delayMinUs", (double)stats.delay_min_us},
      {"delayMeanUs", stats.delay_mean_us},
      {"delayP50Us", (double)stats.delay_p50_us},
      {"delayP99Us", (double)stats.delay_p99_us},
      {"delayMaxUs", (double)stats.delay_max_us},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    mp_js_set(env, object, numbers[i].name, mp_js_of_number(env, numbers[i].value));
  napi_create_array_with_length(env, MP_LIMIT_PATHS, &paths);
  for (uint32_t path = 0; path < MP_LIMIT_PATHS; path++)
    napi_set_element(env, paths, path, mp_js_of_number(env, (double)stats.by_path[path]));
  mp_js_set(env, object, "byPath", paths);
  return object;
}
