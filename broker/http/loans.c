/* loans: see loans.h. */
#include "broker/http/loans.h"

#include "base/clock.h"
#include "base/magic.h"
#include "base/secret.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct watched;

#define LOANS_MAGIC 0xc81d3f26u
struct loans {
    uint32_t magic;
    struct calls_config config;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    bool open, stopping, ended;
    struct loans_limits limits; /* does not change */
    struct loan *list;
    struct watched *watched; /* the thread's own */
};

static void lock(struct loans *c)
{
    (void)pthread_mutex_lock(&c->lock); /* not held by this thread: cannot fail */
}

static void unlock(struct loans *c)
{
    (void)pthread_mutex_unlock(&c->lock); /* held by this thread: cannot fail */
}

static void wake_thread(struct loans *c)
{
    (void)eventfd_write(c->wake_fd, 1); /* it cannot be full */
}

/* ---- the thread ---- */

/* What it waits for: of each loan its connection and, while its client waits, that one's socket. */
struct watched {
    struct pollfd *fds;  /* two for each loan, and one */
    struct loan **loans; /* two for each */
    unsigned count;
    int64_t until_ms;
};

static void watch(struct watched *w, struct loan *l, int fd, short events)
{
    if (fd < 0)
        return;
    w->loans[w->count] = l;
    w->fds[w->count++] = (struct pollfd){.fd = fd, .events = events};
}

/* True: it is to end. */
static bool gather(struct loans *c, struct watched *w)
{
    w->count = 0;
    w->until_ms = CLOCK_NEVER;
    lock(c);
    for (unsigned i = 0; i < c->limits.loans; i++) {
        struct loan *l = &c->list[i];
        if (l->fd < 0)
            continue;
        bool waits = l->state == LOAN_ASKING || l->state == LOAN_SETTLING;
        watch(w, l, l->fd, (short)(POLLIN | (l->sent < l->out.size ? POLLOUT : 0)));
        watch(w, l, waits ? l->ask.http_fd : -1, POLLRDHUP);
        int64_t until_ms = loan_until_ms(l);
        if (until_ms < w->until_ms)
            w->until_ms = until_ms;
    }
    bool stop = c->stopping;
    unlock(c);
    w->fds[w->count] = (struct pollfd){.fd = c->wake_fd, .events = POLLIN};
    return stop;
}

static void serve(struct loans *c, const struct watched *w)
{
    int64_t now_ms = clock_mono_ms();
    lock(c);
    /* A client that has gone is seen before messages are handed to it. Only this thread closes and frees what is watched. */
    for (unsigned i = 0; i < w->count; i++) {
        if (w->fds[i].events == POLLRDHUP && w->fds[i].revents)
            loan_client_gone(w->loans[i], now_ms);
    }
    for (unsigned i = 0; i < w->count; i++) {
        if (w->fds[i].events != POLLRDHUP)
            loan_serve(w->loans[i], w->fds[i].revents & (POLLIN | POLLHUP | POLLERR), now_ms);
    }
    for (unsigned i = 0; i < c->limits.loans; i++) {
        struct loan *l = &c->list[i];
        if (l->state == LOAN_LEAVING && l->fd < 0 && !l->asked)
            loan_free(l);
    }
    unlock(c);
}

static void end_all(struct loans *c)
{
    lock(c);
    c->ended = true;
    for (unsigned i = 0; i < c->limits.loans; i++) {
        if (c->list[i].state != LOAN_FREE)
            loan_end(&c->list[i], SHUNT_SHUTTING_DOWN, "");
    }
    unlock(c);
}

static void *run(void *argument)
{
    struct loans *c = magic_of(argument, loans, LOANS_MAGIC);
    struct watched *w = c->watched;
    eventfd_t ignored;
    while (!gather(c, w)) {
        if (poll(w->fds, w->count + 1, clock_poll_ms(w->until_ms)) < 0)
            continue; /* a signal */
        if (w->fds[w->count].revents)
            (void)eventfd_read(c->wake_fd, &ignored); /* all are looked at */
        serve(c, w);
    }
    end_all(c);
    return NULL;
}

/* ---- public ---- */

/* Memory for all, whole or with a part missing. */
static bool make_places(struct loans *c)
{
    c->list = calloc(c->limits.loans, sizeof *c->list);
    c->watched = calloc(1, sizeof *c->watched);
    if (!c->list || !c->watched)
        return false;
    c->watched->fds = calloc(2 * (size_t)c->limits.loans + 1, sizeof *c->watched->fds);
    c->watched->loans = calloc(2 * (size_t)c->limits.loans, sizeof(struct loan *));
    return c->watched->fds && c->watched->loans;
}

