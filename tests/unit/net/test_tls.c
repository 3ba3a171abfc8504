/* test_tls: connections whose clients speak TLS, over real sockets. */
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/mpack.h"
#include "tests/unit/net/tls_caller.h"
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct certs certs;
static struct tls_context *context;

static void begin(struct fixture *f, const struct net_limits *limits)
{
    certs_make(&certs);
    context = server_context(&certs, &certs.server, TLS_CLIENT_AUTH_OFF, 13);
    fixture_start_tls(f, limits, context);
}

static void end(struct fixture *f)
{
    fixture_stop(f);
    tls_context_free(context);
    certs_remove(&certs);
}

Test(tls, frames_and_answers_arrive_however_they_are_torn)
{
    struct fixture f;
    struct caller c;
    struct mpack_buffer b = {0};
    begin(&f, NULL);
    caller_call(&f, &certs, &c);
    step_until(&f, &c, c.tls.state == TLS_OPEN);
    write_hello(&b, 1);
    write_frame(&b, 2, 40, 'x');
    caller_say(&c, &b);
    struct slice out = tls_stream_out(&c.tls);
    for (size_t i = 0; i < out.size; i++)
        cr_assert(client_send(&f, c.fd, (const uint8_t *)out.data + i, 1));
    tls_stream_sent(&c.tls, out.size);
    fixture_until(&f, f.frames.size == b.size);
    cr_assert_eq(memcmp(f.frames.data, b.data, b.size), 0);
    engine_says(&f, 100000, false);
    step_until(&f, &c, c.size == 100000);
    for (size_t i = 0; i < c.size; i++) {
        if (c.got[i] != (uint8_t)i)
            cr_assert_fail("byte %zu is wrong", i);
    }
    cr_assert_eq(atomic_load(&f.link->account.unsent_bytes), 0);
    mpack_buffer_done(&b);
    caller_hang_up(&c);
    fixture_until(&f, f.lost == 1);
    end(&f);
}

Test(tls, a_stream_of_mixed_sizes_arrives_unchanged)
{
    struct fixture f;
    struct caller c;
    struct mpack_buffer b = {0};
    begin(&f, NULL);
    caller_greet(&f, &certs, &c);
    size_t hello = f.frames.size;
    for (unsigned i = 0; i < 60; i++)
        write_frame(&b, i, (i * 7919u) % 500000u, (uint8_t)i);
    caller_say(&c, &b);
    step_until(&f, &c, f.frames.size == hello + b.size);
    cr_assert_eq(memcmp(f.frames.data + hello, b.data, b.size), 0);
    mpack_buffer_done(&b);
    caller_hang_up(&c);
    end(&f);
}

/* Memory for unfinished frames is short, so what was decrypted has to wait in the middle of what came. */
Test(tls, where_memory_is_short_frames_wait_and_arrive_unchanged)
{
    struct fixture f;
    struct caller first, second;
    struct mpack_buffer b = {0};
    struct net_limits limits = fixture_limits();
    limits.partial_bytes_max = 1;
    begin(&f, &limits);
    caller_greet(&f, &certs, &first);
    caller_greet(&f, &certs, &second);
    size_t hellos = f.frames.size;
    write_frame(&b, 1, 300000, 'x');
    struct mpack_buffer half = {.data = b.data, .size = 150000},
                        rest = {.data = b.data + 150000, .size = b.size - 150000};
    caller_say(&first, &half);
    step_until(&f, &first, tls_stream_out(&first.tls).size == 0);
    caller_say(&second, &b);
    for (int i = 0; i < 200; i++)
        caller_step(&f, &second);
    cr_assert_eq(f.posts, 2, "there was memory for both");
    caller_say(&first, &rest);
    step_until(&f, &first, f.posts == 3);
    step_until(&f, &second, f.posts == 4);
    cr_assert_eq(f.frames.size, hellos + 2 * b.size);
    cr_assert_eq(memcmp(f.frames.data + hellos, b.data, b.size), 0);
    cr_assert_eq(memcmp(f.frames.data + hellos + b.size, b.data, b.size), 0);
    mpack_buffer_done(&b);
    caller_hang_up(&first);
    caller_hang_up(&second);
    end(&f);
}

