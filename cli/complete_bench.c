/* complete_bench: see complete_bench.h. */
#include "cli/complete_bench.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/complete_offer.h"
#include "cli/options.h"

#define ENTRIES_MAX OPTION_ROWS_MAX

/* A line of --help: two blanks, a name, perhaps an argument, and after two blanks more a text. */
struct entry {
    char *line; /* cut into pieces, which the row names */
    struct option_row row;
};

static struct entry entries[ENTRIES_MAX];
static size_t entries_count;

static void read_entry(char *line)
{
    char *text = NULL;
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "  ", 2) != 0 || entries_count == ENTRIES_MAX || !(text = strstr(line + 2, "  ")))
        return;
    struct entry *e = &entries[entries_count];
    if (!(e->line = strdup(line)))
        return;
    entries_count++;
    char *name = e->line + 2;
    text = e->line + (text - line);
    *text = '\0';
    char *argument = strchr(name, ' ');
    if (argument)
        *argument++ = '\0';
    e->row = (struct option_row){.name = name,
                                 .argument = argument,
                                 .kind = argument ? OPTION_TEXT : OPTION_FLAG,
                                 .text = text + 1 + strspn(text + 1, " ")};
}

static void read_help(int fd)
{
    char *line = NULL;
    size_t size = 0;
    FILE *from = fdopen(fd, "r");
    if (!from) {
        (void)close(fd);
        return;
    }
    while (getline(&line, &size, from) > 0)
        read_entry(line);
    free(line);
    (void)fclose(from); /* it was only read */
}

static void run_help(const struct command *command, int fd)
{
    static char bench[] = "bench", help[] = "--help";
    char *words[] = {bench, help, NULL};
    struct options before;
    int nowhere = open("/dev/null", O_WRONLY);
    options_init(&before);
    if (nowhere >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(nowhere, STDERR_FILENO) >= 0)
        (void)command->hand_over(&before, 2, words); /* returns only if there is no such program */
    _exit(1);
}

void complete_bench_accept(struct options *to, const struct command *command)
{
    int ends[2];
    (void)fflush(stdout); /* or the child has it too */
    if (pipe2(ends, O_CLOEXEC))
        return;
    pid_t child = fork();
    if (child == 0)
        run_help(command, ends[1]);
    (void)close(ends[1]);
    if (child < 0) {
        (void)close(ends[0]);
        return;
    }
    read_help(ends[0]);
    (void)waitpid(child, NULL, 0);
    for (size_t i = 0; i < entries_count; i++) {
        struct option_row *row = &entries[i].row;
        if (strncmp(row->name, "--", 2) == 0) {
            row->name += 2;
            options_accept(to, row, 1);
        }
    }
}

void complete_bench_workloads(const struct complete *c)
{
    for (size_t i = 0; i < entries_count; i++) {
        if (entries[i].row.kind == OPTION_FLAG && entries[i].row.name == entries[i].line + 2)
            complete_offer(c, entries[i].row.name, entries[i].row.text);
    }
}

void complete_bench_done(void)
{
    for (size_t i = 0; i < entries_count; i++)
        free(entries[i].line);
    entries_count = 0;
}
