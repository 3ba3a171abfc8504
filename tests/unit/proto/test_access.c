/* What users log in by, and what they may do, as text. */
#include "proto/grant_text.h"
#include "proto/names.h"
#include "proto/token_text.h"
#include "proto/verifier.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- verifiers ---- */

#define SALT "c2FsdHNhbHRzYWx0c2FsdA"
#define HASH "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

static bool is_verifier(const char *text)
{
    const char *why = NULL;
    bool valid = verifier_is_valid(slice_of(text), &why);
    cr_assert(valid || why, "%s: no reason", text);
    return valid;
}

static bool with(const char *m, const char *t, const char *p)
{
    char text[256];
    (void)snprintf(text, sizeof text, "$argon2id$v=19$m=%s,t=%s,p=%s$" SALT "$" HASH, m, t, p);
    return is_verifier(text);
}

Test(access, a_verifier_is_argon2id_within_bounds)
{
    struct verifier v;
    const char *why;
    const char *text = "$argon2id$v=19$m=65536,t=3,p=1$" SALT "$" HASH;
    cr_assert(verifier_parse(slice_of(text), &v, &why));
    cr_assert(v.memory_kib == 65536 && v.passes == 3 && v.lanes == 1);
    cr_assert(slice_is(v.salt, SALT) && slice_is(v.hash, HASH));
    cr_assert(with("19456", "2", "1") && with("262144", "10", "4"), "at each bound");
    cr_assert(!with("19455", "2", "1") && !with("262145", "2", "1"));
    cr_assert(!with("65536", "1", "1") && !with("65536", "11", "1"));
    cr_assert(!with("65536", "2", "0") && !with("65536", "2", "5"));
    cr_assert(!with("4294967296", "2", "1") && !with("99999999999999999999999", "2", "1"), "no number wraps");
    cr_assert(!with("", "2", "1") && !with("065536", "2", "1") && !with("-1", "2", "1") &&
              !with("65536 ", "2", "1"));
}

