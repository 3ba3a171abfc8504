/* table: all cells are kept until the widths of the columns are known. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/check.h"
#include "base/utf8.h"
#include "cli/columns.h"
#include "cli/table_fit.h"

#define PLAIN_COLUMNS 2

void table_init(struct table *t, const char *const *headings)
{
    *t = (struct table){.headings = headings};
    while (headings[t->columns])
        t->columns++;
}

void table_init_plain(struct table *t)
{
    *t = (struct table){.columns = PLAIN_COLUMNS};
}

void table_done(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct table){0};
}

/* Takes `cell`, which is NULL when there was no memory for it. */
static void add(struct table *t, char *cell)
{
    if (!cell || !array_room(&t->cells, &t->room, t->count + 1)) {
        free(cell);
        t->failed = true;
        return;
    }
    utf8_flatten(cell, strlen(cell));
    t->cells[t->count++] = cell;
}

void table_cell(struct table *t, const char *text)
{
    add(t, strdup(text ? text : "-"));
}

void table_cellf(struct table *t, const char *format, ...)
{
    char *cell = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&cell, format, arguments) < 0)
        cell = NULL;
    va_end(arguments);
    add(t, cell);
}

static size_t whole_rows(const struct table *t)
{
    return t->count / t->columns;
}

static void pad(FILE *out, size_t spaces)
{
    fprintf(out, "%*s", (int)spaces, "");
}

/* ---- rows */

static void put(FILE *out, const struct table_column *column, const char *text, bool last)
{
    size_t bytes = strlen(text), wide = columns_of(text, bytes);
    bool cut = wide > column->width;
    if (cut) {
        bytes = columns_fit(text, bytes, column->width - 1);
        wide = columns_of(text, bytes) + 1;
    }
    if (column->right)
        pad(out, column->width - wide);
    fwrite(text, 1, bytes, out);
    if (cut)
        fputs("…", out);
    if (!last && !column->right)
        pad(out, column->width - wide);
    fputs(last ? "\n" : "  ", out);
}

static size_t last_shown(const struct table *t, const struct table_column *columns)
{
    size_t last = t->columns - 1;
    while (columns[last].hidden)
        last--;
    return last;
}

static void print_rows(const struct table *t, const struct table_column *columns, FILE *out)
{
    size_t last = last_shown(t, columns);
    for (size_t i = 0; i <= last; i++) {
        if (!columns[i].hidden)
            put(out, &columns[i], columns[i].heading, i == last);
    }
    for (size_t i = 0; i < whole_rows(t) * t->columns; i++) {
        size_t column = i % t->columns;
        if (!columns[column].hidden)
            put(out, &columns[column], t->cells[i], column == last);
    }
}

/* ---- names and what is said of each */

#define BELOW_INDENT 2 /* of what stands below its name, if there is room for that */

static size_t longest_word(const char *text)
{
    size_t most = 0;
    while (*text) {
        size_t bytes = strcspn(text, " "), wide = columns_of(text, bytes);
        most = wide > most ? wide : most;
        text += bytes + strspn(text + bytes, " ");
    }
    return most;
}

/* Behind a name of so many columns, from column `begin` on, where its further lines begin, too. Words are kept whole: they may be names
 * that somebody copies. One that is too long for that goes below the name. */
static void fold(const char *text, size_t name, size_t begin, size_t columns, FILE *out)
{
    size_t at = begin, indent = begin + strspn(text, " "), longest = longest_word(text);
    if (columns != COLUMNS_UNLIMITED && longest + indent > columns) {
        indent = longest + BELOW_INDENT > columns ? 0 : BELOW_INDENT;
        fputc('\n', out);
        pad(out, indent);
        text += strspn(text, " ");
        at = indent;
    } else {
        pad(out, begin - name);
    }
    while (*text) {
        size_t spaces = strspn(text, " "), bytes = strcspn(text + spaces, " ");
        size_t wide = columns_of(text + spaces, bytes);
        if (at > indent && at + spaces + wide > columns) {
            fputc('\n', out);
            pad(out, indent);
            at = indent;
        } else {
            pad(out, spaces);
            at += spaces;
        }
        fwrite(text + spaces, 1, bytes, out);
        at += wide;
        text += spaces + bytes;
    }
    fputc('\n', out);
}

static void print_pair(const char *name, size_t widest, const char *text, size_t columns, FILE *out)
{
    size_t wide = columns_of(name, strlen(name));
    fputs(name, out);
    if (!*text) {
        fputc('\n', out);
        return;
    }
    fold(text, wide, widest + TABLE_GAP, columns, out);
}

static void print_plain(const struct table *t, FILE *out, size_t columns)
{
    size_t widest = 0;
    for (size_t i = 0; i < whole_rows(t) * PLAIN_COLUMNS; i += PLAIN_COLUMNS) {
        size_t wide = columns_of(t->cells[i], strlen(t->cells[i]));
        widest = wide > widest ? wide : widest;
    }
    for (size_t i = 0; i < whole_rows(t) * PLAIN_COLUMNS; i += PLAIN_COLUMNS)
        print_pair(t->cells[i], widest, t->cells[i + 1], columns, out);
}

/* A row of a table that is too wide: a line for each column, whole. */
static void print_blocks(const struct table *t, const struct table_column *shown, FILE *out, size_t columns)
{
    size_t widest = 0;
    for (size_t i = 0; i < t->columns; i++) {
        size_t wide = strlen(shown[i].heading);
        widest = wide > widest ? wide : widest;
    }
    for (size_t i = 0; i < whole_rows(t) * t->columns; i++) {
        if (i && i % t->columns == 0)
            fputc('\n', out);
        print_pair(shown[i % t->columns].heading, widest, t->cells[i], columns, out);
    }
}

bool table_print_within(const struct table *t, FILE *out, size_t columns)
{
    if (!t->headings) {
        print_plain(t, out, columns);
        return !t->failed;
    }
    struct table_column *shown = calloc(t->columns, sizeof *shown);
    if (!shown)
        return false;
    if (table_fit(t, columns, shown))
        print_rows(t, shown, out);
    else
        print_blocks(t, shown, out, columns);
    free(shown);
    return !t->failed;
}

bool table_print(const struct table *t, FILE *out)
{
    return table_print_within(t, out, columns_of_terminal(out));
}
