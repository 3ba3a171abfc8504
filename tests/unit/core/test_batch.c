/* Batches as bytes: what is out of bounds is refused, and without memory there is no half of one. */
#include "proto/limits.h"
#include "tests/unit/core/faults.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>

static const struct slice names[] = {{"a", 1}, {"b", 1}};
static const struct resolution ends[] = {
    {.seq = 1, .token = 1, .acked = true},
    {.seq = 2, .token = 1, .outcome = ATTEMPT_NACKED, .delay_ms = 5, .error_type = {"E", 1}},
};
static const struct delivery_name kept[] = {{1, 2}, {UINT64_MAX, 3}};
static const struct command commands[] = {
    {.kind = COMMAND_TOPIC_CREATE, .topic = {.topic = {"t", 1}, .groups = names, .groups_count = 2}},
    {.kind = COMMAND_PUBLISH, .publish = {.topic = {"t", 1}, .messages = {"\x91\xc4\x00", 3}, .count = 1}},
    {.kind = COMMAND_RESOLVE, .resolve = {.group = 1, .entries = ends, .count = 2}},
    {.kind = COMMAND_DLQ_REDRIVE,
     .dead = {.topic = {"t", 1}, .group = {"a", 1}, .ids = names, .ids_count = 2}},
    {.kind = COMMAND_TAKE_UP, .take_up = {.group = 1, .entries = kept, .count = 2}},
    {.kind = COMMAND_JOB_CANCEL, .job = 17},
    {.kind = COMMAND_CLOCK, .machine_ms = 1700000000000},
};
static const struct batch sample = {.index = 7, .time_ms = 1000, .commands = commands, .count = sizeof commands / sizeof *commands};

static int decode(const struct mpack_buffer *bytes)
{
    struct batch b;
    struct batch_memory *memory = NULL;
    int err = batch_decode((struct slice){bytes->data, bytes->size}, &b, &memory);
    if (!err)
        cr_assert(b.index == 7 && b.count == sample.count && b.commands[2].resolve.entries[1].delay_ms == 5 &&
                  b.commands[4].take_up.entries[1].seq == UINT64_MAX);
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
    cr_assert_eq(failures, 5, "the commands, two lists, the entries, the deliveries");
    mpack_buffer_done(&whole);
}

/* A batch of one command whose fields are written by hand. */
static int decode_one(const struct mpack_buffer *fields, uint32_t count)
{
    struct mpack_buffer b = {0};
    mpack_write_array(&b, 7);
    mpack_write_uint(&b, 7);
    mpack_write_int(&b, 1000);
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, 0);
    mpack_write_bool(&b, false);
    mpack_write_uint(&b, STORE_HAS_ROOM);
    mpack_write_array(&b, 1);
    mpack_write_array(&b, count);
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
    mpack_write_bin(&b, "t", 1);
    mpack_write_uint(&b, 0);
    mpack_write_uint(&b, 0);
    mpack_write_array(&b, items);
    for (uint32_t i = 0; i < items; i++)
        mpack_write_bin(&b, "g", 1);
    int err = decode_one(&b, 5);
    mpack_buffer_done(&b);
    return err;
}

static int decode_entries(uint32_t entries)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, COMMAND_RESOLVE);
    mpack_write_uint(&b, 1);
    for (int i = 0; i < 3; i++)
        mpack_write_bin(&b, "", 0);
    mpack_write_array(&b, entries);
    for (uint32_t i = 0; i < entries; i++) {
        mpack_write_array(&b, 3);
        mpack_write_uint(&b, 1);
        mpack_write_uint(&b, 1);
        mpack_write_bool(&b, true);
    }
    int err = decode_one(&b, 6);
    mpack_buffer_done(&b);
    return err;
}

Test(batch, lists_are_as_long_as_frames_allow_and_no_longer)
{
    cr_assert_eq(decode_list(FRAME_MESSAGES_MAX), 0);
    cr_assert_eq(decode_list(FRAME_MESSAGES_MAX + 1), SHUNT_CORRUPT);
    cr_assert_eq(decode_entries(FRAME_MESSAGES_MAX * 16), 0);
    cr_assert_eq(decode_entries(FRAME_MESSAGES_MAX * 16 + 1), SHUNT_CORRUPT);
}

Test(batch, kinds_lanes_and_outcomes_that_there_are_not_are_refused)
{
    struct mpack_buffer b = {0};
    mpack_write_uint(&b, COMMAND_LAST + 1);
    cr_assert_eq(decode_one(&b, 1), SHUNT_CORRUPT);
    b.size = 0;
    mpack_write_uint(&b, COMMAND_ASSIGN);
    mpack_write_uint(&b, 1);
    mpack_write_uint(&b, LANE_SUSPECT + 1);
    mpack_write_uint(&b, 1);
    mpack_write_uint(&b, 1);
    mpack_write_bool(&b, false);
    mpack_write_uint(&b, 0);
    cr_assert_eq(decode_one(&b, 7), SHUNT_CORRUPT);
    mpack_buffer_done(&b);
}

/* As a batch from a log of a later version would be. */
Test(batch, a_kind_of_command_that_there_is_not_is_not_applied)
{
    struct fixture f;
    struct store_txn *t;
    fixture_init(&f);
    const struct command unknown = {.kind = (enum command_kind)(COMMAND_LAST + 1)};
    const struct batch b = {
        .index = ledger_index(f.l) + 1, .time_ms = T0, .commands = &unknown, .count = 1};
    const struct ledger_sink sink = fixture_sink(&f);
    cr_assert_eq(store_begin(f.store, true, &t), 0);
    cr_assert_eq(ledger_apply(f.l, t, &b, &sink), SHUNT_CORRUPT);
    store_abort(t);
    fixture_done(&f);
}
