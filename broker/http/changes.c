/* changes: see changes.h. */
#include "broker/http/changes.h"

#include "base/check.h"
#include "base/clock.h"
#include "broker/engine/engine.h"
#include "broker/http/text.h"
#include "proto/limits.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

/* Deaths of a group that are not a change yet. */
struct deaths {
    char topic[TOPIC_BYTES_MAX + 1], group[NAME_BYTES_MAX + 1];
    uint64_t count, seq; /* seq: of the newest */
    enum dead_reason reason;
};

#define CHANGES_MAGIC 0x4fa31d86u
struct changes {
    uint32_t magic;
    int fd;
    uint64_t epoch;
    pthread_mutex_t lock;
    struct text list[CHANGES_MAX]; /* the change of number n at n % CHANGES_MAX: its name, a NUL, its JSON */
    uint64_t first, next;          /* numbers: of the oldest that is there, and of the one to come */
    size_t bytes;
    struct deaths deaths[CHANGES_GROUPS_MAX];
    unsigned deaths_count;
    uint64_t deaths_others;
    int64_t gathered_ms; /* when they last became changes */
    uint64_t of_access;
};

static void lock(struct changes *c)
{
    (void)pthread_mutex_lock(&c->lock); /* not held by this thread: cannot fail */
}

static void unlock(struct changes *c)
{
    (void)pthread_mutex_unlock(&c->lock); /* held by this thread: cannot fail */
}

/* ---- one change as JSON ---- */

static void put_text(struct text *to, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    text_add(to, ",\"");
    text_add(to, name);
    text_add(to, "\":");
    text_add_json(to, value);
}

static void put_number(struct text *to, const char *name, int64_t value)
{
    text_add(to, ",\"");
    text_add(to, name);
    text_add(to, value < 0 ? "\":-" : "\":");
    text_add_u64(to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void put_number_of(struct text *to, const char *name, uint64_t value)
{
    if (value)
        put_number(to, name, (int64_t)value);
}

/* Of each kind: its name, and what is said of the message that it names; NULL: the event has its name, or names none. */
static const struct kind {
    const char *name, *message;
} kinds[] = {
    [EVENT_JOB_DONE] = {"job_done", NULL},    [EVENT_DEAD] = {"dead_letters", "newest"},
    [EVENT_CAUSE] = {"cause_new", "message"}, [EVENT_OVERDUE] = {"dead_letters_overdue", "oldest"},
    [EVENT_FULL] = {"store_full", NULL},      [EVENT_ROOM] = {"store_has_room", NULL},
    [EVENT_CLOCK] = {"clock_off", NULL},
};

static struct kind kind_of(const struct event *event)
{
    size_t kind = (size_t)event->kind;
    return kind < sizeof kinds / sizeof kinds[0] ? kinds[kind] : (struct kind){0};
}

static const char *name_of(const struct event *event)
{
    if (event->kind == EVENT_BREAKER)
        return event->open ? "breaker_opened" : "breaker_closed";
    if (event->kind == EVENT_CAUSE && event->regressed)
        return "cause_regressed";
    const char *name = kind_of(event).name;
    return name ? name : event->name;
}

static void put_message(struct text *to, const struct event *event)
{
    char message[TOPIC_BYTES_MAX + 32];
    const char *what = kind_of(event).message;
    if (!what || !event->topic)
        return;
    (void)snprintf(message, sizeof message, "%s/%llu", event->topic, (unsigned long long)event->seq);
    put_text(to, what, message);
}

static void put_cause(struct text *to, const struct event *event)
{
    char fingerprint[17];
    if (event->kind != EVENT_CAUSE)
        return;
    (void)snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)event->cause);
    put_text(to, "cause", fingerprint);
    put_text(to, "title", event->title);
}

