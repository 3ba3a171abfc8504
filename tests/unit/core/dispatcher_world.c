/* dispatcher_world: the stand-in for the ledger, and the trace. */
#include "tests/unit/core/dispatcher_world.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 200000
#define TRACE_BYTES  (1 << 20)
#define NAMES_MAX    100000

/* Ready messages: a deque in the middle of a fixed array. */
struct deque {
    uint64_t *seqs;
    size_t first, end;
};

struct world_group {
    struct deque ready[2];    /* by lane */
    uint64_t *bytes, *tokens; /* by seq */
    enum lane *lanes;         /* by seq: how it was last handed out */
    uint64_t published;
    bool paused;
};

static struct world_group *group_of(struct world *w, uint32_t group)
{
    if (!w->groups[group]) {
        struct world_group *g = calloc(1, sizeof *g);
        for (int lane = 0; lane < 2; lane++) {
            g->ready[lane].seqs = calloc(3 * MESSAGES_MAX, sizeof(uint64_t));
            g->ready[lane].first = g->ready[lane].end = MESSAGES_MAX;
        }
        g->bytes = calloc(MESSAGES_MAX, sizeof *g->bytes);
        g->tokens = calloc(MESSAGES_MAX, sizeof *g->tokens);
        g->lanes = calloc(MESSAGES_MAX, sizeof *g->lanes);
        w->groups[group] = g;
    }
    return w->groups[group];
}

static size_t waiting(const struct deque *q)
{
    return q->end - q->first;
}

static void tell(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->quiet)
        return;
    va_start(args, format);
    w->trace_len += (size_t)vsnprintf(w->trace + w->trace_len, TRACE_BYTES - w->trace_len, format, args);
    va_end(args);
    cr_assert_lt(w->trace_len, TRACE_BYTES);
}

static const char *name_of(const struct holder *h)
{
    return holder_owner(h);
}

static void say_ready(void *context, uint32_t group, struct group_ready *ret)
{
    struct world *w = context;
    struct world_group *g = group_of(w, group);
    w->asked++;
    ret->lane[LANE_NORMAL] = waiting(&g->ready[LANE_NORMAL]);
    ret->lane[LANE_SUSPECT] = waiting(&g->ready[LANE_SUSPECT]);
    ret->run = 0;
    ret->paused = g->paused;
}

void world_init(struct world *w)
{
    *w = (struct world){.next_token = 1};
    w->d = dispatcher_new(say_ready, w);
    w->trace = calloc(1, TRACE_BYTES);
    w->names = calloc(NAMES_MAX, sizeof(char *));
    cr_assert_not_null(w->d);
}

void world_done(struct world *w)
{
    dispatcher_check_slow(w->d);
    dispatcher_free(w->d);
    for (size_t i = 0; i < sizeof w->groups / sizeof w->groups[0]; i++) {
        struct world_group *g = w->groups[i];
        if (!g)
            continue;
        free(g->ready[LANE_NORMAL].seqs);
        free(g->ready[LANE_SUSPECT].seqs);
        free(g->bytes);
        free(g->tokens);
        free(g->lanes);
        free(g);
    }
    while (w->name_count)
        free(w->names[--w->name_count]);
    free(w->names);
    free(w->trace);
}

static void publish(struct world *w, uint32_t group, unsigned count, uint64_t bytes, enum lane lane)
{
    struct world_group *g = group_of(w, group);
    for (unsigned i = 0; i < count; i++) {
        uint64_t seq = ++g->published;
        cr_assert_lt(seq, MESSAGES_MAX);
        g->bytes[seq] = bytes;
        g->ready[lane].seqs[g->ready[lane].end++] = seq;
    }
    dispatcher_wake(w->d, group);
}

void world_publish(struct world *w, uint32_t group, unsigned count, uint64_t bytes)
{
    publish(w, group, count, bytes, LANE_NORMAL);
}

void world_publish_suspects(struct world *w, uint32_t group, unsigned count)
{
    publish(w, group, count, 10, LANE_SUSPECT);
}

