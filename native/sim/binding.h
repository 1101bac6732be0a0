/* What the files of the simulation's binding share: reading a call and answering it. */
#ifndef MP_SIM_BINDING_H
#define MP_SIM_BINDING_H

#include "binding_arguments.h"
#include "contract.h"
#include "world.h"

#define MP_SIM_MOST_US ((1ll << 53) - 1)

/* Reads the arguments of a call whose first is a world that is open; NULL after it has thrown. */
struct mp_world *mp_sim_call(napi_env env, napi_callback_info info, napi_value *values,
                             size_t count);

/* The result itself; one below 0 is an errno and thrown. */
napi_value mp_sim_answer(napi_env env, int64_t result, const char *what);

bool mp_sim_id(napi_env env, napi_value value, const char *what, uint32_t *id);

/* A property that is 0 when absent. */
bool mp_sim_optional(napi_env env, napi_value object, const char *name, double most, double *out);

/* A property that is an IPv4 address. */
bool mp_sim_address(napi_env env, napi_value object, const char *name, uint8_t out[4]);

/* binding_links.c */
napi_value mp_sim_link_add(napi_env env, napi_callback_info info);
napi_value mp_sim_link_set(napi_env env, napi_callback_info info);
napi_value mp_sim_link_down(napi_env env, napi_callback_info info);
napi_value mp_sim_link_narrow(napi_env env, napi_callback_info info);
napi_value mp_sim_link_rebind(napi_env env, napi_callback_info info);
napi_value mp_sim_link_counters(napi_env env, napi_callback_info info);
napi_value mp_sim_link_backlog(napi_env env, napi_callback_info info);
napi_value mp_sim_link_inflicted(napi_env env, napi_callback_info info);
napi_value mp_sim_capture_start(napi_env env, napi_callback_info info);
napi_value mp_sim_capture_take(napi_env env, napi_callback_info info);

/* binding_flows.c */
napi_value mp_sim_flow_add(napi_env env, napi_callback_info info);
napi_value mp_sim_flow_stop(napi_env env, napi_callback_info info);
napi_value mp_sim_flow_stats(napi_env env, napi_callback_info info);

/* binding_streams.c */
napi_value mp_sim_ping_add(napi_env env, napi_callback_info info);
napi_value mp_sim_ping_stats(napi_env env, napi_callback_info info);
napi_value mp_sim_stream_add(napi_env env, napi_callback_info info);
napi_value mp_sim_stream_join(napi_env env, napi_callback_info info);
napi_value mp_sim_talk_stop(napi_env env, napi_callback_info info);
napi_value mp_sim_stream_stats(napi_env env, napi_callback_info info);

#endif
