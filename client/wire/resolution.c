/* resolution: one RESOLVE frame in the making, under way, or answered. */
#include "client/wire/resolution.h"
#include "base/array.h"
#include "base/check.h"
#include "base/list.h"
#include "base/utf8.h"
#include "client/wire/error.h"
#include "proto/request.h"
#include <stdlib.h>
#include <string.h>

#define POOL_MAX       8
#define POOL_BYTES_MAX (256u * 1024)

static void free_one(struct resolution *r)
{
    r->magic = 0;
    mpack_buffer_done(&r->entries);
    free(r->resolvers);
    free(r);
}

static void free_list(struct resolution *r)
{
    while (r) {
        struct resolution *next = r->next;
        free_one(r);
        r = next;
    }
}

void resolutions_done(struct resolutions *all)
{
    free_list(all->sent.head);
    free_list(all->finished.head);
    free_list(all->pool);
    *all = (struct resolutions){0};
}

struct resolution *resolution_new(struct resolutions *all)
{
    struct resolution *r = all->pool;
    if (!r) {
        r = calloc(1, sizeof *r);
        if (r)
            r->magic = RESOLUTION_MAGIC;
        return r;
    }
    r->magic = RESOLUTION_MAGIC;
    all->pool = r->next;
    all->pool_count--;
    r->next = r->prev = NULL;
    r->entries.size = 0;
    r->count = r->called = 0;
    r->error.code = 0;
    return r;
}

void resolution_drop(struct resolutions *all, struct resolution *r)
{
    check(r->magic == RESOLUTION_MAGIC);
    r->magic = 0;
    if (all->pool_count == POOL_MAX || r->entries.capacity > POOL_BYTES_MAX) {
        free_one(r);
        return;
    }
    r->next = all->pool;
    all->pool = r;
    all->pool_count++;
}

/* ---- building ---- */

/* As much of a text as the wire takes. The end of a stack is what tells. */
static struct slice cut(const char *text, size_t bytes_max, bool keep_end)
{
    struct slice all = slice_of(text);
    if (keep_end && text) {
        size_t begin = utf8_suffix(text, all.size, bytes_max);
        return (struct slice){text + begin, all.size - begin};
    }
    return text ? (struct slice){text, utf8_prefix(text, all.size, bytes_max)} : all;
}

static void write_entry(struct mpack_buffer *b, const struct resolve_entry *e)
{
    const struct shunt_failure *failure = e->failure;
    bool timed = e->outcome == SHUNT_EXTEND || (e->outcome == SHUNT_NACK && e->delay_ms != SHUNT_BACKOFF) ||
                 ((e->outcome == SHUNT_ACK || e->outcome == SHUNT_RELEASE) && e->delay_ms > 0);
    struct wire_entry entry = {.seq = e->seq,
                               .token = e->token,
                               .outcome = (uint8_t)e->outcome,
                               .delay_or_extend = timed ? e->delay_ms : NONE_ms};
    if (failure) {
        entry.error_type = cut(failure->type, ERROR_TYPE_BYTES_MAX, false);
        entry.error_message = cut(failure->message, ERROR_MESSAGE_BYTES_MAX, false);
        entry.error_stack = cut(failure->stack, ERROR_STACK_BYTES_MAX, true);
        entry.fingerprint = cut(failure->fingerprint, ERROR_FINGERPRINT_BYTES_MAX, false);
    }
    request_write_wire_entry(b, &entry);
}

int resolution_add(struct resolutions *all, struct resolution *r, const struct resolve_entry *entry,
                   struct resolver resolver)
{
    check(r->magic == RESOLUTION_MAGIC);
    if (!array_room(&r->resolvers, &r->capacity, (size_t)r->count + 1))
        return SHUNT_NO_MEMORY;
    size_t before = r->entries.size;
    write_entry(&r->entries, entry);
    if (r->entries.failed) {
        r->entries.failed = false;
        r->entries.size = before;
        return SHUNT_NO_MEMORY;
    }
    r->resolvers[r->count++] = resolver;
    all->pending++;
    return 0;
}

int resolution_move(struct resolutions *all, struct resolution *from, struct resolution *to, uint64_t token)
{
    struct request_source source;
    struct wire_entry entry;
    size_t before = to->entries.size;
    check(from->count == 1 && to->magic == RESOLUTION_MAGIC);
    mpack_read_init(&source.r, from->entries.data, from->entries.size);
    request_source_init(&source);
    request_read_wire_entry(&source, &entry);
    entry.token = token; /* instead of the old one */
    request_write_wire_entry(&to->entries, &entry);
    if (to->entries.failed || !array_room(&to->resolvers, &to->capacity, (size_t)to->count + 1)) {
        to->entries.failed = false;
        to->entries.size = before;
        return SHUNT_NO_MEMORY;
    }
    to->resolvers[to->count++] = from->resolvers[0];
    resolution_drop(all, from);
    return 0;
}

