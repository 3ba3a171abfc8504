/* keys: which keys of a topic weigh most. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/shunt.h"

#define KEYS_ROWS_DEFAULT 20
#define KEYS_ROWS_MAX     1000
#define KEY_BYTES_SHOWN   256 /* as many as a key can have */

static const struct record_field blocked_key_fields[] = {
    {"key", RECORD_BYTES, NULL, NULL},
    {"waiting", RECORD_COUNT, NULL, NULL},
    {"letters", RECORD_COUNT, NULL, NULL},
    {"message", RECORD_TEXT, NULL, NULL},
    {"letter", RECORD_TEXT, NULL, NULL},
    {"since", RECORD_TIME, NULL, NULL},
    {0},
};
static const struct record_field blocked_fields[] = {
    {"by", RECORD_TEXT, NULL, NULL},
    {"more", RECORD_FLAG, NULL, NULL},
    {"keys", RECORD_RECORDS, NULL, blocked_key_fields},
    {0},
};
static const struct record_field key_fields[] = {
    {"key", RECORD_BYTES, NULL, NULL},
    {"milli", RECORD_COUNT, NULL, NULL},
    {"error_milli", RECORD_COUNT, NULL, NULL},
    {0},
};
static const struct record_field fields[] = {
    {"by", RECORD_TEXT, NULL, NULL},
    {"counters", RECORD_COUNT, NULL, NULL},
    {"half_life_ms", RECORD_SPAN, NULL, NULL},
    {"all_milli", RECORD_COUNT, NULL, NULL},
    {"bound_milli", RECORD_COUNT, NULL, NULL},
    {"since", RECORD_TIME, NULL, NULL},
    {"keys", RECORD_RECORDS, NULL, key_fields},
    {0},
};

/* What can be asked for: as it is typed, as the broker calls it, and the heading of its figures. */
static const struct by {
    const char *word, *name, *heading, *unit;
} all_by[] = {
    {"rate", "rate", ">PER SECOND", "messages published in a second"},
    {"waiting", "waiting", ">WAITING", "messages that wait, on average"},
    {"in-flight", "in_flight", ">IN FLIGHT", "messages in flight, on average"},
    {"failures", "failures", ">PER SECOND", "failed attempts in a second"},
    {"blocked", "blocked", NULL, NULL},
};
#define BY_COUNT (sizeof all_by / sizeof *all_by)

static const struct by *find_by(const char *word)
{
    for (size_t i = 0; i < BY_COUNT; i++) {
        if (strcmp(all_by[i].word, word) == 0)
            return &all_by[i];
    }
    return NULL;
}

/* ---- shown ---- */

static void key_cell(struct table *t, const struct shunt_value *row)
{
    char text[KEY_BYTES_SHOWN + 1];
    size_t bytes = 0;
    const char *key = shunt_value_text(shunt_value_get(row, "key"), &bytes);
    if (bytes > KEY_BYTES_SHOWN)
        bytes = KEY_BYTES_SHOWN;
    for (size_t i = 0; key && i < bytes; i++)
        text[i] = key[i] ? key[i] : '\1'; /* the table tames both */
    text[bytes] = '\0';
    table_cell(t, key ? text : NULL);
}

static void milli_cell(struct table *t, int64_t milli)
{
    table_cellf(t, "%" PRId64 ".%03d", milli / 1000, (int)(milli % 1000));
}

static void measured_row(struct table *t, const struct shunt_value *row, int64_t all_milli)
{
    int64_t milli = record_integer(row, "milli"), error = record_integer(row, "error_milli");
    double share = all_milli > 0 ? 100.0 * (double)milli / (double)all_milli : 0;
    key_cell(t, row);
    milli_cell(t, milli);
    table_cellf(t, "%.1f %%", share < 100 ? share : 100);
    milli_cell(t, error);
}

static void blocked_row(struct table *t, const struct shunt_value *row)
{
    char age[32];
    key_cell(t, row);
    table_cellf(t, "%" PRId64, record_integer(row, "waiting"));
    table_cellf(t, "%" PRId64, record_integer(row, "letters"));
    table_cell(t, record_text(row, "letter"));
    table_cell(t, record_age(age, shunt_value_get(row, "since")));
}

