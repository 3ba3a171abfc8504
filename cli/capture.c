/* capture: see capture.h. */
#include "cli/capture.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/sink.h"
#include "client/shunt.h"

bool capture_init(struct capture *c, struct sink *to)
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
    *c = (struct capture){0};
}

/* ---- passing on */

static void pass_on(struct capture *c, const char *bytes, size_t count)
{
    if (c->to && count)
        sink_put(c->to, bytes, count);
}

static void flush_carry(struct capture *c)
{
    pass_on(c, c->carry, c->carry_count);
    c->carry_count = 0;
}

/* Returns how much went there; less than `count` if it is full. */
static size_t add_to_carry(struct capture *c, const char *bytes, size_t count)
{
    size_t room = CAPTURE_CARRY_BYTES - c->carry_count;
    size_t fits = count < room ? count : room;
    memcpy(c->carry + c->carry_count, bytes, fits);
    c->carry_count += fits;
    return fits;
}

/* A line that has begun is passed on in one, with its end, so that it is dropped as a whole if it is. */
static void pass_lines(struct capture *c, const char *bytes, size_t count)
{
    while (c->carry_count > 0 && count > 0) {
        const char *newline = memchr(bytes, '\n', count);
        size_t wanted = newline ? (size_t)(newline - bytes) + 1 : count;
        size_t fits = add_to_carry(c, bytes, wanted);
        bytes += fits;
        count -= fits;
        if (fits < wanted || newline)
            flush_carry(c);
        else
            return;
    }
    const char *newline = count ? memrchr(bytes, '\n', count) : NULL;
    size_t whole = newline ? (size_t)(newline - bytes) + 1 : 0;
    pass_on(c, bytes, whole);
    while (whole < count) {
        whole += add_to_carry(c, bytes + whole, count - whole);
        if (whole < count)
            flush_carry(c);
    }
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

void capture_restart(struct capture *c)
{
    if (c->tail_count == 0)
        return;
    struct shunt_diagnosis *diagnosis = shunt_diagnosis_new();
    flush_carry(c);
    if (!diagnosis)
        return; /* an old line is better than none */
    shunt_diagnosis_free(c->diagnosis);
    c->diagnosis = diagnosis;
    c->tail_count = 0;
    c->cut = false;
}

/* ---- the post-mortem */

static char *copy_text(const char *bytes, size_t count)
{
    char *text = malloc(count + 1);
    if (!text)
        return NULL;
    utf8_clean(text, bytes, count);
    text[count] = '\0';
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
