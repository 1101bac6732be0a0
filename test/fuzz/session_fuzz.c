/* A session in the mode adaptive with an authentic peer of another mind, from its begin to its end:
 * whatever it reports, proposes, jumps or leaves out, only packets of its own come out of the tunnel, time
 * goes on, and nothing is left behind.
 *
 *   An input is instructions: one octet, three bits of kind and five of path or count, and its operands.
 *     0 time passes       units:u16                          64 us each
 *     1 server sends      flow:u8  octets:u8  flags:u8       count + 1 packets; flags of TCP, 0: UDP
 *     2 client sends      the same
 *     3 forged            type:u8  hidden header:8  length:u8  body; type & 0x80: a packet of the client's
 *     4 forged report     of path:u8  newest:i16  hold:u16  delay:i16  octets:u16  gaps:u8 of u8 u8
 *     5 link              cut:u8                             by bits: to the server, to the client, refused
 *     6 sequence jumps    by:u8  shift:u8                    of what the client sends on the path
 *     7 command           which:u8  operand:u8
 *   What is cut short ends the input. */
#include "../native/tunnel_fixture.h"

#include <errno.h>

#include "inner.h"
#include "instructions.h"

#undef REQUIRE /* a test of the harness goes on, a fuzz target ends */
#define REQUIRE(condition) ((condition) ? (void)0 : abort())

enum {
  PATHS = 2,
  LAST_US = 2000000, /* the end of each session: what waits has its time */
  STANDING_TICKS = 1000,
  TCP_BYTES = 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pair pair;
static uint32_t sequence[2]; /* of TCP, both ways */
static uint32_t octets;      /* as the reports claim */

/* Packets as they are delivered: whole, and at the server the client's own. */
static unsigned take_packets(void *context, struct mp_packet *const *packets, unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    struct mp_inner inner;
    REQUIRE(mp_inner_parse(&inner, packets[i]->bytes, packets[i]->length));
    if (context == &pair.server)
      REQUIRE(inner.version == 4 && memcmp(inner.source, (uint8_t[]){10, 77, 0, 2}, 4) == 0);
    if (packets[i]->partial)
      REQUIRE(packets[i]->transport + packets[i]->checksum + 2u <= packets[i]->length);
  }
  return count;
}

static void empty_events(struct end *end)
{
  while (mp_ring_peek(&end->events))
    mp_ring_release(&end->events);
}

/* As run_until; and neither end is due again and again while time stands still. */
static void pass(uint64_t time_us)
{
  const uint64_t until_us = pair.now_us + time_us;
  for (unsigned ticks = 0;; ticks++) {
    REQUIRE(ticks < STANDING_TICKS);
    const uint64_t client_us = fixture_next_us(&pair.client), server_us = fixture_next_us(&pair.server);
    const uint64_t next_us = client_us < server_us ? client_us : server_us;
    if (next_us > until_us) {
      pair.now_us = until_us;
      empty_events(&pair.client);
      empty_events(&pair.server);
      return;
    }
    if (next_us > pair.now_us)
      ticks = 0;
    run_until(&pair, next_us > pair.now_us ? next_us : pair.now_us);
  }
}

static void send_packets(bool down, unsigned count, const uint8_t *operands)
{
  uint8_t packet[1500] = {0};
  const uint32_t payload = operands[1] * 5u;
  for (unsigned i = 0; i < count; i++) {
    fixture_packet(packet, down ? 1 : 2, down ? 2 : 1, i);
    packet[21] = operands[0];
    uint32_t length = INNER_HEADER_BYTES + payload;
    if (operands[2]) {
      length = 20 + TCP_BYTES + payload;
      packet[9] = 6;
      mp_store32(packet + 24, __builtin_bswap32(sequence[down]));
      mp_store32(packet + 28, __builtin_bswap32(sequence[!down]));
      packet[32] = TCP_BYTES << 2;
      packet[33] = operands[2];
      sequence[down] += payload + (operands[2] & 3 ? 1 : 0);
    }
    packet[2] = (uint8_t)(length >> 8);
    packet[3] = (uint8_t)length;
    (down ? server_sends_packet : client_sends_packet)(&pair, packet, length);
  }
}

