/* ledger_audit_letters: dead letters, as their causes and rules count them. */
#include "broker/core/cause.h"
#include "broker/core/job.h"
#include "broker/core/rule.h"
#include "broker/core/schema_edit.h"
#include "tests/unit/core/ledger_audit.h"

#include <criterion/criterion.h>

/* Each letter is counted by the cause that it names; the mark is as far as it can be, or about to move. */
void audit_causes(struct audit *a, const struct group *g)
{
    uint64_t counted[CAUSES_MAX + 1] = {0}, waiting[CAUSES_MAX + 1] = {0}, all_waiting = 0, seq;
    struct store_cursor *c;
    struct slice key, value;
    uint32_t id;
    bool first = true;
    struct key from = key_id_seq(g->dlq->r.id, 0);
    cr_assert_leq(g->causes_count, CAUSES_MAX + 1);
    cr_assert_eq(store_cursor_open(a->t, TABLE_DEAD, &c), 0);
    for (int err = store_cursor_seek(c, key_slice(&from), &key, &value);
         !err && key_read_id_seq(key, &id, &seq) && id == g->dlq->r.id;
         err = store_cursor_next(c, &key, &value)) {
        struct dead_record dead;
        cr_assert_eq(dead_decode(key, value, &dead), 0);
        cr_assert(dead.cause || !g->r.causes_known, "a letter without a cause");
        bool waits = !cause_attended(g, &dead, seq);
        for (size_t i = 0; i < g->causes_count; i++) {
            counted[i] += g->causes[i]->fingerprint == dead.cause;
            waiting[i] += waits && g->causes[i]->fingerprint == dead.cause;
        }
        all_waiting += waits;
        cr_assert(!waits || seq >= g->r.attended_below, "nobody has looked at %s/%llu", g->dlq->r.name,
                  (unsigned long long)seq);
        cr_assert(!dead.cause || cause_find(g, dead.cause), "a cause that is not there");
        bool moves = deadline_heap_has(&a->l->queues[QUEUE_TRIAGE], g->slot);
        cr_assert(moves || seq < g->r.attended_below || !first || !cause_attended(g, &dead, seq),
                  "%s/%llu is attended", g->dlq->r.name, (unsigned long long)seq);
        first &= seq < g->r.attended_below;
    }
    store_cursor_close(c);
    cr_assert_eq(g->r.counts.unattended, all_waiting);
    cr_assert_leq(g->r.slo_below, g->dlq->r.head);
    cr_assert_leq(g->r.attended_below, g->dlq->r.head);
    cr_assert_leq(g->r.counts.expired_unattended, g->r.counts.expired);
    for (size_t i = 0; i < g->causes_count; i++) {
        const struct cause *cause = g->causes[i];
        cr_assert_eq(cause->r.unattended, waiting[i], "%016llx", (unsigned long long)cause->fingerprint);
        cr_assert_eq(cause->r.dead, counted[i], "%016llx", (unsigned long long)cause->fingerprint);
        cr_assert_leq(cause->r.dead, cause->r.count);
        cr_assert(audit_there(a, TABLE_CAUSE, key_id_seq(g->r.id, cause->fingerprint)) || cause->dirty);
        cr_assert(audit_there(a, TABLE_CAUSE, key_history(g->r.id, cause->fingerprint, 1)), "its example");
    }
}

/* Each letter that a rule decided on was acted on, waits, was given up, or has left meanwhile. */
void audit_rules(const struct group *g)
{
    uint64_t waiting = 0;
    cr_assert_leq(g->rules_count, RULES_MAX);
    for (size_t i = 0; i < g->rules_count; i++) {
        const struct rule_record *r = &g->rules[i]->r;
        cr_assert(i == 0 || g->rules[i - 1]->number < g->rules[i]->number);
        cr_assert_leq(r->done + r->waiting + r->given_up, r->matched);
        cr_assert_leq(r->outcomes[REDRIVE_PENDING] + r->outcomes[REDRIVE_ACKED] +
                          r->outcomes[REDRIVE_FAILED_SAME] + r->outcomes[REDRIVE_FAILED_OTHER] +
                          r->outcomes[REDRIVE_GONE],
                      r->done);
        waiting += r->waiting;
    }
    cr_assert_leq(waiting, g->r.ruled_waiting, "the rest waited for rules that are gone");
}

uint64_t audit_edit(struct audit *a, const struct group *g, uint64_t seq, const struct attempt_record *row,
                    bool *damaged)
{
    struct key key = key_history(g->r.id, seq, EDIT_ROW_NOTE);
    struct slice value, message;
    struct message_head head;
    struct edit_record note;
    if (!row->edit)
        return 0;
    cr_assert(audit_get(a, TABLE_EDIT, key, &value));
    cr_assert_eq(edit_decode(key_slice(&key), value, &note), 0);
    cr_assert_eq(note.number, row->edit);
    key = key_history(g->r.id, seq, EDIT_ROW_MESSAGE);
    cr_assert(audit_get(a, TABLE_EDIT, key, &value));
    *damaged |= message_decode(key_slice(&key), value, true, &head, &message) != 0;
    return 2;
}

void audit_outcomes(struct audit *a)
{
    const struct ledger *l = a->l;
    uint64_t pending[JOBS_MAX + JOBS_FINISHED_KEPT] = {0};
    struct store_cursor *c;
    struct slice key, value;
    cr_assert_leq(l->kept_count, sizeof pending / sizeof *pending);
    cr_assert_eq(store_cursor_open(a->t, TABLE_ATTEMPT, &c), 0);
    for (int err = store_cursor_seek(c, (struct slice){"", 1}, &key, &value); !err;
         err = store_cursor_next(c, &key, &value)) {
        struct attempt_record row;
        uint32_t group;
        uint64_t seq;
        cr_assert(key_read_id_seq(key, &group, &seq));
        if (!catalog_live_group(l, group) || attempt_decode(key, value, &row) || !row.job)
            continue;
        if (job_find(l, row.job))
            pending[job_position(l, row.job)] += row.outcome == REDRIVE_PENDING;
    }
    store_cursor_close(c);
    for (size_t i = 0; i < l->kept_count; i++) {
        const struct job_record *r = &l->kept[i]->r;
        uint64_t sum = r->to[0] ? r->done : 0;
        for (unsigned k = 0; k < REDRIVE_OUTCOMES; k++)
            sum += r->outcomes[k];
        cr_assert_eq(r->outcomes[REDRIVE_PENDING], pending[i], "pending of job %llu, not %llu as rows say",
                     (unsigned long long)r->id, (unsigned long long)pending[i]);
        cr_assert_eq(sum, r->kind == JOB_REDRIVE ? r->done : 0, "outcomes of what a job moved");
    }
}