void world_pause(struct world *w, uint32_t group, bool paused)
{
    group_of(w, group)->paused = paused;
    dispatcher_wake(w->d, group);
}

uint64_t world_ready(const struct world *w, uint32_t group)
{
    return w->groups[group] ? waiting(&w->groups[group]->ready[LANE_NORMAL]) : 0;
}

uint64_t world_suspects(const struct world *w, uint32_t group)
{
    return w->groups[group] ? waiting(&w->groups[group]->ready[LANE_SUSPECT]) : 0;
}

struct holder *world_connect(struct world *w, const char *name, bool marks)
{
    struct holder *h = dispatcher_connect(w->d, marks);
    cr_assert_not_null(h);
    cr_assert_lt(w->name_count, NAMES_MAX);
    w->names[w->name_count] = strdup(name);
    holder_set_owner(h, w->names[w->name_count++]);
    return h;
}

struct member *world_subscribe(struct world *w, struct holder *h, uint32_t group, uint32_t messages,
                               uint64_t bytes)
{
    struct member *m = dispatcher_subscribe(w->d, h, group, messages, bytes);
    cr_assert_not_null(m);
    return m;
}

void world_apply(struct world *w, const struct assignment *a)
{
    struct world_group *g = group_of(w, a->group);
    struct deque *q = &g->ready[a->lane];
    struct holder *h = member_holder(a->member);
    uint64_t bytes = 0;
    uint32_t count = 0;
    tell(w, "%5" PRId64 " %s gets from %u%s:", w->now_ms, h ? name_of(h) : "nobody", a->group,
         a->lane == LANE_SUSPECT ? ", alone" : "");
    while (count < a->messages && waiting(q)) {
        uint64_t seq = q->seqs[q->first];
        if (bytes + g->bytes[seq] > a->bytes && !(count == 0 && a->oversize_first))
            break;
        uint64_t token = w->next_token++;
        if (dispatcher_lease(w->d, a, seq, token, g->bytes[seq], WORLD_LEASE_MS, w->now_ms,
                             WORLD_WALL_MS + w->now_ms) != 0)
            break;
        q->first++;
        g->tokens[seq] = token;
        g->lanes[seq] = a->lane;
        bytes += g->bytes[seq];
        count++;
        tell(w, " %" PRIu64, seq);
    }
    tell(w, "%s\n", count ? "" : " nothing");
    dispatcher_assigned(w->d, a, count);
    dispatcher_settle(w->d, 0);
}

void world_run(struct world *w)
{
    struct assignment a;
    for (int turns = 0; dispatcher_next(w->d, &a); turns++) {
        cr_assert_lt(turns, MESSAGES_MAX, "assignments go on for ever");
        world_apply(w, &a);
    }
}

void world_run_together(struct world *w)
{
    struct assignment *all = calloc(MESSAGES_MAX, sizeof *all);
    size_t count;
    do {
        count = 0;
        while (dispatcher_next(w->d, &all[count]))
            cr_assert_lt(++count, MESSAGES_MAX, "assignments go on for ever");
        for (size_t i = 0; i < count; i++)
            world_apply(w, &all[i]);
    } while (count);
    free(all);
}

uint64_t world_token(const struct world *w, uint32_t group, uint64_t seq)
{
    return w->groups[group]->tokens[seq];
}

static void note_end(void *context, const struct lease_end *end)
{
    static const char *const names[] = ATTEMPT_OUTCOME_NAMES;
    struct world *w = context;
    struct world_group *g = group_of(w, end->group);
    cr_assert_eq(end->token, g->tokens[end->seq]);
    cr_assert_geq(end->leased_ms, WORLD_WALL_MS);
    tell(w, "%5" PRId64 " %u/%" PRIu64 " of %s: %s", w->now_ms, end->group, end->seq, name_of(end->holder),
         names[end->outcome]);
    if (end->started_ms)
        tell(w, ", started at %" PRId64, end->started_ms - WORLD_WALL_MS);
    tell(w, "\n");
    struct deque *q = &g->ready[g->lanes[end->seq]];
    if (end->outcome == ATTEMPT_SUSPECTED)
        g->ready[LANE_SUSPECT].seqs[g->ready[LANE_SUSPECT].end++] = end->seq;
    else if (end->outcome == ATTEMPT_RELEASED || end->outcome == ATTEMPT_UNSTARTED)
        q->seqs[--q->first] = end->seq;
    dispatcher_wake(w->d, end->group);
}

