/* mptun-bulk: one TCP connection with as much as it can carry, and when which octets arrived.
 *
 * iperf3 tells the receiver's side in whole seconds and cannot open an MPTCP socket by itself.
 *
 * What has come is more than what may be read: MPTCP puts in order what its subflows bring, and of fast and
 * slow ones some megabytes wait for that, now more and now less. A rate between two moments has their
 * difference in it, as much as 3 % of half a minute, and links have carried nothing of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
  "usage: mptun-bulk listen PORT CONGESTION tcp|mptcp\n"
  "       mptun-bulk connect ADDRESS PORT CONGESTION tcp|mptcp up|down|both SECONDS\n"
  "\n"
  "listen says `listening` and takes one connection; connect makes it and says who sends. After\n"
  "SECONDS connect resets it. Both print one line of JSON with what arrived at their own end.\n";

enum exit_code { EXIT_DONE, EXIT_REFUSED, EXIT_FAILED };

enum {
  BIN_US = 10000,
  MAX_BINS = 60000, /* ten minutes */
  /* Of nothing to read: longer than what a packet takes on the slowest of links. */
  PAUSE_LEAST_US = 12000,
  MAX_PAUSES = 20000,
  MAX_SUBFLOWS = 8, /* MPTCP_SUBFLOWS_MAX of the kernel */
  CHUNK_BYTES = 1 << 18,
  /* How soon a signal is seen that came just before the wait, and what came and cannot be read yet. */
  WAIT_MS = BIN_US / 1000,
  CONNECT_MS = 5000,
  SOL_MPTCP_LEVEL = 284, /* SOL_MPTCP of linux/socket.h, which is not for programs */
};

struct bulk {
  int fd;
  bool sends, receives;
  int64_t start_us, end_us;
  bool is_mptcp;
  uint64_t sent_bytes, taken_bytes, come_bytes;
  size_t bin_count, pause_count;
  int64_t taken_us; /* when something came last */
};

static uint32_t bins[MAX_BINS]; /* what could be read, */
static uint32_t come[MAX_BINS]; /* and what was there */
static struct { int64_t from_us, to_us; } pauses[MAX_PAUSES];
static uint8_t chunk[CHUNK_BYTES];
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
  (void)signal;
  stopped = 1;
}

static int fail(const char *call)
{
  fprintf(stderr, "mptun-bulk: %s: %s\n", call, strerror(errno));
  return EXIT_FAILED;
}

static int64_t now_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* -1: the call that failed is named in *call. */
static int open_socket(const char *protocol, const char *congestion, const char **call)
{
  const int number = strcmp(protocol, "mptcp") == 0 ? IPPROTO_MPTCP : IPPROTO_TCP;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, number);
  const int on = 1;
  *call = "socket";
  if (fd < 0)
    return -1;
  *call = "setsockopt(SO_REUSEADDR)";
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return -1;
  *call = congestion;
  const socklen_t length = (socklen_t)strlen(congestion);
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, length) == 0 ? fd : -1;
}

/* What came on two subflows counts twice. 0: it fell back to TCP, or is none. */
static uint64_t subflow_bytes(int fd)
{
  struct {
    struct mptcp_subflow_data head;
    struct tcp_info subflows[MAX_SUBFLOWS];
  } told = {.head = {.size_subflow_data = sizeof told.head, .size_user = sizeof told.subflows[0]}};
  socklen_t size = sizeof told;
  if (getsockopt(fd, SOL_MPTCP_LEVEL, MPTCP_TCPINFO, &told, &size) != 0)
    return 0;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < told.head.num_subflows && i < MAX_SUBFLOWS; i++)
    bytes += told.subflows[i].tcpi_bytes_received;
  return bytes;
}

/* Of TCP no more is known than what could be read. */
static void note_come(struct bulk *bulk)
{
  const uint64_t subflows = bulk->is_mptcp ? subflow_bytes(bulk->fd) : 0;
  const uint64_t bytes = subflows > bulk->taken_bytes ? subflows : bulk->taken_bytes;
  const size_t bin = (size_t)(now_us() - bulk->start_us) / BIN_US;
  if (bytes <= bulk->come_bytes || bin >= MAX_BINS)
    return;
  come[bin] += (uint32_t)(bytes - bulk->come_bytes);
  bulk->come_bytes = bytes;
  if (bin >= bulk->bin_count)
    bulk->bin_count = bin + 1;
}

static void note_arrival(struct bulk *bulk, size_t bytes)
{
  const int64_t at_us = now_us(), since_us = bulk->taken_us;
  bulk->taken_us = at_us;
  bulk->taken_bytes += bytes;
  if (since_us > 0 && at_us - since_us >= PAUSE_LEAST_US && bulk->pause_count < MAX_PAUSES) {
    pauses[bulk->pause_count].from_us = since_us;
    pauses[bulk->pause_count++].to_us = at_us;
  }
  const size_t bin = (size_t)(at_us - bulk->start_us) / BIN_US;
  if (bin >= MAX_BINS)
    return;
  bins[bin] += (uint32_t)bytes;
  if (bin >= bulk->bin_count)
    bulk->bin_count = bin + 1;
}

