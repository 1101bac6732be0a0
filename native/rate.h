/* Rates, in bytes a second: what a flow sends beside what a path carries, or what it sent before. */
#ifndef MP_RATE_H
#define MP_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Five sixths: of a path's octets headers and tags are a tenth. */
static inline bool mp_rate_is_nearly(uint64_t rate, uint64_t all) { return rate >= all / 6 * 5; }

#endif
