#include "quantity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TIME_US 3600e6
#define MAX_RATE_BYTES_PER_S 12.5e9
#define MAX_QUEUE_BYTES 1e12
#define MAX_COUNT 1e6

struct unit {
  const char *suffix;
  double factor;
};

/* The last entry has no suffix. */
static const struct unit rate_units[] = {{"", 125e3}, {"M", 125e3}, {"k", 125}, {"G", 125e6}, {0}};
static const struct unit time_units[] = {{"", 1e3}, {"ms", 1e3}, {"us", 1}, {"s", 1e6}, {0}};
static const struct unit queue_time_units[] = {{"ms", 1e3}, {"us", 1}, {"s", 1e6}, {0}};
static const struct unit size_units[] = {{"", 1}, {"k", 1024}, {"M", 1048576}, {0}};
static const struct unit percent_units[] = {{"", 0.01}, {"%", 0.01}, {0}};
static const struct unit plain_units[] = {{"", 1}, {0}};

/* A decimal number with one of the suffixes, which scales it. */
static bool read_number(const char *text, const struct unit *units, double highest, double *number)
{
  size_t digits = strspn(text, "0123456789.");
  char *end;
  double found = strtod(text, &end);
  if (digits == 0 || end != text + digits)
    return false;
  for (const struct unit *unit = units; unit->suffix != NULL; unit++) {
    if (strcmp(end, unit->suffix) == 0) {
      *number = found * unit->factor;
      return *number <= highest;
    }
  }
  return false;
}

bool mp_read_rate(const char *text, uint64_t *bytes_per_s)
{
  double number = 0;
  if (strcmp(text, "unlimited") != 0 &&
      !read_number(text, rate_units, MAX_RATE_BYTES_PER_S, &number))
    return false;
  *bytes_per_s = (uint64_t)llround(number);
  return number == 0 || *bytes_per_s > 0;
}

bool mp_read_time(const char *text, uint64_t *time_us)
{
  double number;
  if (!read_number(text, time_units, MAX_TIME_US, &number))
    return false;
  *time_us = (uint64_t)llround(number);
  return true;
}

bool mp_read_percent(const char *text, double *fraction)
{
  return read_number(text, percent_units, 1.0, fraction);
}

bool mp_read_queue(const char *text, uint64_t *bytes, uint64_t *time_us)
{
  double number;
  *bytes = *time_us = 0;
  if (strcmp(text, "none") == 0)
    return true;
  if (read_number(text, queue_time_units, MAX_TIME_US, &number))
    *time_us = (uint64_t)llround(number);
  else if (read_number(text, size_units, MAX_QUEUE_BYTES, &number))
    *bytes = (uint64_t)llround(number);
  return *bytes > 0 || *time_us > 0;
}

bool mp_read_count(const char *text, uint32_t *count)
{
  double number;
  if (!read_number(text, plain_units, MAX_COUNT, &number) || number != floor(number))
    return false;
  *count = (uint32_t)number;
  return true;
}

bool mp_read_mean(const char *text, double *mean)
{
  return read_number(text, plain_units, MAX_COUNT, mean);
}
