/* command: batches as bytes, made from command.def.
 *
 * A batch is one msgpack array: [index, time, room, [command, …]]. A command is an array of its kind's number,
 * its actor (nil: it has none) and its fields; a part or a list is an array within it. When bytes are read, every count and every choice
 * is held against its bound, and an array must have as many values as its fields make. */
#include "broker/core/command.h"
#include "base/check.h"
#include "proto/errors.h"

#include <stdlib.h>

#define BATCH_VALUES 4 /* index, time, room, commands */
#define BATCH_DEPTH  5 /* the batch, its commands, one, its entries, one */

const char *command_name(enum command_kind kind)
{
    switch (kind) {
#define COMMAND(NAME, number, member, apply, least, text)                                                    \
    case COMMAND_##NAME:                                                                                     \
        return #NAME;
#include "broker/core/command.def"
    }
    return "UNKNOWN";
}

/* ---- what a command speaks of ---- */

#define RECORD(name, member, text)                                                                           \
    static struct command_names names_in_##member(const struct name *c)                                      \
    {                                                                                                        \
        struct command_names names = {0};                                                                    \
        (void)c;
#define TOPIC(name, text) names.topic = c->name;
#define GROUP(name, text) names.group = c->name;
#define JOB(name, text)   names.job = c->name;
#define END                                                                                                  \
    return names;                                                                                            \
    }
#include "broker/core/command.def"

struct command_names command_names(const struct command *c)
{
    switch (c->kind) {
#define COMMAND(NAME, number, member, apply, least, text)                                                    \
    case COMMAND_##NAME:                                                                                     \
        return names_in_##member(&c->member);
#include "broker/core/command.def"
    }
    return (struct command_names){0};
}

/* ---- how many values a record is ---- */

#define PART(name, text) RECORD(name, name, text)
#define RECORD(name, member, text)                                                                           \
    static uint32_t values_of_##member(const struct name *c)                                                 \
    {                                                                                                        \
        uint32_t values = 0;                                                                                 \
        (void)c;
#define FIELD(kind, name, text)            values++;
#define LATER(name, text)                  values += c->name.size > 0;
#define CHOICE(type, name, count, text)    values++;
#define LIST(kind, name, count, max, text) values++;
#define STOP_IF(name)                                                                                        \
    if (c->name)                                                                                             \
        return values;
#define PART_END END
#define END                                                                                                  \
    return values;                                                                                           \
    }
#include "broker/core/command.def"

/* ---- writing ---- */

static void write_flag(struct mpack_buffer *to, const bool *v)
{
    mpack_write_bool(to, *v);
}

static void write_u32(struct mpack_buffer *to, const uint32_t *v)
{
    mpack_write_uint(to, *v);
}

static void write_u64(struct mpack_buffer *to, const uint64_t *v)
{
    mpack_write_uint(to, *v);
}

static void write_i64(struct mpack_buffer *to, const int64_t *v)
{
    mpack_write_int(to, *v);
}

static void write_code(struct mpack_buffer *to, const int *v)
{
    mpack_write_int(to, *v);
}

static void write_bytes(struct mpack_buffer *to, const struct slice *v)
{
    mpack_write_bin(to, v->data, v->size);
}

static uint32_t values_of_change(const struct policy_change *c)
{
    return 2 + (uint32_t)__builtin_popcount(c->set.given);
}

static void write_change(struct mpack_buffer *to, const struct policy_change *c)
{
    mpack_write_array(to, values_of_change(c));
    mpack_write_uint(to, c->reset);
    mpack_write_uint(to, c->set.given);
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (c->set.given >> i & 1)
            mpack_write_int(to, c->set.value[i]);
    }
}

