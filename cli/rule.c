/* rule: what the broker does by itself with dead letters: listed, set, turned on and off, deleted, tested. */
#include "cli/rule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"

#define NUMBER_MAX  65535
#define WAIT_MS_MAX 86400000
#define TIMES_MAX   20

static const struct record_field fields[] = {
    {"rule", RECORD_COUNT, NULL, NULL},
    {"action", RECORD_TEXT, NULL, NULL},
    {"filter", RECORD_MAP, NULL, NULL},
    {"times", RECORD_COUNT, NULL, NULL},
    {"wait_ms", RECORD_SPAN, NULL, NULL},
    {"wait_max_ms", RECORD_SPAN, NULL, NULL},
    {"to", RECORD_TEXT, NULL, NULL},
    {"disabled", RECORD_FLAG, NULL, NULL},
    {"set", RECORD_TIME, NULL, NULL},
    {"matched", RECORD_COUNT, NULL, NULL},
    {"done", RECORD_COUNT, NULL, NULL},
    {"waiting", RECORD_COUNT, NULL, NULL},
    {"given_up", RECORD_COUNT, NULL, NULL},
    {"outcomes", RECORD_MAP, NULL, NULL},
    {0},
};

/* ---- list ---- */

/* `name=text`, behind what is there. */
static size_t add_part(char *text, size_t room, size_t size, const char *name, const char *is)
{
    if (!is)
        return size;
    return size + (size_t)snprintf(text + size, room - size, "%s%s=%.256s", size ? " " : "", name, is);
}

/* `type=exit 75 match=busy`. */
static void filter_cell(struct table *t, const struct shunt_value *filter)
{
    static const char *const texts[] = {"cause", "reason", "type", "match"};
    const struct shunt_value *header = shunt_value_get(filter, "header"),
                             *key = shunt_value_get(filter, "key");
    char text[2000] = "";
    size_t size = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        size = add_part(text, sizeof text, size, texts[i], record_text(filter, texts[i]));
    if (shunt_value_count(header) == 2)
        size = add_part(text, sizeof text, size, "header", shunt_value_text(shunt_value_at(header, 0), NULL));
    if (key && shunt_value_type(key) != SHUNT_NIL)
        size = add_part(text, sizeof text, size, "key", "…");
    table_cell(t, size ? text : "all");
}

static void list_row(struct output *out, struct table *t, const struct shunt_value *rule)
{
    const struct shunt_value *outcomes = shunt_value_get(rule, "outcomes");
    bool redrives = shunt_value_count(outcomes) > 0;
    if (output_is_json(out)) {
        record_json(&out->json, fields, rule);
        output_item_end(out);
        return;
    }
    table_cellf(t, "%" PRId64, record_integer(rule, "rule"));
    table_cell(t, record_integer(rule, "disabled") ? "off" : "on");
    table_cell(t, record_text(rule, "action"));
    table_cellf(t, "%" PRId64, record_integer(rule, "matched"));
    table_cellf(t, "%" PRId64, record_integer(rule, "done"));
    table_cellf(t, "%" PRId64, record_integer(rule, "waiting"));
    table_cellf(t, "%" PRId64, record_integer(rule, "given_up"));
    if (redrives) {
        table_cellf(t, "%" PRId64, record_integer(outcomes, "acked"));
        table_cellf(t, "%" PRId64,
                    record_integer(outcomes, "failed_same") + record_integer(outcomes, "failed_other"));
    } else {
        table_cell(t, NULL);
        table_cell(t, NULL);
    }
    filter_cell(t, shunt_value_get(rule, "filter"));
}

static int run_list(struct call *call)
{
    static const char *const headings[] = {">RULE",     "STATE",  "ACTION",  ">MATCHED", ">DONE", ">WAITING",
                                           ">GIVEN UP", ">ACKED", ">FAILED", "~FILTER",  NULL};
    struct shunt_error err = {0};
    struct shunt_value *rules = NULL;
    struct output out;
    struct table t;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_rule_list(call->shunt, call_word(call, 0), call_group(call), call->timeout_ms, &rules, &err))
        return call_failed(call, &err);
    size_t count = shunt_value_count(rules);
    output_begin(&out, call->form, true);
    table_init(&t, headings);
    for (size_t i = 0; i < count; i++)
        list_row(&out, &t, shunt_value_at(rules, i));
    if (!output_is_json(&out) && count && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    output_end(&out);
    shunt_value_free(rules);
    if (!count)
        call_note(call, "no rule on the dead letters of %s", call_word(call, 0));
    return EXIT_OK;
}

/* ---- what the command line says ---- */

