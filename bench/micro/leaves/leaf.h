/* One piece of the packet path, measured alone: its time in node (addon.c), its instructions under
 * callgrind (program.c). State of a leaf is static: one is open at a time. */
#ifndef MP_LEAF_H
#define MP_LEAF_H

#include <stdbool.h>
#include <stdint.h>

struct leaf {
  const char *name;
  /* False: not to be had on this machine. */
  bool (*open)(void);
  void (*prepare)(void); /* before each run and not measured; may be NULL */
  unsigned (*run)(void); /* returns how many packets it handled */
  void (*close)(void);   /* may be NULL */
};

/* Keeps a result alive. */
#define KEEP(value) __asm__ volatile("" : : "r"(value) : "memory")

#define LEAF_BATCH 1024u /* packets of one run, where nothing else bounds it */
#define LEAF_PACKET_BYTES 1400u

extern const struct leaf classify_leaves[], headers_leaves[], order_leaves[], queue_leaves[],
    offload_leaves[], corridor_leaves[], way_leaves[], clients_leaves[],
    far_leaves[], sealing_leaves[]; /* each ends with one without a name */

/* packet.c APIs: */

/* An IPv4 or IPv6 packet of TCP with its checksum partial; `number` stands in its sequence, so that
 * packets follow each other when it grows by the payload. */
void leaf_packet(uint8_t *packet, uint8_t version, uint16_t length, uint16_t flow, uint32_t number);

/* Between sealing and not sealing: a provider that leaves all as it is. */
struct mp_seal_provider;
extern const struct mp_seal_provider leaf_no_sealing;

/* What the corridors seal with; NULL: what mp_seal_open chooses for AES-256-GCM. */
extern const struct mp_seal_provider *leaf_sealing;

#endif
