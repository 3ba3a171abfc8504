/* ledger_identity: users and roles, and what they may do. The audit after each batch compares rows with memory. */
#include "tests/unit/core/ledger_identities.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct user *user(const struct fixture *f, const char *name)
{
    return ledger_user(f->l, text(name));
}

static uint32_t rights(const struct fixture *f, const char *name, const char *topic)
{
    return ledger_rights(f->l, user(f, name), text(topic));
}

#define BIT(name) (1u << RIGHT_##name)

Test(ledger_identity, a_user_is_made_changed_field_by_field_and_found_again_after_a_restart)
{
    struct fixture f;
    const struct slice names[] = {text("dns:a.example"), text("cn:A"), text("dns:a.example")};
    const struct grant grants[] = {grant("orders.*", BIT(PUBLISH)), grant("b", BIT(LOOK)),
                                   grant("orders.*", BIT(CONSUME))};
    fixture_init(&f);
    fixture_at(&f, 50);
    user_set(&f, &(struct user_command){.name = text("ann@shop"),
                                        .presence = PRESENCE_MISSING,
                                        .given = USER_CERTIFICATES | USER_GRANTS,
                                        .certificates = names,
                                        .certificates_count = 3,
                                        .grants = grants,
                                        .grants_count = 3});
    cr_assert_eq(f.err, 0);
    uint64_t id = user(&f, "ann@shop")->id, changed = user(&f, "ann@shop")->r.changed;
    user_set(&f, &(struct user_command){.name = text("ann@shop"),
                                        .presence = PRESENCE_THERE,
                                        .given = USER_PASSWORD,
                                        .password = text("$argon2id$")});
    cr_assert_eq(f.err, 0);
    fixture_reload(&f);
    const struct user *u = user(&f, "ann@shop");
    cr_assert(u && u->id == id && u->r.created_ms == T0 + 50 && u->r.changed == changed + 1);
    cr_assert_str_eq(u->r.password, "$argon2id$");
    cr_assert(u->r.certificates_count == 2 && u->r.grants.count == 2, "what was named twice is there once");
    cr_assert_eq(u->r.grants.all[0].rights, BIT(PUBLISH) | BIT(CONSUME));
    cr_assert(ledger_user_of_certificate(f.l, text("cn:A")) == u &&
              !ledger_user_of_certificate(f.l, text("cn:a")));
    cr_assert(ledger_users(f.l) == 1 && !user(&f, "ann") && !user(&f, ""));
    user_delete(&f, "ann@shop");
    cr_assert(!f.err && !user(&f, "ann@shop") && rows_in(&f, TABLE_USER) == 0);
    user_set(&f, &(struct user_command){.name = text("ann@shop")});
    cr_assert_neq(user(&f, "ann@shop")->id, id, "who comes later is somebody else");
    fixture_done(&f);
}

