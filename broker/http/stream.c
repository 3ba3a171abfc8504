/* stream: see stream.h. */
#include "broker/http/stream.h"

#include "base/clock.h"
#include "base/magic.h"
#include "broker/http/text.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES (16u * 1024)

#define STREAM_MAGIC 0x9e2c6b17u
struct stream {
    uint32_t magic; /* while it is somebody's */
    struct streams *of;
    struct MHD_Connection *connection;
    int fd;           /* libmicrohttpd's */
    bool suspended;   /* it waits for a change, or for the time of a comment */
    bool gone;        /* its client has closed the connection */
    uint64_t number;  /* of the last change that it has got */
    int64_t quiet_ms; /* mono: since when nothing was sent */
    int64_t begun_ms; /* mono */
    uint64_t access;  /* as its client was let in … */
    int64_t until_ms; /* … and wall: until when */
    struct text out;  /* not sent yet */
};

#define STREAMS_MAGIC 0x70d5e4a3u
struct streams {
    uint32_t magic;
    struct changes *changes;
    bool auth;
    int stop_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows; held while a connection is suspended or resumed */
    bool stopping;
    struct stream list[STREAMS_MAX];
};

static void lock(struct streams *s)
{
    (void)pthread_mutex_lock(&s->lock); /* not held by this thread: cannot fail */
}

static void unlock(struct streams *s)
{
    (void)pthread_mutex_unlock(&s->lock); /* held by this thread: cannot fail */
}

/* ---- one stream, on libmicrohttpd's thread ---- */

static void put_lost(struct stream *t, const char *why, uint64_t count)
{
    char id[CHANGES_ID_BYTES];
    changes_id(t->of->changes, t->number, id);
    text_add(&t->out, "id: ");
    text_add(&t->out, id);
    text_add(&t->out, "\nevent: lost\ndata: {\"why\":\"");
    text_add(&t->out, why);
    text_add(&t->out, "\",\"count\":");
    if (count)
        text_add_u64(&t->out, count);
    else
        text_add(&t->out, "null");
    text_add(&t->out, "}\n\n");
}

/* What is to be sent next; nothing: it waits. */
static void fill(struct stream *t, int64_t now_ms)
{
    uint64_t missed = changes_missed(t->of->changes, &t->number);
    if (missed)
        put_lost(t, "too late", missed);
    changes_read(t->of->changes, &t->number, BLOCK_BYTES, &t->out);
    if (!t->out.size && now_ms - t->quiet_ms >= STREAM_QUIET_MS)
        text_add(&t->out, ":\n\n");
}

/* What it was let in by may be no more: it is to come again. */
static bool is_to_ask_again(const struct stream *t, int64_t now_ms)
{
    return t->of->auth && (now_ms - t->begun_ms >= STREAM_LOGIN_MS || clock_wall_ms() >= t->until_ms ||
                           changes_of_access(t->of->changes) != t->access);
}

static ssize_t stream_read(void *context, uint64_t at, char *to, size_t max)
{
    struct stream *t = magic_of(context, stream, STREAM_MAGIC);
    struct streams *s = t->of;
    int64_t now_ms = clock_mono_ms();
    (void)at; /* it is read in order */
    lock(s);
    bool over = !t->out.size && is_to_ask_again(t, now_ms);
    ssize_t size = s->stopping || over ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    if (!s->stopping && !over && !t->gone) {
        if (!t->out.size)
            fill(t, now_ms);
        size = t->out.failed ? MHD_CONTENT_READER_END_WITH_ERROR
                             : (ssize_t)(t->out.size < max ? t->out.size : max);
    }
    if (size == 0) {
        t->suspended = true;
        MHD_suspend_connection(t->connection);
    } else if (size > 0) {
        memcpy(to, t->out.data, (size_t)size);
        t->out.size -= (size_t)size;
        memmove(t->out.data, t->out.data + size, t->out.size);
        t->quiet_ms = now_ms;
    }
    unlock(s);
    return size;
}

static void stream_free(void *context)
{
    struct stream *t = magic_of(context, stream, STREAM_MAGIC);
    struct streams *s = t->of;
    lock(s);
    text_done(&t->out);
    *t = (struct stream){0};
    unlock(s);
}

/* A machine that has gone without a word is noticed when comments are not acknowledged, and a client that does not read when this
 * is full. Without these both take longer. By HTTPS the descriptor is the end of a pair, which has no second one; the pump has set it. */
