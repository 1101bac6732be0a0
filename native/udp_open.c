/* Opening the sockets of the UDP port, on the control thread. */
#define _GNU_SOURCE /* in6_pktinfo, mmsghdr */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "udp.h"

/* A pause of the engine's CPU of 10 ms at 1 Gbit/s is 1.25 MB of datagrams, and the kernel charges
 * about twice their length for them. */
#define RECEIVE_BUFFER_BYTES (4 << 20)

/* Two batches of largest datagrams with what the kernel charges for each (skb and page overhead,
 * about 4.5 KiB). More would only be a queue in front of a slow modem, where nobody can see it. */
#define SEND_BUFFER_BYTES (1 << 20)

static bool set(int fd, int level, int name, int value, const char *syscall, struct mp_fault *fault)
{
  if (setsockopt(fd, level, name, &value, sizeof value) == 0)
    return true;
  *fault = (struct mp_fault){errno, syscall};
  return false;
}

/* With CAP_NET_ADMIN beyond net.core.[rw]mem_max, without it up to there: less is not an error. */
static void raise_buffer(int fd, int force, int ordinary, int bytes)
{
  if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof bytes) != 0)
    (void)setsockopt(fd, SOL_SOCKET, ordinary, &bytes, sizeof bytes);
}

static bool prepare(int fd, const struct mp_udp_request *request, struct mp_fault *fault)
{
  raise_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  raise_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER_BYTES);
  if (request->device &&
      setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, request->device,
                 (socklen_t)strlen(request->device)) != 0) {
    *fault = (struct mp_fault){errno, "setsockopt(SO_BINDTODEVICE)"};
    return false;
  }
  if (request->family == 4)
    /* Without the don't-fragment bit a hop with a smaller MTU fragments; with it, a hop whose ICMP
     * is filtered swallows every large datagram and the path looks healthy to small probes. */
    return set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, "setsockopt(IP_MTU_DISCOVER)",
               fault) &&
           set(fd, IPPROTO_IP, IP_PKTINFO, 1, "setsockopt(IP_PKTINFO)", fault);
  /* IPv6 hops never fragment (RFC 8200, section 5): the source must heed Packet Too Big. */
  return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "setsockopt(IPV6_V6ONLY)", fault) &&
         set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT,
             "setsockopt(IPV6_MTU_DISCOVER)", fault) &&
         set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "setsockopt(IPV6_RECVPKTINFO)", fault);
}

static bool bind_to(int fd, const struct mp_udp_request *request, uint16_t *port,
                    struct mp_fault *fault)
{
  union mp_udp_address address;
  const uint32_t scope = request->device ? if_nametoindex(request->device) : 0;
  socklen_t length =
      mp_udp_write_address(&address, request->family, request->address, request->port, scope);
  if (bind(fd, &address.any, length) != 0) {
    *fault = (struct mp_fault){errno, "bind"};
    return false;
  }
  if (getsockname(fd, &address.any, &length) != 0) {
    *fault = (struct mp_fault){errno, "getsockname"};
    return false;
  }
  *port = ntohs(request->family == 4 ? address.ipv4.sin_port : address.ipv6.sin6_port);
  return true;
}

int mp_udp_open(const struct mp_udp_request *request, uint16_t *port, struct mp_fault *fault)
{
  const int domain = request->family == 4 ? AF_INET : AF_INET6;
  const int fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) {
    *fault = (struct mp_fault){errno, "socket"};
    return -1;
  }
  if (prepare(fd, request, fault) && bind_to(fd, request, port, fault))
    return fd;
  close(fd);
  return -1;
}
