/* test_ledger_acts: the audit log. The audit after each batch compares its rows with what is counted of them. */
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct actor ann = {.request = 62,
                                 .client = {"ann@shop", 8},
                                 .host = {"desk", 4},
                                 .peer = {"192.0.2.7:5123", 14},
                                 .reason = {"ticket 12", 9},
                                 .asked = {"count=2", 7}};

static void act(struct fixture *f, struct command c)
{
    c.by = &ann;
    fixture_run(f, c);
}

static void act_purge(struct fixture *f)
{
    act(f, (struct command){.kind = COMMAND_TOPIC_PURGE, .purge = {.topic = text("t")}});
}

static void keep(struct fixture *f, int64_t keep_ms, uint64_t bytes)
{
    fixture_run(f, (struct command){.kind = COMMAND_LIMITS,
                                    .limits = {.topics_max = 100,
                                               .groups_max = 10,
                                               .body_bytes_max = 1 << 20,
                                               .dedup_window_ms = 3600000,
                                               .audit_keep_ms = keep_ms,
                                               .audit_bytes_max = bytes}});
}

static bool is(struct slice s, const char *what)
{
    return slice_is(s, what);
}

/* The row of that number; its texts live until the next call. */
static struct audit_record row(struct fixture *f, uint64_t id)
{
    static uint8_t copy[RECORD_BYTES_MAX];
    struct key key = key_audit(id);
    struct store_txn *t;
    struct slice value;
    struct audit_record r;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_AUDIT, key_slice(&key), &value), 0, "row %llu", (unsigned long long)id);
    memcpy(copy, value.data, value.size);
    cr_assert_eq(audit_decode(key_slice(&key), (struct slice){copy, value.size}, &r), 0);
    store_abort(t);
    return r;
}

static uint64_t rows(struct fixture *f)
{
    return rows_in(f, TABLE_AUDIT);
}

/* ---- what is noted ---- */

Test(ledger_acts, an_act_leaves_a_row_that_says_who_what_when_from_where_and_why)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    fail(&f, "t", "default", 2, ATTEMPT_REJECTED);
    fixture_at(&f, 7000);
    act(&f, (struct command){.kind = COMMAND_DLQ_REDRIVE,
                             .dead = {.topic = text("t"), .group = text("default"), .count = 2}});
    cr_assert_eq(f.err, 0);
    cr_assert_eq(rows(&f), 1);
    struct audit_record r = row(&f, 1);
    cr_assert(r.time_ms == T0 + 7000 && r.request == 62 && r.job == f.job && r.job && r.count == 2);
    cr_assert(is(r.topic, "t") && is(r.group, "default") && is(r.client, "ann@shop") && is(r.host, "desk"));
    cr_assert(is(r.peer, "192.0.2.7:5123") && is(r.reason, "ticket 12") && is(r.asked, "count=2"));
    fixture_done(&f);
}

Test(ledger_acts, every_command_of_operators_leaves_one)
{
    struct fixture f;
    const struct slice t = text("t"), g = text("g"), more = text("more");
    fixture_init(&f);
    const struct command all[] = {
        {.kind = COMMAND_TOPIC_CREATE, .topic = {.topic = t}},
        {.kind = COMMAND_TOPIC_UPDATE, .topic = {.topic = t, .change = settings(POLICY_lease_ms, 5000, -1)}},
        {.kind = COMMAND_GROUP_CREATE, .group = {.topic = t, .group = g}},
        {.kind = COMMAND_GROUP_CREATE, .group = {.topic = t, .group = more}},
        {.kind = COMMAND_GROUP_UPDATE, .group = {.topic = t, .group = g}},
        {.kind = COMMAND_GROUP_PAUSE, .group = {.topic = t, .group = g, .paused = true}},
        {.kind = COMMAND_DLQ_REDRIVE, .dead = {.topic = t, .group = g, .count = UINT64_MAX}},
        {.kind = COMMAND_DLQ_PURGE, .dead = {.topic = t, .group = g, .count = UINT64_MAX}},
        {.kind = COMMAND_TOPIC_PURGE, .purge = {.topic = t}},
        {.kind = COMMAND_CLOCK, .clock.machine_ms = 5},
        {.kind = COMMAND_GROUP_DELETE, .group = {.topic = t, .group = more}},
        {.kind = COMMAND_TOPIC_DELETE, .topic = {.topic = t}},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        act(&f, all[i]);
        cr_assert_eq(f.err, 0, "%s: %s", command_name(all[i].kind), err_name(f.err));
        cr_assert_eq(rows(&f), i + 1, "%s", command_name(all[i].kind));
        cr_assert(f.changed);
        struct command_names names = command_names(&all[i]);
        struct audit_record r = row(&f, i + 1);
        cr_assert(r.topic.size == names.topic.size && r.group.size == names.group.size);
    }
    fixture_done(&f);
}

