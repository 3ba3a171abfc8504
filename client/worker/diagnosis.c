/* diagnosis: see diagnosis.h. A line at a time: which row of the table is it, and what does that make of what
 * was before? */
#include "client/worker/diagnosis.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "client/wire/keep.h"
#include "client/worker/diagnosis_class.h"

/* Strays that are let pass if the last line is indented, and so belongs to something. */
#define STRAYS_BEFORE_INDENTED_MAX 32
/* More blanks than that at a line's beginning are not kept. */
#define BLANKS_MAX 64

enum what { HEADLINE, NEXT, AFTER, BEFORE, FRAME, AGAIN, REST, BODY, CAUSE, ABSORB };

struct row {
    enum diagnosis_shape of;
    const char *begins;
    const char *holds;
    const char *ends;
    enum what what;
    enum diagnosis_class class;
    const char *type;
};

#define ROW(of, begins, holds, ends, what, class, type)                                                      \
    {of, begins, holds, ends, what, DIAGNOSIS_CLASS_##class, type},
static const struct row rows[] = {
#include "client/worker/diagnosis.def"
};
#undef ROW

/* ---- matching */

/* Nearly always the first byte says no: this is asked for each row about each line. */
static bool begins_with(const char *text, const char *with)
{
    return with[0] == '\0' || (text[0] == with[0] && strncmp(text, with, strlen(with)) == 0);
}

static bool ends_with(const char *text, size_t bytes, const char *with)
{
    size_t length = strlen(with);
    return length <= bytes && memcmp(text + bytes - length, with, length) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

/* `    at main (/srv/app.js:7:9)`, `\tat app.Main.main(Main.java:9)` */
static bool is_frame(const struct diagnosis_line *line)
{
    return line->indented && begins_with(line->text, "at ") && strpbrk(line->text, "(:");
}

/* `raw` is the line with the blanks at its beginning. */
static bool fits(const struct shunt_diagnosis *d, const struct row *row, const char *raw,
                 const struct diagnosis_line *line)
{
    if (row->what == FRAME)
        return is_frame(line);
    if (row->what >= AGAIN && (row->of == SHAPE_NONE ? d->shape == SHAPE_NONE : d->shape != row->of))
        return false;
    if (row->what == HEADLINE && line->indented)
        return false;
    return begins_with(raw, row->begins) && strstr(raw, row->holds) &&
           ends_with(line->text, line->bytes, row->ends);
}

static const struct row *find(const struct shunt_diagnosis *d, const char *raw,
                              const struct diagnosis_line *line)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (fits(d, &rows[i], raw, line))
            return &rows[i];
    }
    return NULL;
}

/* ---- judging a line */

/* Of a line mostly a few bytes are there. */
static void keep_line(struct diagnosis_line *to, const struct diagnosis_line *line)
{
    to->bytes = line->bytes;
    to->indented = line->indented;
    memcpy(to->text, line->text, line->bytes + 1);
}

static void take_headline(struct shunt_diagnosis *d, const struct row *row, const struct diagnosis_line *line)
{
    d->shape = row->of;
    d->awaited = d->caused = false;
    d->absorbed = row->of == SHAPE_SANITIZER; /* pages of it */
    d->strays = 0;
    keep_line(&d->headline, line);
    diagnosis_class(d->type, row->class, row->type, line->text);
}

static void await_headline(struct shunt_diagnosis *d, const struct row *row,
                           const struct diagnosis_line *line)
{
    take_headline(d, row, line); /* in case none comes */
    if (row->class == DIAGNOSIS_CLASS_NAME)
        d->type[0] = '\0';
    d->awaited = true;
}

/* Does the headline that is here go with frames that follow now? */
static bool goes_on(const struct shunt_diagnosis *d, enum diagnosis_shape shape)
{
    return d->shape == shape && !d->awaited && (d->strays == 0 || d->caused);
}

static void take_line_before(struct shunt_diagnosis *d, const struct row *row)
{
    bool named = row->what == FRAME && d->exception.bytes > 0 && d->exception_age < DIAGNOSIS_MESSAGE_LINES;
    const struct diagnosis_line *line = named ? &d->exception : &d->last;
    /* Rust's frames have an `at` too. */
    bool others = row->what == FRAME && d->shape != SHAPE_NONE && goes_on(d, d->shape);
    if (goes_on(d, row->of) || others)
        d->strays = 0;
    else if (line->bytes > 0)
        take_headline(d, row, line);
    d->exception.bytes = 0;
}

static void take_rest(struct shunt_diagnosis *d, const struct row *row, const struct diagnosis_line *line)
{
    const char *rest = strstr(line->text, row->begins + strspn(row->begins, " "));
    if (!rest)
        return;
    struct diagnosis_line headline = {0};
    rest += strlen(row->begins) - strspn(row->begins, " ");
    headline.bytes = strlen(rest);
    memcpy(headline.text, rest, headline.bytes);
    d->headline = headline;
    d->strays = 0;
}

