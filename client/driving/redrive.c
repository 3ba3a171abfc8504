/* redrive: dead letters go back, or go for good, by a filter and with care; and the jobs that do it. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/driving/given.h"
#include "client/wire/error.h"

/* ---- what is asked for ---- */

static int take_how(const struct shunt_redrive *how, struct shunt_redrive *to, struct shunt_error *err)
{
    int rc = how ? given_struct(to, sizeof *to, how, err)
                 : error_set(err, SHUNT_BAD_ARGUMENT, "say which dead letters go back");
    if (rc == 0 && to->ids_count && to->filter)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "dead letters that are named are not filtered");
    if (rc == 0 && to->spread_ms < 0)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "spread_ms is a time from 0 on");
    return rc;
}

static uint64_t take_count(uint64_t count)
{
    return count == SHUNT_ALL ? UINT64_MAX : count;
}

static int make_redrive(const struct shunt_redrive *how, struct mpack_buffer *names,
                        struct dlq_redrive_request *q, struct shunt_error *err)
{
    struct dead_filter f;
    int rc = given_filter(how->filter, &f, err);
    if (rc != 0)
        return rc;
    q->rate = how->rate;
    q->options = (struct redrive_options){.cause = f.cause,
                                          .reason = f.reason,
                                          .type = f.type,
                                          .match = f.match,
                                          .since = f.since,
                                          .header = f.header,
                                          .key = f.key,
                                          .canary = how->canary,
                                          .max_fail = how->max_fail ? *how->max_fail : SHARE_NONE,
                                          .spread_ms = (uint64_t)how->spread_ms,
                                          .to = slice_of(how->to),
                                          .hold_for_build = slice_of(how->hold_for_build),
                                          .keep_deadline = how->keep_deadline};
    bool careful = how->filter || how->canary || how->max_fail || how->spread_ms || how->to ||
                   how->hold_for_build || how->keep_deadline;
    q->which = (struct dead_choice){.count = take_count(how->count), .matching = careful};
    return given_ids(how->ids, how->ids_count, names, &q->which.ids, err);
}

/* ---- jobs ---- */

int shunt_dlq_redrive_as(struct shunt *s, const char *topic, const char *group,
                         const struct shunt_redrive *how, int64_t timeout_ms, uint64_t *ret_job,
                         uint64_t *ret_count, struct shunt_error *err)
{
    struct call call;
    struct mpack_buffer names = {0};
    struct shunt_redrive given;
    group = admin_group(group);
    union request_fields q = {.dlq_redrive = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = take_how(how, &given, err);
    if (rc == 0)
        rc = make_redrive(&given, &names, &q.dlq_redrive, err);
    if (rc == 0) {
        call_begin(&call, &request_dlq_redrive, &q, false);
        rc = admin_finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
    }
    mpack_buffer_done(&names);
    return rc;
}

int shunt_dlq_purge_as(struct shunt *s, const char *topic, const char *group, uint64_t count,
                       const struct shunt_dlq_filter *filter, int64_t timeout_ms, uint64_t *ret_job,
                       uint64_t *ret_count, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    union request_fields q = {
        .dlq_purge = {.topic = slice_of(topic),
                      .group = slice_of(group),
                      .which = {.count = take_count(count), .matching = filter != NULL}}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = given_filter(filter, &q.dlq_purge.filter, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_dlq_purge, &q, false);
    return admin_finish_job(s, &call, timeout_ms, ret_job, ret_count, err);
}

int shunt_job_list(struct shunt *s, uint64_t after, uint32_t limit, int64_t timeout_ms,
                   struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.job_list = {.after = after, .limit = limit}};
    call_begin(&call, &request_job_list, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_job_pause(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.job_pause = {.job = job}};
    call_begin(&call, &request_job_pause, &q, true);
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_job_resume(struct shunt *s, uint64_t job, int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.job_resume = {.job = job}};
    call_begin(&call, &request_job_resume, &q, true);
    return call_finish(s, &call, timeout_ms, err);
}
