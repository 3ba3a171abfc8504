/* fault_files: see fault_files.h. */
#include "tests/unit/core/fault_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    check(f && fseek(f, 0, SEEK_END) == 0);
    long size = ftell(f);
    check(size >= 0);
    char *text = malloc((size_t)size + 1);
    rewind(f);
    check(text && fread(text, 1, (size_t)size, f) == (size_t)size && fclose(f) == 0);
    text[size] = '\0';
    return text;
}

/* The next line without its end; *at moves behind it. */
static char *take_line(char **at)
{
    char *line = *at;
    char *end = strchr(line, '\n');
    check(end);
    *end = '\0';
    *at = end + 1;
    return line;
}

static char *take_field(char **at, const char *name)
{
    char *line = take_line(at);
    size_t size = strlen(name);
    check(strncmp(line, name, size) == 0);
    return line + size;
}

static unsigned find_word(const char *const *words, unsigned count, const char *word)
{
    unsigned i = 0;
    while (i < count && strcmp(words[i], word) != 0)
        i++;
    check(i < count);
    return i;
}

/* `\n` for a newline */
static struct slice unfold(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        bool newline = from[0] == '\\' && from[1] == 'n';
        *to++ = newline ? '\n' : *from;
        from += newline;
    }
    return (struct slice){text, (size_t)(to - text)};
}

static void take_report(struct report *r, char **at)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    static const char *const outcomes[ATTEMPT_OUTCOMES] = ATTEMPT_OUTCOME_NAMES;
    (void)snprintf(r->how, sizeof r->how, "%s", take_field(at, "=== "));
    r->fault.reason = (enum dead_reason)find_word(reasons, DEAD_REASONS, take_field(at, "reason: "));
    r->fault.outcome =
        (enum attempt_outcome)find_word(outcomes, ATTEMPT_OUTCOMES, take_field(at, "outcome: "));
    r->fault.type = slice_of(take_field(at, "type: "));
    r->fault.message = unfold(take_field(at, "message: "));
    if (strncmp(*at, "stack:\n", 7) != 0)
        return;
    *at += 7;
    char *end = strstr(*at, "\n=== ");
    size_t size = end ? (size_t)(end - *at) : strlen(*at);
    r->fault.stack = (struct slice){*at, size};
    *at += size + (end != NULL);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_report(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');
    return dot && strcmp(dot, ".reports") == 0;
}

struct reports *reports_read(const char *folder)
{
    struct reports *ret = calloc(1, sizeof *ret);
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_report, by_name);
    check(ret && count > 0 && count <= REPORTS_MAX);
    for (int i = 0; i < count; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        char *at = ret->texts[ret->texts_count++] = read_whole(path);
        while (*at) {
            struct report *r = &ret->rows[ret->count++];
            check(ret->count <= REPORTS_MAX);
            (void)snprintf(r->name, sizeof r->name, "%.*s",
                           (int)(strlen(names[i]->d_name) - strlen(".reports")), names[i]->d_name);
            take_report(r, &at);
        }
        free(names[i]);
    }
    free(names);
    return ret;
}

void reports_free(struct reports *r)
{
    for (size_t i = 0; i < r->texts_count; i++)
        free(r->texts[i]);
    free(r);
}
