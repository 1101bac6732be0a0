/* mptun-downloads: many TCP downloads at once, each at a rate of its own.
 *
 * One process a side, because a hundred of iperf3 would be the load. The kernel paces the connections
 * (socket(7), SO_MAX_PACING_RATE), so that each bursts as TCP does and all take the same share. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
  "usage: mptun-downloads serve PORT BYTES_PER_S\n"
  "       mptun-downloads fetch ADDRESS PORT SECONDS SOURCE%DEVICE...\n"
  "\n"
  "serve says `listening` and sends to whoever connects until the end of standard input. fetch opens\n"
  "a connection from each IPv4 address by its device, then prints one line of JSON with what came.\n";

enum exit_code { EXIT_DONE, EXIT_REFUSED, EXIT_FAILED };

enum {
  MAX_CONNECTIONS = 1024,
  CHUNK_BYTES = 1 << 16,
  /* What waits in a sender is CPU time of its process, not of the tunnel: a few bursts are enough. */
  SEND_BUFFER_BYTES = 1 << 18,
};

/* What the kernel hands over at once is the congestion control's to say, below 1.2 Mbit/s one segment with
 * BBR and two with CUBIC: the machine's default shall make no difference. */
static const char CONGESTION[] = "cubic";

static uint8_t chunk[CHUNK_BYTES];

static int fail(const char *call)
{
  fprintf(stderr, "mptun-downloads: %s: %s\n", call, strerror(errno));
  return EXIT_FAILED;
}

static int refuse(void)
{
  fputs(usage, stderr);
  return EXIT_REFUSED;
}

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_patience(int error) { return error == EAGAIN || error == EINTR; }

/* Takes one more connection into `polled`; false on an error. */
static bool take_in(int listener, struct pollfd *polled, unsigned *count, unsigned bytes_per_s)
{
  const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return is_patience(errno) || errno == ECONNABORTED;
  const int room = SEND_BUFFER_BYTES;
  if (*count == MAX_CONNECTIONS + 2 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, CONGESTION, sizeof CONGESTION - 1) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s, sizeof bytes_per_s) < 0) {
    close(fd);
    return false;
  }
  polled[(*count)++] = (struct pollfd){.fd = fd, .events = POLLOUT};
  return true;
}

/* Fills the connection's buffer; one that its other end has closed is polled no more. */
static void feed(struct pollfd *polled)
{
  while (send(polled->fd, chunk, sizeof chunk, MSG_NOSIGNAL) > 0) {
  }
  if (is_patience(errno))
    return;
  close(polled->fd);
  polled->fd = -1;
}

static int serve(uint16_t port, unsigned bytes_per_s)
{
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0)
    return fail("socket");
  const int on = 1;
  const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(listener, (const struct sockaddr *)&any, sizeof any) < 0 ||
      listen(listener, MAX_CONNECTIONS) < 0)
    return fail("listen");
  puts("listening");
  fflush(stdout);

  static struct pollfd polled[2 + MAX_CONNECTIONS];
  polled[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = listener, .events = POLLIN};
  unsigned count = 2;
  while (polled[0].revents == 0) {
    if (poll(polled, count, -1) < 0 && errno != EINTR)
      return fail("poll");
    if (polled[1].revents && !take_in(listener, polled, &count, bytes_per_s))
      return fail("accept");
    for (unsigned i = 2; i < count; i++)
      if (polled[i].revents)
        feed(&polled[i]);
  }
  return EXIT_DONE;
}

/* A connection from `source`, which is written ADDRESS%DEVICE; -1 on an error. */
static int open_from(char *source, const struct sockaddr_in *server)
{
  char *device = strchr(source, '%');
  struct sockaddr_in own = {.sin_family = AF_INET};
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || !device)
    return -1;
  *device++ = '\0';
  if (inet_pton(AF_INET, source, &own.sin_addr) != 1 ||
      setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0 ||
      bind(fd, (const struct sockaddr *)&own, sizeof own) < 0 ||
      connect(fd, (const struct sockaddr *)server, sizeof *server) < 0)
    return -1;
  return fd;
}

static int fetch(const struct sockaddr_in *server, double seconds, char **sources, unsigned count)
{
  static struct pollfd polled[MAX_CONNECTIONS];
  static uint64_t received[MAX_CONNECTIONS];
  for (unsigned i = 0; i < count; i++) {
    const int fd = open_from(sources[i], server);
    if (fd < 0)
      return fail(sources[i]);
    polled[i] = (struct pollfd){.fd = fd, .events = POLLIN};
  }
  const int64_t start_ms = now_ms(), end_ms = start_ms + (int64_t)(seconds * 1000);
  for (int64_t left_ms = end_ms - start_ms; left_ms > 0; left_ms = end_ms - now_ms()) {
    if (poll(polled, count, (int)left_ms) < 0 && errno != EINTR)
      return fail("poll");
    for (unsigned i = 0; i < count; i++) {
      if (!polled[i].revents)
        continue;
      /* TCP throws it away unread (tcp(7), MSG_TRUNC): its copying is no part of what is measured. */
      const ssize_t taken = recv(polled[i].fd, NULL, 1 << 20, MSG_DONTWAIT | MSG_TRUNC);
      if (taken > 0)
        received[i] += (uint64_t)taken;
      else if (taken == 0 || !is_patience(errno))
        return fail("recv");
    }
  }
  uint64_t all = 0, least = UINT64_MAX;
  for (unsigned i = 0; i < count; i++) {
    all += received[i];
    least = received[i] < least ? received[i] : least;
  }
  printf("{\"bytes\":%llu,\"leastBytes\":%llu}\n", (unsigned long long)all,
         (unsigned long long)least);
  return EXIT_DONE;
}

/* A decimal number within bounds, or -1. */
static double number(const char *text, double least, double most)
{
  char *end;
  const double found = strtod(text, &end);
  return *text != '\0' && *end == '\0' && found >= least && found <= most ? found : -1;
}

int main(int argc, char **argv)
{
  if (argc == 4 && strcmp(argv[1], "serve") == 0) {
    const double port = number(argv[2], 1, 65535);
    const double bytes_per_s = number(argv[3], 1, UINT32_MAX - 1.0);
    return port < 0 || bytes_per_s < 0 ? refuse() : serve((uint16_t)port, (unsigned)bytes_per_s);
  }
  if (argc >= 6 && argc - 5 <= MAX_CONNECTIONS && strcmp(argv[1], "fetch") == 0) {
    struct sockaddr_in server = {.sin_family = AF_INET};
    const double port = number(argv[3], 1, 65535), seconds = number(argv[4], 0.01, 3600);
    if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1 || port < 0 || seconds < 0)
      return refuse();
    server.sin_port = htons((uint16_t)port);
    return fetch(&server, seconds, argv + 5, (unsigned)argc - 5);
  }
  return refuse();
}
