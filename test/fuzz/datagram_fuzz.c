/* Everything that a datagram from the network can do to the carrying half.
 *
 * Input: the first octet says how the rest is used.
 *   even   as it is, a datagram of a stranger
 *   odd    as the type, hidden header and body of a datagram that is sealed under the right key:
 *          the peer is authentic, but of another mind
 * The second octet moves the clock. */
#include "../native/tunnel_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void receive_sealed(struct pair *pair, const uint8_t *data, size_t size)
{
  static const uint8_t types[2][8] = {
      {MP_MSG_DATA, MP_MSG_PROBE, MP_MSG_ECHO, MP_MSG_CONTROL, MP_MSG_FEEDBACK, MP_MSG_SIZE_PROBE,
       MP_MSG_SIZE_ECHO, MP_MSG_DATA},
      {MP_MSG_CONTEXT, MP_MSG_COMPRESSED, MP_MSG_KEPT, MP_MSG_DATA, MP_MSG_CONTEXT, MP_MSG_COMPRESSED,
       MP_MSG_KEPT, MP_MSG_DATA}};
  struct mp_epoch *epoch = pair->client.tunnel->peers[0]->sending;
  uint8_t datagram[MP_DATAGRAM_BYTES] = {0};
  if (size < 1 + MP_SEAL_HEADER_BYTES - MP_SEAL_CLEAR_BYTES || size > MP_LIMIT_PACKET_BYTES)
    return;
  const uint8_t path = (data[0] >> 3) % MP_LIMIT_PATHS;
  const uint64_t path_seq = epoch->tx_seq[path]++;
  datagram[MP_HEADER_TYPE] = types[data[0] >> 7][data[0] % 8];
  datagram[MP_HEADER_PATH] = path;
  mp_store16(datagram + MP_HEADER_RECEIVER, epoch->remote_index);
  mp_store32(datagram + MP_HEADER_PATH_SEQ, (uint32_t)path_seq);
  memcpy(datagram + MP_SEAL_CLEAR_BYTES, data + 1, MP_SEAL_HEADER_BYTES - MP_SEAL_CLEAR_BYTES);
  const uint8_t *body = data + 1 + MP_SEAL_HEADER_BYTES - MP_SEAL_CLEAR_BYTES;
  const size_t length = mp_seal_seal(epoch->seal, path, path_seq, datagram, body,
                                     size - (size_t)(body - data));
  fixture_receive(&pair->server, path, datagram, (uint32_t)length, pair->now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct pair pair;
  static bool open;
  if (!open) {
    fixture_load_openssl();
    pair_open_carrying(&pair, 2);
    open = true;
  }
  if (size < 2)
    return 0;
  run_until(&pair, pair.now_us + (uint64_t)data[1] * 100);
  if (data[0] % 2 == 1)
    receive_sealed(&pair, data + 2, size - 2);
  else if (size - 2 <= MP_DATAGRAM_BYTES)
    fixture_receive(&pair.server, 0, data + 2, (uint32_t)(size - 2), pair.now_us);
  while (mp_ring_peek(&pair.server.events))
    mp_ring_release(&pair.server.events);
  while (mp_ring_peek(&pair.client.events))
    mp_ring_release(&pair.client.events);
  return 0;
}
