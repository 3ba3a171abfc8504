/* login: the way of an attempt, without threads and by a clock that the test turns; then with threads. */
#include "broker/login/login.h"

#include "broker/login/pool.h"
#include "broker/login/throttle.h"
#include <argon2.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* As cheap as libargon2 makes them: what is verified is its matter, what is done about it ours. */
static char verifier[128];

static struct slice verifier_of(const char *password)
{
    cr_assert_eq(argon2id_hash_encoded(1, 8, 1, password, strlen(password), "salt of a test..", 16, 32,
                                       verifier, sizeof verifier),
                 ARGON2_OK);
    return slice_of(verifier);
}

struct answers {
    struct login_ticket *ticket;
    unsigned count;
};

static void answer(void *owner, struct login_ticket *ticket)
{
    struct answers *a = owner;
    cr_assert_null(a->ticket);
    a->ticket = ticket;
    a->count++;
}

static struct login *start(struct answers *a, uint64_t queue_max)
{
    struct login *l = NULL;
    *a = (struct answers){0};
    cr_assert_eq(login_new(&(struct login_settings){.threads = 0, .queue_max = queue_max}, &l), 0);
    login_bind(l, answer, a);
    return l;
}

static void stop(struct login *l)
{
    login_stop(l);
    login_free(l);
}

static struct login_attempt attempt(const char *password)
{
    return (struct login_attempt){.peer = slice_of("10.0.0.1:1"),
                                  .name = slice_of("ann"),
                                  .password = slice_of(password),
                                  .verifier = verifier_of("right"),
                                  .user = 7,
                                  .changed = 3,
                                  .now_ms = 1000};
}

/* What becomes of it, however long it waits. */
static enum login_verdict try(struct login *l, struct answers *a, const struct login_attempt *what)
{
    int64_t retry_ms;
    enum login_verdict got = login_password(l, what, &retry_ms);
    if (got != LOGIN_LATER)
        return got;
    cr_assert(login_run(l, what->now_ms + 100000));
    struct login_ticket *ticket = a->ticket;
    a->ticket = NULL;
    return login_end(l, ticket, what->now_ms);
}

Test(login, a_right_password_is_right_and_remembered)
{
    struct answers a;
    struct login *l = start(&a, 10);
    struct login_attempt right = attempt("right"), wrong = attempt("wrong");
    cr_assert_eq(try(l, &a, &wrong), LOGIN_WRONG);
    cr_assert_eq(try(l, &a, &right), LOGIN_RIGHT);
    cr_assert_eq(a.count, 2);
    right.now_ms += LOGIN_REMEMBER_MS - 1;
    cr_assert_eq(try(l, &a, &right), LOGIN_RIGHT);
    cr_assert_eq(a.count, 2, "nothing was verified");
    right.now_ms++;
    cr_assert_eq(try(l, &a, &right), LOGIN_RIGHT);
    cr_assert_eq(a.count, 3, "it was forgotten");
    right.peer = slice_of("10.9.9.9:1");
    cr_assert_eq(try(l, &a, &right), LOGIN_RIGHT);
    cr_assert_eq(a.count, 4, "it says nothing to an address from which nobody has logged in");
    cr_assert_eq(try(l, &a, &right), LOGIN_RIGHT);
    cr_assert_eq(a.count, 4);
    cr_assert_eq(try(l, &a, &wrong), LOGIN_WRONG);
    stop(l);
}

Test(login, what_is_remembered_counts_for_that_user_in_that_state_alone)
{
    struct answers a;
    struct login *l = start(&a, 10);
    struct login_attempt right = attempt("right");
    cr_assert_eq(try(l, &a, &right), LOGIN_RIGHT);
    struct login_attempt changed = right, other = right, gone = right;
    changed.changed++;
    changed.verifier = verifier_of("another");
    cr_assert_eq(try(l, &a, &changed), LOGIN_WRONG);
    other.user += 256; /* it shares the places */
    other.verifier = verifier_of("another");
    cr_assert_eq(try(l, &a, &other), LOGIN_WRONG);
    gone.verifier = (struct slice){NULL, 0};
    cr_assert_eq(try(l, &a, &gone), LOGIN_WRONG);
    stop(l);
}

Test(login, for_a_name_that_no_user_has_as_much_is_done)
{
    struct answers a;
    struct login *l = start(&a, 10);
    struct login_attempt nobody = attempt("right");
    nobody.verifier = (struct slice){NULL, 0};
    cr_assert_eq(argon2_verify(LOGIN_NOBODYS_VERIFIER, "right", 5, Argon2_id), ARGON2_VERIFY_MISMATCH,
                 "it is computed to its end");
    cr_assert_eq(try(l, &a, &nobody), LOGIN_WRONG);
    cr_assert_eq(a.count, 1, "it was verified against something");
    stop(l);
}

Test(login, a_queue_that_is_full_refuses)
{
    struct answers a;
    struct login *l = start(&a, 16);
    int64_t retry_ms;
    char peer[32];
    unsigned let_in = 0;
    for (unsigned i = 0; i < 100; i++) {
        struct login_attempt at = attempt("wrong");
        (void)snprintf(peer, sizeof peer, "10.0.0.%u:1", i);
        at.peer = slice_of(peer);
        let_in += login_password(l, &at, &retry_ms) == LOGIN_LATER;
    }
    cr_assert_eq(let_in, 16);
    cr_assert_eq(login_waiting(l), 16);
    for (unsigned i = 0; i < 16; i++) {
        cr_assert(login_run(l, 1000));
        (void)login_end(l, a.ticket, 1000);
        a.ticket = NULL;
    }
    cr_assert_not(login_run(l, 1000));
    stop(l);
}

