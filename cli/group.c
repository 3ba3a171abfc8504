/* group: the named readers of a topic. */
#include <inttypes.h>
#include <string.h>

#include "cli/call.h"
#include "cli/catalog.h"
#include "cli/command.h"
#include "cli/holders.h"
#include "cli/prompt.h"
#include "cli/retention.h"
#include "cli/settings.h"
#include "cli/settings_same.h"
#include "client/shunt.h"

static int show_now(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *group = NULL;
    if (shunt_group_show(call->shunt, call_word(call, 0), call_word(call, 1), call->timeout_ms, &group, &err))
        return call_failed(call, &err);
    catalog_show_group(call, group);
    shunt_value_free(group);
    return EXIT_OK;
}

static int show_change(struct call *call, const char *what)
{
    if (call->form != FORM_TABLE)
        return show_now(call);
    call_note(call, "group %s of topic %s %s", call_word(call, 1), call_word(call, 0), what);
    return EXIT_OK;
}

/* As `topic create` does with a topic. */
static int accept_existing(struct call *call, const struct shunt_error *exists)
{
    struct shunt_error err = {0};
    struct shunt_value *now = NULL;
    char why[200];
    if (shunt_group_show(call->shunt, call_word(call, 0), call_word(call, 1), call->timeout_ms, &now, &err))
        return call_failed(call, &err);
    bool same = settings_same(call, shunt_value_get(now, "policy"), why, sizeof why);
    shunt_value_free(now);
    if (same)
        return show_change(call, "is there already, as it is wanted");
    call_complain(
        "group %s of topic %s is there already, and differs: %s; `shunt group update` changes it (%s)",
        call_word(call, 1), call_word(call, 0), why, shunt_error_name(exists->code));
    return EXIT_FAILED;
}

static int create(struct call *call, const struct shunt_options *settings, bool from_now)
{
    struct shunt_error err = {0};
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_group_create(call->shunt, call_word(call, 0), call_word(call, 1), settings, from_now,
                           call->timeout_ms, &err))
        return err.code == SHUNT_GROUP_EXISTS ? accept_existing(call, &err) : call_failed(call, &err);
    return show_change(call, "created");
}

static int run_create(struct call *call)
{
    const char *from = options_text(&call->options, "from", "oldest");
    bool from_now = strcmp(from, "now") == 0;
    if (!from_now && strcmp(from, "oldest") != 0)
        return call_misused(call, "--from %.40s: must be oldest or now", from);
    struct shunt_options *settings = settings_take(call, NULL);
    int code = settings ? create(call, settings, from_now) : EXIT_FAILED;
    shunt_options_free(settings);
    return code;
}

static int run_update(struct call *call)
{
    struct shunt_error err = {0};
    size_t count = 0;
    struct shunt_options *settings = settings_take(call, &count);
    int code = !settings    ? EXIT_FAILED
               : count == 0 ? call_misused(call, "nothing to change: name at least one setting")
                            : call_connect(call);
    if (code == EXIT_OK)
        code = retention_confirm(call, call_word(call, 0), call_word(call, 1));
    if (code == EXIT_OK && shunt_group_update(call->shunt, call_word(call, 0), call_word(call, 1), settings,
                                              call->timeout_ms, &err))
        code = call_failed(call, &err);
    shunt_options_free(settings);
    return code ? code : show_change(call, "updated");
}

static int run_show(struct call *call)
{
    int code = call_connect(call);
    return code ? code : show_now(call);
}

static int run_list(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *groups = NULL;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_group_list(call->shunt, call_word(call, 0), call->timeout_ms, &groups, &err))
        return call_failed(call, &err);
    catalog_list_groups(call, groups);
    shunt_value_free(groups);
    return EXIT_OK;
}

static int run_delete(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *now = NULL;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_group_show(call->shunt, call_word(call, 0), call_word(call, 1), call->timeout_ms, &now, &err))
        return call_failed(call, &err);
    uint64_t waiting = (uint64_t)(record_integer(now, "ready") + record_integer(now, "in_flight") +
                                  record_integer(now, "delayed"));
    uint64_t dead = (uint64_t)record_integer(now, "dead");
    shunt_value_free(now);
    code = prompt_confirm(
        call,
        "deleting group %s of topic %s: it forgets %" PRIu64 " unfinished %s, and %" PRIu64 " %s go with it",
        call_word(call, 1), call_word(call, 0), waiting, call_plural(waiting, "message", "messages"), dead,
        call_plural(dead, "dead letter", "dead letters"));
    if (code)
        return code;
    if (shunt_group_delete(call->shunt, call_word(call, 0), call_word(call, 1), call->timeout_ms, NULL, &err))
        return call_failed(call, &err);
    call_note(call, "group %s of topic %s deleted", call_word(call, 1), call_word(call, 0));
    return EXIT_OK;
}

static int run_pause(struct call *call)
{
    struct shunt_error err = {0};
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_group_pause(call->shunt, call_word(call, 0), call_word(call, 1), call->timeout_ms, &err))
        return call_failed(call, &err);
    return show_change(call, "paused");
}

