/* The UDP port on the loopback device: batches, addresses, and errors that hit exactly one. */
#define _GNU_SOURCE
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static struct mp_udp_inbox inbox;
static struct mp_udp_outbox scratch;
static struct mp_outbox outbox;
static struct mp_udp_socket sockets[MP_CROSSING_PORTS];
static struct mp_arrival arrivals[MP_UDP_BATCH];
static struct mp_datagram *const datagrams = outbox.datagrams;
static uint8_t payload[70000];
static bool offload;

/* What the kernel is to say to a run, as it does where a device is narrower than this one; 0: its own. */
static int refusal;

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
  if (refusal != 0 && messages[0].msg_hdr.msg_iovlen > 1) {
    errno = refusal;
    return -1;
  }
  return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

static void set_up(void)
{
  for (unsigned i = 0; i < MP_CROSSING_PORTS; i++)
    sockets[i].fd = -1;
}

static void tear_down(void)
{
  for (unsigned i = 0; i < MP_CROSSING_PORTS; i++)
    if (sockets[i].fd >= 0)
      close(sockets[i].fd);
}

static void send_all(unsigned count)
{
  outbox.count = count;
  mp_udp_send(&scratch, sockets, &outbox);
}

/* Opens socket number `port` on an address; returns its UDP port. */
static uint16_t open_socket(uint8_t port, const char *address)
{
  struct mp_udp_request request = {.family = strchr(address, ':') ? 6 : 4};
  struct mp_fault fault = {0};
  uint16_t udp_port = 0;
  inet_pton(request.family == 4 ? AF_INET : AF_INET6, address, request.address);
  const int fd = mp_udp_open(&request, &udp_port, &fault);
  if (fd < 0) {
    printf("# %s: %s\n", fault.syscall, strerror(fault.error));
    abort();
  }
  mp_udp_adopt(&sockets[port], fd, request.family, offload);
  return udp_port;
}

static struct mp_datagram datagram(uint8_t port, const char *address, uint16_t udp_port,
                                   uint32_t length)
{
  struct mp_datagram made = {
      .bytes = payload, .length = length, .error = -1, .peer = MP_CROSSING_PEERS};
  made.to.port = port;
  made.to.family = strchr(address, ':') ? 6 : 4;
  made.to.remote_port = udp_port;
  inet_pton(made.to.family == 4 ? AF_INET : AF_INET6, address, made.to.remote);
  return made;
}

/* Reads until `wanted` datagrams came or nothing more comes. */
static unsigned receive(uint8_t port, unsigned wanted, struct mp_endpoint *last)
{
  unsigned count = 0;
  struct pollfd ready = {.fd = sockets[port].fd, .events = POLLIN};
  while (count < wanted && poll(&ready, 1, 1000) > 0) {
    const unsigned messages = mp_udp_receive(&inbox, &sockets[port], port, arrivals);
    for (unsigned i = 0; i < messages; i++) {
      if (last)
        *last = arrivals[i].from;
      for (uint32_t at = 0; at < arrivals[i].length; at += arrivals[i].segment_bytes, count++) {
        const uint32_t left = arrivals[i].length - at;
        CHECK_BYTES(arrivals[i].bytes + at, payload,
                    left < arrivals[i].segment_bytes ? left : arrivals[i].segment_bytes);
      }
    }
  }
  return count;
}

static void carries_a_batch_over_two_sockets(void)
{
  set_up();
  const uint16_t to = open_socket(2, "127.0.0.1");
  const uint16_t from = open_socket(0, "127.0.0.1");
  open_socket(1, "127.0.0.1");
  for (unsigned i = 0; i < MP_OUT_BATCH; i++)
    datagrams[i] = datagram(i % 2, "127.0.0.1", to, 100 + i);
  send_all(MP_OUT_BATCH);
  for (unsigned i = 0; i < MP_OUT_BATCH; i++)
    CHECK_EQ_INT(datagrams[i].error, 0);
  CHECK_EQ(receive(2, MP_OUT_BATCH, NULL), MP_OUT_BATCH);

  struct mp_endpoint source;
  datagrams[0] = datagram(0, "127.0.0.1", to, 10);
  send_all(1);
  CHECK_EQ(receive(2, 1, &source), 1);
  CHECK_EQ(source.port, 2);
  CHECK_EQ(source.family, 4);
  CHECK_EQ(source.remote_port, from);
  CHECK_BYTES(source.remote, ((uint8_t[]){127, 0, 0, 1, 0}), 5);
  tear_down();
}

