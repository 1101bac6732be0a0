#define _GNU_SOURCE
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  /* A device's own queue only has to bridge the time until this process runs: 50 ms at 600 Mbit/s.
   * The kernel's 500 packets would drop first when the machine is busy. */
  QUEUE_PACKETS = 2500,
};

static const char *remedy_for(int cause)
{
  switch (cause) {
  case EPERM:
  case EACCES:
    return "; run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN";
  case ENOENT:
    return "; see `ip netns list` and /dev/net/tun";
  case EBUSY:
    return "; a device of that name is there already, choose another with dev-a= or dev-b=";
  default:
    return "";
  }
}

static bool complain(char *complaint, const char *call, const char *object, int cause)
{
  snprintf(complaint, MP_COMPLAINT_SIZE, "%s %s: %s%s", call, object, strerror(cause),
           remedy_for(cause));
  return false;
}

static bool enter(const char *namespace, char *complaint)
{
  char path[MP_NAME_SIZE + 16];
  snprintf(path, sizeof path, "/run/netns/%s", namespace);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return complain(complaint, "open", path, errno);
  bool entered = setns(fd, CLONE_NEWNET) == 0 || complain(complaint, "setns", path, errno);
  close(fd);
  return entered;
}

static bool bring_up(struct ifreq *request, uint32_t mtu_bytes, char *complaint)
{
  const char *name = request->ifr_name;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return complain(complaint, "socket for", name, errno);
  request->ifr_mtu = (int)mtu_bytes;
  bool is_up = ioctl(fd, SIOCSIFMTU, request) == 0 ||
               complain(complaint, "ioctl SIOCSIFMTU", name, errno);
  request->ifr_qlen = QUEUE_PACKETS;
  is_up = is_up && (ioctl(fd, SIOCSIFTXQLEN, request) == 0 ||
                    complain(complaint, "ioctl SIOCSIFTXQLEN", name, errno));
  request->ifr_flags = IFF_UP | IFF_RUNNING;
  is_up = is_up && (ioctl(fd, SIOCSIFFLAGS, request) == 0 ||
                    complain(complaint, "ioctl SIOCSIFFLAGS", name, errno));
  close(fd);
  return is_up;
}

static bool plug_here(struct mp_device *device, const char *name, uint32_t mtu_bytes,
                      char *complaint)
{
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return complain(complaint, "open", "/dev/net/tun", errno);
  struct ifreq request = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL)};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  bool plugged = ioctl(fd, TUNSETIFF, &request) == 0 ||
                 complain(complaint, "ioctl TUNSETIFF", name, errno);
  if (!plugged || !bring_up(&request, mtu_bytes, complaint)) {
    close(fd);
    return false;
  }
  *device = (struct mp_device){.fd = fd};
  return true;
}

bool mp_device_plug(struct mp_device *device, const char *namespace, const char *name,
                    uint32_t mtu_bytes, char complaint[MP_COMPLAINT_SIZE])
{
  mp_device_join(device);
  if (namespace[0] == '\0')
    return plug_here(device, name, mtu_bytes, complaint);
  int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0)
    return complain(complaint, "open", "/proc/self/ns/net", errno);
  bool plugged =
    enter(namespace, complaint) && plug_here(device, name, mtu_bytes, complaint);
  if (setns(home, CLONE_NEWNET) != 0)
    plugged = complain(complaint, "setns", "/proc/self/ns/net", errno);
  close(home);
  return plugged;
}

static void *close_it(void *fd)
{
  close((int)(intptr_t)fd);
  return NULL;
}

void mp_device_unplug(struct mp_device *device)
{
  const int fd = device->fd;
  device->fd = -1;
  if (fd < 0)
    return;
  mp_device_join(device);
  device->leaving = pthread_create(&device->leaver, NULL, close_it, (void *)(intptr_t)fd) == 0;
  if (!device->leaving)
    close(fd);
}

void mp_device_join(struct mp_device *device)
{
  if (device->leaving)
    pthread_join(device->leaver, NULL);
  device->leaving = false;
}
