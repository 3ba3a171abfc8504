/* test_requests: the engine reads of each request what proto/request.def says, and answers what it says. */
#include "broker/engine/request.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <string.h>

static const struct row {
    const char *name;
    unsigned op;
    enum wire_right right;
    const char *fields, *answer;
} rows[] = {
#define REQUEST(name, number, right, fields, answer) {#name, number, RIGHT_##right, fields, answer},
#include "proto/request.def"
#include "proto/wire.h"
};
#define ROWS (sizeof rows / sizeof *rows)

Test(requests, the_engine_knows_each_and_no_other)
{
    size_t known = 0;
    for (uint64_t op = 0; op < 1000; op++)
        known += request_find(op) != NULL;
    cr_assert_eq(known, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        const struct request *r = request_find(rows[i].op);
        cr_assert(r && strcmp(r->name, rows[i].name) == 0 && r->right == rows[i].right, "%s", rows[i].name);
    }
}

/* ---- fields ---- */

/* The next of a list of fields, which commas separate but those within brackets; its size. */
static size_t next_field(const char *list)
{
    size_t depth = 0, size = 0;
    for (; list[size] && (depth || list[size] != ','); size++)
        depth += (list[size] == '[') - (list[size] == ']');
    return size;
}

static uint32_t fields_in(const char *list)
{
    uint32_t count = 0;
    for (; *list; count++) {
        list += next_field(list);
        list += *list ? 2 : 0;
    }
    return count;
}

static bool is(const char *field, size_t size, const char *name)
{
    return strlen(name) == size && memcmp(field, name, size) == 0;
}

/* A value that the request takes; nil for what may be left out. */
static void write_field(struct mpack_buffer *to, const char *field, size_t size)
{
    if (field[size - 1] == '?') {
        mpack_write_nil(to);
    } else if (is(field, size, "topic")) {
        mpack_write_cstr(to, "t");
    } else if (is(field, size, "group")) {
        mpack_write_cstr(to, "default");
    } else if (is(field, size, "message")) {
        mpack_write_cstr(to, "1");
    } else if (is(field, size, "which")) {
        mpack_write_map(to, 1);
        mpack_write_cstr(to, "all");
        mpack_write_bool(to, true);
    } else if (is(field, size, "[message, …]")) {
        mpack_write_array(to, 1);
        mpack_write_array(to, 1);
        mpack_write_bin(to, "m", 1);
    } else if (is(field, size, "[entry, …]")) {
        mpack_write_array(to, 1);
        mpack_write_array(to, 3);
        for (int i = 0; i < 3; i++)
            mpack_write_uint(to, OUTCOME_ACK);
    } else if (is(field, size, "[seq, token, seq, token, …]")) {
        mpack_write_array(to, 2);
        mpack_write_uint(to, 1);
        mpack_write_uint(to, 1);
    } else if (is(field, size, "sequence") || is(field, size, "forget_below")) {
        mpack_write_uint(to, 0);
    } else {
        mpack_write_uint(to, 1);
    }
}

static void write_request(struct mpack_buffer *to, const struct row *row, uint64_t id, uint32_t fields)
{
    const char *list = row->fields;
    size_t at = frame_begin(to, row->op, id, fields);
    for (uint32_t i = 0; i < fields; i++) {
        size_t size = next_field(list);
        write_field(to, list, size);
        list += size;
        list += *list ? 2 : 0;
    }
    frame_end(to, at);
}

/* How many fields there must be: those before the first that may be left out. */
static uint32_t needed(const char *list)
{
    const char *optional = strchr(list, '?');
    uint32_t count = fields_in(list), left_out = 0;
    for (; optional; optional = strchr(optional + 1, '?'))
        left_out++;
    return count - left_out;
}

/* ---- answers ---- */

struct told {
    uint64_t op;     /* 0: there was none */
    uint32_t fields; /* of OK */
    uint64_t code;   /* of ERROR */
};

/* What a connection is told that sends the request with its first `fields` fields. */
static struct told ask(const struct row *row, uint32_t fields)
{
    struct world w;
    struct mpack_buffer frame = {0};
    struct told a = {0};
    world_start(&w, &(struct engine_config){.unsent_bytes_max = 1 << 20});
    size_t before = w.told[0].size;
    write_request(&frame, row, 77, fields);
    post_frame(&w, w.links[0], &frame, NULL);
    world_turn(&w);
    world_turn(&w);
    const uint8_t *at = w.told[0].data + before, *end = w.told[0].data + w.told[0].size;
    while (at < end) {
        struct mpack_reader r;
        uint32_t size = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        mpack_read_init(&r, at + 4, size);
        uint32_t count = mpack_read_array(&r);
        uint64_t op = mpack_read_uint(&r);
        if (mpack_read_uint(&r) == 77) {
            a = (struct told){.op = op, .fields = count - 2};
            if (op == OP_ERROR)
                a.code = mpack_read_uint(&r);
        }
        cr_assert(!r.failed);
        at += 4 + size;
    }
    world_stop(&w);
    return a;
}

Test(requests, each_has_the_fields_of_the_table_and_its_answer)
{
    unsigned counted = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        if (row->op == OP_HELLO) /* there was one */
            continue;
        uint32_t least = needed(row->fields), most = fields_in(row->fields);
        for (uint32_t fields = least; fields <= most; fields++) {
            struct told a = ask(row, fields);
            cr_assert(row->answer ? a.op : !a.op, "%s with %u fields", row->name, fields);
            cr_assert_neq(a.code, SHUNT_PROTOCOL, "%s with %u fields", row->name, fields);
            if (a.op == OP_OK) {
                cr_assert(a.fields >= needed(row->answer) && a.fields <= fields_in(row->answer),
                          "%s is answered with %u fields", row->name, a.fields);
                counted++;
            }
        }
        if (least)
            cr_assert_eq(ask(row, least - 1).code, SHUNT_PROTOCOL, "%s with %u fields", row->name, least - 1);
    }
    cr_assert_geq(counted, 25, "most of them are answered with OK here");
}
