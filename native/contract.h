/* Generated from src/wire.ts and src/boundary.ts by src/contract.ts. Do not edit. */
#ifndef MP_CONTRACT_H
#define MP_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#define MP_CONTRACT_DIGEST "4112f659a0217227"

/* The wire. */

enum { MP_WIRE_VERSION = 2 };

enum {
  MP_MSG_INITIATION = 1, /* first handshake message, client to server */
  MP_MSG_RESPONSE = 2, /* second handshake message, server to client */
  MP_MSG_COOKIE = 3, /* answer of a loaded server to an initiation */
  MP_MSG_DATA = 4, /* sealed: an inner IP packet */
  MP_MSG_PROBE = 5, /* sealed: asks for an echo on the same path, at once */
  MP_MSG_ECHO = 6, /* sealed: answers a probe */
  MP_MSG_CONTROL = 7, /* sealed: agreement between the cores (policy, close) */
  MP_MSG_FEEDBACK = 8, /* sealed: what arrived of the data that asked for it */
  MP_MSG_SIZE_PROBE = 9, /* sealed: asks for a sizeEcho of its own length on the same path; needs FEATURE.sizes */
  MP_MSG_SIZE_ECHO = 10, /* sealed: answers a sizeProbe */
  MP_MSG_CONTEXT = 11, /* sealed: an inner IP packet whose header the receiver is to keep, for those that follow; needs FEATURE.compression */
  MP_MSG_COMPRESSED = 12, /* sealed: an inner IP packet without what its context says; needs FEATURE.compression */
  MP_MSG_KEPT = 13, /* sealed: answers a context that is kept */
};

enum {
  MP_HEADER_TYPE = 0, /* u8: a MESSAGE value of a sealed kind */
  MP_HEADER_PATH = 1, /* u8: path id, chosen by the client, below LIMIT.paths */
  MP_HEADER_RECEIVER = 2, /* u16: the receiver's index of the epoch, as it told in the handshake */
  MP_HEADER_PATH_SEQ = 4, /* u32: low 32 bits of the path sequence: counts from 0 per path, epoch and direction */
  MP_HEADER_SEND_TIME = 8, /* u24: low 24 bits of the sender's monotonic clock; never runs back */
  MP_HEADER_FLOW = 11, /* u16: low ten bits: flow bucket; the others: FLOW_FLAG */
  MP_HEADER_FLOW_SEQ = 13, /* u24: order within the bucket: counts from 0 per session, modulo 2^24 */
  MP_HEADER_BYTES = 16,
};

enum {
  MP_SEAL_CLEAR_BYTES = 8,
  MP_SEAL_HEADER_BYTES = 16,
  MP_SEAL_TAG_BYTES = 16,
  MP_SEAL_KEY_BYTES = 32,
  MP_SEAL_NONCE_BYTES = 12,
};

enum {
  MP_COMPRESSED_GENERATION = 0, /* u8: of the context, as its message told it */
  MP_COMPRESSED_BYTES = 1,
};

enum {
  MP_SAME_IDENTIFICATION = 1, /* IPv4's, as far ahead of flowSeq as that of the context's packet */
  MP_SAME_SEQUENCE = 2, /* octets 4 to 7 of TCP */
  MP_SAME_ACKNOWLEDGEMENT = 4, /* octets 8 to 11 */
  MP_SAME_HIGH = 8, /* octets 4 and 8, the high ones of both numbers */
  MP_SAME_FLAGS = 16, /* octet 13 */
  MP_SAME_PUSH = 32, /* of the flags all but PSH (0x08), which is the other way round; needs SAME.flags */
  MP_SAME_WINDOW = 64, /* octets 14 and 15 */
  MP_SAME_TIMES = 128, /* octets 24, 25, 28 and 29, the high ones of both timestamps */
};

enum {
  MP_KEPT_GENERATION = 0, /* u8: of the context that is kept */
  MP_KEPT_BYTES = 1,
};

enum {
  MP_FLOW_PARTIAL_CHECKSUM = 1024, /* the checksum of the inner TCP or UDP header covers its pseudo-header alone; needs FEATURE.partialChecksum */
  MP_FLOW_DUPLICATE = 2048, /* a deliberate copy of a packet sent on another path */
  MP_FLOW_RESENT = 4096, /* sent again after a suspected loss */
  MP_FLOW_REPAIRED = 8192, /* the sender keeps the packet and sends it again when it is lost: the receiver reports, and waits; needs FEATURE.repair */
  MP_FLOW_UNORDERED = 16384, /* to be delivered when it comes; flowSeq counts such packets of the bucket by themselves; needs FEATURE.repair */
  MP_FLOW_BRIEF = 32768, /* to wait briefly for what is missing before it: an unordered one, which else does not wait, for the one right before it, on a slower path; one in order, which else waits long, for repairs; needs FEATURE.repair */
};

enum {
  MP_PROBE_ID = 0, /* u32: counts probes of one path; an echo copies it */
  MP_PROBE_TIME = 4, /* u64: the prober's clock when it sent the probe; an echo copies it */
  MP_PROBE_HOLD = 12, /* u32: echo: time between receiving the probe and sending the echo */
  MP_PROBE_OWD = 16, /* u32: echo: arrival of the probe on the clock of the echoing side minus `time`, modulo 2^32 */
  MP_PROBE_HEARD = 20, /* u16: bit p: the sender hears the other side on path p */
  MP_PROBE_CARRYING = 22, /* u16: bit p: path p is in the sender's present plan, so that packets may be on it */
  MP_PROBE_EXPECTED = 24, /* u32: datagrams the sender of this message should have received on this path, modulo 2^32 */
  MP_PROBE_RECEIVED = 28, /* u32: datagrams it did receive and accept on this path, modulo 2^32 */
  MP_PROBE_BYTES = 32,
};

enum {
  MP_FEEDBACK_PATHS = 0, /* u8: number of FEEDBACK_PATH that follow */
  MP_FEEDBACK_BYTES = 1,
};

