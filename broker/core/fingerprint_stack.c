/* fingerprint_stack: see fingerprint_stack.h. One pass, line by line. */
#include "broker/core/fingerprint_stack.h"

#include "broker/core/fingerprint_line.h"
#include "broker/core/fingerprint_text.h"

/* What the lines are. */
enum mode {
    ANY,
    PYTHON,     /* below "Traceback": frames, lines of the program, then the headline */
    RUST,       /* below "stack backtrace:": numbered frames, each with its file below */
    GO,         /* below "goroutine 1 [running]:": the same, without numbers */
    SUPPRESSED, /* errors that were set aside, of Java */
    BENEATH,    /* an earlier error, of Ruby */
    DONE
};

struct line {
    struct slice text; /* without the blanks and the margin around it */
    size_t indent;
};

struct reader {
    struct stack *to;
    const char *begin; /* of the text */
    bool *counts;      /* for each of its bytes; NULL: nobody asks */
    enum mode mode;
    bool renew_own, renew_library; /* a trace began: its first frame takes the place of those before */
    bool locked;                   /* frames of one shape only */
    enum frame_shape shape;
    bool numbered; /* frames of C are, and begin with 0 */
    bool gap;      /* since the last frame came a line that belongs to no trace */
    bool group;    /* of Python */
    size_t indent;
    struct frame pending; /* its file is on the next line; no shape: none is */
    bool any;             /* a line was read */
    bool whole;           /* the outermost frame is asked for */
};

/* ---- frames ---- */

static bool same_frame(const struct frame *a, const struct frame *b)
{
    return slice_equal(a->function, b->function) && slice_equal(a->file, b->file);
}

/* `outermost_first`: it is nearer to the fault than those before. */
static void add_to(struct frame_set *set, bool *renew, const struct frame *f, bool outermost_first)
{
    size_t i = 0;
    if (*renew)
        set->count = 0;
    *renew = false;
    while (i < set->count && !same_frame(&set->frames[i], f))
        i++;
    if (!outermost_first) {
        if (i == set->count && i < STACK_FRAMES_MAX)
            set->frames[set->count++] = *f;
        return;
    }
    if (i == set->count && i < STACK_FRAMES_MAX) {
        set->count++;
    } else { /* the one that is the same, or the one that is farthest, goes */
        i = i == set->count ? 0 : i;
        memmove(&set->frames[i], &set->frames[i + 1], (set->count - 1 - i) * sizeof *f);
    }
    set->frames[set->count - 1] = *f;
}

static void begin_trace(struct reader *r)
{
    r->renew_own = r->renew_library = true;
    r->locked = r->gap = false;
    r->pending.shape = SHAPE_NONE;
}

/* A line that only looks like one of C's frames comes before frames of others; never the other way round. */
static bool is_of_trace(struct reader *r, const struct frame *f)
{
    if (r->locked && r->shape != f->shape && (r->shape != SHAPE_C || r->mode == PYTHON))
        return false;
    if (r->locked && r->shape != f->shape)
        begin_trace(r);
    if (f->shape == SHAPE_C && f->first) {
        if (r->numbered) /* where the memory was freed; the next thread */
            r->mode = DONE;
        else
            begin_trace(r);
        r->numbered = true;
    }
    return r->mode != DONE;
}

static void note(struct reader *r, struct slice name)
{
    if (r->counts && name.size)
        memset(r->counts + (begin_of(name) - r->begin), true, name.size * sizeof *r->counts);
}

static void add_frame(struct reader *r, const struct frame *f)
{
    note(r, f->function);
    note(r, f->pathname);
    if (!is_of_trace(r, f))
        return;
    if (r->gap && r->locked && f->shape != SHAPE_PYTHON && f->shape != SHAPE_PHP)
        begin_trace(r);
    r->shape = f->shape;
    r->locked = true;
    r->gap = false;
    bool outermost_first = f->shape == SHAPE_PYTHON;
    if (f->owner == OWNER_OWN && (!outermost_first || r->renew_own || r->to->own.count == 0))
        r->to->outermost = *f;
    if (f->owner == OWNER_OWN)
        add_to(&r->to->own, &r->renew_own, f, outermost_first);
    else if (f->owner == OWNER_LIBRARY)
        add_to(&r->to->library, &r->renew_library, f, outermost_first);
}

static void flush_pending(struct reader *r)
{
    struct frame f = r->pending;
    r->pending.shape = SHAPE_NONE;
    if (f.shape != SHAPE_NONE)
        add_frame(r, &f);
}

/* ---- headers ---- */

static void begin_python(struct reader *r, const struct line *line)
{
    begin_trace(r);
    r->mode = PYTHON;
    r->indent = line->indent;
    r->locked = true;
    r->shape = SHAPE_PYTHON;
}

