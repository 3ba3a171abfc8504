/* lease_call: see lease_call.h. */
#include "broker/http/lease_call.h"

#include "base/clock.h"
#include "base/magic.h"
#include "broker/http/caller.h"
#include "broker/http/lease_input.h"
#include "broker/http/loans.h"
#include "broker/http/peers.h"
#include "broker/http/respond.h"
#include "broker/http/sending.h"
#include <stdlib.h>

#define LEASE_CALL_MAGIC 0x7be20f54u
struct lease_call {
    uint32_t magic;
    enum api_what what;
    struct loans *loans;
    struct MHD_Connection *connection;
    struct slice topic, group;
    struct lease_input input;
    json_t *all;       /* what the input points into */
    struct loan *loan; /* of a lease */
    struct loan_answer answer;
    struct problem problem;
};

struct lease_call *lease_call_new(struct loans *loans, struct MHD_Connection *connection,
                                  const struct api_match *match, struct slice body, struct problem *ret)
{
    struct lease_input input;
    json_t *all = lease_input_read(match->row->what, body, &input, ret);
    struct lease_call *c = all ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        json_decref(all);
        (void)problem_is_error(ret, SHUNT_NO_MEMORY, "");
        return NULL;
    }
    *c = (struct lease_call){.magic = LEASE_CALL_MAGIC,
                             .what = match->row->what,
                             .loans = loans,
                             .connection = connection,
                             .topic = match->parameters[0].value,
                             .group = match->parameters[1].value,
                             .input = input,
                             .all = all};
    return c;
}

static void woken(void *context)
{
    MHD_resume_connection(magic_of(context, lease_call, LEASE_CALL_MAGIC)->connection);
}

/* ---- a lease ---- */

static int socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* False: c->problem says why not. */
static bool lease(struct lease_call *c, struct peers *peers)
{
    struct caller caller;
    enum loans_full full;
    caller_of(c->connection, &caller);
    const struct loan_ask ask = {.topic = c->topic,
                                 .group = c->group,
                                 .messages = (uint32_t)c->input.messages,
                                 .wait_ms = (int64_t)c->input.wait_ms,
                                 .lease_ms = (int64_t)c->input.lease_ms,
                                 .client = caller.client,
                                 .login = &caller.login,
                                 .http_fd = socket_of(c->connection),
                                 .wake = woken,
                                 .context = c};
    peers_stay(peers, connection_peer(c->connection)); /* however long it waits */
    int err = loans_ask(c->loans, &ask, caller.peer, caller.names, &c->loan, &full);
    caller_done(&caller);
    if (err == SHUNT_TOO_MANY)
        peers_press(peers, clock_mono_ms()); /* places may be kept by clients that do not read */
    if (full == LOANS_NO_CALL) {
        return problem_is(&c->problem, PROBLEM_TOO_MANY_LEASES,
                          "at most %u calls wait at once: a half of http-connections",
                          loans_limits(c->loans).calls);
    }
    if (full == LOANS_NO_LOAN) {
        return problem_is(&c->problem, PROBLEM_TOO_MANY_LEASES,
                          "at most %u calls have messages that are not answered: http-leases",
                          loans_limits(c->loans).loans);
    }
    return err ? problem_is_error(&c->problem, err, "") : true;
}

/* The payload of an answer that is being sent. */
#define LENT_MAGIC 0x2fd98e61u
struct lent {
    uint32_t magic;
    struct mpack_buffer messages;
};

static void lent_free(void *context)
{
    struct lent *lent = magic_of(context, lent, LENT_MAGIC);
    mpack_buffer_done(&lent->messages);
    lent->magic = 0;
    free(lent);
}

static enum MHD_Result answer_lease(struct lease_call *c)
{
    static const struct api_answer form = {NULL, {"messages"}};
    struct lent *lent = calloc(1, sizeof *lent);
    struct text none = {0};
    if (!lent)
        return MHD_NO;
    *lent = (struct lent){.magic = LENT_MAGIC, .messages = loans_take(c->loans, c->loan, &c->problem)};
    if (lent->messages.size) {
        struct slice payload = {lent->messages.data, lent->messages.size};
        return sending_begin(c->connection, MHD_HTTP_OK, payload, &form, lent_free, lent);
    }
    lent_free(lent);
    if (!problem_is_none(&c->problem))
        return respond_problem(c->connection, &c->problem, NULL);
    text_add(&none, "{\"messages\":[]}\n");
    return respond_text(c->connection, MHD_HTTP_OK, TYPE_JSON, NULL, &none);
}

/* ---- an answer ---- */

static bool resolve(struct lease_call *c)
{
    struct caller caller;
    caller_of(c->connection, &caller);
    c->answer = (struct loan_answer){.magic = LOAN_ANSWER_MAGIC, .wake = woken, .context = c};
    bool held = loans_resolve(c->loans, &caller.login, c->topic, c->group, c->input.token, &c->input.entry,
                              &c->answer);
    caller_done(&caller);
    return held ||
           problem_is_error(&c->problem, SHUNT_STALE, "no message of this group is held with this token");
}

static enum MHD_Result answer_resolve(struct lease_call *c)
{
    struct text done = {0};
    if (!problem_is_none(&c->answer.problem))
        return respond_problem(c->connection, &c->answer.problem, NULL);
    text_add(&done, "{}\n");
    return respond_text(c->connection, MHD_HTTP_OK, TYPE_JSON, NULL, &done);
}

/* ---- any ---- */

void lease_call_begin(struct lease_call *c, struct peers *peers)
{
    MHD_suspend_connection(c->connection);
    if (!(c->what == API_LEASE ? lease(c, peers) : resolve(c)))
        MHD_resume_connection(c->connection);
}

enum MHD_Result lease_call_answer(struct lease_call *c, struct peers *peers)
{
    peers_asking(peers, connection_peer(c->connection), true, clock_mono_ms());
    if (!problem_is_none(&c->problem))
        return respond_problem(c->connection, &c->problem, NULL);
    return c->what == API_LEASE ? answer_lease(c) : answer_resolve(c);
}

void lease_call_free(struct lease_call *c, bool sent)
{
    if (!c)
        return;
    if (c->loan)
        loans_call_done(c->loans, c->loan, sent);
    json_decref(c->all);
    c->magic = 0;
    free(c);
}
