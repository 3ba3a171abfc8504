/* storm: traffic for a broker that is being killed, with a log of all that the broker has confirmed.
 *
 *   storm publish TOPIC NAME LOG COUNTERS RATE    publish RATE messages per second until SIGTERM, then wait for
 *                                                 all of them
 *   storm consume TOPIC NAME LOG COUNTERS         ack, nack, reject and release at random until SIGTERM; from
 *                                                 SIGUSR1 on ack all
 *
 * NAME is a number, and the seed of what is random. COUNTERS is a file of struct counters that all storms
 * share. LOG gets a history (docs/reliability.md): one JSON object a line. A token is made of generation and
 * deliveries; a publish that failed is `refused` with a `code`; a body that is not what was published is "?".
 *
 * Exit status: 0, 1 after an error, 64 usage.
 */
#include "client/shunt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES_MAX 400
#define HELD_MAX       40
#define TICK_MS        5
#define END_MS         60000
#define LOG_BYTES      (1 << 16)

/* Shared with the other storms and read by the test. The last two go up and down. */
struct counters {
    _Atomic uint64_t published, acked, diverted, delivered;
    _Atomic uint64_t publishes_open, answers_open;
};

/* An answer under way. */
struct answer {
    struct storm *storm;
    uint64_t op;
    char outcome;
};

/* A publish under way. */
struct promise {
    struct storm *storm;
    uint64_t n;
};

struct storm {
    struct shunt *shunt;
    struct counters *counters;
    FILE *log;
    unsigned name;
    unsigned random;
    struct shunt_delivery *held[HELD_MAX];
    uint32_t held_as[HELD_MAX]; /* the deliveries of each when it was noted */
    size_t held_count;
    const char *topic;
    uint64_t resolves;
};

static volatile sig_atomic_t stop, drain;

static void on_signal(int number)
{
    if (number == SIGTERM)
        stop = 1;
    else
        drain = 1;
}

static unsigned dice(struct storm *s, unsigned sides)
{
    return (unsigned)rand_r(&s->random) % sides;
}

/* ---- the log ---- */

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A number that no other storm uses; of publishes and answers apart. */
static uint64_t op_of(const struct storm *s, uint64_t n)
{
    return (uint64_t)s->name << 40 | n;
}

static void note(struct storm *s, const char *kind)
{
    (void)fprintf(s->log, "{\"t\":%" PRId64 ",\"e\":\"%s\"", now_us(), kind);
}

static void note_delivery(struct storm *s, const char *kind, const struct shunt_delivery *d)
{
    note(s, kind);
    (void)fprintf(s->log,
                  ",\"client\":%u,\"topic\":\"%s\",\"group\":\"default\",\"seq\":%" PRIu64
                  ",\"token\":%" PRIu64,
                  s->name, s->topic, shunt_delivery_seq(d),
                  (uint64_t)shunt_delivery_generation(d) << 32 | shunt_delivery_deliveries(d));
}

/* ---- bodies: all of one follows from its name and number ---- */

static size_t body_write(char *to, unsigned name, uint64_t n)
{
    size_t length = (size_t)snprintf(to, BODY_BYTES_MAX, "storm %u %" PRIu64 " ", name, n);
    size_t more = (size_t)(n * 7919 % 300);
    for (size_t i = 0; i < more; i++)
        to[length + i] = (char)('a' + (n + i) % 26);
    return length + more;
}

static bool body_read(const struct shunt_delivery *d, unsigned *ret_name, uint64_t *ret_n)
{
    char text[64] = "", wanted[BODY_BYTES_MAX];
    size_t bytes;
    const void *body = shunt_delivery_body(d, &bytes);
    memcpy(text, body, bytes < sizeof text - 1 ? bytes : sizeof text - 1);
    if (sscanf(text, "storm %u %" SCNu64 " ", ret_name, ret_n) != 2)
        return false;
    return body_write(wanted, *ret_name, *ret_n) == bytes && memcmp(wanted, body, bytes) == 0;
}

/* ---- publishing ---- */

static void on_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct promise *p = context;
    struct storm *s = p->storm;
    atomic_fetch_sub(&s->counters->publishes_open, 1);
    if (!err) {
        atomic_fetch_add(&s->counters->published, 1);
        note(s, "published");
        (void)fprintf(s->log, ",\"op\":%" PRIu64 ",\"seq\":%" PRIu64 "}\n", op_of(s, p->n), seq);
    } else {
        note(s, "refused");
        (void)fprintf(s->log, ",\"op\":%" PRIu64 ",\"code\":\"%s\"}\n", op_of(s, p->n),
                      shunt_error_name(err->code));
    }
    free(p);
}

