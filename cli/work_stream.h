/* work_stream: a command of `work --stream`: a child that stands, is given one message after the other as a line, and
 * answers each with a line. Knows nothing of a broker.
 *
 *              stream_start        stream_give                 an answer
 *   no child ──────────────→ IDLE ─────────────→ BUSY ──────────────────────────→ IDLE
 *      ↑                       │                   │ extend: its time begins again
 *      │                       │ stream_leave      │ out of time, or broke the protocol
 *      └───── ended ←──────────┴── leaves ←────────┴── killed
 *
 * Whose fault is it when a child ends that holds a message? What the child never began to read cannot have caused it. A
 * child that breaks the protocol may do so for an earlier message of its own (a line that was printed late), so only the
 * first message of a child is blamed for that. A crash is blamed on the message that the child held, as everywhere.
 */
#ifndef SHUNT_CLI_WORK_STREAM_H
#define SHUNT_CLI_WORK_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/lines.h"
#include "cli/work_answer.h"
#include "cli/work_child.h"

struct shunt_delivery;

/* Children in a row that end without having answered anything: the next one waits, up to this. */
#define STREAM_RESPAWN_MS_MIN 100
#define STREAM_RESPAWN_MS_MAX 1000
/* So many in a row that ended without having read a message end the worker. */
#define STREAM_FAILURES_MAX 10
/* How long a child may take to begin with a message, unless it is said otherwise. */
#define STREAM_START_MS 60000
/* Between the end of a child's output and its own end. */
#define STREAM_CLOSE_MS 1000

/* All zero: no child. */
struct stream {
    struct child *child; /* NULL: none runs */
    struct lines lines;
    char *line;        /* what the child was given last */
    const char *id;    /* of its message; NULL: it holds none */
    uint64_t answered; /* messages, by this child */
    int64_t timeout_ms;
    int64_t look_at_ms;   /* a time limit may be over then; CLOCK_NEVER: none runs */
    int64_t read_by_ms;   /* it must have begun to read by then */
    int64_t closed_at_ms; /* its output has ended; 0: not, or long ago */
    bool began_late;      /* it began to read after a limit had passed once */
    bool breached;        /* it was killed because it broke the protocol */
    char why[ANSWER_WHY_BYTES];
};

/* `child` is the caller's memory. Returns 0 or errno; then there is nothing to clean up. The spec's `lines` is set here. */
int stream_start(struct stream *s, struct child *child, struct child_spec *spec);
/* Give a message to an idle child. Both times in ms; `timeout_ms` 0: none. The delivery must live until it is answered or
 * the child has ended. False without memory. */
bool stream_give(struct stream *s, const struct shunt_delivery *d, int64_t timeout_ms, int64_t start_ms);
/* Can it be given a message now? */
bool stream_is_idle(const struct stream *s);
/* It has no message and shall end: politely. */
void stream_leave(struct stream *s);
/* Free it; kills a child that still runs. */
void stream_done(struct stream *s);

/* When stream_tick() must be called again, whatever the child does. */
int64_t stream_wake_ms(const struct stream *s, int64_t now_ms);
/* Time limits. To be called before child_pump() and child_tick(). */
void stream_tick(struct stream *s, int64_t now_ms);

/* Take the next answer out of what has come; true if there is one. After an outcome other than EXTEND it is idle. A line
 * that is no answer kills the child. */
bool stream_answer(struct stream *s, struct answer *ret, int64_t now_ms);

enum stream_blame {
    BLAME_NONE, /* the message goes to another child */
    BLAME_MESSAGE
};
/* The child has ended and its answers are taken. Strings in `ret` as those of child_judge(); they are filled in for both
 * values. */
enum stream_blame stream_judge(struct stream *s, struct judgement *ret);

#endif
