/* crash_report: see crash_report.h. */
#include "client/worker/crash_report.h"

#include "base/magic.h"
#include "base/utf8.h"
#include "client/worker/crash_symbols.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* The frames' share of a stack: the rest is for stderr, and it is the end that is kept. */
#define FRAMES_BYTES_MAX   (ERROR_STACK_BYTES_MAX - CRASH_STDERR_BYTES - 64)
#define LINE_BYTES_MAX     600
#define FUNCTION_BYTES_MAX 200

struct text {
    size_t used;
    char bytes[ERROR_STACK_BYTES_MAX + 1];
};

#define STACK_WRITER_MAGIC 0xe5292bb6u
struct stack_writer {
    uint32_t magic;
    struct text *to;
    bool system;                      /* the frame is in the C library or the loader */
    char culprit[FUNCTION_BYTES_MAX]; /* first function that is not; "" until then */
};

static void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void text_add(struct text *t, const char *format, ...)
{
    size_t room = sizeof t->bytes - t->used;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->bytes + t->used, room, format, args);
    va_end(args);
    if (n > 0)
        t->used += (size_t)n < room ? (size_t)n : room - 1;
}

char *crash_signal_name(char *to, int signal_number)
{
    const char *short_name = sigabbrev_np(signal_number);

    if (short_name)
        (void)snprintf(to, 32, "SIG%s", short_name);
    else
        (void)snprintf(to, 32, "signal %d", signal_number);
    return to;
}

static const char *code_meaning(int signal_number, int code)
{
    static const struct {
        int signal_number, code;
        const char *text;
    } meanings[] = {
        {SIGSEGV, SEGV_MAPERR, "address not mapped"},
        {SIGSEGV, SEGV_ACCERR, "no permission for this access"},
        {SIGSEGV, SI_KERNEL, "not a valid address"},
        {SIGBUS, BUS_ADRALN, "unaligned access"},
        {SIGBUS, BUS_ADRERR, "beyond the end of a mapped file"},
        {SIGBUS, BUS_OBJERR, "hardware error"},
        {SIGFPE, FPE_INTDIV, "integer division by zero"},
        {SIGFPE, FPE_INTOVF, "integer overflow"},
        {SIGFPE, FPE_FLTDIV, "floating point division by zero"},
        {SIGFPE, FPE_FLTOVF, "floating point overflow"},
        {SIGFPE, FPE_FLTUND, "floating point underflow"},
        {SIGFPE, FPE_FLTINV, "invalid floating point operation"},
        {SIGILL, ILL_ILLOPC, "illegal opcode"},
        {SIGILL, ILL_ILLOPN, "illegal operand"},
        {SIGILL, ILL_PRVOPC, "privileged opcode"},
        {SIGTRAP, TRAP_BRKPT, "breakpoint"},
        {SIGSYS, 1, "system call not allowed"},
    };

    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].signal_number == signal_number && meanings[i].code == code)
            return meanings[i].text;
    }
    return NULL;
}

/* ---- the stack ---- */

