/* How far a path's own rate goes up and down: by how much what arrived in one span of time differs from what
 * did in the one before.
 *
 * A leaf, O(1). */
#ifndef MP_VARIATION_H
#define MP_VARIATION_H

#include <stdint.h>

#include "rest.h"

/* All zero: nothing known. */
struct mp_variation {
  uint64_t bytes, passed_us; /* of the running span */
  uint64_t rate;             /* of the one before; 0: none */
  uint32_t mean;             /* of MP_REST_WHOLE: mean difference of one span to the next */
};

/* So much arrived in a time in which the path was what limits. */
void mp_variation_note(struct mp_variation *variation, uint64_t bytes, uint64_t passed_us);

/* What limited was something else, for a while: the running span is void. The one before remains: a path's
 * rate goes up and down while its sender makes a pause, too. */
void mp_variation_skip(struct mp_variation *variation);

/* What comes has nothing to do with what came before. */
void mp_variation_break(struct mp_variation *variation);

/* Of MP_REST_WHOLE: 0 while it is steady. */
uint32_t mp_variation_unsteady(const struct mp_variation *variation);

#endif
