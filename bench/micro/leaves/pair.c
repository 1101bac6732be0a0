#include "pair.h"

#include "leaf.h"
#include "seal_provider.h"

static bool leave_alone(struct mp_seal_context *context, const uint8_t *nonce,
                        const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes)
{
  (void)context, (void)nonce, (void)clear, (void)clear_bytes, (void)at, (void)bytes;
  return true;
}

static void close_nothing(struct mp_seal_context *context) { free(context); }

const struct mp_seal_provider leaf_no_sealing = {
    .close = close_nothing, .seal = leave_alone, .unseal = leave_alone};
const struct mp_seal_provider *leaf_sealing;

static struct mp_seal_context *open_sealing(bool for_sealing)
{
  const uint8_t key[MP_SEAL_KEY_BYTES] = {9};
  struct mp_seal_context *context;
  if (leaf_sealing) {
    context = malloc(sizeof *context);
    if (context)
      context->provider = leaf_sealing;
  } else {
    context = mp_seal_open(MP_AEAD_AES_256_GCM, key, for_sealing);
  }
  if (!context)
    abort();
  return context;
}

/* One key for both directions: nothing is secret here. */
static void seal_anew(struct mp_peer *peer)
{
  struct mp_epoch *const *slot = peer->epochs;
  while (!*slot)
    slot++;
  struct mp_epoch *epoch = *slot;
  mp_seal_close(epoch->seal);
  mp_seal_close(epoch->unseal);
  epoch->seal = open_sealing(true);
  epoch->unseal = open_sealing(false);
  epoch->features = MP_FEATURE_PARTIAL_CHECKSUM | MP_FEATURE_COMPRESSION;
}

static void take_datagrams(void *context, struct mp_outbox *outbox)
{
  (void)context;
  for (unsigned i = 0; i < outbox->count; i++)
    outbox->datagrams[i].error = 0;
}

static unsigned take_packets(void *context, struct mp_packet *const *taken, unsigned count)
{
  (void)context, (void)taken;
  return count;
}

void leaf_pair_cut(struct pair *pair)
{
  struct mp_tunnel *tunnels[] = {pair->client.tunnel, pair->server.tunnel};
  for (unsigned i = 0; i < 2; i++) {
    tunnels[i]->ports.udp_send = take_datagrams;
    tunnels[i]->ports.tun_write = take_packets;
    for (unsigned j = 0; j < tunnels[i]->peer_count; j++)
      seal_anew(tunnels[i]->peers[tunnels[i]->peer_ids[j]]);
  }
}

void leaf_pair_open(struct pair *pair, uint8_t paths)
{
  pair_open_carrying(pair, paths);
  leaf_pair_cut(pair);
}