Test(login, one_address_has_a_part_of_the_queue)
{
    struct answers a;
    struct login *l = start(&a, 80);
    struct login_attempt one = attempt("wrong"), other = attempt("right");
    int64_t retry_ms;
    unsigned let_in = 0;
    for (unsigned i = 0; i < 100; i++)
        let_in += login_password(l, &one, &retry_ms) == LOGIN_LATER;
    cr_assert_eq(let_in, 80 / 8 + 1);
    other.peer = slice_of("10.0.0.2:1");
    cr_assert_eq(login_password(l, &other, &retry_ms), LOGIN_LATER);
    while (login_run(l, 1000000)) {
        login_drop(a.ticket);
        a.ticket = NULL;
    }
    stop(l);
}

Test(login, failures_make_an_address_wait_and_then_refuse)
{
    struct answers a;
    struct login *l = start(&a, 100);
    struct login_attempt wrong = attempt("wrong"), right = attempt("right");
    int64_t retry_ms = 0;
    enum login_verdict got = LOGIN_WRONG;
    for (unsigned i = 0; i < 100 && got != LOGIN_BUSY; i++)
        got = try(l, &a, &wrong);
    cr_assert_eq(got, LOGIN_BUSY);
    cr_assert_eq(login_password(l, &right, &retry_ms), LOGIN_BUSY);
    cr_assert_lt(THROTTLE_LINE_MS_MAX, retry_ms);
    right.peer = slice_of("10.0.0.2:1");
    cr_assert_eq(try(l, &a, &right), LOGIN_RIGHT, "its owner is elsewhere");
    right.peer = wrong.peer;
    cr_assert_eq(login_password(l, &right, &retry_ms), LOGIN_BUSY,
                 "what is remembered tells nothing to who guesses");
    stop(l);
}

Test(login, who_waits_is_not_looked_at_before_his_time)
{
    struct answers a;
    struct login *l = start(&a, 100);
    struct login_attempt wrong = attempt("wrong");
    int64_t retry_ms;
    for (unsigned i = 0; i < THROTTLE_FREE_FAILURES + 1; i++)
        cr_assert_eq(try(l, &a, &wrong), LOGIN_WRONG);
    wrong.name = slice_of("another");
    (void)try(l, &a, &wrong); /* stands first in the line */
    cr_assert_eq(login_password(l, &wrong, &retry_ms), LOGIN_LATER);
    cr_assert_not(login_run(l, wrong.now_ms));
    cr_assert(login_run(l, wrong.now_ms + THROTTLE_ADDRESS_MS_MAX));
    login_drop(a.ticket);
    stop(l);
}

Test(login, the_longest_password_and_the_empty_one)
{
    struct answers a;
    struct login *l = start(&a, 10);
    char longest[LOGIN_PASSWORD_BYTES_MAX + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct login_attempt at = attempt(longest);
    at.verifier = verifier_of(longest);
    cr_assert_eq(try(l, &a, &at), LOGIN_RIGHT);
    at = attempt("");
    cr_assert_eq(try(l, &a, &at), LOGIN_WRONG);
    stop(l);
}

/* ---- with threads ---- */

struct crowd {
    pthread_mutex_t mutex;
    pthread_cond_t came;
    unsigned count;
    struct login_ticket *tickets[64];
};

static void collect(void *owner, struct login_ticket *ticket)
{
    struct crowd *c = owner;
    (void)pthread_mutex_lock(&c->mutex);
    c->tickets[c->count++] = ticket;
    (void)pthread_cond_signal(&c->came);
    (void)pthread_mutex_unlock(&c->mutex);
}

Test(login, threads_answer_each_attempt_once, .timeout = 60)
{
    static struct crowd c = {.mutex = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};
    struct login *l = NULL;
    char peer[32];
    int64_t retry_ms;
    unsigned right = 0;
    cr_assert_eq(login_new(&(struct login_settings){.threads = 2, .queue_max = 64}, &l), 0);
    login_bind(l, collect, &c);
    for (unsigned i = 0; i < 64; i++) {
        struct login_attempt at = attempt(i % 2 ? "right" : "wrong");
        (void)snprintf(peer, sizeof peer, "10.0.0.%u:1", i);
        at.peer = slice_of(peer);
        at.user = i; /* so that none is remembered from another */
        at.now_ms = 0;
        at.context = &c.tickets[i];
        cr_assert_eq(login_password(l, &at, &retry_ms), LOGIN_LATER);
    }
    (void)pthread_mutex_lock(&c.mutex);
    while (c.count < 64)
        (void)pthread_cond_wait(&c.came, &c.mutex);
    (void)pthread_mutex_unlock(&c.mutex);
    for (unsigned i = 0; i < 64; i++) {
        struct login_ticket **context = login_context(c.tickets[i]);
        cr_assert(context >= c.tickets && context < c.tickets + 64);
        bool was_right = (context - c.tickets) % 2;
        cr_assert_eq(login_end(l, c.tickets[i], 0), was_right ? LOGIN_RIGHT : LOGIN_WRONG);
        right += was_right;
    }
    cr_assert_eq(right, 32);
    stop(l);
}

Test(login, a_stop_answers_those_who_wait)
{
    static struct crowd c = {.mutex = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};
    struct login *l = NULL;
    int64_t retry_ms;
    cr_assert_eq(login_new(&(struct login_settings){.threads = 1, .queue_max = 64}, &l), 0);
    login_bind(l, collect, &c);
    struct login_attempt at = attempt("right");
    at.now_ms = INT64_MAX / 2; /* not due as long as this machine stands */
    cr_assert_eq(login_password(l, &at, &retry_ms), LOGIN_LATER);
    login_stop(l);
    cr_assert_eq(c.count, 1);
    cr_assert_eq(login_end(l, c.tickets[0], 0), LOGIN_WRONG);
    login_free(l);
}
