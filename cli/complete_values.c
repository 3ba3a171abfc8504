/* complete_values: see complete_values.h. */
#include "cli/complete_values.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/complete.h"
#include "cli/complete_offer.h"
#include "cli/globals.h"
#include "cli/login.h"
#include "cli/record.h"
#include "client/shunt_access.h"
#include "client/shunt_triage.h"

/* What is asked, and of which topic and group. */
struct asking {
    const struct complete *c;
    struct shunt *shunt;
    const char *topic; /* NULL: of all */
    const char *group; /* NULL: of all */
    size_t offered;
};

static void end_without_a_word(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

/* A name may take long to resolve, and a broker that is stuck answers nothing: the clock ends it all. What is found is printed
 * before. */
static void limit_time(void)
{
    const struct itimerval once = {.it_value = {.tv_usec = COMPLETE_ASK_MS * 1000}};
    (void)fflush(stdout); /* nobody to tell */
    (void)signal(SIGALRM, end_without_a_word);
    (void)setitimer(ITIMER_REAL, &once, NULL);
}

static bool connect_to(struct asking *a)
{
    limit_time();
    struct shunt_options *options = shunt_options_new();
    int rc = options ? shunt_options_set(options, "client", "shunt-completion") : 1;
    const char *url = globals_url(a->c->url);
    login_by_environment(url, options);
    rc = rc ? rc : shunt_open(url, options, &a->shunt, NULL);
    shunt_options_free(options);
    return rc == 0 && shunt_connect(a->shunt, COMPLETE_ASK_MS, NULL) == 0;
}

static void offer(struct asking *a, const char *name, const char *note)
{
    if (name && a->offered++ < COMPLETE_ROWS_MAX)
        complete_offer(a->c, name, note);
}

/* ---- topics and groups ---- */

/* Call `each` for the topics; a topic that is named by the command line is the only one. */
static void each_topic(struct asking *a, void (*each)(struct asking *a, const struct shunt_value *topic))
{
    struct shunt_value *found = NULL;
    if (a->topic) {
        if (shunt_topic_show(a->shunt, a->topic, COMPLETE_ASK_MS, &found, NULL) == 0)
            each(a, found);
    } else if (shunt_topic_list(a->shunt, COMPLETE_ASK_MS, &found, NULL) == 0) {
        for (size_t i = 0; i < shunt_value_count(found); i++)
            each(a, shunt_value_at(found, i));
    }
    shunt_value_free(found);
}

static const struct shunt_value *groups_of(const struct shunt_value *topic)
{
    return shunt_value_get(topic, "groups");
}

static void offer_topic(struct asking *a, const struct shunt_value *topic)
{
    offer(a, record_text(topic, "topic"), NULL);
}

static void offer_dlqs(struct asking *a, const struct shunt_value *topic)
{
    const struct shunt_value *groups = groups_of(topic);
    for (size_t i = 0; i < shunt_value_count(groups); i++) {
        char name[600], note[64];
        const struct shunt_value *group = shunt_value_at(groups, i);
        (void)snprintf(name, sizeof name, "dlq:%s:%s", record_text(topic, "topic"),
                       record_text(group, "group"));
        (void)snprintf(note, sizeof note, "dead: %" PRId64, record_integer(group, "dead"));
        offer(a, name, note);
    }
}

static void ask_topics(struct asking *a)
{
    a->topic = NULL;
    each_topic(a, offer_topic);
    if (strcmp(a->c->command->noun, "consume") == 0 || strcmp(a->c->command->noun, "work") == 0)
        each_topic(a, offer_dlqs);
}

static void offer_groups(struct asking *a, const struct shunt_value *topic)
{
    const struct shunt_value *groups = groups_of(topic);
    for (size_t i = 0; i < shunt_value_count(groups); i++)
        offer(a, record_text(shunt_value_at(groups, i), "group"), record_text(topic, "topic"));
}

static void ask_groups(struct asking *a)
{
    each_topic(a, offer_groups);
}

/* ---- what is in a DLQ ---- */

/* Call `each` for the groups that the command line means and that have dead letters. */
static void each_dlq(struct asking *a, const struct shunt_value *topic,
                     void (*each)(struct asking *a, const char *topic, const char *group))
{
    const struct shunt_value *groups = groups_of(topic);
    for (size_t i = 0; i < shunt_value_count(groups); i++) {
        const struct shunt_value *group = shunt_value_at(groups, i);
        const char *name = record_text(group, "group");
        if (name && (!a->group || strcmp(a->group, name) == 0) && record_integer(group, "dead") > 0)
            each(a, record_text(topic, "topic"), name);
    }
}

static void offer_causes(struct asking *a, const char *topic, const char *group)
{
    struct shunt_value *causes = NULL;
    if (shunt_dlq_causes(a->shunt, topic, group, COMPLETE_ASK_MS, &causes, NULL) == 0) {
        for (size_t i = 0; i < shunt_value_count(causes); i++) {
            const struct shunt_value *cause = shunt_value_at(causes, i);
            offer(a, record_text(cause, "cause"), record_text(cause, "title"));
        }
    }
    shunt_value_free(causes);
}

static void causes_of(struct asking *a, const struct shunt_value *topic)
{
    each_dlq(a, topic, offer_causes);
}

static void ask_causes(struct asking *a)
{
    each_topic(a, causes_of);
}

/* The oldest of them, by their origins' names. */
static void offer_letters(struct asking *a, const char *topic, const char *group)
{
    struct shunt_value *page = NULL;
    if (shunt_dlq_list(a->shunt, topic, group, 0, COMPLETE_ROWS_MAX, COMPLETE_ASK_MS, &page, NULL) == 0) {
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows); i++) {
            const struct shunt_value *letter = shunt_value_at(rows, i);
            offer(a, record_text(letter, "origin"), record_text(letter, "error_message"));
        }
    }
    shunt_value_free(page);
}

