/* command: batches as bytes. One msgpack array: [index, time, [[kind, fields…], …]]. */
#include "broker/core/command.h"
#include "proto/errors.h"
#include "proto/limits.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

static void put(struct mpack_buffer *to, struct slice s)
{
    mpack_write_bin(to, s.data, s.size);
}

static void put_change(struct mpack_buffer *to, const struct policy_change *c)
{
    mpack_write_uint(to, c->reset);
    mpack_write_uint(to, c->set.given);
    for (unsigned i = 0; i < POLICY_COUNT; i++)
        if (c->set.given >> i & 1)
            mpack_write_int(to, c->set.value[i]);
}

static void put_list(struct mpack_buffer *to, const struct slice *items, uint32_t count)
{
    mpack_write_array(to, count);
    for (uint32_t i = 0; i < count; i++)
        put(to, items[i]);
}

static void put_publish(struct mpack_buffer *to, const struct publish_command *c)
{
    put(to, c->topic);
    put(to, c->producer);
    mpack_write_uint(to, c->sequence);
    mpack_write_uint(to, c->forget_below);
    mpack_write_uint(to, c->count);
    mpack_write_int(to, c->refusal);
    put(to, c->messages);
    mpack_write_uint(to, c->stored);
    mpack_write_uint(to, c->first_seq);
    mpack_write_bool(to, c->more);
}

static void put_resolve(struct mpack_buffer *to, const struct resolve_command *c)
{
    mpack_write_uint(to, c->group);
    put(to, c->by.client);
    put(to, c->by.host);
    put(to, c->by.build);
    mpack_write_array(to, c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct resolution *r = &c->entries[i];
        mpack_write_array(to, r->acked ? 3 : 10);
        mpack_write_uint(to, r->seq);
        mpack_write_uint(to, r->token);
        mpack_write_bool(to, r->acked);
        if (r->acked)
            continue;
        mpack_write_uint(to, r->outcome);
        mpack_write_int(to, r->delay_ms);
        mpack_write_int(to, r->leased_ms);
        mpack_write_int(to, r->started_ms);
        put(to, r->error_type);
        put(to, r->error_message);
        put(to, r->error_stack);
    }
}

static void put_take_up(struct mpack_buffer *to, const struct take_up_command *c)
{
    mpack_write_uint(to, c->group);
    mpack_write_array(to, c->count * 2);
    for (uint32_t i = 0; i < c->count; i++) {
        mpack_write_uint(to, c->entries[i].seq);
        mpack_write_uint(to, c->entries[i].token);
    }
}

static void put_command(struct mpack_buffer *to, const struct command *c)
{
    mpack_write_uint(to, c->kind);
    switch (c->kind) {
    case COMMAND_RECOVER:
        mpack_write_bool(to, c->recover.again);
        mpack_write_int(to, c->recover.wait_ms);
        break;
    case COMMAND_TICK:
        break;
    case COMMAND_LIMITS:
        mpack_write_uint(to, c->limits.topics_max);
        mpack_write_uint(to, c->limits.groups_max);
        mpack_write_uint(to, c->limits.body_bytes_max);
        mpack_write_int(to, c->limits.dedup_window_ms);
        break;
    case COMMAND_PUBLISH:
        put_publish(to, &c->publish);
        break;
    case COMMAND_ASSIGN:
        mpack_write_uint(to, c->assign.group);
        mpack_write_uint(to, c->assign.lane);
        mpack_write_uint(to, c->assign.messages);
        mpack_write_uint(to, c->assign.bytes);
        mpack_write_bool(to, c->assign.oversize_first);
        mpack_write_uint(to, c->assign.enough_bytes);
        break;
    case COMMAND_RESOLVE:
        put_resolve(to, &c->resolve);
        break;
    case COMMAND_TOPIC_CREATE:
    case COMMAND_TOPIC_UPDATE:
    case COMMAND_TOPIC_DELETE:
        put(to, c->topic.topic);
        put_change(to, &c->topic.change);
        put_list(to, c->topic.groups, c->topic.groups_count);
        break;
    case COMMAND_TOPIC_PURGE:
        put(to, c->purge.topic);
        put(to, c->purge.group);
        break;
    case COMMAND_GROUP_CREATE:
    case COMMAND_GROUP_UPDATE:
    case COMMAND_GROUP_DELETE:
    case COMMAND_GROUP_PAUSE:
        put(to, c->group.topic);
        put(to, c->group.group);
        put_change(to, &c->group.change);
        mpack_write_bool(to, c->group.from_now);
        mpack_write_bool(to, c->group.paused);
        break;
    case COMMAND_DLQ_REDRIVE:
    case COMMAND_DLQ_PURGE:
        put(to, c->dead.topic);
        put(to, c->dead.group);
        put_list(to, c->dead.ids, c->dead.ids_count);
        mpack_write_uint(to, c->dead.count);
        mpack_write_uint(to, c->dead.rate);
        break;
    case COMMAND_TAKE_UP:
        put_take_up(to, &c->take_up);
        break;
    case COMMAND_JOB_CANCEL:
        mpack_write_uint(to, c->job);
        break;
    case COMMAND_CLOCK:
        mpack_write_int(to, c->machine_ms);
        break;
    }
}

