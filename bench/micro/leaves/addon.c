/* The leaves inside node, so that sealing is measured with the OpenSSL that a tunnel has. */
#include <node_api.h>
#include <string.h>
#include <time.h>

#include "leaf.h"

#define ROUND_NS 2000000ull /* measured time of one round: long against the clock, short of a tick */

static const struct leaf *const timed_leaves[] = {
    sealing_leaves, classify_leaves, headers_leaves,  order_leaves, queue_leaves,
    offload_leaves, corridor_leaves, way_leaves,      clients_leaves,
    far_leaves,      NULL};

static uint64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* Nanoseconds a packet in the quickest round: whatever else the machine does only adds. */
static double measure(const struct leaf *leaf, unsigned rounds)
{
  double least_ns = 1e9;
  for (unsigned round = 0; round < rounds; round++) {
    uint64_t spent_ns = 0, packets = 0;
    while (spent_ns < ROUND_NS) {
      if (leaf->prepare)
        leaf->prepare();
      const uint64_t started_ns = now_ns();
      packets += leaf->run();
      spent_ns += now_ns() - started_ns;
    }
    const double each_ns = (double)spent_ns / (double)packets;
    if (each_ns < least_ns)
      least_ns = each_ns;
  }
  return least_ns;
}

/* measure(rounds) -> { [name]: nanoseconds a packet } */
static napi_value js_measure(napi_env env, napi_callback_info info)
{
  size_t count = 1;
  napi_value argument, answer;
  uint32_t rounds = 0;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok ||
      napi_get_value_uint32(env, argument, &rounds) != napi_ok || rounds == 0) {
    napi_throw_type_error(env, NULL, "measure(rounds): a number of rounds is needed");
    return NULL;
  }
  napi_create_object(env, &answer);
  for (const struct leaf *const *group = timed_leaves; *group; group++) {
    for (const struct leaf *leaf = *group; leaf->name; leaf++) {
      if (leaf->open()) {
        napi_value value;
        napi_create_double(env, measure(leaf, rounds), &value);
        napi_set_named_property(env, answer, leaf->name, value);
      }
      if (leaf->close)
        leaf->close();
    }
  }
  return answer;
}

NAPI_MODULE_INIT()
{
  napi_value measure_function;
  napi_create_function(env, "measure", NAPI_AUTO_LENGTH, js_measure, NULL, &measure_function);
  napi_set_named_property(env, exports, "measure", measure_function);
  return exports;
}
