/* ledger_order: an ordered group, messages with keys, and what is handed out of them. */
#ifndef SHUNT_TESTS_LEDGER_ORDER_H
#define SHUNT_TESTS_LEDGER_ORDER_H

#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* One message for each letter, which is its key; `-` has none. */
static inline void publish_keys(struct fixture *f, const char *keys, int64_t delay_ms, int64_t ttl_ms)
{
    struct mpack_buffer messages = {0};
    for (const char *key = keys; *key; key++) {
        mpack_write_array(&messages, 5);
        mpack_write_bin(&messages, "m", 1);
        mpack_write_nil(&messages);
        if (*key == '-')
            mpack_write_nil(&messages);
        else
            mpack_write_str(&messages, key, 1);
        mpack_write_int(&messages, delay_ms);
        mpack_write_int(&messages, ttl_ms);
    }
    const struct publish_command c = {
        .topic = text("t"), .count = (uint32_t)strlen(keys), .messages = {messages.data, messages.size}};
    fixture_run(f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    mpack_buffer_done(&messages);
}

/* A topic `t` whose group is ordered, and these messages. Waits after failures are 100 ms. */
static inline void begin(struct fixture *f, const char *keys)
{
    fixture_init(f);
    topic_create(f, "t",
                 settings(POLICY_order, ORDER_KEY, POLICY_backoff_min_ms, 100, POLICY_backoff_max_ms, 100,
                          POLICY_backoff_floor_ms, 100, POLICY_max_attempts, 3, -1));
    publish_keys(f, keys, 0, 0);
}

/* What so much credit gets: these numbers, in this order. */
static inline void gets_of(struct fixture *f, uint32_t credit, const char *numbers)
{
    char got[400] = "";
    size_t size = 0;
    assign(f, "t", "default", credit);
    for (uint32_t i = 0; i < f->handed; i++) {
        size += (size_t)snprintf(got + size, sizeof got - size, "%s%llu", i ? " " : "",
                                 (unsigned long long)f->handed_seqs[i]);
    }
    cr_assert_str_eq(got, numbers);
}

/* The same for as much as there can be. */
static inline void gets(struct fixture *f, const char *numbers)
{
    gets_of(f, 60, numbers);
}

static inline struct group *g_of(struct fixture *f)
{
    return fixture_group(f, "t", "default");
}

/* As begin(), with that setting. */
static inline void begin_with(struct fixture *f, int on_dead, const char *keys)
{
    begin(f, "");
    topic_update(f, "t", settings(POLICY_on_dead, on_dead, -1));
    publish_keys(f, keys, 0, 0);
}

static inline void dies(struct fixture *f, uint64_t seq)
{
    fail(f, "t", "default", seq, ATTEMPT_REJECTED);
    expect_state(f, "t", "default", seq, "dead");
}

static inline void redrive_all(struct fixture *f)
{
    redrive(f, "t", "default", UINT64_MAX, 0);
    tick_until_quiet(f);
}

#endif
