#include "binding_arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void throw(napi_env env, const char *code, const char *format, va_list arguments)
{
  char message[256];
  vsnprintf(message, sizeof message, format, arguments);
  napi_throw_error(env, code, message);
}

void mp_js_throw(napi_env env, const char *code, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  throw(env, code, format, arguments);
  va_end(arguments);
}

bool mp_js_bug(napi_env env, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  throw(env, "MPTUN_E_BUG", format, arguments);
  va_end(arguments);
  return false;
}

void mp_js_throw_fault(napi_env env, const struct mp_fault *fault)
{
  char message[256];
  snprintf(message, sizeof message, "%s: %s", fault->syscall, strerror(fault->error));
  napi_value error;
  if (napi_create_error(env, mp_js_of_text(env, "MPTUN_E_SYSTEM"), mp_js_of_text(env, message),
                        &error) != napi_ok)
    return;
  mp_js_set(env, error, "errno", mp_js_of_number(env, fault->error));
  mp_js_set(env, error, "syscall", mp_js_of_text(env, fault->syscall));
  napi_throw(env, error);
}

bool mp_js_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count)
{
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok)
    return mp_js_bug(env, "the arguments cannot be read");
  if (given > count)
    return mp_js_bug(env, "%zu arguments where at most %zu are taken", given, count);
  return true;
}

bool mp_js_number(napi_env env, napi_value value, const char *what, double least, double most,
                  double *out)
{
  if (napi_get_value_double(env, value, out) != napi_ok)
    return mp_js_bug(env, "%s must be a number", what);
  if (!(*out >= least && *out <= most))
    return mp_js_bug(env, "%s must be in %.17g..%.17g, got %.17g", what, least, most, *out);
  return true;
}

bool mp_js_integer(napi_env env, napi_value value, const char *what, int64_t least, int64_t most,
                   int64_t *out)
{
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok)
    return mp_js_bug(env, "%s must be an integer", what);
  if (!(number >= (double)least && number <= (double)most) || trunc(number) != number)
    return mp_js_bug(env, "%s must be an integer in %" PRId64 "..%" PRId64 ", got %.17g", what,
                     least, most, number);
  *out = (int64_t)number;
  return true;
}

bool mp_js_text(napi_env env, napi_value value, const char *what, char *out, size_t room)
{
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
    return mp_js_bug(env, "%s must be a string", what);
  if (length >= room)
    return mp_js_bug(env, "%s must be shorter than %zu octets, got %zu", what, room, length);
  napi_get_value_string_utf8(env, value, out, room, &length);
  if (strlen(out) != length)
    return mp_js_bug(env, "%s must not contain a zero", what);
  return true;
}

bool mp_js_bytes(napi_env env, napi_value value, const char *what, size_t least, size_t most,
                 uint8_t **bytes, size_t *length)
{
  napi_typedarray_type type;
  void *data;
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
      napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok ||
      type != napi_uint8_array)
    return mp_js_bug(env, "%s must be a Uint8Array", what);
  if (*length < least || *length > most)
    return mp_js_bug(env, "%s must have %zu..%zu octets, got %zu", what, least, most, *length);
  *bytes = data;
  return true;
}

bool mp_js_is_absent(napi_env env, napi_value value)
{
  napi_valuetype type;
  return napi_typeof(env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

bool mp_js_property(napi_env env, napi_value object, const char *what, const char *name,
                    napi_value *out)
{
  napi_valuetype type;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object)
    return mp_js_bug(env, "%s must be an object", what);
  return napi_get_named_property(env, object, name, out) == napi_ok;
}

napi_value mp_js_object(napi_env env)
{
  napi_value object = NULL;
  napi_create_object(env, &object);
  return object;
}

napi_value mp_js_of_number(napi_env env, double value)
{
  napi_value number = NULL;
  napi_create_double(env, value, &number);
  return number;
}

napi_value mp_js_of_text(napi_env env, const char *text)
{
  napi_value string = NULL;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &string);
  return string;
}

napi_value mp_js_of_boolean(napi_env env, bool value)
{
  napi_value boolean = NULL;
  napi_get_boolean(env, value, &boolean);
  return boolean;
}

void mp_js_set(napi_env env, napi_value object, const char *name, napi_value value)
{
  napi_set_named_property(env, object, name, value);
}

void mp_js_export(napi_env env, napi_value exports, const struct mp_js_function *functions,
                  size_t count)
{
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL,
                             &function) == napi_ok)
      mp_js_set(env, exports, functions[i].name, function);
  }
}
