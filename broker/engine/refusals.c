/* refusals: see refusals.h. */
#include "broker/engine/refusals.h"
#include "broker/engine/collect.h"
#include "broker/engine/events.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"

#include <stdlib.h>

/* A user's want of a right. */
struct refusal {
    uint64_t user; /* its id */
    unsigned right;
    int64_t told_ms;  /* mono */
    uint64_t waiting; /* that were not told yet; of the last of them: */
    const struct request *request;
    char name[NAME_BYTES_MAX + 1], topic[TOPIC_BYTES_MAX + 1];
    char client[CLIENT_NAME_BYTES_MAX + 1], host[CLIENT_NAME_BYTES_MAX + 1], peer[AUDIT_PEER_BYTES_MAX + 1];
};

void refusals_init(struct refusals *r)
{
    *r = (struct refusals){.due_ms = INT64_MAX};
}

void refusals_done(struct refusals *r)
{
    free(r->kept);
    refusals_init(r);
}

static struct slice keep(struct engine *e, const char *text)
{
    size_t size = strlen(text);
    char *copy = arena_room(&e->arena, size + 1);
    return copy ? (struct slice){memcpy(copy, text, size + 1), size} : (struct slice){0};
}

/* `PURGE needs dlq-purge: which=all`. */
static struct slice say(struct engine *e, const struct refusal *r, struct slice asked)
{
    static const char *const rights[] = RIGHT_NAMES;
    const char *text =
        engine_text(e, "%s needs %s%s%.*s", r->request->name,
                    r->right < RIGHTS ? rights[r->right] : "an administrator", asked.size ? ": " : "",
                    (int)(asked.size < 256 ? asked.size : 256), asked.size ? (const char *)asked.data : "");
    return slice_of(text);
}

static void tell(struct engine *e, struct refusal *r, struct slice asked)
{
    struct actor *by = arena_room(&e->arena, sizeof *by);
    if (!by)
        return; /* a log without memory has gaps */
    *by = (struct actor){.request = AUDIT_REFUSED | r->request->op,
                         .client = keep(e, r->client),
                         .host = keep(e, r->host),
                         .peer = keep(e, r->peer),
                         .asked = say(e, r, asked),
                         .user = keep(e, r->name)};
    struct command c = {
        .kind = COMMAND_REFUSAL, .by = by, .refusal = {.topic = keep(e, r->topic), .count = r->waiting}};
    collect_command(e, &c, NULL); /* nobody waits for it */
    events_refused(e, &c);
    r->told_ms = e->mono_ms;
    r->waiting = 0;
}

/* That of the user and the right; a free one, or one of which nothing was told for long, if there was none. NULL: there is none. */
static struct refusal *find(struct engine *e, uint64_t user, unsigned right)
{
    struct refusals *all = &e->refusals;
    struct refusal *free_one = NULL;
    if (!all->kept)
        all->kept = calloc(REFUSALS_MAX, sizeof *all->kept);
    for (uint32_t i = 0; all->kept && i < all->kept_count; i++) {
        struct refusal *r = &all->kept[i];
        if (r->user == user && r->right == right)
            return r;
        if (!r->waiting && e->mono_ms - r->told_ms >= REFUSALS_TOLD_MS)
            free_one = r;
    }
    if (!free_one && all->kept && all->kept_count < REFUSALS_MAX)
        free_one = &all->kept[all->kept_count++];
    if (free_one)
        *free_one = (struct refusal){.user = user, .right = right, .told_ms = e->mono_ms - REFUSALS_TOLD_MS};
    return free_one;
}

static void copy(char *to, size_t room, struct slice from)
{
    size_t size = from.size < room ? from.size : room - 1;
    slice_copy(to, (struct slice){from.data, size});
    to[size] = 0;
}

void refusals_note(struct engine *e, const struct step *st)
{
    const struct session *s = st->session;
    const struct refusing *what = &st->refusing;
    e->refusals.count[what->right]++;
    struct refusal *r = find(e, s->who.id, what->right);
    if (!r)
        return;
    r->waiting++;
    r->request = st->request;
    copy(r->name, sizeof r->name, slice_of(s->who.user));
    copy(r->topic, sizeof r->topic, what->topic);
    copy(r->client, sizeof r->client, slice_of(s->client));
    copy(r->host, sizeof r->host, slice_of(s->host));
    copy(r->peer, sizeof r->peer, slice_of(s->link->peer));
    int64_t due_ms = r->told_ms + REFUSALS_TOLD_MS;
    if (due_ms <= e->mono_ms)
        tell(e, r, what->asked);
    else if (due_ms < e->refusals.due_ms)
        e->refusals.due_ms = due_ms;
}

void refusals_tell(struct engine *e)
{
    struct refusals *all = &e->refusals;
    all->due_ms = INT64_MAX;
    for (uint32_t i = 0; i < all->kept_count; i++) {
        struct refusal *r = &all->kept[i];
        int64_t due_ms = r->told_ms + REFUSALS_TOLD_MS;
        if (r->waiting && due_ms <= e->mono_ms)
            tell(e, r, (struct slice){0});
        else if (r->waiting && due_ms < all->due_ms)
            all->due_ms = due_ms;
    }
}
