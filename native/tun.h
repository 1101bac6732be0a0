/* The TUN port. Opening runs on the control thread, reading on one of the engine's threads at a time,
 * which may be the one that writes. How packets become system calls is known here alone:
 * IFF_VNET_HDR and its offloads. */
#ifndef MP_TUN_H
#define MP_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "tunnel.h"

/* Creates a TUN device that lives as long as the descriptor, or attaches to a persistent one. `name`
 * may end in %d; NULL: "mptun%d". With `offload` the kernel is asked to hand over super-packets and
 * partial checksums, as far as it can. Returns a non-blocking descriptor and the device's name, or -1
 * and *fault: EPERM without CAP_NET_ADMIN, EBUSY when another process holds it, EINVAL for a device
 * of another kind, ENAMETOOLONG. */
int mp_tun_open(const char *name, bool offload, char name_out[IFNAMSIZ], struct mp_fault *fault);

/* An open device and what was agreed with it. */
struct mp_tun {
  int fd;
  bool header; /* each packet is preceded by a virtio_net_hdr */
  bool udp;    /* the kernel takes runs of UDP */
};

/* [control] Reads from the descriptor what mp_tun_open agreed. */
bool mp_tun_adopt(struct mp_tun *tun, int fd, struct mp_fault *fault);

/* What is read at once ends with so many packets, or when so many octets are there: about an outbox of
 * full-size segments, which stay in the processor's cache on their way through. */
#define MP_TUN_BATCH 16u
#define MP_TUN_BATCH_BYTES (2u * 65536)

/* What is read stands in loads, so that what is kept need not be copied. A super-packet has at most
 * 65535 octets: one that was cut would fill the room, and be seen to be too large. */
struct mp_tun_inbox {
  struct mp_slice packets[MP_TUN_BATCH];
  struct mp_load *rooms[MP_TUN_BATCH];
};

/* [control] False when memory is gone; to be closed in either case, before the loads are. */
bool mp_tun_inbox_open(struct mp_tun_inbox *inbox, struct mp_loads *loads);
void mp_tun_inbox_close(struct mp_tun_inbox *inbox, struct mp_loads *loads);

/* Reads until nothing waits (*empty) or a batch of `most` packets, MP_TUN_BATCH at most, is full; the
 * packets are valid until the next call. *error is 0, or an errno after which the device is of no use:
 * EBADFD when it was deleted. */
unsigned mp_tun_read(struct mp_tun_inbox *inbox, const struct mp_tun *tun, unsigned most,
                     bool *empty, int *error);

/* Writes packets, those that can be joined as one, and adds the number of these runs to *runs.
 * Returns how many packets the device took, from the first. */
unsigned mp_tun_write(const struct mp_tun *tun, struct mp_packet *const *packets, unsigned count,
                      uint64_t *runs);

#endif
