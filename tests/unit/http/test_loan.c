/* loan: a lease call and its messages, against an engine that is played here; and what workers send. */
#include "broker/http/lease_input.h"
#include "broker/http/loan.h"
#include "broker/http/loan_say.h"

#include "proto/frame.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A loan, the engine's end of its connection, and what was heard. */
struct stage {
    struct loan loan;
    int fd;
    int64_t now_ms;
    unsigned wakes, answer_wakes;
    struct mpack_buffer heard, said;
    size_t heard_at;
};

static void wake(void *context)
{
    ++*(unsigned *)context;
}

static void serve(struct stage *s)
{
    loan_serve(&s->loan, true, s->now_ms);
}

/* The next frame from the loan: its op; its fields are at `r`. 0: there is none. */
static unsigned hear(struct stage *s, uint64_t *ret_id, struct mpack_reader *r)
{
    struct slice payload;
    size_t need;
    const char *why;
    uint8_t bytes[4096];
    ssize_t size = recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size > 0)
        mpack_write_raw(&s->heard, bytes, (size_t)size);
    if (frame_next(s->heard.data + s->heard_at, s->heard.size - s->heard_at, FRAME_BYTES_MAX, &payload, &need,
                   &why) != FRAME_WHOLE)
        return 0;
    s->heard_at += FRAME_HEADER_BYTES + payload.size;
    mpack_read_init(r, payload.data, payload.size);
    (void)mpack_read_array(r);
    unsigned op = (unsigned)mpack_read_uint(r);
    *ret_id = mpack_read_uint(r);
    return op;
}

static void say(struct stage *s)
{
    cr_assert_eq(write(s->fd, s->said.data, s->said.size), (ssize_t)s->said.size);
    s->said.size = 0;
    serve(s);
}

static void say_ok(struct stage *s, uint64_t id)
{
    frame_end(&s->said, frame_begin(&s->said, OP_OK, id, 0));
    say(s);
}

/* An entry of a RESOLVE that was heard, whose answer is told. `code` 0: it had effect. */
static struct wire_entry hear_resolve(struct stage *s, uint64_t *ret_id)
{
    struct request_source from;
    struct wire_entry entry = {0};
    cr_assert_eq(hear(s, ret_id, &from.r), OP_RESOLVE);
    request_source_init(&from);
    cr_assert_eq(mpack_read_uint(&from.r), 7, "the subscription");
    cr_assert_geq(mpack_read_array(&from.r), 1);
    request_read_wire_entry(&from, &entry);
    return entry;
}

static void say_resolved(struct stage *s, uint64_t id, int code)
{
    size_t frame = frame_begin(&s->said, OP_OK, id, 1);
    mpack_write_array(&s->said, code ? 2 : 0);
    if (code) {
        mpack_write_uint(&s->said, 0);
        mpack_write_uint(&s->said, (uint64_t)code);
    }
    frame_end(&s->said, frame);
    say(s);
}

static void say_delivered(struct stage *s, uint64_t first, unsigned count)
{
    size_t frame = frame_begin(&s->said, OP_DELIVER, 0, 2);
    mpack_write_uint(&s->said, 7);
    mpack_write_array(&s->said, count);
    for (unsigned i = 0; i < count; i++) {
        mpack_write_array(&s->said, 8);
        mpack_write_uint(&s->said, first + i);
        mpack_write_uint(&s->said, 100 + first + i);
        for (int k = 0; k < 4; k++)
            mpack_write_uint(&s->said, 1);
        mpack_write_uint(&s->said, 1000);
        mpack_write_array(&s->said, 1);
        mpack_write_bin(&s->said, "b", 1);
    }
    frame_end(&s->said, frame);
    say(s);
}