enum {
  MP_FEEDBACK_PATH_PATH = 0, /* u8: path id */
  MP_FEEDBACK_PATH_RECEIVER = 1, /* u16: HEADER.receiver of the datagrams that are reported: path sequences begin anew with each epoch */
  MP_FEEDBACK_PATH_NEWEST = 3, /* u32: low 32 bits of the greatest path sequence accepted */
  MP_FEEDBACK_PATH_HOLD = 7, /* u32: time between its arrival and the sending of this message */
  MP_FEEDBACK_PATH_DELAY = 11, /* u32: least arrival, on the clock of this message's sender, minus sendTime since the last report, modulo 2^32 */
  MP_FEEDBACK_PATH_OCTETS = 15, /* u32: UDP payload accepted on the path, modulo 2^32 */
  MP_FEEDBACK_PATH_DATAGRAMS = 19, /* u32: accepted on the path, modulo 2^32 */
  MP_FEEDBACK_PATH_GAPS = 23, /* u8: number of FEEDBACK_GAP that follow, the newest first */
  MP_FEEDBACK_PATH_BYTES = 24,
};

enum {
  MP_FEEDBACK_GAP_RECEIVED = 0, /* u16: accepted without a gap behind this one, down from the newest or from the gap before */
  MP_FEEDBACK_GAP_MISSING = 2, /* u16: sequences of the gap */
  MP_FEEDBACK_GAP_BYTES = 4,
};

enum {
  MP_HASH_LAYER3_4 = 0, /* addresses, protocol and ports */
  MP_HASH_LAYER3 = 1, /* addresses only */
};

enum {
  MP_AEAD_CHACHA20_POLY1305 = 1, /* RFC 8439; every peer has it */
  MP_AEAD_AES_256_GCM = 2, /* preferred where both CPUs have AES instructions */
};

enum {
  MP_FEATURE_PARTIAL_CHECKSUM = 1, /* accepts FLOW_FLAG.partialChecksum */
  MP_FEATURE_REPAIR = 2, /* understands FLOW_FLAG.repaired and unordered, and answers both with feedback */
  MP_FEATURE_SIZES = 4, /* answers MESSAGE.sizeProbe */
  MP_FEATURE_COMPRESSION = 16, /* understands MESSAGE.context and compressed, and answers the first */
};

enum {
  MP_INITIATION_BYTES = 171,
  MP_RESPONSE_BYTES = 125,
  MP_COOKIE_BYTES = 58,
};

enum {
  MP_CONTROL_ID = 0, /* u32: counts the control messages of one side in one session; an ack copies it */
  MP_CONTROL_KIND = 4, /* u8: CONTROL_KIND */
  MP_CONTROL_BYTES = 5,
};

enum {
  MP_LIMIT_PATHS = 16, /* paths of one peer */
  MP_LIMIT_BUCKETS = 1024, /* flow buckets of one direction of one peer */
  MP_LIMIT_REPLAY_BITS = 4096, /* anti-replay window per path and epoch; a power of two */
  MP_LIMIT_WEIGHT = 256, /* largest weight of a path */
  MP_LIMIT_LEAST_MTU = 1280, /* smallest inner MTU, which is that of IPv6 */
  MP_LIMIT_PACKET_BYTES = 1968, /* largest inner packet */
  MP_LIMIT_FEEDBACK_GAPS = 32, /* most FEEDBACK_GAP of one path */
  MP_LIMIT_FEEDBACK_BYTES = 1200, /* largest body of a feedback message */
  MP_LIMIT_CONTROL_BYTES = 256, /* largest control body, CONTROL included */
  MP_LIMIT_NAME_BYTES = 15, /* longest name of a path */
};

/* The boundary. */

enum {
  MP_CROSSING_PEERS = 1024, /* peers of one engine */
  MP_CROSSING_PORTS = 32, /* UDP sockets of one engine */
  MP_CROSSING_EPOCHS = 3, /* keys that one peer can hold: previous, current, next */
  MP_CROSSING_COMMAND_SLOTS = 1024, /* depth of the command ring; a power of two */
  MP_CROSSING_EVENT_SLOTS = 4096, /* depth of the event ring; a power of two */
  MP_CROSSING_EVENT_SLOT_BYTES = 384, /* size of a slot of the event ring */
  MP_CROSSING_COMMAND_SLOT_BYTES = 128, /* size of a slot of the command ring */
  MP_CROSSING_PLAN_CHOICES = 4, /* ranked paths of one bucket in a plan of kind buckets */
  MP_CROSSING_PLAN_SLOTS = 1024, /* most slots of a plan of kind slots */
  MP_CROSSING_NO_PATH = 255, /* stands for no path */
  MP_CROSSING_NO_PORT = 255, /* stands for no socket */
};

enum {
  MP_CMD_PEER_ADD = 1, /* a peer with nothing yet, or other inner addresses for one that exists */
  MP_CMD_PEER_REMOVE = 2, /* forget the peer, erase its keys */
  MP_CMD_KEYS_INSTALL = 4, /* keys of a new epoch */
  MP_CMD_KEYS_DROP = 5, /* erase the keys of one epoch */
  MP_CMD_PATH_ADD = 6, /* a path, or a new endpoint for one that exists */
  MP_CMD_PATH_REMOVE = 7, /* forget a path */
  MP_CMD_PATH_ALLOW = 8, /* lets data use a path again, or takes it out; C takes a path out by itself and says so, but never lets it in */
  MP_CMD_PROBING = 9, /* how often to probe the paths of a peer, and when silence means loss */
  MP_CMD_PLAN_PUBLISH = 10, /* payload: PLAN, then its table */
  MP_CMD_PORT_OPEN = 11, /* C takes the socket over and closes it */
  MP_CMD_PORT_CLOSE = 12, /* closes the socket; paths that use it fall silent */
  MP_CMD_DATAGRAM_SEND = 13, /* payload: a handshake message, sent as it is */
  MP_CMD_CONTROL_SEND = 14, /* payload: a control body, sealed on this path, or on the best when noPath */
  MP_CMD_SIZE_PROBE = 17, /* probes on this path whether a datagram of this size passes whole; answered by sizeEchoed or by nothing */
  MP_CMD_STATS_REQUEST = 16, /* answered by pathStats, peerStats and counter events, then statsEnd */
};

