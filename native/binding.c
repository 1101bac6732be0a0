/* What JavaScript sees of the carrying half: about a dozen functions, listed at the end.
 *
 * An engine is a tagged external. It ends by close(), by its environment's end (a cleanup hook, for
 * workers and for a loop that runs empty) or at exit (atexit, because Node runs no cleanup hook on
 * process.exit() nor after an uncaught exception, and a thread inside OpenSSL must not outlive its
 * tables). Whichever comes first does the work; the others find it done. */
#define _GNU_SOURCE /* for udp.h */
#include <arpa/inet.h>
#include <errno.h>
#include <node_api.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "binding_arguments.h"
#include "contract.h"
#include "engine.h"
#include "seal.h"
#include "tun.h"
#include "udp.h"

struct handle {
  struct mp_engine *engine; /* NULL: closed */
  napi_env env;
  napi_threadsafe_function bell;
  struct handle *next, **link; /* in `living` */
};

/* All engines of the process: environments (workers) have their own handles, exit has all. */
static pthread_mutex_t living_lock = PTHREAD_MUTEX_INITIALIZER;
static struct handle *living;

/* Random, because two copies of this addon in one process must not take each other's handles. */
static napi_type_tag tag;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* [engine] Without payload: JavaScript comes and reads the ring. */
static void ring_bell(void *context)
{
  struct handle *handle = context;
  napi_call_threadsafe_function(handle->bell, NULL, napi_tsfn_nonblocking);
}

/* Stops the thread and erases its keys; no call of Node's. False when that was done before. */
static bool stop(struct handle *handle)
{
  pthread_mutex_lock(&living_lock);
  struct mp_engine *engine = handle->engine;
  handle->engine = NULL;
  if (engine) {
    *handle->link = handle->next;
    if (handle->next)
      handle->next->link = handle->link;
  }
  pthread_mutex_unlock(&living_lock);
  mp_engine_close(engine);
  return engine != NULL;
}

static void at_environment_end(void *context)
{
  struct handle *handle = context;
  if (stop(handle))
    napi_release_threadsafe_function(handle->bell, napi_tsfn_abort);
}

static void at_process_end(void)
{
  while (living)
    stop(living);
}

/* exit(3) waits for libuv's threads, and one that asks a name server which does not answer takes 10 s of
 * each that /etc/resolv.conf names: longer than whoever ends a service waits before it kills. */
static napi_value js_exit(napi_env env, napi_callback_info info)
{
  napi_value value;
  int64_t status;
  if (!mp_js_arguments(env, info, &value, 1) ||
      !mp_js_integer(env, value, "exit: status", 0, UINT8_MAX, &status))
    return NULL;
  at_process_end();
  _exit((int)status);
}

static void shut(struct handle *handle)
{
  if (!stop(handle))
    return;
  napi_remove_env_cleanup_hook(handle->env, at_environment_end, handle);
  napi_release_threadsafe_function(handle->bell, napi_tsfn_abort);
}

static void at_collection(napi_env env, void *data, void *hint)
{
  (void)env;
  (void)hint;
  shut(data);
  free(data);
}

static bool read_handle(napi_env env, napi_value value, struct handle **handle)
{
  napi_valuetype type;
  bool ours = false;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, value, &tag, &ours) != napi_ok || !ours)
    return mp_js_bug(env, "the handle must be one that open() returned");
  return napi_get_value_external(env, value, (void **)handle) == napi_ok;
}

static bool read_living_handle(napi_env env, napi_value value, struct handle **handle)
{
  if (!read_handle(env, value, handle))
    return false;
  if (!(*handle)->engine)
    mp_js_throw(env, "MPTUN_E_CLOSED", "the engine is closed");
  return (*handle)->engine != NULL;
}

static napi_value js_digest(napi_env env, napi_callback_info info)
{
  (void)info;
  return mp_js_of_text(env, MP_CONTRACT_DIGEST);
}

/* { [bit]: library }. */
static napi_value js_providers(napi_env env, uint8_t available)
{
  napi_value providers = mp_js_object(env);
  for (uint8_t bit = 1; bit != 0 && bit <= available; bit = (uint8_t)(bit << 1))
    if (available & bit)
      napi_set_element(env, providers, bit, mp_js_of_text(env, mp_seal_provider(bit)));
  return providers;
}

static napi_value js_aeads(napi_env env, napi_callback_info info)
{
  (void)info;
  const char *why = NULL;
  const uint8_t available = mp_seal_available(&why);
  napi_value answer = mp_js_object(env);
  mp_js_set(env, answer, "available", mp_js_of_number(env, available));
  mp_js_set(env, answer, "preferred", mp_js_of_number(env, mp_seal_preferred()));
  mp_js_set(env, answer, "providers", js_providers(env, available));
  mp_js_set(env, answer, "why", mp_js_of_text(env, why ? why : ""));
  return answer;
}

