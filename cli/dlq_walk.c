/* dlq_walk: the dead letters of a group, page by page. */
#include "cli/call.h"
#include "cli/dlq.h"
#include "cli/record.h"
#include "client/shunt.h"

#define PAGE_ROWS 500

int dlq_walk(struct call *call, uint64_t after, uint64_t limit, dlq_row *row, void *context, bool *ret_more,
             uint64_t *ret_last)
{
    bool more = true;
    uint64_t seen = 0;
    int code = EXIT_OK;
    while (code == EXIT_OK && more && seen < limit) {
        struct shunt_error err = {0};
        struct shunt_value *page = NULL;
        uint32_t rows_max = limit - seen < PAGE_ROWS ? (uint32_t)(limit - seen) : PAGE_ROWS;
        if (shunt_dlq_list(call->shunt, call_word(call, 0), call_group(call), after, rows_max,
                           call->timeout_ms, &page, &err))
            return call_failed(call, &err);
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; code == EXIT_OK && i < shunt_value_count(rows); i++) {
            code = row(context, shunt_value_at(rows, i));
            after = (uint64_t)record_integer(shunt_value_at(rows, i), "seq");
            seen++;
        }
        more = record_integer(page, "more") != 0 && shunt_value_count(rows) > 0;
        shunt_value_free(page);
    }
    if (ret_more)
        *ret_more = more;
    if (ret_last)
        *ret_last = after;
    return code;
}