struct mp_cmd_peer_add {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t everything; /* 1: all inner destinations go to this peer and all sources are its own */
  uint8_t ipv4[4]; /* the peer's inner address, zero: none */
  uint8_t ipv6[16]; /* the peer's inner address, zero: none */
  uint8_t pad_[7];
};
_Static_assert(offsetof(struct mp_cmd_peer_add, kind) == 0, "mp_cmd_peer_add");
_Static_assert(offsetof(struct mp_cmd_peer_add, peer) == 2, "mp_cmd_peer_add");
_Static_assert(offsetof(struct mp_cmd_peer_add, everything) == 4, "mp_cmd_peer_add");
_Static_assert(offsetof(struct mp_cmd_peer_add, ipv4) == 5, "mp_cmd_peer_add");
_Static_assert(offsetof(struct mp_cmd_peer_add, ipv6) == 9, "mp_cmd_peer_add");
_Static_assert(sizeof(struct mp_cmd_peer_add) == 32, "mp_cmd_peer_add");

struct mp_cmd_peer_remove {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t pad_[4];
};
_Static_assert(offsetof(struct mp_cmd_peer_remove, kind) == 0, "mp_cmd_peer_remove");
_Static_assert(offsetof(struct mp_cmd_peer_remove, peer) == 2, "mp_cmd_peer_remove");
_Static_assert(sizeof(struct mp_cmd_peer_remove) == 8, "mp_cmd_peer_remove");

struct mp_cmd_keys_install {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint16_t local_index; /* what the peer writes into HEADER.receiver */
  uint16_t remote_index; /* what we write there */
  uint8_t aead; /* wire AEAD */
  uint8_t confirmed; /* 1: send with it at once; 0: from the first datagram that it opens */
  uint8_t fresh; /* 1: the peer began anew; when these keys come into use, older keys, order and path measurements are forgotten */
  uint8_t features; /* wire FEATURE bits that both sides have */
  uint8_t send_key[32]; /* erased after use */
  uint8_t receive_key[32]; /* erased after use */
  uint8_t pad_[4];
};
_Static_assert(offsetof(struct mp_cmd_keys_install, kind) == 0, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, peer) == 2, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, local_index) == 4, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, remote_index) == 6, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, aead) == 8, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, confirmed) == 9, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, fresh) == 10, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, features) == 11, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, send_key) == 12, "mp_cmd_keys_install");
_Static_assert(offsetof(struct mp_cmd_keys_install, receive_key) == 44, "mp_cmd_keys_install");
_Static_assert(sizeof(struct mp_cmd_keys_install) == 80, "mp_cmd_keys_install");

struct mp_cmd_keys_drop {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint16_t local_index; /* which */
  uint8_t pad_[2];
};
_Static_assert(offsetof(struct mp_cmd_keys_drop, kind) == 0, "mp_cmd_keys_drop");
_Static_assert(offsetof(struct mp_cmd_keys_drop, peer) == 2, "mp_cmd_keys_drop");
_Static_assert(offsetof(struct mp_cmd_keys_drop, local_index) == 4, "mp_cmd_keys_drop");
_Static_assert(sizeof(struct mp_cmd_keys_drop) == 8, "mp_cmd_keys_drop");

struct mp_cmd_path_add {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t port; /* our UDP socket */
  uint8_t family; /* 4 or 6 */
  uint16_t remote_port; /* UDP port, host order */
  uint8_t remote[16]; /* address; IPv4 in the first four octets */
  uint32_t scope; /* IPv6 scope id, else 0 */
  uint8_t local[16]; /* our address, all zero: the kernel chooses */
};
_Static_assert(offsetof(struct mp_cmd_path_add, kind) == 0, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, peer) == 2, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, path) == 4, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, port) == 5, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, family) == 6, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, remote_port) == 8, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, remote) == 10, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, scope) == 28, "mp_cmd_path_add");
_Static_assert(offsetof(struct mp_cmd_path_add, local) == 32, "mp_cmd_path_add");
_Static_assert(sizeof(struct mp_cmd_path_add) == 48, "mp_cmd_path_add");

struct mp_cmd_path_remove {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t pad_[3];
};
_Static_assert(offsetof(struct mp_cmd_path_remove, kind) == 0, "mp_cmd_path_remove");
_Static_assert(offsetof(struct mp_cmd_path_remove, peer) == 2, "mp_cmd_path_remove");
_Static_assert(offsetof(struct mp_cmd_path_remove, path) == 4, "mp_cmd_path_remove");
_Static_assert(sizeof(struct mp_cmd_path_remove) == 8, "mp_cmd_path_remove");

struct mp_cmd_path_allow {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t allowed; /* 1 or 0 */
  uint8_t pad_[2];
};
_Static_assert(offsetof(struct mp_cmd_path_allow, kind) == 0, "mp_cmd_path_allow");
_Static_assert(offsetof(struct mp_cmd_path_allow, peer) == 2, "mp_cmd_path_allow");
_Static_assert(offsetof(struct mp_cmd_path_allow, path) == 4, "mp_cmd_path_allow");
_Static_assert(offsetof(struct mp_cmd_path_allow, allowed) == 5, "mp_cmd_path_allow");
_Static_assert(sizeof(struct mp_cmd_path_allow) == 8, "mp_cmd_path_allow");

