/* core: frames in, replies and deliveries to whom they belong. Output is in core_output.c, HELLO in hello.c.
 */
#include "client/wire/core.h"
#include "base/list.h"
#include "base/magic.h"
#include "client/wire/error.h"
#include "client/wire/hello.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include <stdio.h>
#include <string.h>

void core_init(struct core *core, const struct settings *settings, uint64_t seed,
               const uint8_t producer_id[PRODUCER_ID_BYTES])
{
    *core =
        (struct core){.settings = settings, .random = {.state = seed}, .work = true, .expires_us = INT64_MAX};
    producer_init(&core->producer, settings, producer_id);
    patience_init(core);
}

void core_done(struct core *core)
{
    while (core->consumers)
        consumer_free(core->consumers, true, 0);
    struct shunt_error error; /* in a copy of the process nobody was told, and nobody is now */
    error_set(&error, SHUNT_CLOSED, NULL);
    while (core->calls.head)
        core_end_call(core, core->calls.head, &error);
    if (core->goodbye)
        core_end_call(core, core->goodbye, &error);
    notice_free_all(&core->told);
    producer_done(&core->producer);
    resolutions_done(&core->resolutions);
    requests_done(&core->requests);
    output_done(&core->output);
    input_done(&core->input);
}

/* ---- connections come and go ---- */

int core_online(struct core *core)
{
    check(core->phase == CORE_OFFLINE);
    core->phase = CORE_GREETING;
    core->said.code = 0;
    core->patience.closing_ms = 0;
    core->pinged_us = 0;
    core->work = true;
    input_reset(&core->input);
    return hello_write(core);
}

void core_end_call(struct core *core, struct call *call, const struct shunt_error *error)
{
    core_forget_call(core, call);
    if (call == core->goodbye)
        core->goodbye = NULL;
    if (call->op == OP_GOODBYE)
        core->left = true;
    if (call->notice) {
        call_tell(call, error, &core->told);
        return;
    }
    call->state = CALL_ENDED;
    call->error = *error;
}

static void lose_calls(struct core *core)
{
    struct shunt_error error, spared;
    error_set(&error, SHUNT_DISCONNECTED, NULL);
    error_set(&spared, SHUNT_DISCONNECTED,
              "the connection was lost, and the call is not tried again: it would be more than retry-budget "
              "allows");
    for (struct call *call = core->calls.head, *next; call; call = next) {
        next = call->next;
        if (call->state != CALL_SENT && !call->bound)
            continue;
        uint64_t id = call->id;
        if (call->repeatable && patience_asks_again(core, call, 0))
            (void)requests_take(&core->requests, id); /* asked again under a new id */
        else
            core_end_call(core, call, call->repeatable && !call->bound ? &spared : &error);
    }
}

/* All that waits for a reply of the old connection, but batches, which keep their ids. */
static void forget_requests(struct core *core)
{
    struct waiter waiter;
    for (uint64_t id = 0; (id = requests_from(&core->requests, id, &waiter)) != 0; id++) {
        if (waiter.kind != WAITER_PUBLISH)
            (void)requests_take(&core->requests, id); /* nobody will answer */
    }
}

void core_offline(struct core *core)
{
    core->phase = CORE_OFFLINE;
    uint64_t sent_to = output_sent_to(&core->output);
    producer_lost(&core->producer, &core->requests);
    resolutions_lost(&core->resolutions, sent_to);
    for (struct shunt_consumer *c = core->consumers; c; c = c->next)
        consumer_lost(c);
    lose_calls(core);
    patience_lost(core);
    forget_requests(core);
    output_forget(&core->output);
    input_reset(&core->input);
}

void core_end(struct core *core, const struct shunt_error *error)
{
    if (core->phase != CORE_OFFLINE)
        core_offline(core);
    producer_fail_all(&core->producer, error);
    while (core->calls.head)
        core_end_call(core, core->calls.head, error);
    if (core->goodbye)
        core_end_call(core, core->goodbye, error);
    for (struct shunt_consumer *c = core->consumers; c; c = c->next) {
        if (c->state != CONSUMER_ENDED)
            consumer_ended(c, error);
    }
}

/* ---- calls ---- */

void core_queue_call(struct core *core, struct call *call)
{
    check(call->magic == CALL_MAGIC && call->state == CALL_NEW);
    list_append(&core->calls, call);
    call->state = CALL_QUEUED;
    core->work = true;
}

void core_forget_call(struct core *core, struct call *call)
{
    if (call->state != CALL_QUEUED && call->state != CALL_SENT)
        return;
    if (call->state == CALL_SENT)
        (void)requests_take(&core->requests, call->id); /* its reply will be ignored */
    list_remove(&core->calls, call);
    call->state = CALL_NEW;
}

size_t core_pending(const struct core *core)
{
    return (size_t)core->producer.messages + core->resolutions.pending + core->calls.count +
           core->told.count + (core->goodbye ? 1 : 0);
}

void core_part(struct core *core, struct call *goodbye)
{
    check(!core->goodbye && goodbye->notice);
    core->goodbye = goodbye;
}

