/* group: create, change, look at, pause and delete groups. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/wire/error.h"
#include "client/wire/policy_args.h"
#include "proto/wire.h"

/* Without its name a request would be one field short, which costs the connection. */
static int begin(struct call *call, unsigned op, uint32_t fields, bool reads, const char *topic,
                 const char *group, struct shunt_error *err)
{
    if (!group)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a group must be named");
    return admin_begin(call, op, fields, reads, topic, true, group, err);
}

static int begin_with_settings(struct call *call, unsigned op, uint32_t fields, const char *topic,
                               const char *group, const struct shunt_options *settings,
                               struct shunt_error *err)
{
    int rc = begin(call, op, fields, false, topic, group, err);
    if (rc != 0)
        return rc;
    rc = policy_args_write(&call->request, settings, true, err);
    if (rc != 0)
        call_done(call);
    return rc;
}

int shunt_group_create(struct shunt *s, const char *topic, const char *group,
                       const struct shunt_options *settings, bool from_now, int64_t timeout_ms,
                       struct shunt_error *err)
{
    struct call call;
    int rc = begin_with_settings(&call, OP_GROUP_CREATE, 4, topic, group, settings, err);
    if (rc != 0)
        return rc;
    mpack_write_cstr(&call.request, from_now ? "now" : "oldest");
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_group_update(struct shunt *s, const char *topic, const char *group,
                       const struct shunt_options *settings, int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    int rc = begin_with_settings(&call, OP_GROUP_UPDATE, 3, topic, group, settings, err);
    return rc != 0 ? rc : call_finish(s, &call, timeout_ms, err);
}

int shunt_group_show(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                     struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    int rc = begin(&call, OP_GROUP_SHOW, 2, true, topic, group, err);
    return rc != 0 ? rc : admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_group_list(struct shunt *s, const char *topic, int64_t timeout_ms, struct shunt_value **ret,
                     struct shunt_error *err)
{
    struct call call;
    int rc = admin_begin(&call, OP_GROUP_LIST, 1, true, topic, true, NULL, err);
    return rc != 0 ? rc : admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_group_delete(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                       uint64_t *ret_job, struct shunt_error *err)
{
    struct call call;
    int rc = begin(&call, OP_GROUP_DELETE, 2, false, topic, group, err);
    return rc != 0 ? rc : call_finish_uint(s, &call, timeout_ms, ret_job, err);
}

int shunt_group_pause(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                      struct shunt_error *err)
{
    struct call call;
    int rc = begin(&call, OP_GROUP_PAUSE, 2, false, topic, group, err);
    return rc != 0 ? rc : call_finish(s, &call, timeout_ms, err);
}

int shunt_group_resume(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                       struct shunt_error *err)
{
    struct call call;
    int rc = begin(&call, OP_GROUP_RESUME, 2, false, topic, group, err);
    return rc != 0 ? rc : call_finish(s, &call, timeout_ms, err);
}
