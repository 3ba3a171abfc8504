/* capture: one output stream of a command: passed on line by line, looked through for what failed, and its
 * end kept for the post-mortem. */
#ifndef SHUNT_CLI_CAPTURE_H
#define SHUNT_CLI_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#define CAPTURE_TAIL_BYTES  (16u * 1024) /* what a dead letter keeps of a stack */
#define CAPTURE_CARRY_BYTES (64u * 1024) /* a longer line is passed on in pieces */

struct shunt_diagnosis;
struct sink;

struct capture {
    struct sink *to; /* where lines go; NULL: nowhere */
    char *tail;      /* twice the size that is kept, so that moving it is seldom */
    size_t tail_count;
    bool cut; /* something was before the tail */
    struct shunt_diagnosis *diagnosis;
    char *carry; /* a line that has no end yet */
    size_t carry_count;
};

/* False without memory. */
bool capture_init(struct capture *c, struct sink *to);
void capture_done(struct capture *c);

/* More of the stream. Whole lines are passed on, so that commands side by side do not mix within a line. */
void capture_add(struct capture *c, const char *bytes, size_t count);
/* The stream's end: what is left of a line is passed on as it is. */
void capture_end(struct capture *c);

/* Forget what was said: the post-mortem is of what comes from now on. */
void capture_restart(struct capture *c);

/* The last CAPTURE_TAIL_BYTES, cut between characters, as valid UTF-8; the caller frees. NULL if nothing was
 * said, or without memory.
 */
char *capture_stack(const struct capture *c);
/* What it says of the failure: as shunt_diagnosis_read(), with a message that is valid UTF-8 and the caller
 * frees. *ret_type lives as long as the capture. False if only blanks were said, or without memory. */
bool capture_diagnose(struct capture *c, const char **ret_type, char **ret_message);

#endif