Test(tls, a_client_that_does_not_read_is_not_read_until_it_does)
{
    struct fixture f;
    struct caller c;
    struct mpack_buffer b = {0};
    begin(&f, NULL);
    caller_greet(&f, &certs, &c);
    c.deaf = true;
    engine_says(&f, 7 << 20, false);
    fixture_until(&f, !f.outbox);
    write_frame(&b, 1, 10, 'x');
    caller_say(&c, &b);
    for (int i = 0; i < 200; i++)
        caller_step(&f, &c);
    cr_assert_eq(f.posts, 1);
    cr_assert_gt(atomic_load(&f.link->account.unsent_bytes), 1 << 20);
    c.deaf = false;
    step_until(&f, &c, c.size == 7 << 20);
    for (size_t i = 0; i < c.size; i++) {
        if (c.got[i] != (uint8_t)i)
            cr_assert_fail("byte %zu is wrong", i);
    }
    step_until(&f, &c, f.posts == 2);
    mpack_buffer_done(&b);
    caller_hang_up(&c);
    end(&f);
}

Test(tls, a_client_that_takes_nothing_is_closed)
{
    struct fixture f;
    struct caller c;
    struct net_limits limits = fixture_limits();
    limits.write_ms = 30;
    begin(&f, &limits);
    caller_greet(&f, &certs, &c);
    engine_says(&f, 32 << 20, false);
    fixture_until(&f, f.lost == 1 && net_connections(f.net) == 0);
    cr_assert_eq(f.events[NET_TIMED_OUT], 1);
    cr_assert_eq(atomic_load(&f.link->account.unsent_bytes), 0);
    caller_hang_up(&c);
    end(&f);
}

Test(tls, an_end_that_was_told_is_answered_and_one_that_was_not_is_a_loss)
{
    for (int told = 0; told <= 1; told++) {
        struct fixture f;
        struct caller c;
        begin(&f, NULL);
        caller_greet(&f, &certs, &c);
        if (told)
            tls_stream_end(&c.tls);
        step_until(&f, &c, tls_stream_out(&c.tls).size == 0);
        cr_assert_eq(shutdown(c.fd, SHUT_WR), 0);
        step_until(&f, &c, c.ended);
        cr_assert_eq(f.ended, (unsigned)told);
        cr_assert_eq(f.lost, 1);
        cr_assert_eq(c.tls.state, told ? TLS_ENDED : TLS_OPEN, "whom we cut off we owe no goodbye");
        caller_hang_up(&c);
        fixture_until(&f, net_connections(f.net) == 0);
        end(&f);
    }
}

Test(tls, the_server_says_close_notify_behind_the_last_answer)
{
    struct fixture f;
    struct caller c;
    begin(&f, NULL);
    caller_greet(&f, &certs, &c);
    engine_says(&f, 300000, true);
    step_until(&f, &c, c.ended);
    cr_assert_eq(c.size, 300000);
    cr_assert_eq(c.tls.state, TLS_ENDED);
    caller_hang_up(&c);
    fixture_until(&f, net_connections(f.net) == 0);
    end(&f);
}

Test(tls, plain_bytes_get_a_plain_answer_that_says_what_to_do)
{
    struct fixture f;
    uint64_t id = 99;
    begin(&f, NULL);
    int fd = client_connect(&f);
    client_hello(&f, fd);
    cr_assert_eq(client_receive_error(&f, fd, &id), SHUNT_PROTOCOL);
    cr_assert_eq(f.events[NET_TLS_FAILED], 1);
    cr_assert_eq(f.posts, 0);
    close(fd);
    fixture_until(&f, net_connections(f.net) == 0);
    end(&f);
}

Test(tls, damage_on_the_way_ends_the_connection_and_the_client_learns_it)
{
    struct fixture f;
    struct caller c;
    struct mpack_buffer b = {0};
    begin(&f, NULL);
    caller_greet(&f, &certs, &c);
    write_frame(&b, 1, 100, 'x');
    caller_say(&c, &b);
    cr_assert_gt(tls_stream_out(&c.tls).size, 100);
    c.tls.out[c.tls.out_sent + 20] ^= 1;
    step_until(&f, &c, c.ended);
    cr_assert_eq(c.tls.state, TLS_FAILED, "no alert came");
    cr_assert_eq(f.posts, 1);
    cr_assert_eq(f.lost, 1);
    cr_assert_eq(f.events[NET_TLS_FAILED], 1);
    mpack_buffer_done(&b);
    caller_hang_up(&c);
    fixture_until(&f, net_connections(f.net) == 0);
    end(&f);
}

