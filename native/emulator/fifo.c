#define _GNU_SOURCE
#include "fifo.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t room_for(size_t length_bytes)
{
  const size_t alignment = alignof(struct mp_fifo_packet);
  return (sizeof(struct mp_fifo_packet) + length_bytes + alignment - 1) & ~(alignment - 1);
}

static bool map_twice(struct mp_fifo *fifo, int file)
{
  const int access = PROT_READ | PROT_WRITE;
  uint8_t *at = mmap(NULL, 2 * fifo->size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    return false;
  for (int i = 0; i < 2; i++) {
    uint8_t *half = at + (size_t)i * fifo->size_bytes;
    if (mmap(half, fifo->size_bytes, access, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
      munmap(at, 2 * fifo->size_bytes);
      return false;
    }
  }
  fifo->memory = at;
  return true;
}

int mp_fifo_open(struct mp_fifo *fifo, size_t size_bytes)
{
  *fifo = (struct mp_fifo){.size_bytes = size_bytes};
  int file = memfd_create("packets", MFD_CLOEXEC);
  if (file < 0)
    return -1;
  bool mapped = ftruncate(file, (off_t)size_bytes) == 0 && map_twice(fifo, file);
  int cause = errno;
  close(file);
  errno = cause;
  return mapped ? 0 : -1;
}

void mp_fifo_close(struct mp_fifo *fifo)
{
  if (fifo->memory != NULL)
    munmap(fifo->memory, 2 * fifo->size_bytes);
  fifo->memory = NULL;
}

static struct mp_fifo_packet *packet_at(const struct mp_fifo *fifo, size_t position)
{
  return (struct mp_fifo_packet *)(void *)(fifo->memory + (position & (fifo->size_bytes - 1)));
}

struct mp_fifo_packet *mp_fifo_reserve(struct mp_fifo *fifo, size_t length_bytes)
{
  if (fifo->tail - fifo->head + room_for(length_bytes) > fifo->size_bytes)
    return NULL;
  return packet_at(fifo, fifo->tail);
}

void mp_fifo_commit(struct mp_fifo *fifo)
{
  fifo->tail += room_for(packet_at(fifo, fifo->tail)->length_bytes);
}

const struct mp_fifo_packet *mp_fifo_first(const struct mp_fifo *fifo)
{
  return fifo->head == fifo->tail ? NULL : packet_at(fifo, fifo->head);
}

void mp_fifo_drop_first(struct mp_fifo *fifo)
{
  fifo->head += room_for(packet_at(fifo, fifo->head)->length_bytes);
  if (fifo->head == fifo->tail)
    fifo->head = fifo->tail = 0;
}
