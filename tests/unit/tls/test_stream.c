/* test_stream: two ends of TLS in memory, and what may come that no honest end sends. */
#include "tests/unit/tls/certs.h"
#include "tls/stream.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* Two ends, and what each has read. */
struct pair {
    struct certs certs;
    struct tls_context *context;
    struct tls_stream server, client;
    size_t piece; /* bytes that are carried at a time; 0: all */
    uint8_t *got_server, *got_client;
    size_t server_size, client_size;
};

#define GOT_BYTES (4u << 20)

static void start_as(struct pair *p, enum tls_client_auth auth, int version_min, bool shows, int version_max)
{
    *p = (struct pair){0};
    certs_make(&p->certs);
    p->context = server_context(&p->certs, &p->certs.server, auth, version_min);
    p->got_server = malloc(GOT_BYTES);
    p->got_client = malloc(GOT_BYTES);
    cr_assert(p->got_server && p->got_client);
    cr_assert(tls_stream_begin(&p->server, tls_context_accept(p->context)));
    cr_assert(
        tls_stream_begin(&p->client, client_end(&p->certs, shows ? &p->certs.client : NULL, version_max)));
}

static void start(struct pair *p)
{
    start_as(p, TLS_CLIENT_AUTH_OFF, 13, false, 13);
}

static void stop(struct pair *p)
{
    tls_stream_done(&p->server);
    tls_stream_done(&p->client);
    tls_context_free(p->context);
    certs_remove(&p->certs);
    free(p->got_server);
    free(p->got_client);
}

/* Give `size` bytes to one end, and read what comes of them. */
static void give(struct tls_stream *to, const void *bytes, size_t size, uint8_t *got, size_t *got_size)
{
    tls_stream_feed(to, bytes, size);
    size_t before;
    do {
        before = *got_size;
        *got_size += tls_stream_read(to, got + *got_size, GOT_BYTES - *got_size);
    } while (*got_size > before);
    if (to->state == TLS_OPEN || to->state == TLS_HANDSHAKE)
        cr_assert_eq(tls_stream_left(to), 0);
    tls_stream_drop(to);
}

/* True if there was anything to carry. */
static bool carry(struct pair *p, bool to_server)
{
    struct tls_stream *from = to_server ? &p->client : &p->server, *to = to_server ? &p->server : &p->client;
    struct slice out = tls_stream_out(from);
    size_t size = p->piece && p->piece < out.size ? p->piece : out.size;
    if (size == 0)
        return false;
    uint8_t *got = to_server ? p->got_server : p->got_client;
    size_t *got_size = to_server ? &p->server_size : &p->client_size;
    if (to->state == TLS_HANDSHAKE || to->state == TLS_OPEN)
        give(to, out.data, size, got, got_size);
    tls_stream_sent(from, size);
    return true;
}

static void settle(struct pair *p)
{
    if (p->client.state == TLS_HANDSHAKE)
        tls_stream_read(&p->client, NULL, 0);
    while (carry(p, true) || carry(p, false))
        continue;
}

static void shake(struct pair *p)
{
    settle(p);
    cr_assert_eq(p->server.state, TLS_OPEN, "%s", p->server.why);
    cr_assert_eq(p->client.state, TLS_OPEN, "%s", p->client.why);
}

static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
}

Test(stream, bytes_arrive_however_the_records_are_torn)
{
    static const size_t pieces[] = {1, 2, 5, 7, 1000, 0};
    enum { SIZE = 70000 };
    static uint8_t bytes[SIZE];
    fill(bytes, SIZE);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct pair p;
        start(&p);
        p.piece = pieces[i];
        shake(&p);
        cr_assert(tls_stream_write(&p.client, bytes, SIZE));
        cr_assert(tls_stream_write(&p.server, bytes, SIZE / 2));
        settle(&p);
        cr_assert_eq(p.server_size, SIZE);
        cr_assert_eq(memcmp(p.got_server, bytes, SIZE), 0);
        cr_assert_eq(p.client_size, SIZE / 2);
        cr_assert_eq(memcmp(p.got_client, bytes, SIZE / 2), 0);
        stop(&p);
    }
}

Test(stream, what_there_was_no_room_for_is_kept_and_read_later)
{
    struct pair p;
    uint8_t bytes[3000], got[3000];
    fill(bytes, sizeof bytes);
    start(&p);
    shake(&p);
    cr_assert(tls_stream_write(&p.client, bytes, 1000));
    cr_assert(tls_stream_write(&p.client, bytes + 1000, 2000));
    struct slice out = tls_stream_out(&p.client);
    uint8_t *lent = malloc(out.size);
    memcpy(lent, out.data, out.size);
    tls_stream_feed(&p.server, lent, out.size);
    cr_assert_eq(tls_stream_read(&p.server, got, 300), 300);
    cr_assert(tls_stream_has_more(&p.server));
    cr_assert(tls_stream_keep(&p.server));
    memset(lent, 0, out.size);
    free(lent);
    size_t size = 300;
    while (tls_stream_has_more(&p.server))
        size += tls_stream_read(&p.server, got + size, 400);
    cr_assert_eq(size, sizeof got);
    cr_assert_eq(memcmp(got, bytes, sizeof got), 0);
    stop(&p);
}

