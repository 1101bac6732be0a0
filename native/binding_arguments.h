/* Reading JavaScript values and throwing JavaScript errors, for the bindings only.
 *
 * Every reader returns false after it has thrown; its caller then returns NULL. Codes of errors:
 * MPTUN_E_BUG (a wrong argument: ours), MPTUN_E_CLOSED, MPTUN_E_SYSTEM (with errno and syscall).
 * `what` names the value in the message: "udpOpen: port". */
#ifndef MP_BINDING_ARGUMENTS_H
#define MP_BINDING_ARGUMENTS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

void mp_js_throw(napi_env env, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Always false, for `return mp_js_bug(...)`. */
bool mp_js_bug(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mp_js_throw_fault(napi_env env, const struct mp_fault *fault);

/* Takes exactly `count` arguments; those that are missing are undefined. */
bool mp_js_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count);

/* An integer in [least, most]. */
bool mp_js_integer(napi_env env, napi_value value, const char *what, int64_t least, int64_t most,
                   int64_t *out);
/* A finite number in [least, most]. */
bool mp_js_number(napi_env env, napi_value value, const char *what, double least, double most,
                  double *out);
/* Text shorter than `room`, without a zero. */
bool mp_js_text(napi_env env, napi_value value, const char *what, char *out, size_t room);
/* The octets of a Uint8Array of `least` to `most`, valid until the call returns. */
bool mp_js_bytes(napi_env env, napi_value value, const char *what, size_t least, size_t most,
                 uint8_t **bytes, size_t *length);

bool mp_js_is_absent(napi_env env, napi_value value); /* undefined or null */
bool mp_js_property(napi_env env, napi_value object, const char *what, const char *name,
                    napi_value *out);

/* Building answers. Nothing is checked: the only failure is an exception that is pending already. */
napi_value mp_js_object(napi_env env);
napi_value mp_js_of_number(napi_env env, double value);
napi_value mp_js_of_text(napi_env env, const char *text);
napi_value mp_js_of_boolean(napi_env env, bool value);
void mp_js_set(napi_env env, napi_value object, const char *name, napi_value value);

struct mp_js_function {
  const char *name;
  napi_callback call;
};
void mp_js_export(napi_env env, napi_value exports, const struct mp_js_function *functions,
                  size_t count);

#endif
