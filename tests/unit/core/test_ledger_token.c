/* ledger_token: tokens of users. */
#include "broker/core/identity_keep.h"
#include "tests/unit/core/ledger_identities.h"

#include <criterion/criterion.h>
#include <stdio.h>

static int token_of(struct fixture *f, uint64_t id, struct token_record *ret)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    int err = ledger_token(f->l, t, id, ret);
    store_abort(t);
    return err;
}

Test(ledger_token, one_is_added_found_by_its_number_and_revoked)
{
    struct fixture f;
    struct token_record r;
    fixture_init(&f);
    user_set(&f, &(struct user_command){.name = text("u")});
    fixture_at(&f, 70);
    token_add(&f, "u", T0 + 5000);
    uint64_t id = f.count;
    cr_assert(!f.err && id);
    fixture_reload(&f);
    const struct user *u = ledger_user(f.l, text("u"));
    cr_assert_eq(token_of(&f, id, &r), 0);
    cr_assert(r.user == u->id && ledger_user_by_id(f.l, r.user) == u && u->tokens == 1);
    cr_assert(r.hash[0] == 1 && r.hash[2] == 3 && r.hash[31] == 0);
    cr_assert(r.created_ms == T0 + 70 && r.expires_ms == T0 + 5000);
    cr_assert_str_eq(r.note, "a note");
    token_revoke(&f, id, "other");
    cr_assert(f.err == SHUNT_NOT_FOUND && token_of(&f, id, &r) == 0, "it is not that user's");
    token_revoke(&f, id, "u");
    cr_assert(!f.err && token_of(&f, id, &r) == SHUNT_NOT_FOUND && !ledger_user(f.l, text("u"))->tokens);
    token_revoke(&f, id, "");
    cr_assert_eq(f.err, SHUNT_NOT_FOUND);
    token_add(&f, "u", 0);
    cr_assert_gt(f.count, id, "no number is given twice");
    fixture_done(&f);
}

Test(ledger_token, what_cannot_be_one_is_refused)
{
    struct fixture f;
    const uint8_t hash[TOKEN_HASH_BYTES + 1] = {0};
    static char note[TOKEN_NOTE_BYTES_MAX + 1];
    memset(note, 'n', sizeof note);
    fixture_init(&f);
    user_set(&f, &(struct user_command){.name = text("u")});
    const struct token_command right = {
        .user = text("u"), .hash = {hash, TOKEN_HASH_BYTES}, .note = {note, TOKEN_NOTE_BYTES_MAX}};
    struct token_command wrong[] = {right, right, right, right, right};
    wrong[0].user = text("none");
    wrong[1].hash.size--;
    wrong[2].hash.size++;
    wrong[3].note.size++;
    wrong[4].expires_ms = -1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fixture_run(&f, (struct command){.kind = COMMAND_TOKEN_ADD, .token = wrong[i]});
        cr_assert_eq(f.err, i ? SHUNT_BAD_ARGUMENT : SHUNT_NOT_FOUND, "%zu", i);
    }
    cr_assert_eq(rows_in(&f, TABLE_TOKEN), 0);
    fixture_run(&f, (struct command){.kind = COMMAND_TOKEN_ADD, .token = right});
    cr_assert(!f.err && rows_in(&f, TABLE_TOKEN) == 1);
    fixture_done(&f);
}

Test(ledger_token, those_that_have_expired_leave_at_a_whole_second_and_no_others)
{
    struct fixture f;
    struct token_record r;
    uint64_t ids[4];
    fixture_init(&f);
    user_set(&f, &(struct user_command){.name = text("u")});
    cr_assert_eq(tokens_at(f.l), INT64_MAX);
    const int64_t expires_ms[] = {T0 + 1200, 0, T0 + 1900, T0 + 2001};
    for (int i = 0; i < 4; i++) {
        token_add(&f, "u", expires_ms[i]);
        ids[i] = f.count;
    }
    cr_assert_eq(tokens_at(f.l), T0 + 2000);
    fixture_reload(&f);
    cr_assert(tokens_at(f.l) == T0 + 2000 && ledger_tick_at(f.l) <= T0 + 2000,
              "a restart does not forget when");
    tick(&f, 1999);
    cr_assert_eq(rows_in(&f, TABLE_TOKEN), 4);
    tick(&f, 2000);
    cr_assert_eq(rows_in(&f, TABLE_TOKEN), 2);
    cr_assert(token_of(&f, ids[1], &r) == 0 && token_of(&f, ids[3], &r) == 0);
    cr_assert_eq(tokens_at(f.l), T0 + 3000);
    tick(&f, 3000);
    cr_assert(rows_in(&f, TABLE_TOKEN) == 1 && tokens_at(f.l) == INT64_MAX);
    fixture_done(&f);
}

