/* table: all cells are kept until the widths of the columns are known. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/check.h"
#include "base/utf8.h"

void table_init(struct table *t, const char *const *headings)
{
    *t = (struct table){.headings = headings};
    while (headings[t->columns])
        t->columns++;
}

void table_init_plain(struct table *t, size_t columns)
{
    check(columns > 0);
    *t = (struct table){.columns = columns};
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

void table_cell_fit(struct table *t, const char *text, size_t columns)
{
    size_t shown = text ? utf8_fit(text, strlen(text), columns) : 0;
    if (text && text[shown])
        table_cellf(t, "%.*s…", (int)shown, text);
    else
        table_cell(t, text);
}

static const char *heading(const struct table *t, size_t column)
{
    return t->headings[column][0] == '>' ? t->headings[column] + 1 : t->headings[column];
}

static size_t width(const struct table *t, size_t column)
{
    size_t widest = t->headings ? strlen(heading(t, column)) : 0;
    for (size_t i = column; i < t->count; i += t->columns) {
        size_t columns = utf8_columns(t->cells[i], strlen(t->cells[i]));
        widest = columns > widest ? columns : widest;
    }
    return widest;
}

static void pad(FILE *out, size_t spaces)
{
    fprintf(out, "%*s", (int)spaces, "");
}

static void put(const struct table *t, FILE *out, size_t column, const char *text, size_t widest)
{
    size_t spaces = widest - utf8_columns(text, strlen(text));
    bool right = t->headings && t->headings[column][0] == '>';
    if (column > 0)
        fputs("  ", out);
    if (right)
        pad(out, spaces);
    fputs(text, out);
    if (column + 1 == t->columns)
        fputc('\n', out);
    else if (!right)
        pad(out, spaces);
}

bool table_print(const struct table *t, FILE *out)
{
    size_t *widths = calloc(t->columns + 1, sizeof *widths);
    if (!widths)
        return false;
    for (size_t column = 0; column < t->columns; column++)
        widths[column] = width(t, column);
    for (size_t column = 0; t->headings && column < t->columns; column++)
        put(t, out, column, heading(t, column), widths[column]);
    size_t whole = t->count - t->count % t->columns;
    for (size_t i = 0; i < whole; i++)
        put(t, out, i % t->columns, t->cells[i], widths[i % t->columns]);
    free(widths);
    return !t->failed;
}
