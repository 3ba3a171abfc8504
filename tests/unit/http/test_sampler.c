/* sampler: how often the engine is asked, and who is told what. The clock is the test's own. */
#include "broker/http/sampler.h"

#include "fake_engine.h"
#include "proto/errors.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

static _Atomic int64_t now_ms = 1000000;
static _Atomic bool ready;

static int64_t test_clock(void)
{
    return atomic_load(&now_ms);
}

static struct sampler *start(void)
{
    struct sampler *s = NULL;
    struct sampler_config config = {.topics_max = 10, .version = "1", .ready = &ready, .mono_ms = test_clock};
    cr_assert_eq(sampler_start(&config, &s), 0);
    return s;
}

static void end(struct sampler *s)
{
    sampler_stop(s);
    sampler_free(s);
}

struct waiter {
    struct sample_wait wait; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned woken;
};

static void wake(struct sample_wait *w)
{
    struct waiter *waiter = (struct waiter *)w;
    pthread_mutex_lock(&waiter->lock);
    waiter->woken++;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->lock);
}

static void waiter_begin(struct sampler *s, struct waiter *w, enum sample_kind kind)
{
    *w = (struct waiter){.wait = {.kind = kind, .wake = wake}};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    sampler_wait(s, &w->wait);
}

static void waiter_end(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->woken)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void ask(struct sampler *s, enum sample_kind kind)
{
    struct waiter w;
    waiter_begin(s, &w, kind);
    waiter_end(&w);
}

static bool page_of_kind_has(struct sampler *s, enum sample_kind kind, const char *what)
{
    struct page *page = sampler_page(s, kind);
    cr_assert_not_null(page);
    bool found = memmem(page->text.data, page->text.size, what, strlen(what)) != NULL;
    page_unref(page);
    return found;
}

static bool page_has(struct sampler *s, const char *what)
{
    return page_of_kind_has(s, SAMPLE_PAGE, what);
}

Test(sampler, a_page_is_fresh_for_a_second)
{
    struct sampler *s = start();
    cr_assert(!sampler_fresh(s, SAMPLE_PAGE));
    ask(s, SAMPLE_PAGE);
    cr_assert(sampler_fresh(s, SAMPLE_PAGE));
    atomic_fetch_add(&now_ms, PAGE_FRESH_MS);
    cr_assert(sampler_fresh(s, SAMPLE_PAGE));
    atomic_fetch_add(&now_ms, 1);
    cr_assert(!sampler_fresh(s, SAMPLE_PAGE));
    end(s);
}

Test(sampler, a_failure_is_fresh_for_a_second_too)
{
    fake_answer(SHUNT_TIMEOUT);
    struct sampler *s = start();
    ask(s, SAMPLE_PAGE);
    cr_assert(sampler_fresh(s, SAMPLE_PAGE));
    cr_assert(page_has(s, "\nshunt_up 0\n"));
    end(s);
}

Test(sampler, each_format_is_made_when_somebody_wants_it)
{
    struct sampler *s = start();
    ask(s, SAMPLE_PAGE);
    cr_assert(!sampler_fresh(s, SAMPLE_OPENMETRICS));
    cr_assert_null(sampler_page(s, SAMPLE_OPENMETRICS));
    ask(s, SAMPLE_OPENMETRICS);
    cr_assert(sampler_fresh(s, SAMPLE_OPENMETRICS));
    cr_assert(page_of_kind_has(s, SAMPLE_OPENMETRICS, "\n# EOF\n"));
    cr_assert(!page_has(s, "\n# EOF\n"));
    cr_assert_eq(fake_questions(), 2);
    end(s);
}

Test(sampler, a_failure_makes_both_pages)
{
    fake_gate(true);
    fake_answer(SHUNT_TIMEOUT);
    struct sampler *s = start();
    struct waiter plain, open;
    waiter_begin(s, &plain, SAMPLE_PAGE);
    fake_wait_until_asked();
    waiter_begin(s, &open, SAMPLE_OPENMETRICS);
    fake_gate(false);
    waiter_end(&plain);
    waiter_end(&open);
    cr_assert(page_of_kind_has(s, SAMPLE_OPENMETRICS, "\nshunt_up 0\n"));
    cr_assert(page_has(s, "\nshunt_up 0\n"));
    end(s);
}

Test(sampler, health_has_no_group_looked_at)
{
    struct sampler *s = start();
    ask(s, SAMPLE_HEALTH);
    cr_assert_eq(fake_topics_max(), SNAPSHOT_NO_GROUPS);
    ask(s, SAMPLE_PAGE);
    cr_assert_eq(fake_topics_max(), 10);
    end(s);
}

