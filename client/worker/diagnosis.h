/* diagnosis: finds, in what a program wrote before it failed, the line that says what failed, and the class
 * of its exception. Pure: no I/O, no allocation; it is fed piece by piece and keeps a few lines, so a trace
 * of any length costs nothing, and its head is not lost.
 *
 * It knows the shapes in client/worker/diagnosis.def: of uncaught exceptions and panics of common runtimes, failed
 * assertions, the sanitizers. If the output does not end in one of them, the line is the last that is not
 * blank. */
#ifndef SHUNT_CLIENT_WORKER_DIAGNOSIS_H
#define SHUNT_CLIENT_WORKER_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

#include "client/shunt.h"
#include "proto/limits.h"

/* Of a line so much is looked at and kept. */
#define DIAGNOSIS_LINE_BYTES ERROR_MESSAGE_BYTES_MAX
/* So many lines that begin at the margin may follow the headline and still belong to its message, if nothing
 * else says that they do. */
#define DIAGNOSIS_STRAYS_MAX 3
/* A message of so many lines is still found above its trace. */
#define DIAGNOSIS_MESSAGE_LINES 64

enum diagnosis_shape {
    SHAPE_NONE,
    SHAPE_PYTHON,
    SHAPE_PYTHON_GROUP, /* its lines have a margin of `  | ` */
    SHAPE_PYTHON_FATAL,
    SHAPE_AT, /* Java, node, .NET: frames begin with `at` */
    SHAPE_GO,
    SHAPE_RUST,
    SHAPE_RUBY,
    SHAPE_PHP,
    SHAPE_CPP,
    SHAPE_ASSERT,
    SHAPE_SANITIZER,
    SHAPE_PERL,
    SHAPE_OTHER
};

struct diagnosis_line {
    size_t bytes; /* without blanks at its ends */
    bool indented;
    char text[DIAGNOSIS_LINE_BYTES + 1];
};

struct shunt_diagnosis {
    /* The line that comes in. */
    char raw[DIAGNOSIS_LINE_BYTES + 4]; /* enough to see whether the cut goes through a character */
    size_t raw_bytes;
    /* What was seen. */
    struct diagnosis_line last;      /* that is not blank */
    struct diagnosis_line exception; /* the last that looks like `some.Exception: text` */
    size_t exception_age;            /* lines since; past DIAGNOSIS_MESSAGE_LINES it does not count */
    /* What it is taken for. */
    enum diagnosis_shape shape;
    bool awaited;  /* the headline is still to come */
    bool absorbed; /* all that follows belongs to it */
    bool caused;   /* a cause was announced, with frames of its own */
    size_t strays; /* lines at the margin after it that no row explains */
    struct diagnosis_line headline;
    char type[ERROR_TYPE_BYTES_MAX + 1];
};

void diagnosis_init(struct shunt_diagnosis *d);

#endif