Test(stream, in_the_middle_of_a_record_it_is_partial_and_nowhere_else)
{
    struct pair p;
    uint8_t got[64];
    start(&p);
    shake(&p);
    cr_assert_not(tls_stream_is_partial(&p.server));
    cr_assert(tls_stream_write(&p.client, "hello", 5));
    struct slice out = tls_stream_out(&p.client);
    for (size_t i = 0; i < out.size; i++) {
        tls_stream_feed(&p.server, (const uint8_t *)out.data + i, 1);
        size_t size = tls_stream_read(&p.server, got, sizeof got);
        cr_assert_eq(size, i + 1 < out.size ? 0 : 5);
        if (i + 1 == out.size)
            (void)tls_stream_read(&p.server, got, sizeof got);
        cr_assert_eq(tls_stream_is_partial(&p.server), i + 1 < out.size, "after %zu bytes", i + 1);
    }
    stop(&p);
}

Test(stream, garbage_in_the_place_of_a_handshake_fails_with_an_alert)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff", 10}, /* a ClientHello that is none */
        {"\x16\x03\x01\xff\xff", 5},                      /* longer than a record may be */
        {"\x16\x00\x00\x00\x01\x00", 6},                  /* no version of TLS */
        {"\x17\x03\x03\x00\x01\x00", 6},                  /* data before the handshake */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pair p;
        start(&p);
        give(&p.server, rows[i].bytes, rows[i].size, p.got_server, &p.server_size);
        cr_assert_eq(p.server.state, TLS_FAILED, "row %zu", i);
        cr_assert_neq(p.server.why[0], '\0');
        cr_assert_eq(p.server_size, 0);
        stop(&p);
    }
}

Test(stream, a_damaged_record_gives_not_one_byte)
{
    struct pair p;
    start(&p);
    shake(&p);
    cr_assert(tls_stream_write(&p.client, "hello", 5));
    struct slice out = tls_stream_out(&p.client);
    uint8_t *bad = malloc(out.size);
    memcpy(bad, out.data, out.size);
    bad[out.size - 1] ^= 1;
    give(&p.server, bad, out.size, p.got_server, &p.server_size);
    free(bad);
    cr_assert_eq(p.server.state, TLS_FAILED);
    cr_assert_eq(p.server_size, 0);
    cr_assert(strstr(p.server.why, "damaged"), "%s", p.server.why);
    cr_assert_gt(tls_stream_out(&p.server).size, 0, "there is no alert");
    settle(&p);
    cr_assert_eq(p.client.state, TLS_FAILED, "the alert did not reach the other end");
    stop(&p);
}

Test(stream, a_record_may_be_as_long_as_tls_allows_and_no_longer)
{
    enum { LONGEST = 16384 + 256 };
    static uint8_t record[5 + LONGEST + 1];
    for (int more = 0; more <= 1; more++) {
        struct pair p;
        start(&p);
        shake(&p);
        size_t size = LONGEST + more;
        memcpy(record, "\x17\x03\x03", 3);
        record[3] = (uint8_t)(size >> 8);
        record[4] = (uint8_t)size;
        give(&p.server, record, 5, p.got_server, &p.server_size);
        cr_assert_eq(p.server.state, more ? TLS_FAILED : TLS_OPEN, "%s", p.server.why);
        if (more)
            cr_assert(strstr(p.server.why, "longer"), "%s", p.server.why);
        stop(&p);
    }
}

Test(stream, the_end_must_be_told)
{
    struct pair p;
    start(&p);
    shake(&p);
    cr_assert(tls_stream_write(&p.client, "last", 4));
    tls_stream_end(&p.client);
    settle(&p);
    cr_assert_eq(p.server_size, 4);
    cr_assert_eq(p.server.state, TLS_ENDED);
    cr_assert(tls_stream_write(&p.server, "answer", 6), "the other direction goes on");
    settle(&p);
    cr_assert_eq(p.client_size, 6);
    tls_stream_end(&p.server);
    settle(&p);
    cr_assert_eq(p.client.state, TLS_ENDED);
    stop(&p);
}

