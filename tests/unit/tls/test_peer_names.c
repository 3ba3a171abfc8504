/* test_peer_names: what a certificate is called, and which names are passed over. */
#include "tls/peer_names.h"

#include <criterion/criterion.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static void add_name(GENERAL_NAMES *to, int type, const void *bytes, int size)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    cr_assert_eq(ASN1_STRING_set(text, bytes, size), 1);
    GENERAL_NAME_set0_value(name, type, text);
    cr_assert(sk_GENERAL_NAME_push(to, name));
}

static void add_subject(X509 *cert, const char *name, int size)
{
    cr_assert_eq(X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
                                            (const unsigned char *)name, size, -1, 0),
                 1);
}

/* Its names with `;` behind each. */
static char *names_of(X509 *cert, GENERAL_NAMES *alternatives)
{
    bool no_memory = true;
    if (alternatives)
        cr_assert_eq(X509_add1_ext_i2d(cert, NID_subject_alt_name, alternatives, 0, 0), 1);
    char *names = tls_certificate_names(cert, &no_memory);
    cr_assert_not(no_memory);
    for (char *at = names; at && *at;) {
        at += strlen(at);
        *at++ = ';';
    }
    GENERAL_NAMES_free(alternatives);
    X509_free(cert);
    return names;
}

static void expect(char *names, const char *expected)
{
    cr_assert_not_null(names);
    cr_assert_str_eq(names, expected);
    free(names);
}

Test(peer_names, each_kind_is_told_apart_and_the_subject_comes_last)
{
    X509 *cert = X509_new();
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    add_subject(cert, "J\xc3\xbcrgen", -1);
    add_name(all, GEN_DNS, "worker.example", 14);
    add_name(all, GEN_EMAIL, "ann@example", 11);
    add_name(all, GEN_URI, "spiffe://a/b", 12);
    add_name(all, GEN_DNS, "second.example", 14);
    expect(names_of(cert, all),
           "dns:worker.example;email:ann@example;uri:spiffe://a/b;dns:second.example;cn:J\xc3\xbcrgen;");
}

Test(peer_names, a_name_that_could_be_read_in_two_ways_is_passed_over)
{
    X509 *cert = X509_new();
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    add_subject(cert, "admin\0.evil.example", 19);
    add_name(all, GEN_DNS, "admin\0.evil.example", 19);
    add_name(all, GEN_DNS, "new\nline", 8);
    add_name(all, GEN_DNS, "del\x7f", 4);
    add_name(all, GEN_DNS, "", 0);
    add_name(all, GEN_DNS, "good", 4);
    expect(names_of(cert, all), "dns:good;");
}

Test(peer_names, a_name_ends_at_its_limit)
{
    char longest[PEER_NAME_BYTES_MAX + 1];
    X509 *cert = X509_new();
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    memset(longest, 'x', sizeof longest);
    add_name(all, GEN_DNS, longest, PEER_NAME_BYTES_MAX - 4);
    add_name(all, GEN_DNS, longest, PEER_NAME_BYTES_MAX - 3);
    char *names = names_of(cert, all);
    cr_assert_eq(strlen(names), PEER_NAME_BYTES_MAX + 1, "one of them, and the end of it");
    free(names);
}

Test(peer_names, their_number_ends_at_its_limit)
{
    X509 *cert = X509_new();
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    for (int i = 0; i < PEER_NAMES_MAX + 1; i++)
        add_name(all, GEN_DNS, "x", 1);
    char *names = names_of(cert, all);
    cr_assert_eq(strlen(names), PEER_NAMES_MAX * strlen("dns:x;"));
    free(names);
}

Test(peer_names, one_without_names_has_none)
{
    cr_assert_null(names_of(X509_new(), NULL));
}
