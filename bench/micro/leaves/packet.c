#include <arpa/inet.h>
#include <string.h>

#include "leaf.h"

enum { IPV4_BYTES = 20, IPV6_BYTES = 40, TCP_BYTES = 20, TCP = 6 };

static void store_big16(uint8_t *at, uint16_t value) { memcpy(at, &(uint16_t){htons(value)}, 2); }
static void store_big32(uint8_t *at, uint32_t value) { memcpy(at, &(uint32_t){htonl(value)}, 4); }

void leaf_packet(uint8_t *packet, uint8_t version, uint16_t length, uint16_t flow, uint32_t number)
{
  memset(packet, 0, length);
  uint8_t *tcp = packet + IPV4_BYTES;
  if (version == 4) {
    packet[0] = 0x45;
    store_big16(packet + 2, length);
    store_big16(packet + 4, (uint16_t)(number / (length - IPV4_BYTES - TCP_BYTES)));
    store_big16(packet + 6, 0x4000); /* DF */
    packet[8] = 64;
    packet[9] = TCP;
    memcpy(packet + 12, (uint8_t[]){10, 77, 0, 2, 10, 77, 0, 1}, 8);
    uint32_t sum = 0;
    for (int i = 0; i < IPV4_BYTES; i += 2)
      sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    store_big16(packet + 10, (uint16_t)~sum);
  } else {
    packet[0] = 0x60;
    store_big16(packet + 4, (uint16_t)(length - IPV6_BYTES));
    packet[6] = TCP;
    packet[7] = 64;
    memcpy(packet + 8, (uint8_t[16]){0xfd, [15] = 2}, 16);
    memcpy(packet + 24, (uint8_t[16]){0xfd, [15] = 1}, 16);
    tcp = packet + IPV6_BYTES;
  }
  store_big16(tcp, (uint16_t)(20000 + flow));
  store_big16(tcp + 2, 443);
  store_big32(tcp + 4, number);
  store_big32(tcp + 8, 1);
  tcp[12] = 5 << 4;
  tcp[13] = 0x10; /* ACK */
  store_big16(tcp + 14, 0xffff);
}
