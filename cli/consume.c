/* consume: prints messages. One is acked only after it was written and flushed, so that none is lost on the
 * way to a reader that went away; then it goes back to the broker and comes again.
 *
 * With -n N at most N are ever fetched. The window of credit is made smaller before acks are sent, never
 * after: at the broker, window <= N - acked holds at every moment, so that fetched = acked + held <= N.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/magic.h"
#include "cli/call.h"
#include "cli/command.h"
#include "cli/delivered.h"
#include "cli/dlq.h"
#include "cli/output.h"
#include "cli/peek.h"
#include "cli/prompt.h"
#include "cli/signals.h"
#include "client/shunt.h"

#define WINDOW_MESSAGES 2048
#define WINDOW_BYTES    (16u * 1024 * 1024)
/* Printed, flushed and acked at once. Small, for when a slow reader keeps us waiting it is these whose leases
 * run out as started. */
#define BATCH_MESSAGES 256
#define BATCH_BYTES    (64u * 1024)

#define CONSUME_MAGIC 0xf4fc2354u
struct consume {
    uint32_t magic;
    struct call *call;
    struct shunt_consumer *consumer;
    struct output out;
    int signal_fd;
    uint64_t limit; /* UINT64_MAX without -n */
    int64_t wait_ms;
    uint64_t printed;
    uint64_t lost; /* acks without effect, as far as we know */
    bool connected;
    struct shunt_delivery *batch[BATCH_MESSAGES]; /* printed, not acked */
    size_t batch_count;
};

/* ---- acking */

static void acked(void *context, const struct shunt_error *err)
{
    struct consume *c = magic_of(context, consume, CONSUME_MAGIC);
    if (!err)
        return;
    c->lost++;
    call_tell_lost_answer(err);
}

static uint32_t window(const struct consume *c)
{
    uint64_t left = c->limit - c->printed;
    return left < WINDOW_MESSAGES ? (uint32_t)left : WINDOW_MESSAGES;
}

/* Give back what was printed but did not reach the reader. */
static void release_batch(struct consume *c)
{
    for (size_t i = 0; i < c->batch_count; i++) {
        (void)shunt_resolve_async(c->batch[i], SHUNT_RELEASE, 0, NULL, NULL, NULL,
                                  NULL); /* stale ones are back already */
    }
    c->batch_count = 0;
}

static int ack_batch(struct consume *c)
{
    struct shunt_error err = {0};
    if (c->batch_count == 0)
        return EXIT_OK;
    if (fflush(stdout) || ferror(stdout)) {
        release_batch(c);
        return EXIT_FAILED; /* call_end_output() says why */
    }
    /* The library writes resolutions before credit; a turn between the two makes it the other way round. */
    if (window(c) < WINDOW_MESSAGES &&
        (shunt_credit(c->consumer, window(c), WINDOW_BYTES, &err) || shunt_process(c->call->shunt, &err)))
        return call_failed(c->call, &err);
    for (size_t i = 0; i < c->batch_count; i++) {
        if (shunt_resolve_async(c->batch[i], SHUNT_ACK, 0, NULL, acked, c, &err))
            acked(c, &err);
    }
    c->batch_count = 0;
    return EXIT_OK;
}

/* ---- reading */

/* Print all that has arrived. EXIT_OK also when there was nothing. */
static int print_arrived(struct consume *c, bool *ret_any)
{
    struct shunt_error err = {0};
    int code = 0;
    *ret_any = false;
    size_t printed_bytes = 0;
    while (c->printed < c->limit && c->batch_count < BATCH_MESSAGES && printed_bytes < BATCH_BYTES) {
        size_t bytes = 0;
        struct shunt_delivery *delivery = NULL;
        code = shunt_next(c->consumer, 0, &delivery, &err);
        if (code)
            break;
        delivered_print(&c->out, delivery);
        (void)shunt_delivery_body(delivery, &bytes); /* its size alone */
        printed_bytes += bytes;
        c->batch[c->batch_count++] = delivery;
        c->printed++;
        *ret_any = true;
    }
    int exit_code = ack_batch(c);
    if (exit_code || code == 0 || code == SHUNT_EMPTY || code == SHUNT_TIMEOUT || call_is_outage(code))
        return exit_code;
    return call_failed(c->call, &err);
}

/* Sleep until something comes. False when it is time to give up. */
static bool wait_more(const struct consume *c, int64_t give_up_at_ms)
{
    struct pollfd ready[] = {{.fd = shunt_fd(c->call->shunt), .events = POLLIN},
                             {.fd = c->signal_fd, .events = POLLIN}};
    if (clock_mono_ms() >= give_up_at_ms)
        return false;
    (void)poll(ready, 2, clock_poll_ms(give_up_at_ms));
    return true;
}

