/* on_breach: see on_breach.h.
 *
 * Happy path: the engine's thread adds an event to each teller's queue and wakes it; the teller's thread takes the notice
 * that is due, runs the program outside the lock, and notes what came of it.
 */
#include "broker/on_breach.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/magic.h"
#include "broker/child.h"
#include "broker/command_line.h"
#include "broker/config.h"
#include "broker/notices.h"
#include "proto/errors.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define DOCUMENT_BYTES  2048
#define CURL_GRACE_MS   1000 /* that it gets to say that its time is over */
#define ENVIRONMENT_OWN 5

static const char *const way_names[BREACH_WAYS] = BREACH_WAY_NAMES;

#define TELLER_MAGIC 0x74656c6cu
struct teller {
    uint32_t magic;
    struct on_breach *owner;
    enum breach_way way;
    bool runs;
    pthread_t thread;
    struct notices notices; /* under the owner's lock */
    char *text;             /* the setting; of a command, divided into its words */
    char *words[COMMAND_LINE_WORDS_MAX + 1];
};

#define ON_BREACH_MAGIC 0x6f6e6272u
struct on_breach {
    uint32_t magic;
    const struct log *log;
    int64_t timeout_ms;
    char host[65];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping; /* under `lock` */
    int stop_fd;   /* readable from then on */
    struct breach_counts counts;
    struct teller tellers[BREACH_WAYS];
};

/* ---- what is said ---- */

struct said {
    char oldest[TOPIC_BYTES_MAX + 32], died[32];
    char document[DOCUMENT_BYTES];
};

/* Names of topics and groups hold nothing that JSON would have to escape, nor does the host's as it is kept. */
static void say(const struct on_breach *b, const struct notice *n, struct said *ret)
{
    time_t seconds = (time_t)(n->died_ms / 1000);
    struct tm tm;
    int size;
    *ret = (struct said){0};
    if (!n->topic[0]) {
        size = snprintf(
            ret->document, sizeof ret->document,
            "{\"event\":\"dead_letters_overdue\",\"server\":\"%s\",\"topic\":null,\"group\":null,"
            "\"count\":%" PRIu64 ",\"oldest\":null,\"oldest_died\":null,\"text\":\"shunt on %s: nobody "
            "has looked in time at %" PRIu64 " dead letters of further groups; see `shunt dlq causes`\"}",
            b->host, n->count, b->host, n->count);
    } else {
        (void)snprintf(ret->oldest, sizeof ret->oldest, "%s/%" PRIu64, n->topic, n->seq); /* it fits */
        (void)gmtime_r(&seconds, &tm);                                          /* not after the year 9999 */
        (void)strftime(ret->died, sizeof ret->died, "%Y-%m-%dT%H:%M:%SZ", &tm); /* as above */
        size = snprintf(ret->document, sizeof ret->document,
                        "{\"event\":\"dead_letters_overdue\",\"server\":\"%s\",\"topic\":\"%s\",\"group\":\"%"
                        "s\",\"count\":%" PRIu64 ",\"oldest\":\"%s\",\"oldest_died\":\"%s\",\"text\":\"shunt "
                        "on %s: nobody has looked in time at %" PRIu64
                        " dead letters of %s, group %s, the oldest of %s; see `shunt dlq causes %s -g %s`\"}",
                        b->host, n->topic, n->group, n->count, ret->oldest, ret->died, b->host, n->count,
                        n->topic, n->group, ret->died, n->topic, n->group);
    }
    check(size > 0 && (size_t)size < sizeof ret->document);
}

/* ---- the command ---- */

extern char **environ;

/* The server's own, except what its service manager gave it alone, and five more. NULL without memory. */
static char **make_environment(char *own[ENVIRONMENT_OWN])
{
    size_t count = 0, at = 0;
    while (environ[count])
        count++;
    char **all = calloc(count + ENVIRONMENT_OWN + 1, sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) && strncmp(environ[i], "WATCHDOG_", 9) &&
            strncmp(environ[i], "SHUNT_", 6))
            all[at++] = environ[i];
    }
    for (size_t i = 0; i < ENVIRONMENT_OWN; i++)
        all[at++] = own[i];
    return all;
}

