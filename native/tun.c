#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "checksum.h"
#include "coalesce.h"

/* Runs of UDP came with Linux 6.2; headers that are older lack the names. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TCP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define UDP_OFFLOADS (TCP_OFFLOADS | TUN_F_USO4 | TUN_F_USO6)

int mp_tun_open(const char *name, bool offload, char name_out[IFNAMSIZ], struct mp_fault *fault)
{
  const char *wanted = name ? name : "mptun%d";
  struct ifreq request = {
      .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0))};
  if (strlen(wanted) >= sizeof request.ifr_name) {
    *fault = (struct mp_fault){ENAMETOOLONG, "ioctl(TUNSETIFF)"};
    return -1;
  }
  memcpy(request.ifr_name, wanted, strlen(wanted) + 1);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    *fault = (struct mp_fault){errno, "open(/dev/net/tun)"};
    return -1;
  }
  if (ioctl(fd, TUNSETIFF, &request) != 0) {
    *fault = (struct mp_fault){errno, "ioctl(TUNSETIFF)"};
    close(fd);
    return -1;
  }
  memcpy(name_out, request.ifr_name, IFNAMSIZ);
  name_out[IFNAMSIZ - 1] = '\0';
  return fd;
}

bool mp_tun_adopt(struct mp_tun *tun, int fd, struct mp_fault *fault)
{
  struct ifreq request = {0};
  /* Any other descriptor that keeps packets apart will do, such as a socket of a test. */
  if (ioctl(fd, TUNGETIFF, &request) != 0 && errno != ENOTTY && errno != EOPNOTSUPP) {
    *fault = (struct mp_fault){errno, "ioctl(TUNGETIFF)"};
    return false;
  }
  *tun = (struct mp_tun){.fd = fd, .header = request.ifr_flags & IFF_VNET_HDR};
  if (!tun->header)
    return true;
  /* Refused offloads leave a header that says of every packet that it is whole, which is fine. */
  tun->udp = ioctl(fd, TUNSETOFFLOAD, UDP_OFFLOADS) == 0;
  if (!tun->udp)
    (void)ioctl(fd, TUNSETOFFLOAD, TCP_OFFLOADS);
  return true;
}

/* ---- In ---- */

bool mp_tun_inbox_open(struct mp_tun_inbox *inbox, struct mp_loads *loads)
{
  bool all = true;
  for (unsigned i = 0; i < MP_TUN_BATCH; i++)
    all &= (inbox->rooms[i] = mp_load_take(loads, NULL, MP_LOAD_MOST_BYTES)) != NULL;
  return all;
}

void mp_tun_inbox_close(struct mp_tun_inbox *inbox, struct mp_loads *loads)
{
  for (unsigned i = 0; i < MP_TUN_BATCH; i++)
    if (inbox->rooms[i])
      mp_load_drop(loads, inbox->rooms[i]);
}

static void read_header(struct mp_slice *slice, const struct virtio_net_hdr *header)
{
  struct mp_offload *offload = &slice->offload;
  offload->partial = header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
  offload->transport = header->csum_start;
  offload->checksum = header->csum_offset;
  offload->segment_bytes = header->gso_size;
  switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_TCPV4:
  case VIRTIO_NET_HDR_GSO_TCPV6:
    offload->gso = MP_GSO_TCP;
    break;
  case VIRTIO_NET_HDR_GSO_UDP_L4:
    offload->gso = MP_GSO_UDP;
    break;
  default:
    break;
  }
}

/* Whether the offload stays inside the packet; the kernel would be at fault. */
static bool is_sound(const struct mp_slice *slice)
{
  const struct mp_offload *offload = &slice->offload;
  if (!offload->partial)
    return offload->gso == MP_GSO_NONE;
  return (uint32_t)offload->transport + offload->checksum + 2 <= slice->length;
}

