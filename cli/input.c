/* input: whole files in one buffer, lines out of a buffer that slides. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES (256u * 1024)

static int open_path(const char *path, int *ret)
{
    *ret = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return *ret < 0 ? errno : 0;
}

static void close_path(int fd)
{
    if (fd != STDIN_FILENO)
        (void)close(fd);
}

/* Make room for one more chunk, up to one past `most`. */
static int grow(struct input *in, size_t *room, size_t most)
{
    if (in->count < *room)
        return 0;
    if (in->count > most)
        return EFBIG;
    size_t larger = *room ? *room * 2 : CHUNK_BYTES;
    if (larger > most + 1)
        larger = most + 1;
    char *bytes = realloc(in->bytes, larger);
    if (!bytes)
        return ENOMEM;
    in->bytes = bytes;
    *room = larger;
    return 0;
}

static int read_more(int fd, struct input *in, size_t room, size_t *ret_got)
{
    ssize_t got = 0;
    do
        got = read(fd, in->bytes + in->count, room - in->count);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno;
    in->count += (size_t)got;
    *ret_got = (size_t)got;
    return 0;
}

int input_read(const char *path, struct input *ret)
{
    int fd = -1;
    struct input in = {0};
    size_t room = 0;
    size_t got = 1;
    int error = open_path(path, &fd);
    if (error)
        return error;
    while (error == 0 && got > 0) {
        error = grow(&in, &room, INPUT_BODY_BYTES_MAX);
        if (error == 0)
            error = read_more(fd, &in, room, &got);
    }
    close_path(fd);
    if (error == 0 && in.count > INPUT_BODY_BYTES_MAX)
        error = EFBIG;
    if (error) {
        free(in.bytes);
        return error;
    }
    *ret = in;
    return 0;
}

/* Hand out the whole lines in the buffer and move the rest to its beginning. `*from` is where no newline was
 * seen yet. */
static bool hand_out(struct input *in, size_t *from, input_line *function, void *context)
{
    size_t begin = 0;
    bool go_on = true;
    const char *newline = NULL;
    while (go_on && (newline = memchr(in->bytes + *from, '\n', in->count - *from))) {
        size_t end = (size_t)(newline - in->bytes);
        go_on = function(context, in->bytes + begin, end - begin);
        begin = *from = end + 1;
    }
    memmove(in->bytes, in->bytes + begin, in->count - begin);
    in->count -= begin;
    *from = in->count;
    return go_on;
}

int input_lines(const char *path, size_t most, input_wait *wait, input_line *function, void *context)
{
    int fd = -1;
    struct input in = {0};
    size_t room = 0;
    size_t from = 0;
    size_t got = 1;
    bool go_on = true;
    int error = open_path(path, &fd);
    if (error)
        return error;
    while (error == 0 && got > 0 && go_on) {
        error = grow(&in, &room, most);
        if (error == 0 && wait && !(go_on = wait(context, fd)))
            break;
        if (error == 0)
            error = read_more(fd, &in, room, &got);
        if (error == 0)
            go_on = hand_out(&in, &from, function, context);
    }
    if (error == 0 && go_on && in.count > 0)
        (void)function(context, in.bytes, in.count); /* nothing follows that it could end */
    free(in.bytes);
    close_path(fd);
    return error;
}
