/* flow: the tables of the three machines. */
#include "broker/flow/flow.h"

#include "base/check.h"

#define TO(state) (1u << (state))

/* ---- the net thread's ---- */

static const unsigned reading_moves[] = {
    [READING_RESTS] = TO(READING_ON) | TO(READING_UNREAD) | TO(READING_NO_ROOM) | TO(READING_OVER),
    [READING_ON] = TO(READING_RESTS) | TO(READING_UNREAD) | TO(READING_NO_ROOM) | TO(READING_OVER),
    [READING_UNREAD] = TO(READING_RESTS) | TO(READING_OVER),
    [READING_NO_ROOM] = TO(READING_RESTS) | TO(READING_OVER),
    [READING_OVER] = 0,
};

void flow_reading_move(enum flow_reading *reading, enum flow_reading to)
{
    check(reading_moves[*reading] & TO(to));
    *reading = to;
}

/* ---- the engine's ---- */

static const unsigned requests_moves[] = {
    [REQUESTS_OPEN] = TO(REQUESTS_LOGIN) | TO(REQUESTS_QUEUED) | TO(REQUESTS_BLOCKED) | TO(REQUESTS_CLOSING) |
                      TO(REQUESTS_GONE),
    [REQUESTS_LOGIN] = TO(REQUESTS_OPEN) | TO(REQUESTS_CLOSING) | TO(REQUESTS_GONE),
    [REQUESTS_QUEUED] = TO(REQUESTS_OPEN) | TO(REQUESTS_LEAVING) | TO(REQUESTS_CLOSING) | TO(REQUESTS_GONE),
    [REQUESTS_BLOCKED] = TO(REQUESTS_OPEN) | TO(REQUESTS_CLOSING) | TO(REQUESTS_GONE),
    [REQUESTS_LEAVING] = TO(REQUESTS_CLOSING) | TO(REQUESTS_GONE),
    [REQUESTS_CLOSING] = TO(REQUESTS_GONE),
    [REQUESTS_GONE] = 0,
};

const uint8_t flow_allowed[REQUESTS_GONE + 1][OUTPUT_UNREAD + 1] = {
    [REQUESTS_OPEN] = {FLOW_TAKE | FLOW_GO_ON | FLOW_ASSIGN | FLOW_HEAR, FLOW_GO_ON | FLOW_HEAR},
    [REQUESTS_LOGIN] = {FLOW_GO_ON | FLOW_HEAR, 0},
    [REQUESTS_QUEUED] = {FLOW_GO_ON | FLOW_ASSIGN | FLOW_HEAR, FLOW_GO_ON | FLOW_HEAR},
    [REQUESTS_BLOCKED] = {0, FLOW_GO_ON | FLOW_HEAR},
    [REQUESTS_LEAVING] = {FLOW_TAKE | FLOW_GO_ON, FLOW_TAKE | FLOW_GO_ON},
    [REQUESTS_CLOSING] = {0, 0},
    [REQUESTS_GONE] = {0, 0},
};

static void move(struct flow *f, enum flow_requests to)
{
    check(requests_moves[f->requests] & TO(to));
    f->requests = to;
}

static void invariant(const struct flow *f)
{
    check(f->requests != REQUESTS_LOGIN || f->output == OUTPUT_READ);
    check(f->requests != REQUESTS_BLOCKED || f->output == OUTPUT_UNREAD);
    check(f->requests != REQUESTS_QUEUED || flow_in_line(f));
    check(!flow_in_line(f) || f->requests == REQUESTS_QUEUED || f->requests == REQUESTS_LEAVING);
}

void flow_init(struct flow *f)
{
    *f = (struct flow){.requests = REQUESTS_OPEN, .output = OUTPUT_READ};
    ring_init(&f->line);
}

void flow_queue(struct flow *f, struct ring *line)
{
    check(!flow_in_line(f));
    if (f->requests != REQUESTS_LEAVING)
        move(f, REQUESTS_QUEUED);
    ring_append(line, &f->line);
    invariant(f);
}

void flow_turn_came(struct flow *f)
{
    check(flow_in_line(f));
    ring_remove(&f->line);
    if (f->requests != REQUESTS_LEAVING)
        move(f, REQUESTS_OPEN);
    invariant(f);
}

void flow_unread(struct flow *f)
{
    check(f->output == OUTPUT_READ);
    f->output = OUTPUT_UNREAD;
    invariant(f);
}

void flow_block(struct flow *f)
{
    move(f, REQUESTS_BLOCKED);
    invariant(f);
}

bool flow_drained(struct flow *f)
{
    bool blocked = f->requests == REQUESTS_BLOCKED;
    f->output = OUTPUT_READ;
    if (blocked)
        move(f, REQUESTS_OPEN);
    invariant(f);
    return blocked;
}

void flow_login(struct flow *f)
{
    move(f, REQUESTS_LOGIN);
    invariant(f);
}

void flow_logged_in(struct flow *f)
{
    check(f->requests == REQUESTS_LOGIN);
    move(f, REQUESTS_OPEN);
    invariant(f);
}

void flow_leave(struct flow *f)
{
    move(f, REQUESTS_LEAVING);
    invariant(f);
}

void flow_close(struct flow *f)
{
    move(f, REQUESTS_CLOSING);
    ring_remove(&f->line);
    invariant(f);
}

void flow_gone(struct flow *f)
{
    move(f, REQUESTS_GONE);
    ring_remove(&f->line);
    invariant(f);
}
