/* The carrying half as a library: one TUN, its peers, their paths and keys. No clock, no thread and
 * no system call of its own: time is an argument, packets come in and leave through ports. The
 * engine runs it against the kernel, the simulation against modelled links; it cannot tell.
 *
 * tunnel.c   opening, closing, time     out.c        TUN to UDP
 * command.c  what TypeScript wants      in.c         UDP to TUN
 * stats.c    what TypeScript asks       handshake.c  what strangers send
 * health.c   silence, when to ask       probe.c      asking a path, and what it answers
 * sizing.c   which sizes pass whole     report.c     feedback, in all modes
 * roaming.c  where a path leads         data.c       inner packets on their way in
 * compression.c  headers that the other side knows, by context.c and profile.c
 *
 * adaptive.h lists the mode of that name, reorder.h what puts packets back in order.
 *
 * Two threads may run it: either may call on_tun, one of them all the rest, and both hold one lock
 * around each call but those that say that they need none. now_us is monotonic; a step back counts as
 * no step. */
#ifndef MP_TUNNEL_H
#define MP_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "context.h"
#include "contract.h"
#include "deadlines.h"
#include "feedback.h"
#include "hold.h"
#include "lapses.h"
#include "load.h"
#include "measure.h"
#include "offload.h"
#include "pacer.h"
#include "pool.h"
#include "reorder.h"
#include "replay.h"
#include "ring.h"
#include "route.h"
#include "schedule.h"
#include "seal.h"

/* Where a datagram goes or came from; the octets of ENDPOINT in src/boundary/record.ts. */
struct mp_endpoint {
  uint8_t port;         /* our UDP socket */
  uint8_t family;       /* 4 or 6 */
  uint16_t remote_port; /* host order */
  uint32_t scope;       /* IPv6 scope id */
  uint8_t remote[16];   /* IPv4 in the first four octets */
  uint8_t local[16];    /* all zero: the kernel chooses */
};

/* An inner packet, or a super-packet that stands for several, as read from the TUN; memory of the
 * caller. Where that is a load of the tunnel's own (mp_load_take_from), another may stand in *room
 * afterwards. */
struct mp_slice {
  const uint8_t *bytes;
  uint32_t length;
  struct mp_offload offload;
  struct mp_load **room; /* NULL: other memory */
};

/* A datagram on its way out. */
struct mp_datagram {
  const uint8_t *bytes;
  uint32_t length;
  int error; /* set by udp_send: 0 or errno */
  uint16_t peer;
  uint8_t path;
  bool whole; /* no hop may split it, nor the kernel: then it is alone in its outbox */
  struct mp_endpoint to;
};

/* Datagrams that came from one place: `segment_bytes` each but for the last, back to back. Memory of
 * the caller, opened in place. */
struct mp_arrival {
  uint8_t *bytes;
  uint32_t length;
  uint32_t segment_bytes; /* equal to length: one datagram */
  struct mp_endpoint from;
};

/* Largest datagram: header, inner packet, tag. */
#define MP_DATAGRAM_BYTES (MP_SEAL_HEADER_BYTES + MP_LIMIT_PACKET_BYTES + MP_SEAL_TAG_BYTES)

#define MP_OUT_BATCH 128u /* datagrams sealed before they are sent */
#define MP_IN_BATCH 512u  /* inner packets that wait to be written: eleven full super-packets */

/* Datagrams that were sealed and wait to be sent. Each thread that calls the library has its own, so
 * that what it sealed under the lock it can send without. */
struct mp_outbox {
  unsigned count;
  /* Since the library last counted. */
  uint32_t sent_datagrams, sent_batches, sent_runs;
  struct mp_datagram datagrams[MP_OUT_BATCH];
  uint8_t rooms[MP_OUT_BATCH][MP_DATAGRAM_BYTES];
};

/* What the library needs of the world. Called on the calling thread; must not call back. */
struct mp_ports {
  void *context;
  /* Takes inner packets. Returns how many the TUN took, from the first. */
  unsigned (*tun_write)(void *context, struct mp_packet *const *packets, unsigned count);
  /* Sends what is in the outbox and sets the error of each datagram. */
  void (*udp_send)(void *context, struct mp_outbox *outbox);
  void (*port_open)(void *context, uint8_t port, uint8_t family, int32_t fd);
  void (*port_close)(void *context, uint8_t port);
};

