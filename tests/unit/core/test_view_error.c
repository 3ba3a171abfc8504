/* Why an attempt failed is said, also where its consumer could not say it. */
#include "broker/core/view.h"
#include "broker/core/view_error.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void expect(const struct history_record *h, const char *wanted)
{
    struct view_error e;
    char got[1024];
    view_error_of(h, 300000, &e);
    (void)snprintf(got, sizeof got, "%.*s: %.*s", (int)e.type.size, (const char *)e.type.data,
                   (int)e.message.size, (const char *)e.message.data);
    cr_assert_str_eq(got, wanted);
}

Test(view_error, what_ran_out_and_at_whom)
{
    static const char *const wanted[ATTEMPT_OUTCOMES] = {
        [ATTEMPT_NACKED] = "nacked: worker-7 on host-a gave no reason",
        [ATTEMPT_REJECTED] = "rejected: worker-7 on host-a gave no reason",
        [ATTEMPT_RELEASED] = ": ",
        [ATTEMPT_LEASE_EXPIRED] =
            "lease_expired: the lease ran out at worker-7 on host-a, 30s after the hand-out",
        [ATTEMPT_UNSTARTED] = ": ",
        [ATTEMPT_DISCONNECTED] = "disconnected: the connection to worker-7 on host-a was lost 30s after the "
                                 "hand-out, while it ran this message",
        [ATTEMPT_SUSPECTED] = "suspected: the connection to worker-7 on host-a was lost 30s after the "
                              "hand-out, while it ran this message and others",
        [ATTEMPT_BROKER_RESTART] = ": ",
        [ATTEMPT_OUTAGE] = ": ",
        [ATTEMPT_RECALLED] = ": ",
        [ATTEMPT_TTL_EXPIRED] =
            "ttl_expired: the time to live of 5m ran out while the message waited for a consumer",
        [ATTEMPT_DEADLINE_EXCEEDED] =
            "deadline_exceeded: its deadline left no time for it at worker-7 on host-a, "
            "30s after the hand-out",
    };
    for (unsigned i = 0; i < ATTEMPT_OUTCOMES; i++) {
        struct history_record h = {.outcome = (enum attempt_outcome)i,
                                   .leased_ms = 1000,
                                   .ended_ms = 31000,
                                   .client = slice_of("worker-7"),
                                   .host = slice_of("host-a")};
        expect(&h, wanted[i]);
    }
    expect(&(struct history_record){.outcome = ATTEMPT_DEADLINE_EXCEEDED, .ended_ms = 31000},
           "deadline_exceeded: its deadline passed while the message waited for a consumer");
}

Test(view_error, what_a_consumer_said_stands)
{
    struct history_record h = {.outcome = ATTEMPT_NACKED, .error_message = slice_of("no such file")};
    expect(&h, "nacked: no such file");
    h.error_type = slice_of("IOError");
    expect(&h, "IOError: no such file");
    h.error_message = (struct slice){0};
    expect(&h, "IOError: ");
}

Test(view_error, the_longest_names_fit_and_missing_ones_are_said)
{
    char name[CLIENT_NAME_BYTES_MAX];
    struct view_error e;
    memset(name, 'n', sizeof name);
    struct history_record h = {.outcome = ATTEMPT_SUSPECTED,
                               .leased_ms = 1,
                               .ended_ms = INT64_MAX / 2,
                               .client = {name, sizeof name},
                               .host = {name, sizeof name}};
    view_error_of(&h, 0, &e);
    cr_assert_gt(e.message.size, 2 * sizeof name);
    h = (struct history_record){.outcome = ATTEMPT_LEASE_EXPIRED, .leased_ms = 5, .ended_ms = 1};
    expect(&h, "lease_expired: the lease ran out at a consumer without a name, 0s after the hand-out");
}

/* In the list of a DLQ. */
static void expect_listed(struct fixture *f, const char *group, const char *type)
{
    struct mpack_buffer b = {0};
    struct view v = {.ledger = f->l};
    char bytes[64];
    cr_assert_eq(store_begin(f->store, false, &v.txn), 0);
    cr_assert_eq(view_dead_list(&v, fixture_group(f, "t", group), 0, 10, NULL, &b), 0);
    int size = snprintf(bytes, sizeof bytes, "\xaa%s%c%s", "error_type", (char)(0xa0 + strlen(type)), type);
    cr_assert(memmem(b.data, b.size, bytes, (size_t)size), "no error_type %s", type);
    store_abort(v.txn);
    mpack_buffer_done(&b);
}

Test(view_error, a_dead_letter_always_has_a_type)
{
    struct fixture f;
    fixture_init(&f);
    topic_create(&f, "t", settings(-1));
    publish_timed(&f, "t", 0, 100);
    assign(&f, "t", "default", 1);
    fail(&f, "t", "default", 1, ATTEMPT_RELEASED);
    tick(&f, 100);
    expect_state(&f, "t", "default", 1, "dead");
    expect_listed(&f, "default", "ttl_expired");
    fixture_done(&f);
}
