/* peers: who has a place, and who gives way. The sockets are pairs, the clock is the test's. */
#include "broker/http/peers.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct peers peers;
static int others[2 * PEERS_DEFAULT]; /* the far ends */

static struct peer *enter(int i, int64_t now_ms)
{
    int pair[2];
    cr_assert(peers_enter(&peers, now_ms), "no place for %d", i);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    others[i] = pair[1];
    struct peer *peer = peers_begin(&peers, pair[0], now_ms);
    cr_assert_not_null(peer);
    return peer;
}

static bool was_told_to_leave(int i)
{
    char byte;
    ssize_t n = recv(others[i], &byte, 1, MSG_DONTWAIT);
    cr_assert(n == 0 || (n < 0 && errno == EAGAIN));
    return n == 0;
}

Test(peers, all_places_are_for_those_who_ask)
{
    (void)peers_init(&peers, PEERS_DEFAULT);
    for (int i = 0; i < PEERS_DEFAULT; i++)
        peers_asking(&peers, enter(i, 0), true, 0);
    cr_assert(!peers_enter(&peers, ANSWER_MS_MAX - 1));
    for (int i = 0; i < PEERS_DEFAULT; i++)
        cr_assert(!was_told_to_leave(i));
}

Test(peers, who_has_asked_for_nothing_for_longest_leaves)
{
    struct peer *list[PEERS_DEFAULT];
    (void)peers_init(&peers, PEERS_DEFAULT);
    for (int i = 0; i < PEERS_DEFAULT; i++)
        list[i] = enter(i, 0);
    peers_asking(&peers, list[0], true, 10);
    for (int i = 1; i < PEERS_DEFAULT; i++)
        peers_asking(&peers, list[i], false, i == 7 ? 20 : 30);
    cr_assert(!peers_enter(&peers, 20 + IDLE_MS_MIN - 1));
    cr_assert(peers_enter(&peers, 20 + IDLE_MS_MIN));
    for (int i = 0; i < PEERS_DEFAULT; i++)
        cr_assert_eq(was_told_to_leave(i), i == 7, "%d", i);
}

Test(peers, who_does_not_read_its_answer_leaves_in_the_end)
{
    struct peer *list[PEERS_DEFAULT];
    (void)peers_init(&peers, PEERS_DEFAULT);
    for (int i = 0; i < PEERS_DEFAULT; i++) {
        list[i] = enter(i, 0);
        peers_asking(&peers, list[i], true, i == 3 ? 0 : 500);
    }
    cr_assert(!peers_enter(&peers, ANSWER_MS_MAX - 1));
    cr_assert(peers_enter(&peers, ANSWER_MS_MAX));
    for (int i = 0; i < PEERS_DEFAULT; i++)
        cr_assert_eq(was_told_to_leave(i), i == 3, "%d", i);
}

Test(peers, those_who_leave_are_few_until_they_are_gone)
{
    struct peer *list[PEERS_DEFAULT];
    (void)peers_init(&peers, PEERS_DEFAULT);
    for (int i = 0; i < PEERS_DEFAULT; i++)
        list[i] = enter(i, i);
    const int64_t now_ms = 10 * IDLE_MS_MIN;
    for (int i = 0; i < PEERS_LEAVING_MAX; i++)
        peers_asking(&peers, enter(PEERS_DEFAULT + i, now_ms), true, now_ms);
    cr_assert(!peers_enter(&peers, now_ms), "more have a place than there are");
    peers_end(&peers, list[0]);
    cr_assert(peers_enter(&peers, now_ms));
}

Test(peers, those_who_were_handed_over_count_until_they_are_taken_or_lost)
{
    (void)peers_init(&peers, PEERS_DEFAULT);
    for (int i = 0; i < PEERS_DEFAULT; i++)
        cr_assert(peers_enter(&peers, 0));
    cr_assert(!peers_enter(&peers, 1000));
    peers_not_taken(&peers);
    cr_assert(peers_enter(&peers, 1000));
    cr_assert(!peers_enter(&peers, 2000));
    cr_assert(peers_enter(&peers, 2001), "those that were lost without a word keep their places for ever");
}

Test(peers, who_has_sent_half_a_request_for_longest_leaves)
{
    struct peer *list[PEERS_DEFAULT];
    (void)peers_init(&peers, PEERS_DEFAULT);
    for (int i = 0; i < PEERS_DEFAULT; i++) {
        list[i] = enter(i, 0);
        peers_begun(&peers, list[i], i == 5 ? 10 : 20);
    }
    cr_assert(!peers_enter(&peers, 10 + IDLE_MS_MIN - 1),
              "one that was silent before has time for its request");
    peers_came(&peers, list[5], BODY_BYTES_PER_MS - 1);
    cr_assert(peers_enter(&peers, 10 + IDLE_MS_MIN));
    for (int i = 0; i < PEERS_DEFAULT; i++)
        cr_assert_eq(was_told_to_leave(i), i == 5, "%d", i);
}