int batch_encode(struct mpack_buffer *to, const struct batch *b)
{
    mpack_write_array(to, 7);
    mpack_write_uint(to, b->index);
    mpack_write_int(to, b->time_ms);
    mpack_write_uint(to, b->room.bytes);
    mpack_write_uint(to, b->room.publish_bytes);
    mpack_write_bool(to, b->room.first);
    mpack_write_uint(to, b->room.fullness);
    mpack_write_array(to, (uint32_t)b->count);
    for (size_t i = 0; i < b->count; i++) {
        size_t at = mpack_write_array_open(to);
        size_t before = to->size;
        put_command(to, &b->commands[i]);
        /* The array's count is the number of values just written. */
        uint32_t values = 0;
        struct mpack_reader r;
        if (to->failed)
            return SHUNT_NO_MEMORY;
        for (mpack_read_init(&r, to->data + before, to->size - before); mpack_peek(&r) != MPACK_END; values++)
            (void)mpack_read_any(&r); /* only counted */
        mpack_patch_array(to, at, values);
    }
    return to->failed ? SHUNT_NO_MEMORY : 0;
}

/* ---- reading ---- */

struct batch_memory {
    struct batch_memory *next; /* of the same batch */
    max_align_t bytes[];
};

/* What a batch being read lives in. */
struct arena {
    struct batch_memory *memory;
    bool failed; /* for want of memory, not because of the bytes */
};

static void *take(struct arena *a, size_t count, size_t size)
{
    struct batch_memory *m = calloc(1, sizeof *m + count * size);
    if (!m) {
        a->failed = true;
        return NULL;
    }
    m->next = a->memory;
    a->memory = m;
    return m->bytes;
}

void batch_memory_free(struct batch_memory *m)
{
    while (m) {
        struct batch_memory *next = m->next;
        free(m);
        m = next;
    }
}

static void read_change(struct mpack_reader *r, struct policy_change *c)
{
    c->reset = (uint32_t)mpack_read_uint(r);
    c->set.given = (uint32_t)mpack_read_uint(r);
    for (unsigned i = 0; i < POLICY_COUNT; i++)
        if (c->set.given >> i & 1)
            c->set.value[i] = mpack_read_int(r);
}

static const struct slice *read_list(struct mpack_reader *r, struct arena *a, uint32_t *ret_count)
{
    uint32_t count = mpack_read_array(r);
    struct slice *items = count <= FRAME_MESSAGES_MAX ? take(a, count, sizeof *items) : NULL;
    r->failed |= !items;
    *ret_count = count;
    for (uint32_t i = 0; !r->failed && i < count; i++)
        items[i] = mpack_read_bin(r);
    return items;
}

static void read_publish(struct mpack_reader *r, struct publish_command *c)
{
    c->topic = mpack_read_bin(r);
    c->producer = mpack_read_bin(r);
    c->sequence = mpack_read_uint(r);
    c->forget_below = mpack_read_uint(r);
    c->count = (uint32_t)mpack_read_uint(r);
    c->refusal = (int)mpack_read_int(r);
    c->messages = mpack_read_bin(r);
    c->stored = (uint32_t)mpack_read_uint(r);
    c->first_seq = mpack_read_uint(r);
    c->more = mpack_read_bool(r);
}

static void read_resolution(struct mpack_reader *r, struct resolution *e)
{
    (void)mpack_read_array(r); /* acked says how many follow */
    e->seq = mpack_read_uint(r);
    e->token = mpack_read_uint(r);
    e->acked = mpack_read_bool(r);
    if (e->acked)
        return;
    uint64_t outcome = mpack_read_uint(r);
    r->failed |= outcome >= ATTEMPT_OUTCOMES;
    e->outcome = (enum attempt_outcome)outcome;
    e->delay_ms = mpack_read_int(r);
    e->leased_ms = mpack_read_int(r);
    e->started_ms = mpack_read_int(r);
    e->error_type = mpack_read_bin(r);
    e->error_message = mpack_read_bin(r);
    e->error_stack = mpack_read_bin(r);
}

static void read_resolve(struct mpack_reader *r, struct arena *a, struct resolve_command *c)
{
    c->group = (uint32_t)mpack_read_uint(r);
    c->by.client = mpack_read_bin(r);
    c->by.host = mpack_read_bin(r);
    c->by.build = mpack_read_bin(r);
    c->count = mpack_read_array(r);
    struct resolution *entries =
        c->count <= FRAME_MESSAGES_MAX * 16 ? take(a, c->count, sizeof *entries) : NULL;
    r->failed |= !entries;
    c->entries = entries;
    for (uint32_t i = 0; !r->failed && i < c->count; i++)
        read_resolution(r, &entries[i]);
}

