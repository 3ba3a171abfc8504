/* dlq_dry_run: what a choice of dead letters comes to, by cause. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/dlq.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"

#define CAUSES_MAX 201 /* of one group: those that are remembered, and the one that the rest share */

#define TALLY_MAGIC 0x51c7e02du
struct tally {
    uint32_t magic;
    size_t causes_count;
    struct {
        char cause[CAUSE_DIGITS + 1]; /* empty: none yet */
        uint64_t letters;
    } causes[CAUSES_MAX];
    uint64_t letters;
};

static int count_row(void *context, const struct shunt_value *dead)
{
    struct tally *t = magic_of(context, tally, TALLY_MAGIC);
    const char *cause = record_text(dead, "cause");
    size_t i = 0;
    if (!cause)
        cause = "";
    while (i < t->causes_count && strcmp(t->causes[i].cause, cause) != 0)
        i++;
    if (i == CAUSES_MAX)
        i--; /* a broker with more causes than are known of here: the last row has the rest */
    if (i == t->causes_count) {
        (void)snprintf(t->causes[i].cause, sizeof t->causes[i].cause, "%.16s", cause);
        t->causes_count++;
    }
    t->causes[i].letters++;
    t->letters++;
    return EXIT_OK;
}

static const char *title_of(const struct shunt_value *causes, const char *cause)
{
    for (size_t i = 0; i < shunt_value_count(causes); i++) {
        const struct shunt_value *at = shunt_value_at(causes, i);
        const char *name = record_text(at, "cause");
        if (name && strcmp(name, cause) == 0)
            return record_text(at, "title");
    }
    return NULL;
}

static void show(struct call *call, const struct tally *t, const struct shunt_value *causes)
{
    static const char *const headings[] = {"CAUSE", ">DEAD", "~FAULT", NULL};
    struct output out;
    struct table table;
    output_begin(&out, call->form, true);
    table_init(&table, headings);
    for (size_t i = 0; i < t->causes_count; i++) {
        const char *cause = t->causes[i].cause[0] ? t->causes[i].cause : NULL;
        const char *title = cause ? title_of(causes, cause) : NULL;
        if (output_is_json(&out)) {
            json_object(&out.json);
            json_key(&out.json, "cause");
            json_string(&out.json, cause);
            json_key(&out.json, "title");
            json_string(&out.json, title);
            json_key(&out.json, "dead");
            json_unsigned(&out.json, t->causes[i].letters);
            json_object_end(&out.json);
            output_item_end(&out);
        } else {
            table_cell(&table, cause);
            table_cellf(&table, "%" PRIu64, t->causes[i].letters);
            table_cell(&table, title);
        }
    }
    if (!output_is_json(&out) && t->letters && !table_print(&table, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&table);
    output_end(&out);
}

int dlq_dry_run(struct call *call, const struct dlq_filter *filter, uint64_t limit)
{
    struct tally t = {.magic = TALLY_MAGIC};
    struct dlq_walk walk = {.filter = filter, .limit = limit};
    struct shunt_value *causes = NULL;
    struct shunt_error err = {0};
    int code = dlq_walk(call, &walk, count_row, &t);
    if (code)
        return code;
    if (shunt_dlq_causes(call->shunt, call_word(call, 0), call_group(call), call->timeout_ms, &causes, &err))
        return call_failed(call, &err);
    show(call, &t, causes);
    shunt_value_free(causes);
    call_note(call, "%" PRIu64 " %s would go back; nothing was moved", t.letters,
              call_plural(t.letters, "dead letter", "dead letters"));
    return t.letters ? EXIT_OK : EXIT_NOTHING;
}
