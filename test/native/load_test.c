/* Packets kept on their way out (native/load.h). ASan watches what is used after it was dropped. */
#include "load.h"
#include "test.h"

static struct mp_loads loads;

static void loads_are_bounded_and_their_memory_serves_all_sizes(void)
{
  struct mp_load *kept[64];
  unsigned count = 0;
  mp_loads_open(&loads, 256 << 10);
  while (count < 64 && (kept[count] = mp_load_take(&loads, 60000)))
    count++;
  CHECK_EQ(count, 4);
  CHECK(!mp_load_take(&loads, 100));
  for (unsigned i = 0; i < count; i++)
    mp_load_drop(&loads, kept[i]);
  for (count = 0; count < 64; count++)
    REQUIRE((kept[count] = mp_load_take(&loads, 1400)));
  CHECK(loads.allocated_bytes <= loads.limit_bytes);
  mp_load_keep(kept[0]);
  mp_load_drop(&loads, kept[0]);
  CHECK(loads.taken_bytes > 0);
  for (unsigned i = 0; i < count; i++)
    mp_load_drop(&loads, kept[i]);
  CHECK_EQ(loads.taken_bytes, 0);
  mp_loads_close(&loads);
}

/* What a reader has in its room is taken as it was read, copied or with the room. */
static void take_read(struct mp_load **room, uint32_t length, bool moves)
{
  const struct mp_load *before = *room;
  memset((*room)->bytes, (int)(length & 0xff), length);
  struct mp_load *load = mp_load_take_from(&loads, room, length);
  REQUIRE(load);
  CHECK_EQ(load == before, moves);
  CHECK_EQ(*room != before, moves);
  CHECK(*room != load);
  CHECK_EQ(load->length, length);
  CHECK_EQ(load->references, 1);
  for (uint32_t i = 0; i < length; i++)
    REQUIRE(load->bytes[i] == (length & 0xff));
  memset((*room)->bytes, 0, MP_LOAD_MOST_BYTES); /* read into again */
  CHECK_EQ(load->bytes[length - 1], length & 0xff);
  mp_load_drop(&loads, load);
}

static void a_large_read_stays_where_it_is(void)
{
  mp_loads_open(&loads, 1 << 20);
  struct mp_load *room = mp_load_take(&loads, MP_LOAD_MOST_BYTES);
  take_read(&room, 40, false);
  take_read(&room, 1400, false);
  take_read(&room, 32768, false);
  take_read(&room, 32769, true);
  take_read(&room, 65535, true);
  mp_load_drop(&loads, room);
  CHECK_EQ(loads.taken_bytes, 0);
  mp_loads_close(&loads);
}

static void a_reader_keeps_its_room_when_the_bound_is_reached(void)
{
  mp_loads_open(&loads, 2 * MP_LOAD_MOST_BYTES);
  struct mp_load *room = mp_load_take(&loads, MP_LOAD_MOST_BYTES);
  struct mp_load *first = mp_load_take_from(&loads, &room, 60000);
  REQUIRE(first);
  struct mp_load *before = room;
  CHECK(!mp_load_take_from(&loads, &room, 60000));
  CHECK(!mp_load_take_from(&loads, &room, 100));
  CHECK(room == before);
  mp_load_drop(&loads, first);
  CHECK((first = mp_load_take_from(&loads, &room, 60000)) != NULL);
  mp_load_drop(&loads, first);
  mp_load_drop(&loads, room);
  mp_loads_close(&loads);
}

int main(void)
{
  RUN(loads_are_bounded_and_their_memory_serves_all_sizes);
  RUN(a_large_read_stays_where_it_is);
  RUN(a_reader_keeps_its_room_when_the_bound_is_reached);
  return test_end();
}
