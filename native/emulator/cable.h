/* An emulated link as a whole: two devices, and a carrier in each direction between them. */
#ifndef MP_EMULATOR_CABLE_H
#define MP_EMULATOR_CABLE_H

#include "carrier.h"
#include "describe.h"
#include "device.h"

struct mp_cable {
  struct mp_description description;
  struct mp_device devices[MP_SIDES];
  struct mp_carrier carriers[MP_DIRECTIONS];
};

/* Makes both devices and starts the link. The cable stays where it is: its carriers point into it.
 * False with the reason in `complaint`, and nothing is left behind. */
bool mp_cable_open(struct mp_cable *cable, const struct mp_description *description, uint64_t seed,
                   char complaint[MP_COMPLAINT_SIZE]);
void mp_cable_close(struct mp_cable *cable);

/* Reads more words into the description and obeys them. False: nothing changed. */
bool mp_cable_set(struct mp_cable *cable, const char *text, char complaint[MP_COMPLAINT_SIZE]);

/* Makes a side's device again after it was unplugged; nothing to do when it is there. */
bool mp_cable_plug(struct mp_cable *cable, enum mp_side side, char complaint[MP_COMPLAINT_SIZE]);

#endif
