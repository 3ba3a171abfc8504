/* why: the story of one message. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/dead.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/why_story.h"
#include "client/shunt_triage.h"

static const struct record_field holder_fields[] = {
    {"consumer", RECORD_TEXT, NULL, NULL},
    {"host", RECORD_TEXT, NULL, NULL},
    {"build", RECORD_TEXT, NULL, NULL},
    {"peer", RECORD_TEXT, NULL, NULL},
    {"leased", RECORD_TIME, NULL, NULL},
    {"started", RECORD_TIME, NULL, NULL},
    {"until", RECORD_TIME, NULL, NULL},
    {"silent", RECORD_FLAG, NULL, NULL},
    {0},
};
static const struct record_field death_fields[] = {
    {"id", RECORD_TEXT, NULL, NULL},
    {"died", RECORD_TIME, NULL, NULL},
    {"reason", RECORD_TEXT, NULL, NULL},
    {"cause", RECORD_TEXT, NULL, NULL},
    {"cause_state", RECORD_TEXT, NULL, NULL},
    {"cause_title", RECORD_TEXT, NULL, NULL},
    {"attended", RECORD_FLAG, NULL, NULL},
    {"rule", RECORD_COUNT, NULL, NULL},
    {"rule_action", RECORD_TEXT, NULL, NULL},
    {"rule_at", RECORD_TIME, NULL, NULL},
    {0},
};
static const struct record_field end_fields[] = {
    {"how", RECORD_TEXT, NULL, NULL},
    {"moved_to", RECORD_TEXT, NULL, NULL},
    {"consumer", RECORD_TEXT, NULL, NULL},
    {"host", RECORD_TEXT, NULL, NULL},
    {"build", RECORD_TEXT, NULL, NULL},
    {"rule", RECORD_COUNT, NULL, NULL},
    {0},
};
static const struct record_field redrive_fields[] = {
    {"job", RECORD_COUNT, NULL, NULL},
    {"rule", RECORD_COUNT, NULL, NULL},
    {"outcome", RECORD_TEXT, NULL, NULL},
    {"filter", RECORD_MAP, NULL, NULL},
    {0},
};
static const struct record_field limit_fields[] = {
    {"setting", RECORD_TEXT, NULL, NULL},
    {"value", RECORD_COUNT, NULL, NULL},
    {"source", RECORD_TEXT, NULL, NULL},
    {0},
};
static const struct record_field waits_fields[] = {
    {"message", RECORD_TEXT, NULL, NULL},
    {"state", RECORD_TEXT, NULL, NULL},
    {"letter", RECORD_TEXT, NULL, NULL},
    {"key", RECORD_BYTES, NULL, NULL},
    {0},
};
static const struct record_field group_fields[] = {
    {"group", RECORD_TEXT, NULL, NULL},
    {"state", RECORD_TEXT, NULL, NULL},
    {"since", RECORD_TIME, NULL, NULL},
    {"until", RECORD_TIME, NULL, NULL},
    {"next", RECORD_TEXT, NULL, NULL},
    {"attempts", RECORD_COUNT, NULL, NULL},
    {"attempts_total", RECORD_COUNT, NULL, NULL},
    {"deliveries", RECORD_COUNT, NULL, NULL},
    {"deliveries_total", RECORD_COUNT, NULL, NULL},
    {"generation", RECORD_COUNT, NULL, NULL},
    {"expires", RECORD_TIME, NULL, NULL},
    {"deadline", RECORD_TIME, NULL, NULL},
    {"suspect", RECORD_FLAG, NULL, NULL},
    {"paused", RECORD_FLAG, NULL, NULL},
    {"consumers", RECORD_COUNT, NULL, NULL},
    {"ready", RECORD_COUNT, NULL, NULL},
    {"holder", RECORD_RECORD, NULL, holder_fields},
    {"waits_for", RECORD_RECORD, NULL, waits_fields},
    {"death", RECORD_RECORD, NULL, death_fields},
    {"end", RECORD_RECORD, NULL, end_fields},
    {"redrive", RECORD_RECORD, NULL, redrive_fields},
    {"edited", RECORD_RECORD, NULL, dead_edited_fields},
    {"limits", RECORD_RECORDS, NULL, limit_fields},
    {"history", RECORD_RECORDS, NULL, dead_attempt_fields},
    {0},
};
static const struct record_field fields[] = {
    {"message", RECORD_TEXT, NULL, NULL},
    {"topic", RECORD_TEXT, NULL, NULL},
    {"published", RECORD_TIME, NULL, NULL},
    {"due", RECORD_TIME, NULL, NULL},
    {"deadline", RECORD_TIME, NULL, NULL},
    {"stored", RECORD_FLAG, NULL, NULL},
    {"now", RECORD_TIME, NULL, NULL},
    {"more", RECORD_FLAG, NULL, NULL},
    {"groups", RECORD_RECORDS, NULL, group_fields},
    {0},
};

/* TOPIC/SEQ, or dlq:TOPIC:GROUP/SEQ; ends the topic's name. */
static bool read_name(char *name, uint64_t *ret_seq)
{
    char *slash = strrchr(name, '/'), *end;
    if (!slash || slash == name || slash[1] < '0' || slash[1] > '9' || strlen(slash + 1) > 19)
        return false;
    *slash = '\0';
    *ret_seq = strtoull(slash + 1, &end, 10);
    return *end == '\0';
}