struct mp_epoch {
  _Alignas(64) bool confirmed; /* the peer has shown that it holds the keys */
  bool fresh;     /* of a peer that began anew: coming into use forgets what was before */
  uint16_t local_index, remote_index;
  uint8_t features; /* MP_FEATURE_* that both sides have */
  struct mp_seal_context *seal, *unseal;
  uint64_t tx_seq[MP_LIMIT_PATHS]; /* next path sequence: lives and dies with the key */
  struct mp_replay replay[MP_LIMIT_PATHS];
};

/* Every datagram touches what stands before the probes. */
struct mp_path {
  _Alignas(64) bool heard; /* not silent */
  bool heard_by_peer; /* as its newest probe or echo said */
  bool alive_told;    /* pathAlive was sent since the path was lost */
  bool refused;       /* lost by an error of ours: only an echo shows that sending works again */
  struct mp_endpoint endpoint;
  uint64_t last_rx_us;
  uint64_t asked_us;        /* first probe since we last heard the path; 0: none */
  uint64_t tx_datagrams, tx_bytes, tx_data;
  uint64_t rx_datagrams, rx_bytes, rx_data, rx_expected;
  uint64_t told_bytes;      /* of rx_bytes, when the path was last reported */
  struct mp_rtt rtt;
  struct mp_owd owd;        /* towards us */
  uint32_t tx_owd_us;       /* away from us, on the clock difference, modulo 2^32; from echoes */
  bool tx_owd_any;
  uint32_t probe_id;
  uint64_t next_probe_us;
  uint64_t lost_us;         /* when it last ceased to work; 0: it has not */
  uint8_t strange;          /* so many more, one soon after the other, until its delay is known */
  uint64_t next_strange_us;
  uint64_t went_on_us;      /* when it answered after a stop; 0: it has answered in time since */
  bool rested;              /* it is probed as rarely as an idle one, */
  bool seldom;              /* or more rarely than where several work */
  uint64_t watched_us;      /* since when it is neither: its silence counts from then on */
  bool carrying;                /* in the peer's plan */
  uint64_t tx_errors;
  uint64_t peer_expected, peer_received;
};
_Static_assert(offsetof(struct mp_path, tx_owd_us) <= 4 * 64, "four lines of the cache for a datagram");

struct mp_tunnel;

/* Every packet touches what stands before the tables: of a hundred busy peers it is in no near cache when
 * the next one comes. */
struct mp_peer {
  _Alignas(64) struct mp_tunnel *tunnel;
  uint16_t id;
  uint16_t present;         /* bit p: path p exists */
  uint16_t usable;          /* bit p: data may use it; taken away here, given by TypeScript alone */
  bool scheduled;           /* a plan was published */
  bool reports;             /* the peer's data asks for feedback */
  bool in_use;
  bool initiator;
  bool clock_any;
  bool has_news;            /* the peer should hear of a path that is gone */
  struct mp_epoch *sending; /* NULL: no session */
  struct mp_epoch *epochs[MP_CROSSING_EPOCHS]; /* NULL: none; as a rule there is one */
  struct mp_reorder *reorder;
  struct mp_adaptive *adaptive; /* under a plan of kind arrival, else NULL */
  int64_t clock_offset_us;  /* sender's clock minus ours, of the newest datagram */
  uint64_t last_data_us, in_use_since_us;
  uint64_t tx_packets, rx_packets;
  struct mp_reporting reporting;
  struct mp_reorder_path order_paths[MP_LIMIT_PATHS]; /* reorder's view, kept up to date by in.c */
  struct mp_path paths[MP_LIMIT_PATHS];
  uint64_t carrying_told_us;/* sender's time of the newest `carrying` */
  uint64_t heard_told_us;   /* and of the newest `heard` */
  uint32_t probe_us, keepalive_us, silence_us, idle_after_us;
  struct mp_schedule schedule;
  struct mp_contexts contexts;
  uint64_t compressed, saved_octets; /* packets sent by a context, and what that saved */
  struct mp_pacer costly;   /* of what it may bring about no more often; a byte stands for one */
  uint32_t flow_seq[MP_LIMIT_BUCKETS];
  uint32_t thin_seq[MP_LIMIT_BUCKETS]; /* of unordered packets, which only a plan of kind arrival sends */
};
_Static_assert(offsetof(struct mp_peer, reporting.notes[1]) <= 5 * 64, "five lines for a packet");

