/* stream: one TCP connection with room for what came and what waits to go; what the drivers of all peers
 * share. */
#ifndef SHUNT_BENCH_STREAM_H
#define SHUNT_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>

struct stream {
    int fd;
    int epoll_fd; /* readable when there is something to read, or room to write what waits */
    bool blocked; /* the socket takes no more for now */
    bool broken;  /* closed, or no memory */
    char *in;
    size_t in_begin, in_end, in_room;
    char *out;
    size_t out_begin, out_end, out_room;
};

/* Connect to ADDRESS:PORT; waits. */
bool stream_open(struct stream *s, const char *address, char *why);
void stream_done(struct stream *s);
/* Append to what waits to go. */
void stream_put(struct stream *s, const void *bytes, size_t size);
void stream_putf(struct stream *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Write as much as the socket takes. */
void stream_send(struct stream *s);
/* Read what is there. */
void stream_receive(struct stream *s);
/* Send, and wait until more has come. False: nothing came for seconds, or it is broken. */
bool stream_wait(struct stream *s);

/* What came and was not taken. */
static inline const char *stream_data(const struct stream *s)
{
    return s->in + s->in_begin;
}

static inline size_t stream_size(const struct stream *s)
{
    return s->in_end - s->in_begin;
}

static inline void stream_take(struct stream *s, size_t size)
{
    s->in_begin += size;
}

/* The first line, without its CR LF, if all of it is there; it is not taken: *ret_size, and 2 more, are. */
const char *stream_line(const struct stream *s, size_t *ret_size);

#endif
