/* api: see api.h. */
#include "broker/http/api.h"

#include "base/clock.h"
#include "base/magic.h"
#include "broker/http/call_timeout.h"
#include "broker/http/caller.h"
#include "broker/http/fields.h"
#include "broker/http/guard.h"
#include "broker/http/lease_call.h"
#include "broker/http/loans.h"
#include "broker/http/peers.h"
#include "broker/http/publish.h"
#include "broker/http/respond.h"
#include "broker/http/sampler.h"
#include "broker/http/sending.h"
#include "broker/http/stream.h"
#include "broker/http/watch.h"
#include "proto/frame.h"
#include <stdio.h>
#include <stdlib.h>

#define BODY_BYTES_DISCARDED_MAX                                                                             \
    (2u * PUBLISH_BYTES_MAX) /* of one that has become too large, so that it may be told */

#define API_MAGIC 0x1b6e92f3u
struct api {
    uint32_t magic;
    struct api_config config;
    struct calls *calls;
    struct streams *streams;
    struct loans *loans;
    size_t bodies_bytes; /* of all requests that are not with the engine yet */
};

#define API_REQUEST_MAGIC 0x5ce0a7b4u
struct api_request {
    uint32_t magic;
    struct api *api;
    struct MHD_Connection *connection;
    struct target target;
    struct problem problem; /* the first thing that is wrong */
    struct api_match match; /* the call that it is, unless there is a problem … */
    bool options;           /* … or it asks for the methods */
    char allow[API_ALLOW_BYTES];
    enum publish_form publishes; /* of a publish */
    struct text body;
    size_t body_bytes; /* that came, of which some may have been discarded */
    bool numbered;     /* it is a publish with an Idempotency-Key */
    struct call_timeout timeout;
    struct call *call;        /* NULL: not begun, or given to the answer */
    struct lease_call *lease; /* of API_WORK, once it has begun */
    struct watch *watch;      /* of what shows all topics: it is being asked whether it may see them … */
    uint64_t access;          /* … since when users, roles and tokens had changed so often … */
    int64_t until_ms;         /* … and until when it may, wall */
};

static bool is_publish(const struct api_request *r)
{
    const struct api_row *row = r->match.row;
    return row && row->what == API_REQUEST && row->op == OP_PUBLISH;
}

/* ---- the answer ---- */

static void release_call(void *call)
{
    call_free(magic_of(call, call, CALL_MAGIC));
}

static enum MHD_Result answer_ok(struct api_request *r)
{
    struct call *call = r->call;
    r->call = NULL; /* it is the answer's */
    return sending_begin(r->connection, r->match.row->status, call->answer,
                         api_answer_of(fields_answer(r->match.row->op)), release_call, call);
}

static enum MHD_Result answer_done(struct api_request *r)
{
    struct mpack_reader m;
    if (r->call->err) {
        bool changes = fields_change(r->match.row->op);
        (void)problem_is_error(&r->problem, r->call->err,
                               changes ? "it is not known whether the call took effect" : "");
        return respond_problem(r->connection, &r->problem, NULL);
    }
    mpack_read_init(&m, r->call->answer.data, r->call->answer.size);
    (void)mpack_read_array(&m);
    bool failed = mpack_read_uint(&m) == OP_ERROR;
    if (!failed && is_publish(r) && !publish_is_whole(r->call->answer, &r->problem))
        return respond_problem(r->connection, &r->problem, NULL);
    if (!failed)
        return answer_ok(r);
    (void)mpack_read_uint(&m); /* its id */
    int err = (int)mpack_read_uint(&m);
    (void)mpack_read_str(&m); /* its name: this server's own */
    struct slice text = mpack_read_str(&m);
    char detail[PROBLEM_DETAIL_BYTES];
    (void)snprintf(detail, sizeof detail, "%.*s", (int)text.size, (const char *)text.data); /* may be cut */
    if (err == SHUNT_PROTOCOL && r->numbered)
        (void)problem_is(&r->problem, PROBLEM_KEY_IN_USE, "this one has stored nothing");
    (void)problem_is_error(&r->problem, err, detail);
    problem_read_wait(&r->problem, &m);
    return respond_problem(r->connection, &r->problem, NULL);
}

/* ---- the call ---- */

static void call_woken(struct call *call)
{
    struct api_request *r = magic_of(call->context, api_request, API_REQUEST_MAGIC);
    MHD_resume_connection(r->connection);
}

