/* dlq_show: one dead letter, or the bytes of its body. */
#include <stdio.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/dead.h"
#include "cli/dlq.h"
#include "cli/whole_file.h"
#include "client/shunt_triage.h"

#define RAW_MAGIC 0x8c0f6d35u
struct raw {
    uint32_t magic;
    const struct shunt_value *body;
};

static int fill(void *context, FILE *out)
{
    const struct raw *raw = magic_of(context, raw, RAW_MAGIC);
    size_t bytes = 0;
    const char *text = shunt_value_text(raw->body, &bytes);
    fwrite(text, 1, bytes, out);
    return EXIT_OK;
}

static int show_raw(struct call *call, const struct shunt_value *dead)
{
    struct raw raw = {RAW_MAGIC, shunt_value_get(dead, "body")};
    if (shunt_value_type(raw.body) == SHUNT_NIL) {
        call_complain("the body of %s is damaged in the store", record_text(dead, "id"));
        return EXIT_FAILED;
    }
    return whole_file_write(options_text(&call->options, "raw", NULL), fill, &raw);
}

int dlq_run_show(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *dead = NULL;
    bool original = options_flag(&call->options, "original");
    int code = dlq_take_topic(call, 2);
    if (code == EXIT_OK)
        code = call_connect(call);
    if (code)
        return code;
    if ((original ? shunt_dlq_show_original : shunt_dlq_show)(call->shunt, call_word(call, 0),
                                                              call_group(call), call_word(call, 1),
                                                              call->timeout_ms, &dead, &err))
        return call_failed(call, &err);
    if (options_flag(&call->options, "raw"))
        code = show_raw(call, dead);
    else
        dead_show(call, dead);
    shunt_value_free(dead);
    if (code == EXIT_OK)
        dlq_attend(call, NULL, call_word(call, 1));
    return code;
}
