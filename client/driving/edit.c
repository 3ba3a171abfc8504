/* edit: another body for a dead letter, and the one that it was published with. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/driving/given.h"
#include "client/wire/error.h"

/* What both ask about. */
static int check_names(const char *topic, const char *group, const char *id, struct shunt_error *err)
{
    int rc = given_id(id, err);
    return rc ? rc : admin_names(topic, false, group, err);
}

int shunt_dlq_edit(struct shunt *s, const char *topic, const char *group, const char *id,
                   const struct shunt_edit *edit, int64_t timeout_ms, uint64_t *ret_edit,
                   struct shunt_error *err)
{
    struct call call;
    struct shunt_edit given = {0};
    group = admin_group(group);
    int rc = check_names(topic, group, id, err);
    if (rc == 0 && !edit)
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "say what the letter is to be");
    if (rc == 0)
        rc = given_struct(&given, sizeof given, edit, err);
    if (rc == 0 && given.body && given.body_bytes > BODY_BYTES_MAX)
        rc = error_set(err, SHUNT_TOO_LARGE, "a body is at most %u bytes", BODY_BYTES_MAX);
    if (rc != 0)
        return rc;
    const union request_fields q = {.dlq_edit = {.topic = slice_of(topic),
                                                 .group = slice_of(group),
                                                 .message = slice_of(id),
                                                 .edit = given.seen,
                                                 .body = {given.body, given.body ? given.body_bytes : 0}}};
    call_begin(&call, &request_dlq_edit, &q, false); /* asked again, it has been edited by the first time */
    return call_finish_uint(s, &call, timeout_ms, ret_edit, err);
}

int shunt_dlq_show_original(struct shunt *s, const char *topic, const char *group, const char *id,
                            int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    group = admin_group(group);
    const union request_fields q = {
        .dlq_show = {
            .topic = slice_of(topic), .group = slice_of(group), .message = slice_of(id), .original = true}};
    int rc = check_names(topic, group, id, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_dlq_show, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}
