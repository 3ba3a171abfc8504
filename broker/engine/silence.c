/* silence: consumers that let a lease run out and are not heard from: who they are, for the log and the
 * metrics and STATS. That they get nothing meanwhile is the dispatcher's (core/silence.c). */
#include "broker/engine/silence.h"
#include "broker/engine/state.h"

#include <stdio.h>

/* One that is slow, and not gone, comes and goes: it is told of once in this time. */
#define TOLD_AGAIN_MS 60000

static int64_t silent_ms(const struct session *s)
{
    int64_t ms = s->engine->mono_ms - holder_heard(s->holder);
    return ms > 0 ? ms : 0;
}

static void tell(const struct session *s, bool silent)
{
    const struct engine *e = s->engine;
    struct consumer_notice notice = {.client = s->client,
                                     .host = s->host,
                                     .peer = s->link->peer,
                                     .silent = silent,
                                     .silent_ms = silent_ms(s),
                                     .mono_ms = e->mono_ms};
    if (e->config.consumer)
        e->config.consumer(e->config.context, &notice);
}

void silence_begins(struct session *s)
{
    int64_t now_ms = s->engine->mono_ms;
    if (s->silence_told || (s->silence_told_ms && now_ms - s->silence_told_ms < TOLD_AGAIN_MS))
        return;
    s->silence_told = true;
    s->silence_told_ms = now_ms;
    tell(s, true);
}

void silence_heard(struct session *s)
{
    if (s->silence_told)
        tell(s, false);
    s->silence_told = false;
    dispatcher_heard(s->engine->dispatcher, s->holder, s->engine->mono_ms);
}

uint32_t silence_list(const struct engine *e, struct snapshot_silent *to, uint32_t most)
{
    uint32_t count = 0;
    for (struct holder *h = dispatcher_silent(e->dispatcher, NULL); h && count < most;
         h = dispatcher_silent(e->dispatcher, h)) {
        const struct session *s = session_of(h);
        struct snapshot_silent *row = &to[count++];
        (void)snprintf(row->client, sizeof row->client, "%s", s->client);
        (void)snprintf(row->host, sizeof row->host, "%s", s->host);
        (void)snprintf(row->peer, sizeof row->peer, "%s", s->link->peer);
        row->silent_ms = silent_ms(s);
    }
    return count;
}

void silence_write(const struct engine *e, struct mpack_buffer *out)
{
    struct snapshot_silent rows[SNAPSHOT_SILENT_MAX];
    uint32_t count = silence_list(e, rows, SNAPSHOT_SILENT_MAX);
    mpack_write_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        mpack_write_map(out, 4);
        mpack_write_cstr(out, "client");
        mpack_write_cstr(out, rows[i].client);
        mpack_write_cstr(out, "host");
        mpack_write_cstr(out, rows[i].host);
        mpack_write_cstr(out, "peer");
        mpack_write_cstr(out, rows[i].peer);
        mpack_write_cstr(out, "silent_ms");
        mpack_write_int(out, rows[i].silent_ms);
    }
}
