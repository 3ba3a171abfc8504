/* dlq_export: all that is known of dead letters as JSON lines, in a file that is whole, so that a purge after it is safe. */
#include <inttypes.h>
#include <stdio.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/dead.h"
#include "cli/dlq.h"
#include "cli/json.h"
#include "cli/whole_file.h"
#include "client/shunt.h"

#define EXPORTING_MAGIC 0xa4757a39u
struct exporting {
    uint32_t magic;
    struct call *call;
    struct dlq_filter filter;
    struct json json;
    uint64_t count;
};

static int export_row(void *context, const struct shunt_value *row)
{
    struct exporting *e = magic_of(context, exporting, EXPORTING_MAGIC);
    struct shunt_error err = {0};
    struct shunt_value *dead = NULL;
    int code = shunt_dlq_show(e->call->shunt, call_word(e->call, 0), call_group(e->call),
                              record_text(row, "id"), e->call->timeout_ms, &dead, &err);
    if (code == SHUNT_NOT_FOUND)
        return EXIT_OK; /* redriven or purged since it was listed */
    if (code)
        return call_failed(e->call, &err);
    dead_json(&e->json, dead);
    json_end(&e->json);
    shunt_value_free(dead);
    e->count++;
    return ferror(e->json.out) ? EXIT_FAILED : EXIT_OK;
}

static int export_all(void *context, FILE *out)
{
    struct exporting *e = magic_of(context, exporting, EXPORTING_MAGIC);
    struct dlq_walk walk = {.filter = &e->filter, .limit = UINT64_MAX};
    json_init(&e->json, out, false);
    return dlq_walk(e->call, &walk, export_row, e);
}

int dlq_run_export(struct call *call)
{
    struct exporting e = {.magic = EXPORTING_MAGIC, .call = call};
    int code = dlq_filter_read(call, &e.filter);
    if (code == EXIT_OK)
        code = call_connect(call);
    if (code == EXIT_OK)
        code = dlq_filter_resolve(call, &e.filter);
    if (code == EXIT_OK)
        code = whole_file_write(options_text(&call->options, "to", NULL), export_all, &e);
    if (code == EXIT_OK) {
        call_note(call, "exported %" PRIu64 " %s", e.count,
                  call_plural(e.count, "dead letter", "dead letters"));
    }
    return code;
}
