/* dlq_list: dead letters, a line for each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/dead.h"
#include "cli/dlq.h"
#include "cli/output.h"
#include "cli/table.h"
#include "client/shunt.h"

#define LIMIT_DEFAULT 100

#define LISTING_MAGIC 0xe8eb669bu
struct listing {
    uint32_t magic;
    struct output out;
    struct table table;
    unsigned ruled; /* rows on which a rule will act */
};

/* `10 redrive in 2m`. */
static void rule_cell(struct listing *l, const struct shunt_value *dead)
{
    const char *action = record_text(dead, "rule_action");
    char wait[32];
    if (!action) {
        table_cell(&l->table, NULL);
        return;
    }
    l->ruled++;
    table_cellf(&l->table, "%" PRId64 " %s in %s", record_integer(dead, "rule"), action,
                record_wait(wait, shunt_value_get(dead, "rule_at")));
}

static int list_row(void *context, const struct shunt_value *dead)
{
    struct listing *l = magic_of(context, listing, LISTING_MAGIC);
    char text[32];
    if (output_is_json(&l->out)) {
        record_json(&l->out.json, dead_fields, dead);
        output_item_end(&l->out);
        return ferror(stdout) ? EXIT_FAILED : EXIT_OK; /* call_end_output() tells */
    }
    table_cell(&l->table, record_text(dead, "id"));
    table_cell(&l->table, record_text(dead, "origin"));
    table_cell(&l->table, record_text(dead, "reason"));
    table_cellf(&l->table, "%" PRId64, record_integer(dead, "attempts"));
    table_cell(&l->table, record_time(text, shunt_value_get(dead, "died")));
    table_cell(&l->table, record_age(text, shunt_value_get(dead, "died")));
    table_cell(&l->table, record_text(dead, "cause"));
    rule_cell(l, dead);
    dead_error_cell(&l->table, dead);
    return EXIT_OK;
}

/* A number or an id. The name of an origin is neither: its number is that of another queue. */
static bool parse_after(const struct call *call, const char *text, uint64_t *ret)
{
    char queue[256];
    (void)snprintf(queue, sizeof queue, "dlq:%.100s:%.100s/", call_word(call, 0), call_group(call));
    const char *digits = strncmp(text, queue, strlen(queue)) == 0 ? text + strlen(queue) : text;
    char *end = NULL;
    errno = 0;
    *ret = strtoull(digits, &end, 10);
    return *digits >= '0' && *digits <= '9' && *end == '\0' && errno == 0;
}

static int list(struct call *call, struct dlq_walk *walk)
{
    static const char *const headings[] = {"--ID", "ORIGIN", "-REASON", ">ATTEMPTS", "---DIED",
                                           "AGE",  "CAUSE",  "RULE",    "~ERROR",    NULL};
    struct listing l = {.magic = LISTING_MAGIC};
    output_begin(&l.out, call->form, true);
    table_init(&l.table, headings);
    int code = dlq_walk(call, walk, list_row, &l);
    if (code == EXIT_OK && call->form == FORM_TABLE && !table_print(&l.table, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&l.table);
    output_end(&l.out);
    if (code == EXIT_OK && l.ruled) {
        call_note(
            call,
            "RULE will act on %u of these: `shunt rule set %s NUMBER --off -g %s` leaves them where they are",
            l.ruled, call_word(call, 0), call_group(call));
    }
    return code;
}

int dlq_run_list(struct call *call)
{
    struct dlq_filter filter;
    struct dlq_walk walk = {.filter = &filter,
                            .limit = (uint64_t)options_number(&call->options, "limit", LIMIT_DEFAULT)};
    const char *after = options_text(&call->options, "after", "0");
    if (!call_word(call, 0))
        return dlq_list_queues(call);
    if (!parse_after(call, after, &walk.after))
        return call_misused(call, "--after %.60s: must be an id or a number in the dead-letter queue", after);
    int code = dlq_filter_read(call, &filter);
    if (code == EXIT_OK)
        code = call_connect(call);
    if (code == EXIT_OK)
        code = dlq_filter_resolve(call, &filter);
    if (code == EXIT_OK)
        code = list(call, &walk);
    if (code == EXIT_OK && walk.more) {
        call_note(call,
                  "there are more: --after %" PRIu64 " shows the next ones, --limit N shows more at once",
                  walk.after);
    }
    return code;
}
