/* mptun-relay: the least that a tunnel in user space can do. What its TUN device has it sends as one
 * datagram, and what it gets it writes to the device: nothing is sealed, put in order or kept.
 *
 * One thread, which looks for the answer before it waits. So a ping wakes a thread three times on its
 * way, and what it takes longer than beside the tunnel is what the machine wants for that. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
  "usage: mptun-relay DEVICE LOCAL_ADDRESS REMOTE_ADDRESS PORT\n"
  "\n"
  "makes the TUN device and carries its packets to the same port of the remote IPv4 address, and back,\n"
  "until it is ended.\n";

enum exit_code { EXIT_REFUSED = 1, EXIT_FAILED };

enum { MOST_BYTES = 65535 };

static int fail(const char *call)
{
  fprintf(stderr, "mptun-relay: %s: %s\n", call, strerror(errno));
  return EXIT_FAILED;
}

static int open_tun(const char *device)
{
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) == 0)
    return fd;
  close(fd);
  return -1;
}

static int open_udp(const struct sockaddr_in *local, const struct sockaddr_in *remote)
{
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || (bind(fd, (const struct sockaddr *)local, sizeof *local) == 0 &&
                 connect(fd, (const struct sockaddr *)remote, sizeof *remote) == 0))
    return fd;
  close(fd);
  return -1;
}

/* Returns whether there was one. What the other side refuses or has no room for is lost. */
static bool pass_one(int from, int to)
{
  static uint8_t packet[MOST_BYTES];
  const ssize_t length = read(from, packet, sizeof packet);
  if (length > 0)
    (void)!write(to, packet, (size_t)length);
  return length > 0;
}

static int carry(int tun, int udp)
{
  struct pollfd polled[] = {{.fd = udp, .events = POLLIN}, {.fd = tun, .events = POLLIN}};
  for (;;) {
    if (poll(polled, 2, -1) < 0 && errno != EINTR)
      return fail("poll");
    bool goes_on;
    do {
      goes_on = pass_one(udp, tun);
      goes_on |= pass_one(tun, udp);
    } while (goes_on);
  }
}

static bool read_address(struct sockaddr_in *address, const char *text, const char *port)
{
  char *end;
  const unsigned long number = strtoul(port, &end, 10);
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
  return *end == '\0' && number > 0 && number <= UINT16_MAX &&
         inet_pton(AF_INET, text, &address->sin_addr) == 1;
}

int main(int count, char **words)
{
  struct sockaddr_in local, remote;
  if (count != 5 || strlen(words[1]) >= IFNAMSIZ || !read_address(&local, words[2], words[4]) ||
      !read_address(&remote, words[3], words[4])) {
    fputs(usage, stderr);
    return EXIT_REFUSED;
  }
  const int tun = open_tun(words[1]);
  if (tun < 0)
    return fail("TUN device");
  const int udp = open_udp(&local, &remote);
  if (udp < 0)
    return fail("UDP socket");
  return carry(tun, udp);
}
