/* capture: see capture.h. */
#include "cli/capture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/utf8.h"
#include "client/shunt.h"

bool capture_init(struct capture *c, int to)
{
    *c = (struct capture){.to = to,
                          .tail = malloc(2 * CAPTURE_TAIL_BYTES),
                          .carry = malloc(CAPTURE_CARRY_BYTES),
                          .diagnosis = shunt_diagnosis_new()};
    if (c->tail && c->carry && c->diagnosis)
        return true;
    capture_done(c);
    return false;
}

void capture_done(struct capture *c)
{
    free(c->tail);
    free(c->carry);
    shunt_diagnosis_free(c->diagnosis);
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
    c->cut |= c->tail_count + count > CAPTURE_TAIL_BYTES;
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
    shunt_diagnosis_add(c->diagnosis, bytes, count);
    pass_lines(c, bytes, count);
}

void capture_end(struct capture *c)
{
    flush_carry(c);
}

/* ---- the post-mortem */

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
    size_t begin = c->cut ? utf8_begin(bytes, count) : 0;
    return count > begin ? copy_text(bytes + begin, count - begin) : NULL;
}

bool capture_diagnose(struct capture *c, const char **ret_type, char **ret_message)
{
    const char *message = NULL;
    *ret_message = NULL;
    if (shunt_diagnosis_read(c->diagnosis, ret_type, &message))
        *ret_message = copy_text(message, strlen(message));
    return *ret_message != NULL;
}
