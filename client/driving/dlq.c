/* dlq: look at messages and dead letters, redrive and purge them. */
#include "base/utf8.h"
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/wire/error.h"
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
    group = group_or_default(group);
    const union request_fields q = {.peek = {.topic = slice_of(topic),
                                             .group = slice_of(group),
                                             .after = after,
                                             .limit = limit,
                                             .bodies = bodies}};
    int rc = admin_names(topic, true, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_peek, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_dlq_list(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit,
                   int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = group_or_default(group);
    const union request_fields q = {
        .dlq_list = {.topic = slice_of(topic), .group = slice_of(group), .after = after, .limit = limit}};
    int rc = admin_names(topic, false, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_dlq_list, &q, true);
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
    group = group_or_default(group);
    const union request_fields q = {
        .dlq_show = {.topic = slice_of(topic), .group = slice_of(group), .message = slice_of(id)}};
    int rc = check_id(id, err);
    if (rc == 0)
        rc = admin_names(topic, false, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_dlq_show, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

/* Which letters: those of the ids, which are written to `names`, or so many. */
static int choose(const char *const *ids, size_t ids_count, uint64_t count, struct mpack_buffer *names,
                  struct dead_choice *ret, struct shunt_error *err)
{
    *ret = (struct dead_choice){.count = count == SHUNT_ALL ? UINT64_MAX : count};
    if (ids_count > IDS_MAX)
        return error_set(err, SHUNT_BAD_ARGUMENT, "at most %d ids in one call", IDS_MAX);
    for (size_t i = 0; i < ids_count; i++) {
        int rc = check_id(ids[i], err);
        if (rc != 0)
            return rc;
        mpack_write_cstr(names, ids[i]);
    }
    ret->ids = (struct wire_list){(uint32_t)ids_count, {names->data, names->size}};
    return names->failed ? error_set(err, SHUNT_NO_MEMORY, NULL) : 0;
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
    struct mpack_buffer names = {0};
    group = group_or_default(group);
    union request_fields q = {
        .dlq_redrive = {.topic = slice_of(topic), .group = slice_of(group), .rate = rate}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = choose(ids, ids_count, count, &names, &q.dlq_redrive.which, err);
    if (rc == 0) {
        call_begin(&call, &request_dlq_redrive, &q, false);
        rc = finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
    }
    mpack_buffer_done(&names);
    return rc;
}

int shunt_dlq_purge(struct shunt *s, const char *topic, const char *group, const char *const *ids,
                    size_t ids_count, uint64_t count, int64_t timeout_ms, uint64_t *ret_job,
                    uint64_t *ret_count, struct shunt_error *err)
{
    struct call call;
    struct mpack_buffer names = {0};
    group = group_or_default(group);
    union request_fields q = {.dlq_purge = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = choose(ids, ids_count, count, &names, &q.dlq_purge.which, err);
    if (rc == 0) {
        call_begin(&call, &request_dlq_purge, &q, false);
        rc = finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
    }
    mpack_buffer_done(&names);
    return rc;
}
