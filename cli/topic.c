/* topic: make topics, change them, look at them, take them away. */
#include <inttypes.h>
#include <string.h>

#include "cli/call.h"
#include "cli/catalog.h"
#include "cli/command.h"
#include "cli/job.h"
#include "cli/prompt.h"
#include "cli/retention.h"
#include "cli/settings.h"
#include "cli/settings_same.h"
#include "client/shunt.h"

/* With JSON, what is there now; otherwise a sentence. */
static int show_change(struct call *call, const char *topic, const char *what)
{
    struct shunt_error err = {0};
    struct shunt_value *now = NULL;
    if (call->form == FORM_TABLE) {
        call_note(call, "topic %s %s", topic, what);
        return EXIT_OK;
    }
    if (shunt_topic_show(call->shunt, topic, call->timeout_ms, &now, &err))
        return call_failed(call, &err);
    catalog_show_topic(call, now);
    shunt_value_free(now);
    return EXIT_OK;
}

static bool has_group(const struct shunt_value *groups, const char *name, size_t len)
{
    for (size_t i = 0; i < shunt_value_count(groups); i++) {
        const char *there = record_text(shunt_value_at(groups, i), "group");
        if (there && strlen(there) == len && strncmp(there, name, len) == 0)
            return true;
    }
    return false;
}

/* Are `names`, with commas between them, the groups that there are? */
static bool same_groups(const struct shunt_value *groups, const char *names)
{
    size_t count = 0;
    for (const char *at = names; *at;) {
        size_t len = strcspn(at, ",");
        if (!has_group(groups, at, len))
            return false;
        count++;
        at += len + (at[len] == ',');
    }
    return count == shunt_value_count(groups);
}

/* A script that runs again: what is there and is as it is wanted needs not be made. */
static int accept_existing(struct call *call, const struct shunt_error *exists)
{
    struct shunt_error err = {0};
    struct shunt_value *now = NULL;
    char why[200] = "its groups are others";
    const char *topic = call_word(call, 0), *groups = options_text(&call->options, "groups", NULL);
    if (shunt_topic_show(call->shunt, topic, call->timeout_ms, &now, &err))
        return call_failed(call, &err);
    bool same = (!groups || same_groups(shunt_value_get(now, "groups"), groups)) &&
                settings_same(call, shunt_value_get(now, "policy"), why, sizeof why);
    shunt_value_free(now);
    if (same)
        return show_change(call, topic, "is there already, as it is wanted");
    call_complain("topic %s is there already, and differs: %s; `shunt topic update` and `shunt group create` "
                  "change that (%s)",
                  topic, why, shunt_error_name(exists->code));
    return EXIT_FAILED;
}

static int create(struct call *call, const struct shunt_options *settings)
{
    struct shunt_error err = {0};
    const char *topic = call_word(call, 0);
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_topic_create(call->shunt, topic, settings, call->timeout_ms, &err))
        return err.code == SHUNT_TOPIC_EXISTS ? accept_existing(call, &err) : call_failed(call, &err);
    return show_change(call, topic, "created");
}

static int run_create(struct call *call)
{
    struct shunt_options *settings = settings_take(call, NULL);
    const char *groups = options_text(&call->options, "groups", NULL);
    int code = settings ? EXIT_OK : EXIT_FAILED;
    if (settings && groups && shunt_options_set(settings, "groups", groups))
        code = EXIT_FAILED;
    if (code == EXIT_OK)
        code = create(call, settings);
    shunt_options_free(settings);
    return code;
}

static int update(struct call *call, const struct shunt_options *settings)
{
    struct shunt_error err = {0};
    const char *topic = call_word(call, 0);
    int code = call_connect(call);
    if (code == EXIT_OK)
        code = retention_confirm(call, topic, NULL);
    if (code)
        return code;
    if (shunt_topic_update(call->shunt, topic, settings, call->timeout_ms, &err))
        return call_failed(call, &err);
    return show_change(call, topic, "updated");
}

static int run_update(struct call *call)
{
    size_t count = 0;
    struct shunt_options *settings = settings_take(call, &count);
    int code = !settings    ? EXIT_FAILED
               : count == 0 ? call_misused(call, "nothing to change: name at least one setting")
                            : update(call, settings);
    shunt_options_free(settings);
    return code;
}

/* Connect and look: what show prints and the destructive commands announce. */
static int look(struct call *call, struct shunt_value **ret)
{
    struct shunt_error err = {0};
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_topic_show(call->shunt, call_word(call, 0), call->timeout_ms, ret, &err))
        return call_failed(call, &err);
    return EXIT_OK;
}

static int run_show(struct call *call)
{
    struct shunt_value *topic = NULL;
    int code = look(call, &topic);
    if (code)
        return code;
    catalog_show_topic(call, topic);
    shunt_value_free(topic);
    return EXIT_OK;
}

static int run_list(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *topics = NULL;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_topic_list(call->shunt, call->timeout_ms, &topics, &err))
        return call_failed(call, &err);
    catalog_list_topics(call, topics);
    shunt_value_free(topics);
    return EXIT_OK;
}

static int run_delete(struct call *call)
{
    const char *topic = call_word(call, 0);
    struct shunt_value *now = NULL;
    struct shunt_error err = {0};
    int code = look(call, &now);
    if (code)
        return code;
    const struct shunt_value *groups = shunt_value_get(now, "groups");
    size_t groups_count = shunt_value_count(groups);
    uint64_t messages = (uint64_t)record_integer(now, "messages");
    uint64_t dead = catalog_sum(groups, "dead");
    code = prompt_confirm(call, "deleting topic %s: %" PRIu64 " %s, %zu %s and %" PRIu64 " %s go with it",
                          topic, messages, call_plural(messages, "message", "messages"), groups_count,
                          call_plural(groups_count, "group", "groups"), dead,
                          call_plural(dead, "dead letter", "dead letters"));
    shunt_value_free(now);
    if (code)
        return code;
    if (shunt_topic_delete(call->shunt, topic, call->timeout_ms, NULL, &err))
        return call_failed(call, &err);
    call_note(call, "topic %s deleted", topic);
    return EXIT_OK;
}

