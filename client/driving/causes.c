/* causes: what dead letters died of, who has looked, and what is decided. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/driving/given.h"
#include "client/wire/error.h"

static int check_cause(const char *cause, struct slice *ret, struct shunt_error *err)
{
    if (!cause)
        return error_set(err, SHUNT_BAD_ARGUMENT, "a cause must be named by its fingerprint");
    return given_text(cause, "the cause", ret, err);
}

int shunt_dlq_causes(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                     struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    const union request_fields q = {.dlq_causes = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_dlq_causes, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_dlq_cause(struct shunt *s, const char *topic, const char *group, const char *cause,
                    int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    union request_fields q = {.dlq_cause = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = check_cause(cause, &q.dlq_cause.cause, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_dlq_cause, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_dlq_attend(struct shunt *s, const char *topic, const char *group, const char *cause,
                     const char *const *ids, size_t ids_count, int64_t timeout_ms, uint64_t *ret_count,
                     struct shunt_error *err)
{
    struct call call;
    struct mpack_buffer names = {0};
    group = admin_group(group);
    union request_fields q = {.dlq_attend = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, false, group, err);
    if (rc == 0 && !cause && !ids_count)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "name a cause, or dead letters");
    if (rc == 0)
        rc = given_text(cause, "the cause", &q.dlq_attend.cause, err);
    if (rc == 0)
        rc = given_ids(ids, ids_count, &names, &q.dlq_attend.messages, err);
    if (rc == 0) {
        call_begin(&call, &request_dlq_attend, &q, true); /* to look twice is to have looked */
        rc = call_finish_uint(s, &call, timeout_ms, ret_count, err);
    }
    mpack_buffer_done(&names);
    return rc;
}

/* `text` as it is, "" included; NULL: left out. */
static int check_label(const char *text, size_t max, const char *what, struct slice *ret,
                       struct shunt_error *err)
{
    *ret = slice_of(text);
    if (ret->size > max)
        return error_set(err, SHUNT_TOO_LARGE, "%s is at most %zu bytes", what, max);
    return ret->size ? given_text(text, what, ret, err) : 0;
}

int shunt_cause_update(struct shunt *s, const char *topic, const char *group, const char *cause,
                       const struct shunt_cause_change *change, int64_t timeout_ms, uint64_t *ret_count,
                       struct shunt_error *err)
{
    struct call call;
    struct shunt_cause_change given = {0};
    group = admin_group(group);
    union request_fields q = {.cause_update = {.topic = slice_of(topic), .group = slice_of(group)}};
    struct cause_change *to = &q.cause_update.change;
    int rc = admin_names(topic, false, group, err);
    if (rc == 0)
        rc = check_cause(cause, &q.cause_update.cause, err);
    if (rc == 0 && !change)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "say what is to be changed");
    if (rc == 0)
        rc = given_struct(&given, sizeof given, change, err);
    if (rc == 0)
        rc = given_text(given.state, "the state", &to->state, err);
    if (rc == 0)
        rc = check_label(given.owner, CAUSE_OWNER_BYTES_MAX, "the owner", &to->owner, err);
    if (rc == 0)
        rc = check_label(given.note, CAUSE_NOTE_BYTES_MAX, "the note", &to->note, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_cause_update, &q, true); /* the same decision twice is one */
    return call_finish_uint(s, &call, timeout_ms, ret_count, err);
}
