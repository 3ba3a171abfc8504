/* dlq: look at messages and dead letters, redrive and purge them. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/driving/given.h"
#include "client/wire/error.h"

int shunt_peek(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit,
               bool bodies, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
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
    return shunt_dlq_find(s, topic, group, after, limit, NULL, timeout_ms, ret, err);
}

/* A broker that does not know filters passes over them, and shows all. It sends no `next` either. */
static int check_filtered(struct shunt_value *page, struct shunt_value **ret, struct shunt_error *err)
{
    if (shunt_value_get(page, "next")) {
        *ret = page;
        return 0;
    }
    shunt_value_free(page);
    return error_set(err, SHUNT_UNSUPPORTED, "the broker is too old to choose among dead letters");
}

int shunt_dlq_find(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit,
                   const struct shunt_dlq_filter *filter, int64_t timeout_ms, struct shunt_value **ret,
                   struct shunt_error *err)
{
    struct call call;
    struct shunt_value *page;
    group = admin_group(group);
    union request_fields q = {
        .dlq_list = {.topic = slice_of(topic), .group = slice_of(group), .after = after, .limit = limit}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = given_filter(filter, &q.dlq_list.filter, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_dlq_list, &q, true);
    rc = admin_finish_page(s, &call, timeout_ms, &page, err);
    if (rc == 0 && filter)
        return check_filtered(page, ret, err);
    if (rc == 0)
        *ret = page;
    return rc;
}

int shunt_dlq_show(struct shunt *s, const char *topic, const char *group, const char *id, int64_t timeout_ms,
                   struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    const union request_fields q = {
        .dlq_show = {.topic = slice_of(topic), .group = slice_of(group), .message = slice_of(id)}};
    int rc = given_id(id, err);
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
    return given_ids(ids, ids_count, names, &ret->ids, err);
}

int shunt_dlq_redrive(struct shunt *s, const char *topic, const char *group, const char *const *ids,
                      size_t ids_count, uint64_t count, uint32_t rate, int64_t timeout_ms, uint64_t *ret_job,
                      uint64_t *ret_count, struct shunt_error *err)
{
    struct call call;
    struct mpack_buffer names = {0};
    group = admin_group(group);
    union request_fields q = {
        .dlq_redrive = {.topic = slice_of(topic), .group = slice_of(group), .rate = rate}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = choose(ids, ids_count, count, &names, &q.dlq_redrive.which, err);
    if (rc == 0) {
        call_begin(&call, &request_dlq_redrive, &q, false);
        rc = admin_finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
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
    group = admin_group(group);
    union request_fields q = {.dlq_purge = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = choose(ids, ids_count, count, &names, &q.dlq_purge.which, err);
    if (rc == 0) {
        call_begin(&call, &request_dlq_purge, &q, false);
        rc = admin_finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
    }
    mpack_buffer_done(&names);
    return rc;
}
