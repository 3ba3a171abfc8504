/* The maps of PROTOCOL.md, sections 5 to 7, written out as text and compared whole. */
#include "proto/errors.h"
#include "tests/unit/core/as_text.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_POLICY                                                                                         \
    "policy:{max_attempts:2\nlease_ms:30000\nbackoff_min_ms:1000\nbackoff_max_ms:300000\nexpired:0\n"        \
    "dlq_retention_ms:0\ndlq_slo_ms:300000\nhistory_after_ms:3600000\nbackoff_floor_ms:0\n"                  \
    "order:0\non_dead:0\nfollow_max:1000\nfair:0\nbreaker:1\nbreaker_window:40\nbreaker_threshold:80\n"      \
    "breaker_pause_min_ms:1000\nbreaker_pause_max_ms:15000\nkey_run:1}\n"

Test(ledger_view, a_group)
{
    struct fixture f;
    struct look k;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    group_update(&f, "t", "default", settings(POLICY_max_attempts, 2, -1));
    fixture_at(&f, 5);
    publish(&f, "t", 3);
    assign(&f, "t", "default", 2);
    fixture_at(&f, 9);
    fail(&f, "t", "default", 1, ATTEMPT_REJECTED);
    ack(&f, "t", "default", 2);
    begin(&k, &f);
    cr_assert_eq(view_group(&k.v, fixture_group(&f, "t", "default"), &k.b), 0);
    expect(&k.b,
           "{topic:\"t\"\ngroup:\"default\"\npaused:no\nready:1\nin_flight:0\ndelayed:0\ndead:1\nunattended:"
           "1\nacked:1\n"
           "expired:0\nexpired_unattended:0\nslo_breaches:0\ndiscarded:0\npurged:0\nmoved:0\nredriven:"
           "0\npublished:3\n"
           "deliveries:2\nparked:0\nblocked_keys:0\nblocked_messages:0\nconsumers:3\n"
           "oldest_ready:1000005\noldest_dead:1000009\noldest_unattended:1000009\noldest_blocked:nil\n"
           "breaker:\"closed\"\nbreaker_since:nil\n"
           "breaker_until:nil\nbreaker_trips:0\ndlq:\"dlq:t:"
           "default\"\n" GROUP_POLICY "own:[\"max_attempts\"]}\n");
    end(&k);
    fixture_done(&f);
}

Test(ledger_view, a_topic_and_the_list_of_topics)
{
    struct fixture f;
    struct look k;
    fixture_init(&f);
    topic_create(&f, "b", settings(-1));
    topic_create(&f, "a", settings(-1));
    topic_create(&f, "ab", settings(POLICY_ttl_ms, 7, -1));
    publish(&f, "a", 2);
    begin(&k, &f);
    cr_assert_eq(view_topic(&k.v, ledger_topic(f.l, text("a")), &k.b), 0);
    struct mpack_reader r;
    mpack_read_init(&r, k.b.data, k.b.size);
    out_size = 0;
    put_value(&r);
    static const char head[] =
        "{topic:\"a\"\ncreated:1000000\nmessages:2\nbytes:40\npublished:2\npolicy:{"
        "max_attempts:5\nlease_ms:30000\nbackoff_min_ms:1000\nbackoff_max_ms:300000\n"
        "expired:0\ndlq_retention_ms:0\nttl_ms:0\nmax_messages:0\nmax_bytes:0\ndlq_"
        "slo_ms:300000\nhistory_after_ms:3600000\nbackoff_floor_ms:0\norder:0\non_dead:0\n"
        "follow_max:1000\nfair:0\nbreaker:1\n"
        "breaker_window:40\nbreaker_threshold:80\nbreaker_pause_min_ms:1000\n"
        "breaker_pause_max_ms:15000\nkey_run:1}\n"
        "groups:[{topic:\"a\"\ngroup:\"default\"\n";
    cr_assert(strncmp(out, head, sizeof head - 1) == 0, "%s", out);
    static const struct {
        const char *after;
        uint32_t limit;
        const char *names; /* and whether there are more */
    } pages[] = {{"", 2, "a ab more"}, {"ab", 2, "b"}, {"a", 10, "ab b"}, {"aa", 1, "ab more"}, {"b", 5, ""}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        char names[64] = "";
        k.b.size = 0;
        cr_assert_eq(view_topics(&k.v, text(pages[i].after), pages[i].limit, &k.b), 0);
        mpack_read_init(&r, k.b.data, k.b.size);
        for (uint32_t n = mpack_read_array(&r); n > 0; n--) {
            struct slice map = mpack_read_any(&r);
            struct mpack_reader in;
            mpack_read_init(&in, map.data, map.size);
            (void)mpack_read_map(&in);
            (void)mpack_read_str(&in);
            struct slice name = mpack_read_str(&in);
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%.*s", names[0] ? " " : "",
                     (int)name.size, (const char *)name.data);
        }
        if (mpack_read_bool(&r))
            strcat(names, " more");
        cr_assert_str_eq(names, pages[i].names);
    }
    end(&k);
    fixture_done(&f);
}

