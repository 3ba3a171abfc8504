/* admin: requests that name a topic and a group, answers that become a tree of values. */
#include "client/driving/admin.h"
#include "base/clock.h"
#include "client/driving/call_run.h"
#include "client/wire/error.h"
#include "client/wire/value.h"
#include "proto/names.h"

int admin_names(const char *topic, bool dlq_too, const char *group, struct shunt_error *err)
{
    const char *why = NULL;
    if (!topic)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a topic must be named");
    int rc = dlq_too ? name_check_topic(slice_of(topic), &why) : name_check(slice_of(topic), &why);
    if (rc != 0)
        return error_set(err, rc, "topic \"%.220s\": %s", topic, why);
    if (group && (rc = name_check(slice_of(group), &why)) != 0)
        return error_set(err, rc, "group \"%.110s\": %s", group, why);
    return 0;
}

const char *admin_group(const char *group)
{
    return group ? group : "default";
}

static int build(struct slice bytes, struct shunt_value **ret, struct shunt_error *err)
{
    int rc = value_build(bytes, ret);
    return rc != 0 ? error_set(err, rc, NULL) : 0;
}

int admin_finish_value(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_value **ret,
                       struct shunt_error *err)
{
    int rc = call_run(s, c, timeout_ms, err);
    if (rc == 0)
        rc = build(mpack_read_any(&c->reply), ret, err);
    call_done(c);
    return rc;
}

int admin_finish_page(struct shunt *s, struct call *c, int64_t timeout_ms, struct shunt_value **ret,
                      struct shunt_error *err)
{
    int rc = call_run(s, c, timeout_ms, err);
    if (rc == 0) {
        static const char *const names[] = {"rows", "more", "next", "now"};
        struct mpack_buffer page = {0};
        uint32_t count = 0;
        size_t map = mpack_write_map_open(&page);
        while (count < 2 || (count < sizeof names / sizeof *names && mpack_peek(&c->reply) != MPACK_END)) {
            struct slice field = mpack_read_any(&c->reply);
            mpack_write_cstr(&page, names[count++]);
            mpack_write_raw(&page, field.data, field.size);
        }
        mpack_patch_map(&page, map, count);
        if (c->reply.failed)
            rc = error_set(err, SHUNT_PROTOCOL, NULL);
        else if (page.failed)
            rc = error_set(err, SHUNT_NO_MEMORY, NULL);
        else
            rc = build((struct slice){page.data, page.size}, ret, err);
        mpack_buffer_done(&page);
    }
    call_done(c);
    return rc;
}

int64_t admin_left_ms(int64_t deadline_us)
{
    if (deadline_us == INT64_MAX)
        return SHUNT_FOREVER;
    int64_t left_us = deadline_us - clock_mono_us();
    return left_us > 0 ? left_us / 1000 : 0;
}

int admin_finish_job(struct shunt *s, struct call *call, int64_t timeout_ms, uint64_t *ret_job,
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
