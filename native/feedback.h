/* Feedback messages: what arrived on each path of the data that asks for a report. What the receiver
 * notes, how it is written and how it is read. PROTOCOL.md, "Feedback". */
#ifndef MP_FEEDBACK_H
#define MP_FEEDBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "replay.h"
#include "variation.h"

/* A gap is told in so many reports one after another: one that arrives is enough. */
#define MP_FEEDBACK_REPEATS 5u

/* What the receiver knows of one path since the last report. */
struct mp_feedback_note {
  bool pending;          /* something came that has not been reported */
  bool urgent;           /* a new gap among it, or what fills one */
  uint16_t receiver;     /* of the epoch that `newest` is of */
  const struct mp_replay *replay; /* of the same; must live as long as the note is pending */
  uint64_t newest;
  uint64_t newest_at_us;
  int64_t delay_us;      /* least since the last report */
  uint64_t told[MP_FEEDBACK_REPEATS]; /* `newest` of the last reports, latest first */
};

/* One that was accepted. */
struct mp_feedback_datagram {
  uint16_t receiver;              /* of its epoch */
  const struct mp_replay *replay; /* of the same */
  uint64_t path_seq;
  uint64_t advanced;              /* as mp_replay_accept said */
  int64_t delay_us;
  uint64_t at_us;
  bool asks;                      /* for a report; what does not may still show a gap in what did */
};

static inline bool mp_feedback_is_of(const struct mp_feedback_note *note,
                                     const struct mp_feedback_datagram *datagram)
{
  return note->receiver == datagram->receiver && note->replay == datagram->replay;
}

/* A note of another epoch begins anew. */
void mp_feedback_heard(struct mp_feedback_note *note, const struct mp_feedback_datagram *datagram);

/* The same where it is the next one, as nearly always. False, and nothing noted, where not. */
static inline bool mp_feedback_heard_next(struct mp_feedback_note *note,
                                          const struct mp_feedback_datagram *datagram)
{
  if (datagram->advanced != 1 || !mp_feedback_is_of(note, datagram))
    return false;
  if (!note->pending || datagram->delay_us < note->delay_us)
    note->delay_us = datagram->delay_us;
  note->newest = datagram->path_seq;
  note->newest_at_us = datagram->at_us;
  note->pending |= datagram->asks;
  return true;
}

/* Something came that has not been told in so many reports. */
static inline bool mp_feedback_is_untold(const struct mp_feedback_note *note)
{
  return note->replay && (note->pending || note->told[MP_FEEDBACK_REPEATS - 1] != note->newest);
}

/* The epoch is gone: its sequences cannot be told any more. Whether there was anything of it. */
bool mp_feedback_forget(struct mp_feedback_note *note, uint16_t receiver);

struct mp_feedback_totals {
  uint64_t octets, datagrams;
};

/* Appends what the note says to a body with room for MP_LIMIT_FEEDBACK_BYTES, `length` of which are in
 * use; begins the body when it is 0. Returns the new length, the old one when there was no room. The
 * note is then reported. */
uint32_t mp_feedback_write(uint8_t *body, uint32_t length, uint8_t path,
                           struct mp_feedback_note *note,
                           const struct mp_feedback_totals *totals, uint64_t now_us);

/* The receiver's side of one peer. */
struct mp_sizes {
  uint64_t octets, datagrams;
  uint32_t mean_octets; /* of a datagram, smoothed over 16 reports */
};

struct mp_arrivals {
  uint64_t at_us, octets; /* of the newest, and with it, by the last report */
  struct mp_variation variation;
};

struct mp_reporting {
  uint16_t pending;         /* bit p: path p has something to report */
  bool urgent;
  uint8_t turn;
  uint8_t on;               /* the path that the newest report went on, */
  uint16_t told;            /* and the paths that it and those before it there told of */
  uint32_t datagrams;       /* since the last report */
  uint64_t reported_us;
  uint64_t gap_us;          /* when something was last missing */
  struct mp_sizes sent, heard; /* on all paths, by the last report */
  uint64_t sent_bytes;      /* of all reports */
  struct mp_feedback_note notes[MP_LIMIT_PATHS];
  struct mp_feedback_note before[MP_LIMIT_PATHS]; /* of the epoch before: the sender has to know its end */
  struct mp_arrivals arrivals[MP_LIMIT_PATHS];
};

/* One path of a message, as it says it. */
struct mp_feedback_path {
  uint8_t path;
  uint16_t receiver;
  uint32_t newest, hold_us, delay_us, octets, datagrams;
  unsigned gap_count;
  struct {
    uint16_t received, missing;
  } gaps[MP_LIMIT_FEEDBACK_GAPS]; /* newest first */
};

/* Checks a whole body: its length is exact and every number within its limit. */
bool mp_feedback_check(const uint8_t *body, uint32_t length);

/* Reads the path that begins at `offset` of a checked body. Returns the offset of the next one. The
 * first is at MP_FEEDBACK_BYTES, and `length` ends the last. */
uint32_t mp_feedback_read(const uint8_t *body, uint32_t offset, struct mp_feedback_path *path);

#endif
