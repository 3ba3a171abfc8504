/* job_dead_step: a page of a redrive or a purge of dead letters. */
#include "broker/core/job.h"
#include "broker/core/letter.h"

/* The number of the next letter, which may be gone. NOT_FOUND: that was the last. */
static int next_letter(struct ledger *l, const struct topic *dlq, struct job_record *r, uint64_t *ret_seq)
{
    if (r->ids_count) {
        if (r->cursor == r->ids_count)
            return SHUNT_NOT_FOUND;
        *ret_seq = r->ids[r->cursor++];
        return 0;
    }
    if (r->done == r->total)
        return SHUNT_NOT_FOUND;
    int err = job_next_row(l, TABLE_DEAD, dlq->r.id, r, ret_seq);
    if (!err)
        r->cursor = *ret_seq;
    return err;
}

/* False in *ret if it is gone or the filter does not let it through. */
static int is_wanted(struct ledger *l, struct topic *dlq, uint64_t seq, const struct letter_filter *f,
                     bool *ret)
{
    struct key key = key_id_seq(dlq->r.id, seq);
    struct slice value;
    struct dead_record dead;
    struct loaded_message m;
    struct dead_letter d;
    *ret = false;
    int err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
    if (!err)
        err = dead_decode(key_slice(&key), value, &dead);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    *ret = letter_passes_row(l, f, &dead);
    if (!*ret || !letter_filter_is_deep(f))
        return 0;
    err = message_load(l, dlq, seq, false, &m);
    if (!err)
        err = letter_row(l, dlq, seq, &m, &d);
    return err ? err : letter_passes(l, f, &d, ret);
}

/* What became of a letter. */
enum fate {
    FATE_LEFT, /* it is gone, or not wanted, or damaged and cannot be copied: it stays as it is */
    FATE_MOVED,
    FATE_WAITS, /* for room in the next batch, or for an operator */
};

static int take_out(struct ledger *l, struct job *j, struct topic *dlq, uint64_t seq, enum fate *ret)
{
    enum done_how how = j->r.kind == JOB_REDRIVE ? DONE_REDRIVEN : DONE_PURGED;
    bool found;
    l->redriving = how == DONE_REDRIVEN ? j : NULL;
    int err = dead_remove(l, dlq, seq, how, &found);
    l->redriving = NULL;
    *ret = found ? FATE_MOVED : FATE_LEFT;
    return err;
}

/* To another topic. If that cannot take it, the job waits, until an operator has changed that and resumes it. */
static int send(struct ledger *l, struct job *j, struct topic *dlq, uint64_t seq, enum fate *ret)
{
    int refusal;
    int err = dead_move(l, dlq, seq, slice_of(j->r.to), j->r.keep_deadline, &refusal);
    bool left = refusal == SHUNT_NOT_FOUND || refusal == SHUNT_CORRUPT;
    *ret = !refusal ? FATE_MOVED : left ? FATE_LEFT : FATE_WAITS;
    if (err || *ret != FATE_WAITS || refusal == SHUNT_UNAVAILABLE)
        return err;
    j->r.refusal = (uint32_t)refusal;
    job_enter(l, j, JOB_PAUSED);
    return 0;
}

/* NOT_FOUND: there is none left. */
static int step_one(struct ledger *l, struct job *j, struct topic *dlq, const struct letter_filter *f,
                    enum fate *ret)
{
    uint64_t seq, before = j->r.cursor;
    bool wanted = true;
    *ret = FATE_LEFT;
    int err = next_letter(l, dlq, &j->r, &seq);
    if (!err && !letter_filter_is_empty(f))
        err = is_wanted(l, dlq, seq, f, &wanted);
    if (err || !wanted)
        return err;
    err = j->r.to[0] ? send(l, j, dlq, seq, ret) : take_out(l, j, dlq, seq, ret);
    j->r.done += !err && *ret == FATE_MOVED;
    if (*ret == FATE_WAITS)
        j->r.cursor = before;
    return err;
}

static bool all_seen(const struct job_record *r)
{
    return r->ids_count ? r->cursor == r->ids_count : r->done == r->total;
}

int job_dead_step(struct ledger *l, struct job *j, unsigned page, bool *ret_over)
{
    struct job_record *r = &j->r;
    struct group *g = catalog_live_group(l, r->group);
    struct letter_filter filter = letter_filter_kept(&r->filter);
    uint64_t may = redrive_allowance(l, r), moved = 0;
    *ret_over = !g;
    if (!g || r->phase == JOB_HELD)
        return 0;
    enum fate fate = FATE_LEFT;
    for (unsigned left = page; !*ret_over && fate != FATE_WAITS && left && moved < may &&
                               ledger_has_room(l, ledger_remove_cost(g->dlq));
         job_spend(&left, job_row_cost(l, g->dlq))) {
        int err = step_one(l, j, g->dlq, &filter, &fate);
        *ret_over = err == SHUNT_NOT_FOUND;
        if (err && !*ret_over)
            return err;
        moved += fate == FATE_MOVED;
    }
    redrive_spend(l, r, moved);
    redrive_goes_on(l, j); /* what is moved elsewhere has no outcome to wait for */
    *ret_over |= all_seen(r);
    if (*ret_over && !letter_filter_is_empty(&filter))
        r->total = r->done; /* it could only be said how many at most */
    return 0;
}