static void letters_of(struct asking *a, const struct shunt_value *topic)
{
    each_dlq(a, topic, offer_letters);
}

static void ask_letters(struct asking *a)
{
    each_topic(a, letters_of);
}

/* ---- jobs and rules ---- */

static void ask_jobs(struct asking *a)
{
    bool redrives = strcmp(a->c->command->noun, "redrive") == 0;
    struct shunt_value *page = NULL;
    if (shunt_job_list(a->shunt, 0, COMPLETE_ROWS_MAX, COMPLETE_ASK_MS, &page, NULL) == 0) {
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows); i++) {
            const struct shunt_value *job = shunt_value_at(rows, i);
            const char *kind = record_text(job, "kind");
            char name[32], note[300];
            (void)snprintf(name, sizeof name, "%" PRId64, record_integer(job, "job"));
            (void)snprintf(note, sizeof note, "%s %s:%s, %s", kind ? kind : "", record_text(job, "topic"),
                           record_text(job, "group"), record_text(job, "phase"));
            if (!redrives || (kind && strcmp(kind, "redrive") == 0))
                offer(a, name, note);
        }
    }
    shunt_value_free(page);
}

static void ask_rules(struct asking *a)
{
    struct shunt_value *rules = NULL;
    if (a->topic && shunt_rule_list(a->shunt, a->topic, a->group ? a->group : "default", COMPLETE_ASK_MS,
                                    &rules, NULL) == 0) {
        for (size_t i = 0; i < shunt_value_count(rules); i++) {
            char name[32];
            const struct shunt_value *rule = shunt_value_at(rules, i);
            (void)snprintf(name, sizeof name, "%" PRId64, record_integer(rule, "rule"));
            offer(a, name, record_text(rule, "action"));
        }
    }
    shunt_value_free(rules);
}

/* ---- users and roles: administrators are told of them ---- */

typedef int list_fn(struct shunt *s, const char *after, uint32_t limit, int64_t timeout_ms,
                    struct shunt_value **ret, struct shunt_error *err);

static void offer_names(struct asking *a, list_fn *list, const char *name)
{
    struct shunt_value *page = NULL;
    if (list(a->shunt, NULL, COMPLETE_ROWS_MAX, COMPLETE_ASK_MS, &page, NULL) == 0) {
        const struct shunt_value *rows = shunt_value_get(page, "rows");
        for (size_t i = 0; i < shunt_value_count(rows); i++)
            offer(a, record_text(shunt_value_at(rows, i), name), NULL);
    }
    shunt_value_free(page);
}

static void ask_users(struct asking *a)
{
    offer_names(a, shunt_user_list, "user");
}

static void ask_roles(struct asking *a)
{
    offer_names(a, shunt_role_list, "role");
}

/* ---- which is which ---- */

/* By the names that usage lines and options give their arguments. */
static const struct {
    const char *name;
    void (*ask)(struct asking *a); /* NULL: the shell knows */
    const char *instruction;
} arguments[] = {
    {"TOPIC", ask_topics, NULL},      {"GROUP", ask_groups, NULL},   {"FP", ask_causes, NULL},
    {"ID", ask_letters, NULL},        {"JOB", ask_jobs, NULL},       {"NUMBER", ask_rules, NULL},
    {"TOPIC/SEQ", ask_letters, NULL}, {"FILE", NULL, ":files"},      {"[FILE]", NULL, ":files"},
    {"F…", NULL, ":files"},           {"DIR", NULL, ":directories"}, {"USER", ask_users, NULL},
    {"[USER]", ask_users, NULL},      {"ROLE", ask_roles, NULL},
};

static void offer_alternatives(const struct complete *c, const char *name, size_t len)
{
    for (const char *at = name, *end = name + len; at < end;) {
        char word[64];
        size_t size = strcspn(at, "|");
        size = size < (size_t)(end - at) ? size : (size_t)(end - at);
        (void)snprintf(word, sizeof word, "%.*s", (int)size, at);
        complete_offer(c, word, NULL);
        at += size + 1;
    }
}

static void ask(const struct complete *c, void (*about)(struct asking *a))
{
    struct asking a = {.c = c, .topic = c->words_count ? c->words[0] : NULL, .group = c->group};
    if (connect_to(&a))
        about(&a);
    shunt_close(a.shunt, 0);
}

void complete_values(const struct complete *c, const char *name, size_t len)
{
    if (memchr(name, '|', len)) {
        offer_alternatives(c, name, len);
        return;
    }
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        if (strlen(arguments[i].name) != len || strncmp(arguments[i].name, name, len) != 0)
            continue;
        if (arguments[i].ask)
            ask(c, arguments[i].ask);
        else
            complete_instruct(arguments[i].instruction);
    }
}
