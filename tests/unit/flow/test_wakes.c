/* test_wakes: one thread fills the account and waits for room, another makes room as soon as there is none.
 * Neither looks again by itself, so after one wake-up that is lost the first would wait for good.
 * The moment in which one can be lost is a few instructions long, so this is a search, and not a proof. */
#include "broker/flow/account.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

#define ROUNDS     100000
#define ALL_MAX    64
#define PATIENCE_S 60 /* far more than one round takes on a slow machine */

struct scene {
    struct flow_totals totals;
    struct flow_account account;
    sem_t woken; /* posted for each wake-up */
};

static void begin(struct scene *s, pthread_t *ret_other, void *(*other)(void *))
{
    s->totals.inbox_bytes_max = ALL_MAX;
    s->account.totals = &s->totals;
    cr_assert_eq(sem_init(&s->woken, 0, 0), 0);
    cr_assert_eq(pthread_create(ret_other, NULL, other, s), 0);
}

static bool is_woken(struct scene *s)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return sem_timedwait(&s->woken, &until) == 0;
}

/* To come between two instructions of the other thread, and still let it run on a single core. */
static void spin(unsigned looks)
{
    if (looks % 1024 == 0)
        (void)sched_yield();
}

/* ---- the engine waits, because as much is unsent as may be ---- */

static void *net_writes(void *context)
{
    struct scene *s = context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned looks = 1; atomic_load(&s->totals.waiting_bytes) < ALL_MAX; looks++)
            spin(looks);
        flow_written(&s->account, ALL_MAX);
        flow_freed(&s->account, ALL_MAX);
        if (flow_room_came(&s->totals, ALL_MAX))
            (void)sem_post(&s->woken);
    }
    return NULL;
}

/* The net thread may find room of an earlier round and answer the wish of this one: then the engine looks again. */
Test(wakes, an_engine_that_waits_for_room_is_told_of_each_wish_once)
{
    static struct scene s;
    pthread_t net;
    begin(&s, &net, net_writes);
    for (unsigned i = 0; i < ROUNDS; i++) {
        flow_unsent(&s.account, ALL_MAX);
        while (atomic_load(&s.totals.waiting_bytes) >= ALL_MAX && !flow_want_room(&s.totals, ALL_MAX))
            cr_assert(is_woken(&s), "round %u: nobody told it of the room", i);
        cr_assert_eq(atomic_load(&s.totals.waiting_bytes), 0, "round %u", i);
    }
    (void)pthread_join(net, NULL);
    cr_assert_neq(sem_trywait(&s.woken), 0, "told once too often");
}

/* ---- the net thread waits, because the inbox is full ---- */

static void *engine_takes(void *context)
{
    struct scene *s = context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned looks = 1; !flow_inbox_is_full(&s->totals); looks++)
            spin(looks);
        flow_inbox_take(&s->totals, &s->account, ALL_MAX);
        if (flow_net_goes_on(&s->totals))
            (void)sem_post(&s->woken);
    }
    return NULL;
}

Test(wakes, a_net_thread_that_waits_for_the_inbox_is_told_of_room)
{
    static struct scene s;
    pthread_t engine;
    begin(&s, &engine, engine_takes);
    for (unsigned i = 0; i < ROUNDS; i++) {
        flow_inbox_add(&s.totals, &s.account, ALL_MAX);
        while (flow_inbox_must_wait(&s.totals, &s.account)) /* a wake-up may be of an earlier wish */
            cr_assert(is_woken(&s), "round %u: nobody told it of the room", i);
    }
    (void)pthread_join(engine, NULL);
}