static void errors_hit_exactly_their_datagram(void)
{
  set_up();
  const uint16_t to = open_socket(1, "127.0.0.1");
  open_socket(0, "0.0.0.0");
  datagrams[0] = datagram(0, "127.0.0.1", to, 50);
  datagrams[1] = datagram(0, "255.255.255.255", to, 50); /* not without SO_BROADCAST */
  datagrams[2] = datagram(0, "127.0.0.1", to, 50);
  datagrams[3] = datagram(0, "127.0.0.1", to, 66000); /* longer than UDP can say */
  datagrams[4] = datagram(0, "127.0.0.1", to, 50);
  datagrams[5] = datagram(9, "127.0.0.1", to, 50);
  datagrams[6] = datagram(0, "::1", to, 50);
  datagrams[7] = datagram(0, "127.0.0.1", to, 50);
  send_all(8);
  const int expected[] = {0, EACCES, 0, EMSGSIZE, 0, EBADF, EAFNOSUPPORT, 0};
  for (unsigned i = 0; i < 8; i++)
    CHECK_EQ_INT(datagrams[i].error, expected[i]);
  CHECK_EQ(receive(1, 4, NULL), 4);
  tear_down();
}

/* A port where nobody listens answers with ICMP; that is the business of nobody else. */
static void a_refusal_by_a_stranger_is_no_error_of_others(void)
{
  set_up();
  const uint16_t to = open_socket(1, "127.0.0.1");
  const uint16_t nobody = open_socket(2, "127.0.0.1");
  close(sockets[2].fd);
  sockets[2].fd = -1;
  open_socket(0, "127.0.0.1");
  for (unsigned round = 0; round < 20; round++) {
    datagrams[0] = datagram(0, "127.0.0.1", nobody, 20);
    datagrams[1] = datagram(0, "127.0.0.1", to, 20);
    send_all(2);
    CHECK_EQ_INT(datagrams[0].error, 0);
    CHECK_EQ_INT(datagrams[1].error, 0);
  }
  CHECK_EQ(receive(1, 20, NULL), 20);
  tear_down();
}

static void answers_from_the_address_that_was_asked(void)
{
  set_up();
  const uint16_t server = open_socket(1, "0.0.0.0");
  const uint16_t client = open_socket(0, "127.0.0.1");
  struct mp_endpoint seen;
  datagrams[0] = datagram(0, "127.0.0.9", server, 20);
  send_all(1);
  REQUIRE(receive(1, 1, &seen) == 1);
  CHECK_BYTES(seen.local, ((uint8_t[]){127, 0, 0, 9, 0}), 5);
  CHECK_EQ(seen.remote_port, client);

  datagrams[0] = (struct mp_datagram){.bytes = payload, .length = 30, .to = seen};
  send_all(1);
  CHECK_EQ_INT(datagrams[0].error, 0);
  REQUIRE(receive(0, 1, &seen) == 1);
  CHECK_BYTES(seen.remote, ((uint8_t[]){127, 0, 0, 9}), 4);
  CHECK_EQ(seen.remote_port, server);
  tear_down();
}

static void speaks_ipv6(void)
{
  set_up();
  const uint16_t server = open_socket(1, "::");
  open_socket(0, "::1");
  struct mp_endpoint seen;
  datagrams[0] = datagram(0, "::1", server, 20);
  send_all(1);
  CHECK_EQ_INT(datagrams[0].error, 0);
  REQUIRE(receive(1, 1, &seen) == 1);
  const uint8_t loopback[16] = {[15] = 1};
  CHECK_EQ(seen.family, 6);
  CHECK_BYTES(seen.remote, loopback, 16);
  CHECK_BYTES(seen.local, loopback, 16);
  datagrams[0] = (struct mp_datagram){.bytes = payload, .length = 30, .to = seen};
  send_all(1);
  CHECK_EQ_INT(datagrams[0].error, 0);
  CHECK_EQ(receive(0, 1, NULL), 1);
  tear_down();
}

/* Datagrams of one path and one length: the last run of a path may end with a shorter one. */
static void path_of(unsigned index, uint16_t peer, uint8_t path)
{
  datagrams[index].peer = peer;
  datagrams[index].path = path;
}

static void sends_and_receives_runs(void)
{
  set_up();
  offload = true;
  const uint16_t to = open_socket(1, "127.0.0.1");
  open_socket(0, "127.0.0.1");
  const uint32_t lengths[] = {1400, 1400, 1400, 900, 1400, 1400, 1400, 1400};
  for (unsigned i = 0; i < 8; i++) {
    datagrams[i] = datagram(0, "127.0.0.1", to, lengths[i]);
    path_of(i, 0, i % 2); /* 1400 1400 1400 1400 and 1400 900, 1400 1400 */
  }
  outbox.sent_runs = 0;
  send_all(8);
  CHECK_EQ(outbox.sent_runs, 3);
  for (unsigned i = 0; i < 8; i++)
    CHECK_EQ_INT(datagrams[i].error, 0);
  CHECK_EQ(receive(1, 8, NULL), 8);
  offload = false;
  tear_down();
}

