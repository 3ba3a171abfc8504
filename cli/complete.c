/* complete: see complete.h. A command line that is not finished is read leniently: what is not understood is passed over. */
#include "cli/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/complete_bench.h"
#include "cli/complete_offer.h"
#include "cli/complete_values.h"
#include "cli/globals.h"
#include "cli/settings.h"

/* ---- commands and options ---- */

static void offer_nouns(const struct complete *c)
{
    const struct command_set *set = NULL;
    for (size_t i = 0; (set = command_set_at(i)); i++)
        complete_offer(c, set->noun, set->text);
    if (!c->help)
        complete_offer(c, "help", "print help on the tool, a noun or a command");
}

static void offer_verbs(const struct complete *c)
{
    for (size_t i = 0; i < c->set->count; i++) {
        if (c->set->commands[i].verb)
            complete_offer(c, c->set->commands[i].verb, c->set->commands[i].text);
    }
}

static void offer_options(const struct complete *c)
{
    for (size_t i = 0; i < c->rows.rows_count; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "--%s", c->rows.rows[i]->name);
        complete_offer(c, name, c->rows.rows[i]->text);
    }
}

/* ---- the command's own words ---- */

/* The name of word `i` in the usage line: what stands there before the first option. NULL: there is none. */
static const char *usage_word(const char *usage, size_t i, size_t *ret_len)
{
    static const char ellipsis[] = "…";
    for (const char *at = usage; *at;) {
        at += strspn(at, " [(");
        size_t len = strcspn(at, " ])");
        if (len == 0 || *at == '-' || *at == '|')
            return NULL;
        bool many =
            len >= strlen(ellipsis) && strncmp(at + len - strlen(ellipsis), ellipsis, strlen(ellipsis)) == 0;
        if (many || i == 0) {
            *ret_len = many ? len - strlen(ellipsis) : len;
            return at;
        }
        i--;
        at += len + strspn(at + len, "])");
    }
    return NULL;
}

/* `topic create TOPIC`: a name that is not there yet. */
static bool is_new_name(const struct command *command, const char *name, size_t len)
{
    return command->verb && strcmp(command->verb, "create") == 0 && strlen(command->noun) == len &&
           strncasecmp(command->noun, name, len) == 0;
}

static void offer_words(const struct complete *c)
{
    size_t len = 0;
    const char *name = usage_word(c->command->usage, c->words_count, &len);
    if (c->command->hand_over)
        complete_bench_workloads(c);
    else if (name && strncmp(name, "SETTINGS", len) == 0)
        offer_options(c);
    else if (name && !is_new_name(c->command, name, len))
        complete_values(c, name, len);
    else if (!name && !*c->last && !c->dashes)
        offer_options(c);
}

/* ---- the value of an option ---- */

static void offer_value(const struct complete *c)
{
    const struct option_row *row = c->taker;
    size_t count = 0;
    bool update = c->command && c->command->verb && strcmp(c->command->verb, "update") == 0;
    const struct option_row *settings = update ? settings_rows(c->command->settings, &count) : NULL;
    if (settings && row >= settings && row < settings + count)
        complete_offer(c, "inherit", "restore the default");
    if (row->argument)
        complete_values(c, row->argument, strlen(row->argument));
}

/* ---- reading ---- */

static const struct option_row *row_of(const struct complete *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->rows.rows_count; i++) {
        const struct option_row *row = c->rows.rows[i];
        if (strlen(row->name) == len && strncmp(row->name, name, len) == 0)
            return row;
    }
    return NULL;
}

static const struct option_row *row_of_letter(const struct complete *c, char letter)
{
    for (size_t i = 0; i < c->rows.rows_count; i++) {
        if (c->rows.rows[i]->letter == letter)
            return c->rows.rows[i];
    }
    return NULL;
}

static void keep_value(struct complete *c, const struct option_row *row, const char *value)
{
    if (strcmp(row->name, "url") == 0)
        c->url = value;
    else if (strcmp(row->name, "group") == 0)
        c->group = value;
}

