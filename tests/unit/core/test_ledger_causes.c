/* test_ledger_causes: dead letters are counted by what they died of, and by who has looked. The audit after each
 * batch compares causes and letters. */
#include "broker/core/cause.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The message dies at once, of an error of that type, in a consumer of that build. */
static void die(struct fixture *f, uint64_t seq, const char *type, const char *build)
{
    struct resolution r = {.seq = seq,
                           .token = fixture_token(f, fixture_group(f, "t", "default")->r.id, seq),
                           .outcome = ATTEMPT_REJECTED,
                           .error_type = text(type),
                           .error_message = text("it did not work")};
    fixture_run(f, (struct command){.kind = COMMAND_RESOLVE,
                                    .resolve = {.group = fixture_group(f, "t", "default")->r.id,
                                                .by = {.host = text("h"), .build = text(build)},
                                                .entries = &r,
                                                .count = 1}});
}

static const struct group *the_group(struct fixture *f)
{
    return fixture_group(f, "t", "default");
}

static const struct cause *nth(struct fixture *f, size_t i)
{
    cr_assert_lt(i, the_group(f)->causes_count);
    return the_group(f)->causes[i];
}

/* The cause with that title's beginning. */
static const struct cause *titled(struct fixture *f, const char *begin)
{
    for (size_t i = 0; i < the_group(f)->causes_count; i++) {
        if (!strncmp(nth(f, i)->r.title, begin, strlen(begin)))
            return nth(f, i);
    }
    cr_assert_fail("no cause is called %s", begin);
    return NULL;
}

Test(ledger_causes, letters_of_one_fault_have_one_cause_that_counts_them)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 4, 4);
    fixture_at(&f, 5000);
    die(&f, 1, "A", "one");
    fixture_at(&f, 9000);
    die(&f, 2, "A", "two");
    die(&f, 3, "B", "two");
    die(&f, 4, "A", "two");
    cr_assert_eq(the_group(&f)->causes_count, 2);
    const struct cause_record *a = &titled(&f, "A")->r;
    cr_assert(a->count == 3 && a->dead == 3 && a->state == CAUSE_NEW);
    cr_assert(a->first_ms == T0 + 5000 && a->last_ms == T0 + 9000);
    cr_assert(a->samples_count == 3 && a->samples[0] == 1 && a->samples[2] == 4);
    cr_assert(a->builds.count == 2 && a->builds.all[0].count == 1 && a->builds.all[1].count == 2);
    cr_assert_str_eq(a->builds.all[1].name, "two");
    cr_assert(a->hosts.count == 1 && a->hosts.all[0].count == 3);
    cr_assert_eq(titled(&f, "B")->r.count, 1);
    fixture_done(&f);
}

Test(ledger_causes, they_are_the_same_after_a_restart)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 2, 2);
    die(&f, 1, "A", "one");
    die(&f, 2, "B", "one");
    cause_update(&f, "t", "default", titled(&f, "B")->fingerprint, CAUSE_MUTED);
    struct cause_record before = titled(&f, "B")->r;
    fixture_reload(&f);
    cr_assert_eq(the_group(&f)->causes_count, 2);
    cr_assert_eq(memcmp(&before, &titled(&f, "B")->r, sizeof before), 0);
    cr_assert(!strcmp(before.owner, "kim") && !strcmp(before.note, "a note"));
    fixture_done(&f);
}

Test(ledger_causes, a_letter_that_leaves_is_taken_off_and_what_dies_again_counts_again)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        die(&f, seq, "A", "one");
    redrive(&f, "t", "default", 1, 0);
    cr_assert(nth(&f, 0)->r.dead == 2 && nth(&f, 0)->r.count == 3);
    dlq_purge(&f, "t", "default", 1);
    cr_assert_eq(nth(&f, 0)->r.dead, 1);
    assign(&f, "t", "default", 1);
    die(&f, 1, "A", "one");
    cr_assert(nth(&f, 0)->r.dead == 2 && nth(&f, 0)->r.count == 4);
    fixture_done(&f);
}

