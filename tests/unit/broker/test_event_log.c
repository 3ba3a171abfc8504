/* test_event_log: the log of what the engine did names who and how much, and is bounded. */
#include "broker/event_log.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rig {
    struct log log;
    struct event_log events;
    char path[64];
    char text[1 << 20];
};

static struct rig rig;

static void rig_start(void)
{
    strcpy(rig.path, "/tmp/event-log-XXXXXX");
    rig.log.fd = mkstemp(rig.path);
    cr_assert_geq(rig.log.fd, 0);
    cr_assert_eq(unlink(rig.path), 0);
    event_log_init(&rig.events, &rig.log);
}

/* All that was logged so far. */
static const char *logged(void)
{
    ssize_t size = pread(rig.log.fd, rig.text, sizeof rig.text - 1, 0);
    cr_assert_geq(size, 0);
    rig.text[size] = '\0';
    return rig.text;
}

static unsigned count_of(const char *what)
{
    unsigned count = 0;
    for (const char *at = logged(); (at = strstr(at, what)); at++)
        count++;
    return count;
}

static void die(const char *topic, uint64_t count, uint64_t seq, int64_t now_ms)
{
    struct event e = {.kind = EVENT_DEAD,
                      .topic = topic,
                      .group = "default",
                      .count = count,
                      .seq = seq,
                      .reason = DEAD_MAX_ATTEMPTS};
    event_log_write(&rig.events, &e, now_ms);
}

Test(event_log, an_act_says_who_from_where_and_how_much)
{
    struct event e = {.kind = EVENT_ACT,
                      .name = "dlq_purged",
                      .topic = "orders",
                      .group = "default",
                      .job = 7,
                      .count = 500,
                      .client = "night shift",
                      .host = "ops-1",
                      .peer = "10.0.0.1:5000"};
    rig_start();
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(), " level=info event=dlq_purged topic=orders group=default count=500 job=7 "
                               "client=\"night shift\" host=ops-1 peer=10.0.0.1:5000\n"),
              "%s", rig.text);
    e = (struct event){
        .kind = EVENT_ACT, .name = "topic_updated", .topic = "t", .asked = "ttl_ms=5", .why = "too old"};
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(), " event=topic_updated topic=t asked=\"ttl_ms=5\" reason=\"too old\"\n"), "%s",
              rig.text);
    e = (struct event){.kind = EVENT_JOB_DONE, .name = "redrive", .topic = "t", .job = 8, .count = 3};
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(), " event=job_done kind=redrive topic=t count=3 job=8\n"), "%s", rig.text);
}

Test(event_log, acts_in_a_loop_do_not_fill_the_log)
{
    struct event e = {.kind = EVENT_ACT, .name = "group_paused", .topic = "t", .group = "g"};
    rig_start();
    for (int i = 0; i < 1000; i++)
        event_log_write(&rig.events, &e, 5000);
    cr_assert_eq(count_of("event=group_paused"), EVENT_LOG_LINES_MAX);
    event_log_due(&rig.events, 5000 + EVENT_LOG_WINDOW_MS - 1, false);
    cr_assert_eq(count_of("event=lines_suppressed"), 0);
    event_log_due(&rig.events, 5000 + EVENT_LOG_WINDOW_MS, false);
    cr_assert_eq(count_of("event=lines_suppressed about=\"administrative acts\" count=900\n"), 1);
    event_log_write(&rig.events, &e, 5000 + EVENT_LOG_WINDOW_MS);
    cr_assert_eq(count_of("event=group_paused"), EVENT_LOG_LINES_MAX + 1);
}