static void run_command(struct teller *t, const struct notice *n, const struct said *said,
                        struct child_result *ret)
{
    char topic[TOPIC_BYTES_MAX + 16], group[NAME_BYTES_MAX + 16], count[48];
    char oldest[sizeof said->oldest + 16], died[sizeof said->died + 24];
    (void)snprintf(topic, sizeof topic, "SHUNT_TOPIC=%s", n->topic); /* all of them fit */
    (void)snprintf(group, sizeof group, "SHUNT_GROUP=%s", n->group);
    (void)snprintf(count, sizeof count, "SHUNT_COUNT=%" PRIu64, n->count);
    (void)snprintf(oldest, sizeof oldest, "SHUNT_OLDEST=%s", said->oldest);
    (void)snprintf(died, sizeof died, "SHUNT_OLDEST_DIED=%s", said->died);
    char **environment = make_environment((char *[ENVIRONMENT_OWN]){topic, group, count, oldest, died});
    if (!environment) {
        *ret = (struct child_result){.end = CHILD_NOT_STARTED, .status = ENOMEM};
        return;
    }
    struct child_command command = {.words = t->words,
                                    .environment = environment,
                                    .input = slice_of(said->document),
                                    .timeout_ms = t->owner->timeout_ms,
                                    .stop_fd = t->owner->stop_fd};
    child_run(&command, ret);
    free(environment);
}

/* ---- the URL ---- */

/* All that curl is told goes through its standard input: a URL often holds a secret, which a list of processes must not
 * show. The settings allow a URL nothing that would have to be escaped here. */
static size_t write_curl(char *to, size_t room, const struct teller *t, const char *document)
{
    int64_t ms = t->owner->timeout_ms;
    int size =
        snprintf(to, room,
                 "url = \"%s\"\ngloboff\nproto = \"=http,https\"\nmax-time = %" PRId64 ".%03" PRId64
                 "\nsilent\nshow-error\nfail\noutput = \"/dev/null\"\nwrite-out = \"%%{http_code}\"\n"
                 "user-agent = \"shuntd/" SHUNT_VERSION "\"\nheader = \"Content-Type: application/json\"\n"
                 "data-binary = \"",
                 t->text, ms / 1000, ms % 1000);
    check(size > 0 && (size_t)size < room);
    size_t at = (size_t)size;
    for (; *document; document++) {
        check(at + 4 < room);
        if (*document == '"')
            to[at++] = '\\';
        to[at++] = *document;
    }
    to[at++] = '"';
    to[at++] = '\n';
    return at;
}

static void run_curl(struct teller *t, const struct said *said, struct child_result *ret)
{
    char text[] = "curl -q --config -", *words[COMMAND_LINE_WORDS_MAX + 1];
    const char *why;
    check(command_line_split(text, words, &why));
    char input[CONFIG_URL_BYTES_MAX + 2 * DOCUMENT_BYTES];
    struct child_command command = {.words = words,
                                    .environment = environ,
                                    .input = {input, write_curl(input, sizeof input, t, said->document)},
                                    .timeout_ms = t->owner->timeout_ms + CURL_GRACE_MS,
                                    .stop_fd = t->owner->stop_fd};
    child_run(&command, ret);
}

/* ---- what came of it ---- */

/* A sentence about a program that did not do what it should. */
static void explain(const struct teller *t, const struct child_result *r, char *to, size_t room)
{
    switch (r->end) {
    case CHILD_EXITED:
        if (t->way == BREACH_URL && !r->status) {
            (void)snprintf(to, room, "the server answered %s", r->out);
            return;
        }
        (void)snprintf(to, room, "exit %d%s%s", r->status, r->err[0] ? ": " : "", r->err);
        return;
    case CHILD_SIGNALLED:
        (void)snprintf(to, room, "killed by signal %d%s%s", r->status, r->err[0] ? ": " : "", r->err);
        return;
    case CHILD_TIMED_OUT:
        (void)snprintf(to, room, "it took longer than on-breach-timeout, and was killed");
        return;
    case CHILD_NOT_STARTED:
        (void)snprintf(to, room, "cannot be started: %s", strerrordesc_np(r->status));
        return;
    case CHILD_STOPPED:
        (void)snprintf(to, room, "the server stops");
        return;
    }
}