static void begin_group(struct reader *r, const struct line *line)
{
    r->group = true;
    begin_python(r, line);
}

/* The root cause is the last of them. */
static void begin_cause(struct reader *r, const struct line *line)
{
    bool locked = r->locked;
    begin_trace(r);
    r->locked = locked;
    r->mode = ANY;
    r->to->headline = line->text;
    r->to->nested = true;
}

/* Below it are the frames of the error around it. */
static void end_cause(struct reader *r, const struct line *line)
{
    (void)line;
    if (r->to->own.count && !r->renew_own)
        r->mode = DONE;
}

static void begin_suppressed(struct reader *r, const struct line *line)
{
    r->mode = SUPPRESSED;
    r->indent = line->indent;
}

static void begin_goroutine(struct reader *r, const struct line *line)
{
    bool runs = find_words(line->text, "[running");
    begin_trace(r);
    r->mode = runs ? GO : DONE;
    r->shape = SHAPE_GO;
}

static void begin_rust(struct reader *r, const struct line *line)
{
    (void)line;
    begin_trace(r);
    r->mode = RUST;
}

/* `thread 'main' panicked at src/main.rs:4:5:` */
static void note_panic(struct reader *r, const struct line *line)
{
    const char *end = (const char *)line->text.data + line->text.size;
    const char *at = find_words(line->text, " panicked at ");
    if (!at)
        return;
    at += sizeof " panicked at " - 1;
    const char *old = *at == '\'' ? find_words(between(at, end), "', ") : NULL; /* the message stood there */
    at = old ? old + 3 : at;
    if (end > at && end[-1] == ':')
        end--;
    struct frame f = {.shape = SHAPE_RUST};
    begin_trace(r);
    frame_set_file(&f, (struct slice){at, (size_t)(end - at)});
    add_frame(r, &f);
}

static void begin_php(struct reader *r, const struct line *line)
{
    (void)line;
    if (r->locked && r->shape == SHAPE_PHP)
        begin_trace(r);
}

/* .NET: the frames go on. */
static void pass_over(struct reader *r, const struct line *line)
{
    (void)r;
    (void)line;
}

/* What follows are not the frames of the fault: what the program printed, where the memory was freed. */
static void end_trace(struct reader *r, const struct line *line)
{
    (void)line;
    if (r->to->own.count || r->to->library.count)
        r->mode = DONE;
}

#define HEADER(begins, take)                                                                                 \
    {                                                                                                        \
        begins, sizeof begins - 1, take                                                                      \
    }
static const struct header {
    const char *begins;
    size_t size;
    void (*take)(struct reader *r, const struct line *line); /* the line's text is what follows */
} headers[] = {
    HEADER("Traceback (most recent call last)", begin_python),
    HEADER("Exception Group Traceback", begin_group),
    HEADER("Caused by: ", begin_cause),
    HEADER("[cause]: ", begin_cause),
    HEADER("---> ", begin_cause),
    HEADER("--- End of inner exception stack trace", end_cause),
    HEADER("--- End of stack trace from previous location", pass_over),
    HEADER("Suppressed: ", begin_suppressed),
    HEADER("goroutine ", begin_goroutine),
    HEADER("stack backtrace:", begin_rust),
    HEADER("thread '", note_panic),
    HEADER("Next ", begin_php),
    HEADER("stderr:", end_trace),
    HEADER("freed by thread", end_trace),
    HEADER("previously allocated by thread", end_trace),
};

/* Most lines are told by their first byte. */
static bool may_be_header(char first)
{
    switch (first) {
    case '-':
    case '[':
    case 'C':
    case 'E':
    case 'N':
    case 'S':
    case 'T':
    case 'f':
    case 'g':
    case 'p':
    case 's':
    case 't':
        return true;
    default:
        return false;
    }
}

static bool take_header(struct reader *r, const struct line *line)
{
    if (!may_be_header(*begin_of(line->text)))
        return false;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct line rest = *line;
        if (!skip_words(&rest.text, headers[i].begins, headers[i].size))
            continue;
        headers[i].take(r, &rest);
        return true;
    }
    return false;
}

/* ---- lines ---- */

/* `+-+---------------- 1 ----------------`: an error of a group; the first is enough. */
static bool take_rule(struct reader *r, const struct line *line)
{
    const char *at = line->text.data;
    const char *end = at + line->text.size;
    if (!r->group || line->text.size < 8 || memcmp(at, "----", 4) != 0)
        return false;
    while (at < end && (*at == '-' || *at == ' '))
        at++;
    if (end - at > 1 && at[0] == '1' && at[1] == ' ')
        begin_python(r, line);
    else
        r->mode = DONE;
    return true;
}

