#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

static bool read_trace(napi_env env, napi_value object, struct mp_link_trace *trace)
{
  napi_value value;
  napi_typedarray_type type;
  size_t length;
  void *data;
  if (!mp_js_property(env, object, "options", "trace", &value))
    return false;
  if (mp_js_is_absent(env, value))
    return true;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok ||
      type != napi_uint32_array)
    return mp_js_bug(env, "trace must be a Uint32Array of milliseconds");
  *trace = (struct mp_link_trace){.opportunity_ms = data, .count = (uint32_t)length};
  return true;
}

static bool read_config(napi_env env, napi_value object, struct mp_link_config *config)
{
  double rate, delay, jitter, law, queue, queue_us, limit, overhead, down;
  *config = (struct mp_link_config){0};
  if (!read_trace(env, object, &config->trace) ||
      !mp_sim_optional(env, object, "rateBytesPerS", 1e12, &rate) ||
      !mp_sim_optional(env, object, "delayUs", 3.6e9, &delay) ||
      !mp_sim_optional(env, object, "jitterUs", 3.6e9, &jitter) ||
      !mp_sim_optional(env, object, "jitterUniform", 1, &law) ||
      !mp_sim_optional(env, object, "loss", 1, &config->loss) ||
      !mp_sim_optional(env, object, "lossBurst", 1e9, &config->loss_burst) ||
      !mp_sim_optional(env, object, "duplicate", 1, &config->duplicate) ||
      !mp_sim_optional(env, object, "queueBytes", 1e12, &queue) ||
      !mp_sim_optional(env, object, "queueUs", 3.6e9, &queue_us) ||
      !mp_sim_optional(env, object, "limitPackets", UINT32_MAX, &limit) ||
      !mp_sim_optional(env, object, "overheadBytes", 65535, &overhead) ||
      !mp_sim_optional(env, object, "down", 1, &down))
    return false;
  config->rate_bytes_per_s = (uint64_t)rate;
  config->delay_us = (uint64_t)delay;
  config->jitter_us = (uint64_t)jitter;
  config->jitter_law = law > 0 ? MP_LINK_JITTER_UNIFORM : MP_LINK_JITTER_NORMAL;
  config->queue_bytes = (uint64_t)queue;
  config->queue_us = (uint64_t)queue_us;
  config->limit_packets = (uint32_t)limit;
  config->overhead_bytes = (uint32_t)overhead;
  config->down = down > 0;
  return true;
}

static bool read_end(napi_env env, napi_value link, const char *name, struct mp_world_end *end)
{
  napi_value object;
  double node, port, udp_port;
  if (!mp_js_property(env, link, "link", name, &object) ||
      !mp_sim_optional(env, object, "node", UINT32_MAX, &node) ||
      !mp_sim_optional(env, object, "port", MP_CROSSING_PORTS - 1, &port) ||
      !mp_sim_optional(env, object, "udpPort", UINT16_MAX, &udp_port) ||
      !mp_sim_address(env, object, "address", end->address))
    return false;
  end->node = (uint32_t)node;
  end->port = (uint8_t)port;
  end->udp_port = (uint16_t)udp_port;
  return true;
}

napi_value mp_sim_link_add(napi_env env, napi_callback_info info)
{
  napi_value values[2], forward, backward, nat;
  struct mp_world_link link = {0};
  struct mp_world *world = mp_sim_call(env, info, values, 2);
  if (!world || !read_end(env, values[1], "a", &link.a) ||
      !read_end(env, values[1], "b", &link.b) ||
      !mp_js_property(env, values[1], "link", "forward", &forward) ||
      !mp_js_property(env, values[1], "link", "backward", &backward) ||
      !mp_js_property(env, values[1], "link", "nat", &nat) ||
      !read_config(env, forward, &link.forward) || !read_config(env, backward, &link.backward))
    return NULL;
  link.nat = !mp_js_is_absent(env, nat);
  double udp_port = 0, mtu;
  if (!mp_sim_optional(env, values[1], "mtuBytes", UINT16_MAX, &mtu))
    return NULL;
  link.mtu_bytes = (uint32_t)mtu;
  if (link.nat && (!mp_sim_address(env, nat, "address", link.nat_address) ||
                   !mp_sim_optional(env, nat, "udpPort", UINT16_MAX, &udp_port)))
    return NULL;
  link.nat_udp_port = (uint16_t)udp_port;
  return mp_sim_answer(env, mp_world_link_add(world, &link), "linkAdd");
}

static bool read_way(napi_env env, napi_value *values, uint32_t *link,
                     enum mp_world_direction *direction)
{
  int64_t number;
  if (!mp_sim_id(env, values[1], "link", link) ||
      !mp_js_integer(env, values[2], "direction", 0, 1, &number))
    return false;
  *direction = number ? MP_WORLD_BACKWARD : MP_WORLD_FORWARD;
  return true;
}

napi_value mp_sim_link_set(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  uint32_t link;
  enum mp_world_direction direction;
  struct mp_link_config config;
  struct mp_world *world = mp_sim_call(env, info, values, 4);
  if (!world || !read_way(env, values, &link, &direction) || !read_config(env, values[3], &config))
    return NULL;
  return mp_sim_answer(env, mp_world_link_set(world, link, direction, &config), "linkSet");
}

