/* clients: the broker's connections, the holders of messages, and hot keys. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"

int shunt_client_list(struct shunt *s, uint64_t after, uint32_t limit, int64_t timeout_ms,
                      struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.client_list = {.after = after, .limit = limit}};
    call_begin(&call, &request_client_list, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_group_holders(struct shunt *s, const char *topic, const char *group, uint64_t after, uint32_t limit,
                        int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {
        .group_holders = {
            .topic = slice_of(topic), .group = slice_of(admin_group(group)), .after = after, .limit = limit}};
    int rc = admin_names(topic, true, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_group_holders, &q, true);
    return admin_finish_page(s, &call, timeout_ms, ret, err);
}

int shunt_keys(struct shunt *s, const char *topic, const char *group, const char *by, uint32_t limit,
               int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {
        .key_list = {.topic = slice_of(topic), .group = slice_of(group), .by = slice_of(by), .limit = limit}};
    int rc = admin_names(topic, false, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_key_list, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}
