/* publish: store messages, each once, and give every group its share.
 *
 * Exactly once in effect: a producer numbers its frames, and the answers to its latest ones are kept (dedup
 * table) in the same transaction as the messages. A number that was answered gets that answer again.
 */
#include "broker/core/check.h"
#include "broker/core/state.h"
#include "proto/message.h"

#include <string.h>

/* ---- answers kept ---- */

static int dedup_load(struct ledger *l, const struct publish_command *c, struct dedup_record *ret)
{
    struct slice value;
    int err = store_get(l->txn, TABLE_DEDUP, c->producer, &value);
    if (!err)
        return dedup_decode(c->producer, value, ret);
    ret->last_ms = 0;
    ret->base = 0;
    ret->count = 0;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static void forget_answers(struct dedup_record *r, uint64_t below)
{
    uint32_t gone = 0;
    while (gone < r->count && r->answers[gone].sequence < below)
        gone++;
    r->count -= gone;
    memmove(r->answers, r->answers + gone, r->count * sizeof *r->answers);
    if (below > r->base)
        r->base = below;
}

static const struct dedup_answer *find_answer(const struct dedup_record *r, uint64_t sequence)
{
    for (uint32_t i = r->count; i-- > 0;)
        if (r->answers[i].sequence == sequence)
            return &r->answers[i];
    return NULL;
}

static int remember(struct ledger *l, const struct publish_command *c, struct dedup_record *r,
                    struct dedup_answer answer)
{
    forget_answers(r, c->forget_below);
    if (r->count == DEDUP_FRAMES_MAX)
        forget_answers(r, r->answers[0].sequence + 1);
    uint32_t at = r->count++;
    for (; at && r->answers[at - 1].sequence > answer.sequence; at--)
        r->answers[at] = r->answers[at - 1];
    r->answers[at] = answer;
    r->last_ms = l->now_ms;
    size_t size = dedup_encode(l->record, c->producer, r);
    return store_put(l->txn, TABLE_DEDUP, c->producer, (struct slice){l->record, size});
}

int64_t dedup_sweep_at(const struct ledger *l)
{
    return l->meta.dedup_swept_ms + l->meta.dedup_window_ms / 16 + 1000;
}

int dedup_rest(struct ledger *l)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_DEDUP, &cursor);
    if (err)
        return err;
    err = store_cursor_next(cursor, &key, &value);
    store_cursor_close(cursor);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    l->meta.dedup_swept_ms = l->now_ms + l->meta.dedup_window_ms - l->meta.dedup_window_ms / 16;
    l->changed = true;
    return 0;
}

#define SWEEP_ROWS 256

int dedup_sweep(struct ledger *l)
{
    struct store_cursor *cursor;
    struct slice key, value;
    unsigned rows = 0;
    int err = store_cursor_open(l->txn, TABLE_DEDUP, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){l->meta.dedup_cursor, PRODUCER_ID_BYTES}, &key, &value);
    for (; !err && rows < SWEEP_ROWS; rows++) {
        struct dedup_record r;
        if (key.size == PRODUCER_ID_BYTES)
            memcpy(l->meta.dedup_cursor, key.data, PRODUCER_ID_BYTES);
        err = dedup_decode(key, value, &r);
        if (!err && r.last_ms + l->meta.dedup_window_ms < l->now_ms)
            err = store_cursor_del(cursor);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err == SHUNT_NOT_FOUND) {
        /* Once round: begin again after a while. */
        memset(l->meta.dedup_cursor, 0, PRODUCER_ID_BYTES);
        l->meta.dedup_swept_ms = l->now_ms;
        err = 0;
    }
    return err;
}

/* ---- messages ---- */