Test(ledger_identity, rights_are_those_of_all_grants_that_fit_the_topic)
{
    struct fixture f;
    fixture_init(&f);
    role_set(&f, "triage", "orders*", BIT(DLQ_LOOK) | BIT(DLQ_REDRIVE));
    const struct slice role = text("triage");
    const struct grant grants[] = {grant("orders.*", BIT(PUBLISH)), grant("*.eu", BIT(LOOK) | BIT(DLQ_LOOK))};
    user_set(&f, &(struct user_command){.name = text("u"),
                                        .given = USER_ROLES | USER_GRANTS,
                                        .roles = &role,
                                        .roles_count = 1,
                                        .grants = grants,
                                        .grants_count = 2});
    cr_assert_eq(rights(&f, "u", "orders"), BIT(DLQ_LOOK) | BIT(DLQ_REDRIVE));
    cr_assert_eq(rights(&f, "u", "orders.us"), BIT(PUBLISH) | BIT(DLQ_LOOK) | BIT(DLQ_REDRIVE));
    cr_assert_eq(rights(&f, "u", "orders.eu"), BIT(PUBLISH) | BIT(LOOK) | BIT(DLQ_LOOK) | BIT(DLQ_REDRIVE));
    cr_assert_eq(rights(&f, "u", "mail.eu"), BIT(LOOK) | BIT(DLQ_LOOK));
    cr_assert_eq(rights(&f, "u", "mail"), 0);
    cr_assert_eq(rights(&f, "u", "dlq:orders.eu:default"), BIT(DLQ_LOOK) | BIT(DLQ_REDRIVE),
                 "of its topic, and ordinary rights do not count");
    cr_assert_eq(rights(&f, "u", "dlq:mail:x"), 0);
    cr_assert_eq(rights(&f, "u", "dlq:orders"), 0, "no name of a queue");
    cr_assert_eq(ledger_rights_anywhere(f.l, user(&f, "u")),
                 BIT(PUBLISH) | BIT(LOOK) | BIT(DLQ_LOOK) | BIT(DLQ_REDRIVE));
    role_set(&f, "triage", "mail", BIT(CONSUME));
    cr_assert(rights(&f, "u", "orders") == 0 && rights(&f, "u", "mail") == BIT(CONSUME),
              "the role has changed");
    user_disable(&f, "u", true);
    cr_assert(rights(&f, "u", "mail") == 0 && ledger_rights_anywhere(f.l, user(&f, "u")) == 0);
    user_disable(&f, "u", false);
    cr_assert_eq(rights(&f, "u", "mail"), BIT(CONSUME));
    fixture_done(&f);
}

Test(ledger_identity, administers_who_has_every_right_by_the_pattern_of_everything)
{
    struct fixture f;
    fixture_init(&f);
    user_with_role(&f, "root", "administrator");
    cr_assert(ledger_administers(f.l, user(&f, "root")));
    cr_assert(rights(&f, "root", "any") == RIGHTS_ALL &&
              rights(&f, "root", "dlq:any:g") == (RIGHTS_ALL & ~0xfu));
    role_set(&f, "most", "*", RIGHTS_ALL & ~BIT(DLQ_PURGE));
    user_with_role(&f, "most", "most");
    cr_assert(!ledger_administers(f.l, user(&f, "most")));
    role_set(&f, "names", "*a*", RIGHTS_ALL);
    user_with_role(&f, "names", "names");
    cr_assert(!ledger_administers(f.l, user(&f, "names")), "on some topics only");
    const struct grant rest = grant("*", BIT(DLQ_PURGE));
    user_set(&f, &(struct user_command){
                     .name = text("most"), .given = USER_GRANTS, .grants = &rest, .grants_count = 1});
    cr_assert(ledger_administers(f.l, user(&f, "most")), "a role and a grant together");
    fixture_done(&f);
}

Test(ledger_identity, the_last_administrator_who_can_log_in_stays)
{
    struct fixture f;
    fixture_init(&f);
    cr_assert(!ledger_has_administrator(f.l));
    const struct slice role = text("administrator");
    user_set(&f, &(struct user_command){
                     .name = text("unable"), .given = USER_ROLES, .roles = &role, .roles_count = 1});
    cr_assert(!ledger_has_administrator(f.l), "nothing to log in by");
    user_disable(&f, "unable", true);
    cr_assert_eq(f.err, 0, "there was none before");
    user_with_role(&f, "ann", "administrator");
    cr_assert(ledger_has_administrator(f.l));
    const struct user_command loses[] = {
        {.name = text("ann"), .given = USER_ROLES},
        {.name = text("ann"), .given = USER_PASSWORD},
        {.name = text("ann"), .given = USER_DISABLED, .disabled = true},
    };
    uint64_t before = ledger_identities(f.l);
    for (size_t i = 0; i < sizeof loses / sizeof *loses; i++) {
        user_set(&f, &loses[i]);
        cr_assert(f.err == SHUNT_FORBIDDEN && f.why && !f.changed, "%zu", i);
        cr_assert(ledger_has_administrator(f.l));
    }
    user_delete(&f, "ann");
    cr_assert(f.err == SHUNT_FORBIDDEN && user(&f, "ann") && ledger_identities(f.l) == before);
    /* The same by a role of one's own. */
    role_set(&f, "all", "*", RIGHTS_ALL);
    user_with_role(&f, "bob", "all");
    user_delete(&f, "ann");
    cr_assert_eq(f.err, 0, "bob is left");
    role_set(&f, "all", "*", BIT(LOOK));
    cr_assert(f.err == SHUNT_FORBIDDEN && ledger_has_administrator(f.l));
    fixture_reload(&f);
    cr_assert(ledger_has_administrator(f.l));
    fixture_done(&f);
}

