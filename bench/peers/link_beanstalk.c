/* link_beanstalk: beanstalkd. put publishes. A consumer reserves one job at a time, as the protocol has it,
 * and sends the delete of one and the reserve of the next in one write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/peers.h"
#include "bench/peers/pending.h"
#include "bench/peers/stream.h"

struct link {
    struct stream stream;
    struct link_role role;
    struct pending pending;
};

/* RESERVED ID BYTES, the body, CR LF. False: it has not come whole. */
static bool reserved(struct link *l, const char *line, size_t size)
{
    unsigned long long id = 0;
    size_t bytes = 0;
    if (sscanf(line, "RESERVED %llu %zu", &id, &bytes) != 2 || stream_size(&l->stream) < size + 2 + bytes + 2)
        return false;
    (void)l->role.events.arrived(l->role.events.context, line + size + 2, bytes);
    stream_take(&l->stream, size + 2 + bytes + 2);
    stream_putf(&l->stream, "delete %llu\r\nreserve\r\n", id);
    return true;
}

/* Take one answer. 1: done; 0: it has not come whole; -1: it makes no sense. */
static int take_answer(struct link *l, char *why)
{
    size_t size = 0;
    const char *line = stream_line(&l->stream, &size);
    if (!line)
        return 0;
    if (strncmp(line, "RESERVED ", 9) == 0)
        return reserved(l, line, size);
    bool deleted = strncmp(line, "DELETED", 7) == 0;
    bool inserted = strncmp(line, "INSERTED ", 9) == 0;
    (void)snprintf(why, WHY_BYTES, "beanstalkd: %.*s", (int)(size > 200 ? 200 : size), line);
    stream_take(&l->stream, size + 2);
    if (deleted)
        l->role.events.resolved(l->role.events.context, 1, true);
    void *promise = inserted ? pending_take(&l->pending) : NULL;
    if (promise)
        l->role.events.confirmed(l->role.events.context, promise, true);
    return deleted || promise ? 1 : -1;
}

static bool beanstalk_process(struct link *l, char *why)
{
    int taken = 1;
    stream_receive(&l->stream);
    while (taken == 1)
        taken = take_answer(l, why);
    stream_send(&l->stream);
    if (taken == 0 && l->stream.broken)
        (void)snprintf(why, WHY_BYTES, "beanstalkd: the connection broke");
    return taken == 0 && !l->stream.broken;
}

static void beanstalk_close(struct link *l)
{
    if (!l)
        return;
    stream_done(&l->stream);
    pending_done(&l->pending);
    free(l);
}

static struct link *beanstalk_open(const struct link_role *role, char *why)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->role = *role;
    l->stream.fd = l->stream.epoll_fd = -1;
    if (pending_init(&l->pending, role->window) && stream_open(&l->stream, role->address, why)) {
        if (role->consumes)
            stream_put(&l->stream, "reserve\r\n", 9);
        return l;
    }
    beanstalk_close(l);
    return NULL;
}

static int beanstalk_fd(const struct link *l)
{
    return l->stream.epoll_fd;
}

static bool beanstalk_publish(struct link *l, const struct outgoing *m)
{
    if (!pending_add(&l->pending, m->promise))
        return false;
    stream_putf(&l->stream, "put 0 0 3600 %zu\r\n", m->bytes);
    stream_put(&l->stream, m->body, m->bytes);
    stream_put(&l->stream, "\r\n", 2);
    return true;
}

const struct link_driver link_beanstalk = {
    .name = "beanstalkd",
    .durability = "fsyncs for each message (-f0); no group commit",
    .open = beanstalk_open,
    .close = beanstalk_close,
    .fd = beanstalk_fd,
    .publish = beanstalk_publish,
    .process = beanstalk_process,
};