/* Ruby tells causes behind the frames, in the same shape. */
static bool is_cause(const struct shunt_diagnosis *d, const struct row *row)
{
    return row->of == SHAPE_RUBY && d->shape == SHAPE_RUBY && d->strays == 0 && d->last.indented;
}

static void judge(struct shunt_diagnosis *d, const struct row *row, const struct diagnosis_line *line)
{
    if (!row) {
        d->strays += d->shape != SHAPE_NONE && !d->absorbed && !line->indented;
        return;
    }
    switch (row->what) {
    case HEADLINE:
    case AGAIN:
        if (!is_cause(d, row))
            take_headline(d, row, line);
        break;
    case NEXT:
    case AFTER:
        await_headline(d, row, line);
        break;
    case BEFORE:
    case FRAME:
        if (!d->absorbed)
            take_line_before(d, row);
        break;
    case REST:
        take_rest(d, row, line);
        break;
    case BODY:
    case CAUSE:
    case ABSORB:
        d->strays = 0;
        d->caused |= row->what == CAUSE;
        d->absorbed |= row->what == ABSORB;
        break;
    }
}

/* The line that was awaited. */
static bool take_awaited(struct shunt_diagnosis *d, const struct row *row, const char *raw,
                         const struct diagnosis_line *line)
{
    static const struct row of_group = {SHAPE_PYTHON_GROUP, "  | ", "", "", REST, DIAGNOSIS_CLASS_NAME, ""};
    bool again = row && (row->what == NEXT || row->what == AFTER);
    if (d->shape == SHAPE_PYTHON_GROUP && begins_with(raw, of_group.begins)) {
        if (!is_blank(raw[strlen(of_group.begins)]) && !strstr(raw, "Traceback (most recent call last):")) {
            take_rest(d, &of_group, line);
            diagnosis_class(d->type, of_group.class, "", d->headline.text);
            d->awaited = false;
        }
        return true;
    }
    if (again)
        return false;
    if (d->shape == SHAPE_RUST) {
        d->awaited = false;
        if (row && row->what == BODY)
            return false; /* a panic without words: the line that announced it must do */
        keep_line(&d->headline, line);
        return true;
    }
    if (line->indented)
        return true;
    struct row as = {d->shape, "", "", "", HEADLINE, DIAGNOSIS_CLASS_NAME, ""};
    take_headline(d, &as, line);
    return true;
}

/* ---- lines */

static void take_line(struct shunt_diagnosis *d)
{
    struct diagnosis_line line; /* of each line of a long output: its text is not cleared first */
    line.indented = d->raw_bytes > 0 && is_blank(d->raw[0]);
    size_t end = utf8_prefix(d->raw, d->raw_bytes, DIAGNOSIS_LINE_BYTES);
    size_t begin = 0;
    d->raw_bytes = 0;
    while (end > 0 && is_blank(d->raw[end - 1]))
        end--;
    while (begin < end && is_blank(d->raw[begin]))
        begin++;
    if (begin == end)
        return;
    d->raw[end] = '\0';
    line.bytes = end - begin;
    memcpy(line.text, d->raw + begin, line.bytes);
    line.text[line.bytes] = '\0';

    const struct row *row = find(d, d->raw, &line);
    if (!d->awaited || !take_awaited(d, row, d->raw, &line))
        judge(d, row, &line);
    d->exception_age++;
    if (!line.indented && diagnosis_names_exception(line.text)) {
        keep_line(&d->exception, &line);
        d->exception_age = 0;
    }
    keep_line(&d->last, &line);
}

void shunt_diagnosis_add(struct shunt_diagnosis *d, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char c = bytes[i] == '\0' ? '?' : bytes[i];
        if (c == '\n' || c == '\r') {
            take_line(d);
            continue;
        }
        if (d->raw_bytes == sizeof d->raw - 1)
            continue; /* enough of this line */
        if (d->raw_bytes == BLANKS_MAX && is_blank(c) && strspn(d->raw, " \t") >= BLANKS_MAX)
            continue;
        d->raw[d->raw_bytes++] = c;
        d->raw[d->raw_bytes] = '\0';
    }
}

bool shunt_diagnosis_read(struct shunt_diagnosis *d, const char **ret_type, const char **ret_message)
{
    take_line(d);
    size_t strays_max = d->last.indented ? STRAYS_BEFORE_INDENTED_MAX : DIAGNOSIS_STRAYS_MAX;
    bool known = d->shape != SHAPE_NONE && d->headline.bytes > 0 && d->strays <= strays_max &&
                 (!d->awaited || d->shape == SHAPE_RUST);
    *ret_type = known && d->type[0] ? d->type : NULL;
    *ret_message = known ? d->headline.text : d->last.text;
    return d->last.bytes > 0;
}

void diagnosis_init(struct shunt_diagnosis *d)
{
    *d = (struct shunt_diagnosis){0};
}

struct shunt_diagnosis *shunt_diagnosis_new(void)
{
    return calloc(1, sizeof(struct shunt_diagnosis));
}

void shunt_diagnosis_free(struct shunt_diagnosis *d)
{
    free(d);
}
