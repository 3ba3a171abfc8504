/* group: create, change, look at, pause and delete groups. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/wire/error.h"
#include "client/wire/policy_args.h"

static int check_names(const char *topic, const char *group, struct shunt_error *err)
{
    if (!group)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a group must be named");
    return admin_names(topic, true, group, err);
}

int shunt_group_create(struct shunt *s, const char *topic, const char *group,
                       const struct shunt_options *settings, bool from_now, int64_t timeout_ms,
                       struct shunt_error *err)
{
    struct call call;
    union request_fields q = {
        .group_create = {.topic = slice_of(topic), .group = slice_of(group), .from = from_now}};
    int rc = check_names(topic, group, err);
    if (rc == 0)
        rc = policy_args_read(settings, true, &q.group_create.policy, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_create, &q, false);
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_group_update(struct shunt *s, const char *topic, const char *group,
                       const struct shunt_options *settings, int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.group_update = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = check_names(topic, group, err);
    if (rc == 0)
        rc = policy_args_read(settings, true, &q.group_update.policy, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_update, &q, false);
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_group_show(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                     struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.group_show = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = check_names(topic, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_show, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_overview(struct shunt *s, const char *after, uint32_t limit, int64_t timeout_ms,
                   struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.overview = {.after = slice_of(after), .limit = limit}};
    call_begin(&call, &request_overview, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_group_list(struct shunt *s, const char *topic, int64_t timeout_ms, struct shunt_value **ret,
                     struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.group_list = {.topic = slice_of(topic)}};
    int rc = admin_names(topic, true, NULL, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_list, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_group_delete(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                       uint64_t *ret_job, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.group_delete = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = check_names(topic, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_delete, &q, false);
    return call_finish_uint(s, &call, timeout_ms, ret_job, err);
}

int shunt_group_pause(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                      struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.group_pause = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = check_names(topic, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_pause, &q, false);
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_group_resume(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                       struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.group_resume = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = check_names(topic, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_resume, &q, false);
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_group_reset_breaker(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                              struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.breaker_reset = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = check_names(topic, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_breaker_reset, &q, false);
    return call_finish(s, &call, timeout_ms, err);
}
