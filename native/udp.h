/* The UDP port: opening sockets, and moving datagrams in batches.
 *
 * Opening runs on the control thread, so that whatever can be refused is refused before a socket
 * crosses to the engine. Everything else runs on the engine's threads, does not allocate, and is the
 * only place that knows how datagrams become system calls. */
#ifndef MP_UDP_H
#define MP_UDP_H

#include <netinet/in.h>
#include <stdatomic.h>
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
  /* The kernel splits runs of datagrams for us. Given up for good when it refuses one as it does on devices
   * without checksum offload. Either thread may find out. */
  atomic_bool segments;
};

/* Makes the socket ready for the engine; `offload`: runs of datagrams in both directions. */
void mp_udp_adopt(struct mp_udp_socket *socket, int fd, uint8_t family, bool offload);

/* Messages of one turn. Each may bring a run of up to 64 KiB. */
#define MP_UDP_BATCH 16u
#define MP_UDP_ROOM_BYTES 65536u

/* pktinfo, and the length of the segments of a run. */
#define MP_UDP_CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))

union mp_udp_address {
  struct sockaddr any;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

/* Returns its length. */
socklen_t mp_udp_write_address(union mp_udp_address *address, uint8_t family, const uint8_t *octets,
                               uint16_t port, uint32_t scope);

struct mp_udp_inbox {
  struct mmsghdr messages[MP_UDP_BATCH];
  struct mp_udp_frame {
    struct iovec room;
    union mp_udp_address address;
    _Alignas(struct cmsghdr) uint8_t control[MP_UDP_CONTROL_BYTES];
  } frames[MP_UDP_BATCH];
  _Alignas(64) uint8_t rooms[MP_UDP_BATCH][MP_UDP_ROOM_BYTES];
};

/* Reads one batch from socket number `port`. The arrivals' octets are the inbox's, until the next
 * call. Returns how many there are. */
unsigned mp_udp_receive(struct mp_udp_inbox *inbox, const struct mp_udp_socket *socket,
                        uint8_t port, struct mp_arrival arrivals[MP_UDP_BATCH]);

/* What sendmmsg needs. One for each thread that sends. */
struct mp_udp_outbox {
  uint8_t order[MP_OUT_BATCH]; /* datagrams by run */
  struct mp_udp_run {
    uint8_t first, count; /* in `order` */
  } runs[MP_OUT_BATCH];
  struct mmsghdr messages[MP_OUT_BATCH];
  struct iovec parts[MP_OUT_BATCH];
  struct mp_udp_envelope {
    union mp_udp_address address;
    _Alignas(struct cmsghdr) uint8_t control[MP_UDP_CONTROL_BYTES];
  } envelopes[MP_OUT_BATCH];
};

/* Sends each datagram by the socket that it names and sets its error: 0, EBADF (no such socket),
 * EAFNOSUPPORT (socket of the other family) or what the kernel said of exactly this datagram, or of
 * the run that it was in: EMSGSIZE where a whole one does not fit the device. The order within a path
 * is kept. */
void mp_udp_send(struct mp_udp_outbox *scratch, struct mp_udp_socket sockets[],
                 struct mp_outbox *outbox);

#endif
