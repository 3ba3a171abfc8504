/* request_messages: peeking at messages, dead letters and what is to become of them, jobs. */
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

#include <string.h>

/* ---- messages and dead letters ---- */

int request_peek(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->topic = mpack_read_str(r);
    ret->group = mpack_read_str(r);
    ret->looking.number = request_uint_or_0(r);
    ret->looking.limit = request_limit(r);
    ret->looking.bodies = !request_left_out(r) && mpack_read_bool(r);
    return 0;
}

void look_peek(struct engine *e, struct step *st)
{
    const struct looking *l = &st->looking;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 3);
    answer_end(st->session, st->request_id, &a, view_peek(&v, g, l->number, l->limit, l->bodies, a.out),
               "a dead-letter queue is listed, not peeked at");
}

static const char *not_dlq = "name the topic and group that failed, not the dead-letter queue";

int request_dlq_list(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->topic = mpack_read_str(r);
    ret->group = mpack_read_str(r);
    ret->looking.number = request_uint_or_0(r);
    ret->looking.limit = request_limit(r);
    return 0;
}

void look_dead_list(struct engine *e, struct step *st)
{
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 2);
    answer_end(st->session, st->request_id, &a,
               view_dead_list(&v, g, st->looking.number, st->looking.limit, a.out), not_dlq);
}

int request_dlq_show(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->topic = mpack_read_str(r);
    ret->group = mpack_read_str(r);
    ret->looking.name = mpack_read_str(r);
    return 0;
}

void look_dead(struct engine *e, struct step *st)
{
    struct slice id = st->looking.name;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 1);
    int err = view_dead(&v, g, id, a.out);
    const char *why = err == SHUNT_BAD_ARGUMENT ? not_dlq : NULL;
    if (err == SHUNT_NOT_FOUND) {
        why = engine_text(e, "%s among the dead letters of group %s of topic %s; a listing shows them",
                          engine_name(e, id, TOPIC_BYTES_MAX), engine_name(e, st->group, NAME_BYTES_MAX),
                          engine_name(e, st->topic, NAME_BYTES_MAX));
    }
    answer_end(st->session, st->request_id, &a, err, why);
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
                count && count <= IDS_MAX ? arena_room(&s->engine->arena, count * sizeof *ids) : NULL;
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

int request_dlq_purge(struct session *s, struct mpack_reader *r, struct step *ret)
{
    struct dead_command *c = &ret->command.dead;
    c->topic = ret->topic = mpack_read_str(r);
    c->group = ret->group = mpack_read_str(r);
    return read_which(s, r, c, &ret->why);
}

int request_dlq_redrive(struct session *s, struct mpack_reader *r, struct step *ret)
{
    int err = request_dlq_purge(s, r, ret);
    uint64_t rate = err ? 0 : request_uint_or_0(r);
    if (rate > UINT32_MAX) {
        ret->why = "rate is at most 4294967295 messages a second";
        return SHUNT_BAD_ARGUMENT;
    }
    ret->command.dead.rate = (uint32_t)rate;
    return err;
}

/* ---- jobs ---- */

int request_job_cancel(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->command.job.id = mpack_read_uint(r);
    return 0;
}

int request_job(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    ret->looking.number = mpack_read_uint(r);
    return 0;
}

void look_job(struct engine *e, struct step *st)
{
    uint64_t job = st->looking.number;
    struct view v = engine_view(e);
    struct answer a = answer_begin(st->session, st->request_id, 1);
    int err = view_job(&v, job, a.out);
    answer_end(st->session, st->request_id, &a, err, err == SHUNT_NOT_FOUND ? engine_no_job(e, job) : NULL);
}
