/* clock_commands: putting the broker's time right. */
#include <stdio.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "client/shunt.h"

static int run_set(struct call *call)
{
    struct shunt_error err = {0};
    struct output out;
    int64_t was_off_ms = 0;
    char span[32];
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_clock_set(call->shunt, call->timeout_ms, &was_off_ms, &err))
        return call_failed(call, &err);
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        json_object(&out.json);
        json_key(&out.json, "was_off_ms");
        json_integer(&out.json, was_off_ms);
        json_object_end(&out.json);
        output_item_end(&out);
    } else {
        printf("the broker's times were %s %s its machine's clock; now they follow it\n",
               shunt_format_duration(span, was_off_ms < 0 ? -was_off_ms : was_off_ms),
               was_off_ms < 0 ? "behind" : "ahead of");
    }
    output_end(&out);
    return EXIT_OK;
}

static const struct command commands[] = {
    {.noun = "clock",
     .verb = "set",
     .usage = "",
     .text = "make the broker's times those of its machine's clock",
     .about =
         "Use it for a broker that was once started with a wrong clock: `shunt stats` and the log say how "
         "far\n"
         "its times are off. First check that the machine's clock is right. Delays, times to live, "
         "retentions\n"
         "and leases go on as they were; nothing ends early or late. Times that lie in the future are shown\n"
         "corrected, and so are all later ones; earlier ones stay as they are.",
     .examples = "  shunt clock set\n  shunt clock set -o json | jq .was_off_ms\n",
     .run = run_set},
};

const struct command_set clock_set = {"clock", "correct the broker's times", commands, 1};
