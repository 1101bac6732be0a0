#include "command.h"

#include <inttypes.h>
#include <string.h>

static void answer_error(FILE *answers, const char *error)
{
  fputs("{\"ok\":false,\"error\":\"", answers);
  for (const char *at = error; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\')
      fputc('\\', answers);
    if ((unsigned char)*at >= ' ')
      fputc(*at, answers);
  }
  fputs("\"}\n", answers);
}

static void write_direction(FILE *answers, struct mp_carrier *carrier, uint64_t now_us)
{
  const struct mp_link_counters *law = mp_link_counters_of(carrier->link);
  const struct mp_carrier_counters *own = &carrier->counters;
  const struct {
    const char *name;
    uint64_t value;
  } fields[] = {
    {"offeredPackets", law->offered_packets},
    {"offeredBytes", law->offered_bytes},
    {"acceptedPackets", law->accepted_packets},
    {"acceptedBytes", law->accepted_bytes},
    {"lostPackets", law->lost_packets},
    {"fullPackets", law->full_packets},
    {"refusedPackets", law->refused_packets},
    {"copiedPackets", law->copied_packets},
    {"cutPackets", law->cut_packets},
    {"deliveredPackets", own->delivered_packets},
    {"deliveredBytes", own->delivered_bytes},
    {"undeliverablePackets", own->undeliverable_packets},
    {"overflowPackets", own->overflow_packets},
    {"backlogBytes", mp_link_backlog_bytes(carrier->link, now_us)},
    {"inflictedUs", mp_link_inflicted_us(carrier->link, now_us)},
    {"inFlightPackets", mp_link_in_flight_packets(carrier->link, now_us)},
    {"latePackets", own->late_packets},
    {"lateMaxUs", own->late_max_us},
  };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    fprintf(answers, "%c\"%s\":%" PRIu64, i == 0 ? '{' : ',', fields[i].name, fields[i].value);
  fputc('}', answers);
}

/* lateMaxUs is since the last time it was told, all else since the start. */
static void answer_stats(FILE *answers, struct mp_cable *cables, size_t cable_count)
{
  uint64_t now_us = mp_now_us();
  fprintf(answers, "{\"ok\":true,\"timeUs\":%" PRIu64 ",\"links\":[", now_us);
  for (size_t i = 0; i < cable_count; i++) {
    struct mp_carrier *carriers = cables[i].carriers;
    fprintf(answers, "%s{\"name\":\"%s\",\"up\":", i == 0 ? "" : ",", cables[i].description.name);
    write_direction(answers, &carriers[MP_DIRECTION_UP], now_us);
    fputs(",\"down\":", answers);
    write_direction(answers, &carriers[MP_DIRECTION_DOWN], now_us);
    fputc('}', answers);
    for (int direction = 0; direction < MP_DIRECTIONS; direction++)
      carriers[direction].counters.late_max_us = 0;
  }
  fputs("]}\n", answers);
}

static bool complain(char *complaint, const char *what, const char *found, const char *accepted)
{
  snprintf(complaint, MP_COMPLAINT_SIZE, "%s: found \"%.60s\", accepted: %s", what, found,
           accepted);
  return false;
}

static struct mp_cable *find_cable(struct mp_cable *cables, size_t cable_count, const char *name,
                                   char *complaint)
{
  char names[256] = "";
  for (size_t i = 0; i < cable_count; i++) {
    const char *known = cables[i].description.name;
    if (strcmp(known, name) == 0)
      return &cables[i];
    if (strlen(names) + strlen(known) + 3 < sizeof names)
      snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i == 0 ? "" : ", ",
               known);
  }
  complain(complaint, "link", name, names);
  return NULL;
}

static bool obey_plug(struct mp_cable *cable, bool plug, const char *side_name, char *complaint)
{
  if (strcmp(side_name, "a") != 0 && strcmp(side_name, "b") != 0)
    return complain(complaint, "side", side_name, "a or b");
  enum mp_side side = side_name[0] == 'a' ? MP_SIDE_A : MP_SIDE_B;
  if (plug)
    return mp_cable_plug(cable, side, complaint);
  mp_device_unplug(&cable->devices[side]);
  return true;
}

static bool obey(struct mp_cable *cable, const char *verb, const char *rest, char *complaint)
{
  bool is_switch = strcmp(verb, "up") == 0 || strcmp(verb, "down") == 0;
  bool is_plug = strcmp(verb, "plug") == 0;
  if (is_switch && rest[0] != '\0')
    return complain(complaint, verb, rest, "the name of a link and nothing behind it");
  if (is_switch)
    return mp_cable_set(cable, verb, complaint);
  if (is_plug || strcmp(verb, "unplug") == 0)
    return obey_plug(cable, is_plug, rest, complaint);
  return mp_cable_set(cable, rest, complaint);
}

static bool is_verb(const char *verb)
{
  static const char *const verbs[] = {"set", "down", "up", "unplug", "plug"};
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(verbs[i], verb) == 0)
      return true;
  return false;
}

void mp_command_run(char *line, struct mp_cable *cables, size_t cable_count, FILE *answers)
{
  const char *verb = strsep(&line, " ");
  const char *name = line != NULL ? strsep(&line, " ") : "";
  const char *rest = line != NULL ? line : "";
  char complaint[MP_COMPLAINT_SIZE] = "";

  if (strcmp(verb, "stats") == 0) {
    answer_stats(answers, cables, cable_count);
    return;
  }
  if (!is_verb(verb)) {
    complain(complaint, "command", verb, "set, down, up, unplug, plug, stats");
  } else {
    struct mp_cable *cable = find_cable(cables, cable_count, name, complaint);
    if (cable != NULL && obey(cable, verb, rest, complaint)) {
      fputs("{\"ok\":true}\n", answers);
      return;
    }
  }
  answer_error(answers, complaint);
}
