/* user: users: made, changed, listed, given a password, deleted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/paged.h"
#include "cli/password.h"
#include "cli/prompt.h"
#include "cli/record.h"
#include "cli/table.h"
#include "cli/texts.h"
#include "client/shunt_access.h"

#define PAGE_ROWS   200
#define CELL_BYTES  1200
#define LINES_BYTES (64 * 220) /* all grants that a user can have */

static const struct record_field fields[] = {
    {"user", RECORD_TEXT, NULL, NULL},          {"disabled", RECORD_FLAG, NULL, NULL},
    {"administrator", RECORD_FLAG, NULL, NULL}, {"password", RECORD_FLAG, NULL, NULL},
    {"tokens", RECORD_COUNT, NULL, NULL},       {"certificates", RECORD_LIST, NULL, NULL},
    {"roles", RECORD_LIST, NULL, NULL},         {"grants", RECORD_LIST, NULL, NULL},
    {"created", RECORD_TIME, NULL, NULL},       {0},
};

/* ---- list, show ---- */

static bool is_on(const struct shunt_value *user, const char *key)
{
    return record_integer(user, key) != 0;
}

/* What it can log in by. */
static const char *login_of(const struct shunt_value *user, char *to, size_t room)
{
    int64_t tokens = record_integer(user, "tokens");
    size_t names = shunt_value_count(shunt_value_get(user, "certificates"));
    size_t size = 0;
    to[0] = 0;
    if (is_on(user, "password"))
        size += (size_t)snprintf(to + size, room - size, "password");
    if (tokens) {
        size += (size_t)snprintf(to + size, room - size, "%s%" PRId64 " %s", size ? ", " : "", tokens,
                                 call_plural((uint64_t)tokens, "token", "tokens"));
    }
    if (names) {
        size += (size_t)snprintf(to + size, room - size, "%s%zu %s", size ? ", " : "", names,
                                 call_plural(names, "certificate", "certificates"));
    }
    return size ? to : NULL;
}

static void list_row(struct table *t, const struct shunt_value *user)
{
    char text[CELL_BYTES];
    table_cell(t, record_text(user, "user"));
    table_cell(t, is_on(user, "disabled") ? "disabled" : "enabled");
    table_cell(t, login_of(user, text, sizeof text));
    table_cell(t, paged_texts(shunt_value_get(user, "roles"), " ", text, sizeof text));
    table_cell(t, paged_texts(shunt_value_get(user, "grants"), " ", text, sizeof text));
}

static int page(struct call *call, const struct shunt_value *last, struct shunt_value **ret,
                struct shunt_error *err)
{
    return shunt_user_list(call->shunt, last ? record_text(last, "user") : NULL, PAGE_ROWS, call->timeout_ms,
                           ret, err);
}

static int run_list(struct call *call)
{
    static const char *const headings[] = {"USER", "STATE", "LOGS IN BY", "~ROLES", "~GRANTS", NULL};
    return paged_list(call, &(struct paged){headings, fields, list_row, page, "there are no users"});
}

static void pair(struct table *t, const char *title, const char *text)
{
    table_cell(t, title);
    table_cell(t, text);
}

static void show_lines(const struct shunt_value *user)
{
    static char text[LINES_BYTES];
    struct table t;
    table_init_plain(&t);
    pair(&t, "user", record_text(user, "user"));
    pair(&t, "state", is_on(user, "disabled") ? "disabled" : "enabled");
    pair(&t, "administrator", is_on(user, "administrator") ? "yes" : "no");
    pair(&t, "logs in by", login_of(user, text, sizeof text));
    pair(&t, "certificates", paged_texts(shunt_value_get(user, "certificates"), " ", text, sizeof text));
    pair(&t, "roles", paged_texts(shunt_value_get(user, "roles"), " ", text, sizeof text));
    pair(&t, "grants", paged_texts(shunt_value_get(user, "grants"), " ", text, sizeof text));
    pair(&t, "created", record_time(text, shunt_value_get(user, "created")));
    if (!table_print(&t, stdout))
        call_complain("out of memory: not everything is shown");
    table_done(&t);
}

static int run_show(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_value *user = NULL;
    struct output out;
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_user_show(call->shunt, call_word(call, 0), call->timeout_ms, &user, &err))
        return call_failed(call, &err);
    output_begin(&out, call->form, false);
    if (output_is_json(&out)) {
        record_json(&out.json, fields, user);
        output_item_end(&out);
    } else {
        show_lines(user);
    }
    output_end(&out);
    shunt_value_free(user);
    return EXIT_OK;
}

