/* take_up: deliveries of an earlier connection that a consumer still works on, and goes on with. What waits,
 * and went to nobody else since, is its own again, under a new token. */
#include "broker/engine/take_up.h"
#include "broker/engine/collect.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

void kept_make(struct session *s, const struct wire_list *list, struct kept *ret)
{
    struct arena *a = &s->engine->arena;
    struct mpack_reader r;
    *ret = (struct kept){.given = list->bytes.data, .count = list->count};
    if (!ret->given)
        return;
    ret->names = arena_room(a, (ret->count + 1) * sizeof *ret->names);
    ret->started = arena_room(a, (ret->count + 1) * sizeof *ret->started);
    ret->tokens = arena_room(a, (ret->count + 1) * sizeof *ret->tokens);
    if (!ret->names || !ret->started || !ret->tokens)
        engine_die(s->engine, SHUNT_NO_MEMORY, "no memory for a SUBSCRIBE");
    mpack_read_init(&r, list->bytes.data, list->bytes.size);
    for (uint32_t i = 0; i < ret->count; i++) {
        uint64_t seq = mpack_read_uint(&r), token = mpack_read_uint(&r);
        ret->names[i] = (struct delivery_name){seq, token};
        ret->started[i] = mpack_read_bool(&r);
        ret->tokens[i] = 0;
    }
}

void kept_taken_up(struct engine *e, struct step *st, uint32_t entry, const struct handout *h)
{
    const struct subscribing *to = &st->subscribing;
    int err = dispatcher_take_up(e->dispatcher, to->made->member, h->seq, h->token, h->message.size,
                                 h->lease_ms, to->kept.started[entry], e->mono_ms, e->wall_ms);
    if (err)
        engine_die(e, err, "no lease for a message taken up again");
    to->kept.tokens[entry] = h->token;
    e->room.leases_more -= e->room.leases_more > 0;
    e->turn_messages++;
}

bool kept_take_up(struct engine *e, struct step *st)
{
    const struct subscribing *to = &st->subscribing;
    uint64_t room = dispatcher_take_up_room(e->dispatcher, to->made->member);
    room = room < e->room.leases_more ? room : e->room.leases_more;
    uint32_t count = to->kept.count < room ? to->kept.count : (uint32_t)room;
    if (!count || e->room.fullness >= STORE_HELD) /* nothing is in flight again whose end might not fit */
        return false;
    const struct command c = {
        .kind = COMMAND_TAKE_UP,
        .take_up = {.group = member_group(to->made->member), .entries = to->kept.names, .count = count}};
    collect_command(e, &c, st);
    return true;
}

void kept_write(const struct kept *kept, struct mpack_buffer *out)
{
    mpack_write_array(out, kept->count);
    for (uint32_t i = 0; i < kept->count; i++)
        mpack_write_uint(out, kept->tokens[i]);
}
