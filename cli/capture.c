/* capture: see capture.h. */
#include "cli/capture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/utf8.h"

bool capture_init(struct capture *c, int to)
{
    *c = (struct capture){
        .to = to, .tail = malloc(2 * CAPTURE_TAIL_BYTES), .carry = malloc(CAPTURE_CARRY_BYTES)};
    if (c->tail && c->carry)
        return true;
    capture_done(c);
    return false;
}

void capture_done(struct capture *c)
{
    free(c->tail);
    free(c->carry);
    *c = (struct capture){.to = -1};
}

/* ---- passing on */

static bool write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t put = write(fd, bytes, count);
        if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
            /* A terminal or pipe that somebody else has made non-blocking. */
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            (void)poll(&ready, 1, -1);
            continue;
        }
        if (put < 0)
            return false;
        bytes += put;
        count -= (size_t)put;
    }
    return true;
}

static void pass_on(struct capture *c, const char *bytes, size_t count)
{
    if (c->to >= 0 && !c->broken && !write_all(c->to, bytes, count))
        c->broken = true;
}

static void flush_carry(struct capture *c)
{
    pass_on(c, c->carry, c->carry_count);
    c->carry_count = 0;
}

static void pass_lines(struct capture *c, const char *bytes, size_t count)
{
    const char *newline = memrchr(bytes, '\n', count);
    size_t whole = newline ? (size_t)(newline - bytes) + 1 : 0;
    if (whole) {
        flush_carry(c);
        pass_on(c, bytes, whole);
    }
    if (count - whole > CAPTURE_CARRY_BYTES - c->carry_count) {
        flush_carry(c);
        pass_on(c, bytes + whole, count - whole);
        return;
    }
    memcpy(c->carry + c->carry_count, bytes + whole, count - whole);
    c->carry_count += count - whole;
}

/* ---- keeping the end */

static void keep_tail(struct capture *c, const char *bytes, size_t count)
{
    if (count >= CAPTURE_TAIL_BYTES) {
        memcpy(c->tail, bytes + count - CAPTURE_TAIL_BYTES, CAPTURE_TAIL_BYTES);
        c->tail_count = CAPTURE_TAIL_BYTES;
        return;
    }
    if (c->tail_count + count > 2 * CAPTURE_TAIL_BYTES) {
        memmove(c->tail, c->tail + c->tail_count - CAPTURE_TAIL_BYTES, CAPTURE_TAIL_BYTES);
        c->tail_count = CAPTURE_TAIL_BYTES;
    }
    memcpy(c->tail + c->tail_count, bytes, count);
    c->tail_count += count;
}

void capture_add(struct capture *c, const char *bytes, size_t count)
{
    if (count == 0)
        return;
    keep_tail(c, bytes, count);
    pass_lines(c, bytes, count);
}

void capture_end(struct capture *c)
{
    flush_carry(c);
}

/* ---- the post-mortem */

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

static char *copy_text(const char *bytes, size_t count)
{
    char *text = malloc(count + 1);
    if (!text)
        return NULL;
    memcpy(text, bytes, count);
    text[count] = '\0';
    utf8_repair(text, count);
    return text;
}

char *capture_stack(const struct capture *c)
{
    size_t count = c->tail_count < CAPTURE_TAIL_BYTES ? c->tail_count : CAPTURE_TAIL_BYTES;
    const char *bytes = c->tail + c->tail_count - count;
    /* A cut goes before a character, not through it: at most three bytes of one can be left over. */
    for (int i = 0; i < 3 && c->tail_count > CAPTURE_TAIL_BYTES && count > 0 && is_continuation(*bytes);
         i++) {
        bytes++;
        count--;
    }
    return count ? copy_text(bytes, count) : NULL;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '\v' || byte == '\f';
}

char *capture_last_line(const struct capture *c)
{
    size_t end = c->tail_count;
    while (end > 0 && is_blank(c->tail[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && c->tail[begin - 1] != '\n')
        begin--;
    while (begin < end && is_blank(c->tail[begin]))
        begin++;
    return begin < end ? copy_text(c->tail + begin, end - begin) : NULL;
}