void core_try_to_part(struct core *core)
{
    struct call *goodbye = core->goodbye;
    struct shunt_error none = {0};
    if (!goodbye || core->phase == CORE_GREETING || core_pending(core) > 1)
        return;
    if (core->phase == CORE_OFFLINE) { /* nothing is held there, and nothing waits here */
        core_end_call(core, goodbye, &none);
        return;
    }
    core->goodbye = NULL;
    core->leaving = true;
    core_queue_call(core, goodbye);
}

/* ---- frames ---- */

static void call_answered(struct core *core, struct call *call, const struct mpack_reader *r, uint32_t fields)
{
    struct shunt_error none = {0};
    bool told = call->notice;
    core_end_call(core, call, &none);
    if (told)
        return;
    call->reply = *r;
    call->reply_fields = fields;
    call->block = core->input.block;
    block_hold(call->block);
}

/* [128, id, accepted, first_seq, code, retry_after_ms?] */
static int publish_answered(struct core *core, struct batch *b, struct mpack_reader *r, int64_t now_us)
{
    uint64_t accepted = mpack_read_uint(r), first_seq = mpack_read_uint(r), code = mpack_read_uint(r);
    if (r->failed || !b->written || code > INT32_MAX)
        return SHUNT_PROTOCOL;
    producer_answered(&core->producer, b, accepted, first_seq, (int)code, NULL);
    if (code) {
        struct shunt_error rest;
        error_set(&rest, (int)code, NULL);
        patience_publish_refused(core, &rest, patience_read(core, r, now_us), now_us);
    }
    core->work = true; /* the next batch may go */
    return 0;
}

/* An abandoned subscription has a number now, so it can be ended. */
static int end_abandoned(struct core *core, struct mpack_reader *r)
{
    uint64_t end = output_end(&core->output), sub = mpack_read_uint(r);
    if (r->failed)
        return SHUNT_PROTOCOL;
    const union request_fields q = {.unsubscribe = {.sub = sub}};
    frame_end(&core->output.bytes, request_begin(&core->output.bytes, &request_unsubscribe, 0, &q));
    return output_check(&core->output, end);
}

static int read_ok(struct core *core, uint64_t id, uint32_t fields, struct mpack_reader *r, int64_t now_us,
                   struct shunt_error *err)
{
    struct waiter waiter = requests_take(&core->requests, id);
    switch (waiter.kind) {
    case WAITER_HELLO:
        return hello_answered(core, r, err);
    case WAITER_PUBLISH:
        return publish_answered(core, magic_of(waiter.who, batch, BATCH_MAGIC), r, now_us);
    case WAITER_RESOLVE:
        return resolution_answered(&core->resolutions, magic_of(waiter.who, resolution, RESOLUTION_MAGIC), r);
    case WAITER_SUBSCRIBE:
        return consumer_subscribed(magic_of(waiter.who, shunt_consumer, CONSUMER_MAGIC), r, now_us);
    case WAITER_ABANDONED_SUBSCRIBE:
        return end_abandoned(core, r);
    case WAITER_CALL:
        call_answered(core, magic_of(waiter.who, call, CALL_MAGIC), r, fields);
        return 0;
    case WAITER_PING:
    case WAITER_NONE:
    default:
        return 0; /* somebody gave up waiting */
    }
}

/* [129, id, code, name, text, retry, retry_after_ms?] */
static int read_error(struct core *core, struct mpack_reader *r, int64_t now_us, struct shunt_error *ret,
                      int64_t *ret_wait_ms)
{
    uint64_t code = mpack_read_uint(r);
    (void)mpack_read_str(r); /* the name follows from the code */
    struct slice text = mpack_read_str(r);
    bool may_retry = mpack_read_bool(r);
    if (r->failed || code == 0 || code > INT32_MAX)
        return SHUNT_PROTOCOL;
    int size = text.size < sizeof ret->text ? (int)text.size : (int)sizeof ret->text - 1;
    error_set(ret, (int)code, text.size > 0 ? "%.*s" : NULL, size, (const char *)text.data);
    ret->may_retry = may_retry;
    *ret_wait_ms = patience_read(core, r, now_us);
    return 0;
}

static void call_refused(struct core *core, struct call *call, const struct shunt_error *error,
                         int64_t wait_ms)
{
    if (patience_passes(error->code) && patience_asks_again(core, call, wait_ms))
        call->error = *error;
    else
        core_end_call(core, call, error);
}

/* What was sent before may have been stored then: all that is known is that nobody will do more for it. */
static void unless_stored_before(const struct batch *b, struct shunt_error *error)
{
    if (error->code != SHUNT_DEADLINE_EXCEEDED || !b->repeated)
        return;
    error_set(error, SHUNT_TIMEOUT,
              "no answer in time: the message may have been stored before the connection was lost");
    error->may_retry = false; /* it would be there twice */
}