static bool take_call(struct api_request *r, struct slice producer)
{
    struct caller caller;
    caller_of(r->connection, &caller);
    int err = calls_take(r->api->calls, &caller, producer, &r->call);
    caller_done(&caller);
    if (err == SHUNT_TOO_MANY) {
        peers_press(r->api->config.peers,
                    clock_mono_ms()); /* its places may be kept by one that does not read */
        return problem_is(&r->problem, PROBLEM_TOO_MANY_CALLS, "at most %d are under way at once", CALLS_MAX);
    }
    return err ? problem_is_error(&r->problem, err, "") : true;
}

static enum MHD_Result read_publish_header(void *context, enum MHD_ValueKind kind, const char *name,
                                           const char *value)
{
    (void)kind;
    publish_header(magic_of(context, publish_headers, PUBLISH_HEADERS_MAGIC), name, value);
    return MHD_YES;
}

/* `producer`: room for one; `data` becomes NULL if this publish names none. */
static bool make_publish(struct api_request *r, struct slice body, uint8_t producer[PRODUCER_ID_BYTES],
                         struct slice *ret_producer, struct mpack_buffer *to)
{
    struct publish_headers h = {.magic = PUBLISH_HEADERS_MAGIC};
    struct slice topic = r->match.parameters[0].value;
    if (r->target.pairs_count)
        return problem_is(&r->problem, PROBLEM_BAD_FIELD, "this call has no query");
    (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, read_publish_header, &h);
    r->numbered = publish_producer(&h, topic, producer, &r->problem);
    if (r->numbered)
        *ret_producer = (struct slice){producer, PRODUCER_ID_BYTES};
    return problem_is_none(&r->problem) &&
           publish_frame(topic, r->publishes, &h, body, r->numbered, CALL_REQUEST_ID, to, &r->problem);
}

static void drop_body(struct api_request *r)
{
    r->api->bodies_bytes -= r->body.size;
    text_done(&r->body);
}

/* Suspend the request until the engine has answered. */
static enum MHD_Result begin(struct api_request *r)
{
    struct mpack_buffer frame = {0};
    struct slice body = {r->body.data, r->body.size}, producer = {0};
    uint8_t id[PRODUCER_ID_BYTES];
    bool ok = is_publish(r) ? make_publish(r, body, id, &producer, &frame)
                            : fields_frame(&r->match, &r->target, body, CALL_REQUEST_ID, &frame, &r->problem);
    if (ok && !call_timeout_wrap(&r->timeout, clock_mono_ms(), &frame))
        ok = problem_is_error(&r->problem, SHUNT_NO_MEMORY, "");
    ok = ok && take_call(r, producer); /* from here on the connection's age counts (net_connect()) */
    drop_body(r);
    if (ok)
        mpack_write_raw(&r->call->out, frame.data, frame.size);
    mpack_buffer_done(&frame);
    if (ok && r->call->out.failed)
        ok = problem_is_error(&r->problem, SHUNT_NO_MEMORY, "");
    if (!ok)
        return respond_problem(r->connection, &r->problem, NULL);
    MHD_suspend_connection(r->connection);
    call_send(r->call, call_woken, r);
    return MHD_YES;
}

/* The same of a call by which a client works. */
static enum MHD_Result begin_lease(struct api_request *r)
{
    struct slice body = {r->body.data, r->body.size};
    if (r->target.pairs_count)
        (void)problem_is(&r->problem, PROBLEM_BAD_FIELD, "this call has no query");
    else
        r->lease = lease_call_new(r->api->loans, r->connection, &r->match, body, &r->problem);
    drop_body(r);
    if (!r->lease)
        return respond_problem(r->connection, &r->problem, NULL);
    lease_call_begin(r->lease, r->api->config.peers);
    return MHD_YES;
}

/* ---- the changes ---- */

static enum MHD_Result follow(struct api_request *r)
{
    char text[CHANGES_ID_BYTES];
    const char *id = stream_last_id(r->connection, &r->target, text, &r->problem);
    struct MHD_Response *response = NULL;
    if (problem_is_none(&r->problem))
        response = stream_new(r->api->streams, r->connection, id, r->access, r->until_ms, &r->problem);
    if (!response)
        return respond_problem(r->connection, &r->problem, NULL);
    peers_stay(r->api->config.peers, connection_peer(r->connection));
    return respond(r->connection, MHD_HTTP_OK, "text/event-stream", NULL, response);
}

