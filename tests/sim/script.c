/* script: what clients of every kind say. */
#include "proto/limits.h"
#include "proto/message.h"
#include "tests/sim/sim.h"

#include <string.h>

struct place *sim_place(struct sim *s)
{
    unsigned open[GROUPS_MAX], count = 0;
    for (unsigned i = 0; i < s->places_count; i++) {
        if (s->places[i].confirmed && !s->places[i].deleted)
            open[count++] = i;
    }
    return count ? &s->places[open[dice_below(&s->dice, count)]] : NULL;
}

uint64_t sim_message_digest(struct slice message)
{
    struct mpack_reader r;
    struct message_view v;
    const char *why;
    mpack_read_init(&r, message.data, message.size);
    if (message_read(&r, BODY_BYTES_MAX, &v, &why))
        return sim_digest(message.data, message.size);
    struct slice kind = message_header(&v, "kind");
    uint64_t parts[] = {sim_digest(v.body.data, v.body.size), sim_digest(v.key.data, v.key.size),
                        sim_digest(kind.data, kind.size), (uint64_t)v.ttl_ms};
    return sim_digest(parts, sizeof parts);
}

uint64_t sim_key_digest(struct slice message)
{
    struct mpack_reader r;
    struct message_view v;
    const char *why;
    mpack_read_init(&r, message.data, message.size);
    if (message_read(&r, BODY_BYTES_MAX, &v, &why) || !v.key.size)
        return 0;
    return sim_digest(v.key.data, v.key.size);
}

size_t sim_body(struct sim *s, uint8_t *body)
{
    struct dice *d = &s->dice;
    size_t size = 8 + dice_below(d, dice_once_in(d, 30) ? SIM_BODY_BYTES_MAX - 8 : 120);
    uint64_t number = ++s->body_next, word = number;
    for (size_t i = 0; i < size; i++) {
        body[i] = (uint8_t)word;
        word = word >> 8 ? word >> 8 : (number * 0x9e3779b97f4a7c15ull) ^ i;
    }
    memcpy(body, &number, sizeof number);
    return size;
}

void sim_message(struct sim *s, struct mpack_buffer *to, bool *ret_ttl)
{
    struct dice *d = &s->dice;
    bool delay = dice_once_in(d, 8), ttl = s->plan.ttl && dice_once_in(d, 4);
    bool deadline = s->plan.ttl && dice_once_in(d, 4);
    uint32_t fields = deadline ? 6 : ttl ? 5 : delay ? 4 : (uint32_t)dice_from(d, 1, 3);
    uint8_t body[SIM_BODY_BYTES_MAX];
    mpack_write_array(to, fields);
    mpack_write_bin(to, body, sim_body(s, body));
    if (fields > 1 && dice_once_in(d, 2)) {
        mpack_write_map(to, 1);
        mpack_write_cstr(to, "kind");
        mpack_write_cstr(to, "sim");
    } else if (fields > 1) {
        mpack_write_nil(to);
    }
    if (fields > 2)
        mpack_write_bin(to, &"0123"[s->body_next % SIM_KEYS], 1);
    if (fields > 3)
        mpack_write_uint(to, delay ? dice_below(d, 2000) : 0);
    if (fields > 4)
        mpack_write_uint(to, ttl ? 1 + dice_below(d, 3000) : 0);
    if (fields > 5) /* some have passed on the way */
        mpack_write_uint(to, (uint64_t)(sim_wall_us(s) / 1000) + dice_below(d, 8000));
    *ret_ttl = ttl || deadline;
}
