/* index: sorting, pairing, finding. */
#include "tests/history/index.h"

#include "base/search.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a client gives back may still be on its way to it, and its word on the way to the broker, so long. */
#define GIVEN_BACK_US 10000000

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Pointers into one array: ties keep its order. */
static int by_time(const void *a, const void *b)
{
    const struct history_event *const *x = a, *const *y = b;
    if ((*x)->t_us != (*y)->t_us)
        return (*x)->t_us < (*y)->t_us ? -1 : 1;
    return compare((uintptr_t)*x, (uintptr_t)*y);
}

static int by_message(const struct history_event *x, const struct history_event *y)
{
    int order = compare(x->topic, y->topic);
    order = order ? order : compare(x->group, y->group);
    return order ? order : compare(x->seq, y->seq);
}

/* Pointers into one array: its order is that of time. */
static int by_place(const void *a, const void *b)
{
    const struct history_event *const *x = a, *const *y = b;
    int order = compare((*x)->client, (*y)->client);
    order = order ? order : by_message(*x, *y);
    return order ? order : compare((uintptr_t)*x, (uintptr_t)*y);
}

static int by_op(const void *a, const void *b)
{
    const struct asked *x = a, *y = b;
    return compare(x->ask->op, y->ask->op);
}

static uint64_t place(const struct asked *a)
{
    return a->answer && a->answer->kind == HISTORY_PUBLISHED ? a->answer->seq : UINT64_MAX;
}

static int by_published(const void *a, const void *b)
{
    const struct asked *x = a, *y = b;
    int order = compare(x->ask->topic, y->ask->topic);
    order = order ? order : compare(place(x), place(y));
    return order ? order : compare(x->ask->op, y->ask->op);
}

static int by_body(const void *a, const void *b)
{
    const struct asked *x = a, *y = b;
    return compare(x->ask->body, y->ask->body);
}

static int by_delivery(const void *a, const void *b)
{
    const struct history_event *x = ((const struct delivered *)a)->e, *y = ((const struct delivered *)b)->e;
    int order = by_message(x, y);
    order = order ? order : compare(x->generation, y->generation);
    order = order ? order : compare(x->deliveries, y->deliveries);
    return order ? order : compare((uintptr_t)x, (uintptr_t)y);
}

static void *need(size_t count, size_t size)
{
    void *p = calloc(count + 1, size);
    if (!p) {
        (void)fputs("no memory to judge a history\n", stderr);
        exit(2);
    }
    return p;
}

/* qsort() with nothing to sort must not see NULL. */
static void sort(void *items, size_t count, size_t size, int (*order)(const void *, const void *))
{
    if (count)
        qsort(items, count, size, order);
}

/* Stable: ties keep the order in which they were written down. */
static void sort_events(struct history *h)
{
    bool sorted = true;
    for (size_t i = 1; i < h->count; i++)
        sorted = sorted && h->events[i - 1].t_us <= h->events[i].t_us;
    if (sorted)
        return;
    const struct history_event **order = need(h->count, sizeof(void *));
    struct history_event *events = need(h->count, sizeof *events);
    for (size_t i = 0; i < h->count; i++)
        order[i] = &h->events[i];
    sort(order, h->count, sizeof(void *), by_time);
    for (size_t i = 0; i < h->count; i++)
        events[i] = *order[i];
    free(order);
    free(h->events);
    h->events = events;
    h->capacity = h->count;
}

static struct asked *pair(struct index *x, enum history_kind ask, size_t *ret_count)
{
    struct asked *list = need(x->counts[ask], sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < x->h->count; i++) {
        if (x->h->events[i].kind == ask)
            list[count++].ask = &x->h->events[i];
    }
    sort(list, count, sizeof *list, by_op);
    for (size_t i = 1; i < count; i++) {
        if (list[i].ask->op == list[i - 1].ask->op)
            index_problem(x, list[i].ask, "the rig used a number twice");
    }
    for (size_t i = 0; i < x->h->count; i++) {
        const struct history_event *e = &x->h->events[i];
        bool answers = ask == HISTORY_PUBLISH ? e->kind == HISTORY_PUBLISHED || e->kind == HISTORY_REFUSED
                                              : e->kind == HISTORY_RESOLVED;
        struct asked key = {.ask = e};
        struct asked *found = answers && count ? bsearch(&key, list, count, sizeof *list, by_op) : NULL;
        if (answers && !found)
            index_problem(x, e, "an answer to nothing");
        else if (found && found->answer)
            index_problem(x, e, "a second answer");
        else if (found)
            found->answer = e;
    }
    *ret_count = count;
    return list;
}