/* ---- what is answered here ---- */

/* What shows all topics: of one who has been asked, where one has to log in. */
static enum MHD_Result answer_watched(struct api_request *r)
{
    struct text text = {0};
    if (r->match.row->what == API_EVENTS)
        return follow(r);
    if (r->target.pairs_count) {
        (void)problem_is(&r->problem, PROBLEM_BAD_FIELD, "this call has no query");
        return respond_problem(r->connection, &r->problem, NULL);
    }
    sampler_trail(r->api->config.sampler, &text);
    return respond_text(r->connection, MHD_HTTP_OK, TYPE_JSON, NULL, &text);
}

static enum MHD_Result answer_own(struct api_request *r)
{
    struct text text = {0};
    if (r->match.row->what == API_LIST)
        api_write_list(&text);
    else
        api_write_settings(&text);
    return respond_text(r->connection, MHD_HTTP_OK, TYPE_JSON, NULL, &text);
}

static enum MHD_Result ask_to_watch(struct api_request *r)
{
    r->access = changes_of_access(r->api->config.changes);
    r->watch = watch_begin(r->api->calls, r->connection, true, &r->problem);
    return r->watch ? MHD_YES : respond_problem(r->connection, &r->problem, NULL);
}

/* ---- one request ---- */

bool api_is_meant(const char *target)
{
    return strncmp(target, "/api/", 5) == 0 || strcmp(target, "/api") == 0;
}

struct api_request *api_request_new(struct api *a, struct MHD_Connection *connection, const char *target)
{
    struct api_request *r = calloc(1, sizeof *r);
    const char *why;
    if (!r)
        return NULL;
    r->magic = API_REQUEST_MAGIC;
    r->api = a;
    r->connection = connection;
    if (!a->config.changes)
        (void)problem_is(&r->problem, PROBLEM_API_OFF, "%s", "");
    else if (!target_read(target, &r->target, &why))
        (void)problem_is(&r->problem, PROBLEM_BAD_TARGET, "%s", why);
    return r;
}

static bool acts(const struct api_request *r)
{
    const struct api_row *row = r->match.row;
    return !r->options && (row->what >= API_LEASE || (row->what == API_REQUEST && fields_change(row->op)));
}

static bool type_fits(struct api_request *r, const struct guard *g)
{
    if (!is_publish(r))
        return guard_is_json(g, &r->problem);
    r->publishes = g->bytes ? PUBLISH_RAW : g->lines ? PUBLISH_LINES : PUBLISH_JSON;
    return guard_is_message(g, &r->problem);
}

static unsigned body_bytes_max(const struct api_request *r)
{
    return is_publish(r) ? PUBLISH_BYTES_MAX : API_BODY_BYTES_MAX;
}

/* Which call it is. False: it is none, which r->problem says. */
static bool route(struct api_request *r, const char *method)
{
    const struct target *t = &r->target;
    enum api_found found = api_find(method, t, &r->match);
    api_allow(t, r->allow);
    r->options = found == API_OTHER_METHOD && strcmp(method, "OPTIONS") == 0;
    if (found == API_NO_PATH)
        return problem_is(&r->problem, PROBLEM_NO_CALL, "%s", "");
    if (found == API_OTHER_METHOD && !r->options)
        return problem_is(&r->problem, PROBLEM_BAD_METHOD, "not %.32s but %s", method, r->allow);
    return true;
}

/* Of a body that is far too large nothing is read, and its client may not see why: it still sends when the connection is closed. */
static bool body_is_read(const struct api_request *r, struct problem *ret)
{
    const char *length =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!length || strtoull(length, NULL, 10) <= BODY_BYTES_DISCARDED_MAX)
        return true;
    return problem_is(ret, PROBLEM_BODY_TOO_LARGE, "at most %u bytes", body_bytes_max(r));
}

bool api_request_headers(struct api_request *r, const char *method, struct problem *ret)
{
    struct guard g = {.magic = GUARD_MAGIC, .hosts = r->api->config.hosts, .https = r->api->config.https};
    guard_read(&g, r->connection);
    call_timeout_read(&r->timeout, r->connection);
    if (problem_is_none(&r->problem) && guard_lets_in(&g, &r->problem) && route(r, method) &&
        call_timeout_is_good(&r->timeout, r->options || r->match.row->what == API_REQUEST, &r->problem) &&
        acts(r))
        (void)type_fits(r, &g);
    return body_is_read(r, ret);
}

