/* command_line: see command_line.h. */
#include "broker/command_line.h"

#include <stdbool.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One word from *from on, written at its own place, which it never outgrows. False if a quotation does not end. */
static bool take_word(char **from)
{
    char *in = *from, *out = *from;
    bool quoted = false;
    for (; *in && (quoted || !is_blank(*in)); in++) {
        if (*in == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && *in == '\\' && (in[1] == '"' || in[1] == '\\'))
            in++;
        *out++ = *in;
    }
    *from = *in ? in + 1 : in;
    *out = '\0';
    return !quoted;
}

size_t command_line_split(char *text, char *words[COMMAND_LINE_WORDS_MAX + 1], const char **ret_why)
{
    size_t count = 0;
    for (char *at = text;;) {
        while (is_blank(*at))
            at++;
        if (!*at)
            break;
        if (count == COMMAND_LINE_WORDS_MAX) {
            *ret_why = "has more than 64 words";
            return 0;
        }
        words[count++] = at;
        if (!take_word(&at)) {
            *ret_why = "a quotation mark is missing";
            return 0;
        }
    }
    words[count] = NULL;
    *ret_why = "must name a program";
    return count && words[0][0] ? count : 0;
}

_Static_assert(COMMAND_LINE_WORDS_MAX == 64, "command_line_split() says the limit in words");
