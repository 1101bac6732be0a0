#define _GNU_SOURCE /* recvmmsg, sendmmsg, in6_pktinfo */
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

_Static_assert(MP_OUT_BATCH <= UINT8_MAX + 1, "mp_udp_outbox.chosen");

/* A pause of the engine's CPU of 10 ms at 1 Gbit/s is 1.25 MB of datagrams, and the kernel charges
 * about twice their length for them. */
#define RECEIVE_BUFFER_BYTES (4 << 20)

/* Two batches of largest datagrams with what the kernel charges for each (skb and page overhead,
 * about 4.5 KiB). More would only be a queue in front of a slow modem, where nobody can see it. */
#define SEND_BUFFER_BYTES (1 << 20)

/* ---- Opening ---- */

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

static socklen_t to_address(union mp_udp_address *address, uint8_t family, const uint8_t *octets,
                            uint16_t port, uint32_t scope)
{
  if (family == 4) {
    address->ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&address->ipv4.sin_addr, octets, 4);
    return sizeof address->ipv4;
  }
  address->ipv6 = (struct sockaddr_in6){
      .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope};
  memcpy(&address->ipv6.sin6_addr, octets, 16);
  return sizeof address->ipv6;
}

static bool bind_to(int fd, const struct mp_udp_request *request, uint16_t *port,
                    struct mp_fault *fault)
{
  union mp_udp_address address;
  const uint32_t scope = request->device ? if_nametoindex(request->device) : 0;
  socklen_t length = to_address(&address, request->family, request->address, request->port, scope);
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

/* ---- In ---- */

void mp_udp_inbox_open(struct mp_udp_inbox *inbox, struct mp_pool *pool)
{
  inbox->pool = pool;
  inbox->ready = 0;
}

void mp_udp_inbox_close(struct mp_udp_inbox *inbox)
{
  while (inbox->ready > 0)
    mp_pool_give(inbox->pool, inbox->packets[--inbox->ready]);
}

/* Takes packets up to a whole batch and points the messages at them. */
static void fill(struct mp_udp_inbox *inbox)
{
  while (inbox->ready < MP_IN_BATCH) {
    struct mp_packet *packet = mp_pool_take(inbox->pool);
    if (!packet)
      break;
    inbox->packets[inbox->ready++] = packet;
  }
  for (unsigned i = 0; i < inbox->ready; i++) {
    struct mp_udp_frame *frame = &inbox->frames[i];
    frame->room = (struct iovec){inbox->packets[i]->room, sizeof inbox->packets[i]->room};
    inbox->messages[i].msg_hdr = (struct msghdr){
        .msg_name = &frame->address,
        .msg_namelen = sizeof frame->address,
        .msg_iov = &frame->room,
        .msg_iovlen = 1,
        .msg_control = frame->control,
        .msg_controllen = sizeof frame->control,
    };
  }
}

/* Our address that the datagram was sent to; stays zero for a multicast one, which is no source. */
static void read_local(struct mp_endpoint *from, struct msghdr *header)
{
  struct cmsghdr *item = CMSG_FIRSTHDR(header);
  if (!item)
    return;
  if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(item), sizeof info);
    memcpy(from->local, &info.ipi_spec_dst, 4);
  } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
    struct in6_pktinfo info;
    memcpy(&info, CMSG_DATA(item), sizeof info);
    if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
      memcpy(from->local, &info.ipi6_addr, 16);
  }
}

static void read_endpoint(struct mp_endpoint *from, uint8_t port, uint8_t family,
                          struct msghdr *header)
{
  const union mp_udp_address *address = header->msg_name;
  *from = (struct mp_endpoint){.port = port, .family = family};
  if (family == 4) {
    from->remote_port = ntohs(address->ipv4.sin_port);
    memcpy(from->remote, &address->ipv4.sin_addr, 4);
  } else {
    from->remote_port = ntohs(address->ipv6.sin6_port);
    from->scope = address->ipv6.sin6_scope_id;
    memcpy(from->remote, &address->ipv6.sin6_addr, 16);
  }
  read_local(from, header);
}

struct mp_udp_received mp_udp_receive(struct mp_udp_inbox *inbox,
                                      const struct mp_udp_socket *socket, uint8_t port,
                                      struct mp_arrival arrivals[MP_IN_BATCH])
{
  fill(inbox);
  struct mp_udp_received received = {.starved = inbox->ready == 0};
  if (received.starved)
    return received;
  const int result = recvmmsg(socket->fd, inbox->messages, inbox->ready, MSG_DONTWAIT, NULL);
  if (result <= 0)
    return received; /* nothing there, or an error of the socket, which reading has taken off */

