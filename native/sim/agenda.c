#include "agenda.h"

#include <stdlib.h>

#define CHILDREN 4u

static bool is_before(const struct mp_moment *a, const struct mp_moment *b)
{
  return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

bool mp_agenda_add(struct mp_agenda *agenda, uint64_t at_us, enum mp_moment_kind kind,
                   void *subject)
{
  if (agenda->count == agenda->room) {
    const size_t room = agenda->room ? agenda->room * 2 : 1024;
    struct mp_moment *moments = realloc(agenda->moments, room * sizeof *moments);
    if (!moments)
      return false;
    agenda->moments = moments;
    agenda->room = room;
  }
  const struct mp_moment moment = {at_us, agenda->added++, kind, subject};
  struct mp_moment *moments = agenda->moments;
  size_t hole = agenda->count++;
  while (hole > 0) {
    const size_t parent = (hole - 1) / CHILDREN;
    if (!is_before(&moment, &moments[parent]))
      break;
    moments[hole] = moments[parent];
    hole = parent;
  }
  moments[hole] = moment;
  return true;
}

const struct mp_moment *mp_agenda_next(const struct mp_agenda *agenda)
{
  return agenda->count > 0 ? &agenda->moments[0] : NULL;
}

struct mp_moment mp_agenda_take(struct mp_agenda *agenda)
{
  struct mp_moment *moments = agenda->moments;
  const struct mp_moment first = moments[0];
  const struct mp_moment last = moments[--agenda->count];
  size_t hole = 0;
  for (;;) {
    const size_t begin = hole * CHILDREN + 1;
    if (begin >= agenda->count)
      break;
    const size_t end = begin + CHILDREN < agenda->count ? begin + CHILDREN : agenda->count;
    size_t least = begin;
    for (size_t child = begin + 1; child < end; child++)
      if (is_before(&moments[child], &moments[least]))
        least = child;
    if (!is_before(&moments[least], &last))
      break;
    moments[hole] = moments[least];
    hole = least;
  }
  moments[hole] = last;
  return first;
}

void mp_agenda_close(struct mp_agenda *agenda)
{
  free(agenda->moments);
  *agenda = (struct mp_agenda){0};
}
