/* pipeline: publishes without waiting for answers; when the library's window is full it waits for some of
 * them. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/magic.h"
#include "cli/call.h"
#include "cli/publish.h"
#include "client/shunt.h"

/* Complaints in full; after that they are only counted. */
#define COMPLAINTS_MAX 20

#define ITEM_MAGIC 0xe0b379c1u
struct item {
    uint32_t magic;
    struct pipeline *pipeline;
    const char *name;
    uint64_t line;
};

void pipeline_begin(struct pipeline *p, struct call *call, const char *topic, bool single)
{
    *p = (struct pipeline){.call = call,
                           .topic = topic,
                           .parts = (uint32_t)options_number(&call->options, "split", 1),
                           .part = arc4random(), /* so that many commands with one message each spread, too */
                           .print_ids = single};
    output_begin(&p->out, call->form, !single);
}

static void fail(struct pipeline *p, const char *name, uint64_t line, const struct shunt_error *err)
{
    int code = call_exit_code(p->call, err);
    const char *text = err->text[0] ? err->text : shunt_error_text(err->code);
    p->failed++;
    if (p->code == EXIT_OK)
        p->code = code;
    /* The fault of one message leaves the others a chance; any other fault would be theirs as well. */
    bool own = err->code == SHUNT_TOO_LARGE || err->code == SHUNT_BAD_ARGUMENT;
    if (!own || p->strict)
        p->broken = true;
    if (p->failed > COMPLAINTS_MAX && !(own && line))
        return;
    if (line)
        call_complain("line %" PRIu64 ": %s (%s)", line, text, shunt_error_name(err->code));
    else if (name)
        call_complain("%s: %s (%s)", name, text, shunt_error_name(err->code));
    else
        call_complain("%s (%s)", text, shunt_error_name(err->code));
}

static void succeed(struct pipeline *p, uint64_t line, uint64_t seq)
{
    p->confirmed++;
    if (output_is_json(&p->out)) {
        char id[160];
        (void)snprintf(id, sizeof id, "%s/%" PRIu64, p->topic, seq); /* names are at most 100 bytes */
        json_object(&p->out.json);
        json_key(&p->out.json, "id");
        json_string(&p->out.json, id);
        if (p->tell_lines) {
            json_key(&p->out.json, "line");
            json_unsigned(&p->out.json, line);
        }
        json_object_end(&p->out.json);
        output_item_end(&p->out);
    } else if (p->print_ids) {
        printf("%s/%" PRIu64 "\n", p->topic, seq);
    }
}

static void published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct item *item = magic_of(context, item, ITEM_MAGIC);
    if (err)
        fail(item->pipeline, item->name, item->line, err);
    else
        succeed(item->pipeline, item->line, seq);
    item->magic = 0;
    free(item);
}

/* Give the library a turn, for answers to come in. False when none came for the call's timeout, or the handle
 * is done. */
static bool take_turn(struct pipeline *p, int64_t give_up_at_ms)
{
    struct shunt_error err = {0};
    struct pollfd ready = {.fd = shunt_fd(p->call->shunt), .events = POLLIN};
    if (clock_mono_ms() >= give_up_at_ms) {
        struct shunt_error late = {.code = SHUNT_TIMEOUT};
        char span[32];
        p->broken = true;
        p->code = p->code ? p->code : call_exit_code(p->call, &late);
        call_complain("no answer for %s", shunt_format_duration(span, p->call->timeout_ms));
        return false;
    }
    (void)poll(&ready, 1, clock_poll_ms(give_up_at_ms));
    if (shunt_process(p->call->shunt, &err) == 0)
        return true;
    p->code = call_failed(p->call, &err);
    p->broken = true;
    return false;
}

bool pipeline_wait(struct pipeline *p, int fd)
{
    struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
                             {.fd = shunt_fd(p->call->shunt), .events = POLLIN}};
    if (poll(ready, 1, 0) != 0)
        return !p->broken; /* a fault of `fd` is for its reader to tell */
    while (!p->broken && ready[0].revents == 0) {
        struct shunt_error err = {0};
        (void)fflush(
            stdout); /* ids are told when they are known; what cannot be written is told at the end */
        if (poll(ready, 2, -1) < 0)
            ready[0].revents = ready[1].revents = 0;
        if (ready[1].revents && shunt_process(p->call->shunt, &err)) {
            p->code = call_failed(p->call, &err);
            p->broken = true;
        }
    }
    return !p->broken;
}

