/* dlq_attend: who was shown a dead letter or a cause has looked, and the broker is told so. */
#include <stdio.h>

#include "cli/call.h"
#include "cli/dlq.h"
#include "client/shunt_triage.h"

void dlq_attend(const struct call *call, const char *cause, const char *id)
{
    struct shunt_error err = {0};
    if (options_flag(&call->options, "unattended") || fflush(stdout) || ferror(stdout))
        return; /* nobody could see it */
    int code = shunt_dlq_attend(call->shunt, call_word(call, 0), call_group(call), cause, id ? &id : NULL,
                                id != NULL, call->timeout_ms, NULL, &err);
    /* A broker from before there were causes keeps no such thing; and the letter may have left the queue meanwhile. */
    if (code && code != SHUNT_UNSUPPORTED && code != SHUNT_NOT_FOUND) {
        call_note(call, "the broker could not be told that somebody has looked: %s (%s)", err.text,
                  shunt_error_name(err.code));
    }
}
