/* Hands packets to a device as they are, past all checks of the IP stack:
 *
 *   packet_writer DEVICE   reads records from stdin until its end and prints `written N`
 *
 * The device is one without a header of its own, such as a TUN.
 *
 * A record is the length of the rest (16 bits, little-endian), a struct virtio_net_hdr, which says what
 * the device is to do (checksum, segments), and the packet. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES sizeof(struct virtio_net_hdr)

/* A TUN drops what its queue does not take, without a word to the socket. */
#define BURST 32
#define PAUSE_US 1000

static _Noreturn void fail(const char *what)
{
  fprintf(stderr, "packet_writer: %s: %s\n", what, strerror(errno));
  exit(2);
}

static int open_socket(void)
{
  const int one = 1;
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0)
    fail("socket");
  if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) != 0)
    fail("PACKET_VNET_HDR");
  return fd;
}

int main(int argc, char **argv)
{
  static uint8_t record[UINT16_MAX];
  if (argc != 2) {
    fprintf(stderr, "usage: packet_writer DEVICE\n");
    return 1;
  }
  const unsigned device = if_nametoindex(argv[1]);
  if (device == 0)
    fail(argv[1]);
  const int fd = open_socket();
  unsigned long written = 0;
  for (uint8_t head[2]; fread(head, sizeof head, 1, stdin) == 1; written++) {
    const size_t length = (size_t)(head[0] | head[1] << 8);
    if (length <= HEADER_BYTES || fread(record, length, 1, stdin) != 1)
      fail("a record is cut short");
    const int version = record[HEADER_BYTES] >> 4;
    const struct sockaddr_ll to = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(version == 6 ? ETH_P_IPV6 : ETH_P_IP),
                                   .sll_ifindex = (int)device};
    if (sendto(fd, record, length, 0, (const struct sockaddr *)&to, sizeof to) < 0) {
      fprintf(stderr, "record %lu, of %zu octets: ", written, length);
      fail("sendto");
    }
    if (written % BURST == BURST - 1)
      usleep(PAUSE_US);
  }
  printf("written %lu\n", written);
  return 0;
}