Test(ledger_causes, what_was_resolved_and_happens_again_has_regressed)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    die(&f, 1, "A", "one");
    cr_assert(f.causes == 1 && f.cause_state == CAUSE_NEW && f.cause == nth(&f, 0)->fingerprint,
              "it is told");
    cause_update(&f, "t", "default", cause_of(&f, "t", "default", 0), CAUSE_RESOLVED);
    fixture_at(&f, 7000);
    die(&f, 2, "A", "one");
    cr_assert(f.causes == 2 && f.cause_state == CAUSE_REGRESSED);
    cr_assert(nth(&f, 0)->r.state == CAUSE_REGRESSED && nth(&f, 0)->r.state_ms == T0 + 7000);
    attend(&f, "t", "default", cause_of(&f, "t", "default", 0), "");
    cr_assert_eq(nth(&f, 0)->r.state, CAUSE_SEEN);
    die(&f, 3, "A", "one");
    cr_assert_eq(f.causes, 2, "another death of it is no news");
    cr_assert_eq(nth(&f, 0)->r.state, CAUSE_SEEN, "only what was resolved regresses");
    fixture_done(&f);
}

/* ---- bounds ---- */

static void die_of_number(struct fixture *f, uint64_t seq, unsigned number)
{
    char type[16];
    /* In letters, for numbers are not what faults differ by. */
    (void)snprintf(type, sizeof type, "Fault%c%c", (char)('a' + number / 26), (char)('a' + number % 26));
    die(f, seq, type, "one");
}

Test(ledger_causes, beyond_the_limit_they_share_one_until_there_is_room)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), CAUSES_MAX + 4, 0);
    f.careless = true;
    for (unsigned i = 0; i < CAUSES_MAX + 2; i++) {
        assign(&f, "t", "default", 1);
        die_of_number(&f, i + 1, i);
        cr_assert_eq(the_group(&f)->causes_count, i + 1 < CAUSES_MAX       ? i + 1
                                                  : i + 1 < CAUSES_MAX + 1 ? CAUSES_MAX
                                                                           : CAUSES_MAX + 1);
    }
    cr_assert_eq(nth(&f, 0)->fingerprint, CAUSE_OTHERS);
    cr_assert_eq(nth(&f, 0)->r.count, 2, "shared by those that came last");
    cr_assert_eq(view_causes_shared(f.l), 1);
    cr_assert_eq(view_causes_count(f.l), CAUSES_MAX + 1);
    redrive_ids(&f, "t", "default", "t/7");
    f.careless = false;
    assign(&f, "t", "default", 2);
    die_of_number(&f, CAUSES_MAX + 3, CAUSES_MAX + 2);
    cr_assert_eq(nth(&f, 0)->r.count, 2, "one without letters made room");
    cr_assert_eq(the_group(&f)->causes_count, CAUSES_MAX + 1);
    die_of_number(&f, 7, 6);
    cr_assert_eq(nth(&f, 0)->r.count, 3, "and is new when it happens again");
    fixture_done(&f);
}

Test(ledger_causes, builds_beyond_those_counted_by_themselves_take_the_place_of_the_one_unseen_longest)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), CAUSE_SHARES_MAX + 2, CAUSE_SHARES_MAX + 2);
    for (unsigned i = 0; i < CAUSE_SHARES_MAX; i++) {
        char build[2] = {(char)('a' + i), 0};
        fixture_at(&f, 1000 + i);
        die(&f, i + 1, "A", build);
    }
    fixture_at(&f, 2000);
    die(&f, CAUSE_SHARES_MAX + 1, "A", "a");
    die(&f, CAUSE_SHARES_MAX + 2, "A", "new");
    const struct cause_shares *builds = &nth(&f, 0)->r.builds;
    cr_assert_eq(builds->count, CAUSE_SHARES_MAX);
    cr_assert_str_eq(builds->all[0].name, "a");
    cr_assert_eq(builds->all[0].count, 2);
    cr_assert_str_eq(builds->all[1].name, "new", "b had not been seen for longest");
    fixture_done(&f);
}

