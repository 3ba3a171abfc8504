/* publish: a body from the command line or stdin, one message a file, or one a line. */
#include "cli/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/input.h"
#include "client/shunt.h"

/* ---- what every message of the call gets */

static int add_headers(const struct call *call, struct shunt_message *message)
{
    for (size_t i = 0; i < call->options.values_count; i++) {
        const struct option_value *value = &call->options.values[i];
        if (strcmp(value->row->name, "header") != 0)
            continue;
        char key[260]; /* header keys are at most 256 bytes */
        const char *equals = strchr(value->text, '=');
        size_t key_bytes = equals ? (size_t)(equals - value->text) : 0;
        if (key_bytes == 0)
            return call_misused(call, "-H %.60s: a header is KEY=VALUE", value->text);
        if (key_bytes >= sizeof key)
            return call_misused(call, "-H %.60s…: the key is longer than 256 bytes", value->text);
        memcpy(key, value->text, key_bytes);
        key[key_bytes] = '\0';
        int code = shunt_message_header(message, key, equals + 1, strlen(equals + 1));
        if (code)
            return call_misused(call, "-H %.60s: %s", value->text, shunt_error_text(code));
    }
    return EXIT_OK;
}

static int add_options(const struct call *call, struct shunt_message *message)
{
    const char *key = options_text(&call->options, "key", NULL);
    int64_t delay_ms = options_number(&call->options, "delay", 0);
    int64_t ttl_ms = options_number(&call->options, "ttl", 0);
    int code = key ? shunt_message_key(message, key, strlen(key)) : 0;
    if (code)
        return call_misused(call, "--key: %s", shunt_error_text(code));
    code = delay_ms ? shunt_message_delay(message, delay_ms) : 0;
    if (code)
        return call_misused(call, "--delay: %s", shunt_error_text(code));
    code = ttl_ms ? shunt_message_ttl(message, ttl_ms) : 0;
    if (code)
        return call_misused(call, "--ttl: %s", shunt_error_text(code));
    return EXIT_OK;
}

/* ---- one body */

static int publish_one(struct call *call, struct shunt_message *message, const char *body, size_t bytes)
{
    struct pipeline p;
    pipeline_begin(&p, call, call_word(call, 0), true);
    shunt_message_body(message, body, bytes);
    (void)pipeline_push(&p, message, NULL); /* pipeline_end() tells */
    return pipeline_end(&p);
}

static int publish_stdin(struct call *call, struct shunt_message *message)
{
    struct input in = {0};
    int error = input_read("-", &in);
    if (error) {
        call_complain("standard input: %s", strerror(error));
        return EXIT_FAILED;
    }
    int code = publish_one(call, message, in.bytes ? in.bytes : "", in.count);
    free(in.bytes);
    return code;
}

/* ---- files */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* `message` has all but the body and, if it is to be `named`, the header with the name of the file before. */
static bool publish_file(struct pipeline *p, struct shunt_message *message, const char *path, bool named)
{
    struct input in = {0};
    int error = input_read(path, &in);
    if (error) {
        call_complain("%s: %s", path, strerror(error));
        pipeline_miss(p, EXIT_FAILED);
        return true;
    }
    bool go_on = true;
    const char *name = base_name(path);
    int code = named ? shunt_message_header(message, "file", name, strlen(name)) : 0;
    shunt_message_body(message, in.bytes ? in.bytes : "", in.count);
    if (code) {
        call_complain("%s: header file: %s", path, shunt_error_text(code));
        pipeline_miss(p, EXIT_FAILED);
    } else {
        go_on = pipeline_push(p, message, path);
    }
    free(in.bytes);
    return go_on;
}

/* `-H file=…` stands against the names of the files. */
static bool names_file(const struct option_value *value)
{
    return strcmp(value->row->name, "header") == 0 && strncmp(value->text, "file=", 5) == 0;
}

static int publish_files(struct call *call, struct shunt_message *message)
{
    struct pipeline p;
    const struct options *o = &call->options;
    bool go_on = true;
    bool named = true;
    for (size_t i = 0; i < o->values_count; i++)
        named = named && !names_file(&o->values[i]);
    pipeline_begin(&p, call, call_word(call, 0), false);
    for (size_t i = 0; go_on && i < o->values_count; i++) {
        if (strcmp(o->values[i].row->name, "file") == 0 && o->values[i].text)
            go_on = publish_file(&p, message, o->values[i].text, named);
    }
    return pipeline_end(&p);
}

/* ---- lines */

#define LINES_MAGIC 0xba372333u
struct lines {
    uint32_t magic;
    struct pipeline pipeline;
    struct shunt_message *message;
};