/* ---- sent, answered, lost ---- */

void resolution_sent(struct resolutions *all, struct resolution *r)
{
    list_append(&all->sent, r);
}

int resolution_answered(struct resolutions *all, struct resolution *r, struct mpack_reader *refused)
{
    uint32_t words = mpack_read_array(refused);
    for (uint32_t i = 0; i + 1 < words && !refused->failed; i += 2) {
        uint64_t index = mpack_read_uint(refused), code = mpack_read_uint(refused);
        if (!refused->failed && index < r->count && code <= INT32_MAX)
            r->resolvers[index].code = (int)code;
    }
    if (refused->failed)
        return SHUNT_PROTOCOL;
    list_remove(&all->sent, r);
    list_append(&all->finished, r);
    return 0;
}

void resolution_failed(struct resolutions *all, struct resolution *r, bool was_sent,
                       const struct shunt_error *error)
{
    if (was_sent)
        list_remove(&all->sent, r);
    r->error = *error;
    list_append(&all->finished, r);
}

void resolutions_lost(struct resolutions *all, uint64_t output_sent)
{
    struct resolution *r;
    while ((r = all->sent.head)) {
        struct shunt_error error;
        error_set(&error, r->begins_at < output_sent ? SHUNT_DISCONNECTED : SHUNT_STALE, NULL);
        resolution_failed(all, r, true, &error);
    }
}

static void call_back_failed(struct resolver resolver, const struct shunt_error *whole)
{
    struct shunt_error error = *whole;
    if (error.code == 0)
        error_set(&error, resolver.code, NULL);
    resolver.callback(resolver.context, &error);
}

bool resolutions_call_back(struct resolutions *all)
{
    struct resolution *r = all->finished.head;
    if (!r)
        return false;
    /* All state moves on before the call: it may come back here, or never return. */
    struct resolver resolver = r->resolvers[r->called++];
    struct shunt_error error = {.code = r->error.code};
    if (error.code != 0)
        error = r->error;
    all->pending--;
    if (r->called == r->count) {
        list_remove(&all->finished, r);
        resolution_drop(all, r);
    }
    if (resolver.callback && (error.code != 0 || resolver.code != 0))
        call_back_failed(resolver, &error);
    else if (resolver.callback)
        resolver.callback(resolver.context, NULL);
    return true;
}

/* Told in a frame of its own, which has failed; the answer in the real one is for nobody. fails: NO_MEMORY. */
static int expire_one(struct resolutions *all, struct resolver *resolver)
{
    struct resolution *failed = resolution_new(all);
    if (!failed || !array_room(&failed->resolvers, &failed->capacity, 1)) {
        if (failed)
            resolution_drop(all, failed);
        return SHUNT_NO_MEMORY;
    }
    struct shunt_error error;
    error_set(&error, SHUNT_TIMEOUT, "no answer within request-timeout: this may take effect, now or later");
    error.may_retry = false; /* it is on its way */
    failed->resolvers[failed->count++] = *resolver;
    *resolver = (struct resolver){.until_us = INT64_MAX};
    all->pending++;
    resolution_failed(all, failed, false, &error);
    return 0;
}

int64_t resolutions_expire(struct resolutions *all, struct resolution *r, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (; r; r = r->next) {
        for (uint32_t i = r->called; i < r->count; i++) {
            struct resolver *resolver = &r->resolvers[i];
            if (resolver->callback && resolver->until_us <= now_us)
                (void)expire_one(all, resolver); /* without memory it is tried again */
            if (resolver->callback && resolver->until_us < next_us)
                next_us = resolver->until_us;
        }
    }
    return next_us;
}

static bool detach(struct resolution *r, shunt_resolved_cb *callback, const void *context)
{
    for (; r; r = r->next) {
        for (uint32_t i = r->called; i < r->count; i++) {
            if (r->resolvers[i].callback == callback && r->resolvers[i].context == context) {
                r->resolvers[i].callback = NULL;
                return true;
            }
        }
    }
    return false;
}

void resolutions_detach(struct resolutions *all, struct resolution *open, shunt_resolved_cb *callback,
                        const void *context)
{
    if (!detach(open, callback, context) && !detach(all->sent.head, callback, context))
        (void)detach(all->finished.head, callback, context); /* it stands in one of the three */
}