Test(access, what_is_no_verifier_is_refused_with_a_reason)
{
    static const char *const wrong[] = {
        "",
        "secret",
        "$argon2id$",
        "$argon2i$v=19$m=65536,t=3,p=1$" SALT "$" HASH,
        "$argon2d$v=19$m=65536,t=3,p=1$" SALT "$" HASH,
        "$argon2id$v=16$m=65536,t=3,p=1$" SALT "$" HASH,
        "$argon2id$m=65536,t=3,p=1$" SALT "$" HASH,
        "$argon2id$v=19$t=3,m=65536,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=65536,t=3,p=1$" SALT,
        "$argon2id$v=19$m=65536,t=3,p=1$" SALT "$",
        "$argon2id$v=19$m=65536,t=3,p=1$" SALT "$" HASH "$",
        "$argon2id$v=19$m=65536,t=3,p=1$" SALT "$" HASH "=",
        "$argon2id$v=19$m=65536,t=3,p=1$" SALT "$" HASH "aaaa",
        "$argon2id$v=19$m=65536,t=3,p=1$c2hvcnQ$" HASH,
        "$argon2id$v=19$m=65536,t=3,p=1$" SALT "aaa$" HASH,
        "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0c2Fsd_$" HASH,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(!is_verifier(wrong[i]), "%s", wrong[i]);
    const char with_nul[] = "$argon2id$v=19$m=65536,t=3,p=1$" SALT "$" HASH;
    const char *why;
    cr_assert(!verifier_is_valid((struct slice){with_nul, sizeof with_nul}, &why), "a zero byte behind it");
}

/* ---- tokens ---- */

Test(access, a_token_is_read_as_it_was_written)
{
    static const uint64_t ids[] = {0, 1, 77, 0xfffefdfcfbfaf9f8, UINT64_MAX};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        uint8_t secret[TOKEN_SECRET_BYTES], got[TOKEN_SECRET_BYTES];
        char text[TOKEN_TEXT_BYTES + 1];
        uint64_t id = 0;
        for (size_t k = 0; k < sizeof secret; k++)
            secret[k] = (uint8_t)(k * 37 + i * 101 + 200);
        token_text_write(text, ids[i], secret);
        cr_assert_eq(strlen(text), 62);
        cr_assert(!strpbrk(text, "+/="), "%s goes into a URL as it is", text);
        cr_assert(token_text_read(slice_of(text), &id, got), "%s", text);
        cr_assert(id == ids[i] && !memcmp(got, secret, sizeof got));
        text[40] = '+';
        cr_assert(!token_text_read(slice_of(text), &id, got), "base64 of the other kind");
    }
    char text[TOKEN_TEXT_BYTES + 1];
    token_text_write(text, 1, (const uint8_t[TOKEN_SECRET_BYTES]){0});
    cr_assert_str_eq(text, "shunt_AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

Test(access, what_is_no_token_is_not_read)
{
    static const char *const wrong[] = {
        "",
        "shunt_",
        "shunt_AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "shunt_AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Shunt_AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "shunt-AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "shunt_AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "shunt_AAAAAAAAAAEAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    uint8_t secret[TOKEN_SECRET_BYTES];
    uint64_t id;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(!token_text_read(slice_of(wrong[i]), &id, secret), "%s", wrong[i]);
}

/* ---- grants ---- */

Test(access, a_grant_is_read_and_written_in_one_order)
{
    static const struct {
        const char *text, *pattern;
        uint32_t rights;
        const char *again;
    } rows[] = {
        {"orders:publish", "orders", 1, "orders:publish"},
        {"orders.*:look,publish", "orders.*", 5, "orders.*:publish,look"},
        {"*:dlq-purge,dlq-look", "*", 0x90, "*:dlq-look,dlq-purge"},
        {"*:all", "*", 0xff, "*:all"},
        {"*:look,all", "*", 0xff, "*:all"},
        {"a:publish,consume,look,admin,dlq-look,dlq-consume,dlq-redrive,dlq-purge", "a", 0xff, "a:all"},
        {"a:look,look", "a", 4, "a:look"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[GRANT_TEXT_BYTES_MAX + 1];
        struct slice pattern;
        uint32_t rights;
        cr_assert(grant_text_read(slice_of(rows[i].text), &pattern, &rights), "%s", rows[i].text);
        cr_assert(slice_is(pattern, rows[i].pattern) && rights == rows[i].rights, "%s", rows[i].text);
        cr_assert_eq(grant_text_write(text, pattern, rights), strlen(rows[i].again));
        cr_assert_str_eq(text, rows[i].again);
    }
}

Test(access, every_set_of_rights_comes_back_and_the_longest_fits)
{
    char pattern[NAME_BYTES_MAX], text[GRANT_TEXT_BYTES_MAX + 1];
    memset(pattern, 'p', sizeof pattern);
    for (uint32_t rights = 1; rights <= RIGHTS_ALL; rights++) {
        struct slice got;
        uint32_t again;
        size_t size = grant_text_write(text, (struct slice){pattern, sizeof pattern}, rights);
        cr_assert_leq(size, GRANT_TEXT_BYTES_MAX);
        cr_assert(grant_text_read((struct slice){text, size}, &got, &again));
        cr_assert(again == rights && got.size == sizeof pattern);
    }
}

Test(access, what_is_no_grant_is_not_read)
{
    static const char *const wrong[] = {
        "",      ":",          "a",       "a:",           "a:,look",        "a:look,",
        "a:eat", "a:look eat", "a: look", "a:look,,look", "a:publish:look", "a:LOOK"};
    struct slice pattern;
    uint32_t rights;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(!grant_text_read(slice_of(wrong[i]), &pattern, &rights), "%s", wrong[i]);
    cr_assert(!grant_text_read((struct slice){"a:look\0", 7}, &pattern, &rights));
}

/* ---- names ---- */

Test(access, users_and_certificates_have_names)
{
    char longest[CERTIFICATE_NAME_BYTES_MAX + 2];
    memset(longest, 'n', sizeof longest);
    cr_assert(name_is_user(slice_of("a")) && name_is_user(slice_of("Ann.Other_1-2@shop.example")));
    cr_assert(name_is_user((struct slice){longest, NAME_BYTES_MAX}) &&
              !name_is_user((struct slice){longest, NAME_BYTES_MAX + 1}));
    cr_assert(!name_is_user(slice_of("")) && !name_is_user(slice_of("a b")) &&
              !name_is_user(slice_of("a:b")) && !name_is_user(slice_of("\xc3\xa9")) &&
              !name_is_user((struct slice){"a\0", 2}));
    cr_assert(name_is_of_certificate(slice_of("dns:a")) && name_is_of_certificate(slice_of("email:a@b")) &&
              name_is_of_certificate(slice_of("uri:spiffe://a/b")) &&
              name_is_of_certificate(slice_of("cn:Anne \xc3\xa9")));
    cr_assert(!name_is_of_certificate(slice_of("")) && !name_is_of_certificate(slice_of("dns:")) &&
              !name_is_of_certificate(slice_of("ip:127.0.0.1")) &&
              !name_is_of_certificate(slice_of("a.example")) &&
              !name_is_of_certificate(slice_of("cn:a\nb")) && !name_is_of_certificate(slice_of("cn:\xff")));
    memcpy(longest, "dns:", 4);
    cr_assert(name_is_of_certificate((struct slice){longest, CERTIFICATE_NAME_BYTES_MAX}) &&
              !name_is_of_certificate((struct slice){longest, CERTIFICATE_NAME_BYTES_MAX + 1}));
}
