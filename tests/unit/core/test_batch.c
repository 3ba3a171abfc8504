/* Batches as bytes: what is out of bounds is refused, and without memory there is no half of one. */
#include "proto/limits.h"
#include "tests/unit/core/faults.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define KIND_UNKNOWN 1000

static const struct slice names[] = {{"a", 1}, {"b", 1}};
static const struct resolution ends[] = {
    {.seq = 1, .token = 1, .acked = true},
    {.seq = 2, .token = 1, .outcome = ATTEMPT_NACKED, .delay_ms = 5, .error_type = {"E", 1}},
};
static const struct delivery_name kept[] = {{1, 2}, {UINT64_MAX, 3}};
static const struct actor operator_ann = {.request = 71, .client = {"ann", 3}, .reason = {"", 0}};
static const struct command commands[] = {
    {.kind = COMMAND_TOPIC_CREATE, .topic = {.topic = {"t", 1}, .groups = names, .groups_count = 2}},
    {.kind = COMMAND_PUBLISH, .publish = {.topic = {"t", 1}, .messages = {"\x91\xc4\x00", 3}, .count = 1}},
    {.kind = COMMAND_RESOLVE, .resolve = {.group = 1, .entries = ends, .count = 2}},
    {.kind = COMMAND_DLQ_REDRIVE,
     .dead = {.topic = {"t", 1}, .group = {"a", 1}, .ids = names, .ids_count = 2}},
    {.kind = COMMAND_TAKE_UP, .take_up = {.group = 1, .entries = kept, .count = 2}},
    {.kind = COMMAND_JOB_CANCEL, .by = &operator_ann, .job.id = 17},
    {.kind = COMMAND_CLOCK, .clock.machine_ms = 1700000000000},
};
static const struct batch sample = {
    .index = 7, .time_ms = 1000, .commands = commands, .count = sizeof commands / sizeof *commands};

static int decode(const struct mpack_buffer *bytes)
{
    struct batch b;
    struct batch_memory *memory = NULL;
    int err = batch_decode((struct slice){bytes->data, bytes->size}, &b, &memory);
    if (!err) {
        cr_assert(b.index == 7 && b.count == sample.count && b.commands[2].resolve.entries[1].delay_ms == 5 &&
                  b.commands[4].take_up.entries[1].seq == UINT64_MAX);
        cr_assert(!b.commands[4].by && b.commands[5].by && b.commands[5].by->request == 71);
    }
    batch_memory_free(memory);
    return err;
}

Test(batch, without_memory_is_neither_written_nor_read)
{
    struct mpack_buffer whole = {0};
    unsigned failures = 0;
    cr_assert_eq(batch_encode(&whole, &sample), 0);
    for (bool failed = true; failed; failures += failed) {
        struct mpack_buffer bytes = {0};
        no_memory_arm(failures + 1);
        int err = batch_encode(&bytes, &sample);
        failed = no_memory_calls() > failures;
        no_memory_arm(0);
        cr_assert_eq(err, failed ? SHUNT_NO_MEMORY : 0);
        mpack_buffer_done(&bytes);
    }
    cr_assert_geq(failures, 1);
    failures = 0;
    for (bool failed = true; failed; failures += failed) {
        no_memory_arm(failures + 1);
        int err = decode(&whole);
        failed = no_memory_calls() > failures;
        no_memory_arm(0);
        cr_assert_eq(err, failed ? SHUNT_NO_MEMORY : 0, "allocation %u: %s", failures + 1, err_name(err));
    }
    cr_assert_eq(failures, 6, "the commands, two lists, the entries, the deliveries, the actor");
    mpack_buffer_done(&whole);
}

