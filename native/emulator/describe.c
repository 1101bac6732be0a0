#include "describe.h"

#include "quantity.h"
#include "trace.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
  TEXT_SIZE = 4096,
  DEFAULT_MTU_BYTES = 1500,
  DEFAULT_QUEUE_US = 200000, /* chosen: a round trip of the longest paths on which TCP is at home */
};

static bool read_rate(struct mp_link_config *config, const char *value)
{
  config->trace = (struct mp_link_trace){0};
  return mp_read_rate(value, &config->rate_bytes_per_s);
}

static bool read_trace(struct mp_link_config *config, const char *value, char *why)
{
  config->trace = (struct mp_link_trace){0};
  return strcmp(value, "none") == 0 || mp_trace_load(value, &config->trace, why, MP_COMPLAINT_SIZE);
}

static bool read_delay(struct mp_link_config *config, const char *value)
{
  return mp_read_time(value, &config->delay_us);
}

static bool read_jitter(struct mp_link_config *config, const char *value)
{
  return mp_read_time(value, &config->jitter_us);
}

static bool read_distribution(struct mp_link_config *config, const char *value)
{
  bool uniform = strcmp(value, "uniform") == 0;
  config->jitter_law = uniform ? MP_LINK_JITTER_UNIFORM : MP_LINK_JITTER_NORMAL;
  return uniform || strcmp(value, "normal") == 0;
}

static bool read_loss(struct mp_link_config *config, const char *value)
{
  return mp_read_percent(value, &config->loss);
}

static bool read_burst(struct mp_link_config *config, const char *value)
{
  return mp_read_mean(value, &config->loss_burst);
}

static bool read_duplicate(struct mp_link_config *config, const char *value)
{
  return mp_read_percent(value, &config->duplicate);
}

static bool read_queue(struct mp_link_config *config, const char *value)
{
  return mp_read_queue(value, &config->queue_bytes, &config->queue_us);
}

static bool read_limit(struct mp_link_config *config, const char *value)
{
  config->limit_packets = 0;
  return strcmp(value, "none") == 0 || mp_read_count(value, &config->limit_packets);
}

static bool read_overhead(struct mp_link_config *config, const char *value)
{
  return mp_read_count(value, &config->overhead_bytes);
}

/* Words that a direction understands. A file has its own ways to be wrong and tells them. */
static const struct direction_key {
  const char *name;
  const char *accepted;
  bool (*read)(struct mp_link_config *config, const char *value);
  bool (*read_file)(struct mp_link_config *config, const char *value, char *why);
} direction_keys[] = {
  {"rate", MP_QUANTITY_RATE, read_rate, NULL},
  {"trace", "a mahimahi trace file, or none", NULL, read_trace},
  {"delay", MP_QUANTITY_TIME, read_delay, NULL},
  {"jitter", MP_QUANTITY_TIME, read_jitter, NULL},
  {"dist", "normal or uniform", read_distribution, NULL},
  {"loss", MP_QUANTITY_PERCENT, read_loss, NULL},
  {"burst", "the mean number of packets lost in a row, up to 1000000", read_burst, NULL},
  {"duplicate", MP_QUANTITY_PERCENT, read_duplicate, NULL},
  {"queue", MP_QUANTITY_QUEUE, read_queue, NULL},
  {"limit", MP_QUANTITY_COUNT " of packets, or none", read_limit, NULL},
  {"overhead", MP_QUANTITY_COUNT " of bytes", read_overhead, NULL},
};

static bool copy_word(char *to, size_t size, const char *value)
{
  size_t length = strlen(value);
  for (size_t i = 0; i < length; i++)
    if (!isalnum((unsigned char)value[i]) && strchr("_-.", value[i]) == NULL)
      return false;
  if (length == 0 || length >= size)
    return false;
  memcpy(to, value, length + 1);
  return true;
}

static bool read_name(struct mp_description *description, const char *value)
{
  return copy_word(description->name, MP_NAME_SIZE, value);
}

static bool read_namespace_a(struct mp_description *description, const char *value)
{
  return copy_word(description->namespace[MP_SIDE_A], MP_NAME_SIZE, value);
}

static bool read_namespace_b(struct mp_description *description, const char *value)
{
  return copy_word(description->namespace[MP_SIDE_B], MP_NAME_SIZE, value);
}

static bool read_device_a(struct mp_description *description, const char *value)
{
  return copy_word(description->device[MP_SIDE_A], MP_DEVICE_NAME_SIZE, value);
}

static bool read_device_b(struct mp_description *description, const char *value)
{
  return copy_word(description->device[MP_SIDE_B], MP_DEVICE_NAME_SIZE, value);
}

static bool read_mtu(struct mp_description *description, const char *value)
{
  uint32_t *mtu_bytes = &description->mtu_bytes;
  return mp_read_count(value, mtu_bytes) && *mtu_bytes >= 68 && *mtu_bytes <= MP_MTU_MAX_BYTES;
}

/* Words for the link as a whole, settled when it is made. */
static const struct link_key {
  const char *name;
  const char *accepted;
  bool (*read)(struct mp_description *description, const char *value);
} link_keys[] = {
  {"name", "up to 63 letters, digits and _-.", read_name},
  {"a", "a network namespace's name", read_namespace_a},
  {"b", "a network namespace's name", read_namespace_b},
  {"dev-a", "a device name of up to 15 letters, digits and _-.", read_device_a},
  {"dev-b", "a device name of up to 15 letters, digits and _-.", read_device_b},
  {"mtu", "bytes from 68 to 9216", read_mtu},
};