#define PART(name, text)                                                                                     \
    static void write_##name(struct mpack_buffer *to, const struct name *c)                                  \
    {                                                                                                        \
        mpack_write_array(to, values_of_##name(c));
#define RECORD(name, member, text)                                                                           \
    static void write_##member(struct mpack_buffer *to, const struct name *c)                                \
    {                                                                                                        \
        (void)to, (void)c;
#define FIELD(kind, name, text) write_##kind(to, &c->name);
#define LATER(name, text)                                                                                    \
    if (c->name.size)                                                                                        \
        write_bytes(to, &c->name);
#define CHOICE(type, name, count, text) mpack_write_uint(to, c->name);
#define LIST(kind, name, count, max, text)                                                                   \
    mpack_write_array(to, c->count);                                                                         \
    for (uint32_t i = 0; i < c->count; i++)                                                                  \
        write_##kind(to, &c->name[i]);
#define STOP_IF(name)                                                                                        \
    if (c->name)                                                                                             \
        return;
#define PART_END }
#define END      }
#include "broker/core/command.def"

static void write_by(struct mpack_buffer *to, const struct actor *by)
{
    if (by)
        write_actor(to, by);
    else
        mpack_write_nil(to);
}

static void write_command(struct mpack_buffer *to, const struct command *c)
{
    switch (c->kind) {
#define COMMAND(NAME, number, member, apply, least, text)                                                    \
    case COMMAND_##NAME:                                                                                     \
        mpack_write_array(to, 2 + values_of_##member(&c->member));                                           \
        mpack_write_uint(to, number);                                                                        \
        write_by(to, c->by);                                                                                 \
        write_##member(to, &c->member);                                                                      \
        return;
#include "broker/core/command.def"
    }
    check(false); /* the table has every kind */
}

int batch_encode(struct mpack_buffer *to, const struct batch *b)
{
    check(b->count <= BATCH_COMMANDS_MAX);
    mpack_write_array(to, BATCH_VALUES);
    mpack_write_uint(to, b->index);
    mpack_write_int(to, b->time_ms);
    write_batch_room(to, &b->room);
    mpack_write_array(to, (uint32_t)b->count);
    for (size_t i = 0; i < b->count; i++)
        write_command(to, &b->commands[i]);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

/* ---- reading ---- */

struct batch_memory {
    struct batch_memory *next; /* of the same batch */
    max_align_t bytes[];
};

void batch_memory_free(struct batch_memory *m)
{
    while (m) {
        struct batch_memory *next = m->next;
        free(m);
        m = next;
    }
}

/* A batch as it is read, and what it lives in. */
struct source {
    struct mpack_reader r;
    struct batch_memory *memory;
    bool no_memory; /* why it failed; otherwise because of the bytes */
};

/* Room for a list; NULL (and failed) if it is longer than it may be. */
static void *list_room(struct source *from, uint32_t count, uint32_t max, size_t size)
{
    from->r.failed |= count > max;
    if (from->r.failed)
        return NULL;
    struct batch_memory *m = calloc(1, sizeof *m + count * size);
    if (!m) {
        from->r.failed = from->no_memory = true;
        return NULL;
    }
    m->next = from->memory;
    from->memory = m;
    return m->bytes;
}

static uint64_t read_below(struct source *from, uint64_t bound)
{
    uint64_t v = mpack_read_uint(&from->r);
    from->r.failed |= v >= bound;
    return from->r.failed ? 0 : v;
}

static void read_flag(struct source *from, bool *ret)
{
    *ret = mpack_read_bool(&from->r);
}

static void read_u32(struct source *from, uint32_t *ret)
{
    *ret = (uint32_t)read_below(from, (uint64_t)UINT32_MAX + 1);
}

static void read_u64(struct source *from, uint64_t *ret)
{
    *ret = mpack_read_uint(&from->r);
}

static void read_i64(struct source *from, int64_t *ret)
{
    *ret = mpack_read_int(&from->r);
}

static void read_code(struct source *from, int *ret)
{
    *ret = (int)read_below(from, INT32_MAX);
    from->r.failed |= !err_known(*ret);
}

static void read_bytes(struct source *from, struct slice *ret)
{
    *ret = mpack_read_bin(&from->r);
}

static void read_change(struct source *from, struct policy_change *c)
{
    uint32_t values = mpack_read_array(&from->r);
    c->reset = (uint32_t)read_below(from, 1u << POLICY_COUNT);
    c->set.given = (uint32_t)read_below(from, 1u << POLICY_COUNT);
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (c->set.given >> i & 1)
            c->set.value[i] = mpack_read_int(&from->r);
    }
    from->r.failed |= values != values_of_change(c);
}

#define PART(name, text)                                                                                     \
    static void read_##name(struct source *from, struct name *c)                                             \
    {                                                                                                        \
        uint32_t seen = 0, values = mpack_read_array(&from->r);
#define RECORD(name, member, text)                                                                           \
    static void read_##member(struct source *from, uint32_t values, struct name *c)                          \
    {                                                                                                        \
        uint32_t seen = 0;                                                                                   \
        (void)c;
#define FIELD(kind, name, text)                                                                              \
    read_##kind(from, &c->name);                                                                             \
    seen++;
#define LATER(name, text)                                                                                    \
    if (values > seen) {                                                                                     \
        read_bytes(from, &c->name);                                                                          \
        from->r.failed |= !c->name.size;                                                                     \
        seen++;                                                                                              \
    }
#define CHOICE(type, name, count, text)                                                                      \
    c->name = (type)read_below(from, count);                                                                 \
    seen++;
#define LIST(kind, name, count, max, text)                                                                   \
    c->count = mpack_read_array(&from->r);                                                                   \
    KIND_##kind *name = list_room(from, c->count, max, sizeof *name);                                        \
    c->name = name;                                                                                          \
    for (uint32_t i = 0; !from->r.failed && i < c->count; i++)                                               \
        read_##kind(from, &name[i]);                                                                         \
    seen++;
#define STOP_IF(name)                                                                                        \
    if (c->name) {                                                                                           \
        from->r.failed |= values != seen;                                                                    \
        return;                                                                                              \
    }
#define PART_END END
#define END                                                                                                  \
    from->r.failed |= values != seen;                                                                        \
    }
#include "broker/core/command.def"

static void read_by(struct source *from, const struct actor **ret)
{
    if (mpack_read_is_nil(&from->r))
        return;
    struct actor *by = list_room(from, 1, 1, sizeof *by);
    if (by)
        read_actor(from, by);
    *ret = by;
}

static void read_command(struct source *from, struct command *c)
{
    uint32_t values = mpack_read_array(&from->r);
    c->kind = (enum command_kind)read_below(from, INT32_MAX);
    read_by(from, &c->by);
    switch (c->kind) {
#define COMMAND(NAME, number, member, apply, least, text)                                                    \
    case COMMAND_##NAME:                                                                                     \
        read_##member(from, values - 2, &c->member);                                                         \
        return;
#include "broker/core/command.def"
    }
    from->r.failed = true;
}

int batch_decode(struct slice bytes, struct batch *ret, struct batch_memory **ret_memory)
{
    struct source from = {0};
    struct batch b = {0};
    if (!mpack_check(bytes.data, bytes.size, BATCH_DEPTH))
        return SHUNT_CORRUPT;
    mpack_read_init(&from.r, bytes.data, bytes.size);
    from.r.failed |= mpack_read_array(&from.r) != BATCH_VALUES;
    b.index = mpack_read_uint(&from.r);
    b.time_ms = mpack_read_int(&from.r);
    read_batch_room(&from, &b.room);
    b.count = mpack_read_array(&from.r);
    struct command *commands = list_room(&from, (uint32_t)b.count, BATCH_COMMANDS_MAX, sizeof *commands);
    b.commands = commands;
    for (size_t i = 0; !from.r.failed && i < b.count; i++)
        read_command(&from, &commands[i]);
    if (from.r.failed) {
        batch_memory_free(from.memory);
        return from.no_memory ? SHUNT_NO_MEMORY : SHUNT_CORRUPT;
    }
    *ret = b;
    *ret_memory = from.memory;
    return 0;
}
