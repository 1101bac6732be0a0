/* mptun-flood: numbered UDP datagrams at a rate, and what arrives of them.
 *
 * iperf3 makes a system call for each datagram and would be the bottleneck that every tunnel shares.
 * The datagrams are batched here towards the kernel only: each is a packet of its own from there on. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
  "usage: mptun-flood receive PORT\n"
  "       mptun-flood send PORT PACKETS_PER_S SECONDS BYTES ADDRESS...\n"
  "\n"
  "receive says `listening`, counts until the end of standard input, then prints one line of JSON.\n"
  "send spreads its datagrams over the IPv4 addresses in turn, then prints one line of JSON.\n";

enum exit_code { EXIT_DONE, EXIT_REFUSED, EXIT_FAILED };

enum {
  BATCH = 32,
  MAX_TARGETS = 1024,
  MIN_BYTES = 8, /* a sequence number */
  MAX_BYTES = 65507,
  /* The receiver must not be what loses: 100 ms of two million small datagrams in a second. */
  RECEIVE_BUFFER_BYTES = 128 << 20,
  /* Finer ticks cost more in waking than the datagrams do. */
  TICK_US = 100,
  /* After a pause of the machine the rate goes on from here: a burst would flood the queues. */
  MAX_DEBT_US = 2000,
};

static int fail(const char *call)
{
  fprintf(stderr, "mptun-flood: %s: %s\n", call, strerror(errno));
  return EXIT_FAILED;
}

static int64_t now_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct batch {
  struct mmsghdr messages[BATCH];
  struct iovec slices[BATCH];
  uint8_t rooms[BATCH][MAX_BYTES];
};

static struct batch batch;

static void prepare_batch(size_t bytes)
{
  for (unsigned i = 0; i < BATCH; i++) {
    batch.slices[i] = (struct iovec){.iov_base = batch.rooms[i], .iov_len = bytes};
    batch.messages[i].msg_hdr.msg_iov = &batch.slices[i];
    batch.messages[i].msg_hdr.msg_iovlen = 1;
  }
}

struct counts {
  uint64_t received, bytes, out_of_order, next;
};

/* Takes what waits; false on an error. */
static bool drain(int fd, struct counts *counts)
{
  for (;;) {
    const int taken = recvmmsg(fd, batch.messages, BATCH, MSG_DONTWAIT, NULL);
    if (taken < 0)
      return errno == EAGAIN || errno == EINTR;
    for (int i = 0; i < taken; i++) {
      uint64_t sequence;
      memcpy(&sequence, batch.rooms[i], sizeof sequence);
      counts->received++;
      counts->bytes += batch.messages[i].msg_len;
      if (sequence < counts->next)
        counts->out_of_order++;
      else
        counts->next = sequence + 1;
    }
    if (taken < BATCH)
      return true;
  }
}

static int receive(uint16_t port)
{
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fail("socket");
  const int room = RECEIVE_BUFFER_BYTES;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
    return fail("setsockopt SO_RCVBUFFORCE");
  const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(fd, (const struct sockaddr *)&any, sizeof any) < 0)
    return fail("bind");
  puts("listening");
  fflush(stdout);

  prepare_batch(MAX_BYTES);
  struct counts counts = {0};
  struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  while (polled[1].revents == 0) {
    if (poll(polled, 2, -1) < 0 && errno != EINTR)
      return fail("poll");
    if (!drain(fd, &counts))
      return fail("recvmmsg");
  }
  printf("{\"received\":%llu,\"bytes\":%llu,\"outOfOrder\":%llu}\n",
         (unsigned long long)counts.received, (unsigned long long)counts.bytes,
         (unsigned long long)counts.out_of_order);
  return EXIT_DONE;
}

struct flood {
  struct sockaddr_in targets[MAX_TARGETS];
  unsigned target_count;
  double packets_per_s, seconds;
  size_t bytes;
};

/* Sends up to `count` numbered from `sequence`. Those that a full queue refused count as sent: they
 * were offered and are lost. Returns -1 on an error. */