static void sort_kind(struct index *x, enum history_kind kind)
{
    const struct history_event **list = need(x->counts[kind], sizeof(void *));
    size_t count = 0;
    for (size_t i = 0; i < x->h->count; i++) {
        if (x->h->events[i].kind == kind)
            list[count++] = &x->h->events[i];
    }
    sort(list, count, sizeof(void *), by_place);
    x->sorted[kind] = list;
}

/* ---- deliveries and their ends ---- */

static struct delivered *find_delivery(struct index *x, const struct history_event *e)
{
    size_t count;
    const struct delivered *first = index_deliveries(x, e->topic, e->group, e->seq, &count);
    for (size_t i = 0; i < count; i++) {
        if (first[i].e->token == e->token && first[i].e->client == e->client)
            return x->deliveries + (first - x->deliveries) + i;
    }
    return NULL;
}

/* The delivery that a later connection asks to be given again. */
static void note_kept(struct index *x, const struct history_event *e)
{
    size_t count;
    const struct delivered *first = index_deliveries(x, e->topic, e->group, e->seq, &count);
    for (size_t i = 0; i < count; i++) {
        if (first[i].e->token == e->token)
            x->deliveries[first - x->deliveries + i].kept++;
    }
}

static void note_answer(struct index *x, const struct asked *a)
{
    struct delivered *d = find_delivery(x, a->ask);
    uint8_t outcome = a->ask->outcome;
    bool confirmed = a->answer && a->answer->result == HISTORY_OK;
    bool possible = confirmed || !a->answer;
    x->verdict->unknown += !a->answer;
    x->verdict->stale += a->answer && a->answer->result == HISTORY_STALE;
    if (!d) { /* some rigs make tokens up, to see them refused */
        if (confirmed)
            index_problem(x, a->ask, "an answer to what this client never got had effect");
        return;
    }
    if (a->answer && a->answer->result == HISTORY_STALE && a->ask->t_us > d->refused_us)
        d->refused_us = a->ask->t_us;
    if (confirmed)
        d->effective_us = a->ask->t_us > d->effective_us ? a->ask->t_us : d->effective_us;
    d->extended |= outcome == HISTORY_EXTEND && possible;
    if (outcome == HISTORY_EXTEND || !possible)
        return;
    d->asked_end = true;
    if (!d->asked_end_us || a->ask->t_us < d->asked_end_us)
        d->asked_end_us = a->ask->t_us;
    d->ends += confirmed;
    d->acked |= outcome == HISTORY_ACK && confirmed;
    d->maybe_acked |= outcome == HISTORY_ACK && !confirmed;
    d->nacked |= outcome == HISTORY_NACK && confirmed;
    d->rejected |= outcome == HISTORY_REJECT && confirmed;
    d->released |= outcome == HISTORY_RELEASE && confirmed;
    /* Without a deadline, which a redrive takes away, it is a nack. */
    d->maybe_charged |= outcome == HISTORY_NACK || outcome == HISTORY_REJECT || outcome == HISTORY_LATE;
    d->maybe_rejected |= outcome == HISTORY_REJECT;
}

static bool sends_no_marks(const struct index *x, uint32_t client)
{
    for (size_t i = 0; x->unmarked_clients && i < x->counts[HISTORY_CLIENT]; i++) {
        const struct history_event *e = x->sorted[HISTORY_CLIENT][i];
        if (e->client == client)
            return !e->marks;
    }
    return false;
}

static void index_delivered(struct index *x)
{
    size_t count = 0, resolves_count;
    x->deliveries = need(x->counts[HISTORY_DELIVER], sizeof *x->deliveries);
    for (size_t i = 0; i < x->h->count; i++) {
        if (x->h->events[i].kind == HISTORY_DELIVER)
            x->deliveries[count++].e = &x->h->events[i];
    }
    x->deliveries_count = count;
    sort(x->deliveries, count, sizeof *x->deliveries, by_delivery);
    for (size_t i = 0; i < count; i++)
        x->deliveries[i].started = sends_no_marks(x, x->deliveries[i].e->client);
    struct asked *resolves = pair(x, HISTORY_RESOLVE, &resolves_count);
    for (size_t i = 0; i < resolves_count; i++)
        note_answer(x, &resolves[i]);
    free(resolves);
    for (size_t i = 0; i < x->h->count; i++) {
        const struct history_event *e = &x->h->events[i];
        struct delivered *d = e->kind == HISTORY_STARTED ? find_delivery(x, e) : NULL;
        if (d)
            d->started = true;
        if (e->kind == HISTORY_KEEP)
            note_kept(x, e);
    }
}

/* ---- making and finding ---- */

