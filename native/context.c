#include "context.h"

#include <string.h>

/* One that this side proposed, or will when it is worth it. */
struct proposal {
  struct mp_context context; /* until it is proposed, with the generation of the one before */
  int32_t worth;             /* octets that it would have saved more than what was used meanwhile */
  uint8_t tries;             /* without an answer */
  bool is_proposed, is_kept;
  uint64_t proposed_us;      /* last */
  uint64_t fitted_us;        /* when a packet last did, or went by it */
};

struct proposals {
  struct proposal kinds[MP_CONTEXT_KINDS];
  uint8_t newest; /* of those that are kept */
  uint8_t turn;   /* of the packets that go by one */
};

/* A context in use is compared with a new one by one packet in so many, for all of them: to compare takes as
 * many instructions as to compress. */
#define TURNS 8u

void mp_contexts_close(struct mp_contexts *contexts)
{
  mp_sparse_close(&contexts->sending);
  mp_sparse_close(&contexts->receiving);
}

void mp_contexts_erase(struct mp_contexts *contexts)
{
  mp_sparse_erase(&contexts->sending, sizeof(struct proposals));
  mp_sparse_erase(&contexts->receiving, sizeof(struct mp_context_kept));
}

static bool exists(const struct mp_context *context) { return context->profile.header_bytes > 0; }

static void take_header(struct mp_context *context, const struct mp_profile *profile,
                        const struct mp_headed *packet)
{
  context->profile = *profile;
  context->flow_seq = (uint16_t)packet->flow_seq;
  memcpy(context->header, packet->bytes, profile->header_bytes);
}

static bool fits(const struct mp_context *context, const struct mp_profile *profile,
                 const struct mp_headed *packet)
{
  return context->profile.header_bytes == profile->header_bytes &&
         mp_profile_fits(profile, packet->bytes, context->header);
}

static uint8_t same(const struct mp_context *context, const struct mp_headed *packet)
{
  return mp_profile_same(&context->profile, packet->bytes, context->header,
                         (uint16_t)(packet->flow_seq - context->flow_seq));
}

static int32_t saved(const struct mp_profile *profile, const struct mp_headed *packet, uint8_t bits)
{
  return (int32_t)(profile->header_bytes - MP_COMPRESSED_BYTES -
                   mp_profile_fields(profile, packet->partial, bits));
}

static struct proposal *find_kept(struct proposals *proposals, const struct mp_profile *profile,
                                  const struct mp_headed *packet)
{
  for (unsigned i = 0; i < MP_CONTEXT_KINDS; i++) {
    struct proposal *proposal = &proposals->kinds[proposals->newest ^ i];
    if (proposal->is_kept && fits(&proposal->context, profile, packet))
      return proposal;
  }
  return NULL;
}

/* As if it had been made of this packet. */
static void begin(struct proposal *proposal, const struct mp_profile *profile,
                  const struct mp_headed *packet)
{
  take_header(&proposal->context, profile, packet);
  proposal->worth = 0;
  proposal->is_proposed = proposal->is_kept = false;
}

/* Which one the packet may propose; NULL: none. One that gives way begins with it. */
static struct proposal *find_next(struct proposals *proposals, const struct proposal *used,
                                  const struct mp_profile *profile, const struct mp_headed *packet,
                                  uint64_t now_us)
{
  struct proposal *rested = NULL;
  for (unsigned i = 0; i < MP_CONTEXT_KINDS; i++) {
    struct proposal *proposal = &proposals->kinds[i];
    if (proposal == used)
      continue;
    if (!proposal->is_kept && fits(&proposal->context, profile, packet)) {
      proposal->fitted_us = now_us;
      return proposal;
    }
    if ((!exists(&proposal->context) || now_us - proposal->fitted_us >= MP_CONTEXT_REST_US) &&
        (!rested || proposal->fitted_us < rested->fitted_us))
      rested = proposal;
  }
  if (rested) {
    begin(rested, profile, packet);
    rested->fitted_us = now_us;
  }
  return NULL;
}

