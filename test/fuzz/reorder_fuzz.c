/* Any sequence of datagrams, path changes and ticks: reorder does what its definition says.
 *
 *   limit:u16, of which the highest bit asks for repair, then instructions. An instruction is one
 *   octet: two bits of kind, two of bucket, four of path; and its operands:
 *     0 packet near the turn   distance:i16  how:u8
 *     1 packet anywhere        sequence:u24  how:u8
 *     2 tick                   time:u16              16 us a step; bucket 1: nothing becomes due
 *     3 path                   flags:u8  newest:u8  intra:u8  owd:i16
 *   how: five bits of time behind the path's newest, 512 us a step; unordered; repaired; resent.
 *   flags: live; carrying; six bits of pto_us, 4096 us a step. What is cut short ends the input. */
#include "../native/reorder_model.h"
#include "instructions.h"
#include "le.h"

enum { REPAIR_US = 60000 };

static void agree(const char *difference)
{
  if (!difference)
    return;
  fprintf(stderr, "reorder and its model differ: %s\n", difference);
  abort();
}

static void change_path(struct mp_reorder_path *path, const uint8_t *operands)
{
  path->live = operands[0] & 1;
  const bool carrying = operands[0] >> 1 & 1;
  path->newest_sent_us += operands[1] * 64u;
  if (carrying != path->carrying)
    path->changed_us = path->newest_sent_us;
  path->carrying = carrying;
  path->intra_us = operands[2] * 64u;
  path->owd_high_us = (int16_t)mp_load16(operands + 3) * 64;
  path->pto_us = (operands[0] >> 2) * 4096u;
}

static void insert(struct twin *twin, struct mp_reorder_path *paths, uint16_t bucket, uint8_t id,
                   uint32_t sequence, uint8_t how, uint64_t now_us)
{
  if (how & 0x20) {
    agree(twin_insert_unordered(twin, bucket, sequence));
    return;
  }
  paths[id].newest_sent_us += 20;
  const struct twin_packet sent = {
    .bucket = bucket,
    .flow_seq = sequence,
    .path = id,
    .sent_us = paths[id].newest_sent_us - (how & 0x1f) * 512u,
    .repaired = how & 0x40,
    .resent = how & 0x80,
  };
  agree(twin_insert(twin, sent, paths, now_us));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct input input = {data, size};
  const uint8_t *header = take(&input, 2);
  struct mp_reorder_path paths[MP_LIMIT_PATHS] = {0};
  for (int id = 0; id < MP_LIMIT_PATHS; id++)
    paths[id].newest_sent_us = 1u << 24;
  const uint16_t limit = header ? mp_load16(header) : 0;
  struct twin *twin =
    twin_open((limit & 0x7fff) % (MODEL_SPAN + 1), limit & 0x8000 ? REPAIR_US : 0);
  uint64_t now_us = 1u << 24;
  const uint8_t *operands;
  for (const uint8_t *octet; (octet = take(&input, 1)) != NULL;) {
    const uint16_t bucket = *octet >> 2 & 3;
    const uint8_t id = *octet >> 4;
    switch (*octet & 3) {
    case 0:
      if ((operands = take(&input, 3)) != NULL)
        insert(twin, paths, bucket, id,
               twin_sequence(twin, bucket, (int16_t)mp_load16(operands)), operands[2], now_us);
      break;
    case 1:
      if ((operands = take(&input, 4)) != NULL)
        insert(twin, paths, bucket, id, mp_load24(operands), operands[3], now_us);
      break;
    case 2:
      if ((operands = take(&input, 2)) != NULL) {
        now_us += mp_load16(operands) * 16u;
        agree(bucket == 1 ? twin_prove(twin, paths, now_us) : twin_advance(twin, paths, now_us));
      }
      break;
    default:
      if ((operands = take(&input, 5)) != NULL)
        change_path(&paths[id], operands);
      break;
    }
  }
  if (!twin_close(twin))
    agree("packets are missing");
  return 0;
}