/* Sealed by the client's keys, as its next on the path. */
static void forge(uint8_t path, uint8_t type, const uint8_t *hidden, const uint8_t *body, size_t length)
{
  struct mp_epoch *epoch = pair.client.tunnel->peers[0]->sending;
  uint8_t datagram[MP_DATAGRAM_BYTES] = {0};
  if (!epoch)
    return;
  const uint64_t path_seq = epoch->tx_seq[path]++;
  datagram[MP_HEADER_TYPE] = type;
  datagram[MP_HEADER_PATH] = path;
  mp_store16(datagram + MP_HEADER_RECEIVER, epoch->remote_index);
  mp_store32(datagram + MP_HEADER_PATH_SEQ, (uint32_t)path_seq);
  mp_store24(datagram + MP_HEADER_SEND_TIME, (uint32_t)pair.now_us & 0xffffff);
  if (hidden)
    memcpy(datagram + MP_SEAL_CLEAR_BYTES, hidden, MP_SEAL_HEADER_BYTES - MP_SEAL_CLEAR_BYTES);
  const size_t bytes = mp_seal_seal(epoch->seal, path, path_seq, datagram, body, length);
  fixture_receive(&pair.server, path, datagram, (uint32_t)bytes, pair.now_us);
}

static void forge_any(struct input *input, uint8_t path)
{
  const uint8_t *header = take(input, 10);
  const uint8_t *body = header ? take(input, header[9]) : NULL;
  if (!body)
    return;
  uint8_t packet[UINT8_MAX];
  memcpy(packet, body, header[9]);
  if (header[0] & 0x80 && header[9] >= 20) {
    packet[0] = (uint8_t)(0x40 | (packet[0] & 15));
    mp_store16(packet + 2, (uint16_t)(header[9] << 8));
    memcpy(packet + 12, (uint8_t[]){10, 77, 0, 2, 10, 77, 0, 1}, 8);
  }
  forge(path, header[0] & 0x7f, header + 1, packet, header[9]);
}

static void forge_report(struct input *input, uint8_t path)
{
  const uint8_t *told = take(input, 10);
  const uint8_t *gaps = told ? take(input, 2u * (told[9] % (MP_LIMIT_FEEDBACK_GAPS + 1))) : NULL;
  const struct mp_epoch *epoch = pair.server.tunnel->peers[0]->sending;
  uint8_t body[MP_LIMIT_FEEDBACK_BYTES] = {[MP_FEEDBACK_PATHS] = 1};
  uint8_t *of = body + MP_FEEDBACK_BYTES;
  if (!gaps || !epoch)
    return;
  const uint8_t about = told[0] % MP_LIMIT_PATHS, count = told[9] % (MP_LIMIT_FEEDBACK_GAPS + 1);
  octets += mp_load16(told + 7) * 64u;
  of[MP_FEEDBACK_PATH_PATH] = about;
  of[MP_FEEDBACK_PATH_GAPS] = count;
  mp_store16(of + MP_FEEDBACK_PATH_RECEIVER, epoch->remote_index);
  mp_store32(of + MP_FEEDBACK_PATH_NEWEST,
             (uint32_t)epoch->tx_seq[about] + (uint32_t)(int16_t)mp_load16(told + 1));
  mp_store32(of + MP_FEEDBACK_PATH_HOLD, mp_load16(told + 3) * 64u);
  mp_store32(of + MP_FEEDBACK_PATH_DELAY, (uint32_t)((int16_t)mp_load16(told + 5) * 64));
  mp_store32(of + MP_FEEDBACK_PATH_OCTETS, octets);
  for (unsigned i = 0; i < count; i++) {
    uint8_t *gap = of + MP_FEEDBACK_PATH_BYTES + i * MP_FEEDBACK_GAP_BYTES;
    mp_store16(gap + MP_FEEDBACK_GAP_RECEIVED, gaps[2 * i]);
    mp_store16(gap + MP_FEEDBACK_GAP_MISSING, gaps[2 * i + 1]);
  }
  forge(path, MP_MSG_FEEDBACK, NULL, body,
        MP_FEEDBACK_BYTES + MP_FEEDBACK_PATH_BYTES + count * MP_FEEDBACK_GAP_BYTES);
}