/* Have sent the beginning of a handshake, and then nothing. */
static void half_shake(struct fixture *f, struct caller *c)
{
    caller_call(f, &certs, c);
    struct slice out = tls_stream_out(&c->tls);
    cr_assert(client_send(f, c->fd, out.data, out.size));
    tls_stream_sent(&c->tls, out.size);
    step_until(f, c, c->tls.handshake_bytes > 0); /* ServerHello came, and what follows it is not answered */
}

Test(tls, so_many_handshakes_may_be_under_way_and_one_more_ends_the_oldest)
{
    enum { MOST = 3, CROWD = 10 };
    struct fixture f;
    struct caller in, half[CROWD], late;
    struct mpack_buffer b = {0};
    struct net_limits limits = fixture_limits();
    limits.handshakes_max = MOST;
    begin(&f, &limits);
    caller_greet(&f, &certs, &in);
    for (int i = 0; i < CROWD; i++) {
        half_shake(&f, &half[i]);
        unsigned gone = i < MOST ? 0 : (unsigned)i + 1 - MOST;
        fixture_until(&f, net_connections(f.net) == (uint64_t)i + 2 - gone);
        cr_assert_eq(f.events[NET_CROWDED_OUT], gone, "after %d", i + 1);
    }
    write_frame(&b, 1, 10, 'x');
    caller_say(&in, &b);
    step_until(&f, &in, f.posts == 2);                                       /* who is in goes on */
    caller_greet(&f, &certs, &late);                                         /* who comes now is let in, */
    step_until(&f, &half[CROWD - 1], half[CROWD - 1].tls.state == TLS_OPEN); /* and who was last may go on */
    mpack_buffer_done(&b);
    for (int i = 0; i < CROWD; i++)
        caller_hang_up(&half[i]);
    caller_hang_up(&in);
    caller_hang_up(&late);
    fixture_until(&f, net_connections(f.net) == 0);
    end(&f);
}

Test(tls, a_handshake_that_is_not_done_in_time_is_ended)
{
    struct fixture f;
    struct caller silent, half;
    struct net_limits limits = fixture_limits();
    limits.hello_ms = 30;
    begin(&f, &limits);
    caller_call(&f, &certs, &silent); /* has connected, and sends nothing */
    caller_call(&f, &certs, &half);
    struct slice out = tls_stream_out(&half.tls);
    cr_assert(client_send(&f, half.fd, out.data, out.size / 2));
    fixture_until(&f, f.events[NET_TIMED_OUT] == 2 && net_connections(f.net) == 0);
    caller_hang_up(&silent);
    caller_hang_up(&half);
    end(&f);
}

Test(tls, a_client_that_stops_inside_a_record_is_closed_and_one_between_two_is_not)
{
    struct fixture f;
    struct caller idle, slow;
    struct mpack_buffer b = {0};
    struct net_limits limits = fixture_limits();
    limits.frame_ms = 30;
    begin(&f, &limits);
    caller_greet(&f, &certs, &idle);
    caller_greet(&f, &certs, &slow);
    write_frame(&b, 1, 100, 'x');
    caller_say(&slow, &b);
    cr_assert(client_send(&f, slow.fd, tls_stream_out(&slow.tls).data, 40));
    fixture_until(&f, f.events[NET_TIMED_OUT] == 1);
    cr_assert_eq(f.lost, 1);
    cr_assert_eq(f.posts, 2);
    caller_hang_up(&slow);
    fixture_until(&f, net_connections(f.net) == 1);
    mpack_buffer_done(&b);
    caller_hang_up(&idle);
    end(&f);
}

