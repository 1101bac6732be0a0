/* Whose doing losses are. By chance they are the resender's business. Heavy ones are a policer's, or a
 * queue's that is shorter than the window's target: then less under way ends them. When it does not,
 * they were chance after all, and that much is taken for usual until it has become less.
 *
 * A leaf, O(1). Asked once a round trip. */
#ifndef MP_LOSSES_H
#define MP_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

enum mp_losses_verdict {
  MP_LOSSES_CHANCE,
  MP_LOSSES_HEAVY,    /* put less under way, and see */
  MP_LOSSES_OVERFULL, /* too little was taken to see, or more are lost now: put no more there than comes */
  MP_LOSSES_MISTAKEN  /* less did not help: put back what was taken */
};

/* All zero: none seen. Shares in 1/65536. */
struct mp_losses {
  uint8_t rounds; /* until what was taken is judged, 0: nothing is open */
  uint32_t blamed, usual;
  uint64_t sent_bytes, lost_bytes; /* of the round trips since then but the first */
  uint64_t rate; /* bytes a second that came before anything was taken */
};

/* Of the last round trip, which took so long. Precondition: together more than 0 and below 2^44, as is the
 * time. */
enum mp_losses_verdict mp_losses_judge(struct mp_losses *losses, uint64_t acked_bytes,
                                       uint64_t lost_bytes, uint64_t passed_us);

/* What was lost of that. */
uint32_t mp_losses_share(uint64_t acked_bytes, uint64_t lost_bytes);

/* The same where something else than less under way is the remedy: whether too much was lost. */
bool mp_losses_are_heavy(struct mp_losses *losses, uint64_t acked_bytes, uint64_t lost_bytes);

#endif
