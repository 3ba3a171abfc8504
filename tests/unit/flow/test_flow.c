/* test_flow: every move of the three machines, those that are allowed and those that are not. */
#include "broker/flow/flow.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* True if a check ends the process. */
static bool aborts(void (*act)(void *), void *context)
{
    int status = 0;
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDERR_FILENO);
        act(context);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* ---- reading ---- */

#define RESTS   (1u << READING_RESTS)
#define ON      (1u << READING_ON)
#define UNREAD  (1u << READING_UNREAD)
#define NO_ROOM (1u << READING_NO_ROOM)
#define OVER    (1u << READING_OVER)

struct reading_move {
    enum flow_reading from, to;
};

static void move_reading(void *context)
{
    struct reading_move *m = context;
    flow_reading_move(&m->from, m->to);
}

Test(flow, a_socket_is_read_or_waits_for_one_thing_and_every_wait_ends_in_a_new_look)
{
    static const unsigned may[] = {
        [READING_RESTS] = ON | UNREAD | NO_ROOM | OVER,
        [READING_ON] = RESTS | UNREAD | NO_ROOM | OVER,
        [READING_UNREAD] = RESTS | OVER,
        [READING_NO_ROOM] = RESTS | OVER,
        [READING_OVER] = 0,
    };
    for (unsigned from = READING_RESTS; from <= READING_OVER; from++) {
        for (unsigned to = READING_RESTS; to <= READING_OVER; to++) {
            struct reading_move m = {from, to};
            bool allowed = may[from] & 1u << to;
            cr_assert_neq(aborts(move_reading, &m), allowed, "from %u to %u", from, to);
            if (allowed)
                move_reading(&m);
            cr_assert_eq(m.from, allowed ? to : from);
        }
    }
}

/* ---- requests and output ---- */

enum event { QUEUE, TURN_CAME, SEE_UNREAD, BLOCK, DRAINED, LEAVE, CLOSE, LOSE, EVENTS };

static const char *const events[] = {"queue",   "turn came", "unread", "block",
                                     "drained", "leave",     "close",  "gone"};

struct scene {
    struct flow flow;
    struct ring line;
};

static void happen(struct scene *s, enum event event)
{
    switch (event) {
    case QUEUE:
        flow_queue(&s->flow, &s->line);
        break;
    case TURN_CAME:
        flow_turn_came(&s->flow);
        break;
    case SEE_UNREAD:
        flow_unread(&s->flow);
        break;
    case BLOCK:
        flow_block(&s->flow);
        break;
    case DRAINED:
        (void)flow_drained(&s->flow);
        break;
    case LEAVE:
        flow_leave(&s->flow);
        break;
    case CLOSE:
        flow_close(&s->flow);
        break;
    case LOSE:
        flow_gone(&s->flow);
        break;
    case EVENTS:
        break;
    }
}

struct act {
    struct scene *scene;
    enum event event;
};

static void act(void *context)
{
    const struct act *a = context;
    happen(a->scene, a->event);
}

/* Where it may be, how it gets there from the beginning, and where each event leads; -1: it cannot happen. */
struct row {
    const char *name;
    enum event way[3];
    enum flow_requests is;
    enum flow_output output;
    unsigned may;
    int to[EVENTS]; /* requests, by event */
};

#define NO (-1)

