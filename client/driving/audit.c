/* audit: why acts are done, and which were. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/driving/given.h"
#include "client/wire/error.h"

int shunt_set_reason(struct shunt *s, const char *reason, struct shunt_error *err)
{
    struct slice text = slice_of(reason);
    int rc = handle_usable(s, err);
    if (rc == 0 && text.size > AUDIT_REASON_BYTES_MAX)
        rc = error_set(err, SHUNT_TOO_LARGE, "the reason is at most %d bytes", AUDIT_REASON_BYTES_MAX);
    if (rc == 0 && text.size)
        rc = given_text(reason, "the reason", &text, err);
    if (rc != 0)
        return rc;
    memset(s->reason, 0, sizeof s->reason);
    if (text.size)
        memcpy(s->reason, text.data, text.size);
    return 0;
}

int shunt_audit_list(struct shunt *s, uint64_t after, uint32_t limit, const struct shunt_audit_filter *filter,
                     int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    struct shunt_audit_filter given = {0};
    union request_fields q = {.audit_list = {.after = after, .limit = limit}};
    struct audit_filter *to = &q.audit_list.filter;
    int rc = filter ? given_struct(&given, sizeof given, filter, err) : 0;
    if (rc == 0)
        rc = given_text(given.topic, "the topic", &to->topic, err);
    if (rc == 0)
        rc = given_text(given.act, "the act", &to->act, err);
    if (rc == 0 && (given.since_ms < 0 || given.until_ms < 0))
        rc = error_set(err, SHUNT_BAD_ARGUMENT, "a time before 1970 is none of the broker's");
    if (rc != 0)
        return rc;
    to->since = (uint64_t)given.since_ms;
    to->until = (uint64_t)given.until_ms;
    call_begin(&call, &request_audit_list, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}
