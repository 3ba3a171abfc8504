/* loan: see loan.h. */
#include "broker/http/loan.h"

#include "base/array.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/secret.h"
#include "broker/http/loan_say.h"
#include "proto/frame.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (16u * 1024)

/* ---- how it ends ---- */

static void wake_call(struct loan *l)
{
    void (*wake)(void *context) = l->ask.wake;
    l->ask.wake = NULL;
    l->ask.http_fd = -1;
    if (wake)
        wake(l->ask.context);
}

/* Give back what it holds, and end. */
static void leave(struct loan *l, int64_t now_ms)
{
    if (l->state != LOAN_LEAVING && l->fd >= 0)
        loan_say_request(l, &request_goodbye, IGNORED_ID, NULL);
    l->state = LOAN_LEAVING;
    l->give_up_ms = now_ms + LOAN_MS_MAX;
    wake_call(l);
}

static struct loan_answer *take_answer(struct loan *l, uint64_t id)
{
    struct loan_answer **at = &l->answers;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    struct loan_answer *answer = *at;
    if (answer)
        *at = answer->next;
    return answer;
}

void loan_end(struct loan *l, int err, const char *why)
{
    if (l->fd >= 0)
        (void)close(l->fd); /* the engine judges what it held as a lost connection's */
    l->fd = -1;
    if (l->state == LOAN_ASKING || l->state == LOAN_SETTLING)
        (void)problem_is_error(&l->problem, err, why);
    l->state = LOAN_LEAVING;
    wake_call(l);
    while (l->answers) {
        struct loan_answer *answer = take_answer(l, l->answers->id);
        (void)problem_is_error(&answer->problem, err, "it is not known whether the answer took effect");
        answer->wake(answer->context);
    }
}

void loan_free(struct loan *l)
{
    check(l->fd < 0 && !l->asked && !l->answers);
    mpack_buffer_done(&l->out);
    mpack_buffer_done(&l->in);
    mpack_buffer_done(&l->messages);
    free(l->entries);
    *l = (struct loan){.state = LOAN_FREE, .number = l->number, .serial = l->serial, .fd = -1};
}

static void entry_gone(struct loan *l, struct loan_entry *e)
{
    if (e->held)
        l->held--;
    e->held = false;
}

/* Nobody needs it any more, once the last message is answered, or its lease is over. */
static void leave_if_done(struct loan *l, int64_t now_ms)
{
    if (l->state != LOAN_HELD || l->held || l->answers)
        return;
    if (l->lapsed) /* were the engine late, a goodbye would give back what is to be charged */
        loan_end(l, SHUNT_STALE, "");
    else
        leave(l, now_ms);
}

/* ---- what comes ---- */

static void take_delivery(struct loan *l, struct mpack_reader *r, int64_t now_ms)
{
    uint64_t counts[4];
    struct message_view m;
    struct slice dead = {0}, remaining = {0};
    const char *why;
    uint32_t fields = mpack_read_array(r);
    struct loan_entry e = {.held = true, .seq = mpack_read_uint(r), .token = mpack_read_uint(r)};
    for (unsigned i = 0; i < 4; i++)
        counts[i] = mpack_read_uint(r);
    e.lease_ms = mpack_read_int(r);
    (void)message_read(r, BODY_BYTES_MAX, &m, &why); /* this server has checked it */
    for (uint32_t i = 8; i < fields; i++) {
        struct slice more = mpack_read_any(r);
        dead = i == 8 ? more : dead;
        remaining = i == 9 ? more : remaining;
    }
    e.until_ms = now_ms + e.lease_ms;
    bool wanted = l->state == LOAN_ASKING || l->state == LOAN_SETTLING;
    if (r->failed)
        return;
    if (!wanted || l->entries_count == LOAN_MESSAGES_MAX ||
        !array_room(&l->entries, &l->entries_capacity, l->entries_count + 1)) {
        loan_say_release(l, &e); /* it comes too late */
        return;
    }
    l->entries[l->entries_count++] = e;
    l->held++;
    loan_say_message(l, &e, counts, &m, dead, remaining);
}

static void take_deliveries(struct loan *l, struct mpack_reader *r, int64_t now_ms)
{
    (void)mpack_read_uint(r); /* its one subscription */
    uint32_t count = mpack_read_array(r);
    for (uint32_t i = 0; i < count && !r->failed; i++)
        take_delivery(l, r, now_ms);
    if (l->state != LOAN_ASKING || !l->held)
        return;
    union request_fields q = {.credit = {.sub = l->sub}}; /* no more of them */
    l->state = LOAN_SETTLING;
    l->give_up_ms = now_ms + LOAN_MS_MAX;
    loan_say_request(l, &request_credit, CREDIT_ID, &q);
}

static void hand_over(struct loan *l, int64_t now_ms)
{
    mpack_patch_array(&l->messages, l->count_at, (uint32_t)l->entries_count);
    if (l->messages.failed) {
        (void)problem_is_error(&l->problem, SHUNT_NO_MEMORY, "");
        leave(l, now_ms);
        return;
    }
    l->state = LOAN_HANDED;
    wake_call(l);
}

