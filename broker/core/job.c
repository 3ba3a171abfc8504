/* job: work on many messages that goes on in the background, a page at a time, and after a restart: redrive,
 * purge, and clearing away what was deleted. */
#include "base/check.h"
#include "broker/core/cause.h"

#include <string.h>

#define JOB_PAGE_ROWS  512  /* worked on in one step; of a topic with many groups, fewer */
#define TICK_PAGE_ROWS 2048 /* by all jobs in one tick */
#define TICK_JOBS_MAX  256  /* that have their turn in one tick, each with a few rows at least */

/* ---- keeping them ---- */

static int job_write(struct ledger *l, const struct job_record *r)
{
    struct key key = key_job(r->id);
    size_t size = job_encode(l->record, key_slice(&key), r);
    l->changed = true;
    return ledger_put(l, TABLE_JOB, key_slice(&key), (struct slice){l->record, size});
}

/* Only the newest finished ones are kept, so that the table stays small. */
static int forget_old(struct ledger *l, uint64_t finished)
{
    uint64_t oldest = jobs_finished(l, finished);
    struct key key = key_job(oldest);
    int err = oldest ? ledger_del(l, TABLE_JOB, key_slice(&key), NULL) : 0;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* ---- steps of a page; each sets *ret_over when nothing is left ---- */

/* What a row costs of a page: it is looked at for each group. */
static unsigned cost(struct ledger *l, const struct topic *t)
{
    ledger_looked(l, 0);
    l->rows += CHANGED_ROW + t->groups_count;
    return 1 + (unsigned)t->groups_count / CHANGED_ROW;
}

static void spend(unsigned *left, unsigned rows)
{
    *left -= rows < *left ? rows : *left;
}

/* How many the job's rate allows now. */
static unsigned allowance(const struct ledger *l, const struct job_record *j, unsigned page)
{
    if (!j->rate)
        return page;
    uint64_t elapsed_ms = (uint64_t)(l->now_ms - j->begun_ms);
    uint64_t due = elapsed_ms / 1000 * j->rate + elapsed_ms % 1000 * j->rate / 1000 + 1;
    check(due > j->done); /* or it would be due later */
    uint64_t left = due - j->done;
    return left < page ? (unsigned)left : page;
}

/* The first key of `table` for `id` after the job's cursor, up to its last. NOT_FOUND: none. */
static int next_row(struct ledger *l, enum store_table table, uint32_t id, const struct job_record *j,
                    uint64_t *ret_seq)
{
    struct store_cursor *cursor;
    struct key from = key_id_seq(id, j->cursor + 1);
    struct slice key, value;
    uint32_t of;
    int err = store_cursor_open(l->txn, table, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err && (!key_read_id_seq(key, &of, ret_seq) || of != id || *ret_seq > j->last))
        err = SHUNT_NOT_FOUND;
    store_cursor_close(cursor);
    return err;
}

static int step_dead(struct ledger *l, struct job_record *j, unsigned page, bool *ret_over)
{
    struct group *g = catalog_live_group(l, j->group);
    enum done_how how = j->kind == JOB_REDRIVE ? DONE_REDRIVEN : DONE_PURGED;
    for (unsigned left = allowance(l, j, page); g && left && ledger_has_room(l, ledger_remove_cost(g->dlq));
         spend(&left, cost(l, g->dlq))) {
        uint64_t seq;
        bool found;
        if (j->ids_count) {
            if (j->cursor == j->ids_count) {
                *ret_over = true;
                return 0;
            }
            seq = j->ids[j->cursor++];
        } else {
            if (j->done == j->total) {
                *ret_over = true;
                return 0;
            }
            int err = next_row(l, TABLE_DEAD, g->dlq->r.id, j, &seq);
            *ret_over = err == SHUNT_NOT_FOUND;
            if (err)
                return *ret_over ? 0 : err;
            j->cursor = seq;
        }
        int err = dead_remove(l, g->dlq, seq, how, &found);
        if (err)
            return err;
        j->done += found;
    }
    *ret_over = !g || (j->ids_count ? j->cursor == j->ids_count : j->done == j->total);
    return 0;
}

/* Whether purging takes it: ready or delayed, and not back from a consumer or the DLQ since the purge was
 * asked for: what was in flight or dead then stays. */
static bool purgeable(const struct job_record *j, enum where where, const struct attempt_record *row)
{
    return where == WHERE_FRESH ||
           (where == WHERE_TRACKED && row->state == ATTEMPT_WAITING && row->back_job <= j->id);
}

static int purge_message(struct ledger *l, struct job_record *j, struct topic *t, uint64_t seq)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        struct group *g = t->groups[i];
        enum where where;
        struct attempt_record row;
        if (j->group && g->r.id != j->group)
            continue;
        int err = place_find(l, g, seq, &where, &row);
        if (!err && purgeable(j, where, &row)) {
            j->done++;
            err = place_forget(l, g, seq, DONE_PURGED);
        }
        if (err)
            return err;
    }
    return 0;
}

