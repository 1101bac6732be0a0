/* Packets kept on their way out (native/load.h). ASan watches what is used after it was dropped. */
#include "load.h"
#include "test.h"

static struct mp_loads loads;

static void loads_are_bounded_and_their_memory_serves_all_sizes(void)
{
  struct mp_load *kept[64];
  unsigned count = 0;
  mp_loads_open(&loads, 256 << 10);
  while (count < 64 && (kept[count] = mp_load_take(&loads, NULL, 60000)))
    count++;
  CHECK_EQ(count, 4);
  CHECK(!mp_load_take(&loads, NULL, 100));
  for (unsigned i = 0; i < count; i++)
    mp_load_drop(&loads, kept[i]);
  for (count = 0; count < 64; count++)
    REQUIRE((kept[count] = mp_load_take(&loads, NULL, 1400)));
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
  struct mp_load *load = mp_load_take_from(&loads, NULL, room, length);
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
  struct mp_load *room = mp_load_take(&loads, NULL, MP_LOAD_MOST_BYTES);
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
  struct mp_load *room = mp_load_take(&loads, NULL, MP_LOAD_MOST_BYTES);
  struct mp_load *first = mp_load_take_from(&loads, NULL, &room, 60000);
  REQUIRE(first);
  struct mp_load *before = room;
  CHECK(!mp_load_take_from(&loads, NULL, &room, 60000));
  CHECK(!mp_load_take_from(&loads, NULL, &room, 100));
  CHECK(room == before);
  mp_load_drop(&loads, first);
  CHECK((first = mp_load_take_from(&loads, NULL, &room, 60000)) != NULL);
  mp_load_drop(&loads, first);
  mp_load_drop(&loads, room);
  mp_loads_close(&loads);
}

/* Whoever takes last finds as much as any other has. */
static void those_who_want_all_have_equal_parts_and_leave_one(void)
{
  enum { SHARES = 3, LIMIT = 16 << 20, FEW = 16 };
  static const uint32_t lengths[] = {100, 2500, 8000, 30000, 60000};
  struct mp_load_share shares[SHARES] = {0};
  struct mp_load *first[SHARES] = {0};
  mp_loads_open(&loads, LIMIT);
  for (unsigned turn = 0; turn < 20000; turn++) { /* each drops what it has had for longest as well */
    struct mp_load_share *share = &shares[turn % SHARES];
    struct mp_load **oldest = &first[turn % SHARES];
    struct mp_load *load = mp_load_take(&loads, share, lengths[turn / SHARES % 5]);
    if (load) {
      load->next = *oldest;
      *oldest = load;
    }
    if (turn % FEW == 0 && (load = *oldest)) {
      *oldest = load->next;
      mp_load_drop(&loads, load);
    }
  }
  const uint64_t left_bytes = loads.limit_bytes - loads.taken_bytes;
  for (unsigned i = 0; i < SHARES; i++) {
    CHECK(shares[i].taken_bytes <= left_bytes + FEW * MP_LOAD_MOST_BYTES);
    CHECK(shares[i].taken_bytes >= LIMIT / (SHARES + 1) - FEW * MP_LOAD_MOST_BYTES);
    for (struct mp_load *load = first[i], *next; load; load = next) {
      next = load->next;
      mp_load_drop(&loads, load);
    }
    CHECK_EQ(shares[i].taken_bytes, 0);
  }
  CHECK_EQ(loads.taken_bytes, 0);
  mp_loads_close(&loads);
}

/* It goes over to whoever keeps it, and what was left in its place to the reader. */
static void a_read_counts_for_whom_it_is(void)
{
  static const uint32_t lengths[] = {60000, 100};
  struct mp_load_share reader = {0}, peer = {0};
  mp_loads_open(&loads, 4 * MP_LOAD_MOST_BYTES);
  struct mp_load *room = mp_load_take(&loads, &reader, MP_LOAD_MOST_BYTES);
  for (unsigned i = 0; i < 2; i++) {
    struct mp_load *load = mp_load_take_from(&loads, &peer, &room, lengths[i]);
    REQUIRE(load);
    CHECK_EQ(peer.taken_bytes + reader.taken_bytes, loads.taken_bytes);
    CHECK_EQ(reader.taken_bytes, MP_LOAD_MOST_BYTES);
    mp_load_drop(&loads, load);
    CHECK_EQ(peer.taken_bytes, 0);
  }
  mp_load_drop(&loads, room);
  CHECK_EQ(reader.taken_bytes, 0);
  mp_loads_close(&loads);
}

int main(void)
{
  RUN(loads_are_bounded_and_their_memory_serves_all_sizes);
  RUN(a_large_read_stays_where_it_is);
  RUN(a_reader_keeps_its_room_when_the_bound_is_reached);
  RUN(those_who_want_all_have_equal_parts_and_leave_one);
  RUN(a_read_counts_for_whom_it_is);
  return test_end();
}