struct mp_cmd_probing {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint32_t interval_us; /* between probes while the peer is in use, us */
  uint32_t keepalive_us; /* between probes while it is idle, us */
  uint32_t silence_us; /* a path in use that is not heard for so long is taken out, us */
  uint32_t idle_after_us; /* a peer without data for so long is idle, us */
  uint8_t initiator; /* 1: keeps idle paths alive; the other side then only answers */
  uint8_t pad_[3];
};
_Static_assert(offsetof(struct mp_cmd_probing, kind) == 0, "mp_cmd_probing");
_Static_assert(offsetof(struct mp_cmd_probing, peer) == 2, "mp_cmd_probing");
_Static_assert(offsetof(struct mp_cmd_probing, interval_us) == 4, "mp_cmd_probing");
_Static_assert(offsetof(struct mp_cmd_probing, keepalive_us) == 8, "mp_cmd_probing");
_Static_assert(offsetof(struct mp_cmd_probing, silence_us) == 12, "mp_cmd_probing");
_Static_assert(offsetof(struct mp_cmd_probing, idle_after_us) == 16, "mp_cmd_probing");
_Static_assert(offsetof(struct mp_cmd_probing, initiator) == 20, "mp_cmd_probing");
_Static_assert(sizeof(struct mp_cmd_probing) == 24, "mp_cmd_probing");

struct mp_cmd_plan_publish {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t pad_[4];
};
_Static_assert(offsetof(struct mp_cmd_plan_publish, kind) == 0, "mp_cmd_plan_publish");
_Static_assert(offsetof(struct mp_cmd_plan_publish, peer) == 2, "mp_cmd_plan_publish");
_Static_assert(sizeof(struct mp_cmd_plan_publish) == 8, "mp_cmd_plan_publish");

struct mp_cmd_port_open {
  uint16_t kind; /* which record this is */
  uint8_t port; /* below CROSSING.ports */
  uint8_t family; /* 4 or 6 */
  int32_t fd; /* a non-blocking UDP socket; unused in the simulation */
};
_Static_assert(offsetof(struct mp_cmd_port_open, kind) == 0, "mp_cmd_port_open");
_Static_assert(offsetof(struct mp_cmd_port_open, port) == 2, "mp_cmd_port_open");
_Static_assert(offsetof(struct mp_cmd_port_open, family) == 3, "mp_cmd_port_open");
_Static_assert(offsetof(struct mp_cmd_port_open, fd) == 4, "mp_cmd_port_open");
_Static_assert(sizeof(struct mp_cmd_port_open) == 8, "mp_cmd_port_open");

struct mp_cmd_port_close {
  uint16_t kind; /* which record this is */
  uint8_t port; /* which */
  uint8_t pad_[5];
};
_Static_assert(offsetof(struct mp_cmd_port_close, kind) == 0, "mp_cmd_port_close");
_Static_assert(offsetof(struct mp_cmd_port_close, port) == 2, "mp_cmd_port_close");
_Static_assert(sizeof(struct mp_cmd_port_close) == 8, "mp_cmd_port_close");

struct mp_cmd_datagram_send {
  uint16_t kind; /* which record this is */
  uint8_t port; /* our UDP socket */
  uint8_t family; /* 4 or 6 */
  uint16_t remote_port; /* UDP port, host order */
  uint8_t remote[16]; /* address; IPv4 in the first four octets */
  uint32_t scope; /* IPv6 scope id, else 0 */
  uint8_t local[16]; /* our address, all zero: the kernel chooses */
  uint8_t pad_[4];
};
_Static_assert(offsetof(struct mp_cmd_datagram_send, kind) == 0, "mp_cmd_datagram_send");
_Static_assert(offsetof(struct mp_cmd_datagram_send, port) == 2, "mp_cmd_datagram_send");
_Static_assert(offsetof(struct mp_cmd_datagram_send, family) == 3, "mp_cmd_datagram_send");
_Static_assert(offsetof(struct mp_cmd_datagram_send, remote_port) == 4, "mp_cmd_datagram_send");
_Static_assert(offsetof(struct mp_cmd_datagram_send, remote) == 6, "mp_cmd_datagram_send");
_Static_assert(offsetof(struct mp_cmd_datagram_send, scope) == 24, "mp_cmd_datagram_send");
_Static_assert(offsetof(struct mp_cmd_datagram_send, local) == 28, "mp_cmd_datagram_send");
_Static_assert(sizeof(struct mp_cmd_datagram_send) == 48, "mp_cmd_datagram_send");

struct mp_cmd_control_send {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t pad_[3];
};
_Static_assert(offsetof(struct mp_cmd_control_send, kind) == 0, "mp_cmd_control_send");
_Static_assert(offsetof(struct mp_cmd_control_send, peer) == 2, "mp_cmd_control_send");
_Static_assert(offsetof(struct mp_cmd_control_send, path) == 4, "mp_cmd_control_send");
_Static_assert(sizeof(struct mp_cmd_control_send) == 8, "mp_cmd_control_send");

struct mp_cmd_size_probe {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint16_t octets; /* UDP payload, sealed, bytes */
};
_Static_assert(offsetof(struct mp_cmd_size_probe, kind) == 0, "mp_cmd_size_probe");
_Static_assert(offsetof(struct mp_cmd_size_probe, peer) == 2, "mp_cmd_size_probe");
_Static_assert(offsetof(struct mp_cmd_size_probe, path) == 4, "mp_cmd_size_probe");
_Static_assert(offsetof(struct mp_cmd_size_probe, octets) == 6, "mp_cmd_size_probe");
_Static_assert(sizeof(struct mp_cmd_size_probe) == 8, "mp_cmd_size_probe");

struct mp_cmd_stats_request {
  uint16_t kind; /* which record this is */
  uint16_t first; /* of the peers with this slot and those after it */
  uint32_t token; /* copied into each answer */
};
_Static_assert(offsetof(struct mp_cmd_stats_request, kind) == 0, "mp_cmd_stats_request");
_Static_assert(offsetof(struct mp_cmd_stats_request, first) == 2, "mp_cmd_stats_request");
_Static_assert(offsetof(struct mp_cmd_stats_request, token) == 4, "mp_cmd_stats_request");
_Static_assert(sizeof(struct mp_cmd_stats_request) == 8, "mp_cmd_stats_request");

