#define _GNU_SOURCE /* recvmmsg, sendmmsg, in6_pktinfo */
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

_Static_assert(MP_OUT_BATCH <= UINT8_MAX, "mp_udp_run");

/* Linux 4.18 and 5.0; headers that are older lack the names. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* UDP_MAX_SEGMENTS before Linux 6.9. */
#define MOST_SEGMENTS 64u
/* The length of an IPv4 packet less its header and that of UDP. */
#define MOST_RUN_BYTES 65507u

/* ---- In ---- */

void mp_udp_adopt(struct mp_udp_socket *socket, int fd, uint8_t family, bool offload)
{
  const int on = 1;
  int segment_bytes;
  socklen_t length = sizeof segment_bytes;
  socket->fd = fd;
  socket->family = family;
  atomic_init(&socket->segments,
              offload && getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment_bytes, &length) == 0);
  if (offload)
    (void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on); /* refused: single datagrams come */
}

static void prepare_inbox(struct mp_udp_inbox *inbox)
{
  for (unsigned i = 0; i < MP_UDP_BATCH; i++) {
    struct mp_udp_frame *frame = &inbox->frames[i];
    frame->room = (struct iovec){inbox->rooms[i], sizeof inbox->rooms[i]};
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

/* Our address that the datagram was sent to (zero for a multicast one, which is no source), and the
 * length of the datagrams of a run. */
static void read_control(struct mp_arrival *arrival, struct msghdr *header)
{
  for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      memcpy(arrival->from.local, &info.ipi_spec_dst, 4);
    } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(item), sizeof info);
      if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
        memcpy(arrival->from.local, &info.ipi6_addr, 16);
    } else if (item->cmsg_level == IPPROTO_UDP && item->cmsg_type == UDP_GRO) {
      int segment_bytes;
      memcpy(&segment_bytes, CMSG_DATA(item), sizeof segment_bytes);
      if (segment_bytes > 0)
        arrival->segment_bytes = (uint32_t)segment_bytes;
    }
  }
}

static void read_endpoint(struct mp_endpoint *from, uint8_t port, uint8_t family,
                          const struct msghdr *header)
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
}

unsigned mp_udp_receive(struct mp_udp_inbox *inbox, const struct mp_udp_socket *socket,
                        uint8_t port, struct mp_arrival arrivals[MP_UDP_BATCH])
{
  prepare_inbox(inbox);
  const int count = recvmmsg(socket->fd, inbox->messages, MP_UDP_BATCH, MSG_DONTWAIT, NULL);
  if (count <= 0)
    return 0; /* nothing there, or an error of the socket, which reading has taken off */
  for (int i = 0; i < count; i++) {
    struct msghdr *header = &inbox->messages[i].msg_hdr;
    const uint32_t length = inbox->messages[i].msg_len;
    arrivals[i] = (struct mp_arrival){
        .bytes = inbox->rooms[i], .length = length, .segment_bytes = length};
    read_endpoint(&arrivals[i].from, port, socket->family, header);
    read_control(&arrivals[i], header);
  }
  return (unsigned)count;
}

/* ---- Out ---- */

socklen_t mp_udp_write_address(union mp_udp_address *address, uint8_t family, const uint8_t *octets,
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

static const uint8_t ANY[16];

/* Names the source address, or leaves it to the kernel. Returns the length of the control data. */
static uint32_t write_local(uint8_t *control, const struct mp_endpoint *to)
{
  if (memcmp(to->local, ANY, sizeof ANY) == 0)
    return 0;
  struct cmsghdr *item = (struct cmsghdr *)(void *)control;
  if (to->family == 4) {
    struct in_pktinfo info = {0};
    memcpy(&info.ipi_spec_dst, to->local, 4);
    *item = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info),
                             .cmsg_level = IPPROTO_IP,
                             .cmsg_type = IP_PKTINFO};
    memcpy(CMSG_DATA(item), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
  }
  struct in6_pktinfo info = {.ipi6_ifindex = to->scope};
  memcpy(&info.ipi6_addr, to->local, 16);
  *item = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info),
                           .cmsg_level = IPPROTO_IPV6,
                           .cmsg_type = IPV6_PKTINFO};
  memcpy(CMSG_DATA(item), &info, sizeof info);
  return CMSG_SPACE(sizeof info);
}