Test(ledger_acts, what_was_refused_leaves_none)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    const struct command refused[] = {
        {.kind = COMMAND_TOPIC_CREATE, .topic.topic = text("t")},
        {.kind = COMMAND_TOPIC_DELETE, .topic.topic = text("none")},
        {.kind = COMMAND_GROUP_DELETE, .group = {.topic = text("t"), .group = text("default")}},
        {.kind = COMMAND_DLQ_PURGE, .dead = {.topic = text("dlq:t:default"), .group = text("default")}},
        {.kind = COMMAND_CAUSE_UPDATE,
         .cause = {.topic = text("t"), .group = text("default"), .fingerprint = 7}},
        {.kind = COMMAND_JOB_CANCEL, .job.id = 99},
        {.kind = COMMAND_CLOCK, .clock.machine_ms = -5},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        act(&f, refused[i]);
        cr_assert_neq(f.err, 0, "%s", command_name(refused[i].kind));
        cr_assert_eq(rows(&f), 0, "%s", command_name(refused[i].kind));
    }
    fixture_done(&f);
}

Test(ledger_acts, without_an_actor_there_is_none)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    topic_purge(&f, "t", NULL);
    cr_assert_eq(rows(&f), 0);
    fixture_done(&f);
}

Test(ledger_acts, an_act_on_a_job_names_the_topic_and_group_of_the_job_even_when_it_is_over)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        fail(&f, "t", "default", seq, ATTEMPT_REJECTED);
    redrive(&f, "t", "default", UINT64_MAX, 1);
    uint64_t job = f.job;
    for (int i = 1; i <= 2; i++) { /* it runs; it is over */
        act(&f, (struct command){.kind = COMMAND_JOB_CANCEL, .job.id = job});
        cr_assert_eq(f.err, 0);
        struct audit_record r = row(&f, (uint64_t)i);
        cr_assert(is(r.topic, "t") && is(r.group, "default") && r.job == job);
    }
    fixture_done(&f);
}

Test(ledger_acts, longer_texts_are_cut_and_the_longest_row_is_within_its_bound)
{
    static char text_of[5000];
    struct fixture f;
    char name[NAME_BYTES_MAX + 1];
    fixture_init(&f);
    memset(name, 'n', NAME_BYTES_MAX);
    name[NAME_BYTES_MAX] = 0;
    for (size_t i = 0; i + 1 < sizeof text_of; i += 2)
        memcpy(text_of + i, "\xc3\xa9", 2); /* é */
    const struct slice more = {text_of, sizeof text_of};
    const struct actor by = {.client = more, .host = more, .peer = more, .reason = more, .asked = more};
    fixture_run(&f, (struct command){.kind = COMMAND_TOPIC_CREATE, .by = &by, .topic.topic = text(name)});
    topic_create(&f, "t", settings(-1));
    fixture_run(&f, (struct command){.kind = COMMAND_GROUP_CREATE,
                                     .by = &by,
                                     .group = {.topic = text(name), .group = text(name)}});
    cr_assert_eq(f.err, 0);
    struct audit_record r = row(&f, 2);
    cr_assert(r.topic.size == NAME_BYTES_MAX && r.group.size == NAME_BYTES_MAX);
    cr_assert(r.client.size == CLIENT_NAME_BYTES_MAX && r.host.size == CLIENT_NAME_BYTES_MAX);
    cr_assert(r.peer.size == AUDIT_PEER_BYTES_MAX && r.reason.size == AUDIT_REASON_BYTES_MAX);
    cr_assert_eq(r.asked.size, AUDIT_ASKED_BYTES_MAX);
    cr_assert_leq(f.l->meta.audit_bytes, 2 * AUDIT_ROW_BYTES_MAX);
    fixture_done(&f);
}

/* ---- how long it stays ---- */