static void tune(int fd)
{
    unsigned ms = STREAM_GONE_MS;
    int bytes = STREAM_BYTES_MAX;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

static void begin(struct stream *t, enum changes_id kind, uint64_t newest)
{
    char id[CHANGES_ID_BYTES];
    if (kind == CHANGES_ID_OF_ANOTHER_START)
        t->number = newest;
    changes_id(t->of->changes, t->number, id);
    text_add(&t->out, "retry: 2000\nid: ");
    text_add(&t->out, id);
    text_add(&t->out, "\nevent: begin\ndata: {}\n\n");
    if (kind == CHANGES_ID_OF_ANOTHER_START)
        put_lost(t, "the server was started anew", 0);
}

const char *stream_last_id(struct MHD_Connection *connection, const struct target *target,
                           char text[CHANGES_ID_BYTES], struct problem *ret)
{
    const char *id = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID");
    for (unsigned i = 0; i < target->pairs_count; i++) {
        const struct target_pair *pair = &target->pairs[i];
        if (!slice_is(pair->name, "after") || i > 0) {
            (void)problem_is(ret, PROBLEM_BAD_FIELD, "the only parameter is `after`, once");
            return NULL;
        }
        (void)snprintf(text, CHANGES_ID_BYTES, "%.*s", (int)pair->value.size,
                       (const char *)pair->value.data); /* ids are short */
        id = id && *id ? id : text;
    }
    return id;
}

struct MHD_Response *stream_new(struct streams *s, struct MHD_Connection *connection, const char *id,
                                uint64_t access, int64_t until_ms, struct problem *ret)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    uint64_t newest = changes_newest(s->changes), number = newest;
    enum changes_id kind = id && *id ? changes_id_read(s->changes, id, &number) : CHANGES_ID_GOOD;
    struct stream *t = NULL;
    if (kind == CHANGES_ID_BAD || (kind == CHANGES_ID_GOOD && number > newest)) {
        (void)problem_is(ret, PROBLEM_BAD_FIELD, "Last-Event-ID is not the id of an event of this stream");
        return NULL;
    }
    lock(s);
    for (unsigned i = 0; i < STREAMS_MAX && !t && !s->stopping; i++) {
        if (!s->list[i].magic)
            t = &s->list[i];
    }
    if (t) {
        *t = (struct stream){.magic = STREAM_MAGIC,
                             .of = s,
                             .connection = connection,
                             .number = number,
                             .fd = -1,
                             .access = access,
                             .until_ms = until_ms};
        t->fd = info ? info->connect_fd : -1;
        t->quiet_ms = t->begun_ms = clock_mono_ms();
        begin(t, kind, newest);
    }
    unlock(s);
    if (!t) {
        (void)problem_is(ret, PROBLEM_TOO_MANY_STREAMS, "at most %d are served at once", STREAMS_MAX);
        return NULL;
    }
    tune(t->fd);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, stream_read, t, stream_free);
    if (!response) {
        stream_free(t);
        (void)problem_is_error(ret, SHUNT_NO_MEMORY, "");
    }
    (void)eventfd_write(s->stop_fd, 1); /* the thread watches one more; it cannot be full */
    return response;
}

/* ---- all streams, on their thread ---- */

/* Resume those that wait: each looks whether there is something for it. With the lock held. */
static void wake(struct streams *s)
{
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        struct stream *t = &s->list[i];
        if (!t->magic || !t->suspended)
            continue;
        t->suspended = false;
        MHD_resume_connection(t->connection);
    }
}

/* What to wait for: the end of a client, and the time of the next comment. Returns how many descriptors. */
static unsigned watch(struct streams *s, struct pollfd fds[STREAMS_MAX], struct stream *streams[STREAMS_MAX],
                      int64_t now_ms, int64_t *until_ms)
{
    unsigned count = 0;
    lock(s);
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        struct stream *t = &s->list[i];
        if (!t->magic || t->gone)
            continue;
        streams[count] = t;
        fds[count++] = (struct pollfd){.fd = t->fd, .events = POLLRDHUP};
        int64_t comment_ms = t->quiet_ms + STREAM_QUIET_MS;
        if (comment_ms <= now_ms) /* what it was sent before has not left yet */
            comment_ms = now_ms + STREAM_QUIET_MS;
        if (comment_ms < *until_ms)
            *until_ms = comment_ms;
        int64_t left_ms = s->auth && t->until_ms < CLOCK_NEVER ? t->until_ms - clock_wall_ms() : 0;
        if (left_ms > 0 && now_ms + left_ms < *until_ms)
            *until_ms = now_ms + left_ms;
    }
    unlock(s);
    return count;
}

static void *run(void *argument)
{
    struct streams *s = magic_of(argument, streams, STREAMS_MAGIC);
    struct pollfd fds[STREAMS_MAX + 2];
    struct stream *streams[STREAMS_MAX];
    eventfd_t ignored;
    bool stop = false;
    while (!stop) {
        int64_t now_ms = clock_mono_ms(), until_ms = changes_gathered(s->changes, now_ms, clock_wall_ms());
        unsigned count = watch(s, fds, streams, now_ms, &until_ms);
        fds[count] = (struct pollfd){.fd = changes_fd(s->changes), .events = POLLIN};
        fds[count + 1] = (struct pollfd){.fd = s->stop_fd, .events = POLLIN};
        int ready = poll(fds, count + 2, clock_poll_ms(until_ms));
        if (ready > 0 && fds[count].revents)
            changes_seen(s->changes);
        if (ready > 0 && fds[count + 1].revents)
            (void)eventfd_read(s->stop_fd, &ignored); /* what it is about is looked at */
        lock(s);
        /* Its place may be another's by now, whose client is then taken for gone: it comes again. */
        for (unsigned i = 0; ready > 0 && i < count; i++)
            streams[i]->gone |= fds[i].revents && streams[i]->fd == fds[i].fd;
        stop = s->stopping;
        wake(s);
        unlock(s);
    }
    return NULL;
}

/* ---- public ---- */

int streams_start(struct changes *changes, bool auth, struct streams **ret)
{
    struct streams *s = calloc(1, sizeof *s);
    if (!s)
        return SHUNT_NO_MEMORY;
    s->magic = STREAMS_MAGIC;
    s->changes = changes;
    s->auth = auth;
    (void)pthread_mutex_init(&s->lock, NULL); /* with default attributes it does not fail on Linux */
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd >= 0 && pthread_create(&s->thread, NULL, run, s) == 0) {
        *ret = s;
        return 0;
    }
    streams_free(s);
    return SHUNT_IO;
}

void streams_stop(struct streams *s)
{
    lock(s);
    s->stopping = true;
    unlock(s);
    (void)eventfd_write(s->stop_fd, 1); /* it cannot be full */
    (void)pthread_join(s->thread, NULL);
}

void streams_free(struct streams *s)
{
    if (!s)
        return;
    if (s->stop_fd >= 0)
        (void)close(s->stop_fd);           /* nothing is lost */
    (void)pthread_mutex_destroy(&s->lock); /* nobody has it */
    s->magic = 0;
    free(s);
}