Test(event_log, the_first_death_of_a_group_has_a_line_and_the_others_one_together)
{
    rig_start();
    die("t", 1, 1, 0);
    cr_assert(strstr(logged(), " level=warning event=dead_letters topic=t group=default count=1 newest=t/1 "
                               "reason=max_attempts\n"),
              "%s", rig.text);
    for (uint64_t i = 0; i < 100; i++)
        die("t", 10, 2 + i, 1);
    die("u", 1, 5, 1);
    cr_assert_eq(count_of("event=dead_letters"), 2, "another group has its own");
    event_log_due(&rig.events, EVENT_LOG_WINDOW_MS, false);
    cr_assert_eq(count_of("topic=t group=default count=1000 newest=t/101"), 1);
    event_log_due(&rig.events, 3 * EVENT_LOG_WINDOW_MS, false); /* nothing died since */
    die("t", 1, 200, 3 * EVENT_LOG_WINDOW_MS);
    cr_assert_eq(count_of("newest=t/200"), 1, "at once again");
    die("t", 1, 201, 3 * EVENT_LOG_WINDOW_MS);
    event_log_due(&rig.events, 3 * EVENT_LOG_WINDOW_MS, true);
    cr_assert_eq(count_of("newest=t/201"), 1, "nothing is lost at the end");
}

Test(event_log, deaths_in_many_groups_do_not_fill_the_log)
{
    rig_start();
    for (int i = 0; i < 1000; i++) {
        char topic[16];
        (void)snprintf(topic, sizeof topic, "t%d", i);
        die(topic, 2, 1, 0);
    }
    struct event nameless = {.kind = EVENT_DEAD, .count = 5};
    event_log_write(&rig.events, &nameless, 0);
    cr_assert_eq(count_of("event=dead_letters"), EVENT_LOG_GROUPS_MAX);
    event_log_due(&rig.events, 1, false);
    char line[128];
    (void)snprintf(line, sizeof line, "event=dead_letters of=\"further groups\" count=%d\n",
                   2 * (1000 - EVENT_LOG_GROUPS_MAX) + 5);
    cr_assert_eq(count_of(line), 1);
}

Test(event_log, overdue_letters_have_lines_of_their_own)
{
    struct event e = {
        .kind = EVENT_OVERDUE, .topic = "t", .group = "default", .count = 2, .seq = 7, .died_ms = 5};
    rig_start();
    die("t", 3, 1, 0);
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(),
                     " level=warning event=dead_letters_overdue topic=t group=default count=2 oldest=t/7\n"),
              "%s", rig.text);
    for (e.seq = 8; e.seq < 20; e.seq++)
        event_log_write(&rig.events, &e, 1);
    cr_assert_eq(count_of("event=dead_letters_overdue"), 1);
    event_log_due(&rig.events, EVENT_LOG_WINDOW_MS, false);
    cr_assert_eq(count_of("event=dead_letters_overdue topic=t group=default count=24 oldest=t/8\n"), 1);
}

Test(event_log, causes_are_named_and_bounded)
{
    struct event e = {.kind = EVENT_CAUSE,
                      .topic = "t",
                      .group = "default",
                      .cause = 0xabc,
                      .seq = 7,
                      .title = "E: no \"route\""};
    rig_start();
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(), " level=info event=cause_new topic=t group=default cause=0000000000000abc "
                               "title=\"E: no \\\"route\\\"\" message=t/7\n"),
              "%s", rig.text);
    e.regressed = true;
    for (int i = 0; i < 1000; i++)
        event_log_write(&rig.events, &e, 5);
    cr_assert_eq(count_of(" level=warning event=cause_regressed "), EVENT_LOG_LINES_MAX - 1);
    event_log_due(&rig.events, 5, true);
    cr_assert_eq(count_of("about=\"causes of dead letters\" count=901\n"), 1);
}

Test(event_log, a_full_store_and_room_again)
{
    struct event e = {.kind = EVENT_FULL,
                      .limit = "map",
                      .free_bytes = 1,
                      .reserve_bytes = 4,
                      .map_bytes = 2,
                      .map_bytes_max = 3};
    rig_start();
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(), " level=error event=store_full limit=map free=1 kept=4 map=2 map_max=3 why="),
              "%s", rig.text);
    cr_assert(strstr(rig.text, "raise map-size-max"));
    e.limit = "disk";
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(), " event=store_full limit=disk free=1 kept=4 map=2 map_max=3 why="), "%s",
              rig.text);
    cr_assert(strstr(rig.text, "make room on the disk"));
    e.kind = EVENT_ROOM;
    event_log_write(&rig.events, &e, 0);
    cr_assert(strstr(logged(), " level=info event=store_has_room limit=disk free=1 kept=4 map=2 map_max=3\n"),
              "%s", rig.text);
}