enum {
  MP_PLAN_KIND = 0, /* u8: PLAN_KIND */
  MP_PLAN_HASH = 1, /* u8: wire XMIT_HASH: what makes the bucket */
  MP_PLAN_CARRYING = 2, /* u16: bit p: path p carries data under this plan; others of `order` only when none of these works */
  MP_PLAN_SLOTS = 4, /* u16: entries of the table of kinds slots and arrival, else 0 */
  MP_PLAN_ORDER = 6, /* bytes: paths of the plan, best first, then those in reserve, then noPath: the way out when the table names none that works */
  MP_PLAN_RESTING = 22, /* u16: bit p: while others work path p is probed as rarely as an idle one */
  MP_PLAN_BYTES = 24,
};

enum {
  MP_PLAN_KIND_SLOTS = 0, /* packet k takes slot k modulo their number */
  MP_PLAN_KIND_BUCKETS = 1, /* a packet takes the first working choice of its bucket */
  MP_PLAN_KIND_ORDER = 2, /* a packet takes the first working path of `order` */
  MP_PLAN_KIND_ALL = 3, /* a packet takes every working path of `carrying` */
  MP_PLAN_KIND_ARRIVAL = 4, /* a packet takes the path where it arrives first, within the windows; bulk takes those of `carrying`, thin flows those of the table */
};

enum {
  MP_PLAN_PATH_PATH = 0, /* u8: path id */
  MP_PLAN_PATH_FLAGS = 1, /* u8: PLAN_PATH_FLAG */
  MP_PLAN_PATH_TARGET_US = 2, /* u32: queue to aim at on the uplink; 0: from the round trip */
  MP_PLAN_PATH_CAP_BYTES_PER_S = 6, /* u64: never faster than this; 0: no cap */
  MP_PLAN_PATH_BYTES = 14,
};

enum {
  MP_PLAN_PATH_FLAG_METERED = 1, /* costs money: no copies, and probes only every five seconds */
  MP_PLAN_PATH_FLAG_DUPLICATE = 2, /* thin packets go on this path too, as copies, when the best is in doubt */
};

enum {
  MP_EVENT_HANDSHAKE = 1, /* a handshake message of right length came */
  MP_EVENT_CONTROL = 2, /* a control body came, authenticated */
  MP_EVENT_PATH_SEEN = 3, /* an authenticated datagram came on a path id that was unknown; the path now exists and is not allowed yet */
  MP_EVENT_PATH_MOVED = 4, /* the newest authenticated datagram of a path came from elsewhere */
  MP_EVENT_PATH_LOST = 5, /* C has taken the path out */
  MP_EVENT_PATH_ALIVE = 6, /* a path that is not allowed works in both directions again */
  MP_EVENT_PEER_USE = 7, /* data began to flow, or has been absent for idleAfterUs */
  MP_EVENT_EPOCH_CONFIRMED = 8, /* the peer has sent the first datagram under these keys, which are used for sending now */
  MP_EVENT_PATH_STATS = 9, /* measurements of one path */
  MP_EVENT_PEER_STATS = 10, /* measurements of one peer */
  MP_EVENT_COUNTER = 11, /* one counter that is not zero */
  MP_EVENT_STATS_END = 12, /* all answers to a request have been given, or as many as are given at once */
  MP_EVENT_LINKS_CHANGED = 13, /* rtnetlink told of a change of a link, an address or a route: look again */
  MP_EVENT_SIZE_ECHOED = 15, /* a datagram of this size has passed the path in both directions */
  MP_EVENT_FAILED = 14, /* the engine cannot go on */
};

struct mp_event_handshake {
  uint16_t kind; /* which record this is */
  uint16_t length; /* octets of `bytes` */
  uint8_t port; /* our UDP socket */
  uint8_t family; /* 4 or 6 */
  uint16_t remote_port; /* UDP port, host order */
  uint8_t remote[16]; /* address; IPv4 in the first four octets */
  uint32_t scope; /* IPv6 scope id, else 0 */
  uint8_t local[16]; /* our address, all zero: the kernel chooses */
  uint8_t bytes[256]; /* the message */
  uint8_t pad_[4];
};
_Static_assert(offsetof(struct mp_event_handshake, kind) == 0, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, length) == 2, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, port) == 4, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, family) == 5, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, remote_port) == 6, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, remote) == 8, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, scope) == 24, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, local) == 28, "mp_event_handshake");
_Static_assert(offsetof(struct mp_event_handshake, bytes) == 44, "mp_event_handshake");
_Static_assert(sizeof(struct mp_event_handshake) == 304, "mp_event_handshake");

struct mp_event_control {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint16_t length; /* octets of `bytes` */
  uint8_t bytes[256]; /* the body */
};
_Static_assert(offsetof(struct mp_event_control, kind) == 0, "mp_event_control");
_Static_assert(offsetof(struct mp_event_control, peer) == 2, "mp_event_control");
_Static_assert(offsetof(struct mp_event_control, path) == 4, "mp_event_control");
_Static_assert(offsetof(struct mp_event_control, length) == 6, "mp_event_control");
_Static_assert(offsetof(struct mp_event_control, bytes) == 8, "mp_event_control");
_Static_assert(sizeof(struct mp_event_control) == 264, "mp_event_control");

