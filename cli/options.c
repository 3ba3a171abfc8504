/* options: getopt_long in its "return in order" mode, so that a word after --file can be told from one before
 * it. */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/columns.h"
#include "cli/nearest.h"
#include "client/shunt.h"

#define LONG_BASE    256 /* getopt's code of row i, clear of every letter */
#define LEFT_COLUMNS 24  /* of --help, for the option and its argument */
#define IN_ORDER     1   /* its code for a word */

void options_init(struct options *o)
{
    *o = (struct options){0};
}

void options_done(struct options *o)
{
    free(o->values);
    free(o->words);
    *o = (struct options){0};
}

static const struct option_row *row_named(const struct options *o, const char *name)
{
    for (size_t i = 0; i < o->rows_count; i++) {
        if (strcmp(o->rows[i]->name, name) == 0)
            return o->rows[i];
    }
    return NULL;
}

static const struct option_row *row_lettered(const struct options *o, int letter)
{
    for (size_t i = 0; i < o->rows_count; i++) {
        if (o->rows[i]->letter && o->rows[i]->letter == letter)
            return o->rows[i];
    }
    return NULL;
}

void options_accept(struct options *o, const struct option_row *rows, size_t count)
{
    for (size_t i = 0; i < count && o->rows_count < OPTION_ROWS_MAX; i++) {
        if (!row_named(o, rows[i].name))
            o->rows[o->rows_count++] = &rows[i];
    }
}

/* ---- values */

static bool parse_count(const char *text, int64_t *ret)
{
    if (text[0] < '0' || text[0] > '9')
        return false;
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *ret = number;
    return true;
}

static bool refuse_range(struct options *o, const struct option_row *row, const char *text)
{
    char least[32];
    char most[32];
    if (row->kind == OPTION_DURATION) {
        shunt_format_duration(least, row->min);
        shunt_format_duration(most, row->max);
    } else {
        (void)snprintf(least, sizeof least, "%" PRId64, row->min);
        (void)snprintf(most, sizeof most, "%" PRId64, row->max);
    }
    if (row->max) {
        (void)snprintf(o->why, sizeof o->why, "--%s %.60s: must be from %s to %s", row->name, text, least,
                       most);
    } else {
        (void)snprintf(o->why, sizeof o->why, "--%s %.60s: must be at least %s", row->name, text, least);
    }
    return false;
}

static bool check_value(struct options *o, struct option_value *value)
{
    const struct option_row *row = value->row;
    struct shunt_error err = {0};
    if (!value->text || row->kind == OPTION_FLAG || row->kind == OPTION_TEXT)
        return true;
    if (row->kind == OPTION_DURATION && shunt_parse_duration(value->text, &value->number, &err)) {
        (void)snprintf(o->why, sizeof o->why, "--%s %.60s: %.200s", row->name, value->text, err.text);
        return false;
    }
    if (row->kind == OPTION_COUNT && !parse_count(value->text, &value->number)) {
        (void)snprintf(o->why, sizeof o->why,
                       "--%s %.60s: not a whole number of at least %" PRId64 " (or too large)", row->name,
                       value->text, row->min);
        return false;
    }
    if (value->number < row->min || (row->max && value->number > row->max))
        return refuse_range(o, row, value->text);
    return true;
}

/* One argument can hold many options, as `-yyy` does. */
static bool more_values(struct options *o)
{
    if (array_room(&o->values, &o->values_capacity, o->values_count + 1))
        return true;
    (void)snprintf(o->why, sizeof o->why, "out of memory");
    return false;
}

static bool add_value(struct options *o, const struct option_row *row, const char *text)
{
    struct option_value value = {.row = row, .text = text};
    if (!check_value(o, &value))
        return false;
    if (!more_values(o))
        return false;
    o->values[o->values_count++] = value;
    return true;
}

/* ---- what getopt complains of */

static bool refuse_unknown(struct options *o, const char *typed)
{
    char name[64];
    size_t len = strcspn(typed + 2, "=");
    (void)snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), typed + 2);
    struct nearest near = {.word = name};
    for (size_t i = 0; i < o->rows_count; i++)
        nearest_offer(&near, o->rows[i]->name);
    if (near.best)
        (void)snprintf(o->why, sizeof o->why, "unknown option --%s; did you mean --%s?", name, near.best);
    else
        (void)snprintf(o->why, sizeof o->why, "unknown option --%s", name);
    return false;
}

static bool refuse(struct options *o, int code, char **argv)
{
    const struct option_row *row =
        optopt >= LONG_BASE ? o->rows[optopt - LONG_BASE] : row_lettered(o, optopt);
    if (code == ':' && row)
        (void)snprintf(o->why, sizeof o->why, "--%s needs a value: %s", row->name, row->argument);
    else if (optopt >= LONG_BASE && row)
        (void)snprintf(o->why, sizeof o->why, "--%s takes no value", row->name);
    else if (optopt)
        (void)snprintf(o->why, sizeof o->why, "unknown option -%c", optopt);
    else
        return refuse_unknown(o, argv[optind - 1]);
    return false;
}

/* ---- parsing */

