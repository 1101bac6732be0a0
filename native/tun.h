/* The TUN port. Opening runs on the control thread, the rest on the engine thread. How packets
 * become system calls is known here alone: IFF_VNET_HDR and its offloads belong here. */
#ifndef MP_TUN_H
#define MP_TUN_H

#include <net/if.h>
#include <stdint.h>

#include "fault.h"
#include "tunnel.h"

/* Creates a TUN device that lives as long as the descriptor, or attaches to a persistent one. `name`
 * may end in %d; NULL: "mptun%d". Returns a non-blocking descriptor and the device's name, or -1 and
 * *fault: EPERM without CAP_NET_ADMIN, EBUSY when another process holds it, EINVAL for a device of
 * another kind, ENAMETOOLONG. */
int mp_tun_open(const char *name, char name_out[IFNAMSIZ], struct mp_fault *fault);

/* One above the largest packet, so that one that was cut is seen to be too large. */
#define MP_TUN_ROOM_BYTES (MP_LIMIT_PACKET_BYTES + 8)

struct mp_tun_inbox {
  struct mp_slice packets[MP_OUT_BATCH];
  _Alignas(64) uint8_t rooms[MP_OUT_BATCH][MP_TUN_ROOM_BYTES];
};

/* Reads until nothing waits or the batch is full; the packets are valid until the next call. *error
 * is 0, or an errno after which the device is of no use: EBADFD when it was deleted. */
unsigned mp_tun_read(struct mp_tun_inbox *inbox, int fd, int *error);

/* Writes packets (room + offset, length). Returns how many the device took, from the first. */
unsigned mp_tun_write(int fd, struct mp_packet *const *packets, unsigned count);

#endif