static bool module_is_system(const char *path)
{
    static const char *const names[] = {"libc.so", "ld-linux", "libpthread.so", "libgcc_s.so", "linux-vdso"};
    const char *base = strrchr(path, '/');

    base = !base ? path : base + 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(base, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static void stack_line(void *context, const struct crash_line *line)
{
    struct stack_writer *w = magic_of(context, stack_writer, STACK_WRITER_MAGIC);
    const char *function = !line->function ? "??" : line->function;
    char text[LINE_BYTES_MAX];
    const char *file = line->file;

    if (w->culprit[0] == '\0' && !w->system && line->function) {
        (void)snprintf(w->culprit, sizeof w->culprit, "%s", line->function);
        utf8_mend(w->culprit);
    }
    if (file) {
        while (strncmp(file, "../", 3) == 0)
            file += 3; /* where the build directory was tells nothing */
        (void)snprintf(text, sizeof text, "%.200s at %.300s:%d\n", function, file, line->line);
    } else if (line->module[0] == '?') {
        (void)snprintf(text, sizeof text, "%.200s at 0x%llx, in no module\n", function,
                       (unsigned long long)line->offset);
    } else {
        (void)snprintf(text, sizeof text, "%.200s at %.240s+0x%llx%s\n", function,
                       line->module[0] == '\0' ? "program" : line->module, (unsigned long long)line->offset,
                       line->replaced ? " (its file was replaced)" : "");
    }
    utf8_mend(text);
    if (w->to->used + strlen(text) <= FRAMES_BYTES_MAX)
        text_add(w->to, "%s", text);
}

static bool raw_head(const struct crash_evidence *e, struct crash_head *ret)
{
    struct crash_head head;

    if (e->raw_bytes < sizeof head)
        return false;
    memcpy(&head, e->raw, sizeof head);
    if (head.magic != CRASH_MAGIC)
        return false;
    *ret = head;
    return true;
}

/* False if there are no more whole frames. */
static bool raw_frame(const void *raw, size_t raw_bytes, size_t i, struct crash_frame *ret)
{
    size_t at = sizeof(struct crash_head) + i * sizeof *ret;

    if (raw_bytes < at + sizeof *ret)
        return false;
    memcpy(ret, (const char *)raw + at, sizeof *ret);
    ret->module[sizeof ret->module - 1] = '\0';
    return true;
}

bool crash_raw_complete(const void *raw, size_t raw_bytes)
{
    struct crash_frame frame;

    for (size_t i = 0; raw_frame(raw, raw_bytes, i, &frame); i++) {
        if (frame.address == CRASH_LAST)
            return true;
    }
    return false;
}

/* Write the frames; `culprit` gets the function to name in the message, "" if none is known. */
static void stack_write(struct text *to, const struct crash_evidence *e, char culprit[FUNCTION_BYTES_MAX])
{
    struct crash_symbols *symbols = crash_symbols_new();
    struct stack_writer w = {.magic = STACK_WRITER_MAGIC, .to = to};
    struct crash_frame frame;

    for (size_t i = 0; i < CRASH_FRAMES_MAX && raw_frame(e->raw, e->raw_bytes, i, &frame); i++) {
        if (frame.address == CRASH_LAST)
            break;
        w.system = module_is_system(frame.module);
        crash_symbols_lines(symbols, &frame, stack_line, &w);
    }
    crash_symbols_free(symbols);
    memcpy(culprit, w.culprit, FUNCTION_BYTES_MAX);
}

static void stderr_write(struct text *to, const struct crash_evidence *e)
{
    /* What was before the kept end may have been cut off within a character. */
    size_t begin = e->errors_bytes >= CRASH_STDERR_BYTES ? utf8_begin(e->errors, e->errors_bytes) : 0;

    if (e->errors_bytes == 0)
        return;
    text_add(to, "stderr:\n");
    to->used += text_clean(to->bytes + to->used, sizeof to->bytes - to->used, e->errors + begin,
                           e->errors_bytes - begin);
}

/* The line that says what failed, or NULL; `*ret_type` is the exception's class, or NULL. */
static const char *said_line(const struct crash_evidence *e, const char **ret_type)
{
    const char *type = NULL, *line = NULL;
    bool said = e->said && shunt_diagnosis_read(e->said, &type, &line);

    *ret_type = said ? type : NULL;
    return said ? line : NULL;
}

/* ---- what to say of it ---- */

static void message_signal(struct text *to, int signal_number, const struct crash_head *head,
                           const char *culprit)
{
    const char *meaning = !head ? NULL : code_meaning(signal_number, head->code);
    char name[32];

    text_add(to, "%s", crash_signal_name(name, signal_number));
    if (!head) {
        text_add(to,
                 signal_number == SIGKILL ? " from outside, or for want of memory" : ", and no report of it");
    } else if (head->code <= 0) {
        if (head->sender != 0 && signal_number != SIGABRT)
            text_add(to, " (sent by process %d)", (int)head->sender);
    } else if ((signal_number == SIGSEGV || signal_number == SIGBUS) && head->code != SI_KERNEL) {
        text_add(to, " at 0x%llx (%s)", (unsigned long long)head->address,
                 !meaning ? "unknown cause" : meaning);
    } else if (meaning) {
        text_add(to, " (%s)", meaning);
    }
    if (culprit[0] != '\0')
        text_add(to, " in %s", culprit);
}

static void report_signal(struct shunt_verdict *v, int signal_number, const struct crash_evidence *e)
{
    struct text stack = {0}, message = {0};
    struct crash_head head;
    bool reported = raw_head(e, &head) && head.signal == signal_number;
    char culprit[FUNCTION_BYTES_MAX] = "", name[32];
    const char *class, *line = said_line(e, &class);

    if (reported)
        stack_write(&stack, e, culprit);
    stderr_write(&stack, e);
    message_signal(&message, signal_number, reported ? &head : NULL, culprit);
    (void)crash_signal_name(name, signal_number);
    /* Only abort() comes with last words. */
    if (signal_number == SIGABRT && line)
        text_add(&message, ": %s", line); /* what the assertion said */
    if (signal_number != SIGABRT || !class)
        class = name;
    verdict_set_type(v, class, strlen(class));
    verdict_set_message(v, message.bytes, message.used);
    if (stack.used > 0)
        verdict_set_stack(v, stack.bytes, stack.used);
}

static void report_exit(struct shunt_verdict *v, int code, const struct crash_evidence *e)
{
    struct text stack = {0};
    char type[32], message[64];
    const char *class, *line = said_line(e, &class);

    (void)snprintf(type, sizeof type, "exit %d", code);
    (void)snprintf(message, sizeof message, "the handler called exit(%d)", code);
    class = !class ? type : class;
    line = !line ? message : line;
    verdict_set_type(v, class, strlen(class));
    verdict_set_message(v, line, strlen(line));
    stderr_write(&stack, e);
    if (stack.used > 0)
        verdict_set_stack(v, stack.bytes, stack.used);
}

void crash_report_ended(struct shunt_verdict *v, int status, const struct crash_evidence *evidence)
{
    verdict_clear(v);
    if (status != -1 && WIFSIGNALED(status)) {
        report_signal(v, WTERMSIG(status), evidence);
    } else if (status != -1 && WIFEXITED(status)) {
        report_exit(v, WEXITSTATUS(status), evidence);
    } else {
        shunt_verdict_failure(v, &(struct shunt_failure){.type = "lost",
                                                         .message =
                                                             "the handler's process ended, and how is not "
                                                             "known: the program ignores SIGCHLD, or waits "
                                                             "for children that are not its own"});
    }
}

void crash_report_timeout(struct shunt_verdict *v, int64_t timeout_ms, const struct crash_evidence *evidence)
{
    struct text stack = {0};
    struct crash_head head;
    char culprit[FUNCTION_BYTES_MAX], duration[32], message[64];

    verdict_clear(v);
    (void)snprintf(message, sizeof message, "no verdict after %s",
                   shunt_format_duration(duration, timeout_ms));
    if (raw_head(evidence, &head)) {
        stack_write(&stack, evidence, culprit);
    } else {
        text_add(&stack, "no stack could be had: asked where it is, the process did not answer "
                         "(it blocks signals, is stopped, or waits in the kernel)\n");
    }
    stderr_write(&stack, evidence);
    verdict_set_type(v, "timeout", 7);
    verdict_set_message(v, message, strlen(message));
    verdict_set_stack(v, stack.bytes, stack.used);
}

void crash_report_unheard(struct shunt_verdict *v, const struct crash_evidence *evidence)
{
    struct text stack = {0};

    verdict_clear(v);
    stderr_write(&stack, evidence);
    shunt_verdict_failure(
        v, &(struct shunt_failure){.type = "channel_closed",
                                   .message = "the handler closed a descriptor that is not its own, the "
                                              "one on which its verdict was to come; let it close only "
                                              "what it has opened"});
    if (stack.used > 0)
        verdict_set_stack(v, stack.bytes, stack.used);
}

void crash_report_exec(struct shunt_verdict *v, const char *program, const struct crash_evidence *evidence)
{
    struct text stack = {0}, message = {0};

    verdict_clear(v);
    stderr_write(&stack, evidence);
    text_add(&message,
             "the handler called exec(): its process became `%s`, and no verdict can come from that; let it "
             "fork first, and wait for the program",
             program);
    verdict_set_type(v, "exec", 4);
    verdict_set_message(v, message.bytes, message.used);
    if (stack.used > 0)
        verdict_set_stack(v, stack.bytes, stack.used);
}

void crash_report_returned(struct shunt_verdict *v, int outcome, const struct crash_evidence *evidence)
{
    struct text stack = {0};
    const char *class, *line = said_line(evidence, &class);

    if (outcome != SHUNT_NACK && outcome != SHUNT_REJECT)
        return;
    if (!v->has_message && line)
        verdict_set_message(v, line, strlen(line));
    if (!v->has_stack && evidence->errors_bytes > 0) {
        stderr_write(&stack, evidence);
        verdict_set_stack(v, stack.bytes, stack.used);
    }
}
