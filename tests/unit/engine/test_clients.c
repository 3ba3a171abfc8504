/* test_clients: what CLIENT_LIST shows of the engine's connections, and where its pages end. */
#include "broker/engine/subscription.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- the roster ---- */

enum { ROSTER = 400 };

/* Any pointers that are told apart: a roster does not look into them. */
static struct session *session(char *at)
{
    return (struct session *)(void *)at;
}

Test(roster, goes_on_behind_every_number_whoever_has_left)
{
    struct roster r = {0};
    char at[ROSTER];
    bool there[ROSTER + 2] = {false};
    uint64_t number;
    uint32_t dice = 7;
    for (unsigned i = 1; i <= ROSTER; i++) {
        cr_assert(roster_add(&r, session(&at[i - 1]), &number));
        cr_assert_eq(number, i, "each number is new");
        there[i] = true;
        dice = dice * 1664525 + 1013904223;
        unsigned leaves = dice % i + 1;
        if (there[leaves] && (dice >> 30)) {
            roster_remove(&r, leaves);
            there[leaves] = false;
        }
        size_t live = 0;
        for (unsigned after = 0, next; after <= i + 1; after++) {
            for (next = after + 1; next <= i && !there[next];)
                next++;
            size_t position = roster_after(&r, after);
            while (position < r.count && !r.entries[position].session)
                position++;
            if (next > i) {
                cr_assert_eq(position, r.count);
            } else {
                cr_assert_eq(r.entries[position].number, next);
                cr_assert_eq(r.entries[position].session, session(&at[next - 1]));
            }
            live += after >= 1 && after <= i && there[after];
        }
        cr_assert_eq(live, r.count - r.gaps);
        cr_assert_leq(r.gaps, r.count / 2, "gaps are closed");
    }
    cr_assert_eq(roster_after(&r, UINT64_MAX), r.count);
    roster_free(&r);
}

Test(roster, that_is_empty_again_gives_new_numbers)
{
    struct roster r = {0};
    char at;
    uint64_t number;
    for (uint64_t i = 1; i < 10; i++) {
        cr_assert(roster_add(&r, session(&at), &number));
        cr_assert_eq(number, i);
        roster_remove(&r, number);
        cr_assert_eq(r.count, 0);
        cr_assert_eq(roster_after(&r, 0), 0);
    }
    roster_free(&r);
}

/* ---- pages ---- */

struct row {
    uint64_t connection, in_flight, unsent_bytes, held_bytes;
    char state[16];
    bool unread, silent;
    uint32_t subscriptions;
};

struct page {
    struct row rows[LINKS];
    uint32_t count;
    bool more;
    uint64_t next;
};

static bool read_flag(struct mpack_reader *r, struct slice key, const char *name, bool *to)
{
    if (!slice_is(key, name))
        return false;
    *to = mpack_read_bool(r);
    return true;
}

static bool read_number(struct mpack_reader *r, struct slice key, const char *name, uint64_t *to)
{
    if (!slice_is(key, name))
        return false;
    *to = mpack_read_uint(r);
    return true;
}

static void read_state(struct mpack_reader *r, struct row *to)
{
    struct slice state = mpack_read_str(r);
    cr_assert_lt(state.size, sizeof to->state);
    memcpy(to->state, state.data, state.size);
}

static struct row read_row(struct mpack_reader *r)
{
    struct row row = {0};
    for (uint32_t keys = mpack_read_map(r); keys; keys--) {
        struct slice key = mpack_read_str(r);
        if (read_number(r, key, "connection", &row.connection) ||
            read_number(r, key, "in_flight", &row.in_flight) ||
            read_number(r, key, "unsent_bytes", &row.unsent_bytes) ||
            read_number(r, key, "held_bytes", &row.held_bytes) || read_flag(r, key, "unread", &row.unread) ||
            read_flag(r, key, "silent", &row.silent))
            continue;
        if (slice_is(key, "state")) {
            read_state(r, &row);
        } else if (slice_is(key, "subscriptions")) {
            struct mpack_reader list = *r;
            row.subscriptions = mpack_read_array(&list);
            (void)mpack_read_any(r);
        } else {
            (void)mpack_read_any(r);
        }
    }
    return row;
}