static uint32_t write_segment(uint8_t *control, uint16_t segment_bytes)
{
  struct cmsghdr *item = (struct cmsghdr *)(void *)control;
  *item = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof segment_bytes),
                           .cmsg_level = IPPROTO_UDP,
                           .cmsg_type = UDP_SEGMENT};
  memcpy(CMSG_DATA(item), &segment_bytes, sizeof segment_bytes);
  return CMSG_SPACE(sizeof segment_bytes);
}

static bool same_path(const struct mp_datagram *a, const struct mp_datagram *b)
{
  return a->peer == b->peer && a->path == b->path && a->peer < MP_CROSSING_PEERS;
}

/* Puts datagrams of one path and one length, the last of which may be shorter, into runs. A run ends
 * where a datagram of its path does not fit, so that the order within a path is kept. */
static unsigned form_runs(struct mp_udp_outbox *scratch, const struct mp_udp_socket *socket,
                          uint8_t port, const struct mp_outbox *outbox)
{
  const bool segments = atomic_load_explicit(&socket->segments, memory_order_relaxed);
  const struct mp_datagram *datagrams = outbox->datagrams;
  bool placed[MP_OUT_BATCH] = {false};
  unsigned runs = 0, ordered = 0;
  for (unsigned i = 0; i < outbox->count; i++) {
    if (placed[i] || datagrams[i].to.port != port || datagrams[i].error != 0)
      continue;
    struct mp_udp_run *run = &scratch->runs[runs++];
    *run = (struct mp_udp_run){.first = (uint8_t)ordered, .count = 1};
    scratch->order[ordered++] = (uint8_t)i;
    uint32_t bytes = datagrams[i].length;
    for (unsigned j = i + 1; segments && j < outbox->count; j++) {
      if (placed[j] || !same_path(&datagrams[i], &datagrams[j]) || datagrams[j].error != 0)
        continue;
      if (datagrams[j].length > datagrams[i].length || run->count == MOST_SEGMENTS ||
          bytes + datagrams[j].length > MOST_RUN_BYTES)
        break;
      placed[j] = true;
      run->count++;
      scratch->order[ordered++] = (uint8_t)j;
      bytes += datagrams[j].length;
      if (datagrams[j].length < datagrams[i].length)
        break;
    }
  }
  return runs;
}

static void write_message(struct mp_udp_outbox *scratch, unsigned index,
                          const struct mp_outbox *outbox)
{
  const struct mp_udp_run *run = &scratch->runs[index];
  struct mp_udp_envelope *envelope = &scratch->envelopes[index];
  const struct mp_datagram *first = &outbox->datagrams[scratch->order[run->first]];
  for (unsigned i = run->first; i < (unsigned)run->first + run->count; i++) {
    const struct mp_datagram *datagram = &outbox->datagrams[scratch->order[i]];
    scratch->parts[i] = (struct iovec){(void *)(uintptr_t)datagram->bytes, datagram->length};
  }
  uint32_t control_bytes = write_local(envelope->control, &first->to);
  if (run->count > 1)
    control_bytes += write_segment(envelope->control + control_bytes, (uint16_t)first->length);
  const socklen_t address_bytes = mp_udp_write_address(
      &envelope->address, first->to.family, first->to.remote, first->to.remote_port, first->to.scope);
  scratch->messages[index].msg_hdr = (struct msghdr){
      .msg_name = &envelope->address,
      .msg_namelen = address_bytes,
      .msg_iov = &scratch->parts[run->first],
      .msg_iovlen = run->count,
      .msg_control = control_bytes > 0 ? envelope->control : NULL,
      .msg_controllen = control_bytes,
  };
}