static void read_assign(struct mpack_reader *r, struct assign_command *c)
{
    c->group = (uint32_t)mpack_read_uint(r);
    uint64_t lane = mpack_read_uint(r);
    r->failed |= lane > LANE_SUSPECT;
    c->lane = (enum lane)lane;
    c->messages = (uint32_t)mpack_read_uint(r);
    c->bytes = mpack_read_uint(r);
    c->oversize_first = mpack_read_bool(r);
    c->enough_bytes = mpack_read_uint(r);
}

static void read_take_up(struct mpack_reader *r, struct arena *a, struct take_up_command *c)
{
    c->group = (uint32_t)mpack_read_uint(r);
    c->count = mpack_read_array(r) / 2;
    struct delivery_name *entries = r->failed ? NULL : take(a, c->count, sizeof *entries);
    c->entries = entries;
    for (uint32_t i = 0; entries && !r->failed && i < c->count; i++)
        entries[i] = (struct delivery_name){.seq = mpack_read_uint(r), .token = mpack_read_uint(r)};
}

static void read_command(struct mpack_reader *r, struct arena *a, struct command *c)
{
    (void)mpack_read_array(r); /* the kind says how many follow */
    c->kind = (enum command_kind)mpack_read_uint(r);
    switch (c->kind) {
    case COMMAND_RECOVER:
        c->recover.again = mpack_read_bool(r);
        c->recover.wait_ms = mpack_read_int(r);
        return;
    case COMMAND_TICK:
        return;
    case COMMAND_LIMITS:
        c->limits.topics_max = mpack_read_uint(r);
        c->limits.groups_max = mpack_read_uint(r);
        c->limits.body_bytes_max = mpack_read_uint(r);
        c->limits.dedup_window_ms = mpack_read_int(r);
        return;
    case COMMAND_PUBLISH:
        read_publish(r, &c->publish);
        return;
    case COMMAND_ASSIGN:
        read_assign(r, &c->assign);
        return;
    case COMMAND_RESOLVE:
        read_resolve(r, a, &c->resolve);
        return;
    case COMMAND_TOPIC_CREATE:
    case COMMAND_TOPIC_UPDATE:
    case COMMAND_TOPIC_DELETE:
        c->topic.topic = mpack_read_bin(r);
        read_change(r, &c->topic.change);
        c->topic.groups = read_list(r, a, &c->topic.groups_count);
        return;
    case COMMAND_TOPIC_PURGE:
        c->purge.topic = mpack_read_bin(r);
        c->purge.group = mpack_read_bin(r);
        return;
    case COMMAND_GROUP_CREATE:
    case COMMAND_GROUP_UPDATE:
    case COMMAND_GROUP_DELETE:
    case COMMAND_GROUP_PAUSE:
        c->group.topic = mpack_read_bin(r);
        c->group.group = mpack_read_bin(r);
        read_change(r, &c->group.change);
        c->group.from_now = mpack_read_bool(r);
        c->group.paused = mpack_read_bool(r);
        return;
    case COMMAND_DLQ_REDRIVE:
    case COMMAND_DLQ_PURGE:
        c->dead.topic = mpack_read_bin(r);
        c->dead.group = mpack_read_bin(r);
        c->dead.ids = read_list(r, a, &c->dead.ids_count);
        c->dead.count = mpack_read_uint(r);
        c->dead.rate = (uint32_t)mpack_read_uint(r);
        return;
    case COMMAND_TAKE_UP:
        read_take_up(r, a, &c->take_up);
        return;
    case COMMAND_JOB_CANCEL:
        c->job = mpack_read_uint(r);
        return;
    case COMMAND_CLOCK:
        c->machine_ms = mpack_read_int(r);
        return;
    }
    r->failed = true;
}

int batch_decode(struct slice bytes, struct batch *ret, struct batch_memory **ret_memory)
{
    struct mpack_reader r;
    struct arena arena = {0};
    struct batch b = {0};
    if (!mpack_check(bytes.data, bytes.size, 5))
        return SHUNT_CORRUPT;
    mpack_read_init(&r, bytes.data, bytes.size);
    if (mpack_read_array(&r) != 7)
        return SHUNT_CORRUPT;
    b.index = mpack_read_uint(&r);
    b.time_ms = mpack_read_int(&r);
    b.room.bytes = mpack_read_uint(&r);
    b.room.publish_bytes = mpack_read_uint(&r);
    b.room.first = mpack_read_bool(&r);
    uint64_t fullness = mpack_read_uint(&r);
    r.failed |= fullness > STORE_LAST;
    b.room.fullness = (enum fullness)fullness;
    b.count = mpack_read_array(&r);
    struct command *commands = r.failed ? NULL : take(&arena, b.count, sizeof *commands);
    b.commands = commands;
    for (size_t i = 0; commands && !r.failed && i < b.count; i++)
        read_command(&r, &arena, &commands[i]);
    if (r.failed || arena.failed) {
        batch_memory_free(arena.memory);
        return arena.failed ? SHUNT_NO_MEMORY : SHUNT_CORRUPT;
    }
    *ret = b;
    *ret_memory = arena.memory;
    return 0;
}