/* It is subscribed, and has looked once. */
static void begin(struct stage *s, int64_t wait_ms, int64_t lease_ms)
{
    int ends[2];
    uint64_t id;
    struct mpack_reader r;
    *s = (struct stage){.loan = {.number = 3, .serial = 0xab, .fd = -1}, .now_ms = 1000};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    s->fd = ends[1];
    static const struct login_header nobody;
    const struct loan_ask ask = {.topic = {"t", 1},
                                 .group = {"g", 1},
                                 .messages = 3,
                                 .wait_ms = wait_ms,
                                 .lease_ms = lease_ms,
                                 .client = "http x",
                                 .login = &nobody,
                                 .http_fd = -1,
                                 .wake = wake,
                                 .context = &s->wakes};
    loan_begin(&s->loan, &ask, ends[0], s->now_ms);
    serve(s);
    cr_assert_eq(hear(s, &id, &r), OP_HELLO);
    cr_assert_eq(hear(s, &id, &r), OP_SUBSCRIBE);
    cr_assert(slice_is(mpack_read_str(&r), "t") && slice_is(mpack_read_str(&r), "g"));
    cr_assert_eq(mpack_read_uint(&r), 3);
    size_t frame = frame_begin(&s->said, OP_OK, id, 2);
    mpack_write_uint(&s->said, 7);
    mpack_write_uint(&s->said, 1000);
    frame_end(&s->said, frame);
    say(s);
    cr_assert_eq(hear(s, &id, &r), OP_PING);
    say_ok(s, id);
}

/* Messages from `first` on are with its client. */
static void hand_over(struct stage *s, uint64_t first, unsigned count)
{
    uint64_t id;
    struct mpack_reader r;
    say_delivered(s, first, count);
    cr_assert_eq(s->loan.state, LOAN_SETTLING);
    cr_assert_eq(hear(s, &id, &r), OP_CREDIT);
    cr_assert_eq(s->wakes, 0, "more may be on their way");
    say_ok(s, id);
}

static void end(struct stage *s)
{
    loan_call_done(&s->loan, false, s->now_ms);
    loan_end(&s->loan, SHUNT_SHUTTING_DOWN, "");
    loan_free(&s->loan);
    mpack_buffer_done(&s->heard);
    mpack_buffer_done(&s->said);
    (void)close(s->fd); /* nothing is lost */
}

static bool answer(struct stage *s, uint64_t seq, enum wire_outcome outcome, int64_t ms,
                   struct loan_answer *to)
{
    const struct wire_entry entry = {
        .seq = seq, .token = 100 + seq, .outcome = (uint8_t)outcome, .delay_or_extend = ms};
    *to = (struct loan_answer){.magic = LOAN_ANSWER_MAGIC, .wake = wake, .context = &s->answer_wakes};
    bool ok = loan_resolve(&s->loan, 100 + seq, &entry, to, s->now_ms);
    serve(s);
    return ok;
}

/* The next frame says that this message is started. */
static void expect_started(struct stage *s, uint64_t seq)
{
    uint64_t id;
    struct mpack_reader r;
    cr_assert_eq(hear(s, &id, &r), OP_STARTED);
    (void)mpack_read_uint(&r);
    cr_assert_eq(mpack_read_array(&r), 2);
    cr_assert_eq(mpack_read_uint(&r), seq);
    cr_assert_eq(mpack_read_uint(&r), 100 + seq);
}

static void expect_silence(struct stage *s)
{
    uint64_t id;
    struct mpack_reader r;
    serve(s);
    cr_assert_eq(hear(s, &id, &r), 0);
}

Test(loan, messages_are_started_one_after_the_other_once_they_are_sent)
{
    struct stage s;
    struct loan_answer a;
    uint64_t id;
    struct mpack_reader r;
    begin(&s, 60000, 0);
    hand_over(&s, 1, 2);
    cr_assert_eq(s.wakes, 1);
    cr_assert_eq(s.loan.state, LOAN_HANDED);
    expect_silence(&s);
    loan_call_done(&s.loan, true, s.now_ms);
    serve(&s);
    expect_started(&s, 1);
    expect_silence(&s);
    cr_assert(answer(&s, 1, OUTCOME_ACK, -1, &a));
    cr_assert_eq(hear_resolve(&s, &id).seq, 1);
    cr_assert_eq(s.answer_wakes, 0);
    say_resolved(&s, id, 0);
    cr_assert_eq(s.answer_wakes, 1);
    cr_assert(problem_is_none(&a.problem));
    expect_started(&s, 2);
    cr_assert_not(answer(&s, 1, OUTCOME_ACK, -1, &a), "it is answered");
    cr_assert(answer(&s, 2, OUTCOME_NACK, 0, &a));
    (void)hear_resolve(&s, &id);
    say_resolved(&s, id, SHUNT_STALE);
    cr_assert_eq(a.problem.err, SHUNT_STALE);
    serve(&s);
    cr_assert_eq(hear(&s, &id, &r), OP_GOODBYE, "it holds nothing");
    end(&s);
}

