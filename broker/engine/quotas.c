/* quotas: see quotas.h. */
#include "broker/engine/quotas.h"
#include "base/peer.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "proto/errors.h"

#include <stdio.h>
#include <sys/random.h>

_Static_assert(PEER_NETWORK_BYTES < QUOTA_KEY_BYTES + 1, "the key of an address fits");

/* What a request counts: the column of need.def. */
enum counted { COUNTS_FREE, COUNTS_MESSAGES, COUNTS_REQUEST, COUNTS_OVER_HTTP };

static const enum counted counted[WIRE_NEEDS] = {
#define NEED(NAME, on, rights, dlq_rights, quota_, text) [NEED_##NAME] = COUNTS_##quota_,
#include "proto/need.def"
};

static const struct {
    const char *setting, *unit;
} names[QUOTA_OWNERS][QUOTA_LIMITS] = {
    [QUOTA_ADDRESS] = {[QUOTA_MESSAGES] = {"address-publish-rate", "messages a second"},
                       [QUOTA_BYTES] = {"address-publish-bytes", "bytes a second"},
                       [QUOTA_REQUESTS] = {"address-request-rate", "requests a second"},
                       [QUOTA_CONNECTIONS] = {"address-connections", "connections"}},
    [QUOTA_USER] = {[QUOTA_MESSAGES] = {"user-publish-rate", "messages a second"},
                    [QUOTA_BYTES] = {"user-publish-bytes", "bytes a second"},
                    [QUOTA_REQUESTS] = {"user-request-rate", "requests a second"},
                    [QUOTA_CONNECTIONS] = {"user-connections", "connections"}},
};

static const struct quota_limits *limits_of(const struct engine_limits *limits, enum quota_of of)
{
    return of == QUOTA_ADDRESS ? &limits->address : &limits->user;
}

static bool some(const struct engine_limits *limits)
{
    uint64_t all = 0;
    for (int of = 0; of < QUOTA_OWNERS; of++) {
        const struct quota_limits *l = limits_of(limits, of);
        for (int i = 0; i < QUOTA_RATES; i++)
            all |= l->rates[i];
        all |= l->connections;
    }
    return all != 0;
}

void quotas_init(struct quotas *q, const struct engine_limits *limits)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = 0; /* the table works with any */
    *q = (struct quotas){.on = some(limits)};
    quota_table_init(&q->table, seed);
}

void quotas_done(struct quotas *q)
{
    quota_table_done(&q->table);
}

/* ---- who has which ---- */

static bool is_exempt(const struct session *s)
{
    return s->who.how == WHO_LOCAL;
}

static struct quota *hold_address(struct session *s)
{
    char key[PEER_NETWORK_BYTES];
    struct slice peer = slice_of(s->link->peer);
    return quota_hold(&s->engine->quotas.table, (struct slice){key, peer_network(peer, key)},
                      s->engine->mono_ms);
}

/* A later user of the same name is another one. */
static struct quota *hold_user(struct session *s)
{
    char key[1 + sizeof s->who.id] = "u";
    memcpy(key + 1, &s->who.id, sizeof s->who.id);
    return quota_hold(&s->engine->quotas.table, (struct slice){key, sizeof key}, s->engine->mono_ms);
}

/* False: no memory. */
static bool hold(struct session *s)
{
    struct session_quotas *q = &s->quotas;
    if (is_exempt(s))
        return true;
    if (!q->of[QUOTA_ADDRESS])
        q->of[QUOTA_ADDRESS] = hold_address(s);
    if (!q->of[QUOTA_USER] && s->who.user[0])
        q->of[QUOTA_USER] = hold_user(s);
    return q->of[QUOTA_ADDRESS] && (q->of[QUOTA_USER] || !s->who.user[0]);
}

void quotas_end(struct session *s)
{
    for (int of = 0; of < QUOTA_OWNERS; of++) {
        quota_drop(&s->engine->quotas.table, s->quotas.of[of], s->engine->mono_ms);
        s->quotas.of[of] = NULL;
    }
}

void quotas_reload(struct engine *e)
{
    bool was_on = e->quotas.on;
    e->quotas.on = some(&e->config.limits);
    if (was_on || !e->quotas.on)
        return;
    for (struct session *s = e->sessions.head; s; s = s->next) {
        if (s->greeted)
            (void)hold(s); /* without memory it has no limits until it comes again */
    }
}

/* ---- refusing ---- */

