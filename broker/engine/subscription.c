/* subscription: see subscription.h. */
#include "broker/engine/subscription.h"
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"
#include "broker/engine/collect.h"
#include "broker/engine/reply.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"

#include <stdlib.h>
#include <string.h>

struct subscription *session_subscribe(struct session *s, struct group *g, uint64_t messages, uint64_t bytes)
{
    struct engine *e = s->engine;
    check(s->holder);
    if (!array_room(&s->subscriptions, &s->subscriptions_capacity, s->subscriptions_count + 1))
        return NULL;
    struct subscription *sub = calloc(1, sizeof *sub);
    if (!sub)
        return NULL;
    sub->member =
        dispatcher_subscribe(e->dispatcher, s->holder, ledger_group_id(g), (uint32_t)messages, bytes);
    if (!sub->member) {
        free(sub);
        return NULL;
    }
    member_set_owner(sub->member, sub);
    sub->magic = SUBSCRIPTION_MAGIC;
    sub->session = s;
    sub->id = s->subscription_next++;
    s->subscriptions[s->subscriptions_count++] = sub;
    e->subscriptions++;
    return sub;
}

static int by_id(const void *element, const void *key)
{
    const struct subscription *const *sub = element;
    const uint64_t *id = key;
    return ((*sub)->id > *id) - ((*sub)->id < *id);
}

static size_t position(const struct session *s, uint64_t id)
{
    return search_first(s->subscriptions, s->subscriptions_count, sizeof *s->subscriptions, &id, by_id);
}

struct subscription *session_subscription(const struct session *s, uint64_t id)
{
    size_t at = position(s, id);
    return at < s->subscriptions_count && s->subscriptions[at]->id == id ? s->subscriptions[at] : NULL;
}

void session_drop_subscription(struct session *s, struct subscription *sub)
{
    size_t at = position(s, sub->id);
    check(at < s->subscriptions_count && s->subscriptions[at] == sub);
    s->subscriptions_count--;
    memmove(s->subscriptions + at, s->subscriptions + at + 1,
            (s->subscriptions_count - at) * sizeof(struct subscription *));
    s->engine->subscriptions--;
    sub->magic = 0;
    free(sub);
}

/* ---- the build of a consumer ---- */

static bool tell_build(struct engine *e, const struct subscription *sub, uint64_t job)
{
    struct slice build = slice_of(sub->session->build);
    const struct command c = {.kind = COMMAND_BUILD_SEEN,
                              .build = {.group = member_group(sub->member), .build = build}};
    bool matters = ledger_awaits_build(e->ledger, c.build.group, job, build);
    if (matters)
        collect_command(e, &c, NULL);
    return matters;
}

void subscription_tell_build(struct engine *e, const struct subscription *sub)
{
    (void)tell_build(e, sub, 0);
}

void subscriptions_tell_build(struct engine *e, uint32_t group, uint64_t job)
{
    bool told = false;
    for (struct session *s = e->sessions.head; s && !told; s = s->next) {
        for (size_t i = 0; i < s->subscriptions_count && !told; i++) {
            const struct subscription *sub = s->subscriptions[i];
            told = member_group(sub->member) == group && tell_build(e, sub, job);
        }
    }
}

/* ---- a group that is gone ---- */

#define CLOSING_MAGIC 0x8f3c51e7u
struct closing {
    uint32_t magic;
    const struct result *result;
    const char *why; /* made for the first subscription that ends */
};

static void on_closed(void *context, struct member *m)
{
    struct closing *closing = magic_of(context, closing, CLOSING_MAGIC);
    struct subscription *sub = subscription_of(m);
    struct session *s = sub->session;
    int err = closing->result->group_gone.err;
    if (!closing->why) {
        closing->why = engine_about(s->engine, err, slice_of(closing->result->group_gone.topic),
                                    slice_of(closing->result->group_gone.name), HINT_DELETED);
    }
    reply_closed(s, sub->id, err, closing->why);
    session_drop_subscription(s, sub);
}

void subscriptions_end(struct engine *e, const struct result *gone)
{
    struct closing closing = {.magic = CLOSING_MAGIC, .result = gone};
    dispatcher_group_gone(e->dispatcher, gone->group_gone.group, on_closed, &closing);
}