/* False: the connection is over. */
static bool take(struct bulk *bulk)
{
  for (;;) {
    const ssize_t taken = recv(bulk->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (taken < 0)
      return errno == EAGAIN || errno == EINTR;
    if (taken == 0)
      return false;
    note_arrival(bulk, (size_t)taken);
    if ((size_t)taken < sizeof chunk)
      return true;
  }
}

static bool give(struct bulk *bulk)
{
  static const uint8_t zeros[CHUNK_BYTES];
  const ssize_t given = send(bulk->fd, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (given < 0)
    return errno == EAGAIN || errno == EINTR;
  bulk->sent_bytes += (uint64_t)given;
  return true;
}

/* Until the connection ends, the time is up or a signal comes. */
static void carry(struct bulk *bulk)
{
  const short wanted = (short)(POLLIN | (bulk->sends ? POLLOUT : 0));
  bool lives = true;
  while (lives && !stopped && now_us() < bulk->end_us) {
    struct pollfd waiting = {.fd = bulk->fd, .events = wanted};
    const int ready = poll(&waiting, 1, WAIT_MS);
    if (ready > 0 && waiting.revents & (POLLIN | POLLHUP | POLLERR))
      lives = take(bulk);
    note_come(bulk);
    if (ready <= 0)
      continue;
    if (lives && (waiting.revents & POLLOUT))
      lives = give(bulk);
  }
}

static void report_bins(const char *name, const uint32_t *octets, size_t count)
{
  printf(",\"%s\":[", name);
  for (size_t i = 0; i < count; i++)
    printf("%s%u", i == 0 ? "" : ",", octets[i]);
  putchar(']');
}

static void report(const struct bulk *bulk)
{
  struct tcp_info tcp = {0};
  struct mptcp_info mptcp = {0};
  char congestion[16] = "";
  socklen_t size = sizeof tcp;
  getsockopt(bulk->fd, IPPROTO_TCP, TCP_INFO, &tcp, &size);
  size = sizeof mptcp;
  getsockopt(bulk->fd, SOL_MPTCP_LEVEL, MPTCP_INFO, &mptcp, &size);
  size = sizeof congestion;
  getsockopt(bulk->fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &size);
  printf("{\"startUs\":%" PRId64 ",\"binUs\":%d,\"sentBytes\":%" PRIu64, bulk->start_us, BIN_US,
         bulk->sent_bytes);
  printf(",\"congestion\":\"%.15s\",\"retransmits\":%u,\"outOfOrder\":%u,\"addedSubflows\":%u",
         congestion, tcp.tcpi_total_retrans, tcp.tcpi_rcv_ooopack, mptcp.mptcpi_subflows);
  report_bins("bins", bins, bulk->bin_count);
  report_bins("come", come, bulk->bin_count);
  printf(",\"pauses\":[");
  for (size_t i = 0; i < bulk->pause_count; i++)
    printf("%s{\"fromUs\":%" PRId64 ",\"toUs\":%" PRId64 "}", i == 0 ? "" : ",", pauses[i].from_us,
           pauses[i].to_us);
  puts("]}");
}

/* What is still queued is of no interest, and no socket is left to the kernel for what the link lost. */
static void reset(int fd)
{
  const struct linger none = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(fd);
}

static int run_listen(char **words)
{
  const char *call;
  const int fd = open_socket(words[2], words[1], &call);
  if (fd < 0)
    return fail(call);
  const struct sockaddr_in own = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(words[0]))};
  if (bind(fd, (const struct sockaddr *)&own, sizeof own) != 0 || listen(fd, 1) != 0)
    return fail("bind");
  puts("listening");
  fflush(stdout);
  struct bulk bulk = {.end_us = INT64_MAX, .is_mptcp = strcmp(words[2], "mptcp") == 0};
  bulk.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
  if (bulk.fd < 0)
    return fail("accept");
  bulk.start_us = now_us();
  uint8_t wish;
  if (recv(bulk.fd, &wish, 1, 0) != 1)
    return fail("recv");
  bulk.sends = wish != 'u';
  carry(&bulk);
  report(&bulk);
  reset(bulk.fd);
  return EXIT_DONE;
}

static int run_connect(char **words)
{
  const char *call;
  const int fd = open_socket(words[3], words[2], &call);
  if (fd < 0)
    return fail(call);
  struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  const double seconds = atof(words[5]);
  if (inet_pton(AF_INET, words[0], &far.sin_addr) != 1 || seconds <= 0) {
    fputs(usage, stderr);
    return EXIT_REFUSED;
  }
  /* Of send() too, and so of connect(): socket(7). */
  const struct timeval limit = {.tv_sec = CONNECT_MS / 1000};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  struct bulk bulk = {.fd = fd, .is_mptcp = strcmp(words[3], "mptcp") == 0, .start_us = now_us()};
  bulk.end_us = bulk.start_us + (int64_t)(seconds * 1e6);
  const uint8_t wish = (uint8_t)words[4][0];
  if (connect(fd, (const struct sockaddr *)&far, sizeof far) != 0)
    return fail("connect");
  if (send(fd, &wish, 1, MSG_NOSIGNAL) != 1)
    return fail("send");
  bulk.sends = wish != 'd';
  carry(&bulk);
  report(&bulk);
  reset(fd);
  return EXIT_DONE;
}

int main(int argc, char **argv)
{
  const struct sigaction on_stop = {.sa_handler = stop}; /* no SA_RESTART: waits end */
  sigaction(SIGTERM, &on_stop, NULL);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  prctl(PR_SET_TIMERSLACK, 50000);
  if (argc == 5 && strcmp(argv[1], "listen") == 0)
    return run_listen(argv + 2);
  if (argc == 8 && strcmp(argv[1], "connect") == 0)
    return run_connect(argv + 2);
  fputs(usage, stderr);
  return EXIT_REFUSED;
}