static void enter_command(struct complete *c, const struct command *command)
{
    c->command = command;
    c->rows.rows_count = 0;
    if (command->hand_over)
        complete_bench_accept(&c->rows, command);
    else
        command_accept(command, &c->rows);
}

static void read_word(struct complete *c, char *word)
{
    if (c->lost)
        return;
    if (!c->set && !c->help && strcmp(word, "help") == 0) {
        c->help = true;
    } else if (!c->set) {
        c->set = command_set_find(word);
        c->lost = !c->set;
        if (c->set && c->set->count == 1 && !c->set->commands[0].verb)
            enter_command(c, &c->set->commands[0]);
    } else if (!c->command) {
        const struct command *command = command_find(c->set, word);
        c->lost = !command;
        if (command)
            enter_command(c, command);
    } else {
        c->words[c->words_count++] = word;
    }
}

static void read_option(struct complete *c, char *word)
{
    const struct option_row *row = NULL;
    char *value = NULL;
    if (word[1] == '-') {
        size_t len = strcspn(word + 2, "=");
        row = row_of(c, word + 2, len);
        value = word[2 + len] ? word + 2 + len + 1 : NULL;
    } else {
        for (char *at = word + 1; *at && !value; at++) {
            row = row_of_letter(c, *at);
            if (row && row->kind != OPTION_FLAG && at[1])
                value = at + 1;
        }
    }
    if (row && value)
        keep_value(c, row, value);
    c->taker = row && row->kind != OPTION_FLAG && (!value || row->words == WORDS_MANY) ? row : NULL;
}

static void read_any(struct complete *c, char *word)
{
    if (c->dashes) {
        c->rest_count++;
        if (c->command && !c->command->command_line)
            read_word(c, word);
    } else if (strcmp(word, "--") == 0) {
        c->dashes = true;
        c->taker = NULL;
    } else if (word[0] == '-' && word[1] && (!c->taker || c->taker->words != WORDS_NONE)) {
        read_option(c, word);
    } else if (c->taker) {
        keep_value(c, c->taker, word);
        c->taker = c->taker->words == WORDS_MANY ? c->taker : NULL;
    } else {
        read_word(c, word);
    }
}

/* The last word: `--group=de` is completed behind its `=`. */
static void read_last(struct complete *c, char *word)
{
    c->last = word;
    if (c->dashes || c->taker || strncmp(word, "--", 2) != 0)
        return;
    size_t len = strcspn(word, "=");
    const struct option_row *row = row_of(c, word + 2, len - 2);
    c->named = word[len] == '=';
    if (!c->named)
        return;
    c->fixed = len + 1;
    c->taker = row && row->kind != OPTION_FLAG ? row : NULL;
}

static void offer_all(const struct complete *c)
{
    bool option = c->last[0] == '-' && !c->dashes;
    if (c->dashes && c->command && c->command->command_line)
        complete_instruct(c->rest_count ? ":files" : ":command");
    else if (c->taker && (!option || c->named || c->taker->words == WORDS_NONE))
        offer_value(c);
    else if (option && !c->named && !c->help)
        offer_options(c);
    else if (option || c->lost)
        return;
    else if (!c->set)
        offer_nouns(c);
    else if (!c->command)
        offer_verbs(c);
    else if (!c->help)
        offer_words(c);
}

void complete_print(int argc, char **argv)
{
    struct complete c = {0};
    if (argc < 2 || !(c.words = calloc((size_t)argc, sizeof *c.words)))
        return;
    options_init(&c.rows);
    options_accept(&c.rows, global_rows, global_rows_count);
    for (int i = 1; i < argc - 1; i++)
        read_any(&c, argv[i]);
    read_last(&c, argv[argc - 1]);
    offer_all(&c);
    options_done(&c.rows);
    complete_bench_done();
    free(c.words);
}