Test(tls, past_the_limit_on_connections_a_client_is_told_too_many)
{
    struct fixture f;
    struct caller a, b;
    struct net_limits limits = fixture_limits();
    limits.connections_max = 1;
    begin(&f, &limits);
    caller_greet(&f, &certs, &a);
    caller_call(&f, &certs, &b);
    step_until(&f, &b, b.ended);
    struct slice payload;
    size_t need;
    const char *why;
    struct mpack_reader r;
    cr_assert_eq(frame_next(b.got, b.size, FRAME_BYTES_MAX, &payload, &need, &why), FRAME_WHOLE);
    mpack_read_init(&r, payload.data, payload.size);
    cr_assert_geq(mpack_read_array(&r), 3);
    (void)mpack_read_uint(&r);
    (void)mpack_read_uint(&r);
    cr_assert_eq(mpack_read_uint(&r), SHUNT_TOO_MANY);
    caller_hang_up(&a);
    caller_hang_up(&b);
    fixture_until(&f, net_connections(f.net) == 0);
    end(&f);
}

Test(tls, a_new_certificate_is_for_those_who_come_and_who_is_in_stays)
{
    struct fixture f;
    struct caller old, fresh;
    struct mpack_buffer b = {0};
    begin(&f, NULL);
    caller_greet(&f, &certs, &old);
    struct tls_context *renewed = server_context(&certs, &certs.renewed, TLS_CLIENT_AUTH_OFF, 13);
    net_tls_set(f.net, renewed);
    tls_context_free(context);
    context = renewed;
    caller_greet(&f, &certs, &fresh);
    char subject[64];
    X509 *shown = SSL_get1_peer_certificate(fresh.tls.ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, subject, sizeof subject);
    cr_assert_str_eq(subject, "renewed");
    X509_free(shown);
    write_frame(&b, 1, 10, 'x');
    caller_say(&old, &b);
    step_until(&f, &old, f.posts == 3);
    cr_assert_eq(f.lost, 0);
    mpack_buffer_done(&b);
    caller_hang_up(&old);
    caller_hang_up(&fresh);
    end(&f);
}

Test(tls, when_all_was_read_it_says_so_behind_what_lay_in_the_socket)
{
    struct fixture f;
    struct caller c;
    struct mpack_buffer b = {0};
    begin(&f, NULL);
    caller_greet(&f, &certs, &c);
    engine_asks(&f, 5);
    fixture_until(&f, f.caught_up == 1);
    f.full = true;
    write_frame(&b, 1, 100000, 'x');
    caller_say(&c, &b);
    for (int i = 0; i < 50; i++)
        caller_step(&f, &c);
    engine_asks(&f, 6);
    for (int i = 0; i < 50; i++)
        caller_step(&f, &c);
    cr_assert_eq(f.posts, 1);
    cr_assert_eq(f.caught_up, 1, "its answer may lie in the socket");
    f.full = false;
    net_notify(f.net);
    step_until(&f, &c, f.caught_up == 2);
    cr_assert_eq(f.asked_ms, 6);
    cr_assert_eq(f.posts_before, 2, "the frame came first");
    mpack_buffer_done(&b);
    caller_hang_up(&c);
    end(&f);
}

/* What an idle connection, and one that has not spoken yet, costs the server; the clients' ends are not counted. */
Test(tls, a_silent_connection_costs_a_few_kib_and_an_idle_one_some_more)
{
    enum { COUNT = 50 };
    struct fixture f;
    struct caller c[COUNT];
    int fds[COUNT];
    begin(&f, NULL);
    caller_greet(&f, &certs, &c[0]); /* what is shared is there after this */
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < COUNT; i++)
        fds[i] = client_connect(&f);
    fixture_until(&f, net_connections(f.net) == COUNT + 1);
    size_t each = (mallinfo2().uordblks - before) / COUNT;
    cr_assert_lt(each, 4096, "%zu bytes", each);
    size_t both = 0;
    for (int i = 1; i < COUNT; i++) {
        before = mallinfo2().uordblks;
        caller_greet(&f, &certs, &c[i]);
        both += mallinfo2().uordblks - before;
    }
    before = mallinfo2().uordblks;
    for (int i = 1; i < COUNT; i++)
        tls_stream_done(&c[i].tls);
    size_t clients = before - mallinfo2().uordblks;
    each = (both - clients) / (COUNT - 1);
    cr_log_info("an idle connection: %zu bytes", each);
    cr_assert_lt(each, 32768, "%zu bytes", each);
    for (int i = 0; i < COUNT; i++) {
        close(fds[i]);
        if (i > 0) {
            close(c[i].fd);
            free(c[i].got);
        }
    }
    caller_hang_up(&c[0]);
    fixture_until(&f, net_connections(f.net) == 0);
    end(&f);
}
