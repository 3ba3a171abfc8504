/* check: reads the whole store in one transaction and says what is wrong with it; the work is in check/.
 *
 * Nobody else has the store open, so one long reader does no harm.
 */
#include "broker/check.h"

#include "broker/check/checker.h"
#include <inttypes.h>
#include <stdlib.h>

static int check_all(struct checker *c)
{
    static int (*const parts[])(struct checker *) = {
        check_catalogue, check_bits,  check_causes,  check_rules, check_messages,
        check_attempts,  check_edits, check_indexes, check_audit, check_identities};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int err = parts[i](c);
        if (err)
            return err;
    }
    check_counters(c);
    return 0;
}

static void summarize(const struct checker *c)
{
    size_t topics = 0, groups = 0; /* as users count them: DLQs are not among them */
    for (size_t i = 0; i < c->topic_count; i++)
        topics += c->topics[i].r.origin_group == 0;
    for (size_t i = 0; i < c->group_count; i++)
        groups += !c->groups[i].topic || c->groups[i].topic->r.origin_group == 0;
    if (c->problems > PROBLEMS_SHOWN_MAX)
        (void)fprintf(c->report, "and %" PRIu64 " more\n", c->problems - PROBLEMS_SHOWN_MAX);
    (void)fprintf(c->report, "%s: topics=%zu groups=%zu messages=%" PRIu64 " problems=%" PRIu64 "\n",
                  c->problems ? "damaged" : "clean", topics, groups, c->messages, c->problems);
}

int check_store(struct store *store, FILE *report, uint64_t *ret_problems)
{
    struct checker c = {.report = report};
    int err = store_begin(store, false, &c.txn);
    if (err)
        return err;
    err = check_all(&c);
    store_abort(c.txn);
    if (err == SHUNT_CORRUPT) {
        problem(&c, PROBLEM_CHECKSUM, "the store's own pages are damaged; the check ended here");
        err = 0;
    }
    if (!err) {
        summarize(&c);
        *ret_problems = c.problems;
        if (ferror(report))
            err = SHUNT_IO;
    }
    for (size_t i = 0; i < c.group_count; i++)
        free(c.groups[i].causes);
    free(c.topics);
    free(c.groups);
    free(c.by_topic);
    free(c.drops);
    free(c.roles.all);
    free(c.users.all);
    return err;
}
