#include <errno.h>

#include "binding.h"

napi_value mp_sim_stream_add(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  double from_node, to_node, from_port, to_port, dscp, transport, congestion, payload, bytes, plain,
      start;
  struct mp_stream_config config = {0};
  struct mp_world *world = mp_sim_call(env, info, values, 2);
  if (!world || !mp_sim_optional(env, values[1], "fromNode", UINT32_MAX, &from_node) ||
      !mp_sim_optional(env, values[1], "toNode", UINT32_MAX, &to_node) ||
      !mp_sim_address(env, values[1], "from", config.flow.from) ||
      !mp_sim_address(env, values[1], "to", config.flow.to) ||
      !mp_sim_optional(env, values[1], "fromPort", UINT16_MAX, &from_port) ||
      !mp_sim_optional(env, values[1], "toPort", UINT16_MAX, &to_port) ||
      !mp_sim_optional(env, values[1], "dscp", 63, &dscp) ||
      !mp_sim_optional(env, values[1], "transport", MP_TRANSPORT_QUIC, &transport) ||
      !mp_sim_optional(env, values[1], "congestion", MP_CONGESTION_NEWRENO, &congestion) ||
      !mp_sim_optional(env, values[1], "payloadBytes", MP_LIMIT_PACKET_BYTES, &payload) ||
      !mp_sim_optional(env, values[1], "bytes", 1e12, &bytes) ||
      !mp_sim_optional(env, values[1], "plain", 1, &plain) ||
      !mp_sim_optional(env, values[1], "startUs", MP_SIM_MOST_US, &start))
    return NULL;
  config.from_node = (uint32_t)from_node;
  config.to_node = (uint32_t)to_node;
  config.flow.from_port = (uint16_t)from_port;
  config.flow.to_port = (uint16_t)to_port;
  config.flow.dscp = (uint8_t)dscp;
  config.transport = (enum mp_transport)transport;
  config.congestion = (enum mp_congestion_kind)congestion;
  config.payload_bytes = (uint32_t)payload;
  config.bytes = (uint64_t)bytes;
  config.plain = plain > 0;
  config.start_us = (uint64_t)start;
  return mp_sim_answer(env, mp_world_stream_add(world, &config), "streamAdd");
}

napi_value mp_sim_stream_join(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  uint32_t one, other;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !mp_sim_id(env, values[1], "one", &one) ||
      !mp_sim_id(env, values[2], "other", &other))
    return NULL;
  return mp_sim_answer(env, mp_world_stream_join(world, one, other), "streamJoin");
}

napi_value mp_sim_talk_stop(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  uint32_t stream;
  struct mp_world *world = mp_sim_call(env, info, values, 2);
  if (!world || !mp_sim_id(env, values[1], "talk", &stream))
    return NULL;
  return mp_sim_answer(env, mp_world_talk_stop(world, stream), "talkStop");
}

static void set_list(napi_env env, napi_value object, const char *name, napi_value *numbers,
                     uint32_t count)
{
  napi_value list = NULL;
  napi_create_array_with_length(env, count, &list);
  for (uint32_t i = 0; i < count; i++)
    napi_set_element(env, list, i, numbers[i]);
  mp_js_set(env, object, name, list);
}

