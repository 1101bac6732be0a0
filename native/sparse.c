#include "sparse.h"

#include <stdlib.h>
#include <string.h>

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

void *mp_sparse_make(struct mp_sparse *sparse, uint16_t bucket, size_t bytes)
{
  const uint32_t n = sparse->count;
  uint8_t **slab = &sparse->slabs[n / MP_SPARSE_SLAB];
  if (!*slab)
    *slab = calloc(MP_SPARSE_SLAB, bytes);
  if (!*slab)
    return NULL;
  sparse->places[bucket] = ++sparse->count;
  return mp_sparse_nth(sparse, n, bytes);
}
