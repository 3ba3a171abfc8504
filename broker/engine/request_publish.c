/* request_publish: PUBLISH. The messages stay where the socket left them until the ledger copies them into
 * the store. */
#include "broker/engine/collect.h"
#include "broker/engine/divide.h"
#include "broker/engine/reply.h"
#include "broker/engine/requests.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/message.h"
#include "proto/names.h"

/* Read all messages while nothing of what follows them has been done: a frame of the wrong shape ends its
 * connection there and then. A limit that one breaks is the ledger's to refuse, because a frame that was answered
 * before gets that answer again. Returns PROTOCOL and why, or 0, how many have a time of their own, and whether one has a key. */
static int read_messages(struct engine *e, struct publish_command *p, uint64_t *ret_timed, bool *ret_keyed,
                         const char **ret_why)
{
    struct mpack_reader r;
    struct message_view m;
    mpack_read_init(&r, p->messages.data, p->messages.size);
    p->checked = true;
    size_t key_bytes = 0;
    *ret_timed = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const char *why = NULL;
        int err = message_read_new(&r, e->config.limits.max_body_bytes, &m, &why);
        if (err == SHUNT_PROTOCOL) {
            *ret_why = engine_text(e, "message %u: %s", i, why);
            return err;
        }
        p->checked &= !err;
        *ret_timed += !err && message_is_timed(&m);
        key_bytes |= m.key.size;
    }
    *ret_keyed = key_bytes != 0;
    return 0;
}

static int check_fields(const struct session *s, const struct publish_command *p, const char **ret_why)
{
    int err = name_check(p->topic, ret_why);
    if (err)
        return err;
    if (!p->count) {
        *ret_why = engine_text(s->engine, "a PUBLISH carries 1 to %d messages", FRAME_MESSAGES_MAX);
        return SHUNT_BAD_ARGUMENT;
    }
    /* Taken without the protection that its client believes in, it could be stored twice. */
    if (p->sequence && !s->has_producer) {
        *ret_why = "a sequence needs a producer, which HELLO did not name; without one it is 0";
        return SHUNT_BAD_ARGUMENT;
    }
    return 0;
}

/* So few messages are looked at for the groups that they go to only when the ledger applies them. */
#define FEW_MESSAGES 16

/* It needs not be divided, or is refused as a whole: a message breaks a limit. */
static bool fits(const struct session *s, const struct publish_command *p, uint64_t timed)
{
    if (s->division.begun)
        return false;
    if (!p->checked || p->count == 1)
        return true;
    uint64_t rows = (uint64_t)p->count * ROWS_OF_MESSAGE + p->messages.size / ROWS_BYTES;
    if (timed || p->count > FEW_MESSAGES)
        rows += ledger_timed_rows(s->engine->ledger, p->topic, p->count, timed);
    return rows <= share_left(s);
}

int make_publish(struct session *s, const union request_fields *fields, struct step *ret)
{
    const struct publish_request *q = &fields->publish;
    struct publish_command *p = &ret->command.publish;
    uint64_t timed = 0;
    if (s->superseded) {
        ret->why = "a newer connection speaks for this producer";
        return SHUNT_PROTOCOL;
    }
    p->topic = q->topic;
    p->sequence = q->sequence;
    p->forget_below = q->forget_below;
    p->count = q->messages.count;
    p->messages = q->messages.bytes;
    int err = s->division.begun ? 0 : read_messages(s->engine, p, &timed, &ret->keyed, &ret->why);
    if (err)
        return err;
    ret->rows = (uint64_t)p->count * ROWS_OF_MESSAGE + timed * ROWS_OF_TIMED;
    err = s->division.begun ? 0 : check_fields(s, p, &ret->why);
    if (err)
        return err;
    ret->keyed |= s->division.begun; /* it is looked at again */
    if (!fits(s, p, timed))
        ret->rows = divide_publish(s, p);
    if (s->has_producer)
        p->producer = (struct slice){s->producer, PRODUCER_ID_BYTES};
    ret->more = p->more;
    return 0;
}

void run_publish(struct engine *e, struct step *st)
{
    if (e->room.fullness >= STORE_FULL)
        st->command.publish.refusal = SHUNT_NO_SPACE;
    else if (st->wait_ms)
        st->command.publish.refusal = SHUNT_TOO_MANY;
    collect_command(e, &st->command, st);
}

void look_producer(struct engine *e, struct step *st)
{
    struct session *s = st->session;
    struct view v = transaction_view(e);
    struct answer a = answer_begin(s, st->request_id, FIELDS_OF_PRODUCER);
    int err = s->has_producer ? view_producer(&v, (struct slice){s->producer, PRODUCER_ID_BYTES}, a.out)
                              : SHUNT_BAD_ARGUMENT;
    answer_end(s, st->request_id, &a, err, s->has_producer ? NULL : "HELLO named no producer");
}
