/* Reads mahimahi's packet-delivery traces: one whole number of milliseconds a line, not decreasing,
 * each an opportunity to deliver 1500 bytes. */
#ifndef MP_EMULATOR_TRACE_H
#define MP_EMULATOR_TRACE_H

#include "link.h"

#include <stddef.h>

/* Loads a trace; a file is read once and its numbers are kept until the process ends, so links may
 * share them. False with the reason in `why`. */
bool mp_trace_load(const char *path, struct mp_link_trace *trace, char *why, size_t why_size);

#endif