/* The owner's first refusal by the limit at once, then one line in QUOTA_TOLD_MS. */
static void tell(struct session *s, enum quota_of of, int limit, int64_t wait_ms)
{
    struct engine *e = s->engine;
    struct quota *q = s->quotas.of[of];
    e->quotas.refused[of][limit]++;
    q->refused[limit].count++;
    if (!e->config.limited ||
        (q->refused[limit].told_ms && e->mono_ms - q->refused[limit].told_ms < QUOTA_TOLD_MS))
        return;
    const struct limit_notice notice = {.setting = names[of][limit].setting,
                                        .user = s->who.user,
                                        .client = s->client,
                                        .peer = s->link->peer,
                                        .count = q->refused[limit].count,
                                        .wait_ms = wait_ms,
                                        .mono_ms = e->mono_ms};
    e->config.limited(e->config.context, &notice);
    q->refused[limit].told_ms = e->mono_ms ? e->mono_ms : 1;
    q->refused[limit].count = 0;
}

static const char *say(struct session *s, enum quota_of of, int limit, uint64_t most, int64_t wait_ms)
{
    struct engine *e = s->engine;
    const char *owner = of == QUOTA_USER
                            ? engine_text(e, "user %s", engine_name(e, slice_of(s->who.user), NAME_BYTES_MAX))
                            : "this address";
    const char *text = engine_text(e, "%s may have %llu %s (%s)", owner, (unsigned long long)most,
                                   names[of][limit].unit, names[of][limit].setting);
    return wait_ms ? engine_text(e, "%s: try again in %lld ms", text, (long long)wait_ms) : text;
}

int quotas_begin(struct session *s, const char **ret_why)
{
    struct engine *e = s->engine;
    if (!e->quotas.on)
        return 0;
    if (!hold(s))
        return SHUNT_NO_MEMORY;
    const struct quota *q = s->quotas.of[QUOTA_USER];
    uint64_t most = e->config.limits.user.connections;
    if (!q || !most || q->connections <= most)
        return 0;
    tell(s, QUOTA_USER, QUOTA_CONNECTIONS, 0);
    *ret_why = say(s, QUOTA_USER, QUOTA_CONNECTIONS, most, 0);
    quotas_end(s);
    return SHUNT_TOO_MANY;
}

/* ---- asking ---- */

static void amounts(const struct session *s, const struct step *st, const union request_fields *fields,
                    uint64_t ret[QUOTA_RATES])
{
    enum counted what = counted[st->request->need];
    if (what == COUNTS_MESSAGES && fields) {
        ret[QUOTA_MESSAGES] = fields->publish.messages.count;
        ret[QUOTA_BYTES] = fields->publish.messages.bytes.size;
    }
    bool unread = !fields && what != COUNTS_FREE;
    ret[QUOTA_REQUESTS] = what == COUNTS_REQUEST || unread || (what == COUNTS_OVER_HTTP && s->link->own);
}

static struct bucket_rate rate_of(const struct engine *e, enum quota_of of, int limit)
{
    return (struct bucket_rate){limits_of(&e->config.limits, of)->rates[limit],
                                e->config.limits.rate_burst_ms};
}

int quotas_ask(struct session *s, struct step *st, const union request_fields *fields)
{
    const struct engine *e = s->engine;
    uint64_t asked[QUOTA_RATES] = {0};
    enum quota_of by = QUOTA_ADDRESS;
    int limit = 0;
    amounts(s, st, fields, asked);
    for (int of = 0; of < QUOTA_OWNERS; of++) {
        for (int i = 0; s->quotas.of[of] && i < QUOTA_RATES; i++) {
            struct bucket_rate rate = rate_of(e, of, i);
            int64_t wait_ms = bucket_wait_ms(&s->quotas.of[of]->buckets[i], &rate, asked[i], e->mono_ms);
            if (wait_ms <= st->wait_ms)
                continue;
            st->wait_ms = wait_ms; /* the longest: before that it would be refused again */
            by = of;
            limit = i;
        }
    }
    if (st->wait_ms) {
        tell(s, by, limit, st->wait_ms);
        st->why = say(s, by, limit, rate_of(e, by, limit).a_second, st->wait_ms);
        return fields && st->request->op == OP_PUBLISH ? 0 : SHUNT_TOO_MANY;
    }
    for (int of = 0; of < QUOTA_OWNERS; of++) {
        for (int i = 0; s->quotas.of[of] && i < QUOTA_RATES; i++) {
            struct bucket_rate rate = rate_of(e, of, i);
            bucket_take(&s->quotas.of[of]->buckets[i], &rate, asked[i], e->mono_ms);
        }
    }
    return 0;
}