static void change_link(uint8_t path, uint8_t how)
{
  pair.client.cut[path] = how & 1;
  pair.server.cut[path] = how & 2;
  pair.server.error[path] = how & 4 ? ENETUNREACH : how & 8 ? ENOBUFS : 0;
}

static void allow_all(struct end *end)
{
  for (uint8_t path = 0; path < PATHS; path++)
    allow(&pair, end, path);
}

/* What the server's TypeScript may do meanwhile. */
static void command(uint8_t path, uint8_t which, uint8_t operand)
{
  switch (which % 6) {
  case 0:
    allow(&pair, &pair.server, path);
    break;
  case 1:
    COMMAND(&pair, &pair.server, (struct mp_cmd_path_remove){.kind = MP_CMD_PATH_REMOVE, .path = path});
    break;
  case 2:
    publish_arrival(&pair, &pair.server, operand);
    break;
  case 3:
    publish_plan(&pair, &pair.server, MP_PLAN_KIND_SLOTS, (uint16_t)((operand & ((1u << PATHS) - 1)) | 1));
    break;
  case 4:
    COMMAND(&pair, &pair.server, (struct mp_cmd_stats_request){.kind = MP_CMD_STATS_REQUEST});
    break;
  default:
    COMMAND(&pair, &pair.server, (struct mp_cmd_size_probe){
        .kind = MP_CMD_SIZE_PROBE, .path = path, .octets = (uint16_t)(100 + operand * 7)});
  }
}

static void carry_out(struct input *input, uint8_t octet)
{
  const uint8_t path = (octet >> 3) % MP_LIMIT_PATHS;
  const uint8_t *operands;
  switch (octet & 7) {
  case 0:
    if ((operands = take(input, 2)) != NULL)
      pass(mp_load16(operands) * 64u);
    break;
  case 1:
  case 2:
    if ((operands = take(input, 3)) != NULL)
      send_packets((octet & 7) == 1, (octet >> 3) + 1u, operands);
    break;
  case 3:
    forge_any(input, path);
    break;
  case 4:
    forge_report(input, path);
    break;
  case 5:
    if ((operands = take(input, 1)) != NULL)
      change_link(path, operands[0]);
    break;
  case 6:
    if ((operands = take(input, 2)) != NULL && pair.client.tunnel->peers[0]->sending)
      pair.client.tunnel->peers[0]->sending->tx_seq[path] += (uint64_t)operands[0] << operands[1] % 48;
    break;
  default:
    if ((operands = take(input, 2)) != NULL)
      command(path, operands[0], operands[1]);
  }
}

static void begin(void)
{
  pair_open(&pair, PATHS);
  pair.client.tunnel->ports.tun_write = pair.server.tunnel->ports.tun_write = take_packets;
  pass(100000);
  pair.client.tunnel->peers[0]->sending->features = UINT8_MAX;
  pair.server.tunnel->peers[0]->sending->features = UINT8_MAX;
  allow_all(&pair.client);
  allow_all(&pair.server);
  publish_arrival(&pair, &pair.client, (1u << PATHS) - 1);
  publish_arrival(&pair, &pair.server, (1u << PATHS) - 1);
  sequence[0] = sequence[1] = octets = 0;
}

static void end(struct end *end)
{
  mp_tunnel_close(end->tunnel);
  REQUIRE(end->pool.taken == 0);
  mp_pool_close(&end->pool);
  free(end->event_slots);
  free(end->wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static bool is_loaded;
  if (!is_loaded)
    fixture_load_openssl();
  is_loaded = true;
  struct input input = {data, size};
  begin();
  for (const uint8_t *octet; (octet = take(&input, 1)) != NULL;)
    carry_out(&input, *octet);
  pass(LAST_US);
  end(&pair.client);
  end(&pair.server);
  return 0;
}