Test(ledger_identity, what_cannot_be_is_refused_and_changes_nothing)
{
    struct fixture f;
    char name[NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof name);
    const struct slice longest = {name, NAME_BYTES_MAX}, longer = {name, NAME_BYTES_MAX + 1};
    const struct slice none = text("none"), admin = text("administrator"), certificate = text("cn:A");
    static char text_257[CERTIFICATE_NAME_BYTES_MAX + 1];
    memset(text_257, 'x', sizeof text_257);
    const struct slice long_certificate = {text_257, sizeof text_257};
    const struct grant no_right = grant("a", 0), other_right = grant("a", RIGHTS_ALL + 1),
                       no_pattern = grant("a b", 1);
    fixture_init(&f);
    user_set(&f, &(struct user_command){.name = longest});
    cr_assert_eq(f.err, 0);
    user_set(&f, &(struct user_command){.name = text("a"),
                                        .given = USER_CERTIFICATES,
                                        .certificates = &certificate,
                                        .certificates_count = 1});
    uint64_t hash = state_hash(f.store), before = ledger_identities(f.l);
    const struct {
        int err;
        struct user_command c;
    } refused[] = {
        {SHUNT_BAD_ARGUMENT, {.name = longer}},
        {SHUNT_BAD_ARGUMENT, {.name = text("")}},
        {SHUNT_BAD_ARGUMENT, {.name = text("a"), .presence = PRESENCE_MISSING}},
        {SHUNT_NOT_FOUND, {.name = text("b"), .presence = PRESENCE_THERE}},
        {SHUNT_BAD_ARGUMENT, {.name = text("b"), .given = USER_ROLES, .roles = &none, .roles_count = 1}},
        {SHUNT_BAD_ARGUMENT,
         {.name = text("b"),
          .given = USER_CERTIFICATES,
          .certificates = &certificate,
          .certificates_count = 1}},
        {SHUNT_BAD_ARGUMENT,
         {.name = text("b"),
          .given = USER_CERTIFICATES,
          .certificates = &long_certificate,
          .certificates_count = 1}},
        {SHUNT_BAD_ARGUMENT, {.name = text("b"), .given = USER_PASSWORD, .password = long_certificate}},
        {SHUNT_BAD_ARGUMENT,
         {.name = text("b"), .given = USER_GRANTS, .grants = &no_right, .grants_count = 1}},
        {SHUNT_BAD_ARGUMENT,
         {.name = text("b"), .given = USER_GRANTS, .grants = &other_right, .grants_count = 1}},
        {SHUNT_BAD_ARGUMENT,
         {.name = text("b"), .given = USER_GRANTS, .grants = &no_pattern, .grants_count = 1}},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        user_set(&f, &refused[i].c);
        cr_assert_eq(f.err, refused[i].err, "%zu: %s", i, err_name(f.err));
    }
    user_delete(&f, "none");
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    role_set(&f, "administrator", "a", 1);
    cr_assert_eq(f.err, SHUNT_FORBIDDEN, "it is built in");
    role_delete(&f, "administrator");
    cr_assert_eq(f.err, SHUNT_FORBIDDEN);
    role_delete(&f, "none");
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    role_set(&f, "r", "a b", 1);
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    cr_assert(state_hash(f.store) == hash && ledger_identities(f.l) == before && ledger_users(f.l) == 2);
    user_set(&f, &(struct user_command){.name = text("a"),
                                        .given = USER_CERTIFICATES | USER_ROLES,
                                        .certificates = &certificate,
                                        .certificates_count = 1,
                                        .roles = &admin,
                                        .roles_count = 1});
    cr_assert_eq(f.err, 0, "it may keep what it has");
    fixture_done(&f);
}

