/* columns: see columns.h. */
#include "cli/columns.h"

#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/utf8.h"

#define PICTURES_FROM 0x1f000 /* of those that are newer than the library's table most take two columns */

/* The character of `step` valid bytes. */
static uint32_t decode(const unsigned char *at, size_t step)
{
    uint32_t character = step == 1 ? at[0] : at[0] & (0xffu >> (step + 1));
    for (size_t i = 1; i < step; i++)
        character = character << 6 | (at[i] & 0x3fu);
    return character;
}

/* Of the character at `text`; *ret_step is how many bytes it has. */
static size_t one(const char *text, size_t left, size_t *ret_step)
{
    size_t step = utf8_step(text, left);
    *ret_step = step ? step : 1;
    if (step < 2)
        return 1;
    uint32_t character = decode((const unsigned char *)text, step);
    int columns = wcwidth((wchar_t)character);
    return columns >= 0 ? (size_t)columns : character >= PICTURES_FROM ? 2 : 1;
}

/* Bytes of the longest prefix of at most `most` columns; *ret_columns is how many it takes. */
static size_t walk(const char *text, size_t size, size_t most, size_t *ret_columns)
{
    static locale_t utf8;
    size_t at = 0, columns = 0;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    while (at < size) {
        size_t step = 0;
        size_t wide = one(text + at, size - at, &step);
        wide = utf8 || step == 1 ? wide : 1;
        if (columns + wide > most)
            break;
        columns += wide;
        at += step;
    }
    if (before)
        (void)uselocale(before);
    *ret_columns = columns;
    return at;
}

size_t columns_of(const char *text, size_t size)
{
    size_t columns;
    (void)walk(text, size, SIZE_MAX, &columns);
    return columns;
}

size_t columns_fit(const char *text, size_t size, size_t columns)
{
    size_t taken;
    return walk(text, size, columns, &taken);
}

size_t columns_of_terminal(FILE *out)
{
    struct winsize window = {0};
    int fd = fileno(out);
    if (fd < 0 || !isatty(fd))
        return COLUMNS_UNLIMITED;
    if (ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        return window.ws_col;
    const char *said = getenv("COLUMNS");
    long columns = said ? strtol(said, NULL, 10) : 0;
    return columns > 0 ? (size_t)columns : COLUMNS_DEFAULT;
}
