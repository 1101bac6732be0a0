#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hours at a gigabit; more is not a trace. */
#define MAX_OPPORTUNITIES 100000000u

struct loaded {
  struct loaded *next;
  char *path;
  struct mp_link_trace trace;
};

static struct loaded *all_loaded;

/* Appends the file's numbers; the line of the first that is none, or 0. */
static size_t read_lines(FILE *file, uint32_t **numbers, uint32_t *count)
{
  char line[64];
  uint32_t room = 0;
  for (size_t number = 1; fgets(line, sizeof line, file) != NULL; number++) {
    size_t digits = strspn(line, "0123456789");
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '\0')
      continue;
    if (digits == 0 || digits > 9 || line[digits] != '\0' || *count == MAX_OPPORTUNITIES)
      return number;
    if (*count == room) {
      room = room > 0 ? room * 2 : 1024;
      uint32_t *more = realloc(*numbers, room * sizeof **numbers);
      if (more == NULL)
        return number;
      *numbers = more;
    }
    uint32_t ms = (uint32_t)strtoul(line, NULL, 10);
    if (*count > 0 && ms < (*numbers)[*count - 1])
      return number;
    (*numbers)[(*count)++] = ms;
  }
  return 0;
}

static bool read_file(const char *path, struct mp_link_trace *trace, char *why, size_t why_size)
{
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    snprintf(why, why_size, "a readable trace file, this one: %s", strerror(errno));
    return false;
  }
  uint32_t *numbers = NULL;
  uint32_t count = 0;
  size_t bad_line = read_lines(file, &numbers, &count);
  bool failed = ferror(file);
  fclose(file);
  if (failed || bad_line > 0 || count == 0 || numbers[count - 1] == 0) {
    snprintf(why, why_size,
             "a file of milliseconds, one whole number a line, not decreasing, the last above 0; "
             "see its line %zu",
             bad_line > 0 ? bad_line : (size_t)count);
    free(numbers);
    return false;
  }
  *trace = (struct mp_link_trace){.opportunity_ms = numbers, .count = count};
  return true;
}

bool mp_trace_load(const char *path, struct mp_link_trace *trace, char *why, size_t why_size)
{
  for (const struct loaded *known = all_loaded; known != NULL; known = known->next) {
    if (strcmp(known->path, path) == 0) {
      *trace = known->trace;
      return true;
    }
  }
  struct mp_link_trace read;
  if (!read_file(path, &read, why, why_size))
    return false;
  struct loaded *entry = malloc(sizeof *entry);
  char *copy = strdup(path);
  if (entry == NULL || copy == NULL) {
    snprintf(why, why_size, "as many traces as memory holds");
    free(entry);
    free(copy);
    free((void *)read.opportunity_ms);
    return false;
  }
  *entry = (struct loaded){.next = all_loaded, .path = copy, .trace = read};
  all_loaded = entry;
  *trace = read;
  return true;
}
