/* Headers that compress: which octets of them a flow never changes, which are told by the others, and which
 * each packet has to bring. RFC 5795 calls that a profile.
 *
 * IPv4 without options or IPv6 without extension headers, behind it UDP, or TCP with no options or with
 * timestamps as all senders lay them out (RFC 7323 appendix A). What does not fit goes as it is. Nothing is
 * coded as a difference from another packet: what is lost or overtaken costs no other its header. A leaf. */
#ifndef MP_PROFILE_H
#define MP_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

/* IPv6, TCP and its timestamps. */
#define MP_PROFILE_HEADER_BYTES 72u
/* IPv4's identification, and all that varies in TCP. */
#define MP_PROFILE_FIELDS_BYTES 23u

struct mp_profile {
  uint8_t transport;    /* where the header of TCP or UDP begins */
  uint8_t header_bytes; /* of both; 0: none */
  bool is_tcp;
};

/* False when the packet does not compress: a header of another kind, or one in which a length or a checksum
 * is not what the rest of the packet says. `partial`: its transport checksum covers the pseudo-header alone,
 * so that it is told by the rest as well. */
bool mp_profile_read(struct mp_profile *profile, const uint8_t *packet, uint32_t length, bool partial);

/* What is static in its header, zeros elsewhere: header_bytes of them, of the MP_PROFILE_HEADER_BYTES that
 * `model` has room for. */
void mp_profile_model(const struct mp_profile *profile, const uint8_t *packet, uint8_t *model);

/* Writes the fields that vary; returns how many octets. */
uint32_t mp_profile_compress(const struct mp_profile *profile, const uint8_t *packet, bool partial,
                             uint8_t *fields);

/* The same number, without a packet. */
uint32_t mp_profile_fields(const struct mp_profile *profile, bool partial);

/* Writes the header of a packet of `length` octets, header included, from what is static and the fields. */
void mp_profile_expand(const struct mp_profile *profile, const uint8_t *model, const uint8_t *fields,
                       bool partial, uint32_t length, uint8_t *header);

#endif