static bool read_request(napi_env env, napi_value options, struct mp_udp_request *request,
                         char device[IFNAMSIZ])
{
  napi_value family, address, port, name;
  int64_t number;
  char text[INET6_ADDRSTRLEN];
  if (!mp_js_property(env, options, "udpOpen: options", "family", &family) ||
      !mp_js_property(env, options, "udpOpen: options", "address", &address) ||
      !mp_js_property(env, options, "udpOpen: options", "port", &port) ||
      !mp_js_property(env, options, "udpOpen: options", "device", &name))
    return false;
  if (!mp_js_integer(env, family, "udpOpen: family", 4, 6, &number))
    return false;
  if (number == 5)
    return mp_js_bug(env, "udpOpen: family must be 4 or 6");
  request->family = (uint8_t)number;
  if (!mp_js_is_absent(env, address)) {
    if (!mp_js_text(env, address, "udpOpen: address", text, sizeof text))
      return false;
    if (inet_pton(request->family == 4 ? AF_INET : AF_INET6, text, request->address) != 1)
      return mp_js_bug(env, "udpOpen: address must be IPv%d, got %s", request->family, text);
  }
  if (!mp_js_integer(env, port, "udpOpen: port", 0, UINT16_MAX, &number))
    return false;
  request->port = (uint16_t)number;
  if (mp_js_is_absent(env, name))
    return true;
  request->device = device;
  return mp_js_text(env, name, "udpOpen: device", device, IFNAMSIZ);
}

static napi_value js_udp_open(napi_env env, napi_callback_info info)
{
  napi_value options;
  char device[IFNAMSIZ], text[INET6_ADDRSTRLEN] = "";
  struct mp_udp_request request = {0};
  if (!mp_js_arguments(env, info, &options, 1) || !read_request(env, options, &request, device))
    return NULL;
  struct mp_fault fault;
  uint16_t port;
  const int fd = mp_udp_open(&request, &port, &fault);
  if (fd < 0) {
    mp_js_throw_fault(env, &fault);
    return NULL;
  }
  inet_ntop(request.family == 4 ? AF_INET : AF_INET6, request.address, text, sizeof text);
  napi_value answer = mp_js_object(env);
  mp_js_set(env, answer, "fd", mp_js_of_number(env, fd));
  mp_js_set(env, answer, "port", mp_js_of_number(env, port));
  mp_js_set(env, answer, "address", mp_js_of_text(env, text));
  return answer;
}

static napi_value js_tun_open(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  char wanted[IFNAMSIZ], name[IFNAMSIZ];
  int64_t offload;
  if (!mp_js_arguments(env, info, values, 2))
    return NULL;
  const bool named = !mp_js_is_absent(env, values[0]);
  if ((named && !mp_js_text(env, values[0], "tunOpen: name", wanted, sizeof wanted)) ||
      !mp_js_integer(env, values[1], "tunOpen: offload", 0, 1, &offload))
    return NULL;
  struct mp_fault fault;
  const int fd = mp_tun_open(named ? wanted : NULL, offload, name, &fault);
  if (fd < 0) {
    mp_js_throw_fault(env, &fault);
    return NULL;
  }
  napi_value answer = mp_js_object(env);
  mp_js_set(env, answer, "fd", mp_js_of_number(env, fd));
  mp_js_set(env, answer, "name", mp_js_of_text(env, name));
  return answer;
}

static napi_value js_fd_close(napi_env env, napi_callback_info info)
{
  napi_value value;
  int64_t fd;
  /* Never the standard streams, whatever went wrong. */
  if (mp_js_arguments(env, info, &value, 1) &&
      mp_js_integer(env, value, "fdClose: fd", 3, INT32_MAX, &fd) && close((int)fd) != 0)
    mp_js_throw_fault(env, &(struct mp_fault){errno, "close"});
  return NULL;
}

/* flock(2): for as long as a descriptor of the same open file lives. False when another one has it. */
static napi_value js_fd_lock(napi_env env, napi_callback_info info)
{
  napi_value value;
  int64_t fd;
  if (!mp_js_arguments(env, info, &value, 1) ||
      !mp_js_integer(env, value, "fdLock: fd", 3, INT32_MAX, &fd))
    return NULL;
  const bool taken = flock((int)fd, LOCK_EX | LOCK_NB) == 0;
  if (taken || errno == EWOULDBLOCK)
    return mp_js_of_boolean(env, taken);
  mp_js_throw_fault(env, &(struct mp_fault){errno, "flock"});
  return NULL;
}

static bool read_options(napi_env env, napi_value options, struct mp_engine_options *out)
{
  napi_value tun_fd, seed, offload;
  int64_t number;
  if (!mp_js_property(env, options, "open: options", "tunFd", &tun_fd) ||
      !mp_js_property(env, options, "open: options", "offload", &offload) ||
      !mp_js_property(env, options, "open: options", "seed", &seed))
    return false;
  if (!mp_js_integer(env, offload, "open: offload", 0, 1, &number))
    return false;
  out->offload = number;
  if (!mp_js_integer(env, tun_fd, "open: tunFd", 3, INT32_MAX, &number))
    return false;
  out->tun_fd = (int)number;
  if (mp_js_is_absent(env, seed)) {
    if (getrandom(&out->seed, sizeof out->seed, 0) == sizeof out->seed)
      return true;
    mp_js_throw_fault(env, &(struct mp_fault){errno, "getrandom"});
    return false;
  }
  if (!mp_js_integer(env, seed, "open: seed", 0, (1ll << 53) - 1, &number))
    return false;
  out->seed = (uint64_t)number;
  return true;
}

