/* Packets under way in one direction, oldest first: bytes of varying length in one piece of memory.
 *
 * The memory is mapped twice in a row, so that no packet is ever in two pieces. It is taken from
 * the kernel page by page as it is first written, and an empty FIFO starts over at its beginning:
 * what a link holds at its fullest is what it costs. */
#ifndef MP_EMULATOR_FIFO_H
#define MP_EMULATOR_FIFO_H

#include <stddef.h>
#include <stdint.h>

struct mp_fifo_packet {
  uint64_t arrival_us;
  uint32_t epoch;
  uint32_t length_bytes;
  uint8_t bytes[];
};

struct mp_fifo {
  uint8_t *memory;
  size_t size_bytes;
  size_t head; /* positions run on and are taken modulo the size */
  size_t tail;
};

/* size_bytes is a power of two, at least a page. Returns 0 or -1 with errno. */
int mp_fifo_open(struct mp_fifo *fifo, size_t size_bytes);
void mp_fifo_close(struct mp_fifo *fifo);

/* Room behind the last packet for one of up to length_bytes, or NULL: full. It is part of the FIFO
 * once mp_fifo_commit is called, with the length that stands in it then. */
struct mp_fifo_packet *mp_fifo_reserve(struct mp_fifo *fifo, size_t length_bytes);
void mp_fifo_commit(struct mp_fifo *fifo);

/* The oldest packet, or NULL: empty. */
const struct mp_fifo_packet *mp_fifo_first(const struct mp_fifo *fifo);
void mp_fifo_drop_first(struct mp_fifo *fifo);

#endif
