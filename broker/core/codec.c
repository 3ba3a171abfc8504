/* codec: fields of a record that are no integers, both ways. */
#include "broker/core/codec.h"

void codec_u8(struct codec *c, uint8_t *v)
{
    uint8_t *p = codec_take(c, 1);
    if (!p)
        return;
    if (c->writing)
        *p = *v;
    else
        *v = *p;
}

void codec_choice(struct codec *c, unsigned *v, unsigned count)
{
    uint8_t byte = c->writing ? (uint8_t)*v : 0; /* a reader's place may hold anything yet */
    codec_u8(c, &byte);
    if (byte >= count)
        c->failed = true;
    else
        *v = byte;
}

void codec_bool(struct codec *c, bool *v)
{
    unsigned u = c->writing ? *v : 0;
    codec_choice(c, &u, 2);
    *v = u != 0;
}

void codec_bytes(struct codec *c, void *v, size_t size)
{
    uint8_t *p = codec_take(c, size);
    if (!p)
        return;
    if (c->writing)
        memcpy(p, v, size);
    else
        memcpy(v, p, size);
}

void codec_slice(struct codec *c, struct slice *v)
{
    uint32_t size = (uint32_t)v->size;
    codec_u32(c, &size);
    uint8_t *p = codec_take(c, size);
    if (!p)
        return;
    if (!c->writing)
        *v = (struct slice){p, size};
    else if (size)
        memcpy(p, v->data, size);
}

void codec_text(struct codec *c, char *v, size_t room)
{
    struct slice s = {v, c->writing ? strlen(v) : 0};
    codec_slice(c, &s);
    if (c->writing || c->failed)
        return;
    if (s.size >= room || memchr(s.data, 0, s.size)) {
        c->failed = true;
        return;
    }
    memcpy(v, s.data, s.size);
    v[s.size] = 0;
}
