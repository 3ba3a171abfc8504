/* request_publish: PUBLISH. The messages stay where the socket left them until the ledger copies them into
 * the store. */
#include "broker/engine/engine_private.h"
#include "proto/errors.h"
#include "proto/names.h"

void request_publish(struct session *s, unsigned op, uint64_t request_id, struct mpack_reader *r)
{
    (void)op; /* one only */
    struct engine *e = s->engine;
    const char *why = NULL;
    struct publish_command p = {.topic = mpack_read_str(r)};
    p.sequence = mpack_read_uint(r);
    p.forget_below = mpack_read_uint(r);
    p.count = mpack_read_array(r);
    if (r->failed)
        return;
    if (s->superseded) {
        gather_flush(e);
        reply_broken(s, request_id, "a newer connection speaks for this producer");
        return;
    }
    int err = name_check(p.topic, &why);
    if (err) {
        gather_flush(e);
        reply_error(s, request_id, err, why);
        return;
    }
    if (p.count == 0 || p.count > FRAME_MESSAGES_MAX) {
        gather_flush(e);
        reply_error(s, request_id, SHUNT_BAD_ARGUMENT,
                    engine_text(e, "a PUBLISH carries 1 to %d messages", FRAME_MESSAGES_MAX));
        return;
    }
    p.messages = (struct slice){r->at, (size_t)(r->end - r->at)};
    if (s->has_producer)
        p.producer = (struct slice){s->producer, PRODUCER_ID_BYTES};
    else
        p.sequence = 0;
    if (e->full)
        p.refusal = SHUNT_NO_SPACE;
    struct command c = {.kind = COMMAND_PUBLISH, .publish = p};
    (void)gather_add(e, &c, PENDING_PUBLISH, s, request_id); /* complete as it is */
}