Test(ledger_view, peeking_touches_nothing)
{
    struct fixture f;
    struct look k;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 3);
    publish_timed(&f, "t", 500, 0);
    assign(&f, "t", "default", 2);
    nack(&f, "t", "default", 1, 0);
    uint64_t before = state_hash(f.store);
    begin(&k, &f);
    cr_assert_eq(view_peek(&k.v, fixture_group(&f, "t", "default"), 0, 3, true, &k.b), 0);
    expect(&k.b, "[{seq:1\nstate:\"ready\"\nattempts:1\ndeliveries:1\ngeneration:0\npublished:1000000\ndue:"
                 "nil\ndeadline:nil\nsize:1\n"
                 "message:['m']} "
                 "{seq:2\nstate:\"in_flight\"\nattempts:0\ndeliveries:1\ngeneration:0\npublished:"
                 "1000000\ndue:nil\ndeadline:nil\nsize:1\n"
                 "message:['m']} "
                 "{seq:3\nstate:\"ready\"\nattempts:0\ndeliveries:0\ngeneration:0\npublished:1000000\ndue:"
                 "nil\ndeadline:nil\nsize:1\n"
                 "message:['m']}]\ntrue\n3\n");
    k.b.size = 0;
    cr_assert_eq(view_peek(&k.v, fixture_group(&f, "t", "default"), 3, 3, false, &k.b), 0);
    expect(&k.b, "[{seq:4\nstate:\"delayed\"\nattempts:0\ndeliveries:0\ngeneration:0\npublished:1000000\ndue:"
                 "1000500\ndeadline:nil\n"
                 "size:1}]\nno\n4\n");
    cr_assert_eq(view_peek(&k.v, fixture_group(&f, "dlq:t:default", "default"), 0, 3, false, &k.b),
                 SHUNT_BAD_ARGUMENT);
    end(&k);
    cr_assert_eq(state_hash(f.store), before);
    fixture_done(&f);
}

/* ---- dead letters ---- */