/* ---- what changes ---- */

struct change {
    struct shunt_user_change is;
    const char *roles[TEXTS_MAX], *grants[TEXTS_MAX], *certificates[TEXTS_MAX];
    char verifier[PASSWORD_VERIFIER_ROOM];
};

/* A list that is given, or that is to be empty. */
static void take_list(const struct options *o, const char *name, const char *none, const char *to[TEXTS_MAX],
                      const char *const **ret, size_t *ret_count)
{
    *ret_count = texts_of(o, name, to);
    *ret = *ret_count || options_flag(o, none) ? to : NULL;
}

static int misused(const struct call *call, const struct change *c)
{
    static const char *const both[][2] = {{"role", "no-roles"},
                                          {"grant", "no-grants"},
                                          {"certificate", "no-certificates"},
                                          {"enable", "disable"},
                                          {"password", "password-file"}};
    const struct options *o = &call->options;
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        if (options_find(o, both[i][0]) && options_find(o, both[i][1]))
            return call_misused(call, "--%s or --%s, not both", both[i][0], both[i][1]);
    }
    bool any = c->is.roles || c->is.grants || c->is.certificates || c->is.state;
    if (strcmp(call->command->verb, "set") == 0 && !any)
        return call_misused(call, "say what changes: --role, --grant, --certificate, --enable, --disable");
    return EXIT_OK;
}

static int take(struct call *call, struct change *ret)
{
    const struct options *o = &call->options;
    *ret = (struct change){.is = {.size = sizeof ret->is}};
    take_list(o, "role", "no-roles", ret->roles, &ret->is.roles, &ret->is.roles_count);
    take_list(o, "grant", "no-grants", ret->grants, &ret->is.grants, &ret->is.grants_count);
    take_list(o, "certificate", "no-certificates", ret->certificates, &ret->is.certificates,
              &ret->is.certificates_count);
    ret->is.state = options_flag(o, "disable") ? 2 : options_flag(o, "enable") ? 1 : 0;
    return misused(call, ret);
}

static int apply(struct call *call, const struct change *c, const char *told)
{
    struct shunt_error err = {0};
    int code = call_connect(call);
    if (code)
        return code;
    if (shunt_user_set(call->shunt, call_word(call, 0), &c->is, call->timeout_ms, &err))
        return call_failed(call, &err);
    call_note(call, "user %s %s", call_word(call, 0), told);
    return EXIT_OK;
}

static int run_add(struct call *call)
{
    const struct options *o = &call->options;
    struct change c;
    int code = take(call, &c);
    if (!code && (options_flag(o, "password") || options_find(o, "password-file"))) {
        code = password_verifier(call, c.verifier);
        c.is.verifier = c.verifier;
    }
    c.is.must_be = SHUNT_MUST_BE_NEW;
    if (!code)
        code = apply(call, &c, "was made");
    explicit_bzero(c.verifier, sizeof c.verifier);
    return code;
}

static int run_set(struct call *call)
{
    struct change c;
    int code = take(call, &c);
    c.is.must_be = SHUNT_MUST_BE_THERE;
    return code ? code : apply(call, &c, "was changed");
}

static int run_passwd(struct call *call)
{
    const struct options *o = &call->options;
    struct change c = {.is = {.size = sizeof c.is, .must_be = SHUNT_MUST_BE_THERE}};
    bool none = options_flag(o, "none");
    if (none && options_find(o, "password-file"))
        return call_misused(call, "--none or --password-file, not both");
    int code = none ? EXIT_OK : password_verifier(call, c.verifier);
    c.is.verifier = c.verifier;
    if (!code)
        code = apply(call, &c, none ? "has no password any more" : "has a new password");
    explicit_bzero(c.verifier, sizeof c.verifier);
    return code;
}

static int run_delete(struct call *call)
{
    struct shunt_error err = {0};
    uint64_t tokens = 0;
    int code = prompt_confirm(call, "user %s and its tokens will be deleted", call_word(call, 0));
    if (!code)
        code = call_connect(call);
    if (code)
        return code;
    if (shunt_user_delete(call->shunt, call_word(call, 0), call->timeout_ms, &tokens, &err))
        return call_failed(call, &err);
    call_note(call, "user %s was deleted, with %" PRIu64 " %s", call_word(call, 0), tokens,
              call_plural(tokens, "token", "tokens"));
    return EXIT_OK;
}

