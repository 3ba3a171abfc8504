/* why_say: how a story is told: its lines, and what is said for a word of the broker's. Of why_story.c, why_edit.c, why_key.c and why_rule.c alone. */
#ifndef SHUNT_CLI_WHY_SAY_H
#define SHUNT_CLI_WHY_SAY_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

#define SENTENCE_BYTES 1600 /* two names and an error among the words */

/* One group's story as it is told. */
struct story {
    const struct shunt_value *group; /* the broker's map */
    const char *topic, *name;
    struct table lines; /* a time or a heading, a sentence */
    bool edit_told;
};

static inline void line(struct story *s, const char *when, const char *sentence)
{
    table_cell(&s->lines, when);
    table_cell(&s->lines, sentence);
}

static inline void say(struct story *s, const char *when, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline void say(struct story *s, const char *when, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    utf8_mend(sentence); /* what is too long was cut */
    line(s, when, sentence);
}

/* What to type: `shunt WORDS TOPIC REST`, for this group. */
static inline void command(struct story *s, const char *words, const char *rest)
{
    bool is_default = strcmp(s->name, "default") == 0;
    say(s, "do", "shunt %s %s%s%s%s%s", words, s->topic, rest ? " " : "", rest ? rest : "",
        is_default ? "" : " -g ", is_default ? "" : s->name);
}

static inline const char *time_of(const struct shunt_value *record, const char *key, char text[32])
{
    const char *time = record_time(text, shunt_value_get(record, key));
    return time ? time : "";
}

static inline bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* ---- what is said for a word of the broker's ---- */

struct saying {
    const char *word, *sentence, *more; /* `more` is what the table says it is */
};

/* Its row in a table that ends with an empty one. Of a word from a newer broker, the word itself. */
static inline struct saying saying_of(const struct saying *table, const char *word)
{
    for (const struct saying *at = table; at->word; at++) {
        if (is(word, at->word))
            return *at;
    }
    return (struct saying){.word = word, .sentence = word ? word : ""};
}

/* ---- that somebody edited it while it was dead: why_edit.c ---- */

/* If that was before the time, and was not told before. */
void why_tell_edited(struct story *s, int64_t before_ms);

/* ---- that it waits for another one of its key: why_key.c ---- */

/* For which, and what is to be done. */
void why_tell_waits(struct story *s, const struct shunt_value *waits_for);

/* ---- what rules had to do with it: why_rule.c ---- */

/* The letter has died: which rule acts on it, and when. */
void why_tell_ruled(struct story *s, const struct shunt_value *death);
/* A rule brought it back; false: none did. */
bool why_tell_brought_back(struct story *s, int64_t generation);
/* A rule ended it; false: none did. */
bool why_tell_ended_by_rule(struct story *s, const struct shunt_value *end);

#endif