/* Has any group ever had to do with it? */
static bool is_known(const struct shunt_value *why)
{
    const struct shunt_value *groups = shunt_value_get(why, "groups");
    for (size_t i = 0; i < shunt_value_count(groups); i++) {
        const char *state = record_text(shunt_value_at(groups, i), "state");
        if (state && strcmp(state, "not_yet") != 0 && strcmp(state, "before") != 0)
            return true;
    }
    return false;
}

static int show(struct call *call, const char *topic, uint64_t seq)
{
    struct shunt_error err = {0};
    struct shunt_value *why = NULL;
    if (shunt_why(call->shunt, topic, seq, options_text(&call->options, "group", NULL), call->timeout_ms,
                  &why, &err))
        return call_failed(call, &err);
    if (call->form == FORM_TABLE) {
        why_story_print(why);
    } else {
        struct output out;
        output_begin(&out, call->form, false);
        record_json(&out.json, fields, why);
        output_item_end(&out);
        output_end(&out);
    }
    int code = is_known(why) ? EXIT_OK : EXIT_NOTHING;
    shunt_value_free(why);
    return code;
}

static int run_why(struct call *call)
{
    uint64_t seq = 0;
    char *topic = strdup(call_word(call, 0));
    int code = EXIT_FAILED;
    if (!topic)
        call_complain("out of memory");
    else if (!read_name(topic, &seq))
        code = call_misused(call, "a message is named TOPIC/SEQ, as in orders/1042, or dlq:TOPIC:GROUP/SEQ");
    else
        code = call_connect(call);
    if (code == EXIT_OK)
        code = show(call, topic, seq);
    free(topic);
    return code;
}

static const struct option_row rows[] = {
    {"group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "only for this group (default: for all)"},
};

static const struct command commands[] = {{
    .noun = "why",
    .usage = "TOPIC/SEQ [-g GROUP]",
    .text = "explain one message: where it is, how it came there, what comes next",
    .about =
        "In order of time: each delivery, to which consumer and how it ended, why it was charged or not,\n"
        "which limit applied and where it was set; then where the message is, what comes next, and the\n"
        "command to do about it. The name of a dead letter, dlq:TOPIC:GROUP/SEQ, does too. A message that\n"
        "is done is explained while its history is kept (--history-after of its group or topic).",
    .examples = "  shunt why orders/1042\n  shunt why dlq:orders:default/17\n"
                "  shunt why orders/1042 -g billing -o json | jq '.groups[0].history'\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_min = 1,
    .words_max = 1,
    .run = run_why,
}};

const struct command_set why_set = {"why", "explain one message", commands, 1};