/* A message of the handshake whose length says that more is to come, in records of 16 KiB. */
Test(stream, a_handshake_may_be_so_long_and_no_longer)
{
    static uint8_t record[16384];
    struct pair p;
    start(&p);
    memcpy(record, "\x16\x03\x01\x3f\xfb", 5);
    memcpy(record + 5, "\x01\x01\xff\xff", 4); /* the first begins a ClientHello of 128 KiB */
    for (size_t sent = 0; sent < TLS_HANDSHAKE_BYTES_MAX; sent += sizeof record) {
        give(&p.server, record, sizeof record, p.got_server, &p.server_size);
        cr_assert_eq(p.server.state, TLS_HANDSHAKE, "after %zu bytes: %s", sent, p.server.why);
        memset(record + 5, 0, 4);
    }
    cr_assert_eq(p.server.handshake_bytes, TLS_HANDSHAKE_BYTES_MAX);
    give(&p.server, record, 1, p.got_server, &p.server_size);
    cr_assert_eq(p.server.state, TLS_FAILED);
    cr_assert(strstr(p.server.why, "64 KiB"), "%s", p.server.why);
    stop(&p);
}

static void new_keys(struct pair *p)
{
    cr_assert_eq(SSL_key_update(p->client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    cr_assert_eq(SSL_do_handshake(p->client.ssl), 1);
    settle(p);
}

Test(stream, new_keys_may_be_asked_for_so_often_and_no_oftener)
{
    struct pair p;
    start(&p);
    shake(&p);
    for (unsigned i = 0; i < TLS_KEY_UPDATES_MAX; i++)
        new_keys(&p);
    cr_assert(tls_stream_write(&p.client, "hello", 5));
    settle(&p);
    cr_assert_eq(p.server_size, 5);
    new_keys(&p);
    cr_assert_eq(p.server.state, TLS_FAILED);
    cr_assert(strstr(p.server.why, "new keys"), "%s", p.server.why);
    stop(&p);
}

Test(stream, a_second_handshake_on_one_connection_is_refused)
{
    struct pair p;
    start_as(&p, TLS_CLIENT_AUTH_OFF, 12, false, 12);
    shake(&p);
    cr_assert_eq(SSL_renegotiate(p.client.ssl), 1);
    (void)SSL_do_handshake(p.client.ssl);
    cr_assert_gt(tls_stream_out(&p.client).size, 0, "the client asks for none");
    carry(&p, true);
    cr_assert_lt(tls_stream_out(&p.server).size, 100, "that is more than an alert");
    cr_assert_eq(SSL_num_renegotiations(p.server.ssl), 0);
    stop(&p);
}

Test(stream, versions_and_certificates_of_clients_are_asked_for_as_set)
{
    static const struct {
        enum tls_client_auth auth;
        int least;
        bool shows;
        int most;
        enum tls_state end;
        const char *why;
    } rows[] = {
        {TLS_CLIENT_AUTH_OFF, 13, false, 13, TLS_OPEN, ""},
        {TLS_CLIENT_AUTH_OFF, 13, true, 13, TLS_OPEN, ""},
        {TLS_CLIENT_AUTH_OFF, 13, false, 12, TLS_FAILED, "tls-min-version"},
        {TLS_CLIENT_AUTH_OFF, 12, false, 12, TLS_OPEN, ""},
        {TLS_CLIENT_AUTH_OFF, 12, false, 13, TLS_OPEN, ""},
        {TLS_CLIENT_AUTH_REQUEST, 13, false, 13, TLS_OPEN, ""},
        {TLS_CLIENT_AUTH_REQUEST, 13, true, 13, TLS_OPEN, ""},
        {TLS_CLIENT_AUTH_REQUIRE, 13, true, 13, TLS_OPEN, ""},
        {TLS_CLIENT_AUTH_REQUIRE, 13, false, 13, TLS_FAILED, "tls-client-auth"},
        {TLS_CLIENT_AUTH_REQUIRE, 12, false, 12, TLS_FAILED, "tls-client-auth"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pair p;
        start_as(&p, rows[i].auth, rows[i].least, rows[i].shows, rows[i].most);
        settle(&p);
        cr_assert_eq(p.server.state, rows[i].end, "row %zu: %s", i, p.server.why);
        cr_assert(strstr(p.server.why, rows[i].why), "row %zu: %s", i, p.server.why);
        stop(&p);
    }
}

Test(stream, a_clients_certificate_of_another_authority_is_refused_even_if_none_is_needed)
{
    struct pair p;
    start_as(&p, TLS_CLIENT_AUTH_REQUEST, 13, false, 13);
    tls_stream_done(&p.client);
    p.client = (struct tls_stream){0};
    cr_assert(tls_stream_begin(&p.client, client_end(&p.certs, &p.certs.stranger, 13)));
    settle(&p);
    cr_assert_eq(p.server.state, TLS_FAILED);
    cr_assert(strstr(p.server.why, "authority is not known"), "%s", p.server.why);
    stop(&p);
}