Test(ledger_identity, a_role_that_a_user_has_is_not_deleted)
{
    struct fixture f;
    fixture_init(&f);
    role_set(&f, "r", "a", 1);
    user_with_role(&f, "u", "r");
    role_delete(&f, "r");
    cr_assert(f.err == SHUNT_BAD_ARGUMENT && f.why);
    user_set(&f, &(struct user_command){.name = text("u"), .given = USER_ROLES});
    role_delete(&f, "r");
    cr_assert(!f.err && rows_in(&f, TABLE_ROLE) == 0);
    fixture_run(&f, (struct command){.kind = COMMAND_ROLE_SET,
                                     .role = {.name = text("r"), .presence = PRESENCE_THERE}});
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    role_set(&f, "r", "a", 1);
    fixture_run(&f, (struct command){.kind = COMMAND_ROLE_SET,
                                     .role = {.name = text("r"), .presence = PRESENCE_MISSING}});
    cr_assert_eq(f.err, SHUNT_BAD_ARGUMENT);
    fixture_done(&f);
}

Test(ledger_identity, there_are_so_many_users_and_roles_and_no_more)
{
    struct fixture f;
    char name[32];
    fixture_init(&f);
    f.quiet = f.careless = true;
    for (int i = 0; i <= USERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "u%d", i);
        user_set(&f, &(struct user_command){.name = text(name)});
        cr_assert_eq(f.err, i < USERS_MAX ? 0 : SHUNT_TOO_MANY);
    }
    user_set(&f, &(struct user_command){.name = text("u7"), .given = USER_DISABLED, .disabled = true});
    cr_assert_eq(f.err, 0, "one that is there can be changed");
    for (int i = 0; i <= ROLES_MAX; i++) {
        (void)snprintf(name, sizeof name, "r%d", i);
        role_set(&f, name, "a", 1);
        cr_assert_eq(f.err, i < ROLES_MAX ? 0 : SHUNT_TOO_MANY);
    }
    f.careless = false;
    fixture_reload(&f);
    cr_assert_eq(ledger_users(f.l), USERS_MAX);
    fixture_done(&f);
}

Test(ledger_identity, each_change_is_seen_and_nothing_else_is)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t seen = ledger_identities(f.l);
    cr_assert_neq(seen, 0);
    topic_create(&f, "t", settings(-1));
    publish(&f, "t", 3);
    cr_assert_eq(ledger_identities(f.l), seen);
#define SEES(what)                                                                                           \
    do {                                                                                                     \
        what;                                                                                                \
        cr_assert(!f.err && ledger_identities(f.l) > seen, #what);                                           \
        seen = ledger_identities(f.l);                                                                       \
    } while (0)
    SEES(role_set(&f, "r", "a", 1));
    SEES(user_with_role(&f, "u", "r"));
    SEES(role_set(&f, "r", "b", 1));
    SEES(token_add(&f, "u", T0 + 1500));
    SEES(tick(&f, 3000));
    SEES(token_add(&f, "u", 0));
    SEES(token_revoke(&f, f.count, ""));
    SEES(user_disable(&f, "u", true));
    SEES(user_delete(&f, "u"));
    SEES(role_delete(&f, "r"));
    fixture_done(&f);
}
