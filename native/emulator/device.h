/* A TUN device in a network namespace: one end of an emulated link. It exists while it is open. */
#ifndef MP_EMULATOR_DEVICE_H
#define MP_EMULATOR_DEVICE_H

#include <pthread.h>

#include "describe.h"

struct mp_device {
  int fd;       /* non-blocking; -1: unplugged */
  bool watched; /* for the event loop: false after every plug */
  bool leaving; /* a thread takes it away */
  pthread_t leaver;
};

/* Makes the device and brings it up, once the one before is gone. `namespace` as in `ip netns`, empty
 * for the caller's own. False with the reason and its remedy in `complaint`. Needs CAP_SYS_ADMIN and
 * CAP_NET_ADMIN. */
bool mp_device_plug(struct mp_device *device, const char *namespace, const char *name,
                    uint32_t mtu_bytes, char complaint[MP_COMPLAINT_SIZE]);

/* Takes the device away beside the caller: the kernel takes its time, 13 to 30 ms for which no other link
 * may stand still. */
void mp_device_unplug(struct mp_device *device);

/* Waits until it is gone. */
void mp_device_join(struct mp_device *device);

#endif
