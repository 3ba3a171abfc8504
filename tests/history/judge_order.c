/* judge_order: in groups that are ordered by key, messages of one key come in the order of publishing, and the next one only when
 * the one before is done.
 *
 * Of two messages of a key whose places are known: if the first was acked without having been dead (or in a group whose dead letters
 * hold their keys), and the ack was confirmed, the second was not handed out before that ack was asked for. So no two consumers had messages of one key at
 * once, and first acks are in the order of publishing. In a group with runs the second may be out with the first: then one client had
 * both, and was given the first before. A message that was damaged is in no order: its key could not be read.
 */
#include "tests/history/index.h"

#include <stdlib.h>

struct keyed {
    uint64_t key, seq;
    int64_t first_us;              /* when it was first handed out; INT64_MAX: never, as far as was seen */
    int64_t acked_us;              /* when the ack that took effect was asked for; 0: it is not known */
    const struct history_event *e; /* the first delivery */
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static struct keyed look(const struct index *x, const struct history_event *group, const struct asked *a)
{
    struct keyed k = {.key = a->ask->key, .seq = a->answer->seq, .first_us = INT64_MAX};
    size_t count;
    const struct delivered *d = index_deliveries(x, group->topic, group->group, k.seq, &count);
    for (size_t i = 0; i < count; i++) {
        if (d[i].e->t_us < k.first_us) {
            k.first_us = d[i].e->t_us;
            k.e = d[i].e;
        }
        if (d[i].acked && (group->holds || !d[i].e->generation))
            k.acked_us = d[i].effective_us;
    }
    return k;
}

/* The client that was given `k` first was given that one before. */
static bool is_of_run(const struct index *x, const struct history_event *group, const struct keyed *k,
                      uint64_t seq)
{
    size_t count;
    const struct delivered *d = index_deliveries(x, group->topic, group->group, seq, &count);
    for (size_t i = 0; group->runs && i < count; i++) {
        if (d[i].e->client == k->e->client && d[i].e->t_us <= k->first_us)
            return true;
    }
    return false;
}

static void judge_group(struct index *x, const struct history_event *group, struct keyed *list)
{
    size_t count = 0;
    for (size_t i = 0; i < x->publishes_count; i++) {
        const struct asked *a = &x->publishes[i];
        if (a->ask->topic == group->topic && a->ask->key && a->answer &&
            a->answer->kind == HISTORY_PUBLISHED &&
            !index_has(x, HISTORY_DAMAGE, group->topic, 0, a->answer->seq))
            list[count++] = look(x, group, a);
    }
    if (count)
        qsort(list, count, sizeof *list, by_key);
    int64_t acked_us = 0;   /* the latest of those of the key so far, … */
    uint64_t acked_seq = 0; /* … and whose it is */
    for (size_t i = 0; i < count; i++) {
        const struct keyed *k = &list[i];
        if (i && list[i - 1].key != k->key)
            acked_us = 0;
        if (k->e && k->first_us < acked_us && !is_of_run(x, group, k, acked_seq))
            index_problem(x, k->e, "handed out before one of its key that was published earlier was done");
        else
            x->verdict->in_order += k->e && acked_us;
        if (k->acked_us > acked_us) {
            acked_us = k->acked_us;
            acked_seq = k->seq;
        }
    }
}

void judge_order(struct index *x)
{
    struct keyed *list = malloc((x->publishes_count + 1) * sizeof *list);
    if (!list) {
        (void)fputs("no memory to judge a history\n", stderr);
        exit(2);
    }
    for (size_t i = 0; i < x->counts[HISTORY_GROUP]; i++) {
        if (x->sorted[HISTORY_GROUP][i]->ordered)
            judge_group(x, x->sorted[HISTORY_GROUP][i], list);
    }
    free(list);
}