static void gives_runs_up_for_good_where_the_device_lacks_offloads(void)
{
  set_up();
  offload = true;
  const uint16_t to = open_socket(1, "127.0.0.1");
  open_socket(0, "127.0.0.1");
  for (unsigned i = 0; i < 4; i++) {
    datagrams[i] = datagram(0, "127.0.0.1", to, 1000);
    path_of(i, 0, 0);
  }
  refusal = EIO;
  send_all(4);
  refusal = 0;
  for (unsigned i = 0; i < 4; i++)
    CHECK_EQ_INT(datagrams[i].error, 0);
  CHECK(!atomic_load(&sockets[0].segments));
  CHECK_EQ(receive(1, 4, NULL), 4);
  outbox.sent_runs = 0;
  send_all(4);
  CHECK_EQ(outbox.sent_runs, 0);
  CHECK_EQ(receive(1, 4, NULL), 4);
  offload = false;
  tear_down();
}

/* On another path they may fit: one peer with a narrow path must not slow all others of a server down. */
static void is_too_large_for_its_path(int error)
{
  set_up();
  offload = true;
  const uint16_t to = open_socket(1, "127.0.0.1");
  open_socket(0, "127.0.0.1");
  for (unsigned i = 0; i < 4; i++) {
    datagrams[i] = datagram(0, "127.0.0.1", to, 1000);
    path_of(i, 0, 0);
  }
  refusal = error;
  send_all(4);
  refusal = 0;
  for (unsigned i = 0; i < 4; i++)
    CHECK_EQ_INT(datagrams[i].error, 0);
  CHECK_EQ(receive(1, 4, NULL), 4);
  outbox.sent_runs = 0;
  send_all(4);
  CHECK_EQ(outbox.sent_runs, 1);
  CHECK_EQ(receive(1, 4, NULL), 4);
  offload = false;
  tear_down();
}

static void sends_a_run_that_is_too_large_for_its_path_one_by_one(void)
{
  is_too_large_for_its_path(EMSGSIZE);
  is_too_large_for_its_path(EINVAL);
}

static void handshake_messages_are_no_run(void)
{
  set_up();
  offload = true;
  const uint16_t to = open_socket(1, "127.0.0.1");
  open_socket(0, "127.0.0.1");
  for (unsigned i = 0; i < 3; i++)
    datagrams[i] = datagram(0, "127.0.0.1", to, 171);
  outbox.sent_runs = 0;
  send_all(3);
  CHECK_EQ(outbox.sent_runs, 0);
  CHECK_EQ(receive(1, 3, NULL), 3);
  offload = false;
  tear_down();
}

static void says_which_call_was_refused(void)
{
  struct mp_fault fault = {0};
  uint16_t port;
  const struct mp_udp_request nowhere = {.family = 4, .device = "mptunnone0"};
  CHECK_EQ_INT(mp_udp_open(&nowhere, &port, &fault), -1);
  CHECK_EQ_INT(fault.error, ENODEV);
  CHECK(strcmp(fault.syscall, "setsockopt(SO_BINDTODEVICE)") == 0);
  const struct mp_udp_request foreign = {.family = 4, .address = {192, 0, 2, 1}};
  CHECK_EQ_INT(mp_udp_open(&foreign, &port, &fault), -1);
  CHECK_EQ_INT(fault.error, EADDRNOTAVAIL);
  CHECK(strcmp(fault.syscall, "bind") == 0);
}

int main(void)
{
  for (unsigned i = 0; i < sizeof payload; i++)
    payload[i] = (uint8_t)(i * 7);
  RUN(carries_a_batch_over_two_sockets);
  RUN(errors_hit_exactly_their_datagram);
  RUN(a_refusal_by_a_stranger_is_no_error_of_others);
  RUN(answers_from_the_address_that_was_asked);
  RUN(speaks_ipv6);
  RUN(sends_and_receives_runs);
  RUN(gives_runs_up_for_good_where_the_device_lacks_offloads);
  RUN(sends_a_run_that_is_too_large_for_its_path_one_by_one);
  RUN(handshake_messages_are_no_run);
  RUN(says_which_call_was_refused);
  return test_end();
}