static void take_python(struct reader *r, const struct line *line)
{
    struct frame f;
    if (take_rule(r, line))
        return;
    if (line->indent > r->indent) { /* the lines of the program are no frames */
        if (*(const char *)line->text.data == 'F' && frame_read(line->text, &f))
            add_frame(r, &f);
        return;
    }
    r->to->headline = line->text;
    r->to->nested = r->group && line->indent > 4; /* not that of the group itself */
    r->mode = ANY;
}

static void take_rust(struct reader *r, const struct line *line)
{
    if (begins(line->text, "at ")) {
        frame_set_file(&r->pending, behind(line->text, 3));
        flush_pending(r);
        return;
    }
    flush_pending(r);
    if (!frame_read_rust(line->text, &r->pending)) {
        r->pending.shape = SHAPE_NONE;
        r->mode = ANY;
    }
}

static void take_go(struct reader *r, const struct line *line)
{
    if (line->indent > 0) {
        if (r->pending.shape != SHAPE_NONE)
            frame_set_file(&r->pending, line->text);
        flush_pending(r);
        return;
    }
    flush_pending(r);
    if (begins(line->text, "created by ") || begins(line->text, "goroutine "))
        r->mode = DONE;
    else if (begins(line->text, "panic("))
        begin_trace(r); /* those above only caught it */
    else
        frame_read_go(line->text, &r->pending);
}

/* Nothing that a frame farther away could say is asked for. */
static bool is_full(const struct reader *r)
{
    return !r->whole && r->to->own.count == STACK_FRAMES_MAX && !r->renew_own && r->shape != SHAPE_PYTHON;
}

static void take_any(struct reader *r, const struct line *line)
{
    struct frame f;
    if ((line->indent > 0 && is_full(r)) || take_rule(r, line))
        return;
    if (frame_read(line->text, &f) && !text_is_noise(line->text)) {
        bool beneath = f.rest.size && r->locked && r->shape == SHAPE_RUBY && !r->gap;
        r->mode = beneath ? BENEATH : r->mode;
        if (r->mode == ANY)
            add_frame(r, &f);
    } else if (line->indent == 0) {
        r->gap = true;
        if (r->mode == BENEATH)
            r->mode = ANY;
        if (!r->any)
            r->to->headline = line->text;
    }
}

static void take_line(struct reader *r, const struct line *line)
{
    if (r->mode == SUPPRESSED && line->indent >= r->indent)
        return;
    if (r->mode == SUPPRESSED)
        r->mode = ANY;
    if (r->mode == GO)
        take_go(r, line);
    else if (take_header(r, line))
        r->any = true;
    else if (r->mode == PYTHON)
        take_python(r, line);
    else if (r->mode == RUST)
        take_rust(r, line);
    else
        take_any(r, line);
    r->any = true;
}

/* `  | ` and `  + ` of Python's groups, `==17==` of valgrind, and blanks are a margin. */
static void strip(struct line *line)
{
    const char *begin = line->text.data, *at = begin, *end = begin + line->text.size;
    if (end - at > 2 && at[0] == '=' && at[1] == '=' && byte_class(at[2]) & DIGIT) {
        at += 2;
        while (at < end && *at != '=')
            at++;
        while (at < end && *at == '=')
            at++;
        begin = at + (at < end && *at == ' ');
    }
    while (at < end && (*at == ' ' || *at == '\t' || *at == '|' || *at == '+' ||
                        (*at == '-' && at > begin && at[-1] == '+')))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '?'))
        end--;
    line->indent = at > begin ? (size_t)(at - begin) : 0;
    line->text = (struct slice){at, (size_t)(end - at)};
}

void stack_read(struct slice text, bool cut, bool whole, bool *counts, struct stack *ret)
{
    *ret = (struct stack){0};
    struct reader r = {.to = ret, .begin = text.data, .counts = counts, .any = cut, .whole = whole};
    const char *at = text.data, *end = end_of(text);
    bool partial = cut;
    while (at < end && r.mode != DONE) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline : end;
        struct line line = {{at, (size_t)(next - at)}, 0};
        strip(&line);
        if (!partial && line.text.size)
            take_line(&r, &line);
        else if (r.mode == GO)
            r.mode = DONE;
        partial = false;
        at = next + 1;
    }
    flush_pending(&r);
}

const struct frame_set *stack_frames(const struct stack *s)
{
    return s->own.count ? &s->own : &s->library;
}

const struct frame *stack_innermost(const struct stack *s)
{
    const struct frame_set *set = stack_frames(s);
    if (set->count == 0)
        return NULL;
    return &set->frames[set->frames[0].shape == SHAPE_PYTHON ? set->count - 1 : 0];
}