struct getopt_tables {
    struct option longs[OPTION_ROWS_MAX + 1];
    char shorts[3 * OPTION_ROWS_MAX + 3];
};

static void make_tables(const struct options *o, bool leading, struct getopt_tables *t)
{
    char *at = t->shorts;
    *at++ = leading ? '+' : '-';
    *at++ = ':'; /* tell a missing value from an unknown option */
    for (size_t i = 0; i < o->rows_count; i++) {
        const struct option_row *row = o->rows[i];
        int takes = row->words != WORDS_NONE   ? optional_argument
                    : row->kind == OPTION_FLAG ? no_argument
                                               : required_argument;
        t->longs[i] = (struct option){.name = row->name, .has_arg = takes, .val = LONG_BASE + (int)i};
        if (!row->letter || row_lettered(o, row->letter) != row)
            continue;
        *at++ = row->letter;
        if (takes == required_argument)
            *at++ = ':';
    }
    t->longs[o->rows_count] = (struct option){0};
    *at = '\0';
}

/* A word: it belongs to the option before it if that takes words, else it is a word of the command. */
static bool take_word(struct options *o, const struct option_row **taker, char *word)
{
    if (!*taker) {
        o->words[o->words_count++] = word;
        return true;
    }
    const struct option_row *row = *taker;
    if (row->words == WORDS_ONE)
        *taker = NULL;
    /* The bare option was noted without a value when it was met: the first word becomes that value. */
    struct option_value *last = NULL;
    for (size_t i = o->values_count; i > 0 && !last; i--)
        last = o->values[i - 1].row == row ? &o->values[i - 1] : NULL;
    if (!last || last->text)
        return add_value(o, row, word);
    last->text = word;
    return check_value(o, last);
}

static bool take_option(struct options *o, const struct option_row **taker, int code)
{
    const struct option_row *row = code >= LONG_BASE ? o->rows[code - LONG_BASE] : row_lettered(o, code);
    if (!row) {
        (void)snprintf(o->why, sizeof o->why, "unknown option -%c", code);
        return false;
    }
    if (row->words != WORDS_NONE)
        *taker = optarg && row->words == WORDS_ONE ? NULL : row;
    else if (*taker && (*taker)->words == WORDS_ONE)
        *taker = NULL;
    return add_value(o, row, optarg);
}

bool options_parse(struct options *o, int argc, char **argv, bool leading, int *ret_used)
{
    struct getopt_tables tables;
    make_tables(o, leading, &tables);
    o->values_capacity = (size_t)argc + 1;
    o->values = calloc(o->values_capacity, sizeof *o->values);
    o->words = calloc((size_t)argc + 1, sizeof *o->words);
    if (!o->values || !o->words) {
        (void)snprintf(o->why, sizeof o->why, "out of memory");
        return false;
    }
    const struct option_row *taker = NULL;
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    int code = 0;
    while ((code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
        if (code == '?' || code == ':')
            return refuse(o, code, argv);
        if (!(code == IN_ORDER ? take_word(o, &taker, optarg) : take_option(o, &taker, code)))
            return false;
    }
    if (!leading && optind > 1 && strcmp(argv[optind - 1], "--") == 0) {
        o->rest = argv + optind;
        o->rest_count = (size_t)(argc - optind);
    }
    /* `--file -- -a -b`: what follows is the option's all the same, whatever it begins with. */
    while (o->rest_count > 0 && taker && taker->words == WORDS_MANY) {
        if (!take_word(o, &taker, *o->rest))
            return false;
        o->rest++;
        o->rest_count--;
    }
    if (ret_used)
        *ret_used = optind;
    return true;
}

/* ---- asking */

const struct option_value *options_find_row(const struct options *o, const struct option_row *row)
{
    for (size_t i = o->values_count; i > 0; i--) {
        if (o->values[i - 1].row == row)
            return &o->values[i - 1];
    }
    return NULL;
}

const struct option_value *options_find(const struct options *o, const char *name)
{
    const struct option_row *row = row_named(o, name);
    return row ? options_find_row(o, row) : NULL;
}

bool options_flag(const struct options *o, const char *name)
{
    return options_find(o, name) != NULL;
}

const char *options_text(const struct options *o, const char *name, const char *otherwise)
{
    const struct option_value *value = options_find(o, name);
    return value && value->text ? value->text : otherwise;
}

int64_t options_number(const struct options *o, const char *name, int64_t otherwise)
{
    const struct option_value *value = options_find(o, name);
    return value && value->text ? value->number : otherwise;
}

void options_print(const struct option_row *rows, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        char left[128];
        (void)snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                       rows[i].argument ? rows[i].argument : "");
        int width =
            LEFT_COLUMNS + (int)(strlen(left) - columns_of(left, strlen(left))); /* printf counts bytes */
        char letter[] = "    ";
        if (rows[i].letter)
            (void)snprintf(letter, sizeof letter, "-%c, ", rows[i].letter);
        if (columns_of(left, strlen(left)) <= LEFT_COLUMNS)
            fprintf(out, "  %s%-*s %s\n", letter, width, left, rows[i].text);
        else
            fprintf(out, "  %s%s\n      %-*s %s\n", letter, left, LEFT_COLUMNS, "", rows[i].text);
    }
}
