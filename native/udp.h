/* The UDP port: opening sockets, and moving datagrams in batches.
 *
 * Opening runs on the control thread, so that whatever can be refused is refused before a socket
 * crosses to the engine. Everything else runs on the engine thread, does not allocate, and is the
 * only place that knows how datagrams become system calls: UDP_SEGMENT and UDP_GRO belong here. */
#ifndef MP_UDP_H
#define MP_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fault.h"
#include "tunnel.h"

struct mp_udp_request {
  uint8_t family;      /* 4 or 6 */
  uint8_t address[16]; /* to bind to, all zero: any; IPv4 in the first four octets */
  uint16_t port;       /* host order; 0: the kernel chooses */
  const char *device;  /* uplink to bind to, or NULL */
};

/* [control] Opens a non-blocking socket. Returns it and its port, or -1 and *fault. */
int mp_udp_open(const struct mp_udp_request *request, uint16_t *port, struct mp_fault *fault);

struct mp_udp_socket {
  int fd; /* -1: closed */
  uint8_t family;
};

#define MP_UDP_CONTROL_BYTES CMSG_SPACE(sizeof(struct in6_pktinfo))

union mp_udp_address {
  struct sockaddr any;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

/* One message of a batch: what recvmmsg and sendmmsg need beside the octets. */
struct mp_udp_frame {
  struct iovec room;
  union mp_udp_address address;
  _Alignas(struct cmsghdr) uint8_t control[MP_UDP_CONTROL_BYTES];
};

/* Packets that wait to be filled, and where the kernel says whence they came. */
struct mp_udp_inbox {
  struct mp_pool *pool;
  unsigned ready; /* packets[0 .. ready - 1] are ours */
  struct mp_packet *packets[MP_IN_BATCH];
  struct mmsghdr messages[MP_IN_BATCH];
  struct mp_udp_frame frames[MP_IN_BATCH];
};

void mp_udp_inbox_open(struct mp_udp_inbox *inbox, struct mp_pool *pool);
void mp_udp_inbox_close(struct mp_udp_inbox *inbox);

struct mp_udp_received {
  unsigned count;  /* arrivals, whose packets are the caller's now */
  unsigned cut;    /* datagrams larger than a packet's room, dropped */
  bool starved;    /* the pool has no packet: nothing was read */
  bool more;       /* the batch was full: more may wait */
};

/* Reads one batch from socket number `port`. */
struct mp_udp_received mp_udp_receive(struct mp_udp_inbox *inbox,
                                      const struct mp_udp_socket *socket, uint8_t port,
                                      struct mp_arrival arrivals[MP_IN_BATCH]);

struct mp_udp_outbox {
  uint8_t chosen[MP_OUT_BATCH]; /* of the datagrams given, those of one socket, in order */
  struct mmsghdr messages[MP_OUT_BATCH];
  struct mp_udp_frame frames[MP_OUT_BATCH];
};

/* Sends each datagram by the socket that it names and sets its error: 0, EBADF (no such socket),
 * EAFNOSUPPORT (socket of the other family) or what the kernel said of exactly this datagram. The
 * order within a socket is kept. count <= MP_OUT_BATCH. */
void mp_udp_send(struct mp_udp_outbox *outbox, const struct mp_udp_socket sockets[],
                 struct mp_datagram *datagrams, unsigned count);

#endif