Test(loan, what_could_not_be_sent_is_given_back)
{
    struct stage s;
    uint64_t id;
    struct mpack_reader r;
    begin(&s, 60000, 0);
    hand_over(&s, 1, 1);
    loan_call_done(&s.loan, false, s.now_ms);
    serve(&s);
    cr_assert_eq(hear(&s, &id, &r), OP_GOODBYE);
    end(&s);
}

Test(loan, a_client_that_goes_away_while_it_waits_gets_nothing)
{
    struct stage s;
    uint64_t id;
    struct mpack_reader r;
    begin(&s, 60000, 0);
    say_delivered(&s, 1, 1); /* and goes before no more come */
    loan_client_gone(&s.loan, s.now_ms);
    serve(&s);
    cr_assert_eq(hear(&s, &id, &r), OP_CREDIT);
    cr_assert_eq(hear(&s, &id, &r), OP_GOODBYE);
    cr_assert_eq(s.wakes, 1);
    cr_assert_eq(s.loan.state, LOAN_LEAVING);
    say_delivered(&s, 2, 1);
    cr_assert_eq(hear_resolve(&s, &id).outcome, OUTCOME_RELEASE, "what comes too late is given back");
    end(&s);
}

Test(loan, nothing_comes_until_the_wait_is_over)
{
    struct stage s;
    uint64_t id;
    struct mpack_reader r;
    begin(&s, 500, 0);
    cr_assert_eq(loan_until_ms(&s.loan), 1500);
    s.now_ms = 1499;
    expect_silence(&s);
    cr_assert_eq(s.wakes, 0);
    s.now_ms = 1500;
    serve(&s);
    cr_assert_eq(hear(&s, &id, &r), OP_GOODBYE);
    cr_assert_eq(s.wakes, 1);
    cr_assert(problem_is_none(&s.loan.problem));
    end(&s);
}

Test(loan, a_lease_of_its_own_is_asked_for_and_begins_again_with_the_mark)
{
    struct stage s;
    uint64_t id;
    begin(&s, 60000, 5000);
    hand_over(&s, 1, 2);
    struct wire_entry entry = hear_resolve(&s, &id);
    cr_assert_eq(entry.outcome, OUTCOME_EXTEND);
    cr_assert_eq(entry.delay_or_extend, 5000);
    cr_assert_eq(s.wakes, 0);
    say_resolved(&s, id, 0);
    cr_assert_eq(s.wakes, 1);
    s.now_ms += 100;
    loan_call_done(&s.loan, true, s.now_ms);
    serve(&s);
    expect_started(&s, 1);
    cr_assert_eq(hear_resolve(&s, &id).delay_or_extend, 5000);
    end(&s);
}

Test(loan, a_lease_that_is_over_ends_it_without_a_goodbye)
{
    struct stage s;
    struct loan_answer a;
    begin(&s, 60000, 0);
    hand_over(&s, 1, 2);
    loan_call_done(&s.loan, true, s.now_ms);
    serve(&s);
    expect_started(&s, 1);
    s.now_ms = 1000 + 1000 + LOAN_GRACE_MS - 1;
    expect_silence(&s);
    cr_assert_eq(s.loan.held, 2);
    s.now_ms++;
    expect_silence(&s);
    cr_assert_eq(s.loan.fd, -1, "the engine has judged it, or judges a lost connection");
    cr_assert_not(answer(&s, 2, OUTCOME_ACK, -1, &a));
    end(&s);
}

Test(loan, an_error_is_the_problem_of_the_call_and_an_end_that_of_answers)
{
    struct stage s;
    struct loan_answer a;
    begin(&s, 60000, 0);
    size_t frame = frame_begin(&s.said, OP_CLOSED, 0, 3);
    mpack_write_uint(&s.said, 7);
    mpack_write_uint(&s.said, SHUNT_UNKNOWN_TOPIC);
    mpack_write_cstr(&s.said, "it was deleted");
    frame_end(&s.said, frame);
    say(&s);
    cr_assert_eq(s.wakes, 1);
    cr_assert_eq(s.loan.problem.err, SHUNT_UNKNOWN_TOPIC);
    cr_assert_str_eq(s.loan.problem.detail, "it was deleted");
    end(&s);

    begin(&s, 60000, 0);
    hand_over(&s, 1, 1);
    loan_call_done(&s.loan, true, s.now_ms);
    cr_assert(answer(&s, 1, OUTCOME_ACK, -1, &a));
    cr_assert_eq(shutdown(s.fd, SHUT_RDWR), 0);
    serve(&s);
    cr_assert_eq(a.problem.err, SHUNT_DISCONNECTED);
    end(&s);

    begin(&s, 60000, 0);
    hand_over(&s, 1, 1);
    loan_call_done(&s.loan, true, s.now_ms);
    cr_assert(answer(&s, 1, OUTCOME_ACK, -1, &a));
    s.now_ms += LOAN_MS_MAX;
    serve(&s);
    cr_assert_eq(a.problem.err, SHUNT_TIMEOUT, "the engine did not answer");
    end(&s);
}

