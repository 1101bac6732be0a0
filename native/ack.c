#include "ack.h"

#include <string.h>

#include "inner.h"

enum {
  PROTOCOL_TCP = 6,
  TCP_BYTES = 20,
  TCP_STAMPED_BYTES = 32,
  TCP_NUMBER = 8,
  TCP_DATA_OFFSET = 12,
  TCP_FLAGS = 13,
  TCP_CHECKSUM = 16,
  FLAG_SYN = 0x02,
  FLAG_ACK = 0x10,
  FLAGS_BUT_ECN = 0x3f, /* what ECN says may as well be said later */
};

/* Two NOPs and the timestamps, as RFC 7323 appendix A has them: what else an acknowledgement bears, such as
 * SACK, is news. */
static const uint8_t STAMPED[] = {1, 1, 8, 10};

/* Where the TCP header is; 0: there is none. */
static uint32_t find_tcp(struct mp_inner *inner, const uint8_t *packet, uint32_t length)
{
  struct mp_inner_transport transport;
  if (length < TCP_BYTES || (packet[0] >> 4 == 4 && packet[9] != PROTOCOL_TCP) ||
      !mp_inner_parse(inner, packet, length) ||
      !mp_inner_transport(&transport, inner, packet, length) ||
      transport.checksum != TCP_CHECKSUM)
    return 0;
  return transport.offset;
}

static void write_key(uint8_t key[MP_ACK_KEY_BYTES], const struct mp_inner *inner,
                      const uint8_t *ports, bool is_back)
{
  const uint32_t each = inner->version == 4 ? 4 : 16;
  memset(key, 0, MP_ACK_KEY_BYTES);
  key[0] = inner->version;
  memcpy(key + 1, is_back ? inner->destination : inner->source, each);
  memcpy(key + 1 + each, is_back ? inner->source : inner->destination, each);
  memcpy(key + 33, ports + (is_back ? 2 : 0), 2);
  memcpy(key + 35, ports + (is_back ? 0 : 2), 2);
}

bool mp_ack_key(uint8_t key[MP_ACK_KEY_BYTES], const uint8_t *packet, uint32_t length, bool is_back)
{
  struct mp_inner inner;
  const uint32_t at = find_tcp(&inner, packet, length);
  if (at > 0)
    write_key(key, &inner, packet + at, is_back);
  return at > 0;
}

bool mp_ack_read(struct mp_ack *ack, const uint8_t *packet, uint32_t length)
{
  struct mp_inner inner;
  const uint32_t at = find_tcp(&inner, packet, length);
  const uint8_t *tcp = packet + at;
  if (at == 0 || length < at + TCP_BYTES)
    return false;
  const uint32_t header_bytes = (tcp[TCP_DATA_OFFSET] >> 4) * 4u;
  const uint8_t flags = tcp[TCP_FLAGS] & FLAGS_BUT_ECN;
  if (length != at + header_bytes || (flags & ~FLAG_SYN) != FLAG_ACK)
    return false;
  const uint8_t *number = tcp + TCP_NUMBER;
  write_key(ack->key, &inner, tcp, false);
  ack->number = (uint32_t)number[0] << 24 | (uint32_t)number[1] << 16 | (uint32_t)number[2] << 8 |
                number[3];
  ack->is_first = flags & FLAG_SYN;
  ack->is_plain = !ack->is_first && (header_bytes == TCP_BYTES ||
                                     (header_bytes == TCP_STAMPED_BYTES &&
                                      memcmp(tcp + TCP_BYTES, STAMPED, sizeof STAMPED) == 0));
  return true;
}
