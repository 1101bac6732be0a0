/* A link of any law, and one packet on it. */
#ifndef MP_TEST_LINK_FIXTURE_H
#define MP_TEST_LINK_FIXTURE_H

#include "link.h"
#include "test.h"

#include <stdlib.h>

#define MBIT (1000000u / 8u)
#define MS 1000u
#define S 1000000u
#define CAPACITY 4096u

__attribute__((unused)) static struct mp_link *open_link(struct mp_link_config config)
{
  struct mp_link *link = mp_link_open(&config, CAPACITY, 1, 0);
  if (link == NULL)
    abort();
  return link;
}

/* The arrival, or UINT64_MAX when the packet was not accepted. */
__attribute__((unused)) static uint64_t arrival(struct mp_link *link, uint32_t length_bytes, uint64_t now_us)
{
  struct mp_link_passage passage;
  return mp_link_send(link, length_bytes, now_us, &passage) == MP_LINK_ACCEPTED
           ? passage.arrival_us[0]
           : UINT64_MAX;
}

__attribute__((unused)) static enum mp_link_verdict verdict(struct mp_link *link,
                                                            uint32_t length_bytes, uint64_t now_us)
{
  struct mp_link_passage passage;
  return mp_link_send(link, length_bytes, now_us, &passage);
}

#endif
