/* rule_test: which of the dead letters that lie there a rule would match: the broker counts them page by page, by cause. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/rule.h"
#include "cli/table.h"

#define CAUSES_MAX  201 /* of one group: those that are remembered, and the one that the rest share */
#define PAGE_ROWS   1000
#define TITLE_BYTES 201

struct matches {
    size_t count;
    struct {
        char cause[CAUSE_DIGITS + 1]; /* empty: none yet */
        char title[TITLE_BYTES];
        int64_t letters, earlier;
    } causes[CAUSES_MAX];
    int64_t letters, earlier;
};

static void add(struct matches *m, const struct shunt_value *match)
{
    const char *cause = record_text(match, "cause"), *title = record_text(match, "title");
    size_t i = 0;
    cause = cause ? cause : "";
    while (i < m->count && strcmp(m->causes[i].cause, cause) != 0)
        i++;
    if (i == CAUSES_MAX)
        i--; /* a broker with more causes than are known of here: the last row has the rest */
    if (i == m->count) {
        (void)snprintf(m->causes[i].cause, sizeof m->causes[i].cause, "%.16s", cause);
        (void)snprintf(m->causes[i].title, sizeof m->causes[i].title, "%s", title ? title : "");
        m->count++;
    }
    m->causes[i].letters += record_integer(match, "count");
    m->causes[i].earlier += record_integer(match, "earlier");
    m->letters += record_integer(match, "count");
    m->earlier += record_integer(match, "earlier");
}

static int gather(struct call *call, uint32_t number, const struct dlq_filter *filter, struct matches *m)
{
    uint64_t after = 0;
    for (bool more = true; more;) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        if (shunt_rule_test(call->shunt, call_word(call, 0), call_group(call), number,
                            filter ? &filter->is : NULL, after, PAGE_ROWS, call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows); i++)
            add(m, shunt_value_at(rows, i));
        more = record_integer(page, "more") != 0;
        after = (uint64_t)record_integer(page, "next");
        shunt_value_free(page);
    }
    return EXIT_OK;
}

static void row_json(struct json *j, const struct matches *m, size_t i)
{
    json_object(j);
    json_key(j, "cause");
    json_string(j, m->causes[i].cause[0] ? m->causes[i].cause : NULL);
    json_key(j, "title");
    json_string(j, m->causes[i].title[0] ? m->causes[i].title : NULL);
    json_key(j, "dead");
    json_unsigned(j, (uint64_t)m->causes[i].letters);
    json_key(j, "earlier");
    json_unsigned(j, (uint64_t)m->causes[i].earlier);
    json_object_end(j);
}

static void show(struct call *call, const struct matches *m)
{
    static const char *const headings[] = {"CAUSE", ">DEAD", ">EARLIER", "~FAULT", NULL};
    struct output out;
    struct table t;
    output_begin(&out, call->form, true);
    table_init(&t, headings);
    for (size_t i = 0; i < m->count; i++) {
        if (output_is_json(&out)) {
            row_json(&out.json, m, i);
            output_item_end(&out);
            continue;
        }
        table_cell(&t, m->causes[i].cause[0] ? m->causes[i].cause : NULL);
        table_cellf(&t, "%" PRId64, m->causes[i].letters);
        table_cellf(&t, "%" PRId64, m->causes[i].earlier);
        table_cell(&t, m->causes[i].title[0] ? m->causes[i].title : NULL);
    }
    if (!output_is_json(&out) && m->count && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    output_end(&out);
}

int rule_test(struct call *call, uint32_t number, const struct dlq_filter *filter)
{
    static struct matches m;
    memset(&m, 0, sizeof m);
    int code = gather(call, number, filter, &m);
    if (code)
        return code;
    show(call, &m);
    call_note(call,
              "it matches %" PRId64 " %s that lie there now, %" PRId64
              " of which an earlier rule would decide on; nothing was changed",
              m.letters, call_plural((uint64_t)m.letters, "dead letter", "dead letters"), m.earlier);
    return m.letters ? EXIT_OK : EXIT_NOTHING;
}