/* The body of a request that is refused is read to its end, because a client that still sends would not see the answer. */
enum MHD_Result api_request_body(struct api_request *r, const char *bytes, size_t size)
{
    unsigned most = body_bytes_max(r);
    r->body_bytes += size;
    if (r->body_bytes > most)
        (void)problem_is(&r->problem, PROBLEM_BODY_TOO_LARGE, "at most %u bytes", most);
    if (r->body_bytes > BODY_BYTES_DISCARDED_MAX)
        return MHD_NO;
    if (r->api->bodies_bytes + size > API_BODIES_BYTES_MAX) {
        peers_press(r->api->config.peers, clock_mono_ms()); /* some may come too slowly */
        (void)problem_is(&r->problem, PROBLEM_TOO_MANY_CALLS, "the bodies of all have more than %u bytes",
                         API_BODIES_BYTES_MAX);
    }
    size_t before = r->body.size;
    if (problem_is_none(&r->problem))
        text_add_bytes(&r->body, bytes, size);
    else
        drop_body(r);
    if (r->body.size > before)
        r->api->bodies_bytes += r->body.size - before;
    if (r->body.failed)
        (void)problem_is_error(&r->problem, SHUNT_NO_MEMORY, "");
    return MHD_YES;
}

enum MHD_Result api_request_whole(struct api_request *r)
{
    struct text text = {0};
    if (r->call)
        return answer_done(r);
    if (r->lease)
        return lease_call_answer(r->lease, r->api->config.peers);
    if (r->watch) {
        struct watch *watch = r->watch;
        r->watch = NULL;
        return watch_end(watch, &r->until_ms, &r->problem)
                   ? answer_watched(r)
                   : respond_problem(r->connection, &r->problem, NULL);
    }
    const char *allow = r->problem.code == PROBLEM_BAD_METHOD ? r->allow : NULL;
    if (!problem_is_none(&r->problem))
        return respond_problem(r->connection, &r->problem, allow);
    if (r->options)
        return respond_text(r->connection, MHD_HTTP_NO_CONTENT, NULL, r->allow, &text);
    if (r->match.row->what == API_REQUEST)
        return begin(r);
    if (r->match.row->what == API_EVENTS || r->match.row->what == API_UNATTENDED)
        return r->api->config.calls.auth ? ask_to_watch(r) : answer_watched(r);
    return r->match.row->what >= API_LEASE ? begin_lease(r) : answer_own(r);
}

void api_request_free(struct api_request *r, bool sent)
{
    if (!r)
        return;
    lease_call_free(r->lease, sent);
    call_free(r->call);
    watch_free(r->watch);
    target_done(&r->target);
    drop_body(r);
    r->magic = 0;
    free(r);
}

/* ---- all of it ---- */

int api_start(const struct api_config *config, struct api **ret)
{
    struct api *a = calloc(1, sizeof *a);
    if (!a)
        return SHUNT_NO_MEMORY;
    a->magic = API_MAGIC;
    a->config = *config;
    int err = config->changes || config->calls.auth ? calls_start(&config->calls, &a->calls) : 0;
    if (!err && config->changes)
        err = loans_start(&config->calls, &config->loans, &a->loans);
    if (!err && config->changes)
        err = streams_start(config->changes, config->calls.auth, &a->streams);
    if (err) {
        api_stop(a);
        api_free(a);
        return err;
    }
    *ret = a;
    return 0;
}

struct calls *api_calls(struct api *a)
{
    return a->calls;
}

void api_ready(struct api *a, bool ready)
{
    check(a->magic == API_MAGIC);
    if (a->calls)
        calls_open(a->calls, ready);
    if (a->loans)
        loans_open(a->loans, ready);
}

void api_stop(struct api *a)
{
    if (a->calls)
        calls_stop(a->calls);
    if (a->loans)
        loans_stop(a->loans);
    if (a->streams)
        streams_stop(a->streams);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    calls_free(a->calls);
    loans_free(a->loans);
    streams_free(a->streams);
    a->magic = 0;
    free(a);
}