static void show_table(const struct call *call, const struct by *by, const struct shunt_value *keys)
{
    const char *const measured[] = {"KEY", by->heading, ">SHARE", "->TOO LARGE BY AT MOST", NULL};
    static const char *const blocked[] = {"KEY", ">WAITING", ">LETTERS", "FIRST LETTER", ">DEAD FOR", NULL};
    const struct shunt_value *rows = shunt_value_get(keys, "keys");
    struct table t;
    table_init(&t, by->heading ? measured : blocked);
    for (size_t i = 0; i < shunt_value_count(rows); i++) {
        if (by->heading)
            measured_row(&t, shunt_value_at(rows, i), record_integer(keys, "all_milli"));
        else
            blocked_row(&t, shunt_value_at(rows, i));
    }
    if (shunt_value_count(rows) && !table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
    if (!shunt_value_count(rows))
        call_note(call, "no key is known by %s", by->word);
}

static void note_rest(const struct call *call, const struct by *by, const struct shunt_value *keys)
{
    char half_life[32];
    if (!by->heading) {
        if (record_integer(keys, "more"))
            call_note(call, "other keys are blocked, too: the broker looks at 1000 rows for this");
        return;
    }
    if (!record_integer(keys, "counters")) {
        call_note(call, "the broker watches no keys: its setting hot-keys is 0");
        return;
    }
    int64_t all = record_integer(keys, "all_milli"), bound = record_integer(keys, "bound_milli");
    call_note(call,
              "%s, of the last %s or so; of all keys %" PRId64 ".%03d; no key above %" PRId64
              ".%03d is missing",
              by->unit, shunt_format_duration(half_life, record_integer(keys, "half_life_ms")), all / 1000,
              (int)(all % 1000), bound / 1000, (int)(bound % 1000));
}

static void show(struct call *call, const struct by *by, const struct shunt_value *keys)
{
    if (call->form == FORM_TABLE) {
        show_table(call, by, keys);
        note_rest(call, by, keys);
        return;
    }
    struct output out;
    output_begin(&out, call->form, false);
    record_json(&out.json, by->heading ? fields : blocked_fields, keys);
    output_item_end(&out);
    output_end(&out);
}

static int run(struct call *call)
{
    const char *word = options_text(&call->options, "by", "rate");
    const struct by *by = find_by(word);
    if (!by)
        return call_misused(call, "--by %.40s: must be rate, waiting, in-flight, failures or blocked", word);
    struct shunt_error err = {0};
    struct shunt_value *keys = NULL;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_keys(call->shunt, call_word(call, 0), options_text(&call->options, "group", NULL), by->name,
                   (uint32_t)options_number(&call->options, "limit", KEYS_ROWS_DEFAULT), call->timeout_ms,
                   &keys, &err))
        return call_failed(call, &err);
    show(call, by, keys);
    shunt_value_free(keys);
    return EXIT_OK;
}

static const struct option_row rows[] = {
    {"group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "the group (default: `default`)"},
    {"by", 0, "rate|waiting|in-flight|failures|blocked", OPTION_TEXT, WORDS_NONE, 0, 0,
     "what weighs (default: rate)"},
    {"limit", 0, "N", OPTION_COUNT, WORDS_NONE, 1, KEYS_ROWS_MAX, "show the N heaviest keys (default: 20)"},
};

static const struct command commands[] = {{
    .noun = "keys",
    .usage = "TOPIC [-g GROUP] [--by rate|waiting|in-flight|failures|blocked] [--limit N]",
    .text = "list the keys that weigh most",
    .about = "By the rate at which a topic's messages of a key are published; or by what they are to\n"
             "a group: how many wait, are in flight, fail, or are blocked behind a dead letter of\n"
             "their key. All but blocked are estimates of the last minute or so (the broker's\n"
             "hot-keys-half-life) and begin again with the broker.",
    .examples = "  shunt keys orders\n  shunt keys orders -g billing --by waiting\n"
                "  shunt keys orders --by blocked -o json | jq -r '.keys[].letter'\n",
    .options = rows,
    .options_count = sizeof rows / sizeof *rows,
    .words_min = 1,
    .words_max = 1,
    .run = run,
}};

const struct command_set keys_set = {"keys", "list the keys that weigh most", commands, 1};