/* The list of a RESOLVE's answer says which entries had no effect; each answer has one. */
static void take_answer_of(struct loan *l, struct loan_answer *answer, struct mpack_reader *r, int64_t now_ms)
{
    uint32_t count = mpack_read_array(r);
    (void)mpack_read_uint(r);
    int code = count ? (int)mpack_read_uint(r) : 0;
    for (size_t i = 0; i < l->entries_count; i++) {
        struct loan_entry *e = &l->entries[i];
        if (e->seq != answer->seq)
            continue;
        if (!code && answer->outcome == OUTCOME_EXTEND)
            e->until_ms = now_ms + answer->extend_ms;
        else if (!code || code == SHUNT_STALE)
            entry_gone(l, e);
    }
    const char *detail = code == SHUNT_STALE ? "the lease of this delivery is over" : "";
    if (code)
        (void)problem_is_error(&answer->problem, code, detail);
    answer->wake(answer->context);
    loan_say_first_started(l, now_ms);
}

static void take_ok(struct loan *l, uint64_t id, struct mpack_reader *r, int64_t now_ms)
{
    struct loan_answer *answer = id >= ANSWERS_ID ? take_answer(l, id) : NULL;
    if (id == SUBSCRIBE_ID) {
        l->sub = mpack_read_uint(r);
        loan_say_request(l, &request_ping, PING_ID,
                         NULL); /* answered in a later turn than it is subscribed in */
    } else if (id == PING_ID) {
        l->looked = true;
    } else if (id == CREDIT_ID && l->ask.lease_ms && l->state == LOAN_SETTLING) {
        loan_say_extend_all(l, now_ms);
    } else if ((id == CREDIT_ID || id == EXTEND_ID) && l->state == LOAN_SETTLING) {
        hand_over(l, now_ms);
    } else if (answer) {
        take_answer_of(l, answer, r, now_ms);
    }
}

static void take_failure(struct loan *l, uint64_t id, int code, struct slice text)
{
    char why[PROBLEM_DETAIL_BYTES];
    struct loan_answer *answer = id >= ANSWERS_ID ? take_answer(l, id) : NULL;
    (void)snprintf(why, sizeof why, "%.*s", (int)text.size, (const char *)text.data); /* may be cut */
    if (answer) {
        (void)problem_is_error(&answer->problem, code, why);
        answer->wake(answer->context);
    } else {
        loan_end(l, code, why);
    }
}

static void take_frame(struct loan *l, struct slice payload, int64_t now_ms)
{
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r);
    uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
    if (op == OP_OK) {
        take_ok(l, id, &r, now_ms);
    } else if (op == OP_DELIVER) {
        take_deliveries(l, &r, now_ms);
    } else if (op == OP_ERROR) {
        int code = (int)mpack_read_uint(&r);
        (void)mpack_read_str(&r); /* its name: this server's own */
        struct slice text = mpack_read_str(&r);
        problem_read_wait(&l->problem, &r);
        take_failure(l, id, code, text);
    } else if (op == OP_CLOSED) {
        (void)mpack_read_uint(&r);
        int code = (int)mpack_read_uint(&r);
        take_failure(l, 0, code, mpack_read_str(&r));
    }
}

static void take_frames(struct loan *l, int64_t now_ms)
{
    struct slice payload;
    size_t need;
    const char *why;
    while (l->fd >= 0 && frame_next(l->in.data + l->read, l->in.size - l->read, FRAME_BYTES_MAX, &payload,
                                    &need, &why) == FRAME_WHOLE) {
        struct mpack_buffer frames = l->in; /* the payload lies there, whatever becomes of the loan */
        size_t after = l->read + FRAME_HEADER_BYTES + payload.size;
        l->in = (struct mpack_buffer){0};
        take_frame(l, payload, now_ms);
        l->in = frames;
        l->read = after;
    }
    if (l->read == l->in.size) { /* between frames it keeps no memory */
        mpack_buffer_done(&l->in);
        l->read = 0;
    }
}

static void read_frames(struct loan *l, int64_t now_ms)
{
    while (l->fd >= 0) {
        size_t size = l->in.size;
        void *room = mpack_extend(&l->in, READ_BYTES);
        if (!room) {
            loan_end(l, SHUNT_NO_MEMORY, "");
            return;
        }
        ssize_t got = recv(l->fd, room, READ_BYTES, 0);
        int why = errno;
        l->in.size = size + (got > 0 ? (size_t)got : 0);
        if (got > 0)
            take_frames(l, now_ms);
        else if (got == 0 || (why != EAGAIN && why != EINTR))
            loan_end(l, SHUNT_DISCONNECTED, "");
        else
            break;
    }
    take_frames(l, now_ms);
}

/* ---- serving ---- */

static void send_some(struct loan *l)
{
    while (l->fd >= 0 && l->sent < l->out.size) {
        ssize_t size = send(l->fd, l->out.data + l->sent, l->out.size - l->sent, MSG_NOSIGNAL);
        if (size < 0)
            return; /* what ends the connection is seen when it is read */
        l->sent += (size_t)size;
    }
    if (l->out.data) /* HELLO may hold a password */
        secret_wipe(l->out.data, l->out.size);
    mpack_buffer_done(&l->out);
    l->sent = 0;
}

