/* rules: on dead letters. Each names its group, which has no more than it may, and has an id that was given out. */
#include "broker/check/checker.h"

#include <inttypes.h>

static int rule_row(struct checker *c, struct slice key, struct slice value)
{
    uint32_t id;
    uint64_t number;
    struct rule_record r;
    if (!key_read_id_seq(key, &id, &number) || number == 0 || number > RULE_NUMBER_MAX) {
        problem(c, PROBLEM_ORPHAN, "rule: a row with a malformed key of %zu bytes", key.size);
        return 0;
    }
    const struct checked_group *g = group_of(c, id);
    if (!g) {
        problem(c, PROBLEM_ORPHAN, "rule %" PRIu32 "/%" PRIu64 ": its group is not there", id, number);
        return 0;
    }
    if (rule_decode(key, value, &r)) {
        problem(c, PROBLEM_CHECKSUM, "%s: rule %" PRIu64, group_name(g).text, number);
    } else if (c->meta_readable && (r.id == 0 || r.id >= c->meta.job_next)) {
        problem(c, PROBLEM_CATALOGUE, "%s: rule %" PRIu64 " has the id %" PRIu64 ", which was not given out",
                group_name(g).text, number, r.id);
    }
    return 0;
}

int check_rules(struct checker *c)
{
    return scan(c, TABLE_RULE, rule_row);
}