static int step_purge(struct ledger *l, struct job_record *j, unsigned page, bool *ret_over)
{
    struct topic *t = catalog_topic_by_id(l, j->topic);
    *ret_over = !t || t->r.dropped;
    for (unsigned left = page; !*ret_over && left && ledger_has_room(l, ledger_remove_cost(t));
         spend(&left, cost(l, t))) {
        uint64_t seq;
        int err = next_row(l, t->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE, t->r.id, j, &seq);
        *ret_over = err == SHUNT_NOT_FOUND;
        if (err)
            return *ret_over ? 0 : err;
        j->cursor = seq;
        err = purge_message(l, j, t, seq);
        if (err)
            return err;
    }
    return 0;
}

/* ---- clearing away a deleted topic or group ---- */

/* Delete up to a page of the rows of `table` whose key begins with the id. *ret_left is what remains of the
 * page. */
static int clear_rows(struct ledger *l, enum store_table table, uint32_t id, unsigned *left)
{
    struct store_cursor *cursor;
    struct key prefix = key_id(id);
    struct slice key, value;
    int err = store_cursor_open(l->txn, table, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&prefix), &key, &value);
    while (!err && *left && key.size >= 4 && !memcmp(key.data, prefix.bytes, 4)) {
        if (!ledger_has_room(l, cost_row(value.size))) {
            *left = 0;
            break;
        }
        (*left)--;
        l->rows += CHANGED_ROW;
        err = ledger_cursor_del(l, cursor, table, key, value.size);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int clear_group_rows(struct ledger *l, uint32_t id, unsigned *left)
{
    static const enum store_table tables[] = {TABLE_HISTORY, TABLE_ATTEMPT, TABLE_DUE, TABLE_DONE,
                                              TABLE_CAUSE};
    int err = 0;
    for (size_t i = 0; !err && *left && i < sizeof tables / sizeof *tables; i++)
        err = clear_rows(l, tables[i], id, left);
    return err;
}

/* A message or dead letter that only the dropped group needed. Its expiry rows go with it. */
static int clear_message(struct ledger *l, struct job_record *j, struct topic *t, uint64_t seq,
                         unsigned *left)
{
    struct loaded_message m;
    int err = message_load(l, t, seq, false, &m);
    for (struct group *g = t->dropped; !err && m.head.expires_ms && g; g = g->dropped_next) {
        struct key key = key_expiry(m.head.expires_ms, g->r.id, seq);
        if (j->group && g->r.id != j->group)
            continue;
        spend(left, 1);
        err = ledger_del(l, TABLE_EXPIRY, key_slice(&key), NULL);
        err = err == SHUNT_NOT_FOUND ? 0 : err;
    }
    j->done += j->done < j->total; /* roughly how far it has come; the end makes it exact */
    bool needed = false;
    for (size_t i = 0; !err && !needed && i < t->groups_count; i++)
        err = place_needs(l, t->groups[i], seq, &needed);
    if (err || needed)
        return err;
    /* All who still read the queue are through with a dead letter, as if this group had never been. */
    return t->r.origin_group ? dead_settle(l, t, seq, DONE_ACKED) : message_delete(l, t, seq);
}

static int clear_messages(struct ledger *l, struct job_record *j, struct topic *t, unsigned *left)
{
    while (*left) {
        uint64_t seq;
        int err = next_row(l, t->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE, t->r.id, j, &seq);
        if (err)
            return err == SHUNT_NOT_FOUND ? 0 : err;
        if (!ledger_has_room(l, ledger_remove_cost(t))) {
            *left = 0;
            return 0;
        }
        spend(left, cost(l, t));
        j->cursor = seq;
        err = clear_message(l, j, t, seq, left);
        if (err)
            return err;
    }
    return 0;
}

/* The rows of a dropped group that reads a DLQ, and itself. */
static int clear_reader(struct ledger *l, struct group *g, unsigned *left)
{
    int err = clear_group_rows(l, g->r.id, left);
    if (err || !*left)
        return err;
    spend(left, 1);
    return catalog_remove_group(l, g);
}

/* The rows of one dropped group and of its DLQ; the group itself goes last. */
static int clear_group(struct ledger *l, struct group *g, unsigned *left)
{
    struct topic *dlq = g->dlq;
    if (g->origin)
        return clear_reader(l, g, left);
    check(dlq);
    int err = clear_group_rows(l, g->r.id, left);
    if (!err && *left)
        err = clear_rows(l, TABLE_DEAD, dlq->r.id, left);
    while (!err && *left && dlq->dropped) /* all who read it were dropped with it */
        err = clear_reader(l, dlq->dropped, left);
    if (err || !*left)
        return err;
    spend(left, 2);
    err = catalog_remove_topic(l, dlq);
    return err ? err : catalog_remove_group(l, g);
}

/* A group that the job clears away. NULL: there is none left. */
static struct group *to_clear(const struct ledger *l, const struct job_record *j, const struct topic *t)
{
    if (!j->group)
        return t->dropped;
    struct group *g = catalog_group_by_id(l, j->group);
    return g && g->r.dropped ? g : NULL;
}

static int step_drop(struct ledger *l, struct job_record *j, unsigned left, bool *ret_over)
{
    struct group *g;
    struct topic *t = catalog_topic_by_id(l, j->topic);
    /* A later job on the whole topic, or on the group whose DLQ it is, clears this one's part too. */
    if (t && t->r.dropped && t->r.origin_group)
        t = NULL;
    *ret_over = !t;
    int err = t ? clear_messages(l, j, t, &left) : 0;
    while (!err && t && left && (g = to_clear(l, j, t)))
        err = clear_group(l, g, &left);
    if (!err && t && left) {
        *ret_over = true;
        j->done = j->total;
        if (!j->group)
            err = catalog_remove_topic(l, t);
    }
    return err;
}

/* ---- driving them ---- */

const char *job_kind_name(enum job_kind kind)
{
    static const char *const kinds[] = {"", "redrive", "purge_dlq", "purge", "drop", "causes"};
    return kinds[kind];
}

/* It has ended, by itself or not. */
static int end(struct ledger *l, struct job_record *j)
{
    j->finished = true;
    j->ended_ms = l->now_ms;
    struct result *ended = result_add(l, RESULT_JOB_ENDED);
    ended->job_ended.kind = job_kind_name(j->kind);
    ended->job_ended.topic = result_copy(l, j->topic_name, strlen(j->topic_name) + 1);
    ended->job_ended.group = result_copy(l, j->group_name, strlen(j->group_name) + 1);
    ended->job_ended.job = j->id;
    ended->job_ended.done = j->done;
    int err = job_write(l, j);
    return err ? err : forget_old(l, j->id);
}

static int step(struct ledger *l, struct job_record *j, unsigned page)
{
    bool over = false;
    int err = 0;
    if (j->kind == JOB_REDRIVE && l->room.fullness == STORE_LAST && j->begun_ms < l->now_ms)
        return 0; /* what comes back takes a little more than a dead letter: it waits for room */
    switch (j->kind) {
    case JOB_REDRIVE:
    case JOB_PURGE_DLQ:
        err = step_dead(l, j, page, &over);
        break;
    case JOB_PURGE:
        err = step_purge(l, j, page, &over);
        break;
    case JOB_DROP:
        err = step_drop(l, j, page, &over);
        break;
    case JOB_CAUSES:
        err = triage_step(l, j, page, &over);
        break;
    }
    if (err)
        return err;
    return over ? end(l, j) : job_write(l, j);
}

/* Those that are due share a tick evenly: a stored order would have to be kept, and the oldest first would
 * let the others wait. Of more than fit, as many as do have their turn, from any one on. */
int jobs_step(struct ledger *l)
{
    uint32_t due = jobs_take_due(l), served = due < TICK_JOBS_MAX ? due : TICK_JOBS_MAX;
    uint64_t first = served < due ? ledger_random(l, due) : 0;
    unsigned page = served ? TICK_PAGE_ROWS / served : 0;
    int err = 0;
    page = page < JOB_PAGE_ROWS ? page : JOB_PAGE_ROWS;
    for (uint32_t i = 0; !err && i < served; i++)
        err = step(l, l->jobs_due[(first + i) % due], page);
    jobs_put_back(l, due);
    return err;
}

int job_begin(struct ledger *l, const struct job_record *r, uint64_t *ret_id)
{
    struct job_record *j;
    int err = job_keep(l, r, &j);
    if (err)
        return err;
    j->id = *ret_id = l->meta.job_next++;
    j->begun_ms = l->now_ms;
    err = step(l, j, JOB_PAGE_ROWS);
    job_is_due(l, j);
    return err;
}

bool job_of_causes_begins(const struct ledger *l)
{
    for (size_t i = 0; l->causes_unknown && i < l->jobs_count; i++) {
        if (l->jobs[i]->kind == JOB_CAUSES)
            return false;
    }
    return l->causes_unknown && !jobs_full(l, 0);
}

int job_begin_causes(struct ledger *l)
{
    struct job_record j = {.kind = JOB_CAUSES};
    uint64_t id;
    for (size_t i = 0; i < l->groups_count; i++) {
        if (!l->groups[i]->r.causes_known && !l->groups[i]->r.dropped)
            j.total += l->groups[i]->r.counts.dead;
    }
    return job_begin(l, &j, &id);
}

int apply_job_cancel(struct ledger *l, uint64_t id)
{
    struct job_record *j = job_find(l, id);
    if (!j) {
        ledger_tell_done(l, job_was(l, id) ? 0 : SHUNT_NOT_FOUND, NULL, id, 0);
        return 0;
    }
    if (j->kind == JOB_DROP || j->kind == JOB_CAUSES) {
        ledger_tell_done(l, SHUNT_BAD_ARGUMENT,
                         j->kind == JOB_DROP
                             ? "what was deleted is cleared away; that cannot be cancelled"
                             : "dead letters of an older server get their causes; that cannot be cancelled",
                         id, 0);
        return 0;
    }
    int err = end(l, j);
    if (err)
        return err;
    job_is_over(l, j);
    ledger_tell_done(l, 0, NULL, id, 0);
    return 0;
}