static bool succeeded(const struct teller *t, const struct child_result *r)
{
    if (t->way == BREACH_COMMAND)
        return r->end == CHILD_EXITED && r->status == 0;
    /* What the server answered counts, even if it then sent more than anybody wants to read. */
    return r->end == CHILD_EXITED && strlen(r->out) == 3 && r->out[0] == '2';
}

static void begin_line(struct log_line *line, const struct teller *t, const struct notice *n)
{
    log_text(line, "by", way_names[t->way]);
    log_text(line, "topic", n->topic[0] ? n->topic : NULL);
    log_text(line, "group", n->group[0] ? n->group : NULL);
    log_number(line, "count", (int64_t)n->count);
}

static void log_told(const struct teller *t, const struct notice *n)
{
    struct log_line line;
    log_begin(&line, t->owner->log, LOG_LEVEL_INFO, "breach_told");
    begin_line(&line, t, n);
    log_number(&line, "tries", n->failures + 1);
    log_end(&line);
}

/* `again_ms`: in how long it is tried again; 0: not any more. */
static void log_not_told(const struct teller *t, const struct notice *n, int64_t again_ms, const char *why)
{
    struct log_line line;
    log_begin(&line, t->owner->log, LOG_LEVEL_WARNING, "breach_not_told");
    begin_line(&line, t, n);
    log_number(&line, "tries", n->failures + 1);
    if (again_ms)
        log_number(&line, "again_ms", again_ms);
    log_text(&line, "why", why);
    log_end(&line);
}

static void count(struct teller *t, enum breach_try outcome)
{
    (void)atomic_fetch_add(&t->owner->counts.tries[t->way][outcome], 1);
}

static uint64_t chance(void)
{
    uint64_t random = 0;
    /* So few bytes come, once the machine has started. Without them all servers wait equally long. */
    return getrandom(&random, sizeof random, 0) == (ssize_t)sizeof random ? random : 0;
}

/* With the lock held, which is open while the program runs. */
static void try_one(struct teller *t, const struct notice *n)
{
    struct on_breach *b = t->owner;
    struct child_result result;
    struct said said;
    char why[CHILD_TEXT_BYTES + 64];
    (void)pthread_mutex_unlock(&b->lock); /* held by this thread: cannot fail */
    say(b, n, &said);
    if (t->way == BREACH_COMMAND)
        run_command(t, n, &said, &result);
    else
        run_curl(t, &said, &result);
    (void)pthread_mutex_lock(&b->lock);
    int64_t now_ms = clock_mono_ms();
    if (result.end == CHILD_STOPPED)
        return; /* it is left, and that is logged */
    if (succeeded(t, &result)) {
        notices_told(&t->notices, n, now_ms);
        count(t, BREACH_TOLD);
        log_told(t, n);
        return;
    }
    explain(t, &result, why, sizeof why);
    int64_t again_ms = notices_failed(&t->notices, n, chance(), now_ms);
    count(t, again_ms ? BREACH_FAILED : BREACH_GIVEN_UP);
    log_not_told(t, n, again_ms ? again_ms - now_ms : 0, why);
}

/* ---- the thread ---- */

static void wait_until(struct on_breach *b, int64_t due_ms)
{
    if (due_ms == INT64_MAX) {
        (void)pthread_cond_wait(&b->changed, &b->lock);
        return;
    }
    struct timespec until = clock_until(due_ms - clock_mono_ms());
    (void)pthread_cond_timedwait(&b->changed, &b->lock, &until); /* woken early, it looks again */
}

static void *run(void *context)
{
    struct teller *t = magic_of(context, teller, TELLER_MAGIC);
    struct on_breach *b = t->owner;
    struct notice n;
    int64_t due_ms;
    (void)pthread_mutex_lock(&b->lock);
    while (!b->stopping) {
        if (notices_due(&t->notices, clock_mono_ms(), &n, &due_ms))
            try_one(t, &n);
        else
            wait_until(b, due_ms);
    }
    struct notice left = {.count = notices_left(&t->notices)};
    (void)pthread_mutex_unlock(&b->lock);
    if (left.count)
        log_not_told(t, &left, 0, "the server stops");
    return NULL;
}

