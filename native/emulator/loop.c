#include "loop.h"

#include "command.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
  EVENTS = 32,
  LINE_SIZE = 4608, /* the longest description and its command */
  /* Under dense traffic packets are delivered together this often, as by a network card that
   * coalesces its interrupts; a packet that comes alone is on time. At 300 Mbit/s, a packet every
   * 40 us, waking for each would cost twice the CPU. */
  COALESCE_US = 100,
};

/* What epoll tells about: one of these, or the index of a device above them. */
enum source { SOURCE_COMMANDS, SOURCE_SIGNALS, SOURCE_TIMER, SOURCE_DEVICES };

struct loop {
  struct mp_cable *cables;
  size_t cable_count;
  int epoll;
  int timer;
  uint64_t armed_us; /* when the timer goes off; UINT64_MAX: never */
  uint64_t woken_us; /* when it last did */
  char line[LINE_SIZE];
  size_t line_length;
  bool ended;
};

static bool watch(const struct loop *loop, int fd, uint32_t events, uint64_t source)
{
  struct epoll_event event = {.events = events, .data.u64 = source};
  return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static struct mp_device *device_at(const struct loop *loop, uint64_t index)
{
  return &loop->cables[index / MP_SIDES].devices[index % MP_SIDES];
}

/* A closed device leaves epoll by itself, a new one has to be added. */
static bool watch_new_devices(struct loop *loop)
{
  for (uint64_t i = 0; i < loop->cable_count * MP_SIDES; i++) {
    struct mp_device *device = device_at(loop, i);
    if (device->fd < 0 || device->watched)
      continue;
    if (!watch(loop, device->fd, EPOLLIN, SOURCE_DEVICES + i))
      return false;
    device->watched = true;
  }
  return true;
}

static void run_lines(struct loop *loop)
{
  char *start = loop->line;
  char *end;
  while ((end = memchr(start, '\n', loop->line_length)) != NULL) {
    *end = '\0';
    loop->line_length -= (size_t)(end + 1 - start);
    mp_command_run(start, loop->cables, loop->cable_count, stdout);
    start = end + 1;
  }
  memmove(loop->line, start, loop->line_length);
  loop->ended = loop->ended || fflush(stdout) != 0;
}

static void read_commands(struct loop *loop)
{
  size_t room = sizeof loop->line - loop->line_length;
  ssize_t length = read(STDIN_FILENO, loop->line + loop->line_length, room);
  if (length <= 0) {
    loop->ended = loop->ended || length == 0 || errno != EINTR;
    return;
  }
  loop->line_length += (size_t)length;
  run_lines(loop);
  if (loop->line_length == sizeof loop->line) {
    fputs("{\"ok\":false,\"error\":\"a line of over 4608 bytes; what follows was read as a new "
          "command\"}\n",
          stdout);
    fflush(stdout);
    loop->line_length = 0;
  }
}

static uint64_t deliver_due(struct loop *loop)
{
  uint64_t next_us = UINT64_MAX;
  uint64_t now_us = mp_now_us();
  for (size_t i = 0; i < loop->cable_count; i++) {
    for (int direction = 0; direction < MP_DIRECTIONS; direction++) {
      uint64_t due_us = mp_carrier_deliver(&loop->cables[i].carriers[direction], now_us);
      next_us = due_us < next_us ? due_us : next_us;
    }
  }
  return next_us;
}

static void arm(struct loop *loop, uint64_t at_us)
{
  if (at_us < loop->woken_us + COALESCE_US)
    at_us = loop->woken_us + COALESCE_US;
  if (at_us == loop->armed_us)
    return;
  struct itimerspec when = {0};
  if (at_us != UINT64_MAX) {
    when.it_value.tv_sec = (time_t)(at_us / 1000000u);
    when.it_value.tv_nsec = (long)(at_us % 1000000u) * 1000;
  }
  timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &when, NULL);
  loop->armed_us = at_us;
}

static void handle(struct loop *loop, uint64_t source)
{
  switch (source) {
  case SOURCE_COMMANDS:
    read_commands(loop);
    break;
  case SOURCE_SIGNALS:
    loop->ended = true;
    break;
  case SOURCE_TIMER:
    loop->armed_us = UINT64_MAX;
    loop->woken_us = mp_now_us();
    break;
  default: {
    uint64_t device = source - SOURCE_DEVICES;
    bool is_side_a = device % MP_SIDES == MP_SIDE_A;
    struct mp_cable *cable = &loop->cables[device / MP_SIDES];
    mp_carrier_take(&cable->carriers[is_side_a ? MP_DIRECTION_UP : MP_DIRECTION_DOWN]);
    deliver_due(loop); /* what is due elsewhere does not wait for all devices to be read */
  }
  }
}

static bool turn(struct loop *loop)
{
  if (!watch_new_devices(loop))
    return false;
  arm(loop, deliver_due(loop));
  struct epoll_event events[EVENTS];
  int count = epoll_wait(loop->epoll, events, EVENTS, -1);
  for (int i = 0; i < count && !loop->ended; i++)
    handle(loop, events[i].data.u64);
  return count >= 0 || errno == EINTR;
}

static int open_signals(void)
{
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool mp_loop_run(struct mp_cable *cables, size_t cable_count, char complaint[MP_COMPLAINT_SIZE])
{
  struct loop loop = {
    .cables = cables,
    .cable_count = cable_count,
    .epoll = epoll_create1(EPOLL_CLOEXEC),
    .timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
    .armed_us = UINT64_MAX,
  };
  int signals = open_signals();
  /* Edge-triggered, the timer needs no read: setting it anew clears it. */
  bool works = watch(&loop, signals, EPOLLIN, SOURCE_SIGNALS) &&
               watch(&loop, loop.timer, EPOLLIN | EPOLLET, SOURCE_TIMER) &&
               watch(&loop, STDIN_FILENO, EPOLLIN, SOURCE_COMMANDS);
  if (works) {
    puts("ready");
    loop.ended = fflush(stdout) != 0;
  }
  while (works && !loop.ended)
    works = turn(&loop);
  if (!works)
    snprintf(complaint, MP_COMPLAINT_SIZE, "event loop: %s%s", strerror(errno),
             errno == EPERM ? "; standard input must be a pipe, a socket or a terminal" : "");
  close(signals);
  close(loop.timer);
  close(loop.epoll);
  return works;
}