/* Whether this packet should propose it. `saving`: what it would save by the one in use; 0: there is none. */
static bool is_worth(struct proposal *proposal, const struct mp_profile *profile,
                     const struct mp_headed *packet, int32_t saving, uint64_t now_us)
{
  const bool is_due =
      proposal->tries == 0 ||
      now_us - proposal->proposed_us >= (uint64_t)MP_CONTEXT_PROPOSE_US << (proposal->tries - 1);
  if (proposal->is_proposed)
    return is_due;
  const int32_t more = saved(profile, packet, same(&proposal->context, packet)) - saving;
  proposal->worth += saving > 0 ? (int32_t)TURNS * more : more;
  if (proposal->worth <= 0)
    begin(proposal, profile, packet);
  const uint32_t first = profile->is_tcp ? MP_CONTEXT_TCP_COST_BYTES : MP_CONTEXT_COST_BYTES;
  return is_due && proposal->worth > (int32_t)(saving > 0 ? MP_CONTEXT_ANEW_BYTES : first);
}

static void propose(struct proposals *proposals, struct proposal *proposal,
                    const struct mp_profile *profile, const struct mp_headed *packet, uint64_t now_us)
{
  const unsigned kind = (unsigned)(proposal - proposals->kinds);
  const unsigned next = proposal->context.generation + MP_CONTEXT_KINDS;
  take_header(&proposal->context, profile, packet);
  proposal->context.generation = (uint8_t)(next / MP_CONTEXT_KINDS * MP_CONTEXT_KINDS + kind);
  proposal->is_proposed = true;
  proposal->proposed_us = now_us;
  if (proposal->tries <= MP_CONTEXT_DOUBLINGS)
    proposal->tries++;
}

struct mp_context_choice mp_context_choose(struct mp_contexts *contexts, uint16_t bucket,
                                           const struct mp_headed *packet, uint64_t now_us)
{
  const struct mp_context_choice whole = {.type = MP_MSG_DATA};
  struct mp_profile profile;
  if (!mp_profile_read(&profile, packet->bytes, packet->length, packet->partial))
    return whole;
  struct proposals *proposals = mp_sparse_use(&contexts->sending, bucket, sizeof *proposals);
  if (!proposals)
    return whole;
  struct proposal *used = find_kept(proposals, &profile, packet);
  const uint8_t bits = used ? same(&used->context, packet) : 0;
  /* Of UDP no context grows old. */
  if (!used || (profile.is_tcp && ++proposals->turn % TURNS == 0)) {
    struct proposal *next = find_next(proposals, used, &profile, packet, now_us);
    if (next && is_worth(next, &profile, packet, used ? saved(&profile, packet, bits) : 0, now_us)) {
      propose(proposals, next, &profile, packet, now_us);
      return (struct mp_context_choice){.type = MP_MSG_CONTEXT, .context = &next->context};
    }
  }
  if (!used)
    return whole;
  used->fitted_us = now_us;
  return (struct mp_context_choice){
      .type = MP_MSG_COMPRESSED, .same = bits, .context = &used->context};
}

void mp_context_kept(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation)
{
  struct proposals *proposals = mp_sparse_find(&contexts->sending, bucket, sizeof *proposals);
  const uint8_t kind = generation % MP_CONTEXT_KINDS;
  struct proposal *proposal = proposals ? &proposals->kinds[kind] : NULL;
  if (!proposal || !proposal->is_proposed || proposal->is_kept ||
      proposal->context.generation != generation)
    return;
  proposal->is_kept = true;
  proposal->tries = 0;
  proposals->newest = kind;
}

/* RFC 1982 section 3.2: generations wrap. */
static bool is_later(uint8_t generation, uint8_t other)
{
  return (int8_t)(generation - other) > 0;
}

bool mp_context_keep(struct mp_contexts *contexts, uint16_t bucket, uint8_t generation,
                     const struct mp_headed *packet)
{
  struct mp_profile profile;
  if (!mp_profile_read(&profile, packet->bytes, packet->length, packet->partial))
    return false;
  struct mp_context_kept *kept = mp_sparse_use(&contexts->receiving, bucket, sizeof *kept);
  if (!kept)
    return false;
  struct mp_context *context = &kept->kinds[generation % MP_CONTEXT_KINDS];
  if (exists(context) && !is_later(generation, context->generation))
    return false;
  take_header(context, &profile, packet);
  context->generation = generation;
  return true;
}

const struct mp_context *mp_context_find(const struct mp_contexts *contexts, uint16_t bucket,
                                         uint8_t generation)
{
  const struct mp_context_kept *kept =
      mp_sparse_find(&contexts->receiving, bucket, sizeof *kept);
  const struct mp_context *context = kept ? &kept->kinds[generation % MP_CONTEXT_KINDS] : NULL;
  return context && exists(context) && context->generation == generation ? context : NULL;
}
