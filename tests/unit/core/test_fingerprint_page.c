/* The page about causes against the code: each row of its tables is an example. PAGE is docs/causes.md. */
#include "broker/core/fingerprint.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define ROW_CELLS_MAX 5
#define ROWS_MIN      20

static struct fault of_message(struct slice message)
{
    return (struct fault){.reason = DEAD_MAX_ATTEMPTS,
                          .outcome = ATTEMPT_NACKED,
                          .type = slice_of("Error"),
                          .message = message};
}

/* The cells between backquotes of `| … | … |`; returns how many there are. */
static size_t split(char *line, struct slice cells[ROW_CELLS_MAX])
{
    size_t count = 0;
    for (char *at = strstr(line, " | "); at && count < ROW_CELLS_MAX; at = strstr(at, " | ")) {
        at += 3;
        char *end = strstr(at, " |");
        if (at[0] == '`' && end && end[-1] == '`')
            cells[count++] = (struct slice){at + 1, (size_t)(end - at - 2)};
    }
    return count;
}

static void check_same(const struct slice cells[ROW_CELLS_MAX])
{
    char title[FINGERPRINT_TITLE_BYTES], wanted[FINGERPRINT_TITLE_BYTES];
    struct fault one = of_message(cells[0]), another = of_message(cells[1]);
    size_t size = fingerprint_title(&one, title, sizeof title);
    int wanted_size =
        snprintf(wanted, sizeof wanted, "Error: %.*s", (int)cells[2].size, (const char *)cells[2].data);
    cr_assert(size == (size_t)wanted_size && memcmp(title, wanted, size) == 0, "%.*s is called %.*s",
              (int)cells[0].size, (const char *)cells[0].data, (int)size, title);
    cr_assert_eq(fingerprint_of(&one), fingerprint_of(&another), "%.*s and %.*s differ", (int)cells[0].size,
                 (const char *)cells[0].data, (int)cells[1].size, (const char *)cells[1].data);
}

static void check_other(const struct slice cells[ROW_CELLS_MAX])
{
    struct fault one = of_message(cells[0]), another = of_message(cells[1]);
    cr_assert_neq(fingerprint_of(&one), fingerprint_of(&another), "%.*s and %.*s are one", (int)cells[0].size,
                  (const char *)cells[0].data, (int)cells[1].size, (const char *)cells[1].data);
}

Test(fingerprint_page, each_row_of_the_tables_is_true)
{
    char line[1024];
    size_t same = 0, other = 0;
    FILE *f = fopen(PAGE, "r");
    cr_assert(f, "%s", PAGE);
    while (fgets(line, sizeof line, f)) {
        struct slice cells[ROW_CELLS_MAX];
        size_t count = line[0] == '|' ? split(line, cells) : 0;
        if (count == 3)
            check_same(cells);
        else if (count == 2)
            check_other(cells);
        same += count == 3;
        other += count == 2;
    }
    cr_assert(fclose(f) == 0 && same + other >= ROWS_MIN && other > 3, "%zu rows and %zu", same, other);
}