struct mp_event_path_seen {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t port; /* our UDP socket */
  uint8_t family; /* 4 or 6 */
  uint16_t remote_port; /* UDP port, host order */
  uint8_t remote[16]; /* address; IPv4 in the first four octets */
  uint32_t scope; /* IPv6 scope id, else 0 */
  uint8_t local[16]; /* our address, all zero: the kernel chooses */
};
_Static_assert(offsetof(struct mp_event_path_seen, kind) == 0, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, peer) == 2, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, path) == 4, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, port) == 5, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, family) == 6, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, remote_port) == 8, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, remote) == 10, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, scope) == 28, "mp_event_path_seen");
_Static_assert(offsetof(struct mp_event_path_seen, local) == 32, "mp_event_path_seen");
_Static_assert(sizeof(struct mp_event_path_seen) == 48, "mp_event_path_seen");

struct mp_event_path_moved {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t port; /* our UDP socket */
  uint8_t family; /* 4 or 6 */
  uint16_t remote_port; /* UDP port, host order */
  uint8_t remote[16]; /* address; IPv4 in the first four octets */
  uint32_t scope; /* IPv6 scope id, else 0 */
  uint8_t local[16]; /* our address, all zero: the kernel chooses */
};
_Static_assert(offsetof(struct mp_event_path_moved, kind) == 0, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, peer) == 2, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, path) == 4, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, port) == 5, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, family) == 6, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, remote_port) == 8, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, remote) == 10, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, scope) == 28, "mp_event_path_moved");
_Static_assert(offsetof(struct mp_event_path_moved, local) == 32, "mp_event_path_moved");
_Static_assert(sizeof(struct mp_event_path_moved) == 48, "mp_event_path_moved");

struct mp_event_path_lost {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t why; /* PATH_LOST */
  int32_t error_number; /* errno of sendmsg, when why is error */
  uint8_t pad_[4];
};
_Static_assert(offsetof(struct mp_event_path_lost, kind) == 0, "mp_event_path_lost");
_Static_assert(offsetof(struct mp_event_path_lost, peer) == 2, "mp_event_path_lost");
_Static_assert(offsetof(struct mp_event_path_lost, path) == 4, "mp_event_path_lost");
_Static_assert(offsetof(struct mp_event_path_lost, why) == 5, "mp_event_path_lost");
_Static_assert(offsetof(struct mp_event_path_lost, error_number) == 8, "mp_event_path_lost");
_Static_assert(sizeof(struct mp_event_path_lost) == 16, "mp_event_path_lost");

struct mp_event_path_alive {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint8_t pad_[3];
};
_Static_assert(offsetof(struct mp_event_path_alive, kind) == 0, "mp_event_path_alive");
_Static_assert(offsetof(struct mp_event_path_alive, peer) == 2, "mp_event_path_alive");
_Static_assert(offsetof(struct mp_event_path_alive, path) == 4, "mp_event_path_alive");
_Static_assert(sizeof(struct mp_event_path_alive) == 8, "mp_event_path_alive");

struct mp_event_peer_use {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t in_use; /* 1 or 0 */
  uint8_t pad_[3];
};
_Static_assert(offsetof(struct mp_event_peer_use, kind) == 0, "mp_event_peer_use");
_Static_assert(offsetof(struct mp_event_peer_use, peer) == 2, "mp_event_peer_use");
_Static_assert(offsetof(struct mp_event_peer_use, in_use) == 4, "mp_event_peer_use");
_Static_assert(sizeof(struct mp_event_peer_use) == 8, "mp_event_peer_use");

struct mp_event_epoch_confirmed {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint16_t local_index; /* which */
  uint8_t pad_[2];
};
_Static_assert(offsetof(struct mp_event_epoch_confirmed, kind) == 0, "mp_event_epoch_confirmed");
_Static_assert(offsetof(struct mp_event_epoch_confirmed, peer) == 2, "mp_event_epoch_confirmed");
_Static_assert(offsetof(struct mp_event_epoch_confirmed, local_index) == 4, "mp_event_epoch_confirmed");
_Static_assert(sizeof(struct mp_event_epoch_confirmed) == 8, "mp_event_epoch_confirmed");

struct mp_event_path_stats {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint32_t token; /* of the request */
  uint32_t rtt_us; /* latest sample, us */
  uint32_t srtt_us; /* RFC 6298; 0: no sample yet, us */
  uint32_t rttvar_us; /* RFC 6298, us */
  uint32_t min_rtt_us; /* since the path exists, us */
  uint32_t jitter_us; /* RFC 3550 interarrival jitter of what we receive, us */
  uint32_t rx_skew_us; /* one-way delay towards us above the quickest path's, us */
  uint32_t tx_skew_us; /* one-way delay away from us above the quickest path's, us */
  uint32_t silent_us; /* since the last authenticated datagram, us */
  uint64_t tx_datagrams; /* sealed datagrams sent */
  uint64_t tx_bytes; /* UDP payload, bytes */
  uint64_t tx_data; /* of txDatagrams: data */
  uint64_t tx_errors; /* refused by the kernel */
  uint64_t rx_datagrams; /* accepted */
  uint64_t rx_bytes; /* UDP payload, bytes */
  uint64_t rx_data; /* of rxDatagrams: data */
  uint64_t rx_expected; /* by path sequence; rxExpected - rxDatagrams were lost on the way to us */
  uint64_t peer_expected; /* as the peer counts for the other direction */
  uint64_t peer_received; /* as the peer counts for the other direction */
  uint8_t suspect; /* 1: no progress; carries nothing until it is heard of */
  uint64_t window_bytes; /* most that may be under way; 0: no window, bytes */
  uint64_t inflight_bytes; /* under way now, bytes */
  uint64_t delivery_bytes_per_s; /* what arrives; smoothed while the window is full, and otherwise only rising; 0: not known, bytes/s */
  uint32_t queue_us; /* standing queue on the uplink, us */
  uint32_t target_us; /* queue aimed at, us */
  uint64_t lost_datagrams; /* of txData: reported missing */
  uint64_t suspicions; /* times that it was put aside for lack of progress */
};
_Static_assert(offsetof(struct mp_event_path_stats, kind) == 0, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, peer) == 2, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, path) == 4, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, token) == 8, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, rtt_us) == 12, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, srtt_us) == 16, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, rttvar_us) == 20, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, min_rtt_us) == 24, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, jitter_us) == 28, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, rx_skew_us) == 32, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, tx_skew_us) == 36, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, silent_us) == 40, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, tx_datagrams) == 48, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, tx_bytes) == 56, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, tx_data) == 64, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, tx_errors) == 72, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, rx_datagrams) == 80, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, rx_bytes) == 88, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, rx_data) == 96, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, rx_expected) == 104, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, peer_expected) == 112, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, peer_received) == 120, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, suspect) == 128, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, window_bytes) == 136, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, inflight_bytes) == 144, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, delivery_bytes_per_s) == 152, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, queue_us) == 160, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, target_us) == 164, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, lost_datagrams) == 168, "mp_event_path_stats");
_Static_assert(offsetof(struct mp_event_path_stats, suspicions) == 176, "mp_event_path_stats");
_Static_assert(sizeof(struct mp_event_path_stats) == 184, "mp_event_path_stats");

