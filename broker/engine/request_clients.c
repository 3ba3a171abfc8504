/* request_clients: the connections, and the holders of messages. */
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/silence.h"
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"

/* Connections, gone ones among them, and subscriptions that one page looks at; the row that passes this is its last. */
#define CLIENT_LOOKS_MAX 10000

static void write_text(struct mpack_buffer *out, const char *key, const char *text)
{
    mpack_write_cstr(out, key);
    mpack_write_cstr(out, *text ? text : NULL);
}

static void write_uint(struct mpack_buffer *out, const char *key, uint64_t value)
{
    mpack_write_cstr(out, key);
    mpack_write_uint(out, value);
}

/* 0: nil. */
static void write_time(const struct engine *e, struct mpack_buffer *out, const char *key, int64_t wall_ms)
{
    mpack_write_cstr(out, key);
    if (wall_ms)
        mpack_write_int(out, ledger_shown_ms(e->ledger, wall_ms));
    else
        mpack_write_nil(out);
}

static void write_held(const struct engine *e, struct mpack_buffer *out, const struct held_look *held)
{
    write_uint(out, "in_flight", held->messages);
    write_time(e, out, "oldest", held->oldest_ms);
}

static void write_subscription(const struct engine *e, struct mpack_buffer *out,
                               const struct subscription *sub)
{
    struct held_look held;
    struct slice topic, group;
    uint32_t messages;
    uint64_t bytes;
    member_look(e->dispatcher, sub->member, &held);
    member_window(sub->member, &messages, &bytes);
    ledger_group_names(e->ledger, member_group(sub->member), &topic, &group);
    mpack_write_map(out, 7);
    write_uint(out, "sub", sub->id);
    mpack_write_cstr(out, "topic");
    mpack_write_str(out, topic.data, topic.size);
    mpack_write_cstr(out, "group");
    mpack_write_str(out, group.data, group.size);
    write_uint(out, "messages", messages);
    write_uint(out, "bytes", bytes);
    write_held(e, out, &held);
}

/* Not before it was there: of two clocks one may be in the next millisecond already. */
static int64_t heard_ms(const struct engine *e, const struct session *s)
{
    int64_t mono_ms = s->holder ? holder_heard(s->holder) : 0;
    int64_t wall_ms = mono_ms ? e->wall_ms - (e->mono_ms - mono_ms) : 0;
    return wall_ms > s->greeted_ms ? wall_ms : s->greeted_ms;
}

static void write_client(const struct engine *e, struct mpack_buffer *out, const struct session *s)
{
    static const char *const states[] = {
        [REQUESTS_OPEN] = "open",       [REQUESTS_QUEUED] = "queued",   [REQUESTS_BLOCKED] = "blocked",
        [REQUESTS_LEAVING] = "leaving", [REQUESTS_CLOSING] = "closing", [REQUESTS_GONE] = "gone"};
    struct held_look held = {0};
    if (s->holder)
        holder_look(e->dispatcher, s->holder, &held);
    mpack_write_map(out, 15);
    write_uint(out, "connection", s->number);
    write_text(out, "client", s->client);
    write_text(out, "host", s->host);
    write_text(out, "build", s->build);
    write_text(out, "peer", s->link->peer);
    write_time(e, out, "since", s->greeted_ms);
    write_time(e, out, "heard", heard_ms(e, s));
    mpack_write_cstr(out, "silent");
    mpack_write_bool(out, s->holder && holder_is_silent(s->holder));
    write_held(e, out, &held);
    write_text(out, "state", states[s->flow.requests]);
    mpack_write_cstr(out, "unread");
    mpack_write_bool(out, s->flow.output == OUTPUT_UNREAD);
    write_uint(out, "unsent_bytes", atomic_load(&s->link->account.unsent_bytes));
    write_uint(out, "held_bytes", atomic_load(&s->link->account.held_bytes));
    mpack_write_cstr(out, "subscriptions");
    mpack_write_array(out, (uint32_t)s->subscriptions_count);
    for (size_t i = 0; i < s->subscriptions_count; i++)
        write_subscription(e, out, s->subscriptions[i]);
}

void look_clients(struct engine *e, struct step *st)
{
    const struct client_list_request *q = &st->fields.client_list;
    const struct roster *r = &e->roster;
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_CLIENTS);
    size_t begin = a.out->size, array = mpack_write_array_open(a.out), at = roster_after(r, q->after);
    uint64_t after = q->after, looks = 0;
    uint32_t count = 0;
    for (; at < r->count && count < q->limit && looks < CLIENT_LOOKS_MAX &&
           a.out->size - begin < PAGE_BYTES_MAX;
         at++) {
        const struct session *s = r->entries[at].session;
        after = r->entries[at].number;
        looks++;
        if (!s || !s->greeted)
            continue;
        looks += s->subscriptions_count;
        count++;
        write_client(e, a.out, s);
    }
    mpack_patch_array(a.out, array, count);
    mpack_write_bool(a.out, at < r->count);
    mpack_write_uint(a.out, after);
    mpack_write_int(a.out, ledger_shown_ms(e->ledger, e->wall_ms));
    share_count(st->session, looks);
    answer_end(st->session, st->request_id, &a, a.out->failed ? SHUNT_NO_MEMORY : 0, NULL);
}

void look_holders(struct engine *e, struct step *st)
{
    const struct group_holders_request *q = &st->fields.group_holders;
    struct group *g = look_find_group(e, st);
    if (!g)
        return;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(st->session, st->request_id, FIELDS_OF_HOLDERS);
    int err = view_holders(&v, g, q->after, q->limit, a.out);
    mpack_write_int(a.out, ledger_shown_ms(e->ledger, e->wall_ms));
    answer_end(st->session, st->request_id, &a, err, NULL);
}