Test(loan, no_more_than_its_bound_are_taken)
{
    struct stage s;
    uint64_t id;
    struct mpack_reader r;
    begin(&s, 60000, 0);
    say_delivered(&s, 1, LOAN_MESSAGES_MAX + 1);
    cr_assert_eq(s.loan.held, LOAN_MESSAGES_MAX);
    cr_assert_eq(hear_resolve(&s, &id).seq, LOAN_MESSAGES_MAX + 1);
    cr_assert_eq(hear(&s, &id, &r), OP_CREDIT);
    end(&s);
}

Test(loan, a_token_is_read_as_it_was_written_and_nothing_else_is)
{
    static const char *const wrong[] = {"",
                                        ".",
                                        "1.2.3",
                                        "1.2.3.",
                                        "1.2.3.4.",
                                        "1.2.3.4 ",
                                        "1..3.4",
                                        "1.2.3.g",
                                        "1.2.3.F",
                                        "-1.2.3.4",
                                        "100000000.2.3.4",
                                        "1.10000000000000000.3.4",
                                        "1.2.10000000000000000.4",
                                        "0x1.2.3.4"};
    const struct loan l = {.number = 127, .serial = UINT64_MAX - 2};
    const struct loan_entry e = {.seq = UINT64_MAX, .token = UINT64_MAX - 1};
    char text[LOAN_TOKEN_BYTES];
    uint32_t number;
    uint64_t serial, seq, token;
    loan_token_write(&l, &e, text);
    cr_assert(loan_token_read(text, &number, &serial, &seq, &token), "%s", text);
    cr_assert(number == 127 && serial == UINT64_MAX - 2 && seq == UINT64_MAX && token == UINT64_MAX - 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(loan_token_read(wrong[i], &number, &serial, &seq, &token), "%s", wrong[i]);
}

Test(lease_input, members_become_an_entry_with_their_bounds)
{
    struct lease_input input;
    struct problem p = {0};
    json_t *all = lease_input_read(API_LEASE, (struct slice){0}, &input, &p);
    cr_assert(all && input.messages == 1 && input.wait_ms == 0 && input.lease_ms == 0);
    json_decref(all);
    all = lease_input_read(API_NACK,
                           slice_of("{\"token\":\"x\",\"delay_ms\":0,\"error_type\":\"E\",\"error_stack\":"
                                    "null,\"fingerprint\":\"f\"}"),
                           &input, &p);
    cr_assert(all && input.entry.outcome == OUTCOME_NACK && input.entry.delay_or_extend == 0);
    cr_assert(slice_is(input.entry.error_type, "E") && slice_is(input.entry.fingerprint, "f") &&
              !input.entry.error_stack.data);
    cr_assert_str_eq(input.token, "x");
    json_decref(all);
    all = lease_input_read(API_NACK, slice_of("{\"token\":\"x\"}"), &input, &p);
    cr_assert(all && input.entry.delay_or_extend == -1, "left out is the group's back-off");
    json_decref(all);
    static const struct {
        enum api_what what;
        const char *body;
    } wrong[] = {{API_LEASE, "{\"messages\":101}"},
                 {API_LEASE, "{\"wait_ms\":60001}"},
                 {API_LEASE, "[]"},
                 {API_LEASE, "{\"token\":\"x\"}"},
                 {API_ACK, "{}"},
                 {API_ACK, "{\"token\":\"x\",\"delay_ms\":1}"},
                 {API_EXTEND, "{\"token\":\"x\"}"},
                 {API_REJECT, "{\"token\":\"x\",\"delay_ms\":1}"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct problem q = {0};
        cr_assert_null(lease_input_read(wrong[i].what, slice_of(wrong[i].body), &input, &q), "%s",
                       wrong[i].body);
        cr_assert_not(problem_is_none(&q));
    }
}