void index_make(struct index *x, struct history *h, struct history_verdict *verdict)
{
    *x = (struct index){.h = h, .verdict = verdict};
    sort_events(h);
    for (size_t i = 0; i < h->count; i++) {
        x->counts[h->events[i].kind]++;
        x->unmarked_clients |= h->events[i].kind == HISTORY_CLIENT && !h->events[i].marks;
    }
    for (int kind = 0; kind < HISTORY_KINDS; kind++)
        sort_kind(x, (enum history_kind)kind);
    x->publishes = pair(x, HISTORY_PUBLISH, &x->publishes_count);
    sort(x->publishes, x->publishes_count, sizeof *x->publishes, by_published);
    x->bodies = need(x->publishes_count, sizeof *x->bodies);
    memcpy(x->bodies, x->publishes, x->publishes_count * sizeof *x->bodies);
    sort(x->bodies, x->publishes_count, sizeof *x->bodies, by_body);
    index_delivered(x);
}

void index_done(struct index *x)
{
    for (int kind = 0; kind < HISTORY_KINDS; kind++)
        free(x->sorted[kind]);
    free(x->publishes);
    free(x->bodies);
    free(x->deliveries);
}

const struct asked *index_at(const struct index *x, uint32_t topic, uint64_t seq)
{
    struct history_event ask = {.topic = topic}, answer = {.kind = HISTORY_PUBLISHED, .seq = seq};
    struct asked key = {&ask, &answer};
    size_t at = search_first(x->publishes, x->publishes_count, sizeof *x->publishes, &key, by_published);
    const struct asked *a = &x->publishes[at];
    return at < x->publishes_count && a->ask->topic == topic && place(a) == seq ? a : NULL;
}

const struct asked *index_body(const struct index *x, uint64_t body)
{
    struct history_event ask = {.body = body};
    struct asked key = {&ask, NULL};
    return x->publishes_count ? bsearch(&key, x->bodies, x->publishes_count, sizeof key, by_body) : NULL;
}

bool index_has(const struct index *x, enum history_kind kind, uint32_t topic, uint32_t group, uint64_t seq)
{
    for (size_t i = 0; i < x->counts[kind]; i++) {
        const struct history_event *e = x->sorted[kind][i];
        if (e->topic == topic && e->group == group && (!seq || e->seq == seq))
            return true;
    }
    return false;
}

bool index_spares(const struct index *x, uint32_t topic, uint32_t group)
{
    for (size_t i = 0; i < x->counts[HISTORY_GROUP]; i++) {
        const struct history_event *e = x->sorted[HISTORY_GROUP][i];
        if (e->topic == topic && e->group == group && e->spares)
            return true;
    }
    return false;
}

bool index_lost_between(const struct index *x, uint32_t client, int64_t from_us, int64_t to_us)
{
    for (size_t i = 0; i < x->counts[HISTORY_LOST]; i++) {
        const struct history_event *e = x->sorted[HISTORY_LOST][i];
        if (e->client == client && e->t_us >= from_us - GIVEN_BACK_US && e->t_us <= to_us)
            return true;
    }
    for (size_t i = 0; i < x->counts[HISTORY_RESTART]; i++) {
        const struct history_event *e = x->sorted[HISTORY_RESTART][i];
        if (e->t_us >= from_us && e->t_us <= to_us)
            return true;
    }
    return false;
}

static int delivered_to_message(const void *element, const void *key)
{
    return by_message(((const struct delivered *)element)->e, key);
}

const struct delivered *index_deliveries(const struct index *x, uint32_t topic, uint32_t group, uint64_t seq,
                                         size_t *ret_count)
{
    struct history_event key = {.topic = topic, .group = group, .seq = seq};
    size_t first =
        search_first(x->deliveries, x->deliveries_count, sizeof *x->deliveries, &key, delivered_to_message);
    size_t end = first;
    while (end < x->deliveries_count && !by_message(x->deliveries[end].e, &key))
        end++;
    *ret_count = end - first;
    return x->deliveries + first;
}

bool index_is_dlq(const struct index *x, uint32_t topic)
{
    return !strncmp(history_name_of(x->h, topic), "dlq:", 4);
}

void index_problem(struct index *x, const struct history_event *e, const char *what)
{
    struct history_verdict *v = x->verdict;
    v->problems++;
    int size =
        snprintf(v->text + v->text_bytes, sizeof v->text - v->text_bytes,
                 "%s: %s/%" PRIu64 " of %s, token %" PRIu64 ", generation %u, delivery %u, t=%" PRId64 "\n",
                 what, history_name_of(x->h, e->topic), e->seq, history_name_of(x->h, e->group), e->token,
                 e->generation, e->deliveries, e->t_us);
    if (size > 0 && (size_t)size < sizeof v->text - v->text_bytes)
        v->text_bytes += (size_t)size;
    else
        v->text[v->text_bytes] = 0; /* only whole lines */
}