/* A batch of one command that is written by hand: its array of `values`, which are in `fields`. */
static int decode_one(const struct mpack_buffer *fields, uint32_t values)
{
    struct mpack_buffer b = {0};
    mpack_write_array(&b, 4);
    mpack_write_uint(&b, 7);
    mpack_write_int(&b, 1000);
    mpack_write_array(&b, 4);
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, 0);
    mpack_write_bool(&b, false);
    mpack_write_uint(&b, STORE_HAS_ROOM);
    mpack_write_array(&b, 1);
    mpack_write_array(&b, values);
    mpack_write_raw(&b, fields->data, fields->size);
    struct batch got;
    struct batch_memory *memory = NULL;
    int err = batch_decode((struct slice){b.data, b.size}, &got, &memory);
    batch_memory_free(memory);
    mpack_buffer_done(&b);
    return err;
}

static int decode_list(uint32_t items)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, COMMAND_TOPIC_CREATE);
    mpack_write_nil(&b);
    mpack_write_bin(&b, "t", 1);
    mpack_write_array(&b, 2);
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, 0);
    mpack_write_array(&b, items);
    for (uint32_t i = 0; i < items; i++)
        mpack_write_bin(&b, "g", 1);
    int err = decode_one(&b, 5);
    mpack_buffer_done(&b);
    return err;
}

/* Of acks, each an array of so many values. */
static int decode_entries(uint32_t entries, uint32_t values)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, COMMAND_RESOLVE);
    mpack_write_nil(&b);
    mpack_write_uint(&b, 1);
    mpack_write_array(&b, 3);
    for (int i = 0; i < 3; i++)
        mpack_write_bin(&b, "", 0);
    mpack_write_array(&b, entries);
    for (uint32_t i = 0; i < entries; i++) {
        mpack_write_array(&b, values);
        mpack_write_uint(&b, 1);
        mpack_write_uint(&b, 1);
        mpack_write_bool(&b, true);
        for (uint32_t more = 3; more < values; more++)
            mpack_write_uint(&b, 0);
    }
    int err = decode_one(&b, 5);
    mpack_buffer_done(&b);
    return err;
}

Test(batch, lists_are_as_long_as_frames_allow_and_no_longer)
{
    cr_assert_eq(decode_list(FRAME_MESSAGES_MAX), 0);
    cr_assert_eq(decode_list(FRAME_MESSAGES_MAX + 1), SHUNT_CORRUPT);
    cr_assert_eq(decode_entries(RESOLUTIONS_MAX, 3), 0);
    cr_assert_eq(decode_entries(RESOLUTIONS_MAX + 1, 3), SHUNT_CORRUPT);
}

Test(batch, is_as_long_as_its_bound_and_no_longer)
{
    struct command *ticks = calloc(BATCH_COMMANDS_MAX + 1, sizeof *ticks);
    cr_assert(ticks);
    for (size_t i = 0; i <= BATCH_COMMANDS_MAX; i++)
        ticks[i].kind = COMMAND_TICK;
    struct batch b = {.index = 1, .commands = ticks, .count = BATCH_COMMANDS_MAX}, got;
    struct batch_memory *memory = NULL;
    struct mpack_buffer bytes = {0};
    cr_assert_eq(batch_encode(&bytes, &b), 0);
    cr_assert_eq(batch_decode((struct slice){bytes.data, bytes.size}, &got, &memory), 0);
    cr_assert_eq(got.count, BATCH_COMMANDS_MAX);
    batch_memory_free(memory);
    /* One more, by hand: the count is the array's 32 bits, before as many commands of 3 bytes. */
    mpack_write_raw(&bytes, "\x92\x03\xc0", 3);
    uint8_t *count = bytes.data + bytes.size - 3 * (BATCH_COMMANDS_MAX + 1) - 4;
    cr_assert_eq(count[-1], 0xdd);
    count[3]++;
    cr_assert_eq(batch_decode((struct slice){bytes.data, bytes.size}, &got, &memory), SHUNT_CORRUPT);
    mpack_buffer_done(&bytes);
    free(ticks);
}

