/* ping: one round trip through the broker's engine. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "client/shunt.h"

static int run_ping(struct call *call)
{
    struct shunt_error err = {0};
    int64_t us = 0;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_ping(call->shunt, call->timeout_ms, &us, &err))
        return call_failed(call, &err);
    struct output out;
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        json_object(&out.json);
        json_key(&out.json, "url");
        json_string(&out.json, call->url);
        json_key(&out.json, "round_trip_us");
        json_integer(&out.json, us);
        json_object_end(&out.json);
        output_item_end(&out);
    } else {
        printf("%s answered in %" PRId64 "us\n", call->url, us);
    }
    output_end(&out);
    return EXIT_OK;
}

static const struct command commands[] = {{
    .noun = "ping",
    .usage = "",
    .text = "see whether the broker answers, and how fast",
    .about = "The ping goes through the engine: the answer comes after everything sent before it is durable.",
    .examples = "  shunt ping\n  shunt --url shunt://broker.example:7480 ping || echo down\n",
    .run = run_ping,
}};

const struct command_set ping_set = {"ping", "see whether the broker answers", commands, 1};