Test(peers, of_those_who_send_the_slowest_leaves_and_a_fast_one_at_last)
{
    struct peer *list[2];
    (void)peers_init(&peers, 2);
    for (int i = 0; i < 2; i++) {
        list[i] = enter(i, 0);
        peers_begun(&peers, list[i], i);
    }
    peers_came(&peers, list[0], 2 * BODY_BYTES_PER_MS);
    cr_assert(peers_enter(&peers, 1 + IDLE_MS_MIN));
    cr_assert(!was_told_to_leave(0) && was_told_to_leave(1), "the one who came first has sent more");
    peers_came(&peers, list[0], 1000000 * (size_t)BODY_BYTES_PER_MS);
    peers_press(&peers, 1 + IDLE_MS_MIN);
    cr_assert(!was_told_to_leave(0), "nobody needs its place");
    cr_assert(peers_enter(&peers, 1 + IDLE_MS_MIN));
    cr_assert(was_told_to_leave(0), "those who send a lot keep everybody else out");
}

Test(peers, what_came_of_one_request_does_not_count_for_the_next)
{
    struct peer *list[2];
    (void)peers_init(&peers, 2);
    for (int i = 0; i < 2; i++) {
        list[i] = enter(i, 0);
        peers_begun(&peers, list[i], 0);
    }
    peers_came(&peers, list[0], 1000 * (size_t)BODY_BYTES_PER_MS);
    peers_asking(&peers, list[0], true, 1);
    peers_asking(&peers, list[0], false, 2);
    peers_begun(&peers, list[1], 3);
    cr_assert(peers_enter(&peers, 3 + IDLE_MS_MIN));
    cr_assert(was_told_to_leave(0) && !was_told_to_leave(1));
}

/* ---- waiting for the last answers ---- */

#define HOUR_MS (3600 * 1000)

static void *read_or_leave(void *argument)
{
    struct peer **two = argument;
    peers_asking(&peers, two[0], false, 0);
    peers_end(&peers, two[1]);
    return NULL;
}

Test(peers, the_end_waits_until_nobody_asks_any_more, .timeout = 60)
{
    pthread_t thread;
    (void)peers_init(&peers, PEERS_DEFAULT);
    peers_wait(&peers, HOUR_MS); /* nobody is there */
    struct peer *two[] = {enter(0, 0), enter(1, 0)};
    enter(2, 0); /* and one who is silent */
    peers_wait(&peers, HOUR_MS);
    peers_asking(&peers, two[0], true, 0);
    peers_asking(&peers, two[1], true, 0);
    cr_assert_eq(pthread_create(&thread, NULL, read_or_leave, two), 0);
    peers_wait(&peers, HOUR_MS);
    cr_assert(!two[0]->asking && two[1]->fd < 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    peers_done(&peers);
}

Test(peers, the_end_does_not_wait_longer_for_one_who_does_not_read, .timeout = 60)
{
    (void)peers_init(&peers, PEERS_DEFAULT);
    peers_asking(&peers, enter(0, 0), true, 0);
    peers_wait(&peers, 1);
    peers_done(&peers);
}

static char *names_of(const char *name)
{
    char *names = calloc(1, strlen(name) + 2);
    cr_assert_not_null(names);
    return strcpy(names, name);
}

Test(peers, names_are_for_the_next_with_that_descriptor_alone)
{
    (void)peers_init(&peers, PEERS_DEFAULT);
    peers_named(&peers, 7, names_of("dns:a"));
    peers_named(&peers, 8, NULL);
    struct peer *other = peers_begin(&peers, 8, 0), *one = peers_begin(&peers, 7, 0);
    cr_assert_null(other->names);
    cr_assert_str_eq(one->names, "dns:a");
    peers_end(&peers, one);
    one = peers_begin(&peers, 7, 0);
    cr_assert_null(one->names, "they went with the one before");
    peers_end(&peers, one);
    peers_named(
        &peers, 7,
        names_of("dns:lost")); /* libmicrohttpd closes it without a word, and the number is used again */
    peers_named(&peers, 7, NULL);
    one = peers_begin(&peers, 7, 0);
    cr_assert_null(one->names);
    peers_end(&peers, one);
    peers_named(&peers, 7, names_of("dns:lost"));
    peers_named(&peers, 7, names_of("dns:b"));
    one = peers_begin(&peers, 7, 0);
    cr_assert_str_eq(one->names, "dns:b");
    peers_named(&peers, 9, names_of("dns:never"));
    peers_end(&peers, other);
    peers_end(&peers, one);
    peers_done(&peers);
}

Test(peers, names_beyond_the_places_are_nobodys)
{
    (void)peers_init(&peers, 1);
    for (int fd = 1; fd <= 1 + PEERS_LEAVING_MAX + 1; fd++)
        peers_named(&peers, fd, names_of("dns:a"));
    struct peer *last = peers_begin(&peers, 1 + PEERS_LEAVING_MAX + 1, 0);
    cr_assert_null(last->names);
    struct peer *first = peers_begin(&peers, 1, 0);
    cr_assert_str_eq(first->names, "dns:a");
    peers_end(&peers, last);
    peers_end(&peers, first);
    peers_done(&peers);
}
