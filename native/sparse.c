#include "sparse.h"

#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64u

_Static_assert(MP_LIMIT_BUCKETS % MP_SPARSE_SLAB == 0, "whole slabs");

void mp_sparse_close(struct mp_sparse *sparse)
{
  for (unsigned i = 0; i < MP_LIMIT_BUCKETS / MP_SPARSE_SLAB; i++)
    free(sparse->slabs[i]);
  *sparse = (struct mp_sparse){0};
}

void mp_sparse_erase(struct mp_sparse *sparse, size_t bytes)
{
  for (uint32_t n = 0; n < sparse->count; n++)
    memset(mp_sparse_nth(sparse, n, bytes), 0, bytes);
}

/* Entries as long as a line of the cache stand in one each. */
static uint8_t *open_slab(size_t bytes)
{
  const size_t whole_bytes = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
  uint8_t *slab = aligned_alloc(LINE_BYTES, whole_bytes);
  if (slab)
    memset(slab, 0, whole_bytes);
  return slab;
}

void *mp_sparse_make(struct mp_sparse *sparse, uint16_t bucket, size_t bytes)
{
  const uint32_t n = sparse->count;
  uint8_t **slab = &sparse->slabs[n / MP_SPARSE_SLAB];
  if (!*slab)
    *slab = open_slab(MP_SPARSE_SLAB * bytes);
  if (!*slab)
    return NULL;
  sparse->places[bucket] = ++sparse->count;
  return mp_sparse_nth(sparse, n, bytes);
}
