/* why: the story of one message. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/shunt_triage.h"

int shunt_why(struct shunt *s, const char *topic, uint64_t seq, const char *group, int64_t timeout_ms,
              struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.why = {.topic = slice_of(topic), .seq = seq, .group = slice_of(group)}};
    int rc = admin_names(topic, true, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_why, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}
