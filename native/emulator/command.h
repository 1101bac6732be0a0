/* The commands on standard input, one a line, each answered by one line of JSON:
 *
 *   set NAME DESCRIPTION   down NAME   up NAME   unplug NAME a|b   plug NAME a|b   stats
 *
 * {"ok":true}, with the counters of every link after `stats`, or {"ok":false,"error":"..."}. */
#ifndef MP_EMULATOR_COMMAND_H
#define MP_EMULATOR_COMMAND_H

#include "cable.h"

#include <stdio.h>

/* Carries out one line (without its end, taken apart on the way) and writes the answer. */
void mp_command_run(char *line, struct mp_cable *cables, size_t cable_count, FILE *answers);

#endif
