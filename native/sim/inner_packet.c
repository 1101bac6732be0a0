#include "inner_packet.h"

#include <string.h>

#include "checksum.h"
#include "le.h"

enum { ICMP_REPLY = 0, ICMP_ECHO = 8 };
enum { OPTION_NOP = 1, OPTION_SACK = 5, OPTION_TIMESTAMPS = 8 };
enum { TIMESTAMPS_BYTES = 10, BLOCK_BYTES = 8 };
#define WINDOW 65535u /* scaled by what a handshake would have said */

static void store_big16(uint8_t *at, uint32_t v) { mp_store16(at, __builtin_bswap16((uint16_t)v)); }
static void store_big32(uint8_t *at, uint32_t v) { mp_store32(at, __builtin_bswap32(v)); }
static uint32_t load_big16(const uint8_t *at) { return __builtin_bswap16(mp_load16(at)); }
static uint32_t load_big32(const uint8_t *at) { return __builtin_bswap32(mp_load32(at)); }

static void write_ipv4(uint8_t *packet, const struct mp_inner_flow *flow, uint32_t length,
                       uint16_t id)
{
  memset(packet, 0, MP_INNER_IPV4_BYTES);
  packet[0] = 0x45;
  packet[1] = (uint8_t)(flow->dscp << 2);
  store_big16(packet + 2, length);
  store_big16(packet + 4, id);
  packet[6] = 0x40; /* don't fragment */
  packet[8] = 64;
  packet[9] = flow->protocol;
  memcpy(packet + 12, flow->from, 4);
  memcpy(packet + 16, flow->to, 4);
  mp_checksum_ipv4(packet, MP_INNER_IPV4_BYTES);
}

static void write_partial(uint8_t *packet, uint8_t protocol, uint32_t checksum_at,
                          uint32_t transport_bytes)
{
  const uint64_t sum = mp_checksum_pseudo(packet + 12, 8, protocol, transport_bytes);
  mp_store16(packet + MP_INNER_IPV4_BYTES + checksum_at, mp_checksum_fold(sum));
}

uint32_t mp_inner_write_tcp(uint8_t *packet, const struct mp_inner_flow *flow,
                            const struct mp_inner_tcp *tcp, uint32_t payload_bytes,
                            uint16_t ipv4_id)
{
  uint8_t *header = packet + MP_INNER_IPV4_BYTES;
  const uint32_t sack_bytes = tcp->block_count ? 4 + tcp->block_count * BLOCK_BYTES : 0;
  const uint32_t header_bytes = MP_INNER_TCP_BYTES + sack_bytes;
  write_ipv4(packet, flow, MP_INNER_IPV4_BYTES + header_bytes + payload_bytes, ipv4_id);
  memset(header, 0, MP_INNER_TCP_BYTES);
  store_big16(header, flow->from_port);
  store_big16(header + 2, flow->to_port);
  store_big32(header + 4, tcp->seq);
  store_big32(header + 8, tcp->ack);
  header[12] = (uint8_t)(header_bytes / 4 << 4);
  header[13] = tcp->flags;
  store_big16(header + 14, WINDOW);
  uint8_t *option = header + 20;
  option[0] = option[1] = OPTION_NOP;
  option[2] = OPTION_TIMESTAMPS;
  option[3] = TIMESTAMPS_BYTES;
  store_big32(option + 4, tcp->sent_ms);
  store_big32(option + 8, tcp->echo_ms);
  if (sack_bytes > 0) {
    option += 12;
    option[0] = option[1] = OPTION_NOP;
    option[2] = OPTION_SACK;
    option[3] = (uint8_t)(sack_bytes - 2);
    for (unsigned i = 0; i < tcp->block_count; i++) {
      store_big32(option + 4 + i * BLOCK_BYTES, tcp->blocks[i].begin);
      store_big32(option + 8 + i * BLOCK_BYTES, tcp->blocks[i].end);
    }
  }
  write_partial(packet, MP_PROTOCOL_TCP, 16, header_bytes + payload_bytes);
  return MP_INNER_IPV4_BYTES + header_bytes;
}

