/* keys: see keys.h. */
#include "broker/engine/keys.h"

#include "proto/limits.h"
#include "proto/message.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TOPIC_BIT (1ull << 63) /* of a watch's id: it is a topic's */

static uint64_t hash_of(const struct keys *k, struct slice key)
{
    return XXH3_64bits_withSeed(key.data, key.size, k->seed);
}

/* ---- messages in flight ---- */

struct key_out {
    struct key_out *next;
    uint64_t seq, hash;
    uint32_t group, key_bytes;
    char key[];
};

/* The place of the message, or where its chain ends. in: there are buckets. */
static struct key_out **place_of(const struct keys *k, uint32_t group, uint64_t seq)
{
    uint64_t hash = (seq + ((uint64_t)group << 40)) * 0x9e3779b97f4a7c15ull;
    struct key_out **at = &k->out_buckets[hash >> 50];
    while (*at && ((*at)->seq != seq || (*at)->group != group))
        at = &(*at)->next;
    return at;
}
_Static_assert(KEY_OUT_BUCKETS == 1 << 14, "a bucket is chosen by 14 bits");

static struct key_out *unlink_out(struct keys *k, struct key_out **at)
{
    struct key_out *out = *at;
    *at = out->next;
    k->out--;
    k->bytes -= sizeof *out + out->key_bytes;
    k->out_bytes -= sizeof *out + out->key_bytes;
    return out;
}

static void remember(struct keys *k, uint32_t group, uint64_t seq, uint64_t hash, struct slice key)
{
    size_t bytes = sizeof(struct key_out) + key.size;
    if (k->out == KEYS_OUT_MAX || k->out_bytes + bytes > k->limits.memory_max / 2)
        return;
    if (!k->out_buckets && !(k->out_buckets = calloc(KEY_OUT_BUCKETS, sizeof(struct key_out *))))
        return;
    struct key_out **at = place_of(k, group, seq);
    struct key_out *out = *at ? NULL : malloc(bytes); /* it may be there: nobody told its end */
    if (!out)
        return;
    *out = (struct key_out){.seq = seq, .hash = hash, .group = group, .key_bytes = (uint32_t)key.size};
    memcpy(out->key, key.data, key.size);
    *at = out;
    k->out++;
    k->bytes += bytes;
    k->out_bytes += bytes;
}

/* ---- watches ---- */

static size_t bucket(uint64_t id)
{
    return id * 0x9e3779b97f4a7c15ull >> 52;
}
_Static_assert(KEY_BUCKETS == 1 << 12, "a bucket is chosen by 12 bits");

static struct key_watch *find(const struct keys *k, uint64_t id)
{
    struct key_watch *w = k->buckets[bucket(id)];
    while (w && w->id != id)
        w = w->next;
    return w;
}

static void leave_order(struct keys *k, struct key_watch *w)
{
    *(w->newer ? &w->newer->idler : &k->newest) = w->idler;
    *(w->idler ? &w->idler->newer : &k->idlest) = w->newer;
}

static void enter_order(struct keys *k, struct key_watch *w)
{
    w->newer = NULL;
    w->idler = k->newest;
    *(k->newest ? &k->newest->newer : &k->idlest) = w;
    k->newest = w;
}

static void drop(struct keys *k, struct key_watch *w)
{
    leave_order(k, w);
    struct key_watch **link = &k->buckets[bucket(w->id)];
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    k->watches--;
    k->bytes -= sizeof *w;
    for (size_t i = 0; i < KEY_MEASURES; i++) {
        k->bytes -= w->sketch[i].bytes;
        key_sketch_done(&w->sketch[i]);
    }
    free(w);
}

void keys_init(struct keys *k, const struct keys_limits *limits)
{
    *k = (struct keys){.limits = *limits};
    if (getrandom(&k->seed, sizeof k->seed, GRND_NONBLOCK) != sizeof k->seed)
        k->seed = (uint64_t)(uintptr_t)k; /* a machine that has only just begun */
}

void keys_limit(struct keys *k, const struct keys_limits *limits)
{
    if (limits->counters == k->limits.counters && limits->half_life_ms == k->limits.half_life_ms &&
        limits->memory_max == k->limits.memory_max)
        return;
    keys_done(k);
    k->limits = *limits;
}

void keys_done(struct keys *k)
{
    for (size_t i = 0; k->out_buckets && i < KEY_OUT_BUCKETS; i++) {
        while (k->out_buckets[i])
            free(unlink_out(k, &k->out_buckets[i]));
    }
    free(k->out_buckets);
    k->out_buckets = NULL;
    while (k->idlest)
        drop(k, k->idlest);
}

/* Until no more memory is used than may be. The one that was used last stays: beside messages in flight it has half of the memory, and
 * alone it takes less than half of the least that can be set. */
static void make_place(struct keys *k)
{
    while (k->idlest != k->newest && (k->bytes > k->limits.memory_max || k->watches > KEY_WATCHES_MAX))
        drop(k, k->idlest);
}

