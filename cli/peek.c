/* peek: pages of what a broker lists. Nothing is leased, so nothing is counted, charged or attended. */
#include "cli/peek.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/delivered.h"
#include "cli/dlq.h"
#include "cli/output.h"
#include "cli/record.h"
#include "client/shunt_triage.h"

#define PAGE_ROWS 100

struct peeking {
    struct call *call;
    const char *topic, *group;
    bool dead; /* they are the topic and group that failed */
    struct output out;
    int64_t limit;
    int64_t printed;
};

/* One page from the one after `after` on. */
static int ask(struct peeking *p, uint64_t after, struct shunt_value **ret)
{
    struct call *call = p->call;
    struct shunt_error err = {0};
    int64_t left = p->limit - p->printed;
    uint32_t rows = left < PAGE_ROWS ? (uint32_t)left : PAGE_ROWS;
    int code =
        p->dead
            ? shunt_dlq_find(call->shunt, p->topic, p->group, after, rows, NULL, call->timeout_ms, ret, &err)
            : shunt_peek(call->shunt, p->topic, p->group, after, rows, true, call->timeout_ms, ret, &err);
    return code ? call_failed(call, &err) : EXIT_OK;
}

/* A page of dead letters has no bodies. */
static int print_dead(struct peeking *p, const struct shunt_value *row)
{
    struct call *call = p->call;
    struct shunt_error err = {0};
    struct shunt_value *dead = NULL;
    int code = shunt_dlq_show(call->shunt, p->topic, p->group, record_text(row, "id"), call->timeout_ms,
                              &dead, &err);
    if (code == SHUNT_NOT_FOUND)
        return EXIT_OK; /* redriven or purged since it was listed */
    if (code)
        return call_failed(call, &err);
    delivered_print_dead(&p->out, dead);
    p->printed++;
    shunt_value_free(dead);
    return EXIT_OK;
}

static int print_page(struct peeking *p, const struct shunt_value *rows)
{
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < shunt_value_count(rows); i++) {
        const struct shunt_value *row = shunt_value_at(rows, i);
        if (p->dead) {
            code = print_dead(p, row);
        } else {
            delivered_print_peeked(&p->out, p->topic, row);
            p->printed++;
        }
    }
    return code;
}

static int peek_all(struct peeking *p)
{
    uint64_t after = 0;
    bool more = true;
    int code = EXIT_OK;
    output_begin(&p->out, p->call->form, true);
    while (code == EXIT_OK && more && p->printed < p->limit && !ferror(stdout)) {
        struct shunt_value *page = NULL;
        code = ask(p, after, &page);
        if (code)
            break;
        code = print_page(p, shunt_value_get(page, "rows"));
        after = (uint64_t)record_integer(page, "next");
        more = record_integer(page, "more") != 0;
        shunt_value_free(page);
    }
    output_end(&p->out);
    return code == EXIT_OK && p->printed == 0 ? EXIT_NOTHING : code;
}

/* `dlq:TOPIC:GROUP`: its letters are listed by the topic and group that failed, and not by a group that reads the queue. */
static int find_queue(struct peeking *p, char queue[DLQ_NAME_BYTES])
{
    const char *colon = strchr(p->topic + strlen(DLQ_PREFIX), ':');
    if (strcmp(p->group, "default") != 0)
        return call_misused(p->call, "--peek shows all that lie in a dead-letter queue: leave out -g");
    if (!colon || strlen(p->topic) >= DLQ_NAME_BYTES)
        return call_misused(p->call, "%.100s: a dead-letter queue is named dlq:TOPIC:GROUP", p->topic);
    strcpy(queue, p->topic + strlen(DLQ_PREFIX)); /* fits: it is shorter than the whole */
    queue[colon - p->topic - (ptrdiff_t)strlen(DLQ_PREFIX)] = '\0';
    p->topic = queue;
    p->group = queue + strlen(queue) + 1;
    p->dead = true;
    return EXIT_OK;
}

int peek(struct call *call)
{
    char queue[DLQ_NAME_BYTES];
    struct peeking p = {.call = call,
                        .topic = call_word(call, 0),
                        .group = call_group(call),
                        .limit = options_number(&call->options, "count", INT64_MAX)};
    int code = strncmp(p.topic, DLQ_PREFIX, strlen(DLQ_PREFIX)) == 0 ? find_queue(&p, queue) : EXIT_OK;
    if (code == EXIT_OK)
        code = call_connect(call);
    return code ? code : peek_all(&p);
}