Test(ledger_acts, a_row_leaves_when_it_has_been_kept_long_enough_and_not_before)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 0, 0);
    keep(&f, 10000, 0);
    act_purge(&f); /* at 0 */
    fixture_at(&f, 400);
    act_purge(&f);
    cr_assert_eq(audit_at(f.l), T0 + 10000);
    tick(&f, 9999);
    cr_assert_eq(rows(&f), 2);
    tick(&f, 10000);
    cr_assert_eq(rows(&f), 1, "the older one is gone");
    cr_assert_eq(audit_at(f.l), T0 + 10400);
    fixture_reload(&f);
    cr_assert_eq(audit_at(f.l), T0 + 10400, "a restart does not forget when");
    tick(&f, 10400);
    cr_assert_eq(rows(&f), 0);
    cr_assert_eq(audit_at(f.l), INT64_MAX);
    act_purge(&f);
    cr_assert_eq(row(&f, 3).time_ms, T0 + 10400, "numbers are not used again");
    fixture_reload(&f);
    act_purge(&f);
    cr_assert(rows(&f) == 2 && row(&f, 4).request == 62);
    fixture_done(&f);
}

Test(ledger_acts, a_tick_takes_a_bounded_number_of_them)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 0, 0);
    f.careless = true;
    for (int i = 0; i < 300; i++)
        act_purge(&f);
    keep(&f, 1, 0);
    tick(&f, 1);
    cr_assert_eq(rows(&f), 300 - 256);
    cr_assert_leq(ledger_tick_at(f.l), T0 + 1, "the rest is due");
    tick_until_quiet(&f);
    cr_assert_eq(rows(&f), 0);
    fixture_done(&f);
}

Test(ledger_acts, the_oldest_make_room_when_all_take_more_than_they_may)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 0, 0);
    act_purge(&f);
    uint64_t one = f.l->meta.audit_bytes;
    keep(&f, 0, 3 * one);
    act_purge(&f);
    act_purge(&f);
    cr_assert_eq(rows(&f), 3, "as many bytes as there may be");
    act_purge(&f);
    cr_assert_eq(rows(&f), 3);
    cr_assert_eq(f.l->meta.audit_next - f.l->meta.audit_rows, 2, "the first one left");
    keep(&f, 0, 3 * one - 1);
    tick_until_quiet(&f);
    cr_assert_eq(rows(&f), 2, "less may be kept: the next tick sees to it");
    keep(&f, 0, 1);
    tick_until_quiet(&f);
    cr_assert_eq(rows(&f), 1, "the newest stays");
    act_purge(&f);
    cr_assert(rows(&f) == 1 && f.l->meta.audit_next == 6);
    fixture_done(&f);
}

/* So much that it is above what a full store lets it grow to. */
static void fill(struct fixture *f)
{
    f->careless = true;
    while (f->l->meta.audit_bytes <= 70 * 1024)
        act_purge(f);
}

Test(ledger_acts, in_a_store_without_room_new_rows_take_the_place_of_old_ones_and_acts_succeed)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 0, 0);
    for (f.room.fullness = STORE_FULL; f.room.fullness < STORE_FULLNESSES; f.room.fullness++) {
        enum fullness full = f.room.fullness;
        f.room.fullness = STORE_HAS_ROOM;
        fill(&f);
        uint64_t bytes = f.l->meta.audit_bytes, next = f.l->meta.audit_next;
        f.room.fullness = full;
        for (int i = 0; i < 50; i++) {
            act_purge(&f);
            cr_assert_eq(f.err, 0);
        }
        cr_assert_leq(f.l->meta.audit_bytes, bytes, "it does not grow");
        cr_assert_eq(f.l->meta.audit_next, next + 50, "all were noted");
    }
    fixture_done(&f);
}

Test(ledger_acts, a_small_log_grows_a_little_in_a_store_without_room)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 0, 0);
    f.careless = true;
    f.room.fullness = STORE_LAST;
    for (int i = 0; i < 2000; i++)
        act_purge(&f);
    cr_assert_leq(f.l->meta.audit_bytes, 64 * 1024);
    cr_assert_gt(f.l->meta.audit_bytes, 64 * 1024 - AUDIT_ROW_BYTES_MAX);
    fixture_done(&f);
}

/* ---- looking ---- */

static const char *act_name(uint32_t request)
{
    return request == 62 ? "dlq_redriven" : "other";
}

static bool is_of_dead(uint32_t request)
{
    return request == 62;
}

