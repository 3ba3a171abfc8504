/* publish_lines: a message a line, as it stands there or as JSON; numbered by the lines, so that it can be done again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/input.h"
#include "cli/message_json.h"
#include "cli/publish.h"
#include "client/shunt.h"

/* The broker knows each of a producer's so many newest numbers again (shunt_message_number()). What is older was stored, because
 * with a producer the reading ends at the first line that is not. */
#define NUMBERS_KNOWN 4096

#define LINES_MAGIC 0xba372333u
struct lines {
    uint32_t magic;
    struct call *call;
    struct pipeline pipeline;
    struct shunt_message *message;
    const char *producer; /* NULL: messages have no numbers of ours */
    bool json, dry_run;
    uint64_t number;    /* of the line */
    uint64_t skipped;   /* lines up to this one were published earlier */
    uint64_t good, bad; /* of a dry run */
};

static bool wait_for_lines(void *context, int fd)
{
    struct lines *lines = magic_of(context, lines, LINES_MAGIC);
    return lines->dry_run || pipeline_wait(&lines->pipeline, fd);
}

/* A message that cannot be made. With a producer it ends the reading: once the line is mended, the same command goes on there. */
static bool refuse(struct lines *lines, const char *why)
{
    call_complain("line %" PRIu64 ": %s", lines->number, why);
    lines->bad++;
    if (!lines->dry_run)
        pipeline_miss(&lines->pipeline, EXIT_FAILED);
    return !lines->producer || lines->dry_run;
}

static bool push(struct lines *lines)
{
    lines->good++;
    if (lines->dry_run)
        return true;
    if (lines->producer)
        (void)shunt_message_number(lines->message, lines->number); /* which is not 0 */
    lines->pipeline.line = lines->number;
    return pipeline_push(&lines->pipeline, lines->message, NULL);
}

static bool publish_json(struct lines *lines, const char *line, size_t bytes)
{
    char why[MESSAGE_JSON_WHY_BYTES];
    struct message_json json;
    shunt_message_clear(lines->message);
    if (publish_compose(lines->call, lines->message) != EXIT_OK)
        return false; /* it was composed before, and told then */
    bool go_on =
        message_json_read(&json, lines->message, line, bytes, why) ? push(lines) : refuse(lines, why);
    message_json_done(&json);
    return go_on;
}

static bool is_blank(const char *line, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r'))
        at++;
    return at == bytes;
}

static bool publish_line(void *context, const char *line, size_t bytes)
{
    struct lines *lines = magic_of(context, lines, LINES_MAGIC);
    lines->number++;
    if (lines->number <= lines->skipped)
        return true;
    if (lines->json)
        return is_blank(line, bytes) || publish_json(lines, line, bytes);
    shunt_message_body(lines->message, line, bytes);
    return push(lines);
}

/* Where to go on. What the broker knows again is sent again: of those some may be missing, if their publish failed. */
static int find_place(struct lines *lines)
{
    struct shunt_error err = {0};
    uint64_t last = 0;
    if (!lines->producer)
        return EXIT_OK;
    if (shunt_producer_last(lines->call->shunt, lines->call->timeout_ms, &last, &err))
        return call_failed(lines->call, &err);
    lines->skipped = last < NUMBERS_KNOWN ? 0 : last - NUMBERS_KNOWN;
    if (last) {
        call_note(lines->call, "going on behind line %" PRIu64 ", the last that is stored of producer %s",
                  last, lines->producer);
    }
    return EXIT_OK;
}

static void tell_end(struct lines *lines, const char *path, int error)
{
    const char *from = strcmp(path, "-") == 0 ? "standard input" : path;
    if (error == EFBIG && lines->json) {
        call_complain("%s: line %" PRIu64
                      " is longer than 128 MiB, the most that a line has; it and what comes "
                      "behind it was not read",
                      from, lines->number + 1);
    } else if (error == EFBIG) {
        call_complain("%s: line %" PRIu64
                      " is longer than a message can be; it and what comes behind it was not read",
                      from, lines->number + 1);
    } else {
        call_complain("%s: %s", from, strerror(error));
    }
}

static int end_dry_run(struct lines *lines)
{
    struct output out;
    output_begin(&out, lines->call->form, false);
    if (output_is_json(&out)) {
        json_object(&out.json);
        json_key(&out.json, "messages");
        json_unsigned(&out.json, lines->good);
        json_key(&out.json, "refused");
        json_unsigned(&out.json, lines->bad);
        json_object_end(&out.json);
        output_item_end(&out);
    } else {
        call_note(lines->call, "%" PRIu64 " %s could be published, %" PRIu64 " could not; nothing was",
                  lines->good, call_plural(lines->good, "message", "messages"), lines->bad);
    }
    output_end(&out);
    return lines->bad ? EXIT_FAILED : EXIT_OK;
}

static int end(struct lines *lines)
{
    if (lines->dry_run)
        return end_dry_run(lines);
    int code = pipeline_end(&lines->pipeline);
    if (code != EXIT_OK && lines->producer) {
        call_complain(
            "the same command goes on where this one ended, and stores nothing twice, as long as the "
            "broker remembers the producer (its setting dedup-window)");
    }
    return code;
}

int publish_lines(struct call *call, struct shunt_message *message)
{
    const struct options *o = &call->options;
    struct lines lines = {.magic = LINES_MAGIC,
                          .call = call,
                          .message = message,
                          .producer = call->producer,
                          .json = options_flag(o, "jsonl"),
                          .dry_run = options_flag(o, "dry-run")};
    const char *path = options_text(o, lines.json ? "jsonl" : "lines", "-");
    int code = lines.dry_run ? EXIT_OK : find_place(&lines);
    if (code)
        return code;
    if (!lines.dry_run)
        pipeline_begin(&lines.pipeline, call, call_word(call, 0), false);
    lines.pipeline.tell_lines = lines.json;
    lines.pipeline.strict = lines.producer;
    int error = input_lines(path, lines.json ? MESSAGE_JSON_BYTES_MAX : INPUT_BODY_BYTES_MAX, wait_for_lines,
                            publish_line, &lines);
    if (error) {
        tell_end(&lines, path, error);
        lines.bad++;
        if (!lines.dry_run)
            pipeline_miss(&lines.pipeline, EXIT_FAILED);
    }
    return end(&lines);
}
