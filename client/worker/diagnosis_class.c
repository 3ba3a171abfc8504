/* diagnosis_class: see diagnosis_class.h. */
#include "client/worker/diagnosis_class.h"

#include <stddef.h>
#include <string.h>

/* What stands before the class in some runtimes; one that ends in a quote goes on to the next one. */
static const char *const announcements[] = {"Exception in thread \"", "Unhandled exception. ",
                                            "Unhandled Exception: ",  "error: Uncaught (in promise) ",
                                            "error: Uncaught ",       "Uncaught "};

/* How names of exceptions end. */
static const char *const endings[] = {"Error",     "Exception", "Failure", "Throwable", "Rejection",
                                      "Interrupt", "Fault",     "Exit",    "Panic",     "Problem"};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Length of `a.b.C`, `A::B`, `A\B`; 0 if there is none. */
static size_t name_length(const char *text)
{
    size_t n = 0;
    for (;;) {
        size_t begin = n;
        while (is_word(text[n]))
            n++;
        if (n == begin)
            return 0;
        if ((text[n] == '.' || text[n] == '\\') && is_word(text[n + 1]))
            n++;
        else if (text[n] == ':' && text[n + 1] == ':' && is_word(text[n + 2]))
            n += 2;
        else
            return n;
    }
}

/* Is the name of `n` bytes all there is, or followed by its message or code? */
static bool stands_alone(const char *text, size_t n)
{
    return n > 0 && (text[n] == '\0' || (text[n] == ':' && (text[n + 1] == ' ' || text[n + 1] == '\0')) ||
                     strncmp(text + n, " [", 2) == 0);
}

static const char *skip_announcement(const char *line)
{
    for (size_t i = 0; i < sizeof announcements / sizeof *announcements; i++) {
        size_t length = strlen(announcements[i]);
        if (strncmp(line, announcements[i], length) != 0)
            continue;
        if (announcements[i][length - 1] != '"')
            return line + length;
        const char *end = strstr(line + length, "\" ");
        return end ? end + 2 : line;
    }
    return line;
}

static bool is_exception_name(const char *name, size_t n)
{
    size_t last = n;
    while (last > 0 && name[last - 1] != '.' && name[last - 1] != ':' && name[last - 1] != '\\')
        last--;
    if (last > 0)
        return name[last] >= 'A' && name[last] <= 'Z';
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(endings[i]);
        if (n >= length && memcmp(name + n - length, endings[i], length) == 0)
            return true;
    }
    return false;
}

bool diagnosis_names_exception(const char *line)
{
    const char *name = skip_announcement(line);
    size_t n = name_length(name);
    return name != line || (stands_alone(name, n) && is_exception_name(name, n));
}

static void copy(char to[ERROR_TYPE_BYTES_MAX + 1], const char *text, size_t bytes)
{
    if (bytes <= ERROR_TYPE_BYTES_MAX) { /* what is longer is no name */
        memcpy(to, text, bytes);
        to[bytes] = '\0';
    }
}

/* Of `orders.rb:3:in 'load': text (RuntimeError)`: the last parentheses, if a name stands in them. */
static void copy_in_parens(char to[ERROR_TYPE_BYTES_MAX + 1], const char *line)
{
    const char *open = strrchr(line, '(');
    size_t n = open ? name_length(open + 1) : 0;
    if (n > 0 && open[1] >= 'A' && open[1] <= 'Z' && strcmp(open + 1 + n, ")") == 0)
        copy(to, open + 1, n);
}

void diagnosis_class(char to[ERROR_TYPE_BYTES_MAX + 1], enum diagnosis_class where, const char *word,
                     const char *line)
{
    const char *begin = NULL;
    const char *end = NULL;
    size_t n = 0;
    to[0] = '\0';
    switch (where) {
    case DIAGNOSIS_CLASS_NONE:
        break;
    case DIAGNOSIS_CLASS_FIXED:
        copy(to, word, strlen(word));
        break;
    case DIAGNOSIS_CLASS_NAME:
        begin = skip_announcement(line);
        n = name_length(begin);
        if (stands_alone(begin, n))
            copy(to, begin, n);
        break;
    case DIAGNOSIS_CLASS_BEHIND:
        begin = strstr(line, word);
        begin = begin ? begin + strlen(word) : "";
        copy(to, begin, name_length(begin));
        break;
    case DIAGNOSIS_CLASS_QUOTED:
        begin = strchr(line, '\'');
        end = begin ? strchr(begin + 1, '\'') : NULL;
        if (end)
            copy(to, begin + 1, (size_t)(end - begin - 1));
        break;
    case DIAGNOSIS_CLASS_PARENS:
        copy_in_parens(to, line);
        break;
    }
}