int loans_start(const struct calls_config *config, const struct loans_limits *limits, struct loans **ret)
{
    struct loans *c = calloc(1, sizeof *c);
    if (!c)
        return SHUNT_NO_MEMORY;
    c->magic = LOANS_MAGIC;
    c->config = *config;
    c->limits = *limits;
    c->wake_fd = -1;
    int err = make_places(c) ? 0 : SHUNT_NO_MEMORY;
    for (uint32_t i = 0; c->list && i < c->limits.loans; i++)
        c->list[i] = (struct loan){.number = i, .fd = -1};
    (void)pthread_mutex_init(&c->lock, NULL); /* with default attributes it does not fail on Linux */
    if (!err) {
        c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        err = c->wake_fd >= 0 && pthread_create(&c->thread, NULL, run, c) == 0 ? 0 : SHUNT_IO;
    }
    if (!err) {
        *ret = c;
        return 0;
    }
    c->ended = true;
    loans_free(c);
    return err;
}

struct loans_limits loans_limits(const struct loans *c)
{
    return c->limits;
}

void loans_open(struct loans *c, bool open)
{
    lock(c);
    c->open = open;
    unlock(c);
}

void loans_stop(struct loans *c)
{
    lock(c);
    c->stopping = true;
    c->open = false;
    unlock(c);
    wake_thread(c);
    (void)pthread_join(c->thread, NULL);
}

void loans_free(struct loans *c)
{
    if (!c)
        return;
    check(c->ended);
    for (unsigned i = 0; c->list && i < c->limits.loans; i++) {
        if (c->list[i].state != LOAN_FREE)
            loan_free(&c->list[i]);
    }
    free(c->list);
    if (c->watched) {
        free(c->watched->fds);
        free(c->watched->loans);
    }
    free(c->watched);
    if (c->wake_fd >= 0)
        (void)close(c->wake_fd);           /* nothing is lost */
    (void)pthread_mutex_destroy(&c->lock); /* nobody has it */
    c->magic = 0;
    free(c);
}

/* A free place. NULL: there is none. */
static struct loan *place(struct loans *c, enum loans_full *ret_full)
{
    struct loan *found = NULL;
    unsigned calls = 0;
    for (unsigned i = 0; i < c->limits.loans; i++) {
        struct loan *l = &c->list[i];
        calls += l->state != LOAN_FREE && l->asked;
        if (!found && l->state == LOAN_FREE)
            found = l;
    }
    *ret_full = calls >= c->limits.calls ? LOANS_NO_CALL : found ? LOANS_HAVE_ROOM : LOANS_NO_LOAN;
    return *ret_full == LOANS_HAVE_ROOM ? found : NULL;
}

int loans_ask(struct loans *c, const struct loan_ask *ask, const char *peer, const char *names,
              struct loan **ret, enum loans_full *ret_full)
{
    *ret_full = LOANS_HAVE_ROOM;
    lock(c);
    struct loan *l = c->open ? place(c, ret_full) : NULL;
    uint64_t serial = 0;
    int err = l ? SHUNT_NO_MEMORY : c->open ? SHUNT_TOO_MANY : SHUNT_SHUTTING_DOWN;
    int fd =
        l && getentropy(&serial, sizeof serial) == 0 ? c->config.connect(c->config.context, peer, names) : -1;
    if (fd >= 0) {
        l->serial = serial;
        loan_begin(l, ask, fd, clock_mono_ms());
        *ret = l;
        err = 0;
    }
    unlock(c);
    if (!err)
        wake_thread(c);
    return err;
}

struct mpack_buffer loans_take(struct loans *c, struct loan *l, struct problem *ret)
{
    struct mpack_buffer messages = {0};
    lock(c);
    *ret = l->problem;
    if (l->state == LOAN_HANDED) {
        messages = l->messages;
        l->messages = (struct mpack_buffer){0};
    }
    unlock(c);
    return messages;
}

void loans_call_done(struct loans *c, struct loan *l, bool sent)
{
    lock(c);
    loan_call_done(l, sent, clock_mono_ms());
    unlock(c);
    wake_thread(c);
}

bool loans_resolve(struct loans *c, const struct login_header *login, struct slice topic, struct slice group,
                   const char *token, struct wire_entry *with, struct loan_answer *answer)
{
    uint32_t number;
    uint64_t serial;
    bool ok = loan_token_read(token, &number, &serial, &with->seq, &with->token) && number < c->limits.loans;
    lock(c);
    struct loan *l = ok ? &c->list[number] : NULL;
    ok = l && !c->ended && l->serial == serial && slice_is(topic, l->topic) && slice_is(group, l->group) &&
         (!c->config.auth || secret_equal(login->hash, l->login, sizeof l->login)) &&
         loan_resolve(l, with->token, with, answer, clock_mono_ms());
    unlock(c);
    if (ok)
        wake_thread(c);
    return ok;
}
