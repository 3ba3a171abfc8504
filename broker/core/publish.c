/* publish: store messages, each once, and give every group its share. */
#include "base/check.h"
#include "broker/core/state.h"
#include "proto/message.h"

/* ---- messages ---- */

/* A message that waits from the start has a row from the start, in every group. */
static int schedule(struct ledger *l, struct group *g, uint64_t seq, const struct message_head *head)
{
    struct attempt_record row = {.row_next = 1,
                                 .expires_ms = head->expires_ms,
                                 .deadline_ms = head->deadline_ms,
                                 .ttl_ends_ms = head->ttl_ends_ms};
    int err = bitmap_set(&g->bits, seq);
    return err ? err : place_wait(l, g, seq, &row, head->due_ms);
}

static int give_to_groups(struct ledger *l, struct topic *t, uint64_t seq, const struct message_head *head)
{
    for (size_t i = 0; i < t->groups_count; i++) {
        struct group *g = t->groups[i];
        int err = 0;
        g->r.counts.published++;
        if (head->due_ms) {
            err = schedule(l, g, seq, head);
        } else {
            g->r.counts.ready++;
            if (head->expires_ms)
                err = expiry_put(l, g, seq, head->expires_ms);
        }
        if (err)
            return err;
    }
    return 0;
}

/* Those that are ordered by key: in them a message with a delay may get a place in the index. */
static uint64_t ordered_groups(const struct topic *t)
{
    uint64_t ordered = 0;
    for (size_t i = 0; i < t->groups_count; i++)
        ordered += t->groups[i]->keys != NULL;
    return ordered;
}

/* By the store's clock, which may be ahead of the one that is shown. One that has passed expires at once: it is kept, or dropped, and
 * counted like any other. */
__attribute__((cold, noinline)) static void set_deadline(const struct ledger *l, int64_t deadline_ms,
                                                         struct message_head *h)
{
    int64_t at_ms = l->now_ms + (deadline_ms - ledger_shown_ms(l, l->now_ms));
    h->deadline_ms = at_ms > 0 ? at_ms : 1;
    h->ttl_ends_ms = h->expires_ms;
    if (!h->expires_ms || h->deadline_ms < h->expires_ms)
        h->expires_ms = h->deadline_ms;
}

/* `topic_ttl_ms`: the time to live of messages that have none of their own. */
static inline struct message_head head_of(const struct ledger *l, int64_t topic_ttl_ms,
                                          const struct message_view *m)
{
    int64_t ttl_ms = m->ttl_ms ? m->ttl_ms : topic_ttl_ms;
    struct message_head h = {.published_ms = l->now_ms, .due_ms = m->delay_ms ? l->now_ms + m->delay_ms : 0};
    if (ttl_ms) /* it counts from when the message can be taken: nothing expires before anybody could */
        h.expires_ms = message_since_ms(&h) + ttl_ms;
    if (m->deadline_ms)
        set_deadline(l, m->deadline_ms, &h);
    return h;
}

#define KEY_BYTES 12 /* of a message's row */

/* `size`: of the row's value. */
static int store_message(struct ledger *l, struct topic *t, const struct message_head *head,
                         struct slice message, size_t size)
{
    uint64_t seq = t->r.head;
    struct key key = key_id_seq(t->r.id, seq);
    void *to;
    if (l->results.handed_out)
        results_keep(l);
    int err = store_reserve(l->txn, TABLE_MESSAGE, key_slice(&key), size, true, &to);
    if (err)
        return err;
    message_encode(to, key_slice(&key), head, message);
    t->r.head++;
    t->r.published++;
    t->r.stored++;
    t->r.stored_bytes += size;
    return give_to_groups(l, t, seq, head);
}

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

static bool topic_is_bounded(const struct topic *t)
{
    return topic_setting(t, POLICY_max_messages) || topic_setting(t, POLICY_max_bytes);
}

