/* history_json: one line of JSON for each event, written and read.
 *
 * Which fields a kind has is one table, used both ways: a line that lacks one of its kind's fields is
 * refused.
 */
#include "proto/words.h"
#include "tests/history/history.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    F_OP = 1,
    F_CLIENT = 2,
    F_TOPIC = 4,
    F_GROUP = 8,
    F_SEQ = 16,
    F_TOKEN = 32,
    F_TALLY = 64,
    F_BODY = 128
};
enum { F_OUTCOME = 256, F_RESULT = 512, F_REASON = 1024, F_COUNTS = 2048, F_MAX = 4096 };

#define F_DELIVERY (F_CLIENT | F_TOPIC | F_GROUP | F_SEQ | F_TOKEN)

static const struct {
    const char *name;
    unsigned fields;
} kinds[HISTORY_KINDS] = {
    [HISTORY_CLIENT] = {"client", F_CLIENT},
    [HISTORY_LOST] = {"lost", F_CLIENT},
    [HISTORY_GROUP] = {"group", F_TOPIC | F_GROUP | F_MAX},
    [HISTORY_PUBLISH] = {"publish", F_OP | F_TOPIC | F_BODY},
    [HISTORY_PUBLISHED] = {"published", F_OP | F_SEQ},
    [HISTORY_REFUSED] = {"refused", F_OP},
    [HISTORY_DELIVER] = {"deliver", F_DELIVERY | F_TALLY | F_BODY},
    [HISTORY_STARTED] = {"started", F_DELIVERY},
    [HISTORY_KEEP] = {"keep", F_DELIVERY},
    [HISTORY_RESOLVE] = {"resolve", F_OP | F_DELIVERY | F_OUTCOME},
    [HISTORY_RESOLVED] = {"resolved", F_OP | F_RESULT},
    [HISTORY_REDRIVE] = {"redrive", F_TOPIC | F_GROUP},
    [HISTORY_REMOVE] = {"remove", F_TOPIC | F_GROUP},
    [HISTORY_MOVE] = {"move", F_TOPIC},
    [HISTORY_SETTLE] = {"settle", F_TOPIC | F_GROUP | F_SEQ},
    [HISTORY_DAMAGE] = {"damage", F_TOPIC | F_SEQ},
    [HISTORY_RESTART] = {"restart", 0},
    [HISTORY_DEAD] = {"dead", F_TOPIC | F_GROUP | F_SEQ | F_TALLY | F_REASON | F_BODY},
    [HISTORY_COUNTS] = {"counts", F_TOPIC | F_GROUP | F_COUNTS},
    [HISTORY_END] = {"end", F_RESULT},
};

static const char *const outcomes[] = {"ack", "nack", "reject", "release", "extend", "late", NULL};
static const char *const results[] = {"ok", "stale", "error", NULL};
static const char *const reasons[] = {"rejected",         "max_attempts", "ttl_expired",       "corrupt",
                                      "predecessor_dead", "operator",     "deadline_exceeded", NULL};
static const char *const counters[] = {"published", "ready",     "in_flight", "delayed",  "dead", "acked",
                                       "expired",   "discarded", "purged",    "redriven", "moved"};

_Static_assert(sizeof counters / sizeof *counters == HISTORY_COUNTERS, "a name for each");
_Static_assert(sizeof reasons / sizeof *reasons == DEAD_REASONS + 1, "a name for each");

/* ---- writing ---- */

