/* Entries of buckets beside a plain table (native/sparse.c). */
#include "random.h"
#include "sparse.h"
#include "test.h"

#define BYTES (3 * sizeof(uint64_t))

static void a_bucket_has_none_before_its_first_use(void)
{
  struct mp_sparse sparse = {0};
  CHECK(mp_sparse_find(&sparse, 7, BYTES) == NULL);
  const uint64_t *entry = mp_sparse_use(&sparse, 7, BYTES);
  CHECK_EQ(*entry, 0);
  CHECK(mp_sparse_find(&sparse, 7, BYTES) == entry);
  CHECK(mp_sparse_find(&sparse, 8, BYTES) == NULL);
  mp_sparse_close(&sparse);
}

static void erasing_keeps_the_entries(void)
{
  struct mp_sparse sparse = {0};
  uint64_t *entry = mp_sparse_use(&sparse, MP_LIMIT_BUCKETS - 1, BYTES);
  *entry = 5;
  mp_sparse_erase(&sparse, BYTES);
  CHECK(mp_sparse_find(&sparse, MP_LIMIT_BUCKETS - 1, BYTES) == entry);
  CHECK_EQ(*entry, 0);
  mp_sparse_close(&sparse);
}

static void it_agrees_with_a_table(void)
{
  static uint64_t *entries[MP_LIMIT_BUCKETS], values[MP_LIMIT_BUCKETS];
  struct mp_sparse sparse = {0};
  unsigned used = 0;
  for (unsigned step = 0; step < 20000; step++) {
    const uint16_t bucket = (uint16_t)random_below(MP_LIMIT_BUCKETS);
    const uint16_t other = (uint16_t)random_below(MP_LIMIT_BUCKETS);
    REQUIRE(mp_sparse_find(&sparse, other, BYTES) == entries[other]);
    uint64_t *entry = mp_sparse_use(&sparse, bucket, BYTES);
    used += entries[bucket] == NULL;
    CHECK(!entries[bucket] || entry == entries[bucket]);
    CHECK_EQ(entry[2], values[bucket]);
    entries[bucket] = entry;
    entry[2] = ++values[bucket];
  }
  CHECK_EQ(sparse.count, used);
  uint64_t sum = 0;
  for (unsigned n = 0; n < sparse.count; n++)
    sum += ((const uint64_t *)mp_sparse_nth(&sparse, n, BYTES))[2];
  CHECK_EQ(sum, 20000);
  mp_sparse_close(&sparse);
}

int main(void)
{
  RUN(a_bucket_has_none_before_its_first_use);
  RUN(erasing_keeps_the_entries);
  RUN(it_agrees_with_a_table);
  return test_end();
}
