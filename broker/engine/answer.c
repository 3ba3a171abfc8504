/* answer: what a request is answered with, once it has run: an error with its reason, or OK and the fields
 * that its row of the table names. */
#include "broker/engine/answer.h"
#include "base/check.h"
#include "broker/engine/held.h"
#include "broker/engine/reply.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"
#include "broker/engine/take_up.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/token_text.h"

#include <stdlib.h>

typedef void answer_fn(struct mpack_buffer *out, const struct step *st);

static void job(struct mpack_buffer *out, const struct step *st)
{
    mpack_write_uint(out, st->number);
}

static void job_and_count(struct mpack_buffer *out, const struct step *st)
{
    mpack_write_uint(out, st->number);
    mpack_write_uint(out, st->count);
}

static void count(struct mpack_buffer *out, const struct step *st)
{
    mpack_write_uint(out, st->count);
}

static void clock_error(struct mpack_buffer *out, const struct step *st)
{
    mpack_write_int(out, st->session->engine->clock_error_ms);
}

static int64_t wait_ms_of(const struct step *st, int err)
{
    return err == SHUNT_TOO_MANY && st->wait_ms ? st->wait_ms
                                                : reply_retry_after_ms(st->session->engine, err);
}

static void published(struct mpack_buffer *out, const struct step *st)
{
    mpack_write_uint(out, st->count);
    mpack_write_uint(out, st->number);
    mpack_write_int(out, st->refusal);
    int64_t wait_ms = wait_ms_of(st, st->refusal);
    if (wait_ms)
        mpack_write_int(out, wait_ms);
}

static int by_index(const void *a, const void *b)
{
    const struct refused_entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static void resolved(struct mpack_buffer *out, const struct step *st)
{
    const struct resolving *to = &st->resolving;
    if (to->refused_count)
        qsort(to->refused, to->refused_count, sizeof *to->refused, by_index);
    mpack_write_array(out, to->refused_count * 2);
    for (uint32_t i = 0; i < to->refused_count; i++) {
        mpack_write_uint(out, to->refused[i].index);
        mpack_write_int(out, to->refused[i].code);
    }
}

static void subscribed(struct mpack_buffer *out, const struct step *st)
{
    const struct subscribing *to = &st->subscribing;
    mpack_write_uint(out, to->made->id);
    mpack_write_int(out, to->lease_ms);
    if (to->kept.given)
        kept_write(&to->kept, out);
}

/* The one time that the secret is told. */
static void token(struct mpack_buffer *out, const struct step *st)
{
    struct slice secret = st->command.token.secret;
    char text[TOKEN_TEXT_BYTES + 1];
    check(secret.size == TOKEN_SECRET_BYTES);
    token_text_write(text, st->count, secret.data);
    mpack_write_uint(out, st->count);
    mpack_write_str(out, text, TOKEN_TEXT_BYTES);
    st->session->out_secret = true;
    explicit_bzero(text, sizeof text);
    explicit_bzero((void *)(uintptr_t)secret.data, secret.size); /* the arena's, and this step's alone */
}

static const struct {
    uint32_t fields; /* at least */
    answer_fn *write;
} answers[WIRE_ANSWERS] = {
#define ANSWER(NAME, fields_, text) [ANSWER_##NAME].fields = (fields_),
#include "proto/request.def"
    [ANSWER_JOB].write = job,           [ANSWER_JOB_AND_COUNT].write = job_and_count,
    [ANSWER_COUNT].write = count,       [ANSWER_RULE].write = count,
    [ANSWER_EDIT].write = count,        [ANSWER_TOKEN].write = token,
    [ANSWER_CLOCK].write = clock_error, [ANSWER_PUBLISHED].write = published,
    [ANSWER_RESOLVED].write = resolved, [ANSWER_SUBSCRIBED].write = subscribed,
};

static uint32_t fields_of(const struct step *st)
{
    enum wire_answer answer = st->request->answer;
    bool tokens = answer == ANSWER_SUBSCRIBED && st->subscribing.kept.given;
    bool wait = answer == ANSWER_PUBLISHED && wait_ms_of(st, st->refusal);
    return answers[answer].fields + tokens + wait;
}

void step_answer(const struct step *st)
{
    struct session *s = st->session;
    size_t frame;
    if (st->err == SHUNT_PROTOCOL) {
        reply_broken(s, st->request_id, st->why);
        return;
    }
    if (st->err) {
        reply_error_until(s, st->request_id, st->err, st->why, st->err == SHUNT_TOO_MANY ? st->wait_ms : 0);
        if (!s->greeted) /* a client whose HELLO is refused has to connect again */
            session_close(s);
        return;
    }
    if (!st->request_id) /* no reply is wanted */
        return;
    struct mpack_buffer *out = reply_begin(s, st->request_id, fields_of(st), &frame);
    if (answers[st->request->answer].write)
        answers[st->request->answer].write(out, st);
    frame_end(out, frame);
}
