/* The UDP port on the loopback device: batches, addresses, and errors that hit exactly one. */
#define _GNU_SOURCE
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

#define POOL_PACKETS 256u

static struct mp_pool pool;
static struct mp_udp_inbox inbox;
static struct mp_udp_outbox outbox;
static struct mp_udp_socket sockets[MP_CROSSING_PORTS];
static struct mp_arrival arrivals[MP_IN_BATCH];
static struct mp_datagram datagrams[MP_OUT_BATCH];
static uint8_t payload[70000];

static void set_up(void)
{
  mp_pool_open(&pool, POOL_PACKETS);
  mp_udp_inbox_open(&inbox, &pool);
  for (unsigned i = 0; i < MP_CROSSING_PORTS; i++)
    sockets[i].fd = -1;
}

static void tear_down(void)
{
  mp_udp_inbox_close(&inbox);
  CHECK_EQ(pool.taken, 0);
  mp_pool_close(&pool);
  for (unsigned i = 0; i < MP_CROSSING_PORTS; i++)
    if (sockets[i].fd >= 0)
      close(sockets[i].fd);
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
  sockets[port] = (struct mp_udp_socket){.fd = fd, .family = request.family};
  return udp_port;
}

static struct mp_datagram datagram(uint8_t port, const char *address, uint16_t udp_port,
                                   uint32_t length)
{
  struct mp_datagram made = {.bytes = payload, .length = length, .error = -1};
  made.to.port = port;
  made.to.family = strchr(address, ':') ? 6 : 4;
  made.to.remote_port = udp_port;
  inet_pton(made.to.family == 4 ? AF_INET : AF_INET6, address, made.to.remote);
  return made;
}

/* Reads until `wanted` came or nothing more comes; gives the packets back. */
static unsigned receive(uint8_t port, unsigned wanted, struct mp_endpoint *last, unsigned *cut)
{
  unsigned count = 0;
  struct pollfd ready = {.fd = sockets[port].fd, .events = POLLIN};
  while (count < wanted && poll(&ready, 1, 1000) > 0) {
    const struct mp_udp_received received =
        mp_udp_receive(&inbox, &sockets[port], port, arrivals);
    for (unsigned i = 0; i < received.count; i++) {
      if (last)
        *last = arrivals[i].from;
      CHECK_BYTES(arrivals[i].packet->room, payload, arrivals[i].length);
      mp_pool_give(&pool, arrivals[i].packet);
    }
    count += received.count;
    if (cut)
      *cut += received.cut;
    if (received.cut > 0 && received.count == 0)
      break;
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
  mp_udp_send(&outbox, sockets, datagrams, MP_OUT_BATCH);
  for (unsigned i = 0; i < MP_OUT_BATCH; i++)
    CHECK_EQ_INT(datagrams[i].error, 0);
  CHECK_EQ(receive(2, MP_OUT_BATCH, NULL, NULL), MP_OUT_BATCH);

  struct mp_endpoint source;
  datagrams[0] = datagram(0, "127.0.0.1", to, 10);
  mp_udp_send(&outbox, sockets, datagrams, 1);
  CHECK_EQ(receive(2, 1, &source, NULL), 1);
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
  mp_udp_send(&outbox, sockets, datagrams, 8);
  const int expected[] = {0, EACCES, 0, EMSGSIZE, 0, EBADF, EAFNOSUPPORT, 0};
  for (unsigned i = 0; i < 8; i++)
    CHECK_EQ_INT(datagrams[i].error, expected[i]);
  CHECK_EQ(receive(1, 4, NULL, NULL), 4);
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
    mp_udp_send(&outbox, sockets, datagrams, 2);
    CHECK_EQ_INT(datagrams[0].error, 0);
    CHECK_EQ_INT(datagrams[1].error, 0);
  }
  CHECK_EQ(receive(1, 20, NULL, NULL), 20);
  tear_down();
}

static void answers_from_the_address_that_was_asked(void)
{
  set_up();
  const uint16_t server = open_socket(1, "0.0.0.0");
  const uint16_t client = open_socket(0, "127.0.0.1");
  struct mp_endpoint seen;
  datagrams[0] = datagram(0, "127.0.0.9", server, 20);
  mp_udp_send(&outbox, sockets, datagrams, 1);
  REQUIRE(receive(1, 1, &seen, NULL) == 1);
  CHECK_BYTES(seen.local, ((uint8_t[]){127, 0, 0, 9, 0}), 5);
  CHECK_EQ(seen.remote_port, client);

  datagrams[0] = (struct mp_datagram){.bytes = payload, .length = 30, .to = seen};
  mp_udp_send(&outbox, sockets, datagrams, 1);
  CHECK_EQ_INT(datagrams[0].error, 0);
  REQUIRE(receive(0, 1, &seen, NULL) == 1);
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
  mp_udp_send(&outbox, sockets, datagrams, 1);
  CHECK_EQ_INT(datagrams[0].error, 0);
  REQUIRE(receive(1, 1, &seen, NULL) == 1);
  const uint8_t loopback[16] = {[15] = 1};
  CHECK_EQ(seen.family, 6);
  CHECK_BYTES(seen.remote, loopback, 16);
  CHECK_BYTES(seen.local, loopback, 16);
  datagrams[0] = (struct mp_datagram){.bytes = payload, .length = 30, .to = seen};
  mp_udp_send(&outbox, sockets, datagrams, 1);
  CHECK_EQ_INT(datagrams[0].error, 0);
  CHECK_EQ(receive(0, 1, NULL, NULL), 1);
  tear_down();
}

static void drops_what_is_larger_than_a_packet(void)
{
  set_up();
  const uint16_t to = open_socket(1, "127.0.0.1");
  open_socket(0, "127.0.0.1");
  unsigned cut = 0;
  datagrams[0] = datagram(0, "127.0.0.1", to, 100);
  datagrams[1] = datagram(0, "127.0.0.1", to, MP_PACKET_ROOM_BYTES + 1);
  datagrams[2] = datagram(0, "127.0.0.1", to, MP_PACKET_ROOM_BYTES);
  mp_udp_send(&outbox, sockets, datagrams, 3);
  CHECK_EQ(receive(1, 2, NULL, &cut), 2);
  CHECK_EQ(cut, 1);
  tear_down();
}

static void reads_nothing_while_there_is_no_packet(void)
{
  set_up();
  const uint16_t to = open_socket(1, "127.0.0.1");
  open_socket(0, "127.0.0.1");
  datagrams[0] = datagram(0, "127.0.0.1", to, 100);
  mp_udp_send(&outbox, sockets, datagrams, 1);
  struct mp_packet *all[POOL_PACKETS];
  for (unsigned i = 0; i < POOL_PACKETS; i++)
    all[i] = mp_pool_take(&pool);
  CHECK(mp_udp_receive(&inbox, &sockets[1], 1, arrivals).starved);
  for (unsigned i = 0; i < POOL_PACKETS; i++)
    mp_pool_give(&pool, all[i]);
  CHECK_EQ(receive(1, 1, NULL, NULL), 1);
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
  RUN(drops_what_is_larger_than_a_packet);
  RUN(reads_nothing_while_there_is_no_packet);
  RUN(says_which_call_was_refused);
  return test_end();
}