static void put_event(struct text *to, const struct event *event, int64_t wall_ms)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    text_add(to, "{\"time\":");
    text_add_u64(to, (uint64_t)wall_ms);
    put_text(to, "kind", event->kind == EVENT_JOB_DONE ? event->name : NULL);
    put_text(to, "topic", event->topic);
    put_text(to, "group", event->group);
    put_cause(to, event);
    put_text(to, "asked", event->asked);
    put_number_of(to, "job", event->job);
    if (event->kind == EVENT_BREAKER && event->open)
        put_number(to, "failed", (int64_t)event->count);
    else if (event->kind == EVENT_BREAKER)
        put_number(to, "open_ms", event->open_ms);
    else if (event->job || event->count)
        put_number(to, "count", (int64_t)event->count);
    put_message(to, event);
    put_text(to, "reason", event->kind == EVENT_DEAD && event->topic ? reasons[event->reason] : event->why);
    put_text(to, "user", event->user);
    put_text(to, "client", event->client);
    put_text(to, "host", event->host);
    put_text(to, "peer", event->peer);
    put_text(to, "limit", event->limit);
    put_number_of(to, "free", event->free_bytes);
    put_number_of(to, "kept", event->reserve_bytes);
    if (event->error_ms)
        put_number(to, "ahead_ms", event->error_ms);
    text_add(to, "}");
}

/* ---- the list; with the lock held ---- */

static struct text *change_at(struct changes *c, uint64_t number)
{
    return &c->list[number % CHANGES_MAX];
}

static void drop_oldest(struct changes *c)
{
    struct text *oldest = change_at(c, c->first++);
    c->bytes -= oldest->size;
    text_done(oldest);
}

static void add(struct changes *c, const struct event *event, int64_t wall_ms)
{
    struct text text = {0};
    const char *name = name_of(event);
    if (!name)
        return;
    text_add_bytes(&text, name, strlen(name) + 1);
    put_event(&text, event, wall_ms);
    if (text.failed) /* followers see that a number is missing */
        text_done(&text);
    if (c->next - c->first == CHANGES_MAX)
        drop_oldest(c);
    *change_at(c, c->next++) = text;
    c->bytes += text.size;
    while (c->bytes > CHANGES_BYTES_MAX)
        drop_oldest(c);
}

static void gather(struct changes *c, const struct event *event)
{
    struct deaths *d = NULL;
    for (unsigned i = 0; event->topic && i < c->deaths_count && !d; i++) {
        if (strcmp(c->deaths[i].topic, event->topic) == 0 && strcmp(c->deaths[i].group, event->group) == 0)
            d = &c->deaths[i];
    }
    if (!d && event->topic && c->deaths_count < CHANGES_GROUPS_MAX) {
        d = &c->deaths[c->deaths_count++];
        *d = (struct deaths){0};
        (void)snprintf(d->topic, sizeof d->topic, "%s", event->topic);
        (void)snprintf(d->group, sizeof d->group, "%s", event->group);
    }
    if (!d) {
        c->deaths_others += event->count;
        return;
    }
    d->count += event->count;
    d->seq = event->seq;
    d->reason = event->reason;
}

static void add_deaths(struct changes *c, int64_t now_ms, int64_t wall_ms)
{
    if (!c->deaths_count && !c->deaths_others)
        return;
    c->gathered_ms = now_ms;
    for (unsigned i = 0; i < c->deaths_count; i++) {
        const struct deaths *d = &c->deaths[i];
        struct event event = {.kind = EVENT_DEAD,
                              .topic = d->topic,
                              .group = d->group,
                              .count = d->count,
                              .seq = d->seq,
                              .reason = d->reason};
        add(c, &event, wall_ms);
    }
    if (c->deaths_others)
        add(c, &(struct event){.kind = EVENT_DEAD, .count = c->deaths_others}, wall_ms);
    c->deaths_count = 0;
    c->deaths_others = 0;
}

/* ---- public ---- */

struct changes *changes_new(void)
{
    struct changes *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->magic = CHANGES_MAGIC;
    c->first = c->next = 1;
    c->gathered_ms = -CHANGES_DEATHS_MS;
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&c->lock, NULL); /* with default attributes it does not fail on Linux */
    if (c->fd < 0 || getrandom(&c->epoch, sizeof c->epoch, 0) != sizeof c->epoch) {
        changes_free(c);
        return NULL;
    }
    return c;
}

void changes_free(struct changes *c)
{
    if (!c)
        return;
    check(c->magic == CHANGES_MAGIC);
    while (c->first < c->next)
        drop_oldest(c);
    if (c->fd >= 0)
        (void)close(c->fd);                /* nothing is lost */
    (void)pthread_mutex_destroy(&c->lock); /* nobody has it */
    c->magic = 0;
    free(c);
}

