/* check_clean: whatever the ledger did, the check finds nothing wrong. */
#include "tests/unit/check/check_bench.h"
#include "tests/unit/core/ledger_identities.h"

#include "broker/check.h"
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

static struct fixture f;

static void expect_clean(const char *when)
{
    uint64_t problems = 99;
    char *report = bench_check(&f, &problems);
    cr_assert_eq(problems, 0, "%s\n%s", when, report);
    free(report);
}

Test(check_clean, store_in_order_gets_one_line)
{
    uint64_t problems = 99;
    bench_init(&f);
    char *report = bench_check(&f, &problems);
    cr_assert_str_eq(report, "clean: topics=1 groups=2 messages=11 problems=0\n");
    cr_assert_eq(problems, 0);
    free(report);
    bench_done(&f);
}

Test(check_clean, new_store_is_in_order)
{
    uint64_t problems = 99;
    f.store = store_memory_open(1 << 24);
    char *report = bench_check(&f, &problems);
    cr_assert_str_eq(report, "clean: topics=0 groups=0 messages=0 problems=0\n");
    free(report);
    store_close(f.store);
}

Test(check_clean, store_that_cannot_be_read_is_a_failure_and_no_verdict)
{
    uint64_t problems = 99;
    char *text = NULL;
    size_t size = 0;
    bench_init(&f);
    FILE *report = open_memstream(&text, &size);
    store_memory_fault(f.store, 0, 1, SHUNT_IO);
    cr_assert_eq(check_store(f.store, report, &problems), SHUNT_IO);
    cr_assert_eq(problems, 99);
    cr_assert_eq(fclose(report), 0);
    free(text);
    bench_done(&f);
}

/* A job clears a deleted group or topic away in steps; between them, rows stand for what is gone. */
Test(check_clean, deletion_half_done_is_in_order)
{
    fixture_init(&f);
    f.careless = f.quiet = true;
    topic_create_groups(&f, "orders", "default audit");
    for (int i = 0; i < 40; i++)
        publish(&f, "orders", 50);
    assign(&f, "orders", "audit", 1500);
    for (uint64_t seq = 1; seq < 1500; seq += 2) {
        if (seq % 3)
            ack(&f, "orders", "audit", seq);
        else
            fail(&f, "orders", "audit", seq, seq % 4 == 1 ? ATTEMPT_REJECTED : ATTEMPT_NACKED);
    }
    expect_clean("before");
    group_delete(&f, "orders", "audit");
    unsigned steps = 0;
    for (; ledger_tick_at(f.l) <= T0 + f.now_ms; steps++) {
        expect_clean("while a group is cleared away");
        tick(&f, f.now_ms);
    }
    cr_assert_gt(steps, 3);
    expect_clean("after the group");
    topic_delete(&f, "orders");
    for (; ledger_tick_at(f.l) <= T0 + f.now_ms; steps++) {
        expect_clean("while a topic is cleared away");
        tick(&f, f.now_ms);
    }
    expect_clean("after the topic");
    cr_assert_eq(rows_in(&f, TABLE_MESSAGE) + rows_in(&f, TABLE_ATTEMPT) + rows_in(&f, TABLE_DUE), 0);
    bench_done(&f);
}

Test(check_clean, deletion_of_a_dlqs_further_group_half_done_is_in_order)
{
    fixture_init(&f);
    f.careless = f.quiet = true;
    topic_create(&f, "orders", settings(POLICY_ttl_ms, 10, -1));
    publish(&f, "orders", 1500);
    fixture_at(&f, 10);
    tick_until_quiet(&f);
    group_create(&f, "dlq:orders:default", "audit", false);
    for (int i = 0; i < 2; i++) {
        assign(&f, "dlq:orders:default", "default", 700);
        for (uint64_t seq = 1; seq <= 700; seq++)
            ack(&f, "dlq:orders:default", "default", 700u * (unsigned)i + seq);
    }
    assign(&f, "dlq:orders:default", "audit", 600);
    for (uint64_t seq = 1; seq < 600; seq += 2)
        nack(&f, "dlq:orders:default", "audit", seq, 5000);
    expect_clean("before");
    group_delete(&f, "dlq:orders:default", "audit");
    unsigned steps = 0;
    for (; ledger_tick_at(f.l) <= T0 + f.now_ms; steps++) {
        expect_clean("while it is cleared away");
        tick(&f, f.now_ms);
    }
    cr_assert_gt(steps, 2);
    expect_clean("after it");
    cr_assert_eq(rows_in(&f, TABLE_DEAD), 100);
    bench_done(&f);
}