Test(ledger_causes, a_name_is_kept_as_long_as_it_may_be_and_cut_between_characters_beyond)
{
    enum { MAX = CAUSE_SHARE_BYTES_MAX };
    struct fixture f;
    char name[MAX + 3];
    fixture_init_held(&f, settings(-1), 4, 4);
    memset(name, 'x', sizeof name);
    name[MAX] = '\0';
    die(&f, 1, "A", name);
    const struct cause_shares *builds = &nth(&f, 0)->r.builds;
    cr_assert_str_eq(builds->all[0].name, name);
    name[MAX] = 'y';
    name[MAX + 1] = '\0';
    die(&f, 2, "A", name);
    cr_assert(builds->count == 1 && builds->all[0].count == 2, "equal as far as it is kept");
    memcpy(name + MAX - 1, "\xc3\xa4", 3);
    die(&f, 3, "A", name);
    cr_assert_eq(strlen(builds->all[1].name), MAX - 1, "no half of a character");
    die(&f, 4, "A", name);
    cr_assert(builds->count == 2 && builds->all[1].count == 2);
    fixture_done(&f);
}

Test(ledger_causes, a_build_with_control_characters_in_its_name_is_one_build)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        die(&f, seq, "A", "\x1b[2Jbuild");
    const struct cause_shares *builds = &nth(&f, 0)->r.builds;
    cr_assert(builds->count == 1 && builds->all[0].count == 3);
    cr_assert_str_eq(builds->all[0].name, "?[2Jbuild");
    fixture_done(&f);
}

Test(ledger_causes, of_the_samples_the_first_stays_and_the_others_are_the_newest)
{
    enum { MAX = CAUSE_SAMPLES_MAX };
    struct fixture f;
    fixture_init_held(&f, settings(-1), MAX + 2, MAX + 2);
    for (uint64_t seq = 1; seq <= MAX; seq++)
        die(&f, seq, "A", "one");
    const struct cause_record *r = &nth(&f, 0)->r;
    cr_assert(r->samples_count == MAX && r->samples[0] == 1 && r->samples[1] == 2 &&
              r->samples[MAX - 1] == MAX);
    die(&f, MAX + 1, "A", "one");
    cr_assert(r->samples_count == MAX && r->samples[0] == 1 && r->samples[1] == 3);
    cr_assert_eq(r->samples[MAX - 1], MAX + 1);
    die(&f, MAX + 2, "A", "one");
    cr_assert(r->samples[0] == 1 && r->samples[1] == 4 && r->samples[MAX - 1] == MAX + 2);
    fixture_done(&f);
}

Test(ledger_causes, the_example_is_the_attempt_as_its_history_has_it)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    fixture_at(&f, 4000);
    die(&f, 1, "A", "one");
    redrive(&f, "t", "default", 1, 0);
    assign(&f, "t", "default", 1);
    fixture_at(&f, 5000);
    die(&f, 1, "B", "one");
    const struct cause *b = titled(&f, "B");
    struct group *g = fixture_group(&f, "t", "default");
    struct key keys[] = {key_history(g->r.id, b->fingerprint, 1), key_history(g->r.id, 1, 2)};
    enum store_table tables[] = {TABLE_CAUSE, TABLE_HISTORY};
    struct slice rows[2];
    struct store_txn *t;
    cr_assert_eq(store_begin(f.store, false, &t), 0);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(store_get(t, tables[i], key_slice(&keys[i]), &rows[i]), 0);
    struct history_record example = {0}, last = {0};
    cr_assert_eq(example_decode(key_slice(&keys[0]), rows[0], &example), 0);
    cr_assert_eq(history_decode(key_slice(&keys[1]), rows[1], &last), 0);
    cr_assert(last.generation == 1 && last.ended_ms == T0 + 5000);
    cr_assert(example.generation == last.generation && example.ended_ms == last.ended_ms);
    store_abort(t);
    fixture_done(&f);
}

/* The message dies of this error, for which its consumer has a word of its own. */
static void die_named(struct fixture *f, uint64_t seq, const char *type, struct slice word)
{
    resolve(f, "t", "default",
            (struct resolution){
                .seq = seq, .outcome = ATTEMPT_REJECTED, .error_type = text(type), .fingerprint = word});
}

