/* paged: see paged.h. */
#include "cli/paged.h"

#include <stdio.h>

#include "cli/call.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

int paged_list(struct call *call, const struct paged *p)
{
    struct shunt_value *page = NULL;
    const struct shunt_value *last = NULL;
    struct shunt_error err = {0};
    struct output out;
    struct table t;
    size_t shown = 0;
    int code = call_connect(call);
    if (code)
        return code;
    output_begin(&out, call->form, true);
    table_init(&t, p->headings);
    for (bool more = true; more && !code;) {
        struct shunt_value *next = NULL;
        if (p->page(call, last, &next, &err))
            code = call_failed(call, &err);
        shunt_value_free(page);
        page = next;
        const struct shunt_value *rows = code ? NULL : shunt_value_get(page, "rows");
        size_t count = shunt_value_count(rows);
        for (size_t i = 0; i < count; i++, shown++) {
            last = shunt_value_at(rows, i);
            if (output_is_json(&out)) {
                record_json(&out.json, p->fields, last);
                output_item_end(&out);
            } else {
                p->row(&t, last);
            }
        }
        more = count && record_integer(page, "more") != 0;
    }
    if (!output_is_json(&out) && shown && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    output_end(&out);
    shunt_value_free(page);
    if (!shown && !code)
        call_note(call, "%s", p->none);
    return code;
}

const char *paged_texts(const struct shunt_value *list, const char *between, char *to, size_t room)
{
    size_t size = 0;
    to[0] = 0;
    for (size_t i = 0; i < shunt_value_count(list); i++) {
        const char *text = shunt_value_text(shunt_value_at(list, i), NULL);
        int more = snprintf(to + size, room - size, "%s%s", i ? between : "", text ? text : "?");
        if (more < 0 || (size_t)more >= room - size) {
            (void)snprintf(to + size, room - size, "%s", "…"); /* may be cut, too */
            break;
        }
        size += (size_t)more;
    }
    return size ? to : NULL;
}
