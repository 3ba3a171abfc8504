/* why_key: a message that is ready, and waits for another one of its key. */
#include "cli/why_say.h"

#define KEY_BYTES_SHOWN 100

/* Whether a shell takes it as it is. */
static bool is_plain(const char *key, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/@+-", key[i]) ||
            !key[i])
            return false;
    }
    return bytes > 0 && bytes <= KEY_BYTES_SHOWN && key[0] != '-';
}

/* It is dead: who decides on the letter decides on the key. */
static void tell_blocked(struct story *s, const struct shunt_value *waits_for)
{
    const char *letter = record_text(waits_for, "letter");
    char option[KEY_BYTES_SHOWN + sizeof "--key "];
    size_t bytes = 0;
    const char *key = shunt_value_text(shunt_value_get(waits_for, "key"), &bytes);
    command(s, "dlq show", letter);
    if (key && is_plain(key, bytes)) {
        (void)snprintf(option, sizeof option, "--key %.*s", (int)bytes, key);
        command(s, "dlq redrive", option);
    } else {
        command(s, "dlq redrive", letter);
    }
    command(s, "dlq purge", letter);
}

void why_tell_waits(struct story *s, const struct shunt_value *waits_for)
{
    static const struct saying states[] = {
        {"dead",
         "is dead and holds the key, as on-dead says: the key goes on when that dead letter was redriven and "
         "is done, or was "
         "purged",
         NULL},
        {"in_flight", "is in flight: this one is handed out when that is done", NULL},
        {"delayed", "waits for its time, and this one for that", NULL},
        {"ready", "comes before it, and waits as well", NULL},
        {0},
    };
    const char *message = record_text(waits_for, "message"), *state = record_text(waits_for, "state");
    say(s, "next", "nothing, until it is its turn: %s, of the same key, %s", message,
        saying_of(states, state).sentence);
    if (is(state, "dead"))
        tell_blocked(s, waits_for);
    else
        say(s, "do", "shunt why %s -g %s", message, s->name);
}
