/* dlq_walk: the dead letters of a group, page by page. */
#include "cli/call.h"
#include "cli/dlq.h"
#include "cli/record.h"
#include "client/shunt_triage.h"

#define PAGE_ROWS 500

static int walk_page(struct dlq_walk *w, const struct shunt_value *page, dlq_row *row, void *context)
{
    const struct shunt_value *rows = shunt_value_get(page, "rows"), *next = shunt_value_get(page, "next");
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < shunt_value_count(rows); i++) {
        code = row(context, shunt_value_at(rows, i));
        w->after = (uint64_t)record_integer(shunt_value_at(rows, i), "seq");
        w->seen++;
    }
    /* A page of those that a filter names may be empty and have more behind it. A broker that says no `next` knows no
     * filters, and its pages go on behind their last row. */
    w->more = record_integer(page, "more") != 0 && (next || shunt_value_count(rows) > 0);
    if (code == EXIT_OK && next)
        w->after = (uint64_t)shunt_value_integer(next);
    return code;
}

int dlq_walk(struct call *call, struct dlq_walk *w, dlq_row *row, void *context)
{
    const struct shunt_dlq_filter *filter = w->filter && w->filter->given ? &w->filter->is : NULL;
    int code = EXIT_OK;
    w->more = true;
    for (w->seen = 0; code == EXIT_OK && w->more && w->seen < w->limit;) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        uint64_t left = w->limit - w->seen;
        if (shunt_dlq_find(call->shunt, call_word(call, 0), call_group(call), w->after,
                           left < PAGE_ROWS ? (uint32_t)left : PAGE_ROWS, filter, call->timeout_ms, &page,
                           &err))
            return call_failed(call, &err);
        code = walk_page(w, page, row, context);
        shunt_value_free(page);
    }
    return code;
}