/* Dead letters do not count: what was put aside must not stop what comes behind it. A message that several
 * groups have put aside is taken off for each; so what the group that is furthest behind has still to handle
 * counts in any case. */
static bool topic_has_room(const struct topic *t, size_t bytes)
{
    uint64_t messages_max = (uint64_t)topic_setting(t, POLICY_max_messages);
    uint64_t bytes_max = (uint64_t)topic_setting(t, POLICY_max_bytes);
    if (!messages_max && !bytes_max)
        return true;
    uint64_t dead = 0, dead_bytes = 0, behind = 0;
    for (size_t i = 0; i < t->groups_count; i++) {
        const struct group_counts *n = &t->groups[i]->r.counts;
        uint64_t left = n->ready + n->in_flight + n->delayed;
        behind = left > behind ? left : behind;
        dead += n->dead;
        dead_bytes += t->groups[i]->r.dead_bytes;
    }
    uint64_t messages = less(t->r.stored, dead);
    messages = messages > behind ? messages : behind;
    return (!messages_max || messages < messages_max) &&
           (!bytes_max || less(t->r.stored_bytes, dead_bytes) + bytes <= bytes_max);
}

/* Read all of them before any is stored: a frame with a bad message leaves nothing behind. */
static int check_messages(const struct ledger *l, const struct publish_command *c, uint32_t *ret_which,
                          const char **ret_why)
{
    struct mpack_reader r;
    struct message_view m;
    mpack_read_init(&r, c->messages.data, c->messages.size);
    for (uint32_t i = 0; i < c->count; i++) {
        int err = message_read_new(&r, l->meta.body_bytes_max, &m, ret_why);
        *ret_which = i;
        if (err)
            return err;
    }
    return 0;
}

uint64_t ledger_timed_rows(const struct ledger *l, struct slice topic, uint32_t count, uint64_t timed)
{
    const struct topic *t = ledger_topic(l, topic);
    if (!t)
        return timed * TIMED_ROWS;
    return (topic_setting(t, POLICY_ttl_ms) ? count : timed) * TIMED_ROWS * t->groups_count;
}

static void tell(struct ledger *l, int err, uint64_t first_seq, uint32_t accepted, int refusal,
                 const char *why)
{
    result_add(l, RESULT_PUBLISHED)->published = (struct published_result){.err = err,
                                                                           .refusal = refusal,
                                                                           .accepted = accepted,
                                                                           .first_seq = first_seq,
                                                                           .why = why,
                                                                           .rows = l->rows};
}

/* Whether the batch may write so much more for publishes. */
static bool fits(const struct ledger *l, uint64_t bytes)
{
    return l->meter.bytes + bytes <= l->publish_max && ledger_has_room(l, bytes);
}

__attribute__((cold, noinline)) static bool each_fits(const struct ledger *l, const struct topic *t,
                                                      const struct publish_command *c)
{
    struct mpack_reader r;
    struct message_view m;
    struct cost_publishing cost = {.groups = t->groups_count};
    const int64_t ttl_ms = topic_setting(t, POLICY_ttl_ms);
    const char *why;
    uint64_t bytes = cost_publish(t->groups_count);
    mpack_read_init(&r, c->messages.data, c->messages.size);
    for (uint32_t i = 0; i < c->count; i++) {
        int err = message_read(&r, l->meta.body_bytes_max, &m, &why);
        check(!err); /* they were read before */
        struct message_head head = head_of(l, ttl_ms, &m);
        if (head.due_ms)
            cost.ordered = ordered_groups(t);
        bytes += cost_message(&cost, KEY_BYTES + message_head_bytes(&head) + m.whole.size, head.due_ms,
                              head.expires_ms);
    }
    return fits(l, bytes);
}

/* Whether all of them fit; looks at each only if that is in doubt. */
static bool all_fit(const struct ledger *l, const struct topic *t, const struct publish_command *c)
{
    uint64_t most = l->meter.bytes + cost_publish_most(t->groups_count, c->count, c->messages.size);
    return (most <= l->publish_max && most <= l->meter_max) || each_fits(l, t, c);
}

