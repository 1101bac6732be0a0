#include "feedback.h"

#include <string.h>

#include "le.h"

void mp_feedback_heard(struct mp_feedback_note *note, const struct mp_feedback_datagram *datagram)
{
  const uint64_t advanced = datagram->advanced;
  /* Nothing is told yet: what was before the first that asks may have asked too, and is lost. */
  if (!mp_feedback_is_of(note, datagram))
    *note = (struct mp_feedback_note){.receiver = datagram->receiver, .replay = datagram->replay};
  if (!note->pending || datagram->delay_us < note->delay_us)
    note->delay_us = datagram->delay_us;
  /* RFC 9000 section 13.2.1: what fills a gap is told as soon as the gap was, or it is sent again. */
  note->urgent |= advanced > 1 || (advanced == 0 && datagram->asks);
  note->pending |= datagram->asks || advanced > 1;
  if (advanced > 0) {
    note->newest = datagram->path_seq;
    note->newest_at_us = datagram->at_us;
  }
}

bool mp_feedback_forget(struct mp_feedback_note *note, uint16_t receiver)
{
  if (!note->replay || note->receiver != receiver)
    return false;
  *note = (struct mp_feedback_note){0};
  return true;
}

static uint64_t min(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Writes the gaps between the newest and what was told often enough; returns their number. */
static unsigned write_gaps(uint8_t *out, unsigned most, const struct mp_feedback_note *note)
{
  uint64_t least = note->told[MP_FEEDBACK_REPEATS - 1];
  const uint64_t oldest = mp_replay_oldest(note->replay);
  if (least < oldest)
    least = oldest;
  unsigned count = 0;
  uint64_t seq = note->newest;
  while (count < most && seq > least) {
    const uint64_t received = mp_replay_run(note->replay, seq, least);
    if (seq - least < received)
      break;
    seq -= received;
    const uint64_t missing = mp_replay_run(note->replay, seq, least);
    mp_store16(out + MP_FEEDBACK_GAP_RECEIVED, (uint16_t)min(received, UINT16_MAX));
    mp_store16(out + MP_FEEDBACK_GAP_MISSING, (uint16_t)min(missing, UINT16_MAX));
    out += MP_FEEDBACK_GAP_BYTES;
    count++;
    if (seq - least < missing)
      break;
    seq -= missing;
  }
  return count;
}

uint32_t mp_feedback_write(uint8_t *body, uint32_t length, uint8_t path,
                           struct mp_feedback_note *note,
                           const struct mp_feedback_totals *totals, uint64_t now_us)
{
  if (length == 0)
    body[MP_FEEDBACK_PATHS] = 0;
  const uint32_t start = length ? length : MP_FEEDBACK_BYTES;
  if (start + MP_FEEDBACK_PATH_BYTES > MP_LIMIT_FEEDBACK_BYTES)
    return length;
  const uint32_t room = (MP_LIMIT_FEEDBACK_BYTES - start - MP_FEEDBACK_PATH_BYTES) /
                        MP_FEEDBACK_GAP_BYTES;
  const unsigned most = room < MP_LIMIT_FEEDBACK_GAPS ? room : MP_LIMIT_FEEDBACK_GAPS;
  uint8_t *out = body + start;
  const unsigned gaps = write_gaps(out + MP_FEEDBACK_PATH_BYTES, most, note);
  if (gaps == most && most < MP_LIMIT_FEEDBACK_GAPS)
    return length; /* what is left out for want of room passes for arrived */
  out[MP_FEEDBACK_PATH_PATH] = path;
  mp_store16(out + MP_FEEDBACK_PATH_RECEIVER, note->receiver);
  mp_store32(out + MP_FEEDBACK_PATH_NEWEST, (uint32_t)note->newest);
  mp_store32(out + MP_FEEDBACK_PATH_HOLD, (uint32_t)(now_us - note->newest_at_us));
  mp_store32(out + MP_FEEDBACK_PATH_DELAY, (uint32_t)note->delay_us);
  mp_store32(out + MP_FEEDBACK_PATH_OCTETS, (uint32_t)totals->octets);
  mp_store32(out + MP_FEEDBACK_PATH_DATAGRAMS, (uint32_t)totals->datagrams);
  out[MP_FEEDBACK_PATH_GAPS] = (uint8_t)gaps;
  body[MP_FEEDBACK_PATHS]++;

  memmove(note->told + 1, note->told, (MP_FEEDBACK_REPEATS - 1) * sizeof *note->told);
  note->told[0] = note->newest;
  note->pending = note->urgent = false;
  return start + MP_FEEDBACK_PATH_BYTES + gaps * MP_FEEDBACK_GAP_BYTES;
}

bool mp_feedback_check(const uint8_t *body, uint32_t length)
{
  if (length < MP_FEEDBACK_BYTES || length > MP_LIMIT_FEEDBACK_BYTES)
    return false;
  uint32_t offset = MP_FEEDBACK_BYTES;
  for (unsigned left = body[MP_FEEDBACK_PATHS]; left > 0; left--) {
    if (length - offset < MP_FEEDBACK_PATH_BYTES)
      return false;
    const uint8_t *path = body + offset;
    const uint32_t gaps = path[MP_FEEDBACK_PATH_GAPS];
    if (path[MP_FEEDBACK_PATH_PATH] >= MP_LIMIT_PATHS || gaps > MP_LIMIT_FEEDBACK_GAPS ||
        length - offset - MP_FEEDBACK_PATH_BYTES < gaps * MP_FEEDBACK_GAP_BYTES)
      return false;
    offset += MP_FEEDBACK_PATH_BYTES + gaps * MP_FEEDBACK_GAP_BYTES;
  }
  return offset == length;
}

uint32_t mp_feedback_read(const uint8_t *body, uint32_t offset, struct mp_feedback_path *path)
{
  const uint8_t *in = body + offset;
  path->path = in[MP_FEEDBACK_PATH_PATH];
  path->receiver = mp_load16(in + MP_FEEDBACK_PATH_RECEIVER);
  path->newest = mp_load32(in + MP_FEEDBACK_PATH_NEWEST);
  path->hold_us = mp_load32(in + MP_FEEDBACK_PATH_HOLD);
  path->delay_us = mp_load32(in + MP_FEEDBACK_PATH_DELAY);
  path->octets = mp_load32(in + MP_FEEDBACK_PATH_OCTETS);
  path->datagrams = mp_load32(in + MP_FEEDBACK_PATH_DATAGRAMS);
  path->gap_count = in[MP_FEEDBACK_PATH_GAPS];
  in += MP_FEEDBACK_PATH_BYTES;
  for (unsigned i = 0; i < path->gap_count; i++, in += MP_FEEDBACK_GAP_BYTES) {
    path->gaps[i].received = mp_load16(in + MP_FEEDBACK_GAP_RECEIVED);
    path->gaps[i].missing = mp_load16(in + MP_FEEDBACK_GAP_MISSING);
  }
  return offset + MP_FEEDBACK_PATH_BYTES + path->gap_count * MP_FEEDBACK_GAP_BYTES;
}
