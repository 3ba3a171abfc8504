/* request_look: peeking at messages, dead letters and what is to become of them, jobs. */
#include "broker/engine/engine_private.h"
#include "proto/errors.h"

#include <string.h>

/* The group that a request names, with everything before it applied; otherwise answers. */
static struct group *find_group(struct session *s, uint64_t request_id, const struct mpack_reader *r,
                                struct slice topic, struct slice name)
{
    int err = 0;
    if (r->failed)
        return NULL;
    gather_flush(s->engine);
    struct group *g = ledger_group(s->engine->ledger, topic, name, &err);
    if (!g)
        reply_missing(s, request_id, err, topic, name);
    return g;
}

static const char *not_dlq = "name the topic and group that failed, not the dead-letter queue";

void request_peek(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct slice topic = mpack_read_str(r), name = mpack_read_str(r);
    uint64_t after = request_uint_or_0(r);
    uint32_t limit = request_limit(r);
    bool bodies = !request_left_out(r) && mpack_read_bool(r);
    struct group *g = find_group(s, request_id, r, topic, name);
    if (!g)
        return;
    struct view v = engine_view(s->engine);
    struct answer a = answer_begin(s, request_id, 3);
    answer_end(s, request_id, &a, view_peek(&v, g, after, limit, bodies, a.out),
               "a dead-letter queue is listed, not peeked at");
}

void request_dlq_list(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct slice topic = mpack_read_str(r), name = mpack_read_str(r);
    uint64_t after = request_uint_or_0(r);
    uint32_t limit = request_limit(r);
    struct group *g = find_group(s, request_id, r, topic, name);
    if (!g)
        return;
    struct view v = engine_view(s->engine);
    struct answer a = answer_begin(s, request_id, 2);
    answer_end(s, request_id, &a, view_dead_list(&v, g, after, limit, a.out), not_dlq);
}

void request_dlq_show(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    struct slice topic = mpack_read_str(r), name = mpack_read_str(r), id = mpack_read_str(r);
    struct group *g = find_group(s, request_id, r, topic, name);
    if (!g)
        return;
    struct view v = engine_view(s->engine);
    struct answer a = answer_begin(s, request_id, 1);
    int err = view_dead(&v, g, id, a.out);
    const char *why = err == SHUNT_BAD_ARGUMENT ? not_dlq : NULL;
    if (err == SHUNT_NOT_FOUND)
        why = engine_text(
            s->engine, "%s among the dead letters of group %s of topic %s; a listing shows them",
            engine_name(s->engine, id, TOPIC_BYTES_MAX), engine_name(s->engine, name, NAME_BYTES_MAX),
            engine_name(s->engine, topic, NAME_BYTES_MAX));
    answer_end(s, request_id, &a, err, why);
}

/* `which`: exactly one of ids, count, all. */
static int read_which(struct session *s, struct mpack_reader *r, struct dead_command *c, const char **ret_why)
{
    uint32_t pairs = mpack_read_map(r), known = 0;
    for (uint32_t i = 0; !r->failed && i < pairs; i++) {
        struct slice key = mpack_read_str(r);
        if (key.size == 3 && !memcmp(key.data, "ids", 3)) {
            uint32_t count = mpack_read_array(r);
            struct slice *ids =
                count && count <= IDS_MAX ? arena_take(&s->engine->arena, count * sizeof *ids) : NULL;
            if (!ids) {
                *ret_why = "ids are 1 to 1000 names";
                return SHUNT_BAD_ARGUMENT;
            }
            for (uint32_t k = 0; k < count; k++)
                ids[k] = mpack_read_str(r);
            c->ids = ids;
            c->ids_count = count;
            known++;
        } else if (key.size == 5 && !memcmp(key.data, "count", 5)) {
            c->count = mpack_read_uint(r);
            known++;
        } else if (key.size == 3 && !memcmp(key.data, "all", 3)) {
            bool all = mpack_read_bool(r);
            known += all;
            c->count = all ? UINT64_MAX : c->count; /* `all` false chooses nothing, and takes nothing back */
        } else {
            (void)mpack_read_any(r); /* of a later version */
        }
    }
    if (!r->failed && known != 1) {
        *ret_why = "name exactly one of ids, count, all";
        return SHUNT_BAD_ARGUMENT;
    }
    return 0;
}

void request_dlq_change(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    struct command c = {.kind = op == OP_DLQ_REDRIVE ? COMMAND_DLQ_REDRIVE : COMMAND_DLQ_PURGE};
    const char *why = NULL;
    c.dead.topic = mpack_read_str(r);
    c.dead.group = mpack_read_str(r);
    int err = read_which(s, r, &c.dead, &why);
    if (!err && op == OP_DLQ_REDRIVE) {
        uint64_t rate = request_uint_or_0(r);
        if (rate > UINT32_MAX) {
            why = "rate is at most 4294967295 messages a second";
            err = SHUNT_BAD_ARGUMENT;
        }
        c.dead.rate = (uint32_t)rate;
    }
    gather_admin(s, op, request_id, r, &c, err, why);
}

const char *engine_no_job(struct engine *e, uint64_t job)
{
    return engine_text(e, "job %llu; of those that are done the last 100 are kept", (unsigned long long)job);
}

void request_job_cancel(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    struct command c = {.kind = COMMAND_JOB_CANCEL, .job.id = mpack_read_uint(r)};
    gather_admin(s, op, request_id, r, &c, 0, NULL);
}

void request_job_show(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op;
    uint64_t job = mpack_read_uint(r);
    if (r->failed)
        return;
    gather_flush(s->engine);
    struct view v = engine_view(s->engine);
    struct answer a = answer_begin(s, request_id, 1);
    int err = view_job(&v, job, a.out);
    const char *why = NULL;
    if (err == SHUNT_NOT_FOUND)
        why = engine_no_job(s->engine, job);
    answer_end(s, request_id, &a, err, why);
}