/* Followers may look at all topics, which does not show them users, roles and tokens: as the audit log has it, too. */
static bool is_for_administrators(const struct event *event)
{
    return event->access || (event->kind == EVENT_REFUSED && !event->topic);
}

void changes_tell(struct changes *c, const struct event *event, int64_t now_ms, int64_t wall_ms)
{
    bool dead = event->kind == EVENT_DEAD;
    lock(c);
    c->of_access += event->access;
    if (dead)
        gather(c, event);
    if (!dead || now_ms - c->gathered_ms >=
                     CHANGES_DEATHS_MS) /* the first are told at once, and all before what came later */
        add_deaths(c, now_ms, wall_ms);
    if (!dead && !is_for_administrators(event))
        add(c, event, wall_ms);
    unlock(c);
    (void)eventfd_write(c->fd, 1); /* it cannot be full */
}

int64_t changes_gathered(struct changes *c, int64_t now_ms, int64_t wall_ms)
{
    lock(c);
    bool any = c->deaths_count || c->deaths_others;
    int64_t due_ms = any ? c->gathered_ms + CHANGES_DEATHS_MS : CLOCK_NEVER;
    if (due_ms <= now_ms) {
        add_deaths(c, now_ms, wall_ms);
        due_ms = CLOCK_NEVER;
    }
    unlock(c);
    return due_ms;
}

int changes_fd(const struct changes *c)
{
    return c->fd;
}

void changes_seen(struct changes *c)
{
    eventfd_t ignored;
    (void)eventfd_read(c->fd, &ignored); /* or another one did */
}

void changes_id(const struct changes *c, uint64_t number, char ret[CHANGES_ID_BYTES])
{
    (void)snprintf(ret, CHANGES_ID_BYTES, "%016llx-%llu", (unsigned long long)c->epoch,
                   (unsigned long long)number);
}

enum changes_id changes_id_read(const struct changes *c, const char *id, uint64_t *ret_number)
{
    char epoch[CHANGES_ID_BYTES];
    changes_id(c, 0, epoch);
    size_t size = strlen(epoch) - 1, digits = 0; /* with the dash */
    *ret_number = 0;
    if (strlen(id) <= size || strspn(id, "0123456789abcdef") != size - 1 || id[size - 1] != '-')
        return CHANGES_ID_BAD;
    for (const char *p = id + size; *p; p++, digits++) {
        if (*p < '0' || *p > '9' || digits == 18)
            return CHANGES_ID_BAD;
        *ret_number = *ret_number * 10 + (uint64_t)(*p - '0');
    }
    return memcmp(id, epoch, size) == 0 ? CHANGES_ID_GOOD : CHANGES_ID_OF_ANOTHER_START;
}

uint64_t changes_of_access(struct changes *c)
{
    lock(c);
    uint64_t of_access = c->of_access;
    unlock(c);
    return of_access;
}

uint64_t changes_newest(struct changes *c)
{
    lock(c);
    uint64_t newest = c->next - 1;
    unlock(c);
    return newest;
}

static void put_change(const struct changes *c, uint64_t number, const struct text *change, struct text *to)
{
    char id[CHANGES_ID_BYTES];
    size_t name = strlen(change->data);
    changes_id(c, number, id);
    text_add(to, "id: ");
    text_add(to, id);
    text_add(to, "\nevent: ");
    text_add(to, change->data);
    text_add(to, "\ndata: ");
    text_add_bytes(to, change->data + name + 1, change->size - name - 1);
    text_add(to, "\n\n");
}

uint64_t changes_missed(struct changes *c, uint64_t *number)
{
    lock(c);
    uint64_t missed = *number + 1 < c->first ? c->first - *number - 1 : 0;
    *number += missed;
    unlock(c);
    return missed;
}

void changes_read(struct changes *c, uint64_t *number, size_t bytes, struct text *to)
{
    lock(c);
    if (*number + 1 < c->first) { /* some went meanwhile: changes_missed() says so the next time */
        unlock(c);
        return;
    }
    while (*number + 1 < c->next && to->size < bytes && !to->failed) {
        const struct text *change = change_at(c, ++*number);
        if (change->data)
            put_change(c, *number, change, to);
    }
    unlock(c);
}
