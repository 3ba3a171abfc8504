/* gate_world: see gate_world.h. */
#include "tests/unit/engine/gate_world.h"
#include "proto/errors.h"
#include "proto/frame.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ID 77

void gate_start(struct world *w)
{
    world_start(w, &(struct engine_config){.limits = {.unsent_bytes_max = 1 << 20, .max_topics = 100}});
}

void gate_apply(struct world *w, const struct command *c)
{
    uint64_t before = ledger_index(w->engine->ledger);
    steps_add(w->engine, STEP_COMMAND, NULL)->command = *c;
    world_turn(w);
    cr_assert_neq(ledger_index(w->engine->ledger), before, "it changed nothing");
}

void gate_grant(struct world *w, const char *user, const struct grant *grants, uint32_t count)
{
    const struct command c = {
        .kind = COMMAND_USER_SET,
        .user = {.name = slice_of(user), .given = USER_GRANTS, .grants = grants, .grants_count = count}};
    gate_apply(w, &c);
}

void gate_grant_one(struct world *w, const char *user, const char *pattern, uint32_t rights)
{
    const struct grant g = {.pattern = slice_of(pattern), .rights = rights};
    gate_grant(w, user, &g, rights != 0);
}

void gate_disable(struct world *w, const char *user)
{
    const struct command c = {.kind = COMMAND_USER_SET,
                              .user = {.name = slice_of(user), .given = USER_DISABLED, .disabled = true}};
    gate_apply(w, &c);
}

void gate_delete(struct world *w, const char *user)
{
    const struct command c = {.kind = COMMAND_USER_DELETE, .identity.name = slice_of(user)};
    gate_apply(w, &c);
}

void gate_login(struct world *w, unsigned link, const char *user)
{
    const struct user *u = ledger_user(w->engine->ledger, slice_of(user));
    struct who *who = &w->links[link]->session->who;
    cr_assert(u, "there is no user %s", user);
    *who = (struct who){.how = WHO_PASSWORD, .id = u->id};
    memcpy(who->user, user, strlen(user) + 1);
    w->links[link]->session->gate = (struct gate_memo){0}; /* as of a new connection */
}

void gate_logout(struct world *w, unsigned link)
{
    w->links[link]->session->who = (struct who){.how = WHO_ANYBODY};
}

struct heard gate_heard(struct world *w, unsigned link, size_t before, uint64_t op, uint64_t id)
{
    struct heard heard = {0};
    const uint8_t *at = w->told[link].data + before, *end = w->told[link].data + w->told[link].size;
    while (at < end) {
        struct mpack_reader r;
        uint32_t size = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        mpack_read_init(&r, at + 4, size);
        (void)mpack_read_array(&r);
        uint64_t is = mpack_read_uint(&r);
        bool mine = mpack_read_uint(&r) == id && (!op || op == is);
        if (mine && !heard.op) {
            heard.op = is;
            heard.body = (struct slice){r.at, (size_t)(at + 4 + size - r.at)};
            if (is == OP_CLOSED)
                (void)mpack_read_uint(&r); /* which subscription */
            if (is == OP_ERROR || is == OP_CLOSED)
                heard.code = mpack_read_uint(&r);
            if (is == OP_ERROR)
                (void)mpack_read_str(&r); /* its name */
            if (is == OP_ERROR || is == OP_CLOSED) {
                struct slice text = mpack_read_str(&r);
                cr_assert_lt(text.size, sizeof heard.text);
                slice_copy(heard.text, text);
            }
            cr_assert_not(r.failed);
        }
        at += 4 + size;
    }
    return heard;
}

struct heard gate_send(struct world *w, unsigned link, struct mpack_buffer *frame)
{
    size_t before = w->told[link].size;
    post_frame(w, w->links[link], frame, NULL);
    world_turn(w);
    world_turn(w);
    read_all(w, w->links[link]);
    return gate_heard(w, link, before, 0, ID);
}

struct heard gate_request(struct world *w, unsigned link, unsigned op, const char *topic, const char *group)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, (enum wire_op)op, ID, (topic != NULL) + (group != NULL));
    if (topic)
        mpack_write_cstr(&frame, topic);
    if (group)
        mpack_write_cstr(&frame, group);
    frame_end(&frame, at);
    return gate_send(w, link, &frame);
}

/* ---- requests and answers in parts ---- */

void gate_put_map(struct mpack_buffer *to, const char *key, const char *value, const char *key2,
                  const char *value2)
{
    mpack_write_map(to, key2 ? 2 : 1);
    mpack_write_cstr(to, key);
    mpack_write_cstr(to, value);
    if (key2) {
        mpack_write_cstr(to, key2);
        mpack_write_cstr(to, value2);
    }
}

void gate_die_one(struct world *w)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_UPDATE, 77, 2);
    mpack_write_cstr(&frame, "t");
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, "ttl_ms");
    mpack_write_uint(&frame, 1000);
    frame_end(&frame, at);
    cr_assert_eq(gate_send(w, 0, &frame).op, OP_OK);
    publish(w, w->links[0], 1, 1);
    w->now_ms += 5000;
    world_turn(w);
    world_turn(w);
    cr_assert_eq(view_sums(w->engine->ledger)->dead, 1);
}

uint64_t gate_first_number(const struct heard *heard)
{
    struct mpack_reader r;
    cr_assert_eq(heard->op, OP_OK, "%s", heard->text);
    mpack_read_init(&r, heard->body.data, heard->body.size);
    return mpack_read_uint(&r);
}

uint64_t gate_rows(const struct heard *heard)
{
    struct mpack_reader r;
    cr_assert_eq(heard->op, OP_OK, "%s", heard->text);
    mpack_read_init(&r, heard->body.data, heard->body.size);
    return mpack_read_array(&r);
}

uint64_t gate_number(const struct heard *heard, const char *key)
{
    struct mpack_reader r;
    cr_assert_eq(heard->op, OP_OK, "%s", heard->text);
    mpack_read_init(&r, heard->body.data, heard->body.size);
    uint32_t count = mpack_read_map(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        if (slice_is(mpack_read_str(&r), key))
            return mpack_read_uint(&r);
        (void)mpack_read_any(&r);
    }
    cr_assert_fail("no %s", key);
    return 0;
}

const char *gate_in_row(const struct heard *heard, uint32_t row, const char *key)
{
    static char text[256];
    struct mpack_reader r;
    mpack_read_init(&r, heard->body.data, heard->body.size);
    cr_assert_gt(mpack_read_array(&r), row);
    for (; row; row--)
        (void)mpack_read_any(&r);
    uint32_t count = mpack_read_map(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        if (!slice_is(mpack_read_str(&r), key)) {
            (void)mpack_read_any(&r);
            continue;
        }
        if (mpack_read_is_nil(&r))
            return "";
        if (mpack_peek(&r) == MPACK_INT) {
            (void)snprintf(text, sizeof text, "%llu", (unsigned long long)mpack_read_uint(&r));
        } else {
            struct slice s = mpack_read_str(&r);
            (void)snprintf(text, sizeof text, "%.*s", (int)s.size, (const char *)s.data);
        }
        return text;
    }
    return "none";
}
