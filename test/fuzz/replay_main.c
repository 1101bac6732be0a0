/* Drives a fuzz target without clang: every file of its corpus, then seeded mutations of them.
 *
 *   NAME_fuzz CORPUS_FOLDER [MUTATIONS [SEED]]
 *
 * The same seed gives the same inputs on every machine. An input that breaks the target is left
 * in crash-NAME.bin (the target is built with ASan and UBSan, which end the process), to be added
 * to the corpus once it is understood. Each corpus file counts as one test and the mutations as
 * one more. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../native/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Called by the sanitizers before the process ends: sanitizer/common_interface_defs.h. */
void __sanitizer_set_death_callback(void (*callback)(void));

enum {
  INPUT_LIMIT_BYTES = 65536, /* the largest datagram or GSO packet there is */
  CORPUS_LIMIT_FILES = 4096,
  MUTATIONS_DEFAULT = 20000, /* about a second a target under the sanitizers */
};

struct input {
  uint8_t *bytes;
  size_t size;
};

static struct input corpus[CORPUS_LIMIT_FILES];
static size_t corpus_count;
static struct input current;

static void keep_current_input(void)
{
  char name[256];
  snprintf(name, sizeof name, "crash-%s.bin", program_invocation_short_name);
  FILE *file = fopen(name, "wb");
  if (file) {
    fwrite(current.bytes, 1, current.size, file);
    fclose(file);
  }
  fprintf(stderr, "input of %zu bytes kept in %s\n", current.size, name);
}

/* Runs on an exact heap copy, so that ASan sees the first byte read past the end. */
static void run_target(const uint8_t *bytes, size_t size)
{
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy)
    abort();
  memcpy(copy, bytes, size);
  current = (struct input){ copy, size };
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
}

static void load_file(const char *folder, const char *name)
{
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  uint8_t *bytes = malloc(INPUT_LIMIT_BYTES);
  if (!file || !bytes || corpus_count == CORPUS_LIMIT_FILES) {
    fprintf(stderr, "cannot load %s: %s\n", path, file ? "corpus too large" : strerror(errno));
    exit(1);
  }
  size_t size = fread(bytes, 1, INPUT_LIMIT_BYTES, file);
  fclose(file);
  corpus[corpus_count++] = (struct input){ bytes, size };
}

/* Numbers that sit at the edges of lengths, sequence spaces and signedness. */
static const uint64_t edges[] = { 0,      1,      0x7f,       0x80,       0xff,
                                  0x7fff, 0x8000, 0xffff,     0x7fffffff, 0x80000000,
                                  0xffffffff,     UINT64_MAX, INT64_MAX };

/* One change of the kinds that find length, offset and wrap-around faults. Returns the new size. */
static size_t mutate(uint8_t *bytes, size_t size)
{
  size_t at = size ? random_below(size) : 0;
  switch (random_below(6)) {
  case 0:
    if (size)
      bytes[at] ^= (uint8_t)(1u << random_below(8));
    return size;
  case 1:
    if (size)
      bytes[at] = (uint8_t)random_next();
    return size;
  case 2: /* truncate */
    return at;
  case 3: { /* extend */
    size_t more = 1 + random_below(64);
    for (size_t i = 0; i < more && size < INPUT_LIMIT_BYTES; i++)
      bytes[size++] = (uint8_t)random_next();
    return size;
  }
  case 4: { /* overwrite with an edge value, little-endian */
    uint64_t edge = edges[random_below(sizeof edges / sizeof edges[0])];
    size_t width = (size_t)1 << random_below(4);
    for (size_t i = 0; i < width && at + i < size; i++)
      bytes[at + i] = (uint8_t)(edge >> (8 * i));
    return size;
  }
  default: { /* splice the head of this input to the tail of another */
    const struct input *other = &corpus[random_below(corpus_count)];
    size_t from = other->size ? random_below(other->size) : 0;
    size_t tail = other->size - from;
    if (tail > INPUT_LIMIT_BYTES - at)
      tail = INPUT_LIMIT_BYTES - at;
    memcpy(bytes + at, other->bytes + from, tail);
    return at + tail;
  }
  }
}

static void run_mutations(uint64_t count)
{
  static uint8_t bytes[INPUT_LIMIT_BYTES];
  for (uint64_t i = 0; i < count; i++) {
    const struct input *parent = &corpus[random_below(corpus_count)];
    size_t size = parent->size;
    memcpy(bytes, parent->bytes, size);
    for (size_t changes = 1 + random_below(4); changes > 0; changes--)
      size = mutate(bytes, size);
    run_target(bytes, size);
  }
}

static int is_visible(const struct dirent *entry)
{
  return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
  if (argc < 2) {
    fprintf(stderr, "usage: %s CORPUS_FOLDER [MUTATIONS [SEED]]\n", argv[0]);
    return 1;
  }
  uint64_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
  random_state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;

  struct dirent **entries;
  int count = scandir(argv[1], &entries, is_visible, alphasort);
  if (count <= 0) {
    fprintf(stderr, "no corpus in %s: %s\n", argv[1], count ? strerror(errno) : "no files");
    return 1;
  }
  for (int i = 0; i < count; i++) {
    load_file(argv[1], entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);

  __sanitizer_set_death_callback(keep_current_input);
  for (size_t i = 0; i < corpus_count; i++)
    run_target(corpus[i].bytes, corpus[i].size);
  run_target((const uint8_t *)"", 0);
  run_mutations(mutations);
  printf("# %zu corpus files, %" PRIu64 " mutations\n", corpus_count, mutations);
  for (size_t i = 0; i < corpus_count; i++)
    free(corpus[i].bytes);
  printf("%zu passed, 0 failed, 0 skipped\n", corpus_count + 1);
  return 0;
}
