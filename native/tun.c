#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int mp_tun_open(const char *name, char name_out[IFNAMSIZ], struct mp_fault *fault)
{
  const char *wanted = name ? name : "mptun%d";
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
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

unsigned mp_tun_read(struct mp_tun_inbox *inbox, int fd, int *error)
{
  unsigned count = 0;
  *error = 0;
  while (count < MP_OUT_BATCH) {
    const ssize_t length = read(fd, inbox->rooms[count], MP_TUN_ROOM_BYTES);
    if (length < 0) {
      if (errno == EINTR)
        continue;
      if (errno != EAGAIN)
        *error = errno;
      break;
    }
    inbox->packets[count] = (struct mp_slice){inbox->rooms[count], (uint32_t)length};
    count++;
  }
  return count;
}

unsigned mp_tun_write(int fd, struct mp_packet *const *packets, unsigned count)
{
  unsigned taken = 0;
  while (taken < count) {
    const struct mp_packet *packet = packets[taken];
    if (write(fd, packet->room + packet->offset, packet->length) >= 0)
      taken++;
    else if (errno != EINTR)
      break; /* EIO: the device is down; ENOMEM: so is the machine, nearly */
  }
  return taken;
}
