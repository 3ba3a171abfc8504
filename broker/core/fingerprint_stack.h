/* fingerprint_stack: what a stack says about a fault: the frames nearest to it, and the error beneath the one
 * that was reported, if it prints that.
 *
 * Of several traces in one text the last counts, of several errors in one trace: the root cause of Java, .NET
 * and node, the last that was raised of Python, Ruby and PHP, the first leaf of a Python group, the goroutine
 * that panicked.
 */
#ifndef SHUNT_CORE_FINGERPRINT_STACK_H
#define SHUNT_CORE_FINGERPRINT_STACK_H

#include "broker/core/fingerprint_frame.h"

/* Frames that count: enough to tell two callers of one helper apart, few enough that the way to them does not
 * matter. A function that calls itself is one frame, so that the depth of a recursion does not matter either. */
#define STACK_FRAMES_MAX 4

/* Different ones, the innermost first (Python: last). */
struct frame_set {
    size_t count;
    struct frame frames[STACK_FRAMES_MAX];
};

struct stack {
    struct frame_set own, library;
    struct frame outermost; /* of all own ones, if asked for; it has no shape if there are none */
    struct slice headline;  /* `ValueError: …`; empty: there is none */
    bool nested;            /* it is that of the cause of the error that was reported */
};

/* `cut`: it does not begin at its beginning. `whole`: the outermost frame is asked for. `counts`, as long as the text, becomes
 * true for each byte that names the function or the file of a frame; NULL: nobody asks. */
void stack_read(struct slice text, bool cut, bool whole, bool *counts, struct stack *ret);

/* The frames that count; may be none. */
const struct frame_set *stack_frames(const struct stack *s);
/* The one in which it happened; NULL: not known. */
const struct frame *stack_innermost(const struct stack *s);

#endif