/* ---- random traffic ---- */

static const char *const topics[] = {"a", "b", "dlq:a:default", "dlq:a:x"};
static const char *const groups[] = {"default", "x"};
static uint64_t state;

/* splitmix64. (In what order a compiler rolls for the arguments of one call is its own choice: traffic
 * differs, and all of it must be clean.) */
static uint32_t roll(uint32_t sides)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(((z ^ z >> 31) >> 32) * sides >> 32);
}

static bool is_there(const char *topic, const char *group)
{
    int err;
    return ledger_group(f.l, text(topic), text(group), &err) != NULL;
}

static void admin(const char *topic, const char *group)
{
    switch (roll(9)) {
    case 0:
        topic_create(&f, topic,
                     settings(POLICY_max_attempts, 1 + (int)roll(3), POLICY_expired, (int)roll(2), -1));
        break;
    case 1:
        group_create(&f, topic, group, roll(2));
        break;
    case 2:
        group_delete(&f, topic, group);
        break;
    case 3:
        if (roll(4) == 0)
            topic_delete(&f, topic);
        break;
    case 4:
        topic_purge(&f, topic, roll(2) ? group : NULL);
        break;
    case 5:
        dlq_purge(&f, topic, group, 1 + roll(5));
        break;
    case 6:
        group_update(&f, topic, group, settings(POLICY_dlq_retention_ms, (int)roll(20000), -1));
        break;
    default:
        redrive(&f, topic, group, roll(3) ? 1 + roll(9) : UINT64_MAX, roll(3) ? 0 : 50);
        break;
    }
}

static void set_rule(const char *topic, const char *group)
{
    const struct rule_command c = {.topic = text(topic),
                                   .group = text(group),
                                   .number = 1 + roll(3),
                                   .define = true,
                                   .action = (enum rule_action)roll(RULE_ACTIONS),
                                   .times = 2,
                                   .wait_ms = 1 + roll(2000),
                                   .wait_max_ms = 2000,
                                   .filter.has_reason = roll(2),
                                   .filter.reason = DEAD_MAX_ATTEMPTS};
    if (roll(3))
        rule_set(&f, &c);
    else
        rule_delete(&f, topic, group, c.number);
}

static void edit_letter(const char *topic, const char *group)
{
    int err;
    const struct group *g = ledger_group(f.l, text(topic), text(group), &err);
    char id[24];
    if (!g || !g->dlq)
        return;
    for (uint64_t seq = 1, head = g->dlq->r.head; seq < head; seq += 1 + roll(3)) {
        (void)snprintf(id, sizeof id, "%llu", (unsigned long long)seq);
        edit(&f, topic, group, id, roll(3) ? 0 : f.l->meta.job_next - 1, roll(5) ? "mended" : NULL);
    }
}

static void answer(const char *topic, const char *group)
{
    uint64_t head = ledger_topic(f.l, text(topic))->r.head, seq = 1 + roll((uint32_t)head);
    for (int i = 0; i < 12; i++, seq++) {
        if (roll(3))
            ack(&f, topic, group, seq);
        else
            fail(&f, topic, group, seq, (enum attempt_outcome)roll(ATTEMPT_BROKER_RESTART));
    }
}

