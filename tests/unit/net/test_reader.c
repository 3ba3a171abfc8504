/* test_reader: bytes to frames, without sockets. */
#include "broker/net/reader.h"
#include "proto/errors.h"
#include "proto/limits.h"
#include "tests/unit/net/fixture.h"
#include <criterion/criterion.h>
#include <string.h>

struct feed {
    struct reader reader;
    struct reader_pool pool;
    struct mpack_buffer out; /* the frames that came out */
    struct reader_result last;
};

static void feed_init(struct feed *f)
{
    *f = (struct feed){.pool.held_bytes_max = 64 << 20};
}

/* Read `size` bytes in as many turns as the reader's room makes necessary. */
static void feed(struct feed *f, const uint8_t *bytes, size_t size)
{
    while (size > 0 && !f->last.why) {
        uint8_t *at = NULL;
        size_t room = 0;
        cr_assert_eq(reader_room(&f->reader, &f->pool, &at, &room), READER_ROOM);
        cr_assert_gt(room, (size_t)0);
        size_t part = size < room ? size : room;
        memcpy(at, bytes, part);
        reader_took(&f->reader, &f->pool, part, room, FRAME_BYTES_MAX, &f->last);
        if (f->last.chunk) {
            mpack_write_raw(&f->out, f->last.frames.data, f->last.frames.size);
            chunk_unref(f->last.chunk);
        }
        bytes += part;
        size -= part;
    }
}

static void feed_done(struct feed *f)
{
    reader_done(&f->reader, &f->pool);
    cr_assert_eq(f->pool.held_bytes, 0, "%zu bytes still counted", f->pool.held_bytes);
    cr_assert_eq(f->pool.reserved_bytes, 0, "%zu bytes still reserved", f->pool.reserved_bytes);
    reader_pool_done(&f->pool);
    mpack_buffer_done(&f->out);
    cr_assert_eq(chunks_alive, 0);
}

Test(reader, every_two_cuts_of_a_stream_give_the_same_frames)
{
    struct mpack_buffer in = {0};
    write_hello(&in, 1);
    write_frame(&in, 2, 30, 'a');
    write_frame(&in, 3, 0, 'b');
    for (size_t i = 0; i <= in.size; i++) {
        for (size_t k = i; k <= in.size; k++) {
            struct feed f;
            feed_init(&f);
            feed(&f, in.data, i);
            feed(&f, in.data + i, k - i);
            feed(&f, in.data + k, in.size - k);
            cr_assert(!f.last.why && f.out.size == in.size && memcmp(f.out.data, in.data, in.size) == 0,
                      "cut at %zu and %zu", i, k);
            cr_assert(!reader_is_partial(&f.reader));
            feed_done(&f);
        }
    }
    mpack_buffer_done(&in);
}

Test(reader, frames_larger_than_a_chunk_arrive_whole)
{
    struct mpack_buffer in = {0};
    write_hello(&in, 1);
    for (unsigned i = 0; i < 6; i++)
        write_frame(&in, 2 + i, 300000 + 77777 * i, (uint8_t)('a' + i));
    static const size_t steps[] = {1000, 4096, 65536, 100000, 1 << 20};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        struct feed f;
        feed_init(&f);
        for (size_t at = 0; at < in.size; at += steps[s])
            feed(&f, in.data + at, in.size - at < steps[s] ? in.size - at : steps[s]);
        cr_assert(f.out.size == in.size && memcmp(f.out.data, in.data, in.size) == 0, "steps of %zu",
                  steps[s]);
        feed_done(&f);
    }
    mpack_buffer_done(&in);
}

Test(reader, a_payload_at_the_limit_passes_and_one_above_is_refused_by_its_length_alone)
{
    struct mpack_buffer in = {0};
    struct feed f;
    feed_init(&f);
    write_hello(&in, 1);
    feed(&f, in.data, in.size);
    mpack_buffer_done(&in);
    write_frame(&in, 2, FRAME_BYTES_MAX - 9, 'x'); /* array, op, id, bin32: 1 + 1 + 1 + 5, and one */
    cr_assert_eq(in.size, (size_t)FRAME_BYTES_MAX + FRAME_HEADER_BYTES - 1);
    mpack_buffer_done(&in);
    write_frame(&in, 2, FRAME_BYTES_MAX - 8, 'x');
    cr_assert_eq(in.size, (size_t)FRAME_BYTES_MAX + FRAME_HEADER_BYTES);
    feed(&f, in.data, in.size);
    cr_assert(!f.last.why);
    uint32_t over = FRAME_BYTES_MAX + 1;
    uint8_t length[4] = {(uint8_t)(over >> 24), (uint8_t)(over >> 16), (uint8_t)(over >> 8), (uint8_t)over};
    feed(&f, length, sizeof length);
    cr_assert(f.last.why);
    mpack_buffer_done(&in);
    feed_done(&f);
}

