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

static uint8_t choose(uint16_t flow, const struct mp_context **context)
{
  return mp_context_choose(&contexts, flow, packets[flow], LEAF_PACKET_BYTES, true, START_US, context);
}

static bool open_contexts(void)
{
  for (uint16_t flow = 0; flow < FLOWS; flow++) {
    const struct mp_context *context;
    write_timed(packets[flow], flow);
    for (unsigned i = 1; i < MP_CONTEXT_WORTH_PACKETS; i++)
      (void)choose(flow, &context);
    if (choose(flow, &context) != MP_MSG_CONTEXT ||
        !mp_context_keep(&contexts, flow, context->generation, packets[flow], LEAF_PACKET_BYTES, true))
      return false;
    mp_context_kept(&contexts, flow, context->generation);
    (void)mp_profile_compress(&context->profile, packets[flow], true, fields[flow]);
  }
  return true;
}

static void close_contexts(void) { mp_contexts_close(&contexts); }

static unsigned run_compress(void)
{
  for (uint16_t i = 0; i < LEAF_BATCH; i++) {
    const struct mp_context *context;
    if (choose(i % FLOWS, &context) != MP_MSG_COMPRESSED)
      abort();
    KEEP(mp_profile_compress(&context->profile, packets[i % FLOWS], true, fields[i % FLOWS]));
  }
  return LEAF_BATCH;
}

static unsigned run_expand(void)
{
  for (uint16_t i = 0; i < LEAF_BATCH; i++) {
    uint8_t header[MP_PROFILE_HEADER_BYTES];
    const struct mp_context *context = mp_context_find(&contexts, i % FLOWS, 1);
    if (!context)
      abort();
    mp_profile_expand(&context->profile, context->model, fields[i % FLOWS], true, LEAF_PACKET_BYTES, header);
    KEEP(header);
  }
  return LEAF_BATCH;
}

const struct leaf headers_leaves[] = {
    {.name = "header left out", .open = open_contexts, .run = run_compress, .close = close_contexts},
    {.name = "header put back", .open = open_contexts, .run = run_expand, .close = close_contexts},
    {0},
};