void world_hear(struct world *w, struct member *m)
{
    dispatcher_heard(w->d, member_holder(m), w->now_ms);
}

void world_ack(struct world *w, struct member *m, uint64_t seq)
{
    struct lease_times times;
    world_hear(w, m);
    int err = dispatcher_claim(w->d, m, seq, world_token(w, member_group(m), seq), &times);
    cr_assert_eq(err, 0, "%s holds no %u/%" PRIu64, name_of(member_holder(m)), member_group(m), seq);
    tell(w, "%5" PRId64 " %s acks %u/%" PRIu64 "\n", w->now_ms, name_of(member_holder(m)), member_group(m),
         seq);
}

void world_start(struct world *w, struct member *m, uint64_t seq)
{
    world_hear(w, m);
    int err = dispatcher_started(w->d, m, seq, world_token(w, member_group(m), seq), w->now_ms,
                                 WORLD_WALL_MS + w->now_ms);
    cr_assert_eq(err, 0, "%s holds no %u/%" PRIu64, name_of(member_holder(m)), member_group(m), seq);
}

void world_unsubscribe(struct world *w, struct member *m)
{
    tell(w, "%5" PRId64 " %s leaves %u\n", w->now_ms, name_of(member_holder(m)), member_group(m));
    dispatcher_unsubscribe(w->d, m, note_end, w);
}

void world_disconnect(struct world *w, struct holder *h, bool clean)
{
    tell(w, "%5" PRId64 " %s %s\n", w->now_ms, name_of(h), clean ? "says goodbye" : "is lost");
    dispatcher_disconnect(w->d, h, clean ? HOLDER_GOODBYE : HOLDER_LOST, note_end, w);
}

void world_close(struct world *w, struct holder *h)
{
    tell(w, "%5" PRId64 " %s is closed\n", w->now_ms, name_of(h));
    dispatcher_disconnect(w->d, h, HOLDER_CLOSED, note_end, w);
}

static void note_closed(void *context, struct member *m)
{
    struct world *w = context;
    tell(w, "%5" PRId64 " %s: %u is gone\n", w->now_ms, name_of(member_holder(m)), member_group(m));
}

void world_group_gone(struct world *w, uint32_t group)
{
    dispatcher_group_gone(w->d, group, note_closed, w);
}

void world_wait(struct world *w, int64_t dur_ms)
{
    int64_t until = w->now_ms + dur_ms;
    dispatcher_settle(w->d, 0); /* what the test has prolonged */
    while (dispatcher_deadline(w->d) <= until) {
        w->now_ms = dispatcher_deadline(w->d);
        bool ended = dispatcher_expire(w->d, w->now_ms, 1, note_end, w) > 0;
        cr_assert(ended || dispatcher_deadline(w->d) > w->now_ms, "a lease neither ends nor lasts");
    }
    w->now_ms = until;
}

/* The line that starts at `at`, without its end; moves `at` to the next one. */
static size_t line_of(const char **at, const char **ret)
{
    size_t len = strcspn(*at, "\n");
    *ret = *at;
    *at += len + ((*at)[len] == '\n');
    return len;
}

void world_expect(struct world *w, const char *expected)
{
    const char *is = w->trace;
    for (int line = 1; *is || *expected; line++) {
        const char *a, *b;
        size_t a_len = line_of(&is, &a), b_len = line_of(&expected, &b);
        cr_assert(a_len == b_len && memcmp(a, b, a_len) == 0, "line %d is\n%.*s\nnot\n%.*s\nin\n%s", line,
                  (int)a_len, a, (int)b_len, b, w->trace);
    }
    w->trace_len = 0;
    w->trace[0] = 0;
}