struct mp_event_peer_stats {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint32_t token; /* of the request */
  uint8_t in_use; /* 1 or 0 */
  uint32_t held; /* packets in reorder now */
  uint64_t tx_packets; /* inner packets sent */
  uint64_t rx_packets; /* inner packets delivered */
  uint64_t held_total; /* packets that had to wait for others */
  uint64_t proved_lost; /* gaps passed because every path had overtaken them */
  uint64_t deadline_passed; /* gaps passed because time was up */
  uint64_t late; /* delivered behind their turn */
  uint64_t duplicates; /* copies dropped */
  uint64_t backlog_bytes; /* in the ingress queue now, bytes */
  uint32_t backlog_us; /* time that its oldest packet has waited, us */
  uint64_t queue_dropped; /* packets dropped by the ingress queue */
  uint64_t queue_marked; /* packets marked by it (ECN) */
  uint64_t resent; /* packets sent again */
  uint64_t resent_bytes; /* inner octets of resent, bytes */
  uint64_t copied; /* deliberate copies of thin packets */
  uint64_t given_up; /* lost packets that were not sent again: too old, too often */
  uint64_t tx_feedback_bytes; /* UDP payload of feedback sent, bytes */
  uint64_t compressed; /* packets sent without what their context says */
  uint64_t saved_bytes; /* octets that were not sent for it, bytes */
};
_Static_assert(offsetof(struct mp_event_peer_stats, kind) == 0, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, peer) == 2, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, token) == 4, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, in_use) == 8, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, held) == 12, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, tx_packets) == 16, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, rx_packets) == 24, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, held_total) == 32, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, proved_lost) == 40, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, deadline_passed) == 48, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, late) == 56, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, duplicates) == 64, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, backlog_bytes) == 72, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, backlog_us) == 80, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, queue_dropped) == 88, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, queue_marked) == 96, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, resent) == 104, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, resent_bytes) == 112, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, copied) == 120, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, given_up) == 128, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, tx_feedback_bytes) == 136, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, compressed) == 144, "mp_event_peer_stats");
_Static_assert(offsetof(struct mp_event_peer_stats, saved_bytes) == 152, "mp_event_peer_stats");
_Static_assert(sizeof(struct mp_event_peer_stats) == 160, "mp_event_peer_stats");

struct mp_event_counter {
  uint16_t kind; /* which record this is */
  uint16_t counter; /* COUNTER */
  uint32_t token; /* of the request */
  uint64_t count; /* since the engine opened */
};
_Static_assert(offsetof(struct mp_event_counter, kind) == 0, "mp_event_counter");
_Static_assert(offsetof(struct mp_event_counter, counter) == 2, "mp_event_counter");
_Static_assert(offsetof(struct mp_event_counter, token) == 4, "mp_event_counter");
_Static_assert(offsetof(struct mp_event_counter, count) == 8, "mp_event_counter");
_Static_assert(sizeof(struct mp_event_counter) == 16, "mp_event_counter");

struct mp_event_stats_end {
  uint16_t kind; /* which record this is */
  uint16_t next; /* peer slot to ask on from; 0: all have been given */
  uint32_t token; /* of the request */
};
_Static_assert(offsetof(struct mp_event_stats_end, kind) == 0, "mp_event_stats_end");
_Static_assert(offsetof(struct mp_event_stats_end, next) == 2, "mp_event_stats_end");
_Static_assert(offsetof(struct mp_event_stats_end, token) == 4, "mp_event_stats_end");
_Static_assert(sizeof(struct mp_event_stats_end) == 8, "mp_event_stats_end");

struct mp_event_links_changed {
  uint16_t kind; /* which record this is */
  uint8_t pad_[6];
};
_Static_assert(offsetof(struct mp_event_links_changed, kind) == 0, "mp_event_links_changed");
_Static_assert(sizeof(struct mp_event_links_changed) == 8, "mp_event_links_changed");

struct mp_event_size_echoed {
  uint16_t kind; /* which record this is */
  uint16_t peer; /* slot chosen by TypeScript, below CROSSING.peers */
  uint8_t path; /* path id */
  uint16_t octets; /* UDP payload, sealed, bytes */
};
_Static_assert(offsetof(struct mp_event_size_echoed, kind) == 0, "mp_event_size_echoed");
_Static_assert(offsetof(struct mp_event_size_echoed, peer) == 2, "mp_event_size_echoed");
_Static_assert(offsetof(struct mp_event_size_echoed, path) == 4, "mp_event_size_echoed");
_Static_assert(offsetof(struct mp_event_size_echoed, octets) == 6, "mp_event_size_echoed");
_Static_assert(sizeof(struct mp_event_size_echoed) == 8, "mp_event_size_echoed");