/* BUSY is not an error: the window is full because the broker is away. */
static int publish_one(struct storm *s, const char *topic, struct shunt_message *m, uint64_t n,
                       struct shunt_error *err)
{
    char body[BODY_BYTES_MAX];
    struct promise *p = malloc(sizeof *p);
    if (!p)
        return SHUNT_NO_MEMORY;
    *p = (struct promise){s, n};
    shunt_message_body(m, body, body_write(body, s->name, n));
    int64_t asked_us = now_us();
    int code = shunt_publish_async(s->shunt, topic, m, on_published, p, err);
    if (code != 0) {
        free(p);
        return code;
    }
    atomic_fetch_add(&s->counters->publishes_open, 1);
    (void)fprintf(s->log,
                  "{\"t\":%" PRId64 ",\"e\":\"publish\",\"op\":%" PRIu64
                  ",\"topic\":\"%s\",\"body\":\"storm %u %" PRIu64 "\"}\n",
                  asked_us, op_of(s, n), topic, s->name, n);
    return 0;
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int publish(struct storm *s, const char *topic, double rate, struct shunt_error *err)
{
    struct shunt_message *m = shunt_message_new();
    struct pollfd watch = {.fd = shunt_fd(s->shunt), .events = POLLIN};
    int code = !m ? SHUNT_NO_MEMORY : 0;
    uint64_t n = 0;
    double due = seconds();
    while (code == 0 && !stop) {
        /* What was missed while the broker was away is not made up for. */
        double now = seconds();
        for (due = due < now - 0.05 ? now - 0.05 : due; code == 0 && due < now; due += 1 / rate) {
            code = publish_one(s, topic, m, n + 1, err);
            n += code == 0;
        }
        if (code == 0 || code == SHUNT_BUSY)
            code = shunt_process(s->shunt, err);
        (void)poll(&watch, 1, TICK_MS); /* an interruption is a tick like any other */
        if (code == 0)
            code = shunt_process(s->shunt, err);
    }
    if (code == 0)
        code = shunt_flush(s->shunt, END_MS, err);
    shunt_message_free(m);
    return code;
}

/* ---- consuming ---- */

/* What is unknown has no line. */
static void note_answer(const struct answer *a, const char *result)
{
    note(a->storm, "resolved");
    (void)fprintf(a->storm->log, ",\"op\":%" PRIu64 ",\"result\":\"%s\"}\n", a->op, result);
}

static void on_resolved(void *context, const struct shunt_error *err)
{
    struct answer *a = context;
    struct counters *counters = a->storm->counters;
    atomic_fetch_sub(&counters->answers_open, 1);
    if (!err && a->outcome == 'a')
        atomic_fetch_add(&counters->acked, 1);
    else if (!err && a->outcome != 'l')
        atomic_fetch_add(&counters->diverted, 1);
    if (!err || err->code == SHUNT_STALE)
        note_answer(a, !err ? "ok" : "stale");
    free(a);
}

static int resolve(struct storm *s, struct shunt_delivery *d)
{
    static const struct shunt_failure failure = {.type = "storm", .message = "as the dice fell"};
    static const char *const words[] = {"ack", "nack", "reject", "release"};
    struct answer *a = malloc(sizeof *a);
    struct shunt_error err;
    unsigned die = drain ? 0 : dice(s, 100);
    enum shunt_outcome outcome = die < 74   ? SHUNT_ACK
                                 : die < 86 ? SHUNT_NACK
                                 : die < 92 ? SHUNT_REJECT
                                            : SHUNT_RELEASE;
    int64_t delay_ms = dice(s, 2) == 0 ? SHUNT_BACKOFF : (int64_t)dice(s, 20);
    if (!a)
        return SHUNT_NO_MEMORY;
    *a = (struct answer){s, op_of(s, ++s->resolves), "anrl"[outcome]};
    note_delivery(s, "resolve", d);
    (void)fprintf(s->log, ",\"op\":%" PRIu64 ",\"outcome\":\"%s\"}\n", a->op, words[outcome]);
    atomic_fetch_add(&s->counters->answers_open, 1);
    int code = shunt_resolve_async(d, outcome, delay_ms, &failure, on_resolved, a, &err);
    if (code != 0) { /* the callback will not come */
        atomic_fetch_sub(&s->counters->answers_open, 1);
        if (code == SHUNT_STALE)
            note_answer(a, "stale");
        free(a);
    }
    return code == SHUNT_STALE ? 0 : code;
}

static void note_deliver(struct storm *s, struct shunt_delivery *d)
{
    unsigned name = 0;
    uint64_t n = 0;
    bool good = body_read(d, &name, &n);
    atomic_fetch_add(&s->counters->delivered, 1);
    note_delivery(s, "deliver", d);
    (void)fprintf(s->log, ",\"attempts\":%u,\"deliveries\":%u,\"generation\":%u,", shunt_delivery_attempts(d),
                  shunt_delivery_deliveries(d), shunt_delivery_generation(d));
    if (good)
        (void)fprintf(s->log, "\"body\":\"storm %u %" PRIu64 "\"}\n", name, n);
    else
        (void)fputs("\"body\":\"?\"}\n", s->log);
}

/* Some are answered at once, some are kept for a while. */
static int take(struct storm *s, struct shunt_delivery *d)
{
    note_deliver(s, d);
    if (!drain && s->held_count < HELD_MAX && dice(s, 10) == 0) {
        s->held_as[s->held_count] = shunt_delivery_deliveries(d);
        s->held[s->held_count++] = d;
        return 0;
    }
    return resolve(s, d);
}

/* One that was taken up again after a lost connection is another delivery by now. */
static int let_go(struct storm *s, size_t left)
{
    int code = 0;
    while (code == 0 && s->held_count > left) {
        struct shunt_delivery *d = s->held[--s->held_count];
        if (shunt_delivery_deliveries(d) != s->held_as[s->held_count])
            note_deliver(s, d);
        code = resolve(s, d);
    }
    return code;
}

static int consume(struct storm *s, const char *topic, struct shunt_error *err)
{
    struct shunt_consumer *consumer;
    struct shunt_delivery *d;
    int code = shunt_subscribe(s->shunt, topic, NULL, NULL, END_MS, &consumer, err);
    if (code != 0)
        return code;
    while (code == 0 && !stop) {
        code = shunt_next(consumer, TICK_MS, &d, err);
        if (code == 0)
            code = take(s, d);
        else if (err->may_retry) /* nothing came, or the broker is away */
            code = 0;
        if (code == 0) {
            code = let_go(s, drain                                             ? 0
                             : s->held_count > HELD_MAX / 2 && dice(s, 4) == 0 ? s->held_count - 4
                                                                               : s->held_count);
        }
    }
    if (code == 0)
        code = let_go(s, 0);
    if (code == 0)
        code = shunt_flush(s->shunt, END_MS, err);
    shunt_unsubscribe(consumer, END_MS);
    return code;
}

/* ---- begin and end ---- */

static struct counters *counters_map(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *at = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd); /* the mapping stays */
    return at == MAP_FAILED ? NULL : at;
}

