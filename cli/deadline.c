/* deadline: see deadline.h. */
#include "cli/deadline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/call.h"
#include "client/shunt.h"

#define WHY_BYTES 160

bool deadline_is_ahead(int64_t deadline_ms, char *why, size_t why_bytes)
{
    char time[32], ago[32];
    int64_t left_ms = deadline_ms - clock_wall_ms();
    if (left_ms > 0)
        return true;
    (void)snprintf(why, why_bytes, "the deadline %s passed %s ago, so nobody needs it any more",
                   shunt_format_time(time, deadline_ms), shunt_format_duration(ago, -left_ms));
    return false;
}

/* A duration from now, or a time. Returns an exit code. */
static int read_option(const struct call *call, const char *text, int64_t *ret_ms)
{
    struct shunt_error err = {0};
    int64_t ms = 0;
    if (shunt_parse_duration(text, &ms, &err) == 0 && ms > 0) {
        *ret_ms = clock_wall_ms() + ms;
        return EXIT_OK;
    }
    if (shunt_parse_time(text, ret_ms, &err) == 0)
        return EXIT_OK;
    return call_misused(call,
                        "--deadline %.60s: must be a duration from now, such as 30s, a time, such as "
                        "2026-11-29T12:00:00Z, or `none`",
                        text);
}

static int read_variable(const char *text, int64_t *ret_ms)
{
    char *end = NULL;
    errno = 0;
    long long ms = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno) {
        call_complain(DEADLINE_VARIABLE
                      " %.60s: must be a time in milliseconds since 1970, as `shunt work` sets it",
                      text);
        return EXIT_USAGE;
    }
    *ret_ms = ms;
    return EXIT_OK;
}

int deadline_compose(const struct call *call, struct shunt_message *message)
{
    const char *given = options_text(&call->options, "deadline", NULL);
    const char *inherited = given ? NULL : getenv(DEADLINE_VARIABLE);
    char why[WHY_BYTES];
    int64_t ms = 0;
    if ((given && strcmp(given, "none") == 0) || (!given && (!inherited || !inherited[0])))
        return EXIT_OK;
    int code = given ? read_option(call, given, &ms) : read_variable(inherited, &ms);
    if (code)
        return code;
    if (!deadline_is_ahead(ms, why, sizeof why)) {
        call_complain("%s: %s: nothing is published", given ? "--deadline" : DEADLINE_VARIABLE, why);
        return EXIT_FAILED;
    }
    code = shunt_message_deadline(message, ms);
    return code ? call_misused(call, "%.60s: %s", given ? given : inherited, shunt_error_text(code))
                : EXIT_OK;
}