napi_value mp_sim_stream_stats(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  uint32_t stream;
  bool restart = false;
  struct mp_stream_stats stats;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !mp_sim_id(env, values[1], "stream", &stream))
    return NULL;
  napi_get_value_bool(env, values[2], &restart);
  if (mp_world_stream_stats(world, stream, restart, &stats) != 0)
    return mp_sim_answer(env, -EINVAL, "streamStats");
  napi_value object = mp_js_object(env), slots = NULL;
  const struct {
    const char *name;
    double value;
  } numbers[] = {
      {"transmissions", (double)stats.transmissions},
      {"arrivals", (double)stats.arrivals},
      {"duplicated", (double)stats.duplicated},
      {"damaged", (double)stats.damaged},
      {"deliveredBytes", (double)stats.delivered_bytes},
      {"finishedUs", (double)stats.finished_us},
      {"retransmits", (double)stats.counts.retransmits},
      {"recoveries", (double)stats.counts.recoveries},
      {"timeouts", (double)stats.counts.timeouts},
      {"probes", (double)stats.counts.probes},
      {"undos", (double)stats.counts.undos},
      {"reordered", (double)stats.reordered},
      {"longestGapUs", (double)stats.longest_gap_us},
      {"longestPauseUs", (double)stats.longest_pause_us},
      {"delayMinUs", (double)stats.delay_min_us},
      {"delayP50Us", (double)stats.delay_p50_us},
      {"delayP99Us", (double)stats.delay_p99_us},
      {"delayMaxUs", (double)stats.delay_max_us},
      {"srttUs", (double)stats.srtt_us},
      {"minRttUs", (double)stats.min_rtt_us},
      {"window", (double)stats.window},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    mp_js_set(env, object, numbers[i].name, mp_js_of_number(env, numbers[i].value));
  napi_value paths[MP_LIMIT_PATHS];
  for (uint32_t path = 0; path < MP_LIMIT_PATHS; path++)
    paths[path] = mp_js_of_number(env, (double)stats.by_path[path]);
  set_list(env, object, "byPath", paths, MP_LIMIT_PATHS);
  napi_create_array_with_length(env, stats.slot_count, &slots);
  for (uint32_t i = 0; i < stats.slot_count; i++)
    napi_set_element(env, slots, i, mp_js_of_number(env, (double)stats.slots[i]));
  mp_js_set(env, object, "bytesPer100Ms", slots);
  return object;
}

napi_value mp_sim_ping_add(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  double from_node, to_node, id, dscp, payload, interval, start, count;
  struct mp_ping_config config = {0};
  struct mp_world *world = mp_sim_call(env, info, values, 2);
  if (!world || !mp_sim_optional(env, values[1], "fromNode", UINT32_MAX, &from_node) ||
      !mp_sim_optional(env, values[1], "toNode", UINT32_MAX, &to_node) ||
      !mp_sim_address(env, values[1], "from", config.flow.from) ||
      !mp_sim_address(env, values[1], "to", config.flow.to) ||
      !mp_sim_optional(env, values[1], "identifier", UINT16_MAX, &id) ||
      !mp_sim_optional(env, values[1], "dscp", 63, &dscp) ||
      !mp_sim_optional(env, values[1], "payloadBytes", MP_LIMIT_PACKET_BYTES, &payload) ||
      !mp_sim_optional(env, values[1], "intervalUs", 3.6e9, &interval) ||
      !mp_sim_optional(env, values[1], "startUs", MP_SIM_MOST_US, &start) ||
      !mp_sim_optional(env, values[1], "count", 1e12, &count))
    return NULL;
  config.from_node = (uint32_t)from_node;
  config.to_node = (uint32_t)to_node;
  config.flow.from_port = (uint16_t)id;
  config.flow.dscp = (uint8_t)dscp;
  config.payload_bytes = (uint32_t)payload;
  config.interval_us = (uint64_t)interval;
  config.start_us = (uint64_t)start;
  config.count = (uint64_t)count;
  return mp_sim_answer(env, mp_world_ping_add(world, &config), "pingAdd");
}

napi_value mp_sim_ping_stats(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  uint32_t ping;
  bool restart = false;
  struct mp_ping_stats stats;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !mp_sim_id(env, values[1], "ping", &ping))
    return NULL;
  napi_get_value_bool(env, values[2], &restart);
  if (mp_world_ping_stats(world, ping, restart, &stats) != 0)
    return mp_sim_answer(env, -EINVAL, "pingStats");
  napi_value object = mp_js_object(env);
  mp_js_set(env, object, "sent", mp_js_of_number(env, (double)stats.sent));
  mp_js_set(env, object, "answered", mp_js_of_number(env, (double)stats.answered));
  mp_js_set(env, object, "lost", mp_js_of_number(env, (double)(stats.sent - stats.answered)));
  mp_js_set(env, object, "duplicated", mp_js_of_number(env, (double)stats.duplicated));
  mp_js_set(env, object, "minUs", mp_js_of_number(env, (double)stats.min_us));
  mp_js_set(env, object, "meanUs", mp_js_of_number(env, stats.mean_us));
  mp_js_set(env, object, "p50Us", mp_js_of_number(env, (double)stats.p50_us));
  mp_js_set(env, object, "p99Us", mp_js_of_number(env, (double)stats.p99_us));
  mp_js_set(env, object, "maxUs", mp_js_of_number(env, (double)stats.max_us));
  return object;
}