static void publish_numbered(const char *topic)
{
    static uint64_t next = 1;
    for (int i = 0; i < 20; i++) {
        uint64_t sequence = roll(4) ? next++ : 1 + roll((uint32_t)next);
        publish_as(&f, topic, roll(2) ? "producer-0000001" : "producer-0000002", sequence,
                   roll(40) || next < 60 ? 0 : next - roll(60), 1, 0);
    }
}

static void change_identities(unsigned n)
{
    static const char *const names[] = {"ann", "bob", "kim"};
    const char *name = names[n / 7 % 3];
    switch (n % 7) {
    case 0:
        role_set(&f, name, "orders*", 1 + n % RIGHTS_ALL);
        break;
    case 1:
    case 4:
        user_with_role(&f, name, n % 2 ? ROLE_ADMINISTRATOR : names[n % 3]);
        break;
    case 5:
        role_delete(&f, names[n % 3]);
        break;
    case 6:
        user_delete(&f, names[n % 2]);
        break;
    default:
        token_add(&f, name, n % 2 ? 0 : T0 + f.now_ms + n % 30 * 1000);
        break;
    }
}

static void step(void)
{
    const char *topic = topics[roll(4)], *group = groups[roll(2)];
    uint32_t what = roll(100);
    if (what < 5) {
        publish_numbered(topic);
    } else if (what < 20) {
        publish(&f, topic, 1 + roll(20));
    } else if (what < 30) {
        publish_timed(&f, topic, roll(3) ? 0 : 1 + roll(3000), roll(2) ? 0 : 1 + roll(6000));
    } else if (what < 32) {
        admin(topic, group);
    } else if (what < 33) {
        set_rule(topic, group);
    } else if (what < 38) {
        edit_letter(topic, group);
    } else if (what < 48) {
        tick(&f, f.now_ms + roll(1500));
    } else if (what < 49) {
        fixture_reload(&f);
        recover(&f);
    } else if (is_there(topic, group) && what < 75) {
        assign_lane(&f, topic, group, roll(5) ? LANE_NORMAL : LANE_SUSPECT, 1 + roll(12));
    } else if (is_there(topic, group)) {
        answer(topic, group);
    }
}

/* As if the newest message of each topic had been found so elsewhere. */
static void mark_damaged(void)
{
    for (size_t i = 0; i < f.l->names_count; i++) {
        const struct topic *t = f.l->names[i];
        const struct damaged_command found = {t->r.id, t->r.head - 1};
        fixture_run(&f, (struct command){.kind = COMMAND_DAMAGED, .damaged = found});
    }
}

ParameterizedTestParameters(check_clean, after_random_traffic)
{
    static uint32_t seeds[] = {1, 2, 3, 4};
    return cr_make_param_array(uint32_t, seeds, sizeof seeds / sizeof seeds[0]);
}

ParameterizedTest(uint32_t *seed, check_clean, after_random_traffic)
{
    char when[64];
    uint64_t seen[TABLE_COUNT] = {0};
    state = *seed;
    static const struct actor somebody = {.request = 30, .client = {"ann", 3}};
    fixture_init(&f);
    f.careless = f.quiet = true;
    f.by = &somebody;
    topic_create(&f, topics[0], settings(POLICY_max_attempts, 2, -1));
    for (int i = 0; i < 4000; i++) {
        step();
        if (i % 10 == 7)
            change_identities((unsigned)i / 10);
        if (i % 20)
            continue;
        (void)snprintf(when, sizeof when, "seed %u, step %d", *seed, i);
        if (i % 1000 == 500)
            mark_damaged();
        expect_clean(when);
        for (unsigned table = 0; table < TABLE_COUNT; table++)
            seen[table] += rows_in(&f, (enum store_table)table);
    }
    for (unsigned table = 0; table < TABLE_COUNT; table++)
        cr_assert(seen[table] > 0, "table %u was empty all the time", table);
    bench_done(&f);
}
