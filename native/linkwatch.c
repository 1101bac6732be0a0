#include "linkwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
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

/* The beginning of a message; the rest is thrown away. */
struct head {
  struct nlmsghdr message;
  struct ifinfomsg link; /* of RTM_NEWLINK and RTM_DELLINK */
};

static bool tells_of_less(const struct head *head, size_t length)
{
  if (length < sizeof head->message)
    return false;
  switch (head->message.nlmsg_type) {
  case RTM_DELLINK:
  case RTM_DELADDR:
    return true;
  case RTM_NEWLINK: /* or an old one that is another now */
    return length >= sizeof *head && !(head->link.ifi_flags & IFF_UP);
  default:
    return false;
  }
}

enum mp_linkwatch_news mp_linkwatch_drain(int fd)
{
  enum mp_linkwatch_news news = MP_LINKWATCH_NOTHING;
  for (;;) {
    struct head head;
    const ssize_t length = recv(fd, &head, sizeof head, MSG_DONTWAIT);
    if (length >= 0 && news != MP_LINKWATCH_GONE)
      news = tells_of_less(&head, (size_t)length) ? MP_LINKWATCH_GONE : MP_LINKWATCH_CHANGED;
    else if (length < 0 && errno == ENOBUFS)
      news = MP_LINKWATCH_GONE;
    else if (length < 0 && errno != EINTR)
      return news;
  }
}