static int run_resume(struct call *call)
{
    struct shunt_error err = {0};
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_group_resume(call->shunt, call_word(call, 0), call_word(call, 1), call->timeout_ms, &err))
        return call_failed(call, &err);
    return show_change(call, "resumed");
}

static int run_reset_breaker(struct call *call)
{
    struct shunt_error err = {0};
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_group_reset_breaker(call->shunt, call_word(call, 0), call_word(call, 1), call->timeout_ms,
                                  &err))
        return call_failed(call, &err);
    return show_change(call, "hands out messages: its breaker is closed");
}

static const struct option_row create_rows[] = {
    {"from", 0, "oldest|now", OPTION_TEXT, WORDS_NONE, 0, 0,
     "begin with the oldest message stored or with the next one published (default: oldest)"},
};
static const struct option_row delete_rows[] = {PROMPT_OPTION};
static const struct option_row holders_rows[] = {
    {"limit", 0, "N", OPTION_COUNT, WORDS_NONE, 1, HOLDERS_ROWS_MAX,
     "show the N that are held longest (default: 100)"},
};

static const struct command commands[] = {
    {.noun = "group",
     .verb = "create",
     .usage = "TOPIC GROUP [--from oldest|now] [SETTINGS]",
     .text = "add a group to a topic",
     .about = "Each group gets every message; the consumers of a group share them. Its DLQ is there at once.",
     .examples = "  shunt group create orders audit --from now\n",
     .options = create_rows,
     .options_count = 1,
     .words_min = 2,
     .words_max = 2,
     .settings = SETTINGS_GROUP,
     .run = run_create},
    {.noun = "group",
     .verb = "update",
     .options = delete_rows,
     .options_count = 1,
     .usage = "TOPIC GROUP SETTINGS [-y]",
     .text = "change settings; they take effect at once",
     .about =
         "A --dlq-retention shorter than the age of dead letters drops them: it says how many, and asks.",
     .examples = "  shunt group update orders audit --max-attempts 10\n  shunt group update orders audit "
                 "--lease inherit\n",
     .words_min = 2,
     .words_max = 2,
     .settings = SETTINGS_GROUP,
     .run = run_update},
    {.noun = "group",
     .verb = "show",
     .usage = "TOPIC GROUP",
     .text = "show its numbers and settings",
     .examples = "  shunt group show orders default\n",
     .words_min = 2,
     .words_max = 2,
     .run = run_show},
    {.noun = "group",
     .verb = "list",
     .usage = "TOPIC",
     .text = "list the groups of a topic",
     .examples = "  shunt group list orders\n",
     .words_min = 1,
     .words_max = 1,
     .run = run_list},
    {.noun = "group",
     .verb = "holders",
     .usage = "TOPIC GROUP [--limit N]",
     .text = "list its messages in flight, each with its holder",
     .about = "The message that is held longest comes first. LEASE LEFT is when it goes to another consumer, "
              "unless it is answered or\n"
              "extended before; STARTED AGO, when its handler began. `shunt clients` shows the consumers.",
     .examples =
         "  shunt group holders orders default\n  shunt group holders orders default --limit 10 -o jsonl\n",
     .options = holders_rows,
     .options_count = 1,
     .words_min = 2,
     .words_max = 2,
     .run = holders_run},
    {.noun = "group",
     .verb = "delete",
     .usage = "TOPIC GROUP [-y]",
     .text = "delete it with its dead letters",
     .about = "A topic keeps at least one group.",
     .examples = "  shunt group delete orders audit\n",
     .options = delete_rows,
     .options_count = 1,
     .words_min = 2,
     .words_max = 2,
     .run = run_delete},
    {.noun = "group",
     .verb = "pause",
     .usage = "TOPIC GROUP",
     .text = "hand out no messages until it is resumed",
     .examples = "  shunt group pause orders default\n",
     .words_min = 2,
     .words_max = 2,
     .run = run_pause},
    {.noun = "group",
     .verb = "resume",
     .usage = "TOPIC GROUP",
     .text = "hand out messages again",
     .examples = "  shunt group resume orders default\n",
     .words_min = 2,
     .words_max = 2,
     .run = run_resume},
    {.noun = "group",
     .verb = "reset-breaker",
     .usage = "TOPIC GROUP",
     .text = "close its breaker: hand out messages at once, and charge failures again",
     .about =
         "The breaker opens when most of the latest messages failed, whichever they were: then something "
         "that all of them need is away.\nIt closes by itself once a message is acked again, and opens "
         "again if messages fail as before. --breaker off leaves it closed.",
     .examples = "  shunt group reset-breaker orders default\n",
     .words_min = 2,
     .words_max = 2,
     .run = run_reset_breaker},
};

const struct command_set group_set = {"group", "create, change, show, pause and delete the groups of a topic",
                                      commands, sizeof commands / sizeof *commands};