  const unsigned count = (unsigned)result;
  received.more = count == inbox->ready;
  unsigned kept = 0; /* packets of datagrams that were cut go back to the front */
  for (unsigned i = 0; i < count; i++) {
    struct msghdr *header = &inbox->messages[i].msg_hdr;
    if (header->msg_flags & MSG_TRUNC) {
      received.cut++;
      inbox->packets[kept++] = inbox->packets[i];
      continue;
    }
    struct mp_arrival *arrival = &arrivals[received.count++];
    arrival->packet = inbox->packets[i];
    arrival->length = inbox->messages[i].msg_len;
    read_endpoint(&arrival->from, port, socket->family, header);
  }
  for (unsigned i = count; i < inbox->ready; i++)
    inbox->packets[kept++] = inbox->packets[i];
  inbox->ready = kept;
  return received;
}

/* ---- Out ---- */

static const uint8_t ANY[16];

/* Names the source address, or leaves it to the kernel. Returns the length of the control data. */
static size_t write_local(struct mp_udp_frame *frame, const struct mp_endpoint *to)
{
  if (memcmp(to->local, ANY, sizeof ANY) == 0)
    return 0;
  struct cmsghdr *item = (struct cmsghdr *)frame->control;
  if (to->family == 4) {
    struct in_pktinfo info = {0};
    memcpy(&info.ipi_spec_dst, to->local, 4);
    *item = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO};
    memcpy(CMSG_DATA(item), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
  }
  struct in6_pktinfo info = {.ipi6_ifindex = to->scope};
  memcpy(&info.ipi6_addr, to->local, 16);
  *item = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO};
  memcpy(CMSG_DATA(item), &info, sizeof info);
  return CMSG_SPACE(sizeof info);
}

static void write_message(struct mmsghdr *message, struct mp_udp_frame *frame,
                          const struct mp_datagram *datagram)
{
  const struct mp_endpoint *to = &datagram->to;
  frame->room = (struct iovec){(void *)(uintptr_t)datagram->bytes, datagram->length};
  const socklen_t length =
      to_address(&frame->address, to->family, to->remote, to->remote_port, to->scope);
  const size_t control_bytes = write_local(frame, to);
  message->msg_hdr = (struct msghdr){
      .msg_name = &frame->address,
      .msg_namelen = length,
      .msg_iov = &frame->room,
      .msg_iovlen = 1,
      .msg_control = control_bytes > 0 ? frame->control : NULL,
      .msg_controllen = control_bytes,
  };
}

/* sendmmsg sends a prefix. When it sends nothing, errno is about the first message alone, but for a
 * full buffer, which the rest would meet as well. ICMP errors of earlier datagrams are not among
 * them: sockets that are not connected and lack IP_RECVERR keep none (Linux, __udp4_lib_err). */
static void send_chosen(struct mp_udp_outbox *outbox, int fd, struct mp_datagram *datagrams,
                        unsigned count)
{
  unsigned done = 0;
  while (done < count) {
    const int result = sendmmsg(fd, outbox->messages + done, count - done, MSG_DONTWAIT);
    if (result > 0) {
      done += (unsigned)result;
      continue;
    }
    if (errno == EINTR)
      continue;
    if (errno == EAGAIN) {
      while (done < count)
        datagrams[outbox->chosen[done++]].error = EAGAIN;
      return;
    }
    datagrams[outbox->chosen[done++]].error = errno;
  }
}

void mp_udp_send(struct mp_udp_outbox *outbox, const struct mp_udp_socket sockets[],
                 struct mp_datagram *datagrams, unsigned count)
{
  uint32_t wanted = 0; /* bit p: some datagram goes by socket p */
  for (unsigned i = 0; i < count; i++) {
    struct mp_datagram *datagram = &datagrams[i];
    const uint8_t port = datagram->to.port;
    if (port >= MP_CROSSING_PORTS || sockets[port].fd < 0)
      datagram->error = EBADF;
    else if (sockets[port].family != datagram->to.family)
      datagram->error = EAFNOSUPPORT;
    else {
      datagram->error = 0;
      wanted |= 1u << port;
    }
  }
  for (; wanted != 0; wanted &= wanted - 1) {
    const uint8_t port = (uint8_t)__builtin_ctz(wanted);
    unsigned chosen = 0;
    for (unsigned i = 0; i < count; i++) {
      if (datagrams[i].to.port != port || datagrams[i].error != 0)
        continue;
      outbox->chosen[chosen] = (uint8_t)i;
      write_message(&outbox->messages[chosen], &outbox->frames[chosen], &datagrams[i]);
      chosen++;
    }
    send_chosen(outbox, sockets[port].fd, datagrams, chosen);
  }
}