static const struct row rows[] = {
    {"open",
     {EVENTS},
     REQUESTS_OPEN,
     OUTPUT_READ,
     FLOW_TAKE | FLOW_GO_ON | FLOW_ASSIGN | FLOW_HEAR,
     {REQUESTS_QUEUED, NO, REQUESTS_OPEN, NO, REQUESTS_OPEN, NO, REQUESTS_CLOSING, REQUESTS_GONE}},
    {"open, unread",
     {SEE_UNREAD, EVENTS},
     REQUESTS_OPEN,
     OUTPUT_UNREAD,
     FLOW_GO_ON | FLOW_HEAR,
     {REQUESTS_QUEUED, NO, NO, REQUESTS_BLOCKED, REQUESTS_OPEN, NO, REQUESTS_CLOSING, REQUESTS_GONE}},
    {"queued",
     {QUEUE, EVENTS},
     REQUESTS_QUEUED,
     OUTPUT_READ,
     FLOW_GO_ON | FLOW_ASSIGN | FLOW_HEAR,
     {NO, REQUESTS_OPEN, REQUESTS_QUEUED, NO, REQUESTS_QUEUED, REQUESTS_LEAVING, REQUESTS_CLOSING,
      REQUESTS_GONE}},
    {"queued, unread",
     {QUEUE, SEE_UNREAD, EVENTS},
     REQUESTS_QUEUED,
     OUTPUT_UNREAD,
     FLOW_GO_ON | FLOW_HEAR,
     {NO, REQUESTS_OPEN, NO, NO, REQUESTS_QUEUED, REQUESTS_LEAVING, REQUESTS_CLOSING, REQUESTS_GONE}},
    {"blocked",
     {SEE_UNREAD, BLOCK, EVENTS},
     REQUESTS_BLOCKED,
     OUTPUT_UNREAD,
     FLOW_GO_ON | FLOW_HEAR,
     {NO, NO, NO, NO, REQUESTS_OPEN, NO, REQUESTS_CLOSING, REQUESTS_GONE}},
    {"leaving, in the line",
     {QUEUE, LEAVE, EVENTS},
     REQUESTS_LEAVING,
     OUTPUT_READ,
     FLOW_TAKE | FLOW_GO_ON,
     {NO, REQUESTS_LEAVING, REQUESTS_LEAVING, NO, REQUESTS_LEAVING, NO, REQUESTS_CLOSING, REQUESTS_GONE}},
    {"leaving, its turn",
     {QUEUE, LEAVE, TURN_CAME},
     REQUESTS_LEAVING,
     OUTPUT_READ,
     FLOW_TAKE | FLOW_GO_ON,
     {REQUESTS_LEAVING, NO, REQUESTS_LEAVING, NO, REQUESTS_LEAVING, NO, REQUESTS_CLOSING, REQUESTS_GONE}},
    {"closing",
     {CLOSE, EVENTS},
     REQUESTS_CLOSING,
     OUTPUT_READ,
     0,
     {NO, NO, REQUESTS_CLOSING, NO, REQUESTS_CLOSING, NO, NO, REQUESTS_GONE}},
    {"gone",
     {LOSE, EVENTS},
     REQUESTS_GONE,
     OUTPUT_READ,
     0,
     {NO, NO, REQUESTS_GONE, NO, REQUESTS_GONE, NO, NO, NO}},
};

static void begin(struct scene *s, const struct row *row)
{
    flow_init(&s->flow);
    ring_init(&s->line);
    for (unsigned i = 0; i < 3 && row->way[i] != EVENTS; i++)
        happen(s, row->way[i]);
    cr_assert(s->flow.requests == row->is && s->flow.output == row->output, "%s", row->name);
}

Test(flow, each_event_leads_where_the_picture_says_and_the_others_cannot_happen)
{
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned event = 0; event < EVENTS; event++) {
            struct scene s;
            int to = rows[i].to[event];
            begin(&s, &rows[i]);
            cr_assert_eq(aborts(act, &(struct act){&s, event}), to == NO, "%s: %s", rows[i].name,
                         events[event]);
            if (to == NO)
                continue;
            happen(&s, event);
            cr_assert_eq((int)s.flow.requests, to, "%s: %s", rows[i].name, events[event]);
            cr_assert(s.flow.requests != REQUESTS_QUEUED || flow_in_line(&s.flow));
            cr_assert(s.flow.requests != REQUESTS_BLOCKED || s.flow.output == OUTPUT_UNREAD);
        }
    }
}

Test(flow, what_may_go_on_is_what_the_table_says)
{
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        begin(&s, &rows[i]);
        for (unsigned what = FLOW_TAKE; what <= FLOW_HEAR; what *= 2)
            cr_assert_eq(flow_may(&s.flow, what), (rows[i].may & what) != 0, "%s: %u", rows[i].name, what);
    }
}

Test(flow, only_requests_that_were_blocked_go_on_when_the_client_has_read)
{
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        begin(&s, &rows[i]);
        cr_assert_eq(flow_drained(&s.flow), rows[i].is == REQUESTS_BLOCKED, "%s", rows[i].name);
        cr_assert_eq(s.flow.output, OUTPUT_READ);
    }
}

Test(flow, the_line_is_in_the_order_of_joining_and_who_is_closed_or_gone_leaves_it)
{
    struct ring line;
    struct flow flows[4];
    ring_init(&line);
    for (unsigned i = 0; i < 4; i++) {
        flow_init(&flows[i]);
        flow_queue(&flows[i], &line);
    }
    flow_close(&flows[0]);
    flow_gone(&flows[2]);
    cr_assert_eq(line.next, &flows[1].line);
    cr_assert_eq(line.next->next, &flows[3].line);
    cr_assert_eq(line.prev, &flows[3].line);
    flow_turn_came(&flows[1]);
    flow_turn_came(&flows[3]);
    cr_assert(ring_empty(&line));
}
