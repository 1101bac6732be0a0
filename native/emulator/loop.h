/* The event loop: carries packets and obeys commands until its input ends or a signal comes. */
#ifndef MP_EMULATOR_LOOP_H
#define MP_EMULATOR_LOOP_H

#include "cable.h"

/* Writes `ready` to standard output once it carries. Returns after the end of standard input,
 * SIGTERM or SIGINT; false with the reason in `complaint` when a system call failed. */
bool mp_loop_run(struct mp_cable *cables, size_t cable_count, char complaint[MP_COMPLAINT_SIZE]);

#endif
