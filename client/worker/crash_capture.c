/* crash_capture: see crash_capture.h. */
#include "client/worker/crash_capture.h"

#include "client/driving/build_id.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

/* One child, one report: what the handlers need must be there before they run. */
static int report_fd = -1;
static struct stat report_pipe;
static pid_t report_pid; /* a copy of this process that the handler forks has nothing to report */
static uintptr_t floor_frame = UINTPTR_MAX;
static atomic_int reporter; /* thread that writes the report, 0 if none does */
static char alternate_stack[CRASH_STACK_BYTES];

struct walk {
    uint64_t pc; /* where the signal struck; frames before it are the handler's own */
    bool reached;
    unsigned frames; /* written */
};

int crash_ask_signal(void)
{
    return SIGRTMAX - 1;
}

static void report_write(const void *bytes, size_t size)
{
    const char *at = bytes;
    struct stat now;

    /* A handler that closes what is not its own may have a file there by now. */
    if (fstat(report_fd, &now) != 0 || now.st_dev != report_pipe.st_dev || now.st_ino != report_pipe.st_ino)
        return;
    while (size > 0) {
        ssize_t n = write(report_fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody to tell */
        at += n;
        size -= (size_t)n;
    }
}

/* By the time that somebody looks for names in the module's file it may be another one. */
static void frame_build(struct crash_frame *frame, const struct dl_find_object *object)
{
    size_t bytes;
    const uint8_t *id =
        build_id_of(object->dlfo_map_start, object->dlfo_map_end, (uintptr_t)frame->bias, &bytes);

    if (id) {
        frame->build_bytes = (uint32_t)(bytes < sizeof frame->build ? bytes : sizeof frame->build);
        memcpy(frame->build, id, frame->build_bytes);
    }
}

static void report_frame(struct walk *w, uint64_t address)
{
    struct crash_frame frame;
    struct dl_find_object object;

    memset(&frame, 0, sizeof frame);
    frame.address = address;
    frame.module[0] = '?';
    /* Lock-free and async-signal-safe, unlike dladdr(); also knows what was loaded since the fork. */
    if (_dl_find_object((void *)(uintptr_t)address, &object) == 0 && object.dlfo_link_map) {
        size_t len = strnlen(object.dlfo_link_map->l_name, sizeof frame.module - 1);

        frame.bias = object.dlfo_link_map->l_addr;
        memcpy(frame.module, object.dlfo_link_map->l_name, len);
        frame.module[len] = '\0';
        frame_build(&frame, &object);
    }
    report_write(&frame, sizeof frame);
    w->frames++;
}

static _Unwind_Reason_Code walk_step(struct _Unwind_Context *context, void *arg)
{
    struct walk *w = arg;
    int before_instruction = 0;
    uint64_t ip = _Unwind_GetIPInfo(context, &before_instruction);

    if (!w->reached && ip != w->pc)
        return _URC_NO_REASON;
    if (w->frames >= CRASH_FRAMES_MAX || (ip == 0 && w->reached) || _Unwind_GetCFA(context) > floor_frame)
        return _URC_END_OF_STACK;
    w->reached = true;
    /* A return address may belong to the next line or function; the byte before it is the call's. */
    report_frame(w, before_instruction ? ip : ip - 1);
    return _URC_NO_REASON;
}

static uint64_t context_pc(const ucontext_t *u)
{
#if defined(__x86_64__)
    return (uint64_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return u->uc_mcontext.pc;
#else
    (void)u;
    return 0;
#endif
}

/* After a call through a bad pointer there is nothing to unwind at the pc, but the caller is known: on top of
 * the stack, or in the link register. The stack is read through the kernel, because it may be broken. */
static uint64_t context_return_address(const ucontext_t *u)
{
#if defined(__x86_64__)
    uint64_t value = 0;
    struct iovec to = {&value, sizeof value};
    struct iovec from = {(void *)(uintptr_t)u->uc_mcontext.gregs[REG_RSP], sizeof value};

    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof value ? value : 0;
#elif defined(__aarch64__)
    return u->uc_mcontext.regs[30];
#else
    (void)u;
    return 0;
#endif
}

static void report(int signal_number, const siginfo_t *info, const ucontext_t *u)
{
    struct crash_head head;
    struct crash_frame last;
    struct walk w = {.pc = context_pc(u)};
    uint64_t caller;

    memset(&head, 0, sizeof head);
    head.magic = CRASH_MAGIC;
    head.signal = signal_number;
    head.code = info->si_code;
    head.sender = info->si_code <= 0 ? info->si_pid : 0;
    head.address = (uint64_t)(uintptr_t)info->si_addr;
    report_write(&head, sizeof head);

    (void)_Unwind_Backtrace(walk_step, &w);
    if (w.frames == 0)
        report_frame(&w, w.pc);
    if (w.frames == 1 && (caller = context_return_address(u)) != 0)
        report_frame(&w, caller - 1);
    memset(&last, 0, sizeof last);
    last.address = CRASH_LAST;
    report_write(&last, sizeof last);
}

/* True for the one who is to write the report. A second thread that crashes waits for the first to end the
 * process; the reporter itself crashing again is not reported again. */
static bool report_begin(void)
{
    int none = 0;
    int self = gettid();

    if (atomic_compare_exchange_strong(&reporter, &none, self))
        return true;
    while (none != self)
        (void)pause();
    return false;
}

static void on_crash(int signal_number, siginfo_t *info, void *context)
{
    if (getpid() == report_pid && report_begin())
        report(signal_number, info, context);
    (void)signal(signal_number, SIG_DFL);
    /* A fault happens again on return, and then kills with the registers as they were, which a core dump
     * shows. What was sent must be sent again. */
    if (info->si_code <= 0 || signal_number == SIGSYS || signal_number == SIGTRAP)
        (void)raise(signal_number);
}

static void on_asked(int signal_number, siginfo_t *info, void *context)
{
    if (getpid() != report_pid)
        return;
    if (report_begin())
        report(signal_number, info, context);
    for (;;)
        (void)pause();
}

void crash_capture_floor(const void *frame)
{
    floor_frame = (uintptr_t)frame;
}

static _Unwind_Reason_Code warm_step(struct _Unwind_Context *context, void *arg)
{
    (void)context;
    (void)arg;
    return _URC_NO_REASON;
}

void crash_capture_install(int fd)
{
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
    struct sigaction action;
    sigset_t ours;

    report_fd = fd;
    (void)fstat(fd, &report_pipe); /* cannot fail: it was opened just before */
    report_pid = getpid();
    /* The first use of the unwinder may load a library and allocate: not something for a signal handler. */
    (void)_Unwind_Backtrace(warm_step, NULL);
    (void)sigaltstack(&stack, NULL); /* can only fail for arguments that these are not */

    memset(&action, 0, sizeof action);
    (void)sigemptyset(&action.sa_mask);
    (void)sigemptyset(&ours);
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    action.sa_sigaction = on_crash;
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++) {
        (void)sigaction(crash_signals[i], &action, NULL);
        (void)sigaddset(&ours, crash_signals[i]);
    }
    action.sa_sigaction = on_asked;
    (void)sigaction(crash_ask_signal(), &action, NULL);
    (void)sigaddset(&ours, crash_ask_signal());
    (void)sigprocmask(SIG_UNBLOCK, &ours, NULL);
}
