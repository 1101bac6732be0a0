/* A link in words: `name=dsl,rate=20,delay=15,loss=0.5,queue=300ms,down.rate=50`.
 *
 * People's units stay here: Mbit/s, ms and percent become the bytes/s, microseconds and fractions
 * of link.h. A key holds for both directions unless `up.` (from side a to side b) or `down.` stands
 * before it; of two words for the same thing the later one counts. */
#ifndef MP_EMULATOR_DESCRIBE_H
#define MP_EMULATOR_DESCRIBE_H

#include "link.h"

#include <stddef.h>

enum mp_direction { MP_DIRECTION_UP, MP_DIRECTION_DOWN, MP_DIRECTIONS };
enum mp_side { MP_SIDE_A, MP_SIDE_B, MP_SIDES };

enum {
  MP_NAME_SIZE = 64,
  MP_DEVICE_NAME_SIZE = 16, /* IFNAMSIZ */
  MP_COMPLAINT_SIZE = 1024,
  MP_MTU_MAX_BYTES = 9216,
};

struct mp_description {
  char name[MP_NAME_SIZE];
  char namespace[MP_SIDES][MP_NAME_SIZE]; /* as in `ip netns`; empty: not given */
  char device[MP_SIDES][MP_DEVICE_NAME_SIZE];
  uint32_t mtu_bytes;
  struct mp_link_config config[MP_DIRECTIONS];
};

/* What holds before the first word: a perfect wire of MTU 1500 whose queue, should it get a rate,
 * is 200 ms. */
struct mp_description mp_description_default(void);

/* Reads `text` over what `description` says already. A running link takes only what can change
 * while it runs. False: nothing changed, and `complaint` names the key, what was found and what is
 * accepted. */
bool mp_description_read(struct mp_description *description, const char *text, bool running,
                         char complaint[MP_COMPLAINT_SIZE]);

#endif
