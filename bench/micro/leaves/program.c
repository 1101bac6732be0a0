/* The leaves under callgrind: each runs twice, of which the second counts, because the first finds
 * pools and tables empty. callgrind writes one profile for each run, in this order; here go the
 * names, and how many packets a run handled. Sealing is left out: OpenSSL takes another way on every
 * processor, and its instructions are not ours. */
#include <dlfcn.h>
#include <stdio.h>

#include "leaf.h"

static const struct leaf *const counted_leaves[] = {
    classify_leaves, headers_leaves,  order_leaves, queue_leaves, offload_leaves,
    corridor_leaves, way_leaves,      clients_leaves, NULL};

/* callgrind collects in here and writes a profile at its end. */
__attribute__((noinline, noclone)) static unsigned counted(const struct leaf *leaf)
{
  const unsigned packets = leaf->run();
  KEEP(packets); /* no tail call */
  return packets;
}

int main(void)
{
  /* The corridors have a session before they have no sealing. */
  if (!dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL)) {
    fprintf(stderr, "libcrypto.so.3 is missing: apt-get install libssl3\n");
    return 2;
  }
  leaf_sealing = &leaf_no_sealing;
  for (const struct leaf *const *group = counted_leaves; *group; group++) {
    for (const struct leaf *leaf = *group; leaf->name; leaf++) {
      if (!leaf->open()) {
        fprintf(stderr, "%s cannot be opened\n", leaf->name);
        return 2;
      }
      unsigned packets = 0;
      for (int round = 0; round < 2; round++) {
        if (leaf->prepare)
          leaf->prepare();
        packets = counted(leaf);
      }
      if (leaf->close)
        leaf->close();
      printf("%u %s\n", packets, leaf->name);
    }
  }
  return 0;
}