/* ---- the table ---- */

#define LIST_OPTIONS                                                                                         \
    {"role", 0, "ROLE", OPTION_TEXT, WORDS_NONE, 0, 0, "it has this role (repeatable)"},                     \
        {"grant",                                                                                            \
         0,                                                                                                  \
         "PATTERN:RIGHTS",                                                                                   \
         OPTION_TEXT,                                                                                        \
         WORDS_NONE,                                                                                         \
         0,                                                                                                  \
         0,                                                                                                  \
         "it has these rights, separated by commas, on topics of that pattern (repeatable)"},                \
    {                                                                                                        \
        "certificate", 0, "NAME", OPTION_TEXT, WORDS_NONE, 0, 0,                                             \
            "it logs in by a client certificate that carries dns:, email:, uri: or cn:NAME (repeatable)"     \
    }

static const struct option_row add_rows[] = {
    LIST_OPTIONS,
    {"password", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "ask for a password on the terminal"},
    PASSWORD_FILE_OPTION,
    {"disable", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "it cannot log in yet"},
};
static const struct option_row set_rows[] = {
    LIST_OPTIONS,
    {"no-roles", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "it has no roles any more"},
    {"no-grants", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "it has no grants of its own any more"},
    {"no-certificates", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "it logs in by no certificate any more"},
    {"enable", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "it can log in"},
    {"disable", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "it cannot log in, and has no rights"},
};
static const struct option_row passwd_rows[] = {
    PASSWORD_FILE_OPTION,
    {"none", 0, NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "take its password away"},
};
static const struct option_row delete_rows[] = {PROMPT_OPTION};

#define ROWS(rows) .options = rows, .options_count = sizeof rows / sizeof *rows

static const struct command commands[] = {
    {.noun = "user",
     .verb = "list",
     .usage = "",
     .text = "list users with what they log in by, their roles and grants",
     .examples = "  shunt user list\n  shunt user list -o json | jq -r '.[] | select(.administrator).user'\n",
     .run = run_list},
    {.noun = "user",
     .verb = "show",
     .usage = "USER",
     .text = "show one user",
     .examples = "  shunt user show ann\n",
     .words_min = 1,
     .words_max = 1,
     .run = run_show},
    {.noun = "user",
     .verb = "add",
     .usage = "USER [--role ROLE]… [--grant PATTERN:RIGHTS]… [--certificate NAME]… [--password | "
              "--password-file FILE] "
              "[--disable]",
     .text = "make a user",
     .about =
         "RIGHTS are publish, consume, look, admin, dlq-look, dlq-consume, dlq-redrive, dlq-purge or all. A\n"
         "pattern has the characters of topic names and `*` for any number of them. Without a password or\n"
         "certificate give the user a token: `shunt token create`. The role administrator is built in.",
     .examples = "  shunt user add ann --role administrator --password\n"
                 "  shunt user add shop --grant 'orders.*:publish' --certificate dns:shop.example.org\n",
     ROWS(add_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_add},
    {.noun = "user",
     .verb = "set",
     .usage =
         "USER [--role ROLE… | --no-roles] [--grant PATTERN:RIGHTS… | --no-grants] [--certificate NAME… | "
         "--no-certificates] [--enable | --disable]",
     .text = "change a user; it takes effect at once",
     .about =
         "What is given takes the place of what the user had: to add a role, name all that it is to have.\n"
         "The rest stays as it is.",
     .examples = "  shunt user set shop --grant 'orders.*:publish,look'\n  shunt user set ann --disable\n",
     ROWS(set_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_set},
    {.noun = "user",
     .verb = "passwd",
     .usage = "USER [--password-file FILE | --none]",
     .text = "give a user a password",
     .about = "It is asked for twice on the terminal. The broker gets what it can be verified by, not the "
              "password.",
     .examples = "  shunt user passwd ann\n",
     ROWS(passwd_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_passwd},
    {.noun = "user",
     .verb = "delete",
     .usage = "USER [-y]",
     .text = "delete a user and its tokens; it takes effect at once",
     .examples = "  shunt user delete ann\n",
     ROWS(delete_rows),
     .words_min = 1,
     .words_max = 1,
     .run = run_delete},
};

const struct command_set user_set = {"user", "who may use the broker", commands,
                                     sizeof commands / sizeof *commands};
