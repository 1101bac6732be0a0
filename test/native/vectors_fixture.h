/* Reads a file of test/vectors that has one vector a line, flat and without escapes, so that no JSON parser
 * is needed. Its tests run from the root of the repository. */
#ifndef MP_TEST_VECTORS_FIXTURE_H
#define MP_TEST_VECTORS_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTOR_LINE_BYTES = 32768 };

/* The text behind "name": in a line, without a leading quotation mark. */
static inline const char *value_of(const char *line, const char *name)
{
  char pattern[32];
  snprintf(pattern, sizeof pattern, "\"%s\":", name);
  const char *found = strstr(line, pattern);
  if (!found) {
    fprintf(stderr, "test/vectors: no %s in %.60s\n", name, line);
    exit(1);
  }
  found += strlen(pattern);
  return *found == '"' ? found + 1 : found;
}

static inline uint64_t number_of(const char *line, const char *name)
{
  return strtoull(value_of(line, name), NULL, 10);
}

static inline size_t octets_of(const char *line, const char *name, uint8_t *out, size_t room)
{
  const char *text = value_of(line, name);
  size_t count = 0;
  for (; count < room && text[2 * count] != '"'; count++) {
    const char digits[3] = {text[2 * count], text[2 * count + 1], 0};
    out[count] = (uint8_t)strtoul(digits, NULL, 16);
  }
  return count;
}

static inline void vectors_read(const char *path, void (*read_vector)(const char *line))
{
  static char line[VECTOR_LINE_BYTES];
  FILE *file = fopen(path, "r");
  if (!file) {
    perror(path);
    exit(1);
  }
  while (fgets(line, sizeof line, file))
    if (strstr(line, "\"name\":"))
      read_vector(line);
  fclose(file);
}

#endif