napi_value mp_sim_link_down(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  uint32_t link;
  enum mp_world_direction direction;
  bool down;
  struct mp_world *world = mp_sim_call(env, info, values, 4);
  if (!world || !read_way(env, values, &link, &direction))
    return NULL;
  if (napi_get_value_bool(env, values[3], &down) != napi_ok) {
    mp_js_bug(env, "linkDown: down must be a boolean");
    return NULL;
  }
  return mp_sim_answer(env, mp_world_link_down(world, link, direction, down), "linkDown");
}

napi_value mp_sim_link_narrow(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  uint32_t link;
  int64_t mtu;
  bool drops_fragments;
  struct mp_world *world = mp_sim_call(env, info, values, 4);
  if (!world || !mp_sim_id(env, values[1], "link", &link) ||
      !mp_js_integer(env, values[2], "linkNarrow: mtuBytes", 0, UINT16_MAX, &mtu))
    return NULL;
  if (napi_get_value_bool(env, values[3], &drops_fragments) != napi_ok) {
    mp_js_bug(env, "linkNarrow: dropsFragments must be a boolean");
    return NULL;
  }
  return mp_sim_answer(env, mp_world_link_narrow(world, link, (uint32_t)mtu, drops_fragments),
                       "linkNarrow");
}

napi_value mp_sim_link_rebind(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  uint32_t link;
  uint8_t *address;
  size_t length;
  int64_t udp_port;
  struct mp_world *world = mp_sim_call(env, info, values, 4);
  if (!world || !mp_sim_id(env, values[1], "link", &link) ||
      !mp_js_bytes(env, values[2], "linkRebind: address", 4, 4, &address, &length) ||
      !mp_js_integer(env, values[3], "linkRebind: udpPort", 0, UINT16_MAX, &udp_port))
    return NULL;
  return mp_sim_answer(env, mp_world_link_rebind(world, link, address, (uint16_t)udp_port), "linkRebind");
}

napi_value mp_sim_link_counters(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  uint32_t link;
  enum mp_world_direction direction;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !read_way(env, values, &link, &direction))
    return NULL;
  const struct mp_link_counters *counters = mp_world_link_counters(world, link, direction);
  if (!counters)
    return mp_sim_answer(env, -EINVAL, "linkCounters");
  napi_value object = mp_js_object(env);
  mp_js_set(env, object, "offered", mp_js_of_number(env, (double)counters->offered_packets));
  mp_js_set(env, object, "offeredBytes", mp_js_of_number(env, (double)counters->offered_bytes));
  mp_js_set(env, object, "accepted", mp_js_of_number(env, (double)counters->accepted_packets));
  mp_js_set(env, object, "acceptedBytes", mp_js_of_number(env, (double)counters->accepted_bytes));
  mp_js_set(env, object, "lost", mp_js_of_number(env, (double)counters->lost_packets));
  mp_js_set(env, object, "full", mp_js_of_number(env, (double)counters->full_packets));
  mp_js_set(env, object, "refused", mp_js_of_number(env, (double)counters->refused_packets));
  mp_js_set(env, object, "cut", mp_js_of_number(env, (double)counters->cut_packets));
  return object;
}

typedef int64_t link_reading(struct mp_world *world, uint32_t link,
                             enum mp_world_direction direction);

static napi_value answer_reading(napi_env env, napi_callback_info info, link_reading *read,
                                 const char *name)
{
  napi_value values[3];
  uint32_t link;
  enum mp_world_direction direction;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !read_way(env, values, &link, &direction))
    return NULL;
  return mp_sim_answer(env, read(world, link, direction), name);
}

napi_value mp_sim_link_backlog(napi_env env, napi_callback_info info)
{
  return answer_reading(env, info, mp_world_link_backlog_bytes, "linkBacklog");
}

napi_value mp_sim_link_inflicted(napi_env env, napi_callback_info info)
{
  return answer_reading(env, info, mp_world_link_inflicted_us, "linkInflicted");
}

napi_value mp_sim_capture_start(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  uint32_t link, limit;
  enum mp_world_direction direction;
  struct mp_world *world = mp_sim_call(env, info, values, 4);
  if (!world || !read_way(env, values, &link, &direction) ||
      !mp_sim_id(env, values[3], "captureStart: limit", &limit))
    return NULL;
  return mp_sim_answer(env, mp_world_capture(world, link, direction, limit), "captureStart");
}

napi_value mp_sim_capture_take(napi_env env, napi_callback_info info)
{
  napi_value values[3], list = NULL;
  uint32_t link;
  enum mp_world_direction direction;
  struct mp_world *world = mp_sim_call(env, info, values, 3);
  if (!world || !read_way(env, values, &link, &direction))
    return NULL;
  napi_create_array(env, &list);
  struct mp_world_capture *capture;
  for (uint32_t i = 0; (capture = mp_world_captured(world, link, direction)); i++) {
    void *data = NULL;
    napi_value buffer = NULL, bytes = NULL, item = mp_js_object(env);
    if (napi_create_arraybuffer(env, capture->length, &data, &buffer) == napi_ok)
      memcpy(data, capture->bytes, capture->length);
    napi_create_typedarray(env, napi_uint8_array, capture->length, buffer, 0, &bytes);
    mp_js_set(env, item, "atUs", mp_js_of_number(env, (double)capture->at_us));
    mp_js_set(env, item, "bytes", bytes);
    napi_set_element(env, list, i, item);
    free(capture);
  }
  return list;
}