enum {
  DIRECTION_KEYS = sizeof direction_keys / sizeof *direction_keys,
  LINK_KEYS = sizeof link_keys / sizeof *link_keys,
};

static size_t edit_distance(const char *a, const char *b)
{
  size_t row[16];
  size_t width = strnlen(b, 15);
  for (size_t j = 0; j <= width; j++)
    row[j] = j;
  for (size_t i = 0; a[i] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < width; j++) {
      size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      size_t edge = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
      row[j + 1] = change < edge ? change : edge;
    }
  }
  return row[width];
}

static bool complain_of_key(const char *key, char *complaint)
{
  const char *nearest = "";
  size_t nearest_distance = 3;
  char accepted[256] = "";
  for (int i = 0; i < LINK_KEYS + DIRECTION_KEYS; i++) {
    const char *name = i < LINK_KEYS ? link_keys[i].name : direction_keys[i - LINK_KEYS].name;
    size_t distance = edit_distance(key, name);
    if (distance < nearest_distance && distance < strlen(name)) {
      nearest = name;
      nearest_distance = distance;
    }
    strncat(accepted, name, sizeof accepted - strlen(accepted) - 1);
    strncat(accepted, ", ", sizeof accepted - strlen(accepted) - 1);
  }
  bool guessed = *nearest != '\0';
  snprintf(complaint, MP_COMPLAINT_SIZE, "unknown key \"%.60s\"%s%s%s; accepted: %sup, down", key,
           guessed ? ", did you mean \"" : "", nearest, guessed ? "\"?" : "", accepted);
  return false;
}

static bool complain_of_value(const char *key, const char *value, const char *accepted,
                              char *complaint)
{
  snprintf(complaint, MP_COMPLAINT_SIZE, "%.60s: found \"%.120s\", accepted: %s", key,
           value != NULL ? value : "", accepted);
  return false;
}

/* Which directions a key is for; returns it without its prefix. */
static const char *split_prefix(const char *key, bool wanted[MP_DIRECTIONS])
{
  wanted[MP_DIRECTION_UP] = strncmp(key, "down.", 5) != 0;
  wanted[MP_DIRECTION_DOWN] = strncmp(key, "up.", 3) != 0;
  if (!wanted[MP_DIRECTION_UP])
    return key + 5;
  return wanted[MP_DIRECTION_DOWN] ? key : key + 3;
}

static bool read_direction_word(struct mp_link_config *config, const char *name, const char *key,
                                const char *value, char *complaint)
{
  if (strcmp(name, "up") == 0 || strcmp(name, "down") == 0) {
    config->down = strcmp(name, "down") == 0;
    return value == NULL || complain_of_value(key, value, "the bare word", complaint);
  }
  for (const struct direction_key *known = direction_keys; known < direction_keys + DIRECTION_KEYS;
       known++) {
    if (strcmp(known->name, name) != 0)
      continue;
    char why[MP_COMPLAINT_SIZE] = "";
    bool is_read = value != NULL && (known->read != NULL ? known->read(config, value)
                                                         : known->read_file(config, value, why));
    return is_read ||
           complain_of_value(key, value, why[0] != '\0' ? why : known->accepted, complaint);
  }
  return complain_of_key(name, complaint);
}

static bool read_word(struct mp_description *description, char *word, bool running,
                      char *complaint)
{
  char *value = strchr(word, '=');
  if (value != NULL)
    *value++ = '\0';
  for (const struct link_key *known = link_keys; known < link_keys + LINK_KEYS; known++) {
    if (strcmp(known->name, word) != 0)
      continue;
    if (running)
      return complain_of_value(word, value, "no change while the link runs", complaint);
    return (value != NULL && known->read(description, value)) ||
           complain_of_value(word, value, known->accepted, complaint);
  }

  bool wanted[MP_DIRECTIONS];
  const char *name = split_prefix(word, wanted);
  for (int direction = 0; direction < MP_DIRECTIONS; direction++)
    if (wanted[direction] &&
        !read_direction_word(&description->config[direction], name, word, value, complaint))
      return false;
  return true;
}

struct mp_description mp_description_default(void)
{
  struct mp_description description = {.mtu_bytes = DEFAULT_MTU_BYTES};
  for (int direction = 0; direction < MP_DIRECTIONS; direction++)
    description.config[direction].queue_us = DEFAULT_QUEUE_US;
  return description;
}

bool mp_description_read(struct mp_description *description, const char *text, bool running,
                         char complaint[MP_COMPLAINT_SIZE])
{
  char words[TEXT_SIZE];
  if (snprintf(words, sizeof words, "%s", text) >= (int)sizeof words) {
    snprintf(complaint, MP_COMPLAINT_SIZE, "description: found %zu bytes, accepted: up to %zu",
             strlen(text), sizeof words - 1);
    return false;
  }
  struct mp_description read = *description;
  char *rest = words;
  for (char *word; (word = strsep(&rest, ",")) != NULL;)
    if (*word != '\0' && !read_word(&read, word, running, complaint))
      return false;

  /* Each number is within its own bounds by now; these two also bound each other. */
  for (int direction = 0; direction < MP_DIRECTIONS; direction++) {
    const struct mp_link_config *config = &read.config[direction];
    if (!mp_link_config_is_valid(config)) {
      snprintf(complaint, MP_COMPLAINT_SIZE,
               "loss: found %g percent in bursts of %g, accepted: at most %g percent so bursty",
               config->loss * 100, config->loss_burst,
               100 * config->loss_burst / (config->loss_burst + 1));
      return false;
    }
  }
  *description = read;
  return true;
}