/* A message that waits from the start has a row from the start, in every group. */
static int schedule(struct ledger *l, struct group *g, uint64_t seq, const struct message_head *head)
{
    struct attempt_record row = {.row_next = 1, .expires_ms = head->expires_ms};
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

static struct message_head head_of(const struct ledger *l, const struct topic *t,
                                   const struct message_view *m)
{
    int64_t ttl_ms = m->ttl_ms ? m->ttl_ms : topic_setting(t, POLICY_ttl_ms);
    return (struct message_head){.published_ms = l->now_ms,
                                 .due_ms = m->delay_ms ? l->now_ms + m->delay_ms : 0,
                                 .expires_ms = ttl_ms ? l->now_ms + ttl_ms : 0};
}

static int store_message(struct ledger *l, struct topic *t, const struct message_head *head,
                         struct slice message)
{
    uint64_t seq = t->r.head;
    struct key key = key_id_seq(t->r.id, seq);
    size_t size = message_head_bytes(head) + message.size;
    void *to;
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

static bool topic_has_room(const struct topic *t, size_t bytes)
{
    uint64_t messages_max = (uint64_t)topic_setting(t, POLICY_max_messages);
    uint64_t bytes_max = (uint64_t)topic_setting(t, POLICY_max_bytes);
    return (!messages_max || t->r.stored < messages_max) &&
           (!bytes_max || t->r.stored_bytes + bytes <= bytes_max);
}

/* Read all of them before any is stored: a frame with a bad message leaves nothing behind. */
static int check_messages(const struct ledger *l, const struct publish_command *c, uint32_t *ret_which,
                          const char **ret_why)
{
    struct mpack_reader r;
    struct message_view m;
    mpack_read_init(&r, c->messages.data, c->messages.size);
    for (uint32_t i = 0; i < c->count; i++) {
        int err = message_read(&r, l->meta.body_bytes_max, &m, ret_why);
        *ret_which = i;
        if (err)
            return err;
    }
    return 0;
}

static void tell(struct ledger *l, int err, uint64_t first_seq, uint32_t accepted, int refusal,
                 const char *why)
{
    if (l->sink->published)
        l->sink->published(l->sink->context, l->command, err, first_seq, accepted, refusal, why);
}

static int store_messages(struct ledger *l, struct topic *t, const struct publish_command *c,
                          uint32_t *ret_accepted)
{
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    uint32_t accepted = 0;
    mpack_read_init(&r, c->messages.data, c->messages.size);
    for (; accepted < c->count; accepted++) {
        int err = message_read(&r, l->meta.body_bytes_max, &m, &why);
        check(!err); /* they were read before */
        struct message_head head = head_of(l, t, &m);
        if (!topic_has_room(t, message_head_bytes(&head) + m.whole.size))
            break;
        err = store_message(l, t, &head, m.whole);
        if (err)
            return err;
    }
    *ret_accepted = accepted;
    return 0;
}

static int publish(struct ledger *l, const struct publish_command *c, struct dedup_record *answers)
{
    struct topic *t = ledger_topic(l, c->topic);
    const char *why = NULL;
    uint32_t which = 0;
    int refusal = c->refusal;
    if (!t)
        refusal = SHUNT_UNKNOWN_TOPIC;
    else if (t->r.origin_group)
        refusal = SHUNT_RESERVED;
    if (!refusal)
        refusal = check_messages(l, c, &which, &why);
    if (refusal) {
        tell(l, refusal, 0, which, 0, why);
        return 0;
    }
    uint64_t first_seq = t->r.head;
    uint32_t accepted = 0;
    int err = store_messages(l, t, c, &accepted);
    if (err)
        return err;
    refusal = accepted < c->count ? SHUNT_TOPIC_FULL : 0;
    if (accepted) {
        ledger_dirty_topic(l, t);
        for (size_t i = 0; i < t->groups_count; i++) {
            ledger_dirty_group(l, t->groups[i]);
            ledger_tell_ready(l, t->groups[i]);
        }
        if (answers) {
            struct dedup_answer answer = {c->sequence, first_seq, accepted, (uint32_t)refusal};
            err = remember(l, c, answers, answer);
            if (err)
                return err;
        }
    }
    tell(l, accepted ? 0 : refusal, first_seq, accepted, refusal, NULL);
    return 0;
}

int apply_publish(struct ledger *l, const struct publish_command *c)
{
    if (c->producer.size != PRODUCER_ID_BYTES || !c->sequence)
        return publish(l, c, NULL);
    struct dedup_record answers;
    int err = dedup_load(l, c, &answers);
    if (err)
        return err;
    const struct dedup_answer *answer = find_answer(&answers, c->sequence);
    if (answer) {
        tell(l, 0, answer->first_seq, answer->accepted, (int)answer->refusal, NULL);
        return 0;
    }
    if (c->sequence < answers.base) {
        tell(l, SHUNT_DEDUP_WINDOW, 0, 0, 0, NULL);
        return 0;
    }
    return publish(l, c, &answers);
}