static int open_handle(struct storm *s, struct shunt_error *err)
{
    struct shunt_options *options = shunt_options_new();
    int code = !options ? SHUNT_NO_MEMORY : shunt_options_set(options, "reconnect-min", "2ms");
    if (code == 0)
        code = shunt_options_set(options, "reconnect-max", "20ms"); /* the broker is away for moments only */
    if (code == 0)
        code = shunt_options_set(options, "window", "512");
    if (code == 0)
        code = shunt_open(getenv("SHUNT_URL"), options, &s->shunt, err);
    shunt_options_free(options);
    return code;
}

int main(int argc, char **argv)
{
    bool publisher = argc == 7 && strcmp(argv[1], "publish") == 0;
    if (!publisher && (argc != 6 || strcmp(argv[1], "consume") != 0)) {
        (void)fprintf(stderr, "usage: storm publish|consume TOPIC NAME LOG COUNTERS [RATE]\n");
        return 64;
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    struct shunt_error err = {.text = "no memory"};
    struct storm storm = {
        .name = (unsigned)atoi(argv[3]), .random = (unsigned)atoi(argv[3]), .topic = argv[2]};
    storm.log = fopen(argv[4], "we");
    storm.counters = counters_map(argv[5]);
    if (!storm.log || !storm.counters || setvbuf(storm.log, NULL, _IOFBF, LOG_BYTES) != 0) {
        perror("storm");
        return 1;
    }
    int code = open_handle(&storm, &err);
    if (code == 0)
        code = publisher ? publish(&storm, argv[2], atof(argv[6]), &err) : consume(&storm, argv[2], &err);
    shunt_close(storm.shunt, END_MS);
    if (code != 0)
        (void)fprintf(stderr, "storm %s: %s: %s\n", argv[1], shunt_error_name(code), err.text);
    return fclose(storm.log) == 0 && code == 0 ? 0 : 1;
}