static int consume_all(struct consume *c)
{
    struct shunt_error err = {0};
    int64_t give_up_at_ms = clock_deadline(c->wait_ms);
    while (c->printed < c->limit) {
        bool any = false;
        if (shunt_process(c->call->shunt, &err))
            return call_failed(c->call, &err);
        call_tell_connection(c->call, &c->connected);
        int code = print_arrived(c, &any);
        if (code)
            return code;
        if (signals_take(c->signal_fd))
            break;
        if (any)
            give_up_at_ms = clock_deadline(c->wait_ms);
        else if (c->printed < c->limit && !wait_more(c, give_up_at_ms))
            break;
    }
    if (shunt_flush(c->call->shunt, c->call->timeout_ms, &err))
        return call_failed(c->call, &err);
    return shunt_connected(c->call->shunt) ? EXIT_OK : EXIT_UNREACHABLE;
}

static int subscribe(struct consume *c)
{
    char number[24];
    struct shunt_error err = {0};
    struct shunt_options *options = shunt_options_new();
    (void)snprintf(number, sizeof number, "%" PRIu32, window(c));
    int code = options ? shunt_options_set(options, "prefetch", number) : SHUNT_NO_MEMORY;
    if (code == 0) {
        code = shunt_subscribe(c->call->shunt, call_word(c->call, 0), call_group(c->call), options,
                               c->call->timeout_ms, &c->consumer, &err);
    }
    shunt_options_free(options);
    err.code = code;
    return code ? call_failed(c->call, &err) : EXIT_OK;
}

static int consume(struct call *call)
{
    struct consume c = {.magic = CONSUME_MAGIC,
                        .call = call,
                        .connected = true,
                        .wait_ms = options_number(&call->options, "wait", -1)};
    int64_t limit = options_number(&call->options, "count", -1);
    c.limit = limit < 0 ? UINT64_MAX : (uint64_t)limit;
    int code = call_connect(call);
    if (code == EXIT_OK)
        code = subscribe(&c);
    if (code)
        return code;
    c.signal_fd = signals_open();
    if (c.signal_fd < 0) {
        call_complain("cannot wait for signals");
        code = EXIT_FAILED;
    } else {
        output_begin(&c.out, call->form, true);
        code = consume_all(&c);
        output_end(&c.out);
        (void)close(c.signal_fd);
    }
    shunt_unsubscribe(c.consumer, call->timeout_ms);
    call_disconnect(call);
    if (code == EXIT_OK && c.lost)
        return EXIT_PARTLY;
    return code == EXIT_OK && c.printed == 0 ? EXIT_NOTHING : code;
}

/* ---- the command */

/* What is consumed of a DLQ is gone, with its reason and history: not by accident. */
static int consume_careful(struct call *call)
{
    const char *topic = call_word(call, 0);
    int code = EXIT_OK;
    if (strncmp(topic, DLQ_PREFIX, strlen(DLQ_PREFIX)) == 0) {
        code = prompt_confirm(call,
                              "consuming %.200s takes dead letters out of it for good; --peek, `dlq list` "
                              "and `dlq show` only look, "
                              "`dlq redrive` sends them back",
                              topic);
    }
    return code ? code : consume(call);
}

static int run_consume(struct call *call)
{
    if (!options_flag(&call->options, "peek"))
        return consume_careful(call);
    if (options_flag(&call->options, "wait"))
        return call_misused(call, "--peek shows only the messages that are there now: leave out --wait");
    return peek(call);
}

static const struct option_row rows[] = {
    {"group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "the group (default: `default`)"},
    {"count", 'n', "N", OPTION_COUNT, WORDS_NONE, 1, INT64_MAX, "stop after N messages; no more are fetched"},
    {"wait", 0, "D", OPTION_DURATION, WORDS_NONE, 0, 0, "stop when no message has come for D"},
    {"peek", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
     "only look at ready, delayed and in-flight messages, or at dead letters; take none"},
    PROMPT_OPTION,
};

static const struct command commands[] = {{
    .noun = "consume",
    .usage = "TOPIC [-g GROUP] [-n N] [--wait D] [--peek | -y]",
    .text = "print messages and ack them",
    .about =
        "Prints each body and a newline; with -o jsonl, everything about the message. A message is acked\n"
        "once it has been written out. Runs until interrupted unless -n or --wait ends it. TOPIC may be a\n"
        "dead-letter queue, dlq:TOPIC:GROUP: then -o jsonl tells what each message died of, and it asks "
        "before it\n"
        "takes any (-y: it does not). --peek takes none, charges nothing, and is no look at a dead letter.\n"
        "Exits 3 if no message came.",
    .examples = "  shunt consume orders -n 1\n"
                "  shunt consume orders --wait 5s -o jsonl > orders.jsonl\n"
                "  shunt consume orders --peek -n 10 -o jsonl\n"
                "  shunt consume dlq:orders:default --peek -o jsonl\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_min = 1,
    .words_max = 1,
    .run = run_consume,
}};

const struct command_set consume_set = {"consume", "print messages and ack them, or only look", commands, 1};