static void write_event(const struct history *h, const struct history_event *e, FILE *to)
{
    unsigned fields = kinds[e->kind].fields;
    (void)fprintf(to, "{\"t\":%" PRId64 ",\"e\":\"%s\"", e->t_us, kinds[e->kind].name);
    if (fields & F_OP)
        (void)fprintf(to, ",\"op\":%" PRIu64, e->op);
    if (fields & F_CLIENT)
        (void)fprintf(to, ",\"client\":%u", e->client);
    if (e->kind == HISTORY_CLIENT)
        (void)fprintf(to, ",\"marks\":%s", e->marks ? "true" : "false");
    if (fields & F_TOPIC)
        (void)fprintf(to, ",\"topic\":\"%s\"", history_name_of(h, e->topic));
    if (fields & F_GROUP)
        (void)fprintf(to, ",\"group\":\"%s\"", history_name_of(h, e->group));
    if (fields & F_MAX)
        (void)fprintf(to, ",\"max_attempts\":%u", e->max_attempts);
    if (fields & F_SEQ)
        (void)fprintf(to, ",\"seq\":%" PRIu64, e->seq);
    if (fields & F_TOKEN)
        (void)fprintf(to, ",\"token\":%" PRIu64, e->token);
    if (fields & F_TALLY) {
        (void)fprintf(to, ",\"attempts\":%u,\"deliveries\":%u,\"generation\":%u", e->attempts, e->deliveries,
                      e->generation);
    }
    if (fields & F_BODY)
        (void)fprintf(to, ",\"body\":\"%016" PRIx64 "\"", e->body);
    if (e->ttl)
        (void)fputs(",\"ttl\":true", to);
    if (e->ordered)
        (void)fputs(",\"ordered\":true", to);
    if (e->holds)
        (void)fputs(",\"dead_hold\":true", to);
    if (e->spares)
        (void)fputs(",\"breaker\":true", to);
    if (e->runs)
        (void)fputs(",\"runs\":true", to);
    if (e->key)
        (void)fprintf(to, ",\"key\":\"%016" PRIx64 "\"", e->key);
    if (e->sent_us)
        (void)fprintf(to, ",\"sent_us\":%" PRId64 ",\"lease_ms\":%" PRId64, e->sent_us, e->lease_ms);
    if (e->sent_by_us)
        (void)fprintf(to, ",\"sent_by_us\":%" PRId64, e->sent_by_us);
    if (fields & F_OUTCOME)
        (void)fprintf(to, ",\"outcome\":\"%s\"", outcomes[e->outcome]);
    if (fields & F_RESULT)
        (void)fprintf(to, ",\"result\":\"%s\"", results[e->result]);
    if (fields & F_REASON)
        (void)fprintf(to, ",\"reason\":\"%s\"", reasons[e->reason]);
    for (int i = 0; fields & F_COUNTS && i < HISTORY_COUNTERS; i++)
        (void)fprintf(to, ",\"%s\":%" PRIu64, counters[i], e->counts[i]);
    (void)fputs("}\n", to);
}

void history_write(const struct history *h, FILE *to)
{
    for (size_t i = 0; i < h->count; i++)
        write_event(h, &h->events[i], to);
}

/* ---- reading ---- */

struct line {
    json_t *object;
    const char *missing; /* the first field that is not there, or is of another type */
};

static uint64_t number(struct line *l, const char *key)
{
    json_t *v = json_object_get(l->object, key);
    if (json_is_integer(v) && json_integer_value(v) >= 0)
        return (uint64_t)json_integer_value(v);
    l->missing = l->missing ? l->missing : key;
    return 0;
}

static const char *string(struct line *l, const char *key)
{
    const char *text = json_string_value(json_object_get(l->object, key));
    if (!text)
        l->missing = l->missing ? l->missing : key;
    return text ? text : "";
}

static uint8_t word(struct line *l, const char *key, const char *const *words)
{
    const char *text = string(l, key);
    for (uint8_t i = 0; words[i]; i++) {
        if (!strcmp(words[i], text))
            return i;
    }
    l->missing = l->missing ? l->missing : key;
    return 0;
}

/* A digest as 16 hexadecimal digits, or any other text, of which one is made here (FNV-1a). */
static uint64_t digest(struct line *l, const char *field)
{
    const char *text = string(l, field);
    char *end;
    uint64_t value = strtoull(text, &end, 16);
    if (strlen(text) == 16 && !*end)
        return value;
    value = 14695981039346656037ull;
    for (; *text; text++)
        value = (value ^ (uint8_t)*text) * 1099511628211ull;
    return value;
}