struct mp_tunnel {
  struct mp_ports ports;
  struct mp_ring *events;
  struct mp_pool *pool;
  struct mp_hold_store holds;
  uint64_t now_us;
  struct mp_deadlines deadlines; /* when which peer's first timer is due, but for the next */
  struct mp_deadlines answers;   /* when acknowledgements of which peer have waited for long enough */
  struct mp_lapses reports;      /* when a report to which peer has waited for as long as one may */
  uint64_t seed;      /* of the flow hash */
  struct mp_peer *peers[MP_CROSSING_PEERS];
  uint16_t peer_count;
  uint16_t peer_ids[MP_CROSSING_PEERS]; /* the peers there are, densely */
  /* Receiver index to owner: peer * epochs + slot + 1; 0: nobody. */
  uint16_t owner[1 << 16];
  struct mp_route route;
  uint64_t counters[MP_COUNTERS];
  struct mp_loads loads;
  struct mp_outbox *outbox; /* of the caller, while it is in here */
  /* data.c: inner packets released by reorder and not yet written, and the loans among them. While
   * MP_IN_BATCH wait one more may be on its way in, so twice as many never collide. */
  unsigned in_count;
  struct mp_packet *in[MP_IN_BATCH];
  unsigned next_loan;
  struct mp_packet loans[2 * MP_IN_BATCH];
};

/* NULL when memory is gone. `events` and `pool` outlive the tunnel. */
struct mp_tunnel *mp_tunnel_open(const struct mp_ports *ports, struct mp_ring *events,
                                 struct mp_pool *pool, uint64_t seed);

/* Erases all keys. NULL is allowed. */
void mp_tunnel_close(struct mp_tunnel *tunnel);

/* The four ways in. Each leaves datagrams in the outbox and, but for on_tun, inner packets in the
 * tunnel; the caller sends and writes them with mp_tunnel_send and mp_tunnel_write. What finds no
 * room is sent or written at once, from within. */

/* Carries out one command record of CROSSING.commandSlotBytes. The record is erased afterwards,
 * because it may hold keys. False when it makes no sense: an error of ours. */
bool mp_tunnel_command(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint8_t *record,
                       const uint8_t *payload, uint32_t payload_bytes, uint64_t now_us);

void mp_tunnel_on_tun(struct mp_tunnel *tunnel, struct mp_outbox *outbox,
                      const struct mp_slice *packets, unsigned count, uint64_t now_us);

/* The arrivals' octets must stay until mp_tunnel_write. */
void mp_tunnel_on_udp(struct mp_tunnel *tunnel, struct mp_outbox *outbox,
                      struct mp_arrival *arrivals, unsigned count, uint64_t now_us);

/* Runs what is due. */
void mp_tunnel_on_tick(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint64_t now_us);

/* A device or an address of this machine may be gone: whoever sends there now is refused, and so knows
 * it before TypeScript has looked. Asks on each path that works, as the side that has several devices,
 * and sends from within. */
void mp_tunnel_on_link_gone(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint64_t now_us);

/* Sends what is in the outbox. Needs no lock. True when the kernel refused some: then call
 * mp_tunnel_refused under the lock. Either way the outbox is the caller's to fill again after. */
bool mp_tunnel_send(const struct mp_tunnel *tunnel, struct mp_outbox *outbox);
void mp_tunnel_refused(struct mp_tunnel *tunnel, struct mp_outbox *outbox);

/* Writes what waits for the TUN. Needs no lock, but the one thread that calls all but on_tun. */
void mp_tunnel_write(struct mp_tunnel *tunnel);

/* When on_tick should run next; UINT64_MAX when nothing waits. */
uint64_t mp_tunnel_next_tick(const struct mp_tunnel *tunnel);

#endif
