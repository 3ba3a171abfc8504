/* A command line is divided into words as it is written, without a shell. */
#include "broker/command_line.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The words with `|` between them, or `!` and why it is none. */
static const char *split(const char *line)
{
    static char text[1024], joined[1024];
    char *words[COMMAND_LINE_WORDS_MAX + 1];
    const char *why = "";
    joined[0] = '\0';
    (void)snprintf(text, sizeof text, "%s", line);
    size_t count = command_line_split(text, words, &why);
    if (!count)
        (void)snprintf(joined, sizeof joined, "!%s", why);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i ? "|" : "",
                       words[i]);
    }
    cr_assert(!count || !words[count]);
    return joined;
}

Test(command_line, words_stand_between_blanks_and_quotations_hold_them_together)
{
    static const struct {
        const char *line, *words;
    } cases[] = {{"page", "page"},
                 {"  page\t--now  ", "page|--now"},
                 {"\"/opt/my programs/page\" \"to kim\"", "/opt/my programs/page|to kim"},
                 {"page --to=\"kim and pat\"x", "page|--to=kim and patx"},
                 {"page \"say \\\"now\\\" \\\\ \\n\"", "page|say \"now\" \\ \\n"},
                 {"page \"\" b", "page||b"},
                 {"page $HOME ; rm -rf * | cat > x", "page|$HOME|;|rm|-rf|*|||cat|>|x"},
                 {"page 'a b'", "page|'a|b'"},
                 {"", "!must name a program"},
                 {"  ", "!must name a program"},
                 {"\"\" a", "!must name a program"},
                 {"page \"to kim", "!a quotation mark is missing"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_str_eq(split(cases[i].line), cases[i].words, "%s: %s", cases[i].line, split(cases[i].line));
}

Test(command_line, more_words_than_the_limit_are_refused)
{
    char line[2 * COMMAND_LINE_WORDS_MAX + 3] = "";
    for (int i = 0; i < COMMAND_LINE_WORDS_MAX; i++)
        strcat(line, "a ");
    cr_assert_eq(strlen(split(line)), 2 * COMMAND_LINE_WORDS_MAX - 1);
    strcat(line, "a");
    cr_assert_str_eq(split(line), "!has more than 64 words");
}
