/* mptun-content: one TCP connection with as much as goes through, of octets that transfers.mjs knows.
 *
 * Node cannot choose a connection's congestion control, and a namespace may not have each as its default. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
  "usage: mptun-content ADDRESS PORT CONGESTION\n"
  "\n"
  "Says `sending` once it is connected, and sends until it is stopped or the connection breaks.\n";

enum exit_code { EXIT_REFUSED = 1, EXIT_FAILED };

enum { PATTERN_BYTES = 65521 };

static uint8_t pattern[PATTERN_BYTES];

static int fail(const char *what)
{
  perror(what);
  return EXIT_FAILED;
}

static void fill_pattern(void)
{
  uint32_t state = 1;
  for (size_t at = 0; at < PATTERN_BYTES; at++) {
    state = state * 1103515245 + 12345;
    pattern[at] = (uint8_t)(state >> 16);
  }
}

int main(int argc, char **argv)
{
  struct sockaddr_in to = {.sin_family = AF_INET};
  if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
    fputs(usage, stderr);
    return EXIT_REFUSED;
  }
  to.sin_port = htons((uint16_t)atoi(argv[2]));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fail("socket");
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, argv[3], (socklen_t)strlen(argv[3])) < 0)
    return fail(argv[3]);
  if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
    return fail("connect");
  puts("sending");
  fflush(stdout);
  fill_pattern();
  for (size_t at = 0;;) {
    const ssize_t sent = send(fd, pattern + at, PATTERN_BYTES - at, MSG_NOSIGNAL);
    if (sent < 0)
      return fail("send");
    at = (at + (size_t)sent) % PATTERN_BYTES;
  }
}
