/* Headers that compress: which octets of them a flow never changes, which are told by the others, and which
 * each packet has to bring. RFC 5795 calls that a profile.
 *
 * IPv4 without options or IPv6 without extension headers, behind it UDP, or TCP with no options or with
 * timestamps as all senders lay them out (RFC 7323 appendix A). What does not fit goes as it is. Much of
 * what varies in TCP does so slowly: by MP_SAME_* bits each packet says what of it is as in one header
 * that both ends know, and leaves it out. Nothing is coded as a difference from any other packet: what is
 * lost or overtaken costs no other its header. A leaf. */
#ifndef MP_PROFILE_H
#define MP_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

/* IPv6, TCP and its timestamps. */
#define MP_PROFILE_HEADER_BYTES 72u
/* The octet of bits, IPv4's identification, and all that varies in TCP. */
#define MP_PROFILE_FIELDS_BYTES 24u

struct mp_profile {
  uint8_t transport;    /* where the header of TCP or UDP begins */
  uint8_t header_bytes; /* of both; 0: none */
  bool is_tcp;
};

/* False when the packet does not compress: a header of another kind, or one in which a length or a checksum
 * is not what the rest of the packet says. `partial`: its transport checksum covers the pseudo-header alone,
 * so that it is told by the rest as well. */
bool mp_profile_read(struct mp_profile *profile, const uint8_t *packet, uint32_t length, bool partial);

/* Whether all that is static in a packet of this profile is as in a header of the same one. */
bool mp_profile_fits(const struct mp_profile *profile, const uint8_t *packet, const uint8_t *known);

/* In what that varies, as MP_SAME_* bits, it is as in the known header. `later`: by how much its flowSeq is
 * ahead of that header's. None of UDP. */
uint8_t mp_profile_same(const struct mp_profile *profile, const uint8_t *packet, const uint8_t *known,
                        uint16_t later);

/* Writes the fields that it brings; returns how many octets. */
uint32_t mp_profile_compress(const struct mp_profile *profile, const uint8_t *packet, bool partial,
                             uint8_t same, uint8_t *fields);

/* The same number, without a packet. */
uint32_t mp_profile_fields(const struct mp_profile *profile, bool partial, uint8_t same);

/* Reads the bits from what came, `length` octets. False: it is cut short, or says that what such a header has
 * not is the same. */
bool mp_profile_read_same(const struct mp_profile *profile, const uint8_t *fields, uint32_t length,
                          uint8_t *same);

/* Writes the header of a packet of `length` octets, header included, from what is known and the fields. */
void mp_profile_expand(const struct mp_profile *profile, const uint8_t *known, uint16_t later,
                       const uint8_t *fields, bool partial, uint32_t length, uint8_t *header);

#endif