/* 0 if it is left out. */
static int read_number(const struct call *call, uint32_t *ret)
{
    const char *word = call_word(call, 1);
    char *end = NULL;
    unsigned long number = word ? strtoul(word, &end, 10) : 0;
    *ret = (uint32_t)number;
    if (!word || (word[0] >= '1' && word[0] <= '9' && !*end && number <= NUMBER_MAX))
        return EXIT_OK;
    return call_misused(call, "%.40s: not the number of a rule, 1 to %d", word, NUMBER_MAX);
}

static int read_filter(struct call *call, struct dlq_filter *ret)
{
    int code = dlq_filter_read(call, ret);
    if (!code && ret->given && options_flag(&call->options, "all"))
        return call_misused(call, "a rule matches --all letters, or those that a filter lets through");
    return code;
}

/* ---- set ---- */

static int set(struct call *call, const struct shunt_rule *rule)
{
    struct shunt_error err = {0};
    struct output out;
    uint64_t number = 0;
    if (shunt_rule_set(call->shunt, call_word(call, 0), call_group(call), rule, call->timeout_ms, &number,
                       &err))
        return call_failed(call, &err);
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        json_object(&out.json);
        json_key(&out.json, "rule");
        json_unsigned(&out.json, number);
        json_object_end(&out.json);
        output_item_end(&out);
    } else {
        (void)printf("rule %" PRIu64 " on the dead letters of %s:%s is %s\n", number, call_word(call, 0),
                     call_group(call), rule->disabled ? "off" : "on");
    }
    output_end(&out);
    return EXIT_OK;
}

static const char *what_is_wrong(const struct call *call, const struct shunt_rule *rule,
                                 const struct dlq_filter *filter)
{
    const struct options *o = &call->options;
    bool on = options_flag(o, "on"), off = options_flag(o, "off");
    bool letters = filter->given || options_flag(o, "all");
    if (on && off)
        return "a rule is turned --on or --off";
    if (rule->action)
        return letters ? NULL : "say which letters: --all, or those of a filter such as --type or --cause";
    if (letters || rule->times || rule->wait_ms || rule->wait_max_ms || rule->to)
        return "--action says what is done with these letters: mute, discard, redrive or move";
    if (!rule->number || (!on && !off))
        return "set a rule with --action, or turn one on or off: NUMBER --on, NUMBER --off";
    return options_flag(o, "dry-run") ? "--dry-run is of a rule with --action" : NULL;
}

static int misused_set(const struct call *call, const struct shunt_rule *rule,
                       const struct dlq_filter *filter)
{
    const char *why = what_is_wrong(call, rule, filter);
    return why ? call_misused(call, "%s", why) : EXIT_OK;
}

static int run_set(struct call *call)
{
    const struct options *o = &call->options;
    struct dlq_filter filter;
    struct shunt_rule rule = {.size = sizeof rule,
                              .action = options_text(o, "action", NULL),
                              .times = (uint32_t)options_number(o, "times", 0),
                              .wait_ms = options_number(o, "wait", 0),
                              .wait_max_ms = options_number(o, "wait-max", 0),
                              .to = options_text(o, "to", NULL),
                              .disabled = options_flag(o, "off")};
    int code = read_number(call, &rule.number);
    if (!code)
        code = read_filter(call, &filter);
    if (!code)
        code = misused_set(call, &rule, &filter);
    if (!code)
        code = call_connect(call);
    if (!code)
        code = dlq_filter_resolve(call, &filter);
    if (code)
        return code;
    if (options_flag(o, "dry-run"))
        return rule_test(call, filter.given ? rule.number : 0, &filter);
    rule.filter = filter.given ? &filter.is : NULL;
    return set(call, &rule);
}

/* ---- delete, test ---- */

static int run_delete(struct call *call)
{
    struct shunt_error err = {0};
    uint32_t number;
    int code = read_number(call, &number);
    if (!code)
        code = call_connect(call);
    if (code)
        return code;
    if (shunt_rule_delete(call->shunt, call_word(call, 0), call_group(call), number, call->timeout_ms, &err))
        return call_failed(call, &err);
    return EXIT_OK;
}

static int run_test(struct call *call)
{
    struct dlq_filter filter;
    uint32_t number;
    int code = read_number(call, &number);
    if (!code)
        code = read_filter(call, &filter);
    if (!code && !number && !filter.given && !options_flag(&call->options, "all"))
        code = call_misused(call, "say which rule, by its number, or which letters: --all, or a filter");
    if (!code)
        code = call_connect(call);
    if (!code)
        code = dlq_filter_resolve(call, &filter);
    return code ? code : rule_test(call, number, filter.given || !number ? &filter : NULL);
}