unsigned mp_tun_read(struct mp_tun_inbox *inbox, const struct mp_tun *tun, unsigned most,
                     bool *empty, int *error)
{
  struct virtio_net_hdr header;
  const size_t before = tun->header ? sizeof header : 0;
  unsigned count = 0;
  uint32_t bytes = 0;
  *empty = false;
  *error = 0;
  while (count < most && bytes < MP_TUN_BATCH_BYTES) {
    struct mp_load **room = &inbox->rooms[count];
    const struct iovec parts[] = {{&header, before}, {(*room)->bytes, MP_LOAD_MOST_BYTES}};
    const ssize_t length = readv(tun->fd, parts, 2);
    if (length < 0) {
      if (errno == EINTR)
        continue;
      *empty = true;
      if (errno != EAGAIN)
        *error = errno;
      break;
    }
    if ((size_t)length < before)
      continue;
    struct mp_slice *slice = &inbox->packets[count];
    *slice = (struct mp_slice){.bytes = (*room)->bytes,
                               .length = (uint32_t)((size_t)length - before),
                               .room = room};
    if (before)
      read_header(slice, &header);
    if (!is_sound(slice))
      continue;
    count++;
    bytes += slice->length;
  }
  return count;
}

/* ---- Out ---- */

static struct virtio_net_hdr write_header(const struct mp_super *super, const uint8_t *packet)
{
  struct virtio_net_hdr header = {0};
  if (!super->offload.partial)
    return header;
  header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  header.csum_start = super->offload.transport;
  header.csum_offset = super->offload.checksum;
  if (super->count == 1)
    return header;
  enum { TCP_FLAGS = 13, TCP_CWR = 0x80 };
  header.hdr_len = (uint16_t)super->header_bytes;
  header.gso_size = super->offload.segment_bytes;
  if (super->offload.gso == MP_GSO_UDP) {
    header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
  } else {
    header.gso_type = packet[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    if (packet[super->offload.transport + TCP_FLAGS] & TCP_CWR)
      header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
  }
  return header;
}

static bool write_all(int fd, const struct iovec *parts, unsigned count)
{
  while (writev(fd, parts, (int)count) < 0)
    if (errno != EINTR)
      return false; /* EIO: the device is down; ENOMEM: so is the machine, nearly */
  return true;
}

static bool write_super(const struct mp_tun *tun, const struct mp_super *super,
                        struct mp_packet *const *packets)
{
  struct iovec parts[2 + MP_COALESCE_PACKETS];
  uint8_t header[MP_COALESCE_HEADER_BYTES];
  struct virtio_net_hdr virtio = write_header(super, super->first->bytes);
  parts[0] = (struct iovec){&virtio, sizeof virtio};
  if (super->count == 1) {
    parts[1] = (struct iovec){super->first->bytes, super->first->length};
    return write_all(tun->fd, parts, 2);
  }
  mp_super_header(super, packets[super->count - 1], header);
  parts[1] = (struct iovec){header, super->header_bytes};
  for (unsigned i = 0; i < super->count; i++)
    parts[2 + i] = (struct iovec){packets[i]->bytes + super->header_bytes,
                                  packets[i]->length - super->header_bytes};
  return write_all(tun->fd, parts, 2 + super->count);
}

/* Without the header the kernel takes whole packets only. */
static bool write_plain(const struct mp_tun *tun, struct mp_packet *packet)
{
  if (packet->partial) {
    mp_checksum_complete(packet->bytes, packet->length, packet->transport, packet->checksum);
    packet->partial = false;
  }
  const struct iovec part = {packet->bytes, packet->length};
  return write_all(tun->fd, &part, 1);
}

unsigned mp_tun_write(const struct mp_tun *tun, struct mp_packet *const *packets, unsigned count,
                      uint64_t *runs)
{
  unsigned done = 0;
  while (done < count) {
    if (!tun->header) {
      if (!write_plain(tun, packets[done]))
        break;
      done++;
      continue;
    }
    struct mp_super super;
    mp_super_begin(&super, packets[done], tun->udp);
    while (done + super.count < count && mp_super_add(&super, packets[done + super.count])) {
    }
    if (!write_super(tun, &super, packets + done))
      break;
    done += super.count;
    *runs += super.count > 1;
  }
  return done;
}