Test(reader, whole_frames_before_a_bad_one_are_handed_on)
{
    struct mpack_buffer in = {0};
    struct feed f;
    feed_init(&f);
    write_hello(&in, 1);
    write_frame(&in, 2, 5, 'x');
    size_t good = in.size;
    mpack_write_raw(&in, "\0\0\0\x01\xc1", 5);
    write_frame(&in, 3, 5, 'x');
    feed(&f, in.data, in.size);
    cr_assert(f.last.why);
    cr_assert_eq(f.out.size, good);
    mpack_buffer_done(&in);
    feed_done(&f);
}

Test(reader, the_first_frame_must_be_a_hello)
{
    struct mpack_buffer in = {0};
    struct feed f;
    feed_init(&f);
    write_frame(&in, 77, 5, 'x');
    feed(&f, in.data, in.size);
    cr_assert(f.last.why);
    cr_assert_eq(f.last.request_id, 77);
    cr_assert_eq(f.out.size, 0);
    mpack_buffer_done(&in);
    feed_done(&f);
}

Test(reader, a_hello_over_its_limit_is_refused_before_it_has_arrived)
{
    struct feed f;
    feed_init(&f);
    static const uint8_t length[4] = {0, 0, HELLO_BYTES_MAX >> 8, 1 + (HELLO_BYTES_MAX & 255)};
    feed(&f, length, sizeof length);
    cr_assert(f.last.why);
    feed_done(&f);
}

Test(reader, between_frames_a_connection_holds_nothing)
{
    struct mpack_buffer in = {0};
    struct feed f;
    feed_init(&f);
    write_hello(&in, 1);
    write_frame(&in, 2, 100000, 'x');
    feed(&f, in.data, in.size);
    cr_assert_null(f.reader.held);
    cr_assert_eq(f.pool.held_bytes, 0);
    mpack_buffer_done(&in);
    feed_done(&f);
}

Test(reader, memory_for_unfinished_frames_is_bounded_over_all_connections)
{
    struct mpack_buffer hello = {0}, big = {0};
    write_hello(&hello, 1);
    write_frame(&big, 2, 1 << 20, 'x');
    struct feed f;
    feed_init(&f);
    f.pool.held_bytes_max = 1 << 20;
    feed(&f, hello.data, hello.size);
    feed(&f, big.data, 1000); /* may hold it all, though that is a little more: it is the only one */
    cr_assert_geq(f.pool.reserved_bytes, (size_t)1 << 20);

    struct reader second = {.greeted = true};
    uint8_t *at = NULL;
    size_t room = 0;
    cr_assert_eq(reader_room(&second, &f.pool, &at, &room), READER_ROOM);
    cr_assert_leq(room, (size_t)READER_SMALL_BYTES);
    struct reader_result got;
    memcpy(at, big.data, room);
    reader_took(&second, &f.pool, room, room, FRAME_BYTES_MAX, &got);
    cr_assert(!got.why && !got.chunk);
    cr_assert(reader_must_wait(&second, &f.pool), "known before the socket is asked");
    cr_assert_eq(reader_room(&second, &f.pool, &at, &room), READER_WAIT);
    cr_assert(!reader_must_wait(&f.reader, &f.pool));
    cr_assert_leq(f.pool.held_bytes, ((size_t)1 << 20) + 2 * READER_SMALL_BYTES);

    feed(&f, big.data + 1000, big.size - 1000); /* the first one is through */
    cr_assert(!reader_must_wait(&second, &f.pool));
    cr_assert_eq(reader_room(&second, &f.pool, &at, &room), READER_ROOM);
    cr_assert_eq(second.held->capacity, big.size);
    reader_done(&second, &f.pool);
    mpack_buffer_done(&hello);
    mpack_buffer_done(&big);
    feed_done(&f);
}
