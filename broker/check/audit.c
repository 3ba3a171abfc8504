/* audit: of the log of what operators did each row can be read, none is missing between the oldest and the newest, and
 * the ledger's own record counts them. */
#include "broker/check/checker.h"

#include <inttypes.h>

static int audit_row(struct checker *c, struct slice key, struct slice value)
{
    struct checked_audit *a = &c->audit;
    struct audit_record r;
    uint64_t id;
    if (!key_read_audit(key, &id)) {
        problem(c, PROBLEM_ORPHAN, "audit: a row with a key of %zu bytes", key.size);
        return 0;
    }
    if (a->next && id != a->next)
        problem(c, PROBLEM_MISSING, "audit: row %" PRIu64 " comes where %" PRIu64 " should be", id, a->next);
    if (audit_decode(key, value, &r))
        problem(c, PROBLEM_CHECKSUM, "audit %" PRIu64, id);
    else if (r.time_ms < a->time_ms)
        problem(c, PROBLEM_STATE, "audit %" PRIu64 ": it is of an earlier time than the row before it", id);
    else
        a->time_ms = r.time_ms;
    a->next = id + 1;
    a->rows++;
    a->bytes += key.size + value.size;
    return 0;
}

int check_audit(struct checker *c)
{
    const struct checked_audit *a = &c->audit;
    int err = scan(c, TABLE_AUDIT, audit_row);
    if (err || !c->meta_readable)
        return err;
    if (a->rows && a->next != c->meta.audit_next) {
        problem(c, PROBLEM_MISSING, "audit: the newest row is %" PRIu64 ", the next one will be %" PRIu64,
                a->next - 1, c->meta.audit_next);
    }
    if (a->rows != c->meta.audit_rows) {
        problem(c, PROBLEM_COUNTER, "audit: %" PRIu64 " rows are counted, %" PRIu64 " are there",
                c->meta.audit_rows, a->rows);
    } else if (a->bytes != c->meta.audit_bytes) {
        problem(c, PROBLEM_COUNTER, "audit: %" PRIu64 " bytes are counted, %" PRIu64 " are there",
                c->meta.audit_bytes, a->bytes);
    }
    return 0;
}