static void set_error(const struct mp_udp_outbox *scratch, unsigned index,
                      struct mp_outbox *outbox, int error)
{
  const struct mp_udp_run *run = &scratch->runs[index];
  for (unsigned i = 0; i < run->count; i++)
    outbox->datagrams[scratch->order[run->first + i]].error = error;
}

/* Sends the datagrams of a run one by one, after the kernel has refused to split it. */
static void send_singly(struct mp_udp_outbox *scratch, unsigned index, int fd,
                        struct mp_outbox *outbox)
{
  struct msghdr message = scratch->messages[index].msg_hdr;
  const struct mp_udp_run *run = &scratch->runs[index];
  const struct mp_datagram *first = &outbox->datagrams[scratch->order[run->first]];
  message.msg_controllen = write_local(scratch->envelopes[index].control, &first->to);
  message.msg_iovlen = 1;
  for (unsigned i = 0; i < run->count; i++) {
    message.msg_iov = &scratch->parts[run->first + i];
    if (sendmsg(fd, &message, MSG_DONTWAIT) < 0)
      outbox->datagrams[scratch->order[run->first + i]].error = errno;
  }
}

/* sendmmsg sends a prefix. When it sends nothing, errno is about the first message alone, but for a
 * full buffer, which the rest would meet as well. ICMP errors of earlier datagrams are not among
 * them: sockets that are not connected and lack IP_RECVERR keep none (Linux, __udp4_lib_err). */
static void send_runs(struct mp_udp_outbox *scratch, struct mp_udp_socket *socket, unsigned runs,
                      struct mp_outbox *outbox)
{
  unsigned done = 0;
  while (done < runs) {
    const int result = sendmmsg(socket->fd, scratch->messages + done, runs - done, MSG_DONTWAIT);
    if (result > 0) {
      done += (unsigned)result;
    } else if (errno == EAGAIN) {
      while (done < runs)
        set_error(scratch, done++, outbox, EAGAIN);
    } else if ((errno == EIO || errno == EINVAL || errno == EMSGSIZE) && scratch->runs[done].count > 1) {
      /* udp(7): EIO where the device lacks checksum offload. Where a segment is larger than the path's MTU it
       * is EINVAL, and EMSGSIZE from Linux 6.14 on and in what was maintained when that came: other paths of
       * the socket may be wider. */
      if (errno == EIO)
        atomic_store_explicit(&socket->segments, false, memory_order_relaxed);
      send_singly(scratch, done++, socket->fd, outbox);
    } else if (errno != EINTR) {
      set_error(scratch, done++, outbox, errno);
    }
  }
}

/* Whether datagrams of this socket must stay whole, or whether it sends as it was opened to. PROBE is
 * the one word for which the kernel neither splits nor heeds the path MTU that it believes in. */
static void set_whole(const struct mp_udp_socket *socket, bool whole)
{
  const int ipv4 = whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;
  const int ipv6 = whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT;
  if (socket->family == 4)
    (void)setsockopt(socket->fd, IPPROTO_IP, IP_MTU_DISCOVER, &ipv4, sizeof ipv4);
  else
    (void)setsockopt(socket->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &ipv6, sizeof ipv6);
}

void mp_udp_send(struct mp_udp_outbox *scratch, struct mp_udp_socket sockets[],
                 struct mp_outbox *outbox)
{
  uint32_t wanted = 0; /* bit p: some datagram goes by socket p */
  for (unsigned i = 0; i < outbox->count; i++) {
    struct mp_datagram *datagram = &outbox->datagrams[i];
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
    const bool whole = outbox->count == 1 && outbox->datagrams[0].whole;
    const unsigned runs = form_runs(scratch, &sockets[port], port, outbox);
    if (whole)
      set_whole(&sockets[port], true);
    for (unsigned i = 0; i < runs; i++) {
      write_message(scratch, i, outbox);
      outbox->sent_runs += scratch->runs[i].count > 1;
    }
    send_runs(scratch, &sockets[port], runs, outbox);
    if (whole)
      set_whole(&sockets[port], false);
  }
}