/* From the message at `from` on. `bytes_max`: what they may write. Returns in *ret_accepted how far it came.
 */
__attribute__((always_inline)) static inline int store_messages(struct ledger *l, struct topic *t,
                                                                const struct publish_command *c,
                                                                uint32_t from, uint64_t bytes_max,
                                                                uint32_t *ret_accepted, int *ret_refusal)
{
    struct mpack_reader r;
    struct message_view m;
    struct cost_publishing cost = {.groups = t->groups_count};
    const int64_t ttl_ms = topic_setting(t, POLICY_ttl_ms);
    const bool bounded = topic_is_bounded(t);
    const char *why;
    uint32_t accepted = 0;
    mpack_read_init(&r, c->messages.data, c->messages.size);
    for (; accepted < c->count; accepted++) {
        int err = message_read(&r, l->meta.body_bytes_max, &m, &why);
        check(!err); /* they were read before, here or by the command's maker */
        if (accepted < from)
            continue;
        struct message_head head = head_of(l, ttl_ms, &m);
        size_t size = message_head_bytes(&head) + m.whole.size;
        if (bounded && !topic_has_room(t, size)) {
            *ret_refusal = SHUNT_TOPIC_FULL;
            break;
        }
        if (head.due_ms)
            cost.ordered = ordered_groups(t);
        uint64_t bytes = cost_message(&cost, KEY_BYTES + size, head.due_ms, head.expires_ms);
        if (bytes > bytes_max) {
            *ret_refusal = SHUNT_NO_SPACE;
            break;
        }
        bytes_max -= bytes;
        l->meter.bytes += bytes;
        err = store_message(l, t, &head, m.whole, size);
        if (head.due_ms || head.expires_ms)
            l->rows += TIMED_ROWS * (t->groups_count - (message_is_timed(&m) && t->groups_count));
        if (err)
            return err;
    }
    *ret_accepted = accepted;
    return 0;
}

/* What the frame has come to: remember it if that is new, and tell it. `a` is what it had come to before, and
 * becomes what it is now. */
static int answer(struct ledger *l, const struct publish_command *c, struct dedup_record *producer,
                  struct dedup_answer *a, uint32_t accepted, int refusal)
{
    uint32_t code = (uint32_t)(refusal ? refusal : c->more ? SHUNT_UNAVAILABLE : 0);
    bool news = accepted || code != a->refusal;
    a->accepted += accepted;
    a->refusal = code;
    if (producer && a->accepted && news) {
        l->changed = true;
        int err = dedup_remember(l, c, producer, a);
        if (err)
            return err;
    }
    /* Of a frame that was sent again, more may be stored than came by now. */
    bool ahead = !refusal && a->accepted > (uint64_t)c->stored + c->count;
    tell(l, a->accepted ? 0 : refusal, a->first_seq, ahead ? c->stored + c->count : a->accepted, refusal,
         NULL);
    return 0;
}

static void publishing_changed(struct ledger *l, struct topic *t)
{
    ledger_dirty_topic(l, t);
    for (size_t i = 0; i < t->groups_count; i++) {
        ledger_dirty_group(l, t->groups[i]);
        ledger_tell_ready(l, t->groups[i]);
    }
}

/* Why nothing of the command can be stored; 0 if it can. */
static int refused(const struct ledger *l, const struct publish_command *c, const struct topic *t,
                   const struct dedup_answer *a, uint32_t *ret_which, const char **ret_why)
{
    if (!t)
        return SHUNT_UNKNOWN_TOPIC;
    if (t->r.origin_group)
        return SHUNT_RESERVED;
    if (c->refusal)
        return c->refusal;
    /* The numbers of a frame follow each other, and nothing is left out. */
    if (a->accepted && (t->r.head != a->first_seq + a->accepted || c->stored > a->accepted))
        return SHUNT_UNAVAILABLE;
    return c->checked ? 0 : check_messages(l, c, ret_which, ret_why);
}