static bool wait_for_lines(void *context, int fd)
{
    struct lines *lines = magic_of(context, lines, LINES_MAGIC);
    return pipeline_wait(&lines->pipeline, fd);
}

static bool publish_line(void *context, const char *line, size_t bytes)
{
    struct lines *lines = magic_of(context, lines, LINES_MAGIC);
    shunt_message_body(lines->message, line, bytes);
    return pipeline_push(&lines->pipeline, lines->message, NULL);
}

static int publish_lines(struct call *call, struct shunt_message *message)
{
    const char *path = options_text(&call->options, "lines", "-");
    struct lines lines = {.magic = LINES_MAGIC, .message = message};
    pipeline_begin(&lines.pipeline, call, call_word(call, 0), false);
    int error = input_lines(path, wait_for_lines, publish_line, &lines);
    if (error) {
        call_complain("%s: %s", strcmp(path, "-") == 0 ? "standard input" : path,
                      error == EFBIG ? "a line is longer than a message can be" : strerror(error));
        pipeline_miss(&lines.pipeline, EXIT_FAILED);
    }
    return pipeline_end(&lines.pipeline);
}

/* ---- the command */

enum source { SOURCE_BODY, SOURCE_STDIN, SOURCE_FILES, SOURCE_LINES };

static int choose(const struct call *call, enum source *ret)
{
    const struct option_value *file = options_find(&call->options, "file");
    bool lines = options_flag(&call->options, "lines");
    const char *body = call_word(call, 1);
    if ((file ? 1 : 0) + lines + (body ? 1 : 0) > 1)
        return call_misused(call, "give one of BODY, --file and --lines");
    if (file && !file->text)
        return call_misused(call, "--file needs the names of files");
    *ret = file                             ? SOURCE_FILES
           : lines                          ? SOURCE_LINES
           : body && strcmp(body, "-") != 0 ? SOURCE_BODY
                                            : SOURCE_STDIN;
    if (*ret == SOURCE_STDIN && !body && isatty(STDIN_FILENO)) {
        return call_misused(
            call, "nothing to publish: give BODY, --file or --lines, or `-` to read standard input");
    }
    return EXIT_OK;
}

static int publish_from(struct call *call, enum source source, struct shunt_message *message)
{
    const char *body = call_word(call, 1);
    switch (source) {
    case SOURCE_BODY:
        return publish_one(call, message, body, strlen(body));
    case SOURCE_STDIN:
        return publish_stdin(call, message);
    case SOURCE_FILES:
        return publish_files(call, message);
    case SOURCE_LINES:
        return publish_lines(call, message);
    }
    return EXIT_FAILED;
}

static int run_publish(struct call *call)
{
    enum source source = SOURCE_BODY;
    struct shunt_message *message = shunt_message_new();
    int code = message ? choose(call, &source) : EXIT_FAILED;
    if (code == EXIT_OK)
        code = add_headers(call, message);
    if (code == EXIT_OK)
        code = add_options(call, message);
    if (code == EXIT_OK)
        code = call_connect(call);
    if (code == EXIT_OK)
        code = publish_from(call, source, message);
    shunt_message_free(message);
    return code;
}

static const struct option_row rows[] = {
    {"file", 0, "F…", OPTION_TEXT, WORDS_MANY, 0, 0,
     "publish each file as a message, its base name in the header `file`"},
    {"lines", 0, "[FILE]", OPTION_TEXT, WORDS_ONE, 0, 0,
     "publish each line of FILE as a message (default: standard input)"},
    {"header", 'H', "KEY=VALUE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "a header of the message; may be given several times"},
    {"key", 0, "KEY", OPTION_TEXT, WORDS_NONE, 0, 0, "the key of the message"},
    {"delay", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0, "hand the message out only after D"},
    {"ttl", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0, "time to live (default: the topic's)"},
};

static const struct command commands[] = {{
    .noun = "publish",
    .usage = "TOPIC [BODY | --file F… | --lines [FILE]] [-H KEY=VALUE]… [OPTIONS]",
    .text = "publish messages and wait until they are durable",
    .about = "Without BODY, or with `-` for it, standard input is one message. --file takes all the words "
             "after it, so\n"
             "TOPIC comes first. The id of a single message goes to stdout; with -o jsonl, all ids do.\n"
             "Exits 2 if some messages were confirmed and some were not.",
    .examples = "  shunt publish orders '{\"id\": 7}' -H source=shop --key customer-12\n"
                "  shunt publish files --file inbox/*.json\n"
                "  seq 1000000 | shunt publish numbers --lines\n"
                "  shunt publish mails --delay 10m < mail.eml\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_min = 1,
    .words_max = 2,
    .run = run_publish,
}};

const struct command_set publish_set = {"publish", "publish messages: a body, files, or lines", commands, 1};
