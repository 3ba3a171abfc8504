/* report: what the server holds at the end, as events of the history. */
#include "broker/check.h"
#include "broker/core/job.h"
#include "tests/sim/model.h"
#include "tests/sim/server.h"

#include <stdlib.h>
#include <string.h>

static bool is_plain(const struct group *g)
{
    return !g->r.dropped && g->topic && !g->topic->r.dropped && !g->origin;
}

bool server_is_drained(struct sim *s)
{
    if (!server_is_up(s))
        return false;
    const struct ledger *l = s->server->engine->ledger;
    for (size_t i = 0; i < l->groups_count; i++) {
        const struct group_counts *n = &l->groups[i]->r.counts;
        if (is_plain(l->groups[i]) && n->ready + n->in_flight + n->delayed + l->groups[i]->r.ruled_waiting)
            return false;
    }
    return l->jobs_count == 0;
}

bool server_is_blocked(const struct sim *s, const char *topic, const char *group)
{
    const struct ledger *l = server_is_up(s) ? s->server->engine->ledger : NULL;
    for (size_t i = 0; l && i < l->groups_count; i++) {
        const struct group *g = l->groups[i];
        if (is_plain(g) && !strcmp(g->topic->r.name, topic) && !strcmp(g->r.name, group))
            return g->r.blocking && g->r.counts.ready;
    }
    return false;
}

uint64_t server_jobs_begun(const struct sim *s)
{
    return server_is_up(s) ? s->server->engine->ledger->meta.job_next - 1 : 0;
}

uint64_t server_waiting_job(const struct sim *s)
{
    const struct ledger *l = server_is_up(s) ? s->server->engine->ledger : NULL;
    for (size_t i = 0; l && i < l->jobs_count; i++) {
        if (l->jobs[i]->r.outcomes[REDRIVE_PENDING])
            return l->jobs[i]->r.id;
    }
    return 0;
}

uint64_t server_paused_job(const struct sim *s)
{
    const struct ledger *l = server_is_up(s) ? s->server->engine->ledger : NULL;
    for (size_t i = 0; l && i < l->jobs_count; i++) {
        if (l->jobs[i]->r.phase == JOB_PAUSED)
            return l->jobs[i]->r.id;
    }
    return 0;
}

static uint64_t body_of(struct store_txn *txn, uint32_t topic, uint64_t seq)
{
    struct key key = key_id_seq(topic, seq);
    struct slice value, message;
    struct message_head head;
    if (store_get(txn, TABLE_MESSAGE, key_slice(&key), &value) ||
        message_decode(key_slice(&key), value, true, &head, &message))
        return 0;
    return sim_message_digest(message);
}

static void report_dead(struct sim *s, struct store_txn *txn, const struct group *g,
                        const struct dead_record *dead)
{
    struct key key = key_id_seq(g->r.id, dead->origin_seq);
    struct slice value;
    struct attempt_record row;
    if (store_get(txn, TABLE_ATTEMPT, key_slice(&key), &value) ||
        attempt_decode(key_slice(&key), value, &row)) {
        sim_fail(s, "a dead letter has no row: %s/%llu", g->topic->r.name,
                 (unsigned long long)dead->origin_seq);
    }
    struct history_event *e = sim_event(s, HISTORY_DEAD);
    e->topic = history_name(&s->history, g->topic->r.name);
    e->group = history_name(&s->history, g->r.name);
    e->seq = dead->origin_seq;
    e->attempts = row.attempts;
    e->deliveries = row.deliveries;
    e->generation = row.generation;
    e->reason = (uint8_t)dead->reason;
    e->body = body_of(txn, g->topic->r.id, dead->origin_seq);
}

static void report_group(struct sim *s, struct store_txn *txn, const struct group *g)
{
    const struct group_counts *n = &g->r.counts;
    struct key from = key_id_seq(g->dlq->r.id, 0);
    struct store_cursor *c;
    struct slice key, value;
    uint32_t topic;
    uint64_t seq;
    if (store_cursor_open(txn, TABLE_DEAD, &c))
        sim_fail(s, "no cursor");
    int err = store_cursor_seek(c, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &topic, &seq) && topic == g->dlq->r.id) {
        struct dead_record dead;
        if (dead_decode(key, value, &dead))
            sim_fail(s, "a dead letter cannot be read");
        report_dead(s, txn, g, &dead);
        err = store_cursor_next(c, &key, &value);
    }
    store_cursor_close(c);
    struct history_event *e = sim_event(s, HISTORY_COUNTS);
    e->topic = history_name(&s->history, g->topic->r.name);
    e->group = history_name(&s->history, g->r.name);
    const uint64_t counts[HISTORY_COUNTERS] = {n->published, n->ready,    n->in_flight, n->delayed,
                                               n->dead,      n->acked,    n->expired,   n->discarded,
                                               n->purged,    n->redriven, n->moved_away};
    for (int i = 0; i < HISTORY_COUNTERS; i++)
        e->counts[i] = counts[i];
}

void server_report(struct sim *s)
{
    const struct ledger *l = s->server->engine->ledger;
    struct store_txn *txn;
    if (server_turn_is_open(s) || store_begin(s->disk.store, false, &txn))
        sim_fail(s, "no transaction");
    for (size_t i = 0; i < l->groups_count; i++) {
        if (is_plain(l->groups[i]))
            report_group(s, txn, l->groups[i]);
    }
    store_abort(txn);
}

void server_check(struct sim *s)
{
    char text[1500] = "";
    uint64_t problems = 0;
    if (s->plant != PLANT_NONE || s->figures.damages)
        return; /* what was damaged on purpose is a problem, and rightly so */
    FILE *report = fmemopen(text, sizeof text - 1, "w");
    if (!report)
        abort();
    int err = check_store(s->disk.store, report, &problems);
    (void)fclose(report); /* what does not fit is cut */
    if (err || problems)
        sim_fail(s, "check: %s%s", err ? err_name(err) : "", text);
}

bool server_damage(struct sim *s)
{
    uint32_t topic;
    uint64_t seq;
    if (!server_is_up(s) || server_turn_is_open(s) ||
        !disk_damage(&s->disk, s->plant == PLANT_NO_CHECKSUM, &topic, &seq))
        return false;
    const struct topic *t = catalog_topic_by_id(s->server->engine->ledger, topic);
    struct history_event *e = sim_event(s, HISTORY_DAMAGE);
    e->topic = t ? history_name(&s->history, t->r.name) : 0;
    e->seq = seq;
    if (t)
        model_damaged(s, t->r.name, seq);
    s->figures.damages++;
    return true;
}
