#include "context.h"

#include <string.h>

#include "contract.h"

/* One that this side proposed, or will when enough packets fit. */
struct proposal {
  struct mp_context context; /* until it is proposed, with the generation of the one before */
  uint8_t fitted;            /* packets, up to the one that proposes */
  bool is_kept;
  uint64_t proposed_us; /* last; 0: never */
  uint64_t fitted_us;   /* when a packet last did */
};

void mp_contexts_close(struct mp_contexts *contexts)
{
  mp_sparse_close(&contexts->sending);
  mp_sparse_close(&contexts->receiving);
}

void mp_contexts_erase(struct mp_contexts *contexts)
{
  mp_sparse_erase(&contexts->sending, sizeof(struct proposal));
  mp_sparse_erase(&contexts->receiving, sizeof(struct mp_context));
}

static bool exists(const struct mp_context *context) { return context->profile.header_bytes > 0; }

static bool fits(const struct mp_context *context, const struct mp_profile *profile,
                 const uint8_t *model)
{
  return context->profile.header_bytes == profile->header_bytes &&
         memcmp(context->model, model, sizeof context->model) == 0;
}

uint8_t mp_context_choose(struct mp_contexts *contexts, uint16_t bucket, const uint8_t *packet,
                          uint32_t length, bool partial, uint64_t now_us,
                          const struct mp_context **context)
{
  struct mp_profile profile;
  uint8_t model[MP_PROFILE_HEADER_BYTES];
  if (!mp_profile_read(&profile, packet, length, partial))
    return MP_MSG_DATA;
  struct proposal *proposal = mp_sparse_use(&contexts->sending, bucket, sizeof *proposal);
  if (!proposal)
    return MP_MSG_DATA;
  mp_profile_model(&profile, packet, model);
  if (!fits(&proposal->context, &profile, model)) {
    if (exists(&proposal->context) && now_us - proposal->fitted_us < MP_CONTEXT_REST_US)
      return MP_MSG_DATA;
    const uint8_t generation = proposal->context.generation;
    *proposal = (struct proposal){.context = {.profile = profile, .generation = generation}};
    memcpy(proposal->context.model, model, sizeof model);
  }
  proposal->fitted_us = now_us;
  *context = &proposal->context;
  if (proposal->is_kept)
    return MP_MSG_COMPRESSED;
  if (proposal->fitted < MP_CONTEXT_WORTH_PACKETS)
    proposal->fitted++;
  if (proposal->fitted < MP_CONTEXT_WORTH_PACKETS ||
      (proposal->proposed_us > 0 && now_us - proposal->proposed_us < MP_CONTEXT_PROPOSE_US))
    return MP_MSG_DATA;
  if (proposal->proposed_us == 0)
    proposal->context.generation++;
  proposal->proposed_us = now_us;
  return MP_MSG_CONTEXT;
}

void mp_context_kept(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation)
{
  struct proposal *proposal = mp_sparse_find(&contexts->sending, bucket, sizeof *proposal);
  if (proposal && proposal->proposed_us > 0 && proposal->context.generation == generation)
    proposal->is_kept = true;
}

/* RFC 1982 section 3.2: generations wrap. */
static bool is_older(uint8_t generation, uint8_t other)
{
  return (int8_t)(generation - other) < 0;
}

bool mp_context_keep(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation,
                     const uint8_t *packet, uint32_t length, bool partial)
{
  struct mp_profile profile;
  if (!mp_profile_read(&profile, packet, length, partial))
    return false;
  struct mp_context *context = mp_sparse_use(&contexts->receiving, bucket, sizeof *context);
  if (!context || (exists(context) && is_older(generation, context->generation)))
    return false;
  context->profile = profile;
  context->generation = generation;
  mp_profile_model(&profile, packet, context->model);
  return true;
}

const struct mp_context *mp_context_find(const struct mp_contexts *contexts, uint16_t bucket,
                                         uint8_t generation)
{
  const struct mp_context *context =
      mp_sparse_find(&contexts->receiving, bucket, sizeof *context);
  return context && exists(context) && context->generation == generation ? context : NULL;
}
