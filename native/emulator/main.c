/* mptun-emulator: joins network namespaces by emulated links. */
#define _GNU_SOURCE
#include "cable.h"
#include "loop.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINKS = 64 };

/* As in the tool this is built for: the user's input was refused, the system failed. */
enum exit_code { EXIT_DONE, EXIT_REFUSED, EXIT_FAILED };

static const char usage[] =
  "usage: mptun-emulator [--side-a NS] [--side-b NS] [--seed N] --link DESCRIPTION ...\n"
  "\n"
  "Joins two network namespaces by emulated links: a TUN device on each side for each link.\n"
  "Prints `ready`, then obeys commands on standard input, each answered by a line of JSON:\n"
  "  set NAME DESCRIPTION | down NAME | up NAME | unplug NAME a|b | plug NAME a|b | stats\n"
  "Ends, and takes its devices along, at the end of standard input, on SIGTERM or SIGINT.\n"
  "\n"
  "  --side-a NS, --side-b NS   namespaces of links that name none (as in `ip netns`);\n"
  "                             the caller's own when not given\n"
  "  --seed N                   of all chance; the same seed repeats a run (1)\n"
  "  --link DESCRIPTION         words with commas between them:\n"
  "\n"
  "  name=NAME                  needed, and different for each link\n"
  "  a=NS  b=NS                 this link's namespaces\n"
  "  dev-a=DEV  dev-b=DEV       its devices (NAME0 and NAME1)\n"
  "  mtu=BYTES                  of both devices (1500)\n"
  "  rate=MBIT                  Mbit/s; 0 is unlimited (0)\n"
  "  trace=FILE                 a mahimahi trace in place of a rate\n"
  "  delay=MS  jitter=MS        one way; the law is netem's, so order is kept (0)\n"
  "  dist=normal|uniform        of the jitter (normal)\n"
  "  loss=PERCENT  burst=N      mean loss, and how many in a row on average (0, 1)\n"
  "  duplicate=PERCENT          (0)\n"
  "  queue=TIME|BYTES|none      drop-tail, of what waits for the rate: 300ms, 64k (200ms)\n"
  "  limit=PACKETS|none         of all under way, the delay line too: netem's limit (none)\n"
  "  overhead=BYTES             added to each packet: 14 for Ethernet (0)\n"
  "  down                       starts cut\n"
  "\n"
  "`up.` (from a to b) or `down.` before a word limits it to one direction: down.rate=50.\n";

struct options {
  const char *side[MP_SIDES];
  uint64_t seed;
  const char *links[MAX_LINKS];
  size_t link_count;
};

static int refuse(const char *what, const char *why)
{
  fprintf(stderr, "mptun-emulator: %s: %s\n", what, why);
  return EXIT_REFUSED;
}

/* EXIT_DONE: go on. */
static int read_options(int argc, char **argv, struct options *options)
{
  static const struct option known[] = {{"side-a", required_argument, NULL, 'a'},
                                        {"side-b", required_argument, NULL, 'b'},
                                        {"seed", required_argument, NULL, 's'},
                                        {"link", required_argument, NULL, 'l'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
  char *end;
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    switch (option) {
    case 'a':
    case 'b':
      options->side[option - 'a'] = optarg;
      break;
    case 's':
      options->seed = strtoull(optarg, &end, 10);
      if (end == optarg || *end != '\0')
        return refuse("--seed", "accepted: a whole number");
      break;
    case 'l':
      if (options->link_count == MAX_LINKS)
        return refuse("--link", "accepted: up to 64 of them");
      options->links[options->link_count++] = optarg;
      break;
    case 'h':
      fputs(usage, stdout);
      exit(EXIT_DONE);
    default:
      return EXIT_REFUSED; /* getopt has said why */
    }
  }
  if (optind < argc)
    return refuse(argv[optind], "accepted: options only, see --help");
  if (options->link_count == 0)
    return refuse("--link", "none given, needed: at least one, see --help");
  return EXIT_DONE;
}

static bool name_device(char *device, const char *name, int side)
{
  if (device[0] != '\0')
    return true;
  const size_t length = strlen(name);
  if (length + sizeof "0" > MP_DEVICE_NAME_SIZE)
    return false;
  memcpy(device, name, length);
  device[length] = (char)('0' + side);
  device[length + 1] = '\0';
  return true;
}

static bool name_namespace(char *namespace, const char *side)
{
  return namespace[0] != '\0' || side == NULL ||
         snprintf(namespace, MP_NAME_SIZE, "%s", side) < MP_NAME_SIZE;
}

/* Reads a --link and fills in what it left to the other options. */
static bool describe(const struct options *options, size_t index,
                     struct mp_description *descriptions, char *complaint)
{
  struct mp_description *description = &descriptions[index];
  *description = mp_description_default();
  if (!mp_description_read(description, options->links[index], false, complaint))
    return false;
  const char *name = description->name;
  const char *fault = name[0] == '\0' ? "name: none given, needed: one" : NULL;
  for (size_t i = 0; i < index; i++)
    if (strcmp(descriptions[i].name, name) == 0)
      fault = "name: given before, accepted: a different one for each link";
  for (int side = 0; side < MP_SIDES && fault == NULL; side++) {
    if (!name_namespace(description->namespace[side], options->side[side]))
      fault = "--side-a or --side-b: accepted: a name of up to 63 characters";
    if (!name_device(description->device[side], name, side))
      fault = "name: too long to make device names of it; give dev-a= and dev-b=";
  }
  if (fault != NULL)
    snprintf(complaint, MP_COMPLAINT_SIZE, "%s", fault);
  return fault == NULL;
}

/* Deliveries stand for what the far network does, and that waits for no process here. Without the
 * privilege they are on time as long as the machine is idle; stats tell (lateMaxUs). */
static void become_punctual(void)
{
  struct sched_param parameter = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter);
}

int main(int argc, char **argv)
{
  static struct mp_description descriptions[MAX_LINKS];
  static struct mp_cable cables[MAX_LINKS];
  struct options options = {.seed = 1};
  char complaint[MP_COMPLAINT_SIZE];

  int refused = read_options(argc, argv, &options);
  if (refused != EXIT_DONE)
    return refused;
  for (size_t i = 0; i < options.link_count; i++)
    if (!describe(&options, i, descriptions, complaint))
      return refuse(options.links[i], complaint);

  bool works = true;
  size_t open_count = 0;
  /* Seeds of neighbouring runs do not meet: a run uses two a link, at most 128. */
  while (works && open_count < options.link_count) {
    uint64_t seed = options.seed * 1000003u + open_count * MP_DIRECTIONS;
    works = mp_cable_open(&cables[open_count], &descriptions[open_count], seed, complaint);
    open_count += works;
  }
  if (works) {
    become_punctual();
    works = mp_loop_run(cables, open_count, complaint);
  }
  for (size_t i = 0; i < open_count; i++)
    mp_cable_close(&cables[i]);
  if (!works)
    fprintf(stderr, "mptun-emulator: %s\n", complaint);
  return works ? EXIT_DONE : EXIT_FAILED;
}
