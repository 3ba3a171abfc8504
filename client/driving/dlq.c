/* dlq: look at messages and dead letters, redrive and purge them. */
#include "base/utf8.h"
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/wire/error.h"
#include "proto/wire.h"
#include <string.h>

/* `group` as given, or the one every topic is made with. */
static const char *group_or_default(const char *group)
{
    return group ? group : "default";
}

int shunt_peek(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit,
               bool bodies, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    int rc = admin_begin(&call, OP_PEEK, 5, true, topic, true, group_or_default(group), err);
    if (rc != 0)
        return rc;
    mpack_write_uint(&call.request, after);
    mpack_write_uint(&call.request, limit);
    mpack_write_bool(&call.request, bodies);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_dlq_list(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit,
                   int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    int rc = admin_begin(&call, OP_DLQ_LIST, 4, true, topic, false, group_or_default(group), err);
    if (rc != 0)
        return rc;
    mpack_write_uint(&call.request, after);
    mpack_write_uint(&call.request, limit);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

static int check_id(const char *id, struct shunt_error *err)
{
    if (!id)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a dead letter must be named");
    size_t size = strlen(id);
    if (size > 0 && size < 300 && utf8_valid(id, size))
        return 0;
    return error_set(err, SHUNT_BAD_ARGUMENT, "\"%.100s\" cannot name a message",
                     utf8_valid(id, size) ? id : "?");
}

int shunt_dlq_show(struct shunt *s, const char *topic, const char *group, const char *id, int64_t timeout_ms,
                   struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    int rc = check_id(id, err);
    if (rc == 0)
        rc = admin_begin(&call, OP_DLQ_SHOW, 3, true, topic, false, group_or_default(group), err);
    if (rc != 0)
        return rc;
    mpack_write_cstr(&call.request, id);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

/* The map `which`: ids, or a count, or all. */
static int write_which(struct mpack_buffer *b, const char *const *ids, size_t ids_count, uint64_t count,
                       struct shunt_error *err)
{
    mpack_write_map(b, 1);
    if (ids_count == 0) {
        mpack_write_cstr(b, count == SHUNT_ALL ? "all" : "count");
        if (count == SHUNT_ALL)
            mpack_write_bool(b, true);
        else
            mpack_write_uint(b, count);
        return 0;
    }
    if (ids_count > IDS_MAX)
        return error_set(err, SHUNT_BAD_ARGUMENT, "at most %d ids in one call", IDS_MAX);
    mpack_write_cstr(b, "ids");
    mpack_write_array(b, (uint32_t)ids_count);
    for (size_t i = 0; i < ids_count; i++) {
        int rc = check_id(ids[i], err);
        if (rc != 0)
            return rc;
        mpack_write_cstr(b, ids[i]);
    }
    return 0;
}

/* The head of a request about some dead letters of a group. */
static int begin_of_some(struct call *call, unsigned op, uint32_t fields, const char *topic,
                         const char *group, const char *const *ids, size_t ids_count, uint64_t count,
                         struct shunt_error *err)
{
    int rc = admin_begin(call, op, fields, false, topic, false, group_or_default(group), err);
    if (rc != 0)
        return rc;
    rc = write_which(&call->request, ids, ids_count, count, err);
    if (rc != 0)
        call_done(call);
    return rc;
}

/* Run a request answered by a job and a count. */
static int finish_job(struct shunt *s, struct call *call, int64_t timeout_ms, uint64_t *ret_job,
                      uint64_t *ret_count, struct shunt_error *err)
{
    int rc = call_run(s, call, timeout_ms, err);
    if (rc == 0) {
        uint64_t job = mpack_read_uint(&call->reply), count = mpack_read_uint(&call->reply);
        if (call->reply.failed)
            rc = error_set(err, SHUNT_PROTOCOL, NULL);
        if (rc == 0 && ret_job)
            *ret_job = job;
        if (rc == 0 && ret_count)
            *ret_count = count;
    }
    call_done(call);
    return rc;
}

int shunt_dlq_redrive(struct shunt *s, const char *topic, const char *group, const char *const *ids,
                      size_t ids_count, uint64_t count, uint32_t rate, int64_t timeout_ms, uint64_t *ret_job,
                      uint64_t *ret_count, struct shunt_error *err)
{
    struct call call;
    int rc = begin_of_some(&call, OP_DLQ_REDRIVE, 4, topic, group, ids, ids_count, count, err);
    if (rc != 0)
        return rc;
    mpack_write_uint(&call.request, rate);
    return finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
}

int shunt_dlq_purge(struct shunt *s, const char *topic, const char *group, const char *const *ids,
                    size_t ids_count, uint64_t count, int64_t timeout_ms, uint64_t *ret_job,
                    uint64_t *ret_count, struct shunt_error *err)
{
    struct call call;
    int rc = begin_of_some(&call, OP_DLQ_PURGE, 3, topic, group, ids, ids_count, count, err);
    if (rc != 0)
        return rc;
    return finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
}