static uint64_t answered(const struct pipeline *p)
{
    return p->confirmed + p->failed;
}

/* A message without a key has nothing to split. */
static int split_key(struct pipeline *p, struct shunt_message *message)
{
    int code = p->parts > 1 ? shunt_message_split(message, p->parts, p->part++) : 0;
    return code == SHUNT_BAD_ARGUMENT ? 0 : code;
}

bool pipeline_push(struct pipeline *p, struct shunt_message *message, const char *name)
{
    struct shunt_error err = {0};
    if (p->broken)
        return false;
    err.code = split_key(p, message);
    if (err.code) {
        p->queued++;
        fail(p, name, p->line, &err);
        return !p->broken;
    }
    struct item *item = malloc(sizeof *item);
    if (!item) {
        err.code = SHUNT_NO_MEMORY;
        p->queued++;
        fail(p, name, p->line, &err);
        return false;
    }
    *item = (struct item){.magic = ITEM_MAGIC, .pipeline = p, .name = name, .line = p->line};
    uint64_t seen = answered(p);
    int64_t give_up_at_ms = clock_deadline(p->call->timeout_ms);
    int code = 0;
    while ((code = shunt_publish_async(p->call->shunt, p->topic, message, published, item, &err)) ==
           SHUNT_BUSY) {
        if (answered(p) != seen) {
            seen = answered(p);
            give_up_at_ms = clock_deadline(p->call->timeout_ms);
        }
        if (p->broken || !take_turn(p, give_up_at_ms))
            break;
    }
    if (code == 0) {
        p->queued++;
        return !p->broken;
    }
    free(item);
    if (code != SHUNT_BUSY) {
        p->queued++;
        fail(p, name, p->line, &err);
    }
    return !p->broken;
}

void pipeline_miss(struct pipeline *p, int code)
{
    p->queued++;
    p->failed++;
    if (p->code == EXIT_OK)
        p->code = code;
}

/* Confirmed or not: what is under way is waited for even when the pipeline is broken, to tell the truth about
 * it. */
static void settle(struct pipeline *p)
{
    uint64_t seen = answered(p);
    int64_t give_up_at_ms = clock_deadline(p->call->timeout_ms);
    while (answered(p) < p->queued) {
        if (!take_turn(p, give_up_at_ms))
            break;
        if (answered(p) != seen) {
            seen = answered(p);
            give_up_at_ms = clock_deadline(p->call->timeout_ms);
        }
    }
}

static void summarise(const struct pipeline *p, uint64_t unknown)
{
    if (unknown || p->failed) {
        call_complain("%" PRIu64 " of %" PRIu64 " %s confirmed, %" PRIu64 " failed, %" PRIu64 " unknown",
                      p->confirmed, p->queued, call_plural(p->queued, "message", "messages"), p->failed,
                      unknown);
    } else if (!p->print_ids) {
        call_note(p->call, "published %" PRIu64 " %s to %s", p->confirmed,
                  call_plural(p->confirmed, "message", "messages"), p->topic);
    }
}

int pipeline_end(struct pipeline *p)
{
    if (answered(p) < p->queued)
        settle(p);
    uint64_t unknown = p->queued - answered(p);
    if (unknown) {
        struct shunt_error err = {.code = SHUNT_TIMEOUT};
        p->code = p->code ? p->code : call_exit_code(p->call, &err);
        /* Their callbacks run while the pipeline still lives, and what they complain of is in the summary. */
        uint64_t failed = p->failed;
        p->failed = COMPLAINTS_MAX;
        call_disconnect(p->call);
        p->failed = failed;
    }
    output_end(&p->out);
    summarise(p, unknown);
    if (p->code == EXIT_OK)
        return EXIT_OK;
    return p->confirmed > 0 ? EXIT_PARTLY : p->code;
}