Test(sampler, a_page_costs_no_commit_and_health_does)
{
    struct sampler *s = start();
    ask(s, SAMPLE_PAGE);
    cr_assert_eq(fake_commits(), 0);
    cr_assert(!sampler_fresh(s, SAMPLE_HEALTH));
    ask(s, SAMPLE_HEALTH);
    cr_assert_eq(fake_commits(), 1);
    end(s);
}

Test(sampler, health_lasts_five_seconds_and_says_why_not)
{
    char why[200] = "";
    struct sampler *s = start();
    ask(s, SAMPLE_HEALTH);
    atomic_fetch_add(&now_ms, HEALTH_FRESH_MS);
    fake_answer(SHUNT_TIMEOUT);
    cr_assert(sampler_healthy(s, why, sizeof why));
    atomic_fetch_add(&now_ms, 1);
    cr_assert(!sampler_fresh(s, SAMPLE_HEALTH));
    ask(s, SAMPLE_HEALTH);
    cr_assert(!sampler_healthy(s, why, sizeof why));
    cr_assert_str_eq(why, "the engine did not commit within 2000 ms");
    end(s);
}

Test(sampler, asks_one_question_at_a_time)
{
    fake_gate(true);
    struct sampler *s = start();
    struct waiter waiters[20];
    waiter_begin(s, &waiters[0], SAMPLE_PAGE);
    fake_wait_until_asked();
    for (size_t i = 1; i < 20; i++)
        waiter_begin(s, &waiters[i], i % 2 ? SAMPLE_PAGE : SAMPLE_HEALTH);
    fake_gate(false);
    for (size_t i = 0; i < 20; i++)
        waiter_end(&waiters[i]);
    /* One served those who wanted the page, one those who wanted a commit. */
    cr_assert_eq(fake_questions(), 2);
    cr_assert_eq(fake_together_max(), 1);
    end(s);
}

Test(sampler, a_failed_question_wakes_everybody)
{
    fake_gate(true);
    fake_answer(SHUNT_TIMEOUT);
    struct sampler *s = start();
    struct waiter page, health;
    waiter_begin(s, &page, SAMPLE_PAGE);
    fake_wait_until_asked();
    waiter_begin(s, &health, SAMPLE_HEALTH);
    fake_gate(false);
    waiter_end(&page);
    waiter_end(&health);
    cr_assert_eq(fake_questions(), 1);
    end(s);
}

Test(sampler, stopping_wakes_who_waits_and_answers_at_once_later)
{
    fake_gate(true);
    struct sampler *s = start();
    struct waiter page, late;
    waiter_begin(s, &page, SAMPLE_PAGE);
    fake_wait_until_asked();
    fake_gate(false);
    sampler_stop(s);
    cr_assert_eq(page.woken, 1);
    waiter_begin(s, &late, SAMPLE_PAGE);
    cr_assert_eq(late.woken, 1);
    cr_assert(sampler_fresh(s, SAMPLE_HEALTH));
    sampler_free(s);
}

Test(sampler, the_age_grows_while_the_engine_is_silent)
{
    struct sampler *s = start();
    fake_answer(SHUNT_TIMEOUT);
    atomic_fetch_add(&now_ms, 12345);
    ask(s, SAMPLE_PAGE);
    cr_assert(page_has(s, "\nshunt_snapshot_age_seconds 12.345\n"));
    fake_answer(0);
    ask(s, SAMPLE_PAGE);
    cr_assert(page_has(s, "\nshunt_snapshot_age_seconds 0\n"));
    end(s);
}

Test(sampler, it_follows_by_itself_what_nobody_has_looked_at)
{
    struct sampler *s = NULL;
    struct sampler_config config = {
        .topics_max = 10, .version = "1", .ready = &ready, .mono_ms = test_clock, .follows = true};
    fake_gate(true);
    cr_assert_eq(sampler_start(&config, &s), 0);
    fake_wait_until_asked();
    cr_assert_eq(fake_topics_max(), SNAPSHOT_UNATTENDED);
    cr_assert_eq(fake_commits(), 0);
    fake_gate(false);
    ask(s, SAMPLE_PAGE); /* answered behind it, so its point is there */
    cr_assert_eq(fake_questions(), 2);
    struct text text = {0};
    sampler_trail(s, &text);
    cr_assert(memmem(text.data, text.size, "\"points\":1,\"until\":1700000000000,", 32));
    text_done(&text);
    end(s);
}

Test(sampler, who_need_not_follow_asks_for_nobody)
{
    struct sampler *s = start();
    ask(s, SAMPLE_PAGE);
    cr_assert_eq(fake_questions(), 1);
    end(s);
}