Test(ledger_token, more_than_a_tick_takes_leave_with_the_next_ones)
{
    struct fixture f;
    char name[8];
    fixture_init(&f);
    f.quiet = f.careless = true;
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "u%d", i / USER_TOKENS_MAX);
        if (i % USER_TOKENS_MAX == 0)
            user_set(&f, &(struct user_command){.name = text(name)});
        token_add(&f, name, T0 + 1);
        cr_assert_eq(f.err, 0);
    }
    tick(&f, 1000);
    cr_assert_eq(rows_in(&f, TABLE_TOKEN), 300 - 256);
    cr_assert_leq(ledger_tick_at(f.l), T0 + 1000);
    tick(&f, 1001);
    cr_assert_eq(rows_in(&f, TABLE_TOKEN), 0);
    f.careless = false;
    fixture_done(&f);
}

Test(ledger_token, a_users_tokens_go_with_it_and_are_no_others)
{
    struct fixture f;
    fixture_init(&f);
    user_set(&f, &(struct user_command){.name = text("u")});
    user_set(&f, &(struct user_command){.name = text("v")});
    for (int i = 0; i < 3; i++) {
        token_add(&f, "u", 0);
        token_add(&f, "v", i ? 0 : T0 + 9000);
    }
    user_delete(&f, "u");
    cr_assert(!f.err && f.count == 3 && rows_in(&f, TABLE_TOKEN) == 3);
    cr_assert_eq(ledger_user(f.l, text("v"))->tokens, 3);
    fixture_reload(&f);
    cr_assert_eq(ledger_user(f.l, text("v"))->tokens, 3);
    fixture_done(&f);
}

Test(ledger_token, an_administrator_by_a_token_that_expires_is_not_left_alone)
{
    struct fixture f;
    const struct slice role = text(ROLE_ADMINISTRATOR);
    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        user_set(&f, &(struct user_command){.name = i ? text("v") : text("u"),
                                            .given = USER_ROLES,
                                            .roles = &role,
                                            .roles_count = 1});
    }
    token_add(&f, "u", 0);
    token_add(&f, "v", f.l->now_ms + 1000);
    for (int again = 0; again < 2; again++) {
        user_delete(&f, "u");
        cr_assert_eq(f.err, SHUNT_FORBIDDEN, "v could log in for a second");
        fixture_reload(&f);
    }
    user_delete(&f, "v");
    cr_assert_eq(f.err, 0);
    cr_assert(ledger_has_administrator(f.l));
    fixture_done(&f);
}

Test(ledger_token, an_administrator_can_log_in_by_one)
{
    struct fixture f;
    const struct slice role = text(ROLE_ADMINISTRATOR);
    fixture_init(&f);
    user_set(
        &f, &(struct user_command){.name = text("u"), .given = USER_ROLES, .roles = &role, .roles_count = 1});
    token_add(&f, "u", 0);
    cr_assert(ledger_has_administrator(f.l));
    user_delete(&f, "u");
    cr_assert_eq(f.err, SHUNT_FORBIDDEN);
    token_revoke(&f, f.count, "");
    uint64_t first = 0;
    struct token_record r;
    for (uint64_t id = 1; !first && id < f.l->meta.job_next; id++)
        first = token_of(&f, id, &r) ? 0 : id;
    token_revoke(&f, first, "");
    cr_assert(!f.err && !ledger_has_administrator(f.l), "a token that somebody stole can always be revoked");
    user_delete(&f, "u");
    cr_assert_eq(f.err, 0);
    fixture_done(&f);
}

Test(ledger_token, one_user_has_so_many_and_all_together)
{
    struct fixture f;
    char name[8];
    fixture_init(&f);
    f.quiet = f.careless = true;
    for (int i = 0; i < TOKENS_MAX; i++) {
        (void)snprintf(name, sizeof name, "u%d", i / USER_TOKENS_MAX);
        if (i % USER_TOKENS_MAX == 0)
            user_set(&f, &(struct user_command){.name = text(name)});
        token_add(&f, name, 0);
        cr_assert_eq(f.err, 0, "%d", i);
        if (i + 1 == USER_TOKENS_MAX) {
            token_add(&f, name, 0);
            cr_assert(f.err == SHUNT_TOO_MANY && strstr(f.why, "100"), "of one user");
        }
    }
    user_set(&f, &(struct user_command){.name = text("more")});
    token_add(&f, "more", 0);
    cr_assert(f.err == SHUNT_TOO_MANY && strstr(f.why, "10000"), "of all");
    f.careless = false;
    fixture_reload(&f);
    fixture_done(&f);
}
