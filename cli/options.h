/* options: one table of rows says which options a command takes; the command line is parsed by it and --help
 * printed from it. */
#ifndef SHUNT_CLI_OPTIONS_H
#define SHUNT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_DURATION, /* milliseconds, checked against min and max */
    OPTION_COUNT     /* a whole number, checked against min and max */
};

/* Options whose values are the words that follow them. */
enum option_words {
    WORDS_NONE,
    WORDS_ONE, /* the next word, if one follows at once */
    WORDS_MANY /* all words to the end of the line */
};

struct option_row {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    const char *argument; /* as --help shows it; NULL for a flag */
    enum option_kind kind;
    enum option_words words;
    int64_t min;
    int64_t max; /* 0: as large as the kind allows */
    const char *text;
};

struct option_value {
    const struct option_row *row;
    const char *text; /* NULL for a flag, or for WORDS_* without a word */
    int64_t number;   /* OPTION_DURATION, OPTION_COUNT */
};

#define OPTION_ROWS_MAX 64

struct options {
    const struct option_row *rows[OPTION_ROWS_MAX];
    size_t rows_count;
    struct option_value *values;
    size_t values_count, values_capacity;
    char **words; /* what is no option, in order */
    size_t words_count;
    char **rest; /* what stands after `--`; NULL if there is no `--` */
    size_t rest_count;
    char why[300]; /* what was wrong, after a failure */
};

/* Make `o` empty; options_done() frees what parsing made. Strings stay the caller's and must outlive it. */
void options_init(struct options *o);
void options_done(struct options *o);

/* Accept these rows too. One whose name or letter is taken already is left out (name) or loses its letter:
 * what was added first wins. */
void options_accept(struct options *o, const struct option_row *rows, size_t count);

/* Parse argv[1…]. With `leading` it stops at the first word, *ret_used is how many arguments were taken
 * (argv[0] too). fails: false, `why` says what is wrong. */
bool options_parse(struct options *o, int argc, char **argv, bool leading, int *ret_used);

/* The last value given for `name`; NULL if it was not. */
const struct option_value *options_find(const struct options *o, const char *name);
bool options_flag(const struct options *o, const char *name);
const char *options_text(const struct options *o, const char *name, const char *otherwise);
int64_t options_number(const struct options *o, const char *name, int64_t otherwise);
/* The value given for this very row, past one of the same name. */
const struct option_value *options_find_row(const struct options *o, const struct option_row *row);

/* Print the rows as --help does. */
void options_print(const struct option_row *rows, size_t count, FILE *out);

#endif