uint32_t mp_inner_write_udp(uint8_t *packet, const struct mp_inner_flow *flow,
                            uint32_t payload_bytes, uint16_t ipv4_id)
{
  uint8_t *header = packet + MP_INNER_IPV4_BYTES;
  const uint32_t transport_bytes = MP_INNER_UDP_BYTES + payload_bytes;
  write_ipv4(packet, flow, MP_INNER_IPV4_BYTES + transport_bytes, ipv4_id);
  store_big16(header, flow->from_port);
  store_big16(header + 2, flow->to_port);
  store_big16(header + 4, transport_bytes);
  write_partial(packet, MP_PROTOCOL_UDP, 6, transport_bytes);
  return MP_INNER_IPV4_BYTES + MP_INNER_UDP_BYTES;
}

uint32_t mp_inner_write_echo(uint8_t *packet, const struct mp_inner_flow *flow, bool reply,
                             uint16_t sequence, uint32_t payload_bytes, uint16_t ipv4_id)
{
  uint8_t *header = packet + MP_INNER_IPV4_BYTES;
  const uint32_t transport_bytes = MP_INNER_ICMP_BYTES + payload_bytes;
  write_ipv4(packet, flow, MP_INNER_IPV4_BYTES + transport_bytes, ipv4_id);
  memset(header, 0, MP_INNER_ICMP_BYTES);
  header[0] = reply ? ICMP_REPLY : ICMP_ECHO;
  store_big16(header + 4, flow->from_port);
  store_big16(header + 6, sequence);
  mp_store16(header + 2,
             (uint16_t)~mp_checksum_fold(mp_checksum_add(0, header, transport_bytes)));
  return MP_INNER_IPV4_BYTES + MP_INNER_ICMP_BYTES;
}

/* Octets of the transport header; 0 when it is none of ours or cut short. */
static uint32_t transport_header(const uint8_t *header, uint8_t protocol, uint32_t left)
{
  if (protocol == MP_PROTOCOL_UDP || protocol == MP_PROTOCOL_ICMP)
    return left >= MP_INNER_UDP_BYTES ? MP_INNER_UDP_BYTES : 0;
  if (protocol != MP_PROTOCOL_TCP || left < MP_INNER_TCP_BYTES)
    return 0;
  const uint32_t bytes = (header[12] >> 4) * 4u;
  return bytes >= MP_INNER_TCP_BYTES && bytes <= left ? bytes : 0;
}

bool mp_inner_read(const uint8_t *packet, uint32_t length, struct mp_inner_flow *flow,
                   uint32_t *header_bytes)
{
  if (length < MP_INNER_IPV4_BYTES || packet[0] != 0x45 || load_big16(packet + 2) != length)
    return false;
  const uint8_t *header = packet + MP_INNER_IPV4_BYTES;
  const uint32_t transport = transport_header(header, packet[9], length - MP_INNER_IPV4_BYTES);
  if (transport == 0)
    return false;
  const bool icmp = packet[9] == MP_PROTOCOL_ICMP;
  *flow = (struct mp_inner_flow){
      .protocol = packet[9],
      .dscp = packet[1] >> 2,
      .from_port = (uint16_t)load_big16(icmp ? header + 4 : header),
      .to_port = icmp ? 0 : (uint16_t)load_big16(header + 2),
  };
  memcpy(flow->from, packet + 12, 4);
  memcpy(flow->to, packet + 16, 4);
  *header_bytes = MP_INNER_IPV4_BYTES + transport;
  return true;
}

void mp_inner_read_tcp(const uint8_t *packet, struct mp_inner_tcp *tcp)
{
  const uint8_t *header = packet + MP_INNER_IPV4_BYTES;
  const uint32_t header_bytes = (header[12] >> 4) * 4u;
  const uint8_t *option = header + 20;
  *tcp = (struct mp_inner_tcp){.seq = load_big32(header + 4),
                               .ack = load_big32(header + 8),
                               .flags = header[13],
                               .sent_ms = load_big32(option + 4),
                               .echo_ms = load_big32(option + 8)};
  if (header_bytes <= MP_INNER_TCP_BYTES + 4)
    return;
  option += 12;
  const unsigned count = (option[3] - 2u) / BLOCK_BYTES;
  for (unsigned i = 0; i < count && i < 4 && 36 + i * BLOCK_BYTES < header_bytes; i++) {
    tcp->blocks[i].begin = load_big32(option + 4 + i * BLOCK_BYTES);
    tcp->blocks[i].end = load_big32(option + 8 + i * BLOCK_BYTES);
    tcp->block_count = i + 1;
  }
}