/* How many messages a purge of `group` (NULL: all) would take now. */
static int purgeable(struct call *call, const char *topic, const char *group, uint64_t *ret)
{
    struct shunt_error err = {0};
    struct shunt_value *now = NULL;
    if (!group) {
        int code = look(call, &now);
        if (code)
            return code;
        const struct shunt_value *groups = shunt_value_get(now, "groups");
        *ret = catalog_sum(groups, "ready") + catalog_sum(groups, "delayed");
    } else {
        int code = call_connect(call);
        if (code)
            return code;
        if (shunt_group_show(call->shunt, topic, group, call->timeout_ms, &now, &err))
            return call_failed(call, &err);
        *ret = (uint64_t)(record_integer(now, "ready") + record_integer(now, "delayed"));
    }
    shunt_value_free(now);
    return EXIT_OK;
}

static int purge(struct call *call, const char *topic, const char *group)
{
    struct shunt_error err = {0};
    uint64_t job = 0;
    uint64_t done = 0;
    if (shunt_topic_purge(call->shunt, topic, group, call->timeout_ms, &job, &err))
        return call_failed(call, &err);
    int code = job_follow(call, job, "purged", false, &done);
    if (code == EXIT_OK)
        call_note(call, "purged %" PRIu64 " %s", done, call_plural(done, "message", "messages"));
    return code;
}

static int run_purge(struct call *call)
{
    const char *topic = call_word(call, 0);
    const char *group = options_text(&call->options, "group", NULL);
    uint64_t count = 0;
    int code = purgeable(call, topic, group, &count);
    if (code)
        return code;
    if (count == 0) {
        call_note(call, "nothing to purge: no message is ready or delayed");
        return EXIT_NOTHING;
    }
    code = prompt_confirm(call, "purging %" PRIu64 " ready or delayed %s of %s %s for good", count,
                          call_plural(count, "message", "messages"), group ? "group" : "all groups of topic",
                          group ? group : topic);
    return code ? code : purge(call, topic, group);
}

static const struct option_row create_rows[] = {
    {"groups", 0, "GROUP,…", OPTION_TEXT, WORDS_NONE, 0, 0, "create these groups instead of `default`"},
};
static const struct option_row delete_rows[] = {PROMPT_OPTION};
static const struct option_row purge_rows[] = {
    {"group", 'g', "GROUP", OPTION_TEXT, WORDS_NONE, 0, 0, "purge only this group (default: all groups)"},
    PROMPT_OPTION,
};

static const struct command commands[] = {
    {.noun = "topic",
     .verb = "create",
     .usage = "TOPIC [--groups GROUP,…] [SETTINGS]",
     .text = "create a topic, with the group `default` unless --groups names others",
     .about =
         "A setting of groups that is given here is the default of the topic's groups. If the topic is there "
         "already with the groups\nand settings that are named, that is a success; if one differs, it is "
         "told.",
     .examples = "  shunt topic create files --max-attempts 3 --backoff 10ms..50ms\n"
                 "  shunt topic create orders --ttl 7d --max-bytes 2GiB --groups billing,audit\n",
     .options = create_rows,
     .options_count = 1,
     .words_min = 1,
     .words_max = 1,
     .settings = SETTINGS_TOPIC,
     .run = run_create},
    {.noun = "topic",
     .verb = "update",
     .options = delete_rows,
     .options_count = 1,
     .usage = "TOPIC SETTINGS [-y]",
     .text = "change settings; they take effect at once",
     .about =
         "A --dlq-retention shorter than the age of dead letters drops them: it says how many, and asks.",
     .examples = "  shunt topic update files --max-attempts 5\n  shunt topic update files --lease inherit\n",
     .words_min = 1,
     .words_max = 1,
     .settings = SETTINGS_TOPIC,
     .run = run_update},
    {.noun = "topic",
     .verb = "show",
     .usage = "TOPIC",
     .text = "show its numbers, settings and groups",
     .examples = "  shunt topic show files\n  shunt topic show files -o json | jq '.groups[].dead'\n",
     .words_min = 1,
     .words_max = 1,
     .run = run_show},
    {.noun = "topic",
     .verb = "list",
     .usage = "",
     .text = "list all topics",
     .examples = "  shunt topic list\n",
     .run = run_list},
    {.noun = "topic",
     .verb = "delete",
     .usage = "TOPIC [-y]",
     .text = "delete it with its groups, messages and dead letters",
     .examples = "  shunt topic delete files\n",
     .options = delete_rows,
     .options_count = 1,
     .words_min = 1,
     .words_max = 1,
     .run = run_delete},
    {.noun = "topic",
     .verb = "purge",
     .usage = "TOPIC [-g GROUP] [-y]",
     .text = "drop the messages that are ready or delayed now",
     .about = "Messages that are in flight or dead stay.",
     .examples = "  shunt topic purge files -g audit\n",
     .options = purge_rows,
     .options_count = 2,
     .words_min = 1,
     .words_max = 1,
     .run = run_purge},
};

const struct command_set topic_set = {"topic", "create, change, show, purge and delete topics", commands,
                                      sizeof commands / sizeof *commands};