/* `a`: what came of the frame so far. */
static int publish(struct ledger *l, const struct publish_command *c, struct dedup_record *producer,
                   struct dedup_answer *a)
{
    struct topic *t = ledger_topic(l, c->topic);
    const char *why = NULL;
    uint32_t which = 0;
    int refusal = refused(l, c, t, a, &which, &why);
    if (refusal && !a->accepted) {
        tell(l, refusal, 0, which, 0, why);
        return 0;
    }
    uint64_t bytes_max = UINT64_MAX;
    if (refusal ? !ledger_has_room(l, cost_publish(0)) : !all_fit(l, t, c)) {
        if (!l->room.first || l->meter.bytes) { /* in a transaction of its own more will */
            l->out_of_room = true;
            return 0;
        }
        uint64_t records = cost_publish(t ? t->groups_count : 0);
        bytes_max = l->room.publish_bytes > records ? l->room.publish_bytes - records : 0;
    }
    l->meter.off = true; /* cost_message() counts all that a message writes */
    l->meter.bytes += COST_PLACE_BYTES;
    uint32_t before = a->accepted > c->stored ? a->accepted - c->stored : 0, upto = before;
    if (!a->accepted && t)
        a->first_seq = t->r.head;
    int err = refusal ? 0 : store_messages(l, t, c, before, bytes_max, &upto, &refusal);
    l->meter.off = false;
    if (err)
        return err;
    if (upto > before)
        publishing_changed(l, t);
    return answer(l, c, producer, a, upto > before ? upto - before : 0, refusal);
}

int apply_publish(struct ledger *l, const struct publish_command *c)
{
    struct dedup_record producer;
    struct dedup_answer a = {.sequence = c->sequence, .first_seq = c->first_seq, .accepted = c->stored};
    if (c->producer.size != PRODUCER_ID_BYTES || !c->sequence)
        return publish(l, c, NULL, &a);
    int err = dedup_look(l, c, &producer, &a);
    if (err == SHUNT_NOT_FOUND || (!err && a.refusal == SHUNT_UNAVAILABLE)) /* new, or begun */
        return publish(l, c, &producer, &a);
    if (!err)
        tell(l, 0, a.first_seq, a.accepted, (int)a.refusal, NULL);
    else if (err == SHUNT_DEDUP_WINDOW)
        tell(l, err, 0, 0, 0, NULL);
    else
        return err;
    return 0;
}

/* ---- one message of the ledger's own ---- */

static int no_room(const struct ledger *l, const struct topic *t, size_t size, uint64_t bytes)
{
    if (ledger_is_full(l) || (l->room.first && bytes > l->meter_max))
        return SHUNT_NO_SPACE;
    if (!topic_has_room(t, size))
        return SHUNT_TOPIC_FULL;
    return ledger_has_room(l, bytes) ? 0 : SHUNT_UNAVAILABLE;
}

int publish_one(struct ledger *l, struct topic *t, const struct message_view *m, uint64_t more,
                int *ret_refusal, uint64_t *ret_seq)
{
    struct cost_publishing cost = {.groups = t->groups_count};
    struct message_head head = head_of(l, topic_setting(t, POLICY_ttl_ms), m);
    size_t size = message_head_bytes(&head) + m->whole.size;
    uint64_t bytes = COST_PLACE_BYTES + cost_message(&cost, KEY_BYTES + size, head.due_ms, head.expires_ms);
    *ret_refusal = no_room(l, t, size, cost_publish(t->groups_count) + bytes + more);
    if (*ret_refusal)
        return 0;
    *ret_seq = t->r.head;
    l->meter.off = true; /* cost_message() counts all that it writes */
    l->meter.bytes += bytes;
    int err = store_message(l, t, &head, m->whole, size);
    l->meter.off = false;
    l->rows += CHANGED_ROW + (head.expires_ms ? TIMED_ROWS * t->groups_count : 0);
    publishing_changed(l, t);
    return err;
}
