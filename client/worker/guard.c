/* guard: see guard.h.
 *
 * An exception looks for a frame that wants it by asking each frame's personality routine, and C has no way
 * to write one that says yes. So one is given to guard_frame() by hand: it says that the exception is to be
 * handled there, and when the frames above are unwound (their destructors have run by then) it leaves by
 * longjmp(). Source: the Itanium C++ ABI's exception handling, section 1.6.
 */
#include "client/worker/guard.h"

#include "client/worker/crash_capture.h"
#include "client/worker/cxx.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <unwind.h>

/* Of this thread's innermost guard_frame(). */
struct guard {
    jmp_buf back;
    struct _Unwind_Exception *exception;
    struct guard *outer;
};

static _Thread_local struct guard *innermost;

_Unwind_Reason_Code guard_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                      struct _Unwind_Exception *exception,
                                      struct _Unwind_Context *context) __asm__("shunt_guard_personality")
    __attribute__((visibility("hidden"), used));

_Unwind_Reason_Code guard_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                      struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
    (void)class;
    (void)context;
    if (version != 1 || !innermost || (actions & _UA_FORCE_UNWIND) != 0)
        return _URC_CONTINUE_UNWIND;
    if ((actions & _UA_SEARCH_PHASE) != 0)
        return _URC_HANDLER_FOUND;
    innermost->exception = exception;
    longjmp(innermost->back, 1);
}

/* The frame that catches. Not inlined, and with nothing after the call but the return, so that the call is in
 * it. */
__attribute__((noinline)) static int guard_frame(shunt_handler *handler, void *context,
                                                 const struct shunt_delivery *d, struct shunt_verdict *v)
{
    int outcome;

    crash_capture_from_here(); /* what is below is the same for all handlers */
    /* 0x1b: a signed four-byte offset from where it stands. */
    __asm__ volatile(".cfi_personality 0x1b, shunt_guard_personality");
    outcome = (int)handler(context, d, v);
    __asm__ volatile("" ::: "memory"); /* no tail call */
    return outcome;
}

int guard_call(shunt_handler *handler, void *context, const struct shunt_delivery *d, struct shunt_verdict *v)
{
    struct guard guard = {.outer = innermost};
    struct cxx_caught caught;
    volatile int outcome = SHUNT_REJECT;

    innermost = &guard;
    if (setjmp(guard.back) == 0) {
        outcome = guard_frame(handler, context, d, v);
        innermost = guard.outer;
        return outcome;
    }
    innermost = guard.outer;
    cxx_end(guard.exception, &caught);
    verdict_clear(v);
    verdict_set_type(v, caught.type, strlen(caught.type));
    if (caught.what[0] != '\0') {
        verdict_set_message(v, caught.what, strlen(caught.what));
    } else {
        shunt_verdict_failure(
            v, &(struct shunt_failure){.type = caught.type,
                                       .message = "the handler threw an exception that says nothing more"});
    }
    return outcome;
}
