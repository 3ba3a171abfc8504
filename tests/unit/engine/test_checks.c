/* test_checks: what no caller of the engine may do ends the process, with a line that says what it was. */
#include "broker/engine/leases.h"
#include "tests/unit/engine/world.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct world w;

static struct inbox_item *item(enum port_kind kind, struct link *link)
{
    struct inbox_item *new = calloc(1, sizeof *new);
    new->kind = kind;
    new->link = link;
    return new;
}

static void post_bytes_of_nobody(void)
{
    engine_post(w.engine, item(PORT_FRAMES, NULL));
}

static void post_frames_without_bytes(void)
{
    engine_post(w.engine, item(PORT_FRAMES, w.links[0]));
}

static void post_word_of_nobody(void)
{
    engine_post(w.engine, item(PORT_LOST, NULL));
}

static void post_snapshot_that_nobody_waits_for(void)
{
    engine_post(w.engine, item(PORT_SNAPSHOT, NULL));
}

static void post_to_what_is_no_engine(void)
{
    engine_post((struct engine *)(void *)w.links[0], item(PORT_ROOM, NULL));
}

static void take_from_a_freed_engine(void)
{
    struct engine copy = *w.engine;
    copy.magic = 0; /* as engine_free() leaves it */
    (void)engine_take(&copy);
}

static void reload_of_what_is_no_engine(void)
{
    struct engine_limits limits = w.engine->config.limits;
    engine_reload((struct engine *)(void *)w.links[0], &limits);
}

static void start_after_stop(void)
{
    engine_stop(w.engine);
    (void)engine_start(w.engine);
}

static void make_without_fatal(void)
{
    struct engine_config config = w.engine->config;
    struct engine *e;
    char why[64];
    config.fatal = NULL;
    (void)engine_new(&config, w.engine->store, &e, why, sizeof why);
}

static void unref_too_often(void)
{
    struct chunk *c = chunk_new(8);
    atomic_store(&c->refs, 0);
    chunk_unref(c);
}

/* The dispatcher hands the engine something that is not its session. */
static void lease_of_a_foreign_owner(void)
{
    struct session *s = w.links[0]->session;
    const struct lease_end end = {.holder = s->holder};
    holder_set_owner(s->holder, w.links[0]);
    lease_ended(w.engine, &end);
}

static void lease_in_a_foreign_context(void)
{
    const struct lease_end end = {.holder = w.links[0]->session->holder};
    lease_ended(w.links[0], &end);
}

static const struct {
    void (*does)(void);
    const char *says;
} rows[] = {
    {post_bytes_of_nobody, "is_whole(item)"},
    {post_frames_without_bytes, "is_whole(item)"},
    {post_word_of_nobody, "is_whole(item)"},
    {post_snapshot_that_nobody_waits_for, "is_whole(item)"},
    {post_to_what_is_no_engine, "e->magic == ENGINE_MAGIC"},
    {take_from_a_freed_engine, "e->magic == ENGINE_MAGIC"},
    {reload_of_what_is_no_engine, "e->magic == ENGINE_MAGIC"},
    {start_after_stop, "!e->threaded && !e->stopping"},
    {make_without_fatal, "config->fatal"},
    {unref_too_often, "refs > 0"},
    {lease_of_a_foreign_owner, "struct session"},
    {lease_in_a_foreign_context, "struct engine"},
};

/* What it wrote to standard error before it was aborted; empty if it was not. */
static void last_words(void (*does)(void), char *to, size_t size)
{
    int ends[2], status;
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        does();
        _exit(0);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], to, size - 1); /* one line, written at once */
    to[got > 0 ? got : 0] = 0;
    (void)close(ends[0]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        to[0] = 0;
}

Test(checks, what_no_caller_may_do_ends_the_process)
{
    world_start(&w, &(struct engine_config){0});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char words[256];
        last_words(rows[i].does, words, sizeof words);
        cr_expect(strstr(words, rows[i].says), "row %zu, for want of %s: `%s`", i, rows[i].says, words);
    }
    world_stop(&w);
}

/* The other side of it: what each row varies is accepted as it should be. */
Test(checks, what_a_caller_should_do_does_not)
{
    world_start(&w, &(struct engine_config){0});
    struct engine_limits limits = w.engine->config.limits;
    engine_reload(w.engine, &limits);
    post(&w, w.links[0], PORT_DRAINED);
    post(&w, NULL, PORT_ROOM);
    world_turn(&w);
    cr_assert_null(engine_take(w.engine));
    world_stop(&w);
}