/* Starts the engine and lists the handle; its bell exists. */
static bool start(napi_env env, struct handle *handle, struct mp_engine_options *options)
{
  struct mp_fault fault;
  options->ring_bell = ring_bell;
  options->context = handle;
  struct mp_engine *engine = mp_engine_open(options, &fault);
  if (!engine) {
    mp_js_throw_fault(env, &fault);
    return false;
  }
  pthread_mutex_lock(&living_lock);
  handle->engine = engine;
  handle->next = living;
  handle->link = &living;
  if (living)
    living->link = &handle->next;
  living = handle;
  pthread_mutex_unlock(&living_lock);
  /* Hooks run last in, first out: this one, younger than the bell's own, stops the thread that
   * rings before the bell goes. */
  napi_add_env_cleanup_hook(env, at_environment_end, handle);
  return true;
}

static napi_value js_open(napi_env env, napi_callback_info info)
{
  napi_value values[2], external;
  napi_valuetype type;
  struct mp_engine_options options;
  if (!mp_js_arguments(env, info, values, 2) || !read_options(env, values[0], &options))
    return NULL;
  if (napi_typeof(env, values[1], &type) != napi_ok || type != napi_function) {
    mp_js_bug(env, "open: onBell must be a function");
    return NULL;
  }
  struct handle *handle = calloc(1, sizeof *handle);
  if (!handle) {
    mp_js_throw_fault(env, &(struct mp_fault){ENOMEM, "calloc"});
    return NULL;
  }
  handle->env = env;
  if (napi_create_external(env, handle, at_collection, NULL, &external) != napi_ok) {
    free(handle);
    return NULL;
  }
  if (napi_type_tag_object(env, external, &tag) != napi_ok ||
      napi_create_threadsafe_function(env, values[1], NULL, mp_js_of_text(env, "mptun"), 0, 1, NULL,
                                      NULL, NULL, NULL, &handle->bell) != napi_ok) {
    mp_js_bug(env, "open: no bell could be made");
    return NULL;
  }
  if (start(env, handle, &options))
    return external;
  napi_release_threadsafe_function(handle->bell, napi_tsfn_abort);
  return NULL;
}

static napi_value js_command(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  struct handle *handle;
  uint8_t *record, *payload = NULL;
  size_t record_bytes, payload_bytes = 0;
  if (!mp_js_arguments(env, info, values, 3) || !read_living_handle(env, values[0], &handle) ||
      !mp_js_bytes(env, values[1], "command: record", sizeof(uint16_t),
                   MP_CROSSING_COMMAND_SLOT_BYTES, &record, &record_bytes))
    return NULL;
  if (!mp_js_is_absent(env, values[2]) &&
      !mp_js_bytes(env, values[2], "command: payload", 0, UINT16_MAX, &payload, &payload_bytes))
    return NULL;
  return mp_js_of_boolean(env, mp_engine_command(handle->engine, record, (uint32_t)record_bytes,
                                                 payload, (uint32_t)payload_bytes));
}

static napi_value js_read_events(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  struct handle *handle;
  uint8_t *into;
  size_t length;
  if (!mp_js_arguments(env, info, values, 2) || !read_living_handle(env, values[0], &handle) ||
      !mp_js_bytes(env, values[1], "readEvents: into", MP_CROSSING_EVENT_SLOT_BYTES, UINT32_MAX,
                   &into, &length))
    return NULL;
  const uint32_t slots = (uint32_t)(length / MP_CROSSING_EVENT_SLOT_BYTES);
  return mp_js_of_number(env, mp_engine_read_events(handle->engine, into, slots));
}

static napi_value js_close(napi_env env, napi_callback_info info)
{
  napi_value value;
  struct handle *handle;
  if (mp_js_arguments(env, info, &value, 1) && read_handle(env, value, &handle))
    shut(handle);
  return NULL;
}

static void prepare_process(void)
{
  if (getrandom(&tag, sizeof tag, 0) != sizeof tag)
    tag = (napi_type_tag){(uintptr_t)&tag, (uintptr_t)&living};
  atexit(at_process_end);
}

NAPI_MODULE_INIT()
{
  static const struct mp_js_function functions[] = {
      {"digest", js_digest},   {"aeads", js_aeads},      {"udpOpen", js_udp_open},
      {"tunOpen", js_tun_open}, {"fdClose", js_fd_close}, {"fdLock", js_fd_lock},
      {"open", js_open},       {"command", js_command},  {"readEvents", js_read_events},
      {"close", js_close},     {"exit", js_exit},
  };
  pthread_once(&once, prepare_process);
  mp_js_export(env, exports, functions, sizeof functions / sizeof *functions);
  return exports;
}