struct mp_event_failed {
  uint16_t kind; /* which record this is */
  int32_t error_number; /* errno of the system call */
  uint8_t syscall[16]; /* its name, ASCII, zero-padded */
};
_Static_assert(offsetof(struct mp_event_failed, kind) == 0, "mp_event_failed");
_Static_assert(offsetof(struct mp_event_failed, error_number) == 4, "mp_event_failed");
_Static_assert(offsetof(struct mp_event_failed, syscall) == 8, "mp_event_failed");
_Static_assert(sizeof(struct mp_event_failed) == 24, "mp_event_failed");

enum {
  MP_PATH_LOST_SILENT = 0, /* nothing heard for silenceUs */
  MP_PATH_LOST_UNHEARD = 1, /* the peer says that it does not hear us */
  MP_PATH_LOST_ERROR = 2, /* the kernel refused to send */
  MP_PATH_LOST_CLOSED = 3, /* its socket was closed */
};

enum {
  MP_COUNTER_TUN_READ_PACKETS = 0, /* inner packets read from the TUN */
  MP_COUNTER_TUN_READ_BATCHES = 1, /* wake-ups that read from the TUN */
  MP_COUNTER_TUN_WRITTEN_PACKETS = 2, /* inner packets written to the TUN */
  MP_COUNTER_UDP_READ_DATAGRAMS = 3, /* datagrams read */
  MP_COUNTER_UDP_READ_BATCHES = 4, /* recvmmsg calls that returned something */
  MP_COUNTER_UDP_SENT_DATAGRAMS = 5, /* datagrams sent */
  MP_COUNTER_UDP_SENT_BATCHES = 6, /* outboxes sent */
  MP_COUNTER_TUN_READ_RUNS = 7, /* super-packets read from the TUN */
  MP_COUNTER_TUN_WRITTEN_RUNS = 8, /* super-packets written to the TUN */
  MP_COUNTER_UDP_READ_RUNS = 9, /* runs of datagrams read as one */
  MP_COUNTER_UDP_SENT_RUNS = 45, /* runs of datagrams sent as one */
  MP_COUNTER_DROP_OUT_MALFORMED = 10, /* TUN: not an IP packet of matching length */
  MP_COUNTER_DROP_OUT_NO_PEER = 11, /* TUN: no peer has this destination */
  MP_COUNTER_DROP_OUT_NO_KEYS = 12, /* TUN: the peer has no session */
  MP_COUNTER_DROP_OUT_NO_PATH = 13, /* TUN: no path of the peer may carry data */
  MP_COUNTER_DROP_OUT_TOO_BIG = 14, /* TUN: larger than LIMIT.packetBytes */
  MP_COUNTER_DROP_OUT_QUEUE_FULL = 17, /* TUN: no memory was left for the packet */
  MP_COUNTER_DROP_OUT_SHARE = 18, /* TUN: gave way in the ingress queue, its peer having all the memory for packets that it may */
  MP_COUNTER_DROP_SEND_FULL = 15, /* UDP: the socket buffer was full */
  MP_COUNTER_DROP_SEND_ERROR = 16, /* UDP: the kernel refused */
  MP_COUNTER_DROP_SHORT = 20, /* datagram: shorter than its type allows */
  MP_COUNTER_DROP_LONG = 21, /* datagram: longer than its type allows */
  MP_COUNTER_DROP_TYPE = 22, /* datagram: unknown type */
  MP_COUNTER_DROP_INDEX = 23, /* datagram: unknown receiver index */
  MP_COUNTER_DROP_PATH = 24, /* datagram: path id out of range */
  MP_COUNTER_DROP_REPLAY = 25, /* datagram: replayed, or older than the window */
  MP_COUNTER_DROP_AUTH = 26, /* datagram: the tag is wrong */
  MP_COUNTER_DROP_HANDSHAKE_FULL = 27, /* datagram: a handshake message that found no room on the way to TypeScript */
  MP_COUNTER_DROP_INNER_MALFORMED = 30, /* data: not an IP packet of matching length */
  MP_COUNTER_DROP_INNER_SOURCE = 31, /* data: inner source address that is not the peer's */
  MP_COUNTER_DROP_DUPLICATE = 32, /* data: another copy was delivered before */
  MP_COUNTER_DROP_LATE = 33, /* data: too old to tell whether it was delivered */
  MP_COUNTER_DROP_TUN_FULL = 34, /* data: the TUN refused it */
  MP_COUNTER_DROP_ACK_THINNED = 46, /* data: acknowledged no more than a later one, of a flow in slow start */
  MP_COUNTER_DROP_CONTEXT = 47, /* data: compressed by a context that is not kept, or no memory is left for the packet */
  MP_COUNTER_DROP_TOLD = 48, /* what a peer says or does that TypeScript is told or that costs much: more of it than makes sense */
  MP_COUNTER_DROP_BODY = 35, /* probe, echo or control: wrong length or content */
  MP_COUNTER_EVENTS_LOST = 40, /* events other than handshakes that found the ring full */
};

enum { MP_COUNTERS = 49 };

_Static_assert(sizeof(struct mp_cmd_peer_add) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_peer_remove) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_keys_install) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_keys_drop) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_path_add) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_path_remove) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_path_allow) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_probing) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_plan_publish) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_port_open) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_port_close) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_datagram_send) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_control_send) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_size_probe) <= MP_CROSSING_COMMAND_SLOT_BYTES &&
                   sizeof(struct mp_cmd_stats_request) <= MP_CROSSING_COMMAND_SLOT_BYTES,
               "a command fits its slot");
_Static_assert(sizeof(struct mp_event_handshake) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_control) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_path_seen) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_path_moved) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_path_lost) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_path_alive) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_peer_use) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_epoch_confirmed) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_path_stats) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_peer_stats) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_counter) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_stats_end) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_links_changed) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_size_echoed) <= MP_CROSSING_EVENT_SLOT_BYTES &&
                   sizeof(struct mp_event_failed) <= MP_CROSSING_EVENT_SLOT_BYTES,
               "an event fits its slot");

#endif
