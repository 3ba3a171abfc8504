/* complete_offer: see complete_offer.h. */
#include "cli/complete_offer.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/complete.h"

#define NOTE_BYTES 120

/* Names come from the broker too: what a shell would read as more than a word is not put on anybody's command line. */
static bool is_one_word(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("._:/=@+,-", *at))
            return false;
    }
    return *text != '\0';
}

void complete_offer(const struct complete *c, const char *text, const char *note)
{
    const char *typed = c->last + c->fixed;
    char line[NOTE_BYTES + 1];
    if (strncmp(text, typed, strlen(typed)) != 0 || !is_one_word(text))
        return;
    (void)snprintf(line, sizeof line, "%s", note ? note : "");
    utf8_mend(line);
    utf8_flatten(line, strlen(line));
    printf("%.*s%s%s%s\n", (int)c->fixed, c->last, text, *line ? "\t" : "", line);
}

void complete_instruct(const char *what)
{
    puts(what);
}
