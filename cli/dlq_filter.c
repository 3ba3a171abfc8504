/* dlq_filter: see dlq_filter.h. */
#include "cli/dlq_filter.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/call.h"

static int read_header(const struct call *call, const char *text, struct dlq_filter *f)
{
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;
    if (len == 0 || len >= sizeof f->header)
        return call_misused(call, "--header %.60s: a header is KEY=VALUE", text);
    (void)snprintf(f->header, sizeof f->header, "%.*s", (int)len, text);
    f->is.header = f->header;
    f->is.header_value = equals + 1;
    f->is.header_value_bytes = strlen(equals + 1);
    return EXIT_OK;
}

int dlq_filter_read(const struct call *call, struct dlq_filter *f)
{
    *f = (struct dlq_filter){.is = {.size = sizeof f->is}};
    const struct options *options = &call->options;
    const char *header = options_text(options, "header", NULL);
    int64_t since_ms = options_number(options, "since", 0);
    f->is.cause = options_text(options, "cause", NULL);
    f->is.reason = options_text(options, "reason", NULL);
    f->is.type = options_text(options, "type", NULL);
    f->is.match = options_text(options, "match", NULL);
    f->is.key = options_text(options, "key", NULL);
    f->is.key_bytes = f->is.key ? strlen(f->is.key) : 0;
    f->is.since_ms = since_ms ? clock_wall_ms() - since_ms : 0;
    f->given = f->is.cause || f->is.reason || f->is.type || f->is.match || f->is.key || since_ms || header;
    return header ? read_header(call, header, f) : EXIT_OK;
}

int dlq_filter_resolve(struct call *call, struct dlq_filter *f)
{
    if (!f->is.cause)
        return EXIT_OK;
    int code = cause_resolve(call, f->is.cause, f->cause);
    f->is.cause = f->cause;
    return code;
}