/* The watch, made if need be; NULL without memory. */
static struct key_watch *use(struct keys *k, uint64_t id)
{
    struct key_watch *w = find(k, id);
    if (w) {
        leave_order(k, w);
    } else {
        w = calloc(1, sizeof *w);
        if (!w)
            return NULL;
        struct key_watch **head = &k->buckets[bucket(id)];
        w->id = id;
        w->next = *head;
        *head = w;
        for (size_t i = 0; i < KEY_MEASURES; i++)
            key_sketch_init(&w->sketch[i], k->limits.counters, k->limits.half_life_ms);
        k->watches++;
        k->bytes += sizeof *w;
    }
    enter_order(k, w);
    make_place(k);
    return w;
}

static void add(struct keys *k, struct key_watch *w, enum key_measure measure, uint64_t hash,
                struct slice key, double weight, int64_t mono_ms)
{
    struct key_sketch *s = &w->sketch[measure];
    k->bytes -= s->bytes;
    key_sketch_add(s, hash, key, weight, mono_ms);
    k->bytes += s->bytes;
    make_place(k);
}

static uint64_t topic_id(const struct keys *k, struct slice topic)
{
    return hash_of(k, topic) | TOPIC_BIT;
}

struct key_watch *keys_of_topic(const struct keys *k, struct slice topic)
{
    return find(k, topic_id(k, topic));
}

struct key_watch *keys_of_group(const struct keys *k, uint32_t group)
{
    return find(k, group);
}

int64_t keys_share(const struct keys *k, enum key_measure measure, struct slice topic, uint32_t group,
                   int64_t mono_ms)
{
    struct key_watch *w = measure == KEY_RATE ? keys_of_topic(k, topic) : keys_of_group(k, group);
    double share = w ? key_sketch_share(&w->sketch[measure], mono_ms) : 0;
    int64_t milli = (int64_t)(share * 1000);
    return milli + ((double)milli < share * 1000);
}

/* ---- what happens ---- */

void keys_published(struct keys *k, struct slice topic, struct slice messages, uint32_t count,
                    int64_t mono_ms)
{
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    struct key_watch *w = NULL;
    if (!k->limits.counters)
        return;
    mpack_read_init(&r, messages.data, messages.size);
    for (uint32_t i = 0; i < count; i++) {
        if (message_read(&r, BODY_BYTES_MAX, &m, &why) || r.failed)
            return; /* they were read before: it does not happen */
        if (!m.key.size)
            continue;
        if (!w && !(w = use(k, topic_id(k, topic))))
            return;
        add(k, w, KEY_RATE, hash_of(k, m.key), m.key, 1, mono_ms);
    }
}

void keys_handed_out(struct keys *k, uint32_t group, uint64_t seq, struct slice message, int64_t waited_ms,
                     int64_t mono_ms)
{
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    if (!k->limits.counters)
        return;
    mpack_read_init(&r, message.data, message.size);
    if (message_read(&r, BODY_BYTES_MAX, &m, &why) || !m.key.size)
        return;
    struct key_watch *w = use(k, group);
    if (!w)
        return;
    uint64_t hash = hash_of(k, m.key);
    remember(k, group, seq, hash, m.key);
    make_place(k);
    waited_ms -= m.delay_ms;
    if (waited_ms > 0)
        add(k, w, KEY_WAITING, hash, m.key, (double)waited_ms / 1000, mono_ms);
}

void keys_ended(struct keys *k, uint32_t group, uint64_t seq, int64_t held_ms, bool failed, int64_t mono_ms)
{
    struct key_out **at = k->out ? place_of(k, group, seq) : NULL;
    if (!at || !*at)
        return;
    struct key_out *out = unlink_out(k, at);
    struct key_watch *w = use(k, group);
    const struct slice key = {out->key, out->key_bytes};
    if (w && held_ms > 0)
        add(k, w, KEY_IN_FLIGHT, out->hash, key, (double)held_ms / 1000, mono_ms);
    if (w && failed)
        add(k, w, KEY_FAILURES, out->hash, key, 1, mono_ms);
    free(out);
}

void keys_forget(struct keys *k, uint32_t group, uint64_t seq)
{
    struct key_out **at = k->out ? place_of(k, group, seq) : NULL;
    if (at && *at)
        free(unlink_out(k, at));
}

void keys_forget_group(struct keys *k, uint32_t group)
{
    struct key_watch *w = find(k, group);
    if (w)
        drop(k, w);
    for (size_t i = 0; k->out && i < KEY_OUT_BUCKETS; i++) {
        for (struct key_out **at = &k->out_buckets[i]; *at;) {
            if ((*at)->group == group)
                free(unlink_out(k, at));
            else
                at = &(*at)->next;
        }
    }
}

void keys_forget_topic(struct keys *k, struct slice topic)
{
    struct key_watch *w = find(k, topic_id(k, topic));
    if (w)
        drop(k, w);
}