static int read_refusal(struct core *core, uint64_t id, struct mpack_reader *r, int64_t now_us,
                        struct shunt_error *err)
{
    struct shunt_error error;
    int64_t wait_ms;
    if (read_error(core, r, now_us, &error, &wait_ms) != 0)
        return SHUNT_PROTOCOL;
    struct waiter waiter = requests_take(&core->requests, id);
    switch (waiter.kind) {
    case WAITER_HELLO:
        core->patience.closing_ms = wait_ms;
        return hello_refused(core, &error, err);
    case WAITER_PUBLISH: {
        struct batch *b = magic_of(waiter.who, batch, BATCH_MAGIC);
        if (!b->written)
            return SHUNT_PROTOCOL;
        unless_stored_before(b, &error);
        producer_answered(&core->producer, b, 0, 0, error.code, error.text);
        b->error.may_retry = error.may_retry;
        patience_publish_refused(core, &error, wait_ms, now_us);
        if (error.code != SHUNT_PROTOCOL)
            return 0;
        core->fatal = error; /* another one speaks for this producer: to connect again would take it away */
        *err = error;
        return error.code;
    }
    case WAITER_RESOLVE:
        resolution_failed(&core->resolutions, magic_of(waiter.who, resolution, RESOLUTION_MAGIC), true,
                          &error);
        return 0;
    case WAITER_SUBSCRIBE:
        consumer_refused(magic_of(waiter.who, shunt_consumer, CONSUMER_MAGIC), &error, wait_ms, now_us);
        return 0;
    case WAITER_CALL:
        call_refused(core, magic_of(waiter.who, call, CALL_MAGIC), &error, wait_ms);
        return 0;
    case WAITER_ABANDONED_SUBSCRIBE:
    case WAITER_PING:
        return 0;
    case WAITER_NONE:
    default:
        core->said = error;
        core->patience.closing_ms = wait_ms;
        return 0;
    }
}

static struct shunt_consumer *find_consumer(struct core *core, uint64_t sub)
{
    for (struct shunt_consumer *c = core->consumers; c; c = c->next) {
        if (c->state == CONSUMER_ACTIVE && c->sub == sub)
            return c;
    }
    return NULL;
}

/* [130, 0, sub, [delivery, …]] */
static int read_deliver(struct core *core, struct mpack_reader *r, int64_t now_us)
{
    uint64_t sub = mpack_read_uint(r);
    uint32_t count = mpack_read_array(r);
    if (r->failed)
        return SHUNT_PROTOCOL;
    struct shunt_consumer *c = find_consumer(core, sub);
    int rc = 0;
    for (uint32_t i = 0; c && i < count && rc == 0; i++) /* for a subscription that just ended: dropped */
        rc = consumer_delivered(c, r, core->input.block, now_us);
    return rc;
}

/* [131, 0, sub, code, text, retry_after_ms?] */
static int read_closed(struct core *core, struct mpack_reader *r, int64_t now_us)
{
    uint64_t sub = mpack_read_uint(r), code = mpack_read_uint(r);
    struct slice text = mpack_read_str(r);
    if (r->failed || code > INT32_MAX)
        return SHUNT_PROTOCOL;
    struct shunt_error error;
    int size = text.size < sizeof error.text ? (int)text.size : (int)sizeof error.text - 1;
    if (sub == 0) {
        error_set(&core->said, (int)code, "%.*s", size, (const char *)text.data);
        core->patience.closing_ms = patience_read(core, r, now_us);
        return 0;
    }
    struct shunt_consumer *c = find_consumer(core, sub);
    error_set(&error, code == SHUNT_FORBIDDEN ? SHUNT_FORBIDDEN : SHUNT_CLOSED,
              "the broker ended the subscription: %.*s", size, (const char *)text.data);
    if (c)
        consumer_ended(c, &error);
    return 0;
}

static int read_frame(struct core *core, struct slice payload, int64_t now_us, struct shunt_error *err)
{
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    uint32_t fields = mpack_read_array(&r);
    uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
    if (core->phase == CORE_GREETING && op != OP_OK && op != OP_ERROR && op != OP_CLOSED)
        return SHUNT_PROTOCOL;
    switch (op) {
    case OP_OK:
        return read_ok(core, id, fields - 2, &r, now_us, err);
    case OP_ERROR:
        return read_refusal(core, id, &r, now_us, err);
    case OP_DELIVER:
        return read_deliver(core, &r, now_us);
    case OP_CLOSED:
        return read_closed(core, &r, now_us);
    default:
        return 0; /* of a later version */
    }
}

void *core_space(struct core *core, size_t *ret_size)
{
    return input_space(&core->input, ret_size);
}

int core_received(struct core *core, size_t size, int64_t now_us, struct shunt_error *err)
{
    struct slice payload;
    const char *why = NULL;
    input_received(&core->input, size);
    core->heard_us = core->patience.seen_us = now_us;
    core->pinged_us = 0;
    for (;;) {
        enum frame_state state = input_next(&core->input, &payload, &why);
        if (state == FRAME_PARTIAL)
            return 0;
        if (state == FRAME_BAD)
            return error_set(err, SHUNT_PROTOCOL, "the broker sent what is not a frame: %s", why);
        struct shunt_error told = {0};
        int rc = read_frame(core, payload, now_us, &told);
        if (rc != 0)
            return error_set(err, rc, told.code != 0 ? "%s" : NULL, told.text);
    }
}
