/* job_purge: the job that takes away what is ready or delayed of a topic. */
#include "broker/core/job.h"

/* Whether purging takes it: ready or delayed, and not back from a consumer or the DLQ since the purge was
 * asked for: what was in flight or dead then stays. */
static bool purgeable(const struct job_record *r, enum where where, const struct attempt_record *row)
{
    return where == WHERE_FRESH ||
           (where == WHERE_TRACKED && row->state == ATTEMPT_WAITING && row->back_job <= r->id);
}

static int purge_message(struct ledger *l, struct job_record *r, struct topic *t, uint64_t seq)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        struct group *g = t->groups[i];
        enum where where;
        struct attempt_record row;
        if (r->group && g->r.id != r->group)
            continue;
        int err = place_find(l, g, seq, &where, &row);
        if (!err && purgeable(r, where, &row)) {
            r->done++;
            err = place_forget(l, g, seq, DONE_PURGED);
        }
        if (err)
            return err;
    }
    return 0;
}

int job_purge_step(struct ledger *l, struct job *j, unsigned page, bool *ret_over)
{
    struct job_record *r = &j->r;
    struct topic *t = catalog_topic_by_id(l, r->topic);
    *ret_over = !t || t->r.dropped;
    for (unsigned left = page; !*ret_over && left && ledger_has_room(l, ledger_remove_cost(t));
         job_spend(&left, job_row_cost(l, t))) {
        uint64_t seq;
        int err = job_next_row(l, t->r.origin_group ? TABLE_DEAD : TABLE_MESSAGE, t->r.id, r, &seq);
        *ret_over = err == SHUNT_NOT_FOUND;
        if (err)
            return *ret_over ? 0 : err;
        r->cursor = seq;
        err = purge_message(l, r, t, seq);
        if (err)
            return err;
    }
    return 0;
}