/* One message with headers and a key, published at 0, nacked at 5 and rejected at 9. */
static void make_dead(struct fixture *f)
{
    struct mpack_buffer m = {0};
    fixture_init(f);
    topic_create(f, "t", settings(-1));
    mpack_write_array(&m, 3);
    mpack_write_bin(&m, "body", 4);
    mpack_write_map(&m, 1);
    mpack_write_cstr(&m, "file");
    mpack_write_cstr(&m, "a.json");
    mpack_write_cstr(&m, "key");
    struct publish_command c = {.topic = text("t"), .messages = {m.data, m.size}, .count = 1};
    fixture_run(f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    mpack_buffer_done(&m);
    assign(f, "t", "default", 1);
    fixture_at(f, 5);
    nack(f, "t", "default", 1, 0);
    assign(f, "t", "default", 1);
    fixture_at(f, 9);
    fail(f, "t", "default", 1, ATTEMPT_REJECTED);
}

#define DEAD_HEAD                                                                                            \
    "id:\"dlq:t:default/1\"\nseq:1\norigin:\"t/1\"\ntopic:\"t\"\ngroup:\"default\"\nreason:\"rejected\"\n"   \
    "cause:\"f85938d3990da3e7\"\nattended:no\nattempts:2\ndeliveries:2\ngeneration:0\npublished:"            \
    "1000000\ndied:1000009\nerror_type:\"rejected\"\n"                                                       \
    "error_message:nil\nheaders:{file:\"a.json\"}\nkey:'key'\nsize:4\nttl_ms:nil\ndeadline:nil\nrule:"       \
    "nil\nrule_action:"                                                                                      \
    "nil\nrule_at:"                                                                                          \
    "nil\nedit:nil"

Test(ledger_view, a_dead_letter_in_the_list_and_with_a_delivery)
{
    struct fixture f;
    struct look k;
    make_dead(&f);
    assign(&f, "dlq:t:default", "default", 1);
    expect(&f.last_dead, "{" DEAD_HEAD "}\n");
    begin(&k, &f);
    cr_assert_eq(view_dead_list(&k.v, fixture_group(&f, "t", "default"), 0, 10, NULL, &k.b), 0);
    expect(&k.b, "[{" DEAD_HEAD "}]\nno\n1\n");
    k.b.size = 0;
    cr_assert_eq(view_dead_list(&k.v, fixture_group(&f, "t", "default"), 1, 10, NULL, &k.b), 0);
    expect(&k.b, "[]\nno\n1\n");
    end(&k);
    fixture_done(&f);
}

Test(ledger_view, a_dead_letter_with_its_history)
{
    static const char *const names[] = {"dlq:t:default/1", "t/1", "1"};
    struct fixture f;
    struct look k;
    make_dead(&f);
    for (size_t i = 0; i < 3; i++) {
        begin(&k, &f);
        cr_assert_eq(view_dead(&k.v, fixture_group(&f, "t", "default"), text(names[i]), false, &k.b), 0);
        expect(&k.b, "{body:'body'\n" DEAD_HEAD
                     "\nerror_stack:nil\nattempts_total:2\ndeliveries_total:2\nedited:nil\n"
                     "history:[{number:1\ngeneration:0\nconsumer:\"client\"\nhost:\"host\"\nbuild:\"build\"\n"
                     "leased:nil\nstarted:nil\nended:1000005\noutcome:\"nacked\"\ncharged:true\n"
                     "error_type:\"type\"\nerror_message:\"message\"\nerror_stack:\"stack\"\njob:nil} "
                     "{number:2\ngeneration:0\nconsumer:\"client\"\nhost:\"host\"\nbuild:\"build\"\n"
                     "leased:1000009\nstarted:nil\nended:1000009\noutcome:\"rejected\"\ncharged:true\n"
                     "error_type:\"rejected\"\nerror_message:nil\nerror_stack:nil\njob:nil}]}\n");
        end(&k);
    }
    begin(&k, &f);
    cr_assert_eq(view_dead(&k.v, fixture_group(&f, "t", "default"), text("2"), false, &k.b), SHUNT_NOT_FOUND);
    cr_assert_eq(view_dead(&k.v, fixture_group(&f, "t", "default"), text("t/2"), false, &k.b),
                 SHUNT_NOT_FOUND);
    cr_assert_eq(view_dead(&k.v, fixture_group(&f, "t", "default"), text(""), false, &k.b), SHUNT_NOT_FOUND);
    cr_assert_eq(view_dead(&k.v, fixture_group(&f, "dlq:t:default", "default"), text("1"), false, &k.b),
                 SHUNT_BAD_ARGUMENT);
    end(&k);
    fixture_done(&f);
}

Test(ledger_view, a_damaged_dead_letter_has_no_body)
{
    struct fixture f;
    struct look k;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 1);
    flip_message_byte(&f, "t", 1, 19);
    assign(&f, "t", "default", 1);
    begin(&k, &f);
    cr_assert_eq(view_dead(&k.v, fixture_group(&f, "t", "default"), text("1"), false, &k.b), 0);
    expect(&k.b,
           "{body:nil\nid:\"dlq:t:default/1\"\nseq:1\norigin:\"t/"
           "1\"\ntopic:\"t\"\ngroup:\"default\"\nreason:\"corrupt\"\n"
           "cause:\"f3bd06b3dc423767\"\nattended:no\n"
           "attempts:0\ndeliveries:0\ngeneration:0\npublished:nil\ndied:1000000\nerror_type:\"corrupt\"\n"
           "error_message:\"what is stored of it does not match its checksum: the disk or the file was "
           "damaged\"\n"
           "headers:{}\nkey:nil\nsize:0\nttl_ms:nil\ndeadline:nil\nrule:nil\nrule_action:nil\nrule_at:"
           "nil\nedit:nil\nerror_"
           "stack:"
           "nil\nattempts_total:0\n"
           "deliveries_total:0\nedited:nil\nhistory:[]}\n");
    end(&k);
    fixture_done(&f);
}

