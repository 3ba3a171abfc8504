/* The ledger against a plain model, compared in full after each of many random commands. */
#include "tests/unit/core/ledger_model.h"
#include "tests/unit/core/ledger_traffic.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

static const char *const places[] = {"gone", "ready", "in flight", "delayed", "dead"};

static enum model_place place_of(const struct group *g, enum where where, const struct attempt_record *row)
{
    if (where == WHERE_GONE)
        return MODEL_GONE;
    if (where != WHERE_TRACKED)
        return where == WHERE_FRESH ? MODEL_READY : MODEL_FLIGHT;
    if (row->state != ATTEMPT_WAITING)
        return row->state == ATTEMPT_DEAD ? MODEL_DEAD : MODEL_FLIGHT;
    return row->due_ms <= g->r.due_mark_ms ? MODEL_READY : MODEL_DELAYED;
}

static void compare_row(struct model_state *s, const struct attempt_record *row)
{
    if (s->due_ms == -1) {
        cr_assert_leq(row->due_ms, s->due_most_ms);
        s->due_ms = row->due_ms;
    }
    cr_assert_eq(row->due_ms, s->place == MODEL_DEAD ? 0 : s->due_ms);
    cr_assert_eq(row->suspect, s->suspect);
    cr_assert_eq(row->has_expiry, s->has_expiry);
    cr_assert_eq(row->attempts, s->attempts);
    cr_assert_eq(row->attempts_total, s->attempts_total);
    cr_assert_eq(row->deliveries, s->deliveries);
    cr_assert_eq(row->deliveries_total, s->token);
    cr_assert_eq(row->generation, s->generation);
    cr_assert_eq(row->expires_ms, s->expires_ms);
    if (s->place == MODEL_DEAD)
        cr_assert_eq(row->dead_seq, s->dead_seq);
}

static void compare_states(struct model *m, struct model_group *g, const struct group *real)
{
    for (uint64_t seq = 1; seq < g->topic->head; seq++) {
        struct model_state *s = &g->states[seq];
        struct attempt_record row;
        enum where where;
        cr_assert_eq(place_find(m->f->l, real, seq, &where, &row), 0);
        if (where == WHERE_FRESH && s->place == MODEL_GONE)
            continue; /* a hole before a late group: no message is there */
        enum model_place place = place_of(real, where, &row);
        cr_assert_eq(place, s->place, "%s/%s %llu is %s, not %s", g->topic->name, g->name,
                     (unsigned long long)seq, places[place], places[s->place]);
        if (where == WHERE_TRACKED)
            compare_row(s, &row);
        cr_assert(s->place == MODEL_GONE || s->tracked == (where == WHERE_TRACKED));
    }
}

static void compare_group(struct model *m, struct model_group *g)
{
    int err = 0;
    struct group *real = ledger_group(m->f->l, text(g->topic->name), text(g->name), &err);
    cr_assert_not_null(real, "%s/%s", g->topic->name, g->name);
    const struct group_counts *n = &real->r.counts;
    g->id = real->r.id;
    cr_assert_eq(real->topic->r.head, g->topic->head);
    cr_assert_eq(real->r.paused, g->paused);
    cr_assert_eq(real->r.due_mark_ms, g->mark_ms);
    cr_assert_eq(n->published, g->published);
    cr_assert_eq(n->acked, g->acked);
    cr_assert_eq(n->discarded, g->discarded);
    cr_assert_eq(n->purged, g->purged);
    cr_assert_eq(n->moved_away, g->away);
    cr_assert_eq(n->redriven, g->redriven);
    cr_assert_eq(n->deliveries, g->deliveries);
    cr_assert_eq(n->expired, 0);
    compare_states(m, g, real);
}

void model_compare(struct model *m)
{
    const struct fixture *f = m->f;
    size_t live = 0;
    cr_assert_eq(store_begin(f->store, false, &f->l->txn), 0);
    for (size_t i = 0; i < m->groups_count; i++) {
        if (m->groups[i].live) {
            compare_group(m, &m->groups[i]);
            live++;
        }
    }
    for (size_t i = 0; i < f->l->groups_count; i++)
        live -= !f->l->groups[i]->r.dropped;
    cr_assert_eq(live, 0, "groups that the model does not know");
    store_abort(f->l->txn);
    f->l->txn = NULL;
    if (f->applied_last != COMMAND_ASSIGN)
        return;
    cr_assert_eq(f->handed, m->handed_count);
    for (size_t i = 0; i < m->handed_count; i++)
        cr_assert_eq(f->handed_seqs[i], m->handed[i]);
}

struct coverage {
    uint64_t commands, acked, rejected, worn_out, expired, discarded, redriven, purged, suspects;
};

static void count(const struct fixture *f, struct coverage *c)
{
    for (size_t i = 0; i < f->l->groups_count; i++) {
        const struct group_counts *n = &f->l->groups[i]->r.counts;
        c->acked += n->acked;
        c->rejected += n->dead_lettered[DEAD_REJECTED];
        c->worn_out += n->dead_lettered[DEAD_MAX_ATTEMPTS];
        c->expired += n->dead_lettered[DEAD_TTL_EXPIRED];
        c->discarded += n->discarded;
        c->redriven += n->redriven;
        c->purged += n->purged;
        c->suspects += n->attempts[ATTEMPT_SUSPECTED];
    }
}

static void run(uint64_t seed, struct coverage *c)
{
    struct fixture f;
    struct traffic t;
    struct model *m = malloc(sizeof *m);
    fixture_init(&f);
    f.quiet = true;
    model_init(m, &f);
    traffic_init(&t, &f, seed);
    t.plain = true;
    for (unsigned i = 0; i < 250; i++) {
        size_t commands = traffic_next(&t);
        for (size_t k = 0; k < commands; k++, c->commands++) {
            f.careless = c->commands % 64 != 0;
            fixture_run(&f, t.commands[k]);
            model_apply(m, &t.commands[k]);
            model_compare(m);
        }
        if (traffic_random(&t, 100) == 0)
            fixture_reload(&f);
    }
    count(&f, c);
    traffic_done(&t);
    fixture_done(&f);
    model_done(m);
    free(m);
}

static unsigned parts[] = {0, 1, 2, 3};

ParameterizedTestParameters(ledger_model, agrees_after_each_command)
{
    return cr_make_param_array(unsigned, parts, sizeof parts / sizeof *parts);
}

ParameterizedTest(unsigned *part, ledger_model, agrees_after_each_command)
{
    struct coverage c = {0};
    for (uint64_t seed = 1; seed <= 45; seed++) {
        cr_log_info("seed %llu", (unsigned long long)seed);
        run(seed + 1000 * *part, &c);
    }
    /* The traffic goes everywhere. */
    cr_assert_gt(c.commands, 25000);
    cr_assert(c.acked > 1000 && c.rejected > 100 && c.worn_out > 100 && c.expired > 100 && c.discarded > 20 &&
                  c.redriven > 100 && c.purged > 1000 && c.suspects > 100,
              "%llu %llu %llu %llu %llu %llu %llu %llu", (unsigned long long)c.acked,
              (unsigned long long)c.rejected, (unsigned long long)c.worn_out, (unsigned long long)c.expired,
              (unsigned long long)c.discarded, (unsigned long long)c.redriven, (unsigned long long)c.purged,
              (unsigned long long)c.suspects);
}
