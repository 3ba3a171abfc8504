/* job: the phases that a job goes through, and the rows that it goes over. */
#include "broker/core/job.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* ---- phases ---- */

#define TO(phase)  (1u << JOB_##phase)
#define TO_AN_END  (TO(DONE) | TO(CANCELLED))
#define TO_RUNNING (TO(RUNNING) | TO(HELD) | TO(CANARY) | TO(RAMP))

/* What may follow on each. */
static const unsigned moves[JOB_PHASES] = {
    [JOB_RUNNING] = TO(PAUSED) | TO(STOPPED) | TO_AN_END,
    [JOB_PAUSED] = TO_RUNNING | TO(STOPPED) | TO_AN_END,
    [JOB_HELD] = TO(PAUSED) | TO(CANARY) | TO(RAMP) | TO(RUNNING) | TO_AN_END,
    [JOB_CANARY] = TO(PAUSED) | TO(RAMP) | TO(STOPPED) | TO_AN_END,
    [JOB_RAMP] = TO(PAUSED) | TO(RUNNING) | TO(STOPPED) | TO_AN_END,
    [JOB_DONE] = 0,
    [JOB_CANCELLED] = 0,
    [JOB_STOPPED] = 0,
};

const char *job_kind_name(enum job_kind kind)
{
    static const char *const kinds[] = {"", "redrive", "purge_dlq", "purge", "drop", "causes"};
    return kinds[kind];
}

static void tell_ended(struct ledger *l, const struct job_record *r)
{
    struct result *ended = result_add(l, RESULT_JOB_ENDED);
    ended->job_ended.kind = job_kind_name(r->kind);
    ended->job_ended.topic = result_copy(l, r->topic_name, strlen(r->topic_name) + 1);
    ended->job_ended.group = result_copy(l, r->group_name, strlen(r->group_name) + 1);
    ended->job_ended.job = r->id;
    ended->job_ended.done = r->done;
}

void job_enter(struct ledger *l, struct job *j, enum job_phase phase)
{
    struct job_record *r = &j->r;
    check(moves[r->phase] & 1u << phase);
    if (phase == JOB_PAUSED)
        r->before = r->phase;
    r->phase = phase;
    job_dirty(l, j);
    if (!job_over(r))
        return;
    r->ended_ms = l->now_ms;
    r->ids_count = 0;                       /* nobody asks for them any more, … */
    memset(r->recent, 0, sizeof r->recent); /* … nor for these */
    tell_ended(l, r);
}

/* ---- the rows that it goes through ---- */

unsigned job_row_cost(struct ledger *l, const struct topic *t)
{
    ledger_looked(l, 0);
    l->rows += CHANGED_ROW + t->groups_count;
    return 1 + (unsigned)t->groups_count / CHANGED_ROW;
}

int job_next_row(struct ledger *l, enum store_table table, uint32_t id, const struct job_record *r,
                 uint64_t *ret_seq)
{
    struct store_cursor *cursor;
    struct key from = key_id_seq(id, r->cursor + 1);
    struct slice key, value;
    uint32_t of;
    int err = store_cursor_open(l->txn, table, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err && (!key_read_id_seq(key, &of, ret_seq) || of != id || *ret_seq > r->last))
        err = SHUNT_NOT_FOUND;
    store_cursor_close(cursor);
    return err;
}

/* ---- a new one ---- */

static void copy_name(char *to, const char *from, size_t room)
{
    size_t size = strlen(from);
    check(size < room);
    memcpy(to, from, size + 1);
}

struct job *job_new(enum job_kind kind, const struct topic *t, const struct group *g)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->r.kind = kind;
    j->r.topic = t->r.id;
    j->r.group = g ? g->r.id : 0;
    j->r.last = t->r.head - 1;
    copy_name(j->r.topic_name, t->r.name, sizeof j->r.topic_name);
    copy_name(j->r.group_name, g ? g->r.name : "", sizeof j->r.group_name);
    return j;
}