Test(ledger_causes, a_consumers_own_word_names_the_fault_and_the_error_does_not)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 5, 5);
    die_named(&f, 1, "A", text("no customer"));
    die_named(&f, 2, "B", text("no customer"));
    die_named(&f, 3, "A", text("no order"));
    die_named(&f, 4, "A", text("no customer 7"));
    die_named(&f, 5, "A", text(""));
    cr_assert_eq(the_group(&f)->causes_count, 4, "taken byte by byte, values too");
    cr_assert(titled(&f, "no order")->r.count == 1 && titled(&f, "A")->r.count == 1);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(nth(&f, i)->r.count, strcmp(nth(&f, i)->r.title, "no customer") == 0 ? 2 : 1);
    fixture_done(&f);
}

Test(ledger_causes, a_consumers_own_word_counts_as_far_as_it_may_be_long)
{
    enum { MAX = ERROR_FINGERPRINT_BYTES_MAX };
    char word[MAX + 2];
    struct fixture f;
    fixture_init_held(&f, settings(-1), 3, 3);
    memset(word, 'w', sizeof word);
    die_named(&f, 1, "A", (struct slice){word, MAX});
    die_named(&f, 2, "A", (struct slice){word, MAX + 1});
    cr_assert_eq(the_group(&f)->causes_count, 1);
    die_named(&f, 3, "A", (struct slice){word, MAX - 1});
    cr_assert_eq(the_group(&f)->causes_count, 2);
    fixture_done(&f);
}

Test(ledger_causes, deaths_are_counted_by_hour_and_old_hours_are_forgotten)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 4, 4);
    int64_t whole = HOUR_MS - T0 % HOUR_MS; /* an hour begins */
    fixture_at(&f, whole);
    die(&f, 1, "A", "one");
    fixture_at(&f, whole + HOUR_MS - 1);
    die(&f, 2, "A", "one");
    fixture_at(&f, whole + HOUR_MS);
    die(&f, 3, "A", "one");
    const struct cause_record *r = &nth(&f, 0)->r;
    cr_assert(r->hours[r->hour % CAUSE_HOURS] == 1 && r->hours[(r->hour - 1) % CAUSE_HOURS] == 2);
    fixture_at(&f, whole + CAUSE_HOURS * HOUR_MS);
    die(&f, 4, "A", "one");
    cr_assert_eq(r->hours[(r->hour + 1) % CAUSE_HOURS], 1, "the oldest that is kept");
    unsigned sum = 0;
    for (unsigned i = 0; i < CAUSE_HOURS; i++)
        sum += r->hours[i];
    cr_assert_eq(sum, 2, "the first hour is forgotten");
    fixture_done(&f);
}

/* ---- who has looked ---- */

Test(ledger_causes, the_mark_stands_at_the_oldest_letter_that_nobody_has_looked_at)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 5, 5);
    die(&f, 1, "A", "one");
    die(&f, 2, "A", "one");
    die(&f, 3, "B", "one");
    tick_until_quiet(&f);
    cr_assert_eq(the_group(&f)->r.attended_below, 1);
    attend(&f, "t", "default", 0, "t/1");
    tick_until_quiet(&f);
    cr_assert_eq(the_group(&f)->r.attended_below, 2, "one letter was opened");
    attend(&f, "t", "default", titled(&f, "A")->fingerprint, "");
    tick_until_quiet(&f);
    cr_assert_eq(the_group(&f)->r.attended_below, 3, "its cause was");
    die(&f, 4, "A", "one");
    dlq_purge_ids(&f, "t", "default", "t/3");
    tick_until_quiet(&f);
    cr_assert_eq(the_group(&f)->r.attended_below, 4, "what died since then waits to be looked at");
    cause_update(&f, "t", "default", titled(&f, "A")->fingerprint, CAUSE_MUTED);
    die(&f, 5, "A", "one");
    tick_until_quiet(&f);
    cr_assert_eq(the_group(&f)->r.attended_below, 6, "nobody need look at what is muted");
    fixture_done(&f);
}