/* ---- public ---- */

/* Of the host's name what can stand anywhere. */
static void read_host(char host[65])
{
    if (gethostname(host, 64) != 0)
        host[0] = '\0';
    host[64] = '\0';
    for (char *at = host; *at; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        if (!plain && *at != '.' && *at != '-')
            *at = '_';
    }
}

static int start_teller(struct on_breach *b, enum breach_way way, const char *setting, char *ret_why,
                        size_t why_bytes)
{
    struct teller *t = &b->tellers[way];
    const char *why, *program = "curl";
    if (!setting)
        return 0;
    t->magic = TELLER_MAGIC;
    t->owner = b;
    t->way = way;
    t->text = strdup(setting);
    if (!t->text)
        return SHUNT_NO_MEMORY;
    if (way == BREACH_COMMAND) {
        check(command_line_split(t->text, t->words, &why)); /* the setting was checked */
        program = t->words[0];
    }
    if (!child_can_run(program)) {
        (void)snprintf(ret_why, why_bytes, "on-breach-%s: `%s` cannot be found or run%s", way_names[way],
                       program, way == BREACH_URL ? ": install curl, which sends to the URL" : "");
        return SHUNT_BAD_ARGUMENT;
    }
    t->runs = pthread_create(&t->thread, NULL, run, t) == 0;
    return t->runs ? 0 : SHUNT_IO;
}

int on_breach_start(const struct on_breach_config *config, struct on_breach **ret, char *ret_why,
                    size_t why_bytes)
{
    *ret = NULL;
    if (!config->command && !config->url)
        return 0;
    struct on_breach *b = calloc(1, sizeof *b);
    if (!b)
        return SHUNT_NO_MEMORY;
    b->magic = ON_BREACH_MAGIC;
    b->log = config->log;
    b->timeout_ms = config->timeout_ms;
    read_host(b->host);
    (void)pthread_mutex_init(&b->lock, NULL); /* with default attributes it does not fail on Linux */
    clock_cond_init(&b->changed);
    b->stop_fd = eventfd(0, EFD_CLOEXEC);
    int err = b->stop_fd >= 0 ? 0 : SHUNT_IO;
    if (!err)
        err = start_teller(b, BREACH_COMMAND, config->command, ret_why, why_bytes);
    if (!err)
        err = start_teller(b, BREACH_URL, config->url, ret_why, why_bytes);
    if (err)
        on_breach_stop(b);
    else
        *ret = b;
    return err;
}

void on_breach_stop(struct on_breach *b)
{
    const uint64_t one = 1;
    if (!b)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->stopping = true;
    if (b->stop_fd >= 0)
        check(write(b->stop_fd, &one, sizeof one) == sizeof one);
    (void)pthread_cond_broadcast(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
    for (int i = 0; i < BREACH_WAYS; i++) {
        if (b->tellers[i].runs)
            (void)pthread_join(b->tellers[i].thread, NULL); /* it is there */
        free(b->tellers[i].text);
    }
    if (b->stop_fd >= 0)
        (void)close(b->stop_fd);
    (void)pthread_cond_destroy(&b->changed); /* nobody waits any more */
    (void)pthread_mutex_destroy(&b->lock);
    b->magic = 0;
    free(b);
}

void on_breach_add(struct on_breach *b, const struct event *event)
{
    struct notice n = {.count = event->count, .seq = event->seq, .died_ms = event->died_ms};
    check(b->magic == ON_BREACH_MAGIC && event->kind == EVENT_OVERDUE);
    if (event->topic && event->group) {
        (void)snprintf(n.topic, sizeof n.topic, "%s", event->topic); /* they fit: they were checked */
        (void)snprintf(n.group, sizeof n.group, "%s", event->group); /* as above */
    }
    (void)pthread_mutex_lock(&b->lock);
    for (int i = 0; i < BREACH_WAYS; i++) {
        if (b->tellers[i].runs)
            notices_add(&b->tellers[i].notices, &n, clock_mono_ms());
    }
    (void)pthread_cond_broadcast(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

const struct breach_counts *on_breach_counts(const struct on_breach *b)
{
    return b ? &b->counts : NULL;
}