static int send_run(int fd, struct flood *flood, uint64_t sequence, unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    const uint64_t number = sequence + i;
    memcpy(batch.rooms[i], &number, sizeof number);
    if (flood->target_count > 1) {
      batch.messages[i].msg_hdr.msg_name = &flood->targets[number % flood->target_count];
      batch.messages[i].msg_hdr.msg_namelen = sizeof *flood->targets;
    }
  }
  const int taken = sendmmsg(fd, batch.messages, count, 0);
  if (taken >= 0)
    return taken;
  return errno == ENOBUFS || errno == EAGAIN || errno == EINTR ? 1 : -1;
}

static void sleep_until(int64_t at_us)
{
  const struct timespec at = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static int send_flood(struct flood *flood)
{
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fail("socket");
  if (flood->target_count == 1 &&
      connect(fd, (const struct sockaddr *)flood->targets, sizeof *flood->targets) < 0)
    return fail("connect");
  prctl(PR_SET_TIMERSLACK, 1UL);
  prepare_batch(flood->bytes);

  const int64_t start_us = now_us();
  const int64_t end_us = start_us + (int64_t)(flood->seconds * 1e6);
  const double per_us = flood->packets_per_s / 1e6;
  int64_t debt_from_us = start_us;
  uint64_t sent = 0, sent_before = 0; /* since the start, and when debt_from_us began */
  int64_t at_us = start_us;
  while (at_us < end_us) {
    const uint64_t due = sent_before + (uint64_t)((double)(at_us - debt_from_us) * per_us);
    if (due <= sent) {
      sleep_until(at_us + TICK_US);
    } else {
      const unsigned count = due - sent < BATCH ? (unsigned)(due - sent) : BATCH;
      const int done = send_run(fd, flood, sent, count);
      if (done < 0)
        return fail("sendmmsg");
      sent += (unsigned)done;
    }
    at_us = now_us();
    const double owed = (double)(at_us - debt_from_us) * per_us - (double)(sent - sent_before);
    if (owed > MAX_DEBT_US * per_us && owed > BATCH) {
      debt_from_us = at_us;
      sent_before = sent;
    }
  }
  printf("{\"sent\":%llu,\"elapsedUs\":%lld}\n", (unsigned long long)sent,
         (long long)(at_us - start_us));
  return EXIT_DONE;
}

/* A whole decimal number within bounds, or -1. */
static double number(const char *text, double least, double most)
{
  char *end;
  const double found = strtod(text, &end);
  return *text != '\0' && *end == '\0' && found >= least && found <= most ? found : -1;
}

static int refuse(void)
{
  fputs(usage, stderr);
  return EXIT_REFUSED;
}

static int read_send(int count, char **words, uint16_t port)
{
  static struct flood flood;
  flood.packets_per_s = number(words[0], 1, 1e8);
  flood.seconds = number(words[1], 0.01, 3600);
  const double bytes = number(words[2], MIN_BYTES, MAX_BYTES);
  if (flood.packets_per_s < 0 || flood.seconds < 0 || bytes < 0 || count - 3 > MAX_TARGETS)
    return refuse();
  flood.bytes = (size_t)bytes;
  for (int i = 3; i < count; i++) {
    struct sockaddr_in *target = &flood.targets[flood.target_count++];
    target->sin_family = AF_INET;
    target->sin_port = htons(port);
    if (inet_pton(AF_INET, words[i], &target->sin_addr) != 1)
      return refuse();
  }
  return send_flood(&flood);
}

int main(int argc, char **argv)
{
  const double port = argc > 2 ? number(argv[2], 1, 65535) : -1;
  if (port < 0)
    return refuse();
  if (strcmp(argv[1], "receive") == 0 && argc == 3)
    return receive((uint16_t)port);
  if (strcmp(argv[1], "send") == 0 && argc >= 7)
    return read_send(argc - 3, argv + 3, (uint16_t)port);
  return refuse();
}