/* ASSIGN with one of its fields as given, and with one field too many or too few. */
static int decode_assign(uint64_t group, uint64_t lane, int more)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, COMMAND_ASSIGN);
    mpack_write_nil(&b);
    mpack_write_uint(&b, group);
    mpack_write_uint(&b, lane);
    mpack_write_uint(&b, 1);
    mpack_write_uint(&b, 1);
    mpack_write_bool(&b, false);
    for (int i = 0; i <= more; i++)
        mpack_write_uint(&b, 0);
    int err = decode_one(&b, (uint32_t)(8 + more));
    mpack_buffer_done(&b);
    return err;
}

static int decode_change(uint64_t given, uint32_t values)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, COMMAND_TOPIC_CREATE);
    mpack_write_nil(&b);
    mpack_write_bin(&b, "t", 1);
    mpack_write_array(&b, 2 + values);
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, given);
    for (uint32_t i = 0; i < values; i++)
        mpack_write_uint(&b, 1);
    mpack_write_array(&b, 0);
    int err = decode_one(&b, 5);
    mpack_buffer_done(&b);
    return err;
}

Test(batch, what_is_out_of_its_bounds_is_refused)
{
    struct mpack_buffer unknown = {0};
    mpack_write_uint(&unknown, KIND_UNKNOWN);
    cr_assert_eq(decode_one(&unknown, 1), SHUNT_CORRUPT);
    cr_assert_eq(decode_one(&unknown, 0), SHUNT_CORRUPT, "an array of nothing before a number");
    mpack_buffer_done(&unknown);
    cr_assert_eq(decode_assign(UINT32_MAX, LANES - 1, 0), 0);
    cr_assert_eq(decode_assign((uint64_t)UINT32_MAX + 1, LANES - 1, 0), SHUNT_CORRUPT);
    cr_assert_eq(decode_assign(1, LANES, 0), SHUNT_CORRUPT);
    cr_assert_eq(decode_assign(1, 0, 1), SHUNT_CORRUPT);
    cr_assert_eq(decode_assign(1, 0, -1), SHUNT_CORRUPT);
    cr_assert_eq(decode_entries(1, 4), SHUNT_CORRUPT, "an ack has three values");
    cr_assert_eq(decode_change(1u << (POLICY_COUNT - 1), 1), 0);
    cr_assert_eq(decode_change(1u << POLICY_COUNT, 0), SHUNT_CORRUPT);
    cr_assert_eq(decode_change(1, 2), SHUNT_CORRUPT);
}

/* ---- every field of the table, there and back, at its largest or least ---- */