/* What link 0 is answered with, which has sent and read all else. */
static struct page ask(struct world *w, uint64_t after, uint64_t limit)
{
    struct page p = {.count = 0};
    struct mpack_buffer frame = {0};
    struct mpack_reader r;
    size_t at = frame_begin(&frame, OP_CLIENT_LIST, 99, 2), before = w->told[0].size;
    mpack_write_uint(&frame, after);
    mpack_write_uint(&frame, limit);
    frame_end(&frame, at);
    post_frame(w, w->links[0], &frame, NULL);
    for (unsigned turns = 0; w->told[0].size == before && turns < 100;
         turns++) /* it may have to wait for its turn */
        world_turn(w);
    read_all(w, w->links[0]);
    cr_assert_gt(w->told[0].size, before);
    mpack_read_init(&r, w->told[0].data + before + FRAME_HEADER_BYTES,
                    w->told[0].size - before - FRAME_HEADER_BYTES);
    cr_assert_eq(mpack_read_array(&r), 6);
    cr_assert_eq(mpack_read_uint(&r), OP_OK);
    cr_assert_eq(mpack_read_uint(&r), 99);
    p.count = mpack_read_array(&r);
    cr_assert_leq(p.count, LINKS);
    for (uint32_t i = 0; i < p.count; i++)
        p.rows[i] = read_row(&r);
    p.more = mpack_read_bool(&r);
    p.next = mpack_read_uint(&r);
    cr_assert(!r.failed);
    return p;
}

Test(clients, every_connection_is_in_one_page_or_in_as_many_as_it_takes)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    struct page all = ask(&w, 0, 1000);
    cr_assert_eq(all.count, LINKS);
    cr_assert(!all.more);
    cr_assert_eq(all.next, all.rows[LINKS - 1].connection);
    uint64_t after = 0;
    for (uint32_t i = 0; i < LINKS; i++) {
        struct page one = ask(&w, after, 1);
        cr_assert_eq(one.count, 1);
        cr_assert_eq(one.rows[0].connection, all.rows[i].connection);
        cr_assert_eq(one.more, i < LINKS - 1);
        after = one.next;
    }
    world_stop(&w);
}

Test(clients, one_that_does_not_read_is_unread_and_then_blocked)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1000});
    publish(&w, w.links[0], 100, 400);
    read_all(&w, w.links[0]);
    struct row before = ask(&w, 0, 1000).rows[1];
    cr_assert_str_eq(before.state, "open");
    cr_assert(!before.unread && !before.unsent_bytes && !before.in_flight);
    subscribe(&w, w.links[1]);
    struct row unread = ask(&w, 0, 1000).rows[1];
    cr_assert_str_eq(unread.state, "open");
    cr_assert(unread.unread);
    cr_assert_eq(unread.unsent_bytes, atomic_load(&w.links[1]->account.unsent_bytes));
    cr_assert_gt(unread.in_flight, 0);
    cr_assert_eq(unread.held_bytes, 0);
    post_ping_silently(&w, w.links[1]);
    world_turn(&w);
    struct row blocked = ask(&w, 0, 1000).rows[1];
    cr_assert_str_eq(blocked.state, "blocked");
    cr_assert_gt(blocked.held_bytes, 0);
    world_stop(&w);
}

/* As many subscriptions as a connection may have, on all of them: a page looks at a bounded number, and its last row is whole. */
Test(clients, a_page_ends_by_what_it_looked_at)
{
    enum { LOOKS = 10000 };
    struct world w;
    int err;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 30});
    struct group *g = ledger_group(w.engine->ledger, slice_of("t"), slice_of("default"), &err);
    for (unsigned i = 0; i < LINKS; i++) {
        for (unsigned n = 0; n < SUBSCRIPTIONS_MAX; n++)
            cr_assert(session_subscribe(w.links[i]->session, g, 0, 0));
    }
    uint64_t after = 0, rows = 0;
    for (bool more = true; more;) {
        struct page p = ask(&w, after, 1000);
        for (uint32_t i = 0; i < p.count; i++)
            cr_assert_eq(p.rows[i].subscriptions, SUBSCRIPTIONS_MAX);
        cr_assert_leq(p.count, LOOKS / SUBSCRIPTIONS_MAX + 1);
        if (p.more)
            cr_assert_geq(p.count * (SUBSCRIPTIONS_MAX + 1u), LOOKS);
        rows += p.count;
        more = p.more;
        after = p.next;
    }
    cr_assert_eq(rows, LINKS);
    world_stop(&w);
}

Test(clients, one_that_has_left_is_shown_no_more)
{
    struct world w;
    world_start(&w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20});
    uint64_t gone = ask(&w, 0, 1000).rows[5].connection;
    post(&w, w.links[5], PORT_LOST);
    world_turn(&w);
    struct page p = ask(&w, 0, 1000);
    cr_assert_eq(p.count, LINKS - 1);
    for (uint32_t i = 0; i < p.count; i++)
        cr_assert_neq(p.rows[i].connection, gone);
    p = ask(&w, gone, 1);
    cr_assert_gt(p.rows[0].connection, gone);
    world_stop(&w);
}
