/* dlq_edit: another body for a dead letter: from the editor, from a file, or the one again that it was published with. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/call.h"
#include "cli/dlq.h"
#include "cli/editor.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/record.h"
#include "client/shunt_triage.h"

/* A letter as it is, and what it is to become. */
struct change {
    struct call *call;
    const char *id;
    struct shunt_value *letter;
    const char *body;
    size_t bytes;
    struct shunt_edit edit;
};

static int look(struct change *c)
{
    struct shunt_error err = {0};
    struct call *call = c->call;
    if (shunt_dlq_show(call->shunt, call_word(call, 0), call_group(call), c->id, call->timeout_ms, &c->letter,
                       &err))
        return call_failed(call, &err);
    const struct shunt_value *body = shunt_value_get(c->letter, "body");
    c->body = shunt_value_text(body, &c->bytes);
    c->edit.size = sizeof c->edit;
    c->edit.seen = (uint64_t)record_integer(c->letter, "edit");
    if (shunt_value_type(body) != SHUNT_NIL || options_flag(&call->options, "undo"))
        return EXIT_OK;
    call_complain("the body of %s is damaged in the store, and cannot be edited", c->id);
    return EXIT_FAILED;
}

static bool changes(const struct change *c)
{
    return c->edit.body_bytes != c->bytes || memcmp(c->edit.body, c->body, c->bytes) != 0;
}

static void tell(const struct change *c, uint64_t number)
{
    struct output out;
    output_begin(&out, c->call->form, false);
    if (output_is_json(&out)) {
        json_object(&out.json);
        json_key(&out.json, "origin");
        json_string(&out.json, record_text(c->letter, "origin"));
        json_key(&out.json, "edit");
        number ? json_unsigned(&out.json, number) : json_null(&out.json);
        json_key(&out.json, "size");
        json_unsigned(&out.json, c->edit.body_bytes);
        json_object_end(&out.json);
        output_item_end(&out);
    } else if (number) {
        call_note(c->call, "edited %s: %zu bytes, before %zu; --undo takes that back",
                  record_text(c->letter, "origin"), c->edit.body_bytes, c->bytes);
    } else {
        call_note(c->call, "%s has the body again that it was published with",
                  record_text(c->letter, "origin"));
    }
    output_end(&out);
}

static int send(struct change *c, bool tells)
{
    struct shunt_error err = {0};
    struct call *call = c->call;
    uint64_t number = 0;
    if (shunt_dlq_edit(call->shunt, call_word(call, 0), call_group(call), c->id, &c->edit, call->timeout_ms,
                       &number, &err))
        return call_failed(call, &err);
    if (tells)
        tell(c, number);
    return EXIT_OK;
}

static int send_if_changed(struct change *c, bool tells)
{
    if (changes(c))
        return send(c, tells);
    call_note(c->call, "the body of %s is as it was: nothing is changed", record_text(c->letter, "origin"));
    return EXIT_NOTHING;
}

/* ---- where the body comes from */

static int from_file(struct change *c, const char *path, bool tells)
{
    struct input in = {0};
    int error = input_read(path, &in);
    if (error) {
        call_complain("%s: %s", strcmp(path, "-") == 0 ? "standard input" : path, strerror(error));
        return EXIT_FAILED;
    }
    c->edit.body = in.bytes ? in.bytes : "";
    c->edit.body_bytes = in.count;
    int code = send_if_changed(c, tells);
    free(in.bytes);
    return code;
}

static bool is_text(const struct change *c)
{
    return utf8_valid(c->body, c->bytes) && !memchr(c->body, '\0', c->bytes);
}

/* By its first character: editors only colour it. */
static const char *suffix_of(const struct change *c)
{
    return c->bytes && (c->body[0] == '{' || c->body[0] == '[') ? ".json" : ".txt";
}

/* Nobody hears from the broker while somebody writes, so the connection ends meanwhile. */
static int from_editor(struct change *c, bool tells)
{
    struct editor e;
    if (!is_text(c)) {
        call_complain(
            "the body of %s is no text: save it with `dlq show --raw FILE`, and give what it is to be as "
            "--body-file",
            record_text(c->letter, "origin"));
        return EXIT_FAILED;
    }
    call_disconnect(c->call);
    int code = editor_run(&e, c->body, c->bytes, suffix_of(c));
    if (code)
        return code;
    c->edit.body = e.bytes ? e.bytes : "";
    c->edit.body_bytes = e.count;
    if (changes(c))
        code = call_connect(c->call);
    if (code == EXIT_OK)
        code = send_if_changed(c, tells);
    if (code != EXIT_OK && code != EXIT_NOTHING) {
        call_complain("what you wrote is kept in %s", e.path);
        editor_keep(&e);
    }
    editor_forget(&e);
    return code;
}

int dlq_edit_letter(struct call *call, const char *id, bool tells)
{
    struct change c = {.call = call, .id = id};
    const char *path = options_text(&call->options, "body-file", NULL);
    int code = look(&c);
    if (code == EXIT_OK && options_flag(&call->options, "undo"))
        code = send(&c, tells);
    else if (code == EXIT_OK)
        code = path ? from_file(&c, path, tells) : from_editor(&c, tells);
    shunt_value_free(c.letter);
    return code;
}

int dlq_run_edit(struct call *call)
{
    if (options_flag(&call->options, "undo") && options_flag(&call->options, "body-file"))
        return call_misused(call, "give one of --undo and --body-file");
    int code = dlq_take_topic(call, 2);
    if (code == EXIT_OK)
        code = call_connect(call);
    return code ? code : dlq_edit_letter(call, call_word(call, 1), true);
}
