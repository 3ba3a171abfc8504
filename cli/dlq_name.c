/* dlq_name: ids name their topic, and a dead letter's own id its group too: `dlq show fruit/2`, `dlq show dlq:fruit:audit/7`. */
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/dlq.h"

/* The part of `id` before its last `/`: the topic, or the queue. */
static size_t owner_bytes(const char *id)
{
    const char *slash = strrchr(id, '/');
    return slash ? (size_t)(slash - id) : 0;
}

static bool same_owner(const char *a, const char *b)
{
    size_t bytes = owner_bytes(a);
    return bytes == owner_bytes(b) && strncmp(a, b, bytes) == 0;
}

/* Put the topic that the first id names in front of the ids, as if it had been said. */
static int put_topic(struct call *call, const char *id)
{
    struct options *o = &call->options;
    char *topic = strndup(id, owner_bytes(id));
    call->owned = topic;
    if (!topic) {
        call_complain("out of memory");
        return EXIT_FAILED;
    }
    if (strncmp(topic, DLQ_PREFIX, strlen(DLQ_PREFIX)) == 0) {
        topic += strlen(DLQ_PREFIX);
        char *colon = strchr(topic, ':');
        if (!colon)
            return call_misused(call, "%.100s: a dead letter is named dlq:TOPIC:GROUP/NUMBER", id);
        *colon = '\0';
        call->group = colon + 1;
    }
    memmove(o->words + 1, o->words, o->words_count * sizeof *o->words);
    o->words[0] = topic;
    o->words_count++;
    return EXIT_OK;
}

int dlq_take_topic(struct call *call, size_t words_min)
{
    struct options *o = &call->options;
    const char *first = call_word(call, 0);
    if (first && owner_bytes(first)) {
        for (size_t i = 1; i < o->words_count; i++) {
            if (owner_bytes(o->words[i]) && !same_owner(first, o->words[i])) {
                return call_misused(call, "%.100s and %.100s are of two topics: one command, one topic",
                                    first, o->words[i]);
            }
        }
        int code = put_topic(call, first);
        if (code)
            return code;
    }
    if (o->words_count < words_min)
        return call_misused(call, "an argument is missing: %s", call->command->usage);
    return EXIT_OK;
}
