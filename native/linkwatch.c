#include "linkwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUPS                                                                                     \
  (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)

int mp_linkwatch_open(struct mp_fault *fault)
{
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) {
    *fault = (struct mp_fault){errno, "socket(AF_NETLINK)"};
    return -1;
  }
  const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = GROUPS};
  if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
    *fault = (struct mp_fault){errno, "bind(AF_NETLINK)"};
    close(fd);
    return -1;
  }
  return fd;
}

bool mp_linkwatch_drain(int fd)
{
  bool changed = false;
  for (;;) {
    char head[sizeof(struct nlmsghdr)]; /* the rest of each message is thrown away */
    if (recv(fd, head, sizeof head, MSG_DONTWAIT) >= 0)
      changed = true;
    else if (errno == ENOBUFS)
      changed = true; /* news were lost, so there were some */
    else if (errno != EINTR)
      return changed;
  }
}