Test(ledger_view, dead_letters_come_in_pages)
{
    struct fixture f;
    struct look k;
    struct mpack_reader r;
    fixture_init(&f);
    topic_create(&f, "t", settings(POLICY_ttl_ms, 1, -1));
    publish(&f, "t", 25);
    fixture_at(&f, 1);
    tick_until_quiet(&f);
    uint64_t after = 0, pages = 0, rows = 0;
    for (bool more = true; more; pages++) {
        begin(&k, &f);
        cr_assert_eq(view_dead_list(&k.v, fixture_group(&f, "t", "default"), after, 10, NULL, &k.b), 0);
        mpack_read_init(&r, k.b.data, k.b.size);
        for (uint32_t n = mpack_read_array(&r); n > 0; n--, rows++, after++)
            (void)mpack_read_any(&r);
        more = mpack_read_bool(&r);
        end(&k);
    }
    cr_assert(pages == 3 && rows == 25);
    fixture_done(&f);
}

/* ---- jobs and figures ---- */

Test(ledger_view, a_job)
{
    struct fixture f;
    struct look k;
    make_dead(&f);
    redrive(&f, "t", "default", UINT64_MAX, 0);
    begin(&k, &f);
    cr_assert_eq(view_job(&k.v, 1, &k.b), 0);
    expect(&k.b,
           "{job:1\nkind:\"redrive\"\nstate:\"done\"\nphase:\"draining\"\ntotal:1\ndone:1\ntopic:\"t\"\n"
           "group:\"default\"\nbegun:1000009\nended:1000009\nrate:0\nspread_ms:0\ncanary:0\nmax_fail:"
           "nil\nfilter:nil\nto:nil\nhold_for_build:nil\nkeep_deadline:no\n"
           "outcomes:{pending:1\nacked:0\nfailed_same:0\nfailed_other:0\ngone:0\nmoved:0}\nwhy:nil}\n");
    cr_assert_eq(view_job(&k.v, 2, &k.b), SHUNT_NOT_FOUND);
    end(&k);
    topic_delete(&f, "t");
    begin(&k, &f);
    cr_assert_eq(view_job(&k.v, 2, &k.b), 0);
    expect(&k.b,
           "{job:2\nkind:\"drop\"\nstate:\"done\"\nphase:\"done\"\ntotal:1\ndone:1\ntopic:\"t\"\ngroup:nil\n"
           "begun:1000009\nended:1000009\nrate:0\nspread_ms:0\ncanary:0\nmax_fail:nil\nfilter:nil\nto:nil\n"
           "hold_for_build:nil\nkeep_deadline:no\noutcomes:"
           "nil\nwhy:nil}\n");
    end(&k);
    fixture_done(&f);
}

Test(ledger_view, figures_are_of_groups_that_are_no_dlq)
{
    struct fixture f;
    struct look k;
    struct groups_cursor cursor = {0};
    struct group_numbers g;
    make_dead(&f);
    topic_create_groups(&f, "u", "x y");
    begin(&k, &f);
    cr_assert(view_next_group(&k.v, &cursor, &g));
    cr_assert(!strcmp(g.topic, "t") && !strcmp(g.group, "default") && g.counts->dead == 1);
    cr_assert(g.oldest_ready_ms == 0 && g.oldest_dead_ms == T0 + 9);
    cr_assert(view_next_group(&k.v, &cursor, &g) && !strcmp(g.group, "x"));
    cr_assert(view_next_group(&k.v, &cursor, &g) && !strcmp(g.group, "y"));
    cr_assert(!view_next_group(&k.v, &cursor, &g));
    cr_assert_eq(view_topics_count(f.l), 2);
    end(&k);
    fixture_done(&f);
}

Test(ledger_view, conservation_shows_what_is_off)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 3);
    struct group *g = fixture_group(&f, "t", "default");
    cr_assert_eq(view_sums(f.l)->conservation_error, 0);
    g->r.counts.ready -= 2;
    sums_stale(f.l, g);
    cr_assert_eq(view_sums(f.l)->conservation_error, 2);
    g->r.counts.ready += 5;
    sums_stale(f.l, g);
    cr_assert_eq(view_sums(f.l)->conservation_error, 3);
    g->r.counts.ready -= 3;
    sums_stale(f.l, g);
    cr_assert_eq(view_sums(f.l)->conservation_error, 0);
    fixture_done(&f);
}
