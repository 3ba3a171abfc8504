/* job_dead: redrive and purge of dead letters: which they are about, and that no two are about the same letter. A letter that dies while a job runs is none of its business. */
#include "base/check.h"
#include "broker/core/cause.h"
#include "broker/core/job.h"
#include "broker/core/letter.h"

#include <stdlib.h>
#include <string.h>

/* ---- which ---- */

static int choose_ids(struct ledger *l, const struct group *g, const struct dead_command *c,
                      struct job_record *r)
{
    for (uint32_t i = 0; i < c->ids_count && i < IDS_MAX; i++) {
        uint64_t seq;
        struct slice value;
        int err = dead_lookup(l, g, c->ids[i], &seq);
        ledger_looked(l, 0);
        if (err)
            return err;
        struct key key = key_id_seq(g->dlq->r.id, seq);
        err = seq ? store_get(l->txn, TABLE_DEAD, key_slice(&key), &value) : SHUNT_NOT_FOUND;
        if (err && err != SHUNT_NOT_FOUND)
            return err;
        bool known = err == SHUNT_NOT_FOUND;
        for (uint32_t k = 0; !known && k < r->ids_count; k++)
            known = r->ids[k] == seq;
        if (!known)
            r->ids[r->ids_count++] = seq;
    }
    return 0;
}

/* How many at most. Only a filter that asks for more than the cause leaves it open. */
static uint64_t how_many(const struct group *g, const struct dead_command *c, const struct job_record *r)
{
    uint64_t most = g->r.counts.dead;
    if (c->ids_count)
        return r->ids_count;
    if (c->filter.cause) {
        const struct cause *cause = cause_find(g, c->filter.cause);
        most = cause ? cause->r.dead : 0;
    }
    return c->count < most ? c->count : most;
}

/* ---- no two at one letter ---- */

static bool share_ids(const struct job_record *a, const struct job_record *b)
{
    for (uint32_t i = 0; i < a->ids_count; i++) {
        for (uint32_t k = 0; k < b->ids_count; k++) {
            if (a->ids[i] == b->ids[k])
                return true;
        }
    }
    return false;
}

/* By what they ask for alone: a letter keeps its number and its cause. */
static bool overlap(const struct job_record *a, const struct job_record *b)
{
    if (a->group != b->group || (b->kind != JOB_REDRIVE && b->kind != JOB_PURGE_DLQ))
        return false;
    if (a->filter.cause && b->filter.cause && a->filter.cause != b->filter.cause)
        return false;
    return !a->ids_count || !b->ids_count || share_ids(a, b);
}

/* The first of those that run; NULL: none. */
static const struct job *in_the_way(const struct ledger *l, const struct job_record *r)
{
    const struct job *first = NULL;
    for (size_t i = 0; i < l->jobs_count; i++) {
        const struct job *j = l->jobs[i];
        if ((!first || j->r.id < first->r.id) && overlap(r, &j->r))
            first = j;
    }
    return first;
}

/* ---- beginning ---- */

static void take_options(struct job_record *r, const struct dead_command *c)
{
    letter_filter_keep(&r->filter, &c->filter);
    r->rate = c->rate;
    r->spread_ms = c->spread_ms;
    r->canary = c->canary;
    r->has_max_fail = c->has_max_fail;
    r->max_fail = c->max_fail;
    slice_copy(r->to, c->to); /* the name of a topic that there is */
    r->held = c->held;
    slice_copy(r->build, c->build); /* within its bound, as every HELLO's */
    r->keep_deadline = c->keep_deadline;
    if (r->kind == JOB_REDRIVE)
        r->phase = r->held ? JOB_HELD : redrive_begins(r);
}

static int begin(struct ledger *l, struct job *j, uint64_t count)
{
    const struct job *other = count ? in_the_way(l, &j->r) : NULL;
    if (other)
        ledger_tell_done(l, SHUNT_TOO_MANY, NULL, other->r.id, 0);
    else if (!count)
        ledger_tell_done(l, 0, NULL, 0, 0);
    else if (job_may_begin(l, j->r.rate))
        return job_begin_told(l, j, count);
    free(j);
    return 0;
}

/* The group whose letters they are; NULL: *ret_refusal and *ret_why say what is wrong. */
static struct group *dead_group(struct ledger *l, const struct dead_command *c, int *ret_refusal,
                                const char **ret_why)
{
    struct group *g = ledger_group(l, c->topic, c->group, ret_refusal);
    *ret_why = NULL;
    if (g && !g->dlq) {
        *ret_refusal = SHUNT_BAD_ARGUMENT;
        *ret_why = "name the topic and group that failed, not the dead-letter queue";
    } else if (g && c->to.size) {
        *ret_refusal = move_refused(g, ledger_topic(l, c->to), ret_why);
    }
    return *ret_refusal ? NULL : g;
}

int apply_dead(struct ledger *l, const struct dead_command *c, enum job_kind kind)
{
    int refusal = 0;
    const char *why;
    struct group *g = dead_group(l, c, &refusal, &why);
    if (!g) {
        ledger_tell_done(l, refusal, why, 0, 0);
        return 0;
    }
    struct job *j = job_new(kind, g->dlq, g);
    if (!j)
        return SHUNT_NO_MEMORY;
    check(sizeof j->r.topic_name == sizeof g->topic->r.name);
    memcpy(j->r.topic_name, g->topic->r.name, sizeof j->r.topic_name);
    take_options(&j->r, c);
    int err = choose_ids(l, g, c, &j->r);
    if (!err)
        return begin(l, j, how_many(g, c, &j->r));
    free(j);
    return err;
}
