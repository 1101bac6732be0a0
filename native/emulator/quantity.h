/* Quantities as people write them, in the units of link.h. Each returns false, and leaves its
 * result unspecified, for text that is not entirely such a quantity within its bounds. */
#ifndef MP_EMULATOR_QUANTITY_H
#define MP_EMULATOR_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#define MP_QUANTITY_RATE "Mbit/s from 0 to 100000, or with k, M or G behind it, or unlimited"
#define MP_QUANTITY_TIME "milliseconds up to an hour, or with us, ms or s behind it"
#define MP_QUANTITY_PERCENT "percent from 0 to 100"
#define MP_QUANTITY_QUEUE "a time above 0 (300ms, 1s), bytes above 0 (64000, 64k, 1M), or none"
#define MP_QUANTITY_COUNT "a whole number up to 1000000"

bool mp_read_rate(const char *text, uint64_t *bytes_per_s);
bool mp_read_time(const char *text, uint64_t *time_us);
bool mp_read_percent(const char *text, double *fraction);
/* A bare number is bytes here, and k is 1024 as in tc. One of the results is 0, both for `none`. */
bool mp_read_queue(const char *text, uint64_t *bytes, uint64_t *time_us);
bool mp_read_count(const char *text, uint32_t *count);
/* From 0 to 1000000, fractions too. */
bool mp_read_mean(const char *text, double *mean);

#endif
