/* Authenticated encryption of datagrams: with the EVP of the node binary that we run in, or with
 * libipsec-mb where it is installed and quicker. Both are looked up at run time.
 *
 * seal.c       the choice and the datagram    seal_evp.c       OpenSSL's EVP
 * seal_proof.c what a library must show       seal_ipsec_mb.c  libipsec-mb
 *
 * One context per key and direction, keyed once per epoch: keying for every packet costs 160 ns of
 * 560 (Node 20, AES-256-GCM, 1400 octets). */
#ifndef MP_SEAL_H
#define MP_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract.h"

struct mp_seal_context; /* one key, one direction, one thread */

/* Looks the libraries up and runs a known-answer test of each and each AEAD, once in a process, from
 * any thread. Returns the MP_AEAD_* bits that work, 0 when the process has no usable EVP. *why is
 * NULL when all work, else a sentence that names the missing symbol, missing AEAD or failed test. */
uint8_t mp_seal_available(const char **why);

/* The MP_AEAD_* bits for which this CPU has instructions (AES and carry-less multiply). */
uint8_t mp_seal_preferred(void);

/* Text for status: library and version that seal with this AEAD, and why none that is installed and
 * may be quicker is used; "none" when the AEAD is not available. */
const char *mp_seal_provider(uint8_t aead);

/* NULL when the AEAD (one MP_AEAD_*) is not available or memory is gone. The key is copied into the
 * library; the caller erases its own. */
struct mp_seal_context *mp_seal_open(uint8_t aead, const uint8_t key[MP_SEAL_KEY_BYTES],
                                     bool for_sealing);

/* Erases the key. NULL is allowed. */
void mp_seal_close(struct mp_seal_context *context);

/* Nonce: path id (u32) and path sequence (u64), little-endian. PROTOCOL.md, "Sealed datagrams".
 *
 * The caller has written the header to datagram[0, MP_SEAL_HEADER_BYTES). Its first
 * MP_SEAL_CLEAR_BYTES are associated data; the rest of it is sealed in place, then `body`, then
 * comes the tag. `body` is datagram + MP_SEAL_HEADER_BYTES itself or does not overlap the datagram.
 * Returns the length of the datagram, 0 when the library failed: its octets are then undefined. */
size_t mp_seal_seal(struct mp_seal_context *context, uint8_t path, uint64_t path_seq,
                    uint8_t *datagram, const uint8_t *body, size_t body_bytes);

/* Opens in place: afterwards datagram[0, MP_SEAL_HEADER_BYTES) is the whole header in clear and the
 * body follows it. Returns false when the tag is wrong; the sealed octets are then undefined.
 * Precondition: length >= MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES. */
bool mp_seal_unseal(struct mp_seal_context *context, uint8_t path, uint64_t path_seq,
                    uint8_t *datagram, size_t length);

#endif