/* The numbers of the acts that are listed, as `1 2 3, more`, and where the next page begins. */
static const char *listed(struct fixture *f, uint64_t after, uint32_t limit, struct act_filter filter,
                          uint64_t *ret_next)
{
    static char line[256];
    struct mpack_buffer out = {0};
    struct mpack_reader r;
    struct store_txn *t;
    size_t at = 0;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    const struct view v = {.ledger = f->l, .txn = t};
    cr_assert_eq(view_audit(&v, after, limit, &filter, act_name, is_of_dead, &out), 0);
    store_abort(t);
    mpack_read_init(&r, out.data, out.size);
    line[0] = 0;
    for (uint32_t count = mpack_read_array(&r); count--;) {
        cr_assert_eq(mpack_read_map(&r), 13);
        cr_assert(slice_is(mpack_read_str(&r), "id"));
        at += (size_t)snprintf(line + at, sizeof line - at, "%s%llu", at ? " " : "",
                               (unsigned long long)mpack_read_uint(&r));
        for (int i = 0; i < 24; i++)
            (void)mpack_read_any(&r);
    }
    if (mpack_read_bool(&r))
        (void)snprintf(line + at, sizeof line - at, ", more");
    uint64_t next = mpack_read_uint(&r);
    cr_assert(!r.failed && r.at == r.end);
    if (ret_next)
        *ret_next = next;
    mpack_buffer_done(&out);
    return line;
}

Test(ledger_acts, are_listed_the_oldest_first_page_by_page_and_by_what_is_asked_for)
{
    const struct act_filter all = {0};
    struct actor bob = {.request = 63};
    uint64_t next;
    struct fixture f;
    fixture_init(&f);
    cr_assert_str_eq(listed(&f, 0, 10, all, &next), "");
    cr_assert_eq(next, 0);
    topic_create(&f, "t", settings(-1));
    topic_create(&f, "u", settings(-1));
    for (int i = 0; i < 6; i++) { /* at T0, T0 + 1000 … */
        fixture_at(&f, i * 1000);
        fixture_run(&f, (struct command){.kind = COMMAND_TOPIC_PURGE,
                                         .by = i % 3 ? &ann : &bob,
                                         .purge.topic = text(i % 2 ? "u" : "t")});
    }
    cr_assert_str_eq(listed(&f, 0, 10, all, &next), "1 2 3 4 5 6");
    cr_assert_eq(next, 6);
    cr_assert_str_eq(listed(&f, 6, 10, all, &next), "");
    cr_assert_eq(next, 6, "a client that waits for more asks again from there");
    cr_assert_str_eq(listed(&f, 0, 4, all, &next), "1 2 3 4, more");
    cr_assert_str_eq(listed(&f, next, 4, all, &next), "5 6");
    cr_assert_str_eq(listed(&f, UINT64_MAX, 4, all, NULL), "");
    cr_assert_str_eq(listed(&f, 0, 10, (struct act_filter){.topic = text("t")}, NULL), "1 3 5");
    cr_assert_str_eq(listed(&f, 0, 10, (struct act_filter){.topic = text("tt")}, NULL), "");
    cr_assert_str_eq(listed(&f, 0, 10, (struct act_filter){.request = 63}, NULL), "1 4");
    cr_assert_str_eq(listed(&f, 0, 10, (struct act_filter){.since_ms = T0 + 2000}, NULL), "3 4 5 6");
    cr_assert_str_eq(listed(&f, 0, 10, (struct act_filter){.until_ms = T0 + 2000}, NULL), "1 2");
    keep(&f, 2500, 0);
    tick(&f, 5000);
    cr_assert_str_eq(listed(&f, 1, 10, all, NULL), "4 5 6", "what has left is passed over");
    fixture_done(&f);
}

Test(ledger_acts, a_page_ends_after_so_many_that_were_looked_at)
{
    struct fixture f;
    uint64_t next;
    fixture_init_held(&f, settings(-1), 0, 0);
    f.careless = f.quiet = true;
    for (int i = 0; i < LOOK_ROWS_MAX + 5; i++)
        act_purge(&f);
    const struct act_filter none = {.request = 1};
    cr_assert_str_eq(listed(&f, 0, 10, none, &next), ", more");
    cr_assert_eq(next, LOOK_ROWS_MAX);
    cr_assert_str_eq(listed(&f, next, 10, none, &next), "");
    fixture_done(&f);
}
