/* move: a dead letter becomes a message of another topic.
 *
 * The copy is a new message: of its own number, at once, with the whole of its time to live. It says where it came from in a
 * header, and that stays, however often it is moved. The letter ends in the same batch, for its group and for all who read its
 * queue. So neither is ever there without the other, or twice.
 */
#include "base/check.h"
#include "broker/core/view_put.h"

#define NAME_ROOM (TOPIC_BYTES_MAX + 32)

/* ---- the copy ---- */

/* Its entries, without what says how many there are. */
static struct slice entries_of(struct slice headers)
{
    struct mpack_reader r;
    if (!headers.size)
        return headers;
    mpack_read_init(&r, headers.data, headers.size);
    (void)mpack_read_map(&r);
    return (struct slice){r.at, (size_t)(r.end - r.at)};
}

/* As they were, and the origin, unless they have one or are so many that it has no room. */
static void write_headers(const struct message_view *m, struct slice origin, struct mpack_buffer *to)
{
    struct slice entries = entries_of(m->headers);
    size_t more = sizeof ORIGIN_HEADER + origin.size + 8;
    bool tells = !message_header(m, ORIGIN_HEADER).data && m->headers_count < HEADERS_MAX &&
                 m->headers.size + more <= HEADERS_BYTES_MAX &&
                 m->whole.size - m->body.size + more <= MESSAGE_EXTRA_BYTES_MAX;
    mpack_write_map(to, m->headers_count + tells);
    mpack_write_raw(to, entries.data, entries.size);
    if (tells) {
        mpack_write_cstr(to, ORIGIN_HEADER);
        mpack_write_str(to, origin.data, origin.size);
    }
}

/* Whatever a later version has put behind what is known stays. */
static void write_copy(const struct message_view *m, struct slice origin, bool keep_deadline,
                       struct mpack_buffer *to)
{
    struct mpack_reader r;
    mpack_read_init(&r, m->whole.data, m->whole.size);
    uint32_t fields = mpack_read_array(&r);
    mpack_write_array(to, fields < 2 ? 2 : fields);
    for (uint32_t i = 0; i < fields || i < 2; i++) {
        struct slice field = i < fields ? mpack_read_any(&r) : (struct slice){0};
        if (i == 1)
            write_headers(m, origin, to);
        else if (i == 3)
            mpack_write_uint(to, 0); /* its delay is over */
        else if (i == 5 && !keep_deadline)
            mpack_write_uint(to, 0);
        else
            mpack_write_raw(to, field.data, field.size);
    }
}

/* fails: CORRUPT, NO_MEMORY */
static int copy(const struct loaded_message *m, struct slice origin, bool keep_deadline,
                struct mpack_buffer *to, struct message_view *ret)
{
    struct mpack_reader r;
    const char *why;
    mpack_read_init(&r, m->message.data, m->message.size);
    if (m->corrupt || message_read(&r, BODY_BYTES_MAX, ret, &why) != 0)
        return SHUNT_CORRUPT;
    write_copy(ret, origin, keep_deadline, to);
    if (to->failed)
        return SHUNT_NO_MEMORY;
    mpack_read_init(&r, to->data, to->size);
    check(message_read(&r, BODY_BYTES_MAX, ret, &why) == 0);
    return 0;
}

/* ---- moving ---- */

int move_refused(const struct group *g, const struct topic *to, const char **ret_why)
{
    *ret_why = NULL;
    if (to == g->topic) {
        *ret_why =
            "letters that stay in their topic go back to their group; name another topic to move them to";
        return SHUNT_BAD_ARGUMENT;
    }
    if (!to)
        *ret_why = "the topic that the letters are to go to is not there; create it first";
    else if (to->r.origin_group)
        *ret_why = "dead letters are not moved to a dead-letter queue; name another topic";
    return !to ? SHUNT_UNKNOWN_TOPIC : to->r.origin_group ? SHUNT_RESERVED : 0;
}

static struct slice write_name(char to[NAME_ROOM], const char *topic, uint64_t seq)
{
    return (struct slice){to, view_name(to, topic, seq)};
}

/* In: the letter is there. `m`: its copy. */
static int put_copy(struct ledger *l, struct topic *dlq, uint64_t dead_seq, struct topic *to,
                    const struct message_view *m, int *ret_refusal)
{
    char name[NAME_ROOM];
    uint64_t seq;
    bool found;
    int err = publish_one(l, to, m, ledger_remove_cost(dlq), ret_refusal, &seq);
    if (err || *ret_refusal)
        return err;
    l->moved_to = write_name(name, to->r.name, seq);
    err = dead_remove(l, dlq, dead_seq, DONE_MOVED, &found);
    l->moved_to = (struct slice){0};
    check(err || found);
    return err;
}

int dead_move(struct ledger *l, struct topic *dlq, uint64_t dead_seq, struct slice to, bool keep_deadline,
              int *ret_refusal)
{
    const struct group *g = catalog_group_by_id(l, dlq->r.origin_group);
    struct topic *t = ledger_topic(l, to);
    struct mpack_buffer bytes = {0};
    struct loaded_message m;
    struct message_view whole;
    char origin[NAME_ROOM];
    const char *why;
    check(g);
    *ret_refusal = move_refused(g, t, &why);
    if (*ret_refusal)
        return 0;
    int err = message_load(l, dlq, dead_seq, true, &m);
    if (err)
        return err;
    ledger_looked(l, m.bytes);
    err = m.dead.origin_seq ? copy(&m, write_name(origin, g->topic->r.name, m.dead.origin_seq), keep_deadline,
                                   &bytes, &whole)
                            : SHUNT_NOT_FOUND;
    if (!err)
        err = put_copy(l, dlq, dead_seq, t, &whole, ret_refusal);
    mpack_buffer_done(&bytes);
    if (err != SHUNT_NOT_FOUND && err != SHUNT_CORRUPT)
        return err;
    *ret_refusal = err;
    return 0;
}