/* ---- the table ---- */

#define GROUP_OPTION                                                                                         \
    {                                                                                                        \
        "group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "the group (default: `default`)"               \
    }
#define ALL_OPTION                                                                                           \
    {                                                                                                        \
        "all", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "every letter"                                        \
    }

static const struct option_row list_rows[] = {GROUP_OPTION};
static const struct option_row set_rows[] = {
    GROUP_OPTION,
    {"action", 0, "mute|discard|redrive|move", OPTION_TEXT, WORDS_NONE, 0, 0, "what it does"},
    {"to", 0, "TOPIC", OPTION_TEXT, WORDS_NONE, 0, 0, "move: the topic"},
    ALL_OPTION,
    DLQ_CHOICE_OPTIONS,
    {"times", 0, "N", OPTION_COUNT, WORDS_NONE, 1, TIMES_MAX,
     "redrive: bring a message back N times, then let it lie (default: 3)"},
    {"wait", 0, "D", OPTION_DURATION, WORDS_NONE, 1, WAIT_MS_MAX,
     "redrive: after a random time up to D, which doubles each time (default: 1m)"},
    {"wait-max", 0, "D", OPTION_DURATION, WORDS_NONE, 1, WAIT_MS_MAX,
     "redrive: up to D (default: 1h, or --wait if that is longer)"},
    {"on", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "turn the rule on"},
    {"off", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "turn the rule off; with --action: set it, but off"},
    {"dry-run", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0,
     "only say which of the letters that lie there now it would match, by cause"},
};
static const struct option_row test_rows[] = {GROUP_OPTION, ALL_OPTION, DLQ_CHOICE_OPTIONS};

#define ROWS(rows) .options = rows, .options_count = sizeof rows / sizeof *rows

static const struct command commands[] = {
    {.noun = "rule",
     .verb = "list",
     .usage = "TOPIC [-g GROUP]",
     .text = "rules on dead letters, in the order in which they are asked",
     .about =
         "MATCHED letters were decided on. With DONE of them the rule has done what it says, WAITING will\n"
         "follow, and GIVEN UP lie there because rules had brought them back as often as they may.",
     .examples = "  shunt rule list files\n  shunt rule list files -o json\n",
     ROWS(list_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_list},
    {.noun = "rule",
     .verb = "set",
     .usage = "TOPIC [NUMBER] (--action A (--all | FILTER…) [--to TOPIC] [--times N] [--wait D] [--wait-max "
              "D] [--dry-run] | "
              "--on | --off) [-g GROUP]",
     .text = "say what the broker does by itself with dead letters as they come",
     .about =
         "The first rule that is on and matches decides. Without NUMBER it is a new one behind the last.\n"
         "FILTER is --cause, --type, --match, --header, --reason, --key: all that is given must be so.\n"
         "mute: the letter stays and counts as looked at. discard: its message is done. move: it\n"
         "becomes a message of the topic that --to names. redrive: it comes\n"
         "back later, so many times. Letters that lie there already are not touched.",
     .examples = "  shunt rule set files --action redrive --type 'exit 75' --times 5 --wait 2m\n"
                 "  shunt rule set files 5 --action mute --cause 3f2a --dry-run\n"
                 "  shunt rule set files 5 --off\n",
     ROWS(set_rows),
     .words_min = 1,
     .words_max = 2,
     .run = run_set},
    {.noun = "rule",
     .verb = "delete",
     .usage = "TOPIC NUMBER [-g GROUP]",
     .text = "delete a rule; what waits for it stays in the dead-letter queue",
     .examples = "  shunt rule delete files 5\n",
     ROWS(list_rows),
     .words_min = 2,
     .words_max = 2,
     .run = run_delete},
    {.noun = "rule",
     .verb = "test",
     .usage = "TOPIC (NUMBER | [NUMBER] (--all | FILTER…)) [-g GROUP]",
     .text = "which of the letters that lie there now a rule would match, by cause",
     .about =
         "Of the rule NUMBER, or of one that is not set yet, at that place or behind the last. EARLIER of\n"
         "them a rule before it would decide on. Nothing is changed. Exits 3 if it matches none.",
     .examples = "  shunt rule test files 10\n  shunt rule test files --match timeout\n",
     ROWS(test_rows),
     .words_min = 1,
     .words_max = 2,
     .run = run_test},
};

const struct command_set rule_set = {"rule", "what is done by itself with dead letters as they come",
                                     commands, sizeof commands / sizeof *commands};