Test(ledger_causes, attending_what_is_not_there_says_so)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 1, 1);
    die(&f, 1, "A", "one");
    attend(&f, "t", "default", 99, "t/7");
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    attend(&f, "t", "default", 99, "t/1");
    cr_assert(f.err == 0 && f.count == 1);
    attend(&f, "dlq:t:default", "default", 99, "");
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    attend(&f, "t", "nobody", 99, "");
    cr_assert_eq(f.err, SHUNT_UNKNOWN_GROUP);
    cause_update(&f, "t", "default", 99, CAUSE_SEEN);
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    fixture_done(&f);
}

/* ---- what goes, and what was there before ---- */

Test(ledger_causes, they_go_with_their_group)
{
    struct fixture f;
    fixture_init(&f);
    topic_create_groups(&f, "t", "default other");
    publish(&f, "t", 2);
    assign(&f, "t", "default", 2);
    die(&f, 1, "A", "one");
    die(&f, 2, "B", "one");
    cr_assert_eq(rows_in(&f, TABLE_CAUSE), 4, "two, and an example of each");
    group_delete(&f, "t", "default");
    tick_until_quiet(&f);
    cr_assert_eq(rows_in(&f, TABLE_CAUSE), 0);
    cr_assert_eq(f.l->causes_count, 0);
    fixture_done(&f);
}

/* As an older server left them. */
static void forget_causes(struct fixture *f)
{
    struct group *g = fixture_group(f, "t", "default");
    struct store_txn *t;
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    f->l->txn = t;
    for (size_t i = 0; i < g->causes_count; i++) {
        struct key key = key_id_seq(g->r.id, g->causes[i]->fingerprint);
        struct key example = key_history(g->r.id, g->causes[i]->fingerprint, 1);
        cr_assert_eq(store_del(t, TABLE_CAUSE, key_slice(&key), NULL), 0);
        cr_assert_eq(store_del(t, TABLE_CAUSE, key_slice(&example), NULL), 0);
    }
    for (uint64_t seq = 1; seq < g->dlq->r.head; seq++) {
        struct key key = key_id_seq(g->dlq->r.id, seq);
        struct slice value;
        struct dead_record dead;
        uint8_t bytes[DEAD_ROW_BYTES_MAX];
        if (store_get(t, TABLE_DEAD, key_slice(&key), &value))
            continue;
        cr_assert_eq(dead_decode(key_slice(&key), value, &dead), 0);
        dead.cause = 0;
        cr_assert_eq(dead_rewrite(f->l, g->dlq, seq, value.size, &dead, bytes), 0);
    }
    g->r.causes_known = false;
    g->r.attended_below = 0;
    ledger_charge_group(f->l, g);
    ledger_charge_topic(f->l, g->dlq);
    cr_assert_eq(ledger_seal(f->l, t), 0);
    cr_assert_eq(store_commit(t), 0);
    fixture_reload(f);
}

Test(ledger_causes, letters_of_an_older_server_get_theirs_by_a_job)
{
    struct fixture f;
    fixture_init_held(&f, settings(-1), 5, 5);
    fixture_at(&f, 3000);
    for (uint64_t seq = 1; seq <= 4; seq++)
        die(&f, seq, seq == 3 ? "B" : "A", "one");
    struct cause_record before = titled(&f, "A")->r;
    forget_causes(&f);
    cr_assert(the_group(&f)->causes_count == 0 && f.l->causes_unknown == 1);
    fixture_at(&f, 90000);
    die(&f, 5, "C", "one");
    tick_until_quiet(&f);
    cr_assert_eq(f.l->causes_unknown, 0);
    cr_assert_eq(the_group(&f)->causes_count, 3);
    cr_assert_eq(memcmp(&before, &titled(&f, "A")->r, sizeof before), 0, "as if they had died just now");
    struct job_record job = job_of(&f, 1);
    cr_assert(job.kind == JOB_CAUSES && job_over(&job) && job.total == 5 && job.done == 5);
    cr_assert_eq(the_group(&f)->r.attended_below, 1);
    job_cancel(&f, 1);
    cr_assert_eq(f.err, 0, "it is done");
    fixture_done(&f);
}