static void read_fields(struct line *l, struct history *h, struct history_event *e)
{
    unsigned fields = kinds[e->kind].fields;
    if (fields & F_OP)
        e->op = number(l, "op");
    if (fields & F_CLIENT)
        e->client = (uint32_t)number(l, "client");
    if (fields & F_TOPIC)
        e->topic = history_name(h, string(l, "topic"));
    if (fields & F_GROUP)
        e->group = history_name(h, string(l, "group"));
    if (fields & F_MAX)
        e->max_attempts = (uint32_t)number(l, "max_attempts");
    if (fields & F_SEQ)
        e->seq = number(l, "seq");
    if (fields & F_TOKEN)
        e->token = number(l, "token");
    if (fields & F_TALLY) {
        e->attempts = (uint32_t)number(l, "attempts");
        e->deliveries = (uint32_t)number(l, "deliveries");
        e->generation = (uint32_t)number(l, "generation");
    }
    if (fields & F_BODY)
        e->body = digest(l, "body");
    if (fields & F_OUTCOME)
        e->outcome = word(l, "outcome", outcomes);
    if (fields & F_RESULT)
        e->result = word(l, "result", results);
    if (fields & F_REASON)
        e->reason = word(l, "reason", reasons);
    for (int i = 0; fields & F_COUNTS && i < HISTORY_COUNTERS; i++) {
        if (i != COUNT_MOVED || json_object_get(l->object, counters[i])) /* some rigs move nothing */
            e->counts[i] = number(l, counters[i]);
    }
    e->marks = !json_is_false(json_object_get(l->object, "marks"));
    e->ttl = json_is_true(json_object_get(l->object, "ttl"));
    e->ordered = json_is_true(json_object_get(l->object, "ordered"));
    e->holds = json_is_true(json_object_get(l->object, "dead_hold"));
    e->spares = json_is_true(json_object_get(l->object, "breaker"));
    e->runs = json_is_true(json_object_get(l->object, "runs"));
    if (json_object_get(l->object, "key"))
        e->key = digest(l, "key");
    if (e->kind == HISTORY_DELIVER && json_object_get(l->object, "sent_us")) {
        e->sent_us = (int64_t)number(l, "sent_us");
        e->lease_ms = (int64_t)number(l, "lease_ms");
    }
    if (e->kind == HISTORY_DELIVER && json_object_get(l->object, "sent_by_us"))
        e->sent_by_us = (int64_t)number(l, "sent_by_us");
}

static bool read_line(struct history *h, const char *text, char *ret_why, size_t why_bytes)
{
    json_error_t error;
    struct line l = {.object = json_loads(text, JSON_REJECT_DUPLICATES, &error)};
    if (!l.object) {
        (void)snprintf(ret_why, why_bytes, "not JSON: %s", error.text);
        return false;
    }
    const char *name = string(&l, "e");
    int kind = 0;
    while (kind < HISTORY_KINDS && strcmp(kinds[kind].name, name) != 0)
        kind++;
    if (kind == HISTORY_KINDS) {
        (void)snprintf(ret_why, why_bytes, "no kind of event: \"%.40s\"", name);
    } else {
        struct history_event *e = history_note(h, (enum history_kind)kind, (int64_t)number(&l, "t"));
        read_fields(&l, h, e);
        if (l.missing)
            (void)snprintf(ret_why, why_bytes, "%s: the field %s is missing or wrong", name, l.missing);
    }
    json_decref(l.object);
    return kind < HISTORY_KINDS && !l.missing;
}

bool history_read(struct history *h, FILE *from, char *ret_why, size_t why_bytes)
{
    char *line = NULL, why[200];
    size_t capacity = 0, number_of_line = 0;
    bool good = true;
    while (good && getline(&line, &capacity, from) > 0) {
        number_of_line++;
        good = read_line(h, line, why, sizeof why);
    }
    if (!good)
        (void)snprintf(ret_why, why_bytes, "line %zu: %s", number_of_line, why);
    free(line);
    return good;
}