static bool same_bytes(const struct slice *a, const struct slice *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static bool same_change(const struct policy_change *a, const struct policy_change *b)
{
    return a->reset == b->reset && a->set.given == b->set.given &&
           a->set.value[POLICY_COUNT - 1] == b->set.value[POLICY_COUNT - 1];
}

#define same_flag(a, b) (*(a) == *(b))
#define same_u32(a, b)  (*(a) == *(b))
#define same_u64(a, b)  (*(a) == *(b))
#define same_i64(a, b)  (*(a) == *(b))
#define same_code(a, b) (*(a) == *(b))

#define fill_flag(v)  (*(v) = true)
#define fill_u32(v)   (*(v) = UINT32_MAX)
#define fill_u64(v)   (*(v) = UINT64_MAX)
#define fill_i64(v)   (*(v) = INT64_MIN)
#define fill_code(v)  (*(v) = SHUNT_NO_SPACE)
#define fill_bytes(v) (*(v) = (struct slice){"\xff", 1})
#define fill_change(v)                                                                                       \
    (*(v) = (struct policy_change){                                                                          \
         .set = {.given = 1u << (POLICY_COUNT - 1), .value[POLICY_COUNT - 1] = INT64_MIN},                   \
         .reset = (1u << POLICY_COUNT) - 1})

#define PART(name, text) RECORD(name, name, text)
#define RECORD(name, member, text)                                                                           \
    static void fill_##member(struct name *c)                                                                \
    {
#define FIELD(kind, name, text)         fill_##kind(&c->name);
#define HINT(kind, name, text)          c->name = (KIND_##kind){0};
#define CHOICE(type, name, count, text) c->name = count - 1;
#define STOP_IF(name)                   c->name = false;
#define LIST(kind, name, items, max, text)                                                                   \
    static KIND_##kind one_of_##name;                                                                        \
    fill_##kind(&one_of_##name);                                                                             \
    c->name = &one_of_##name;                                                                                \
    c->items = 1;
#define PART_END }
#define END      }
#include "broker/core/command.def"

#define PART(name, text) RECORD(name, name, text)
#define RECORD(name, member, text)                                                                           \
    static bool same_##member(const struct name *a, const struct name *b)                                    \
    {                                                                                                        \
        bool same = true;                                                                                    \
        (void)a, (void)b;
#define FIELD(kind, name, text)            same &= same_##kind(&a->name, &b->name);
#define CHOICE(type, name, count, text)    same &= a->name == b->name;
#define LIST(kind, name, items, max, text) same &= a->items == b->items && same_##kind(a->name, b->name);
#define PART_END                           END
#define END                                                                                                  \
    return same;                                                                                             \
    }
#include "broker/core/command.def"

static void there_and_back(const struct command *c, struct batch *ret, struct batch_memory **ret_memory,
                           struct mpack_buffer *bytes)
{
    struct batch b = {.index = UINT64_MAX, .time_ms = INT64_MIN, .commands = c, .count = 1};
    fill_batch_room(&b.room);
    cr_assert_eq(batch_encode(bytes, &b), 0);
    cr_assert_eq(batch_decode((struct slice){bytes->data, bytes->size}, ret, ret_memory), 0, "%s",
                 command_name(c->kind));
    cr_assert(ret->index == b.index && ret->time_ms == b.time_ms && same_batch_room(&ret->room, &b.room));
    cr_assert(ret->count == 1 && ret->commands[0].kind == c->kind);
}

Test(batch, every_field_of_every_command_comes_back){
#define COMMAND(NAME, number, member, apply, least, text)                                                    \
    {                                                                                                        \
        struct command c = {.kind = COMMAND_##NAME};                                                         \
        struct batch got;                                                                                    \
        struct batch_memory *memory = NULL;                                                                  \
        struct mpack_buffer bytes = {0};                                                                     \
        struct actor by;                                                                                     \
        fill_##member(&c.member);                                                                            \
        fill_actor(&by);                                                                                     \
        c.by = &by;                                                                                          \
        there_and_back(&c, &got, &memory, &bytes);                                                           \
        cr_assert(same_##member(&c.member, &got.commands[0].member), "%s", #NAME);                           \
        cr_assert(got.commands[0].by &&same_actor(&by, got.commands[0].by), "%s", #NAME);                    \
        batch_memory_free(memory);                                                                           \
        mpack_buffer_done(&bytes);                                                                           \
    }
#include "broker/core/command.def"
}

Test(batch, a_command_says_of_which_topic_and_group_it_speaks)
{
    const struct slice t = {"t", 1}, a = {"a", 1};
    struct command_names of = command_names(&commands[0]);
    cr_assert(same_bytes(&of.topic, &t) && !of.group.size && !of.job);
    of = command_names(&commands[3]);
    cr_assert(same_bytes(&of.topic, &t) && same_bytes(&of.group, &a));
    of = command_names(&commands[2]);
    cr_assert(!of.topic.size && !of.group.size, "RESOLVE names a group by its id");
    of = command_names(&commands[5]);
    cr_assert_eq(of.job, 17);
}

/* As a batch from a log of a later version would be. */
Test(batch, a_kind_of_command_that_there_is_not_is_not_applied)
{
    struct fixture f;
    struct store_txn *t;
    fixture_init(&f);
    const struct command unknown = {.kind = (enum command_kind)KIND_UNKNOWN};
    const struct batch b = {.index = ledger_index(f.l) + 1, .time_ms = T0, .commands = &unknown, .count = 1};
    cr_assert_eq(store_begin(f.store, true, &t), 0);
    cr_assert_eq(ledger_apply(f.l, t, &b), SHUNT_CORRUPT);
    store_abort(t);
    fixture_done(&f);
}
