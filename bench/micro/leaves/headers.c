/* Headers that the other side knows: what it takes to leave them out, and to put them back. */
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "context.h"
#include "contract.h"
#include "le.h"
#include "leaf.h"

enum { FLOWS = 64, START_US = 1000000 };

static uint8_t packets[FLOWS][LEAF_PACKET_BYTES];
static uint8_t fields[FLOWS][MP_PROFILE_FIELDS_BYTES];
static uint8_t generations[FLOWS];
static struct mp_contexts contexts;

/* TCP with timestamps, of which there is most. */
static void write_timed(uint8_t *packet, uint16_t flow)
{
  uint8_t *tcp = packet + 20;
  leaf_packet(packet, 4, LEAF_PACKET_BYTES, flow, flow);
  tcp[12] = 8 << 4;
  memcpy(tcp + 20, (uint8_t[]){1, 1, 8, 10}, 4);
  mp_store16(tcp + 16, mp_checksum_fold(mp_checksum_pseudo(packet + 12, 8, 6, LEAF_PACKET_BYTES - 20)));
}

static struct mp_headed headed(uint16_t flow)
{
  return (struct mp_headed){.bytes = packets[flow], .length = LEAF_PACKET_BYTES, .partial = true};
}

static struct mp_context_choice choose(uint16_t flow)
{
  const struct mp_headed packet = headed(flow);
  return mp_context_choose(&contexts, flow, &packet, START_US);
}

static bool open_contexts(void)
{
  for (uint16_t flow = 0; flow < FLOWS; flow++) {
    struct mp_context_choice choice = {.type = MP_MSG_DATA};
    write_timed(packets[flow], flow);
    const struct mp_headed packet = headed(flow);
    while (choice.type == MP_MSG_DATA)
      choice = choose(flow);
    generations[flow] = choice.context->generation;
    if (!mp_context_keep(&contexts, flow, generations[flow], &packet))
      return false;
    mp_context_kept(&contexts, flow, generations[flow]);
    packets[flow][20 + 5]++; /* the stream goes on */
    packets[flow][20 + 26]++;
    choice = choose(flow);
    (void)mp_profile_compress(&choice.context->profile, packets[flow], true, choice.same, fields[flow]);
  }
  return true;
}

static void close_contexts(void) { mp_contexts_close(&contexts); }

static unsigned run_compress(void)
{
  for (uint16_t i = 0; i < LEAF_BATCH; i++) {
    const struct mp_context_choice choice = choose(i % FLOWS);
    if (choice.type != MP_MSG_COMPRESSED)
      abort();
    KEEP(mp_profile_compress(&choice.context->profile, packets[i % FLOWS], true, choice.same,
                             fields[i % FLOWS]));
  }
  return LEAF_BATCH;
}

static unsigned run_expand(void)
{
  for (uint16_t i = 0; i < LEAF_BATCH; i++) {
    uint8_t header[MP_PROFILE_HEADER_BYTES];
    const uint8_t *came = fields[i % FLOWS];
    uint8_t same;
    const struct mp_context *context = mp_context_find(&contexts, i % FLOWS, generations[i % FLOWS]);
    if (!context || !mp_profile_read_same(&context->profile, came, sizeof fields[0], &same))
      abort();
    KEEP(mp_profile_fields(&context->profile, true, same));
    mp_profile_expand(&context->profile, context->header, 0, came, true, LEAF_PACKET_BYTES, header);
    KEEP(header);
  }
  return LEAF_BATCH;
}

const struct leaf headers_leaves[] = {
    {.name = "header left out", .open = open_contexts, .run = run_compress, .close = close_contexts},
    {.name = "header put back", .open = open_contexts, .run = run_expand, .close = close_contexts},
    {0},
};