/* Nothing else counts as started before the client is heard again. */
static void lapse(struct loan *l, int64_t now_ms)
{
    for (size_t i = 0; i < l->entries_count; i++) {
        struct loan_entry *e = &l->entries[i];
        if (!e->held || now_ms < e->until_ms + LOAN_GRACE_MS)
            continue;
        entry_gone(l, e);
        l->lapsed = true;
    }
}

static void late(struct loan *l, int64_t now_ms)
{
    struct loan_answer *answer = l->answers;
    while (answer && now_ms < answer->until_ms)
        answer = answer->next;
    if (answer || (now_ms >= l->give_up_ms && l->state != LOAN_HELD && l->state != LOAN_HANDED))
        loan_end(l, SHUNT_TIMEOUT, "");
}

void loan_serve(struct loan *l, bool readable, int64_t now_ms)
{
    if (readable)
        read_frames(l, now_ms);
    if (l->state == LOAN_ASKING && l->looked && now_ms >= l->wait_until_ms)
        leave(l, now_ms);
    if (l->state == LOAN_HELD)
        lapse(l, now_ms);
    leave_if_done(l, now_ms);
    late(l, now_ms);
    if (l->out.failed)
        loan_end(l, SHUNT_NO_MEMORY, "");
    send_some(l);
}

int64_t loan_until_ms(const struct loan *l)
{
    int64_t until_ms = l->state == LOAN_HELD || l->state == LOAN_HANDED ? CLOCK_NEVER : l->give_up_ms;
    if (l->state == LOAN_ASKING && l->looked && l->wait_until_ms < until_ms)
        until_ms = l->wait_until_ms;
    for (size_t i = 0; l->state == LOAN_HELD && i < l->entries_count; i++) {
        int64_t end_ms = l->entries[i].until_ms + LOAN_GRACE_MS;
        if (l->entries[i].held && end_ms < until_ms)
            until_ms = end_ms;
    }
    for (const struct loan_answer *answer = l->answers; answer; answer = answer->next)
        until_ms = answer->until_ms < until_ms ? answer->until_ms : until_ms;
    return until_ms;
}

/* ---- from HTTP ---- */

void loan_begin(struct loan *l, const struct loan_ask *ask, int fd, int64_t now_ms)
{
    union request_fields q = {
        .subscribe = {
            .topic = ask->topic, .group = ask->group, .messages = ask->messages, .bytes = LOAN_BYTES_MAX}};
    l->state = LOAN_ASKING;
    l->fd = fd;
    l->asked = true;
    l->ask = *ask;
    l->next_id = ANSWERS_ID;
    l->wait_until_ms = now_ms + ask->wait_ms;
    l->give_up_ms = l->wait_until_ms + LOAN_MS_MAX;
    (void)snprintf(l->topic, sizeof l->topic, "%.*s", (int)ask->topic.size, (const char *)ask->topic.data);
    (void)snprintf(l->group, sizeof l->group, "%.*s", (int)ask->group.size, (const char *)ask->group.data);
    mpack_write_array(&l->messages, 3);
    mpack_write_uint(&l->messages, OP_OK);
    mpack_write_uint(&l->messages, 0);
    l->count_at = mpack_write_array_open(&l->messages);
    hello_write(&l->out, ask->client, login_header_auth(ask->login), false, (struct slice){0});
    memcpy(l->login, ask->login->hash, sizeof l->login);
    loan_say_request(l, &request_subscribe, SUBSCRIBE_ID, &q);
    l->ask.topic = l->ask.group = (struct slice){0};
    l->ask.client = NULL;
    l->ask.login = NULL;
}

void loan_client_gone(struct loan *l, int64_t now_ms)
{
    if (l->state == LOAN_ASKING || l->state == LOAN_SETTLING)
        leave(l, now_ms);
}

void loan_call_done(struct loan *l, bool sent, int64_t now_ms)
{
    l->asked = false;
    mpack_buffer_done(&l->messages);
    if (l->state != LOAN_HANDED)
        return;
    l->state = LOAN_HELD;
    if (sent)
        loan_say_first_started(l, now_ms);
    else
        leave(l, now_ms);
}

bool loan_resolve(struct loan *l, uint64_t token, const struct wire_entry *with, struct loan_answer *answer,
                  int64_t now_ms)
{
    const struct loan_entry *e = l->entries, *end = e + l->entries_count;
    while (e < end && !(e->held && e->seq == with->seq && e->token == token))
        e++;
    if (e == end || l->fd < 0 || (l->state != LOAN_HANDED && l->state != LOAN_HELD))
        return false;
    answer->id = l->next_id++;
    answer->seq = with->seq;
    answer->outcome = (enum wire_outcome)with->outcome;
    answer->extend_ms = with->delay_or_extend;
    answer->until_ms = now_ms + LOAN_MS_MAX;
    answer->next = l->answers;
    l->answers = answer;
    loan_say_entry(l, answer->id, with);
    return true;
}
