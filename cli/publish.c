/* publish: a body from the command line or stdin, one message a file, or one a line. */
#include "cli/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/input.h"
#include "client/shunt.h"

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

/* ---- the command */

enum source { SOURCE_BODY, SOURCE_STDIN, SOURCE_FILES, SOURCE_LINES };

static int choose(const struct call *call, enum source *ret)
{
    const struct option_value *file = options_find(&call->options, "file");
    bool lines = options_flag(&call->options, "lines"), jsonl = options_flag(&call->options, "jsonl");
    const char *body = call_word(call, 1);
    if ((file ? 1 : 0) + lines + jsonl + (body ? 1 : 0) > 1)
        return call_misused(call, "give one of BODY, --file, --lines and --jsonl");
    if (file && !file->text)
        return call_misused(call, "--file needs the names of files");
    *ret = file                             ? SOURCE_FILES
           : lines || jsonl                 ? SOURCE_LINES
           : body && strcmp(body, "-") != 0 ? SOURCE_BODY
                                            : SOURCE_STDIN;
    if (*ret == SOURCE_STDIN && !body && isatty(STDIN_FILENO)) {
        return call_misused(
            call, "nothing to publish: give BODY, --file, --lines or --jsonl, or `-` to read standard input");
    }
    if (*ret != SOURCE_LINES && options_flag(&call->options, "producer"))
        return call_misused(call, "--producer numbers lines: it goes with --lines and --jsonl");
    if (!jsonl && options_flag(&call->options, "dry-run"))
        return call_misused(call, "--dry-run goes with --jsonl");
    if (!jsonl && options_flag(&call->options, "split") && !options_flag(&call->options, "key"))
        return call_misused(call, "--split makes parts of a key: give --key, too");
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
        code = publish_compose(call, message);
    call->producer = options_text(&call->options, "producer", NULL);
    if (code == EXIT_OK && !options_flag(&call->options, "dry-run"))
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
    {"jsonl", 0, "[FILE]", OPTION_TEXT, WORDS_ONE, 0, 0,
     "the same, but a line is what `dlq export` and `consume -o jsonl` print: body, headers, key"},
    {"dry-run", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
     "with --jsonl: only read the lines and tell those that are wrong"},
    {"producer", 0, "NAME", OPTION_TEXT, WORDS_NONE, 0, 0,
     "number the lines under NAME: run again after it was cut off, it stores nothing twice"},
    {"header", 'H', "KEY=VALUE", OPTION_TEXT, WORDS_NONE, 0, 0,
     "a header of the message; may be given several times"},
    {"key", 0, "KEY", OPTION_TEXT, WORDS_NONE, 0, 0, "the key of the message"},
    {"split", 0, "N", OPTION_COUNT, WORDS_NONE, 1, SHUNT_SPLIT_PARTS_MAX,
     "make the key K one of K#0 to K#N-1, in turn (1 to 1024)"},
    {"delay", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0, "hand the message out only after D"},
    {"ttl", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0, "time to live (default: the topic's)"},
    {"deadline", 0, "D|TIME|none", OPTION_TEXT, WORDS_NONE, 0, 0,
     "nobody needs it after that: D from now, or a time (default: under `work` what is left for its "
     "message)"},
};

static const struct command commands[] = {{
    .noun = "publish",
    .usage = "TOPIC [BODY | --file F… | --lines [FILE] | --jsonl [FILE]] [-H KEY=VALUE]… [OPTIONS]",
    .text = "publish messages and wait until they are durable",
    .about = "Without BODY, or with `-` for it, standard input is one message. --file takes all the words "
             "after it, so\n"
             "TOPIC comes first. The id of a single message goes to stdout; with -o jsonl, all ids do.\n"
             "--jsonl is the way back of an export: each line becomes a new message with its body (or "
             "body_base64), "
             "headers,\n"
             "key, delay_ms, ttl_ms and deadline; what else an export tells is passed over, and any other "
             "member refused. -H, "
             "--key,\n"
             "--delay, --ttl and --deadline are for lines that do not say. Exits 2 if some messages were "
             "confirmed and "
             "some were "
             "not.",
    .examples = "  shunt publish orders '{\"id\": 7}' -H source=shop --key customer-12\n"
                "  shunt publish files --file inbox/*.json\n"
                "  shunt publish counts --lines events.txt --key all --split 8\n"
                "  seq 1000000 | shunt publish numbers --lines\n"
                "  shunt publish files --jsonl dead.jsonl --producer dead.jsonl\n"
                "  shunt publish mails --delay 10m < mail.eml\n"
                "  shunt publish quotes '{\"id\": 7}' --deadline 30s\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_min = 1,
    .words_max = 2,
    .run = run_publish,
}};

const struct command_set publish_set = {"publish", "publish messages: a body, files, or lines", commands, 1};
