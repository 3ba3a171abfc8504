/* The judge of histories: a good one passes, and each way to break a promise is found and named. */
#include "tests/history/history.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* One message is acked, one rejected, one fails twice and dies; nothing is wrong. Lines are numbered from 0.
 */
static const char *const good[] = {
    "{'t':1,'e':'group','topic':'o','group':'g','max_attempts':2}",
    "{'t':2,'e':'client','client':1,'marks':true}",
    "{'t':3,'e':'publish','op':1,'topic':'o','body':'aa'}",
    "{'t':4,'e':'publish','op':2,'topic':'o','body':'bb'}",
    "{'t':5,'e':'publish','op':3,'topic':'o','body':'cc'}",
    "{'t':6,'e':'published','op':1,'seq':1}",
    "{'t':7,'e':'published','op':2,'seq':2}",
    "{'t':8,'e':'published','op':3,'seq':3}",
    "{'t':10,'e':'deliver','client':1,'topic':'o','group':'g','seq':1,'token':1,'attempts':0,'deliveries':1,'"
    "generation':0,'body':'aa'}",
    "{'t':11,'e':'resolve','op':4,'client':1,'topic':'o','group':'g','seq':1,'token':1,'outcome':'ack'}",
    "{'t':12,'e':'resolved','op':4,'result':'ok'}",
    "{'t':13,'e':'deliver','client':1,'topic':'o','group':'g','seq':2,'token':1,'attempts':0,'deliveries':1,'"
    "generation':0,'body':'bb'}",
    "{'t':14,'e':'resolve','op':5,'client':1,'topic':'o','group':'g','seq':2,'token':1,'outcome':'reject'}",
    "{'t':15,'e':'resolved','op':5,'result':'ok'}",
    "{'t':16,'e':'deliver','client':1,'topic':'o','group':'g','seq':3,'token':1,'attempts':0,'deliveries':1,'"
    "generation':0,'body':'cc'}",
    "{'t':17,'e':'resolve','op':6,'client':1,'topic':'o','group':'g','seq':3,'token':1,'outcome':'nack'}",
    "{'t':18,'e':'resolved','op':6,'result':'ok'}",
    "{'t':19,'e':'deliver','client':1,'topic':'o','group':'g','seq':3,'token':2,'attempts':1,'deliveries':2,'"
    "generation':0,'body':'cc'}",
    "{'t':20,'e':'started','client':1,'topic':'o','group':'g','seq':3,'token':2}",
    "{'t':21,'e':'lost','client':1}",
    "{'t':90,'e':'dead','topic':'o','group':'g','seq':2,'attempts':1,'deliveries':1,'generation':0,'reason':'"
    "rejected','body':'bb'}",
    "{'t':91,'e':'dead','topic':'o','group':'g','seq':3,'attempts':2,'deliveries':2,'generation':0,'reason':'"
    "max_attempts','body':'cc'}",
    "{'t':92,'e':'counts','topic':'o','group':'g','published':3,'ready':0,'in_flight':0,'delayed':0,'dead':2,"
    "'acked':1,'expired':0,"
    "'discarded':0,'purged':0,'redriven':0}",
    "{'t':93,'e':'end','result':'ok'}",
};
#define LINES (sizeof good / sizeof *good)

struct lines {
    char text[16384];
    size_t size;
};

static void put(struct lines *to, const char *line)
{
    for (; *line; line++)
        to->text[to->size++] = *line == '\'' ? '"' : *line;
    to->text[to->size++] = '\n';
}

/* Line `without` is left out (-1: none), and `more` comes in its place. */
static struct history_verdict judge(int without, const char *more)
{
    struct lines lines = {.size = 0};
    struct history h = {0};
    struct history_verdict v;
    char why[300];
    for (int i = 0; i < (int)LINES; i++) {
        if (i != without)
            put(&lines, good[i]);
        else if (more)
            put(&lines, more);
    }
    if (without < 0 && more)
        put(&lines, more);
    FILE *file = fmemopen(lines.text, lines.size, "r");
    cr_assert(file && history_read(&h, file, why, sizeof why), "%s", why);
    (void)fclose(file);
    history_judge(&h, &v);
    history_done(&h);
    return v;
}

Test(history, a_good_one_passes_and_its_figures_are_right)
{
    struct history_verdict v = judge(-1, NULL);
    cr_assert_eq(v.problems, 0, "%s", v.text);
    cr_assert(v.confirmed == 3 && v.deliveries == 4 && v.acked == 1 && v.dead == 2 && v.redelivered == 1);
}

Test(history, unknown_outcomes_are_allowed_both_ways)
{
    struct history_verdict v = judge(10, NULL); /* the ack's answer never came, and the message is done */
    cr_assert_eq(v.problems, 0, "%s", v.text);
    v = judge(10, "{'t':30,'e':'deliver','client':2,'topic':'o','group':'g','seq':1,'token':2,'attempts':0,'"
                  "deliveries':2,'generation':0,"
                  "'body':'aa'}");
    cr_assert_eq(v.problems, 0, "it may come again: %s", v.text);
    v = judge(5, NULL); /* a publish that was not answered, and was stored */
    cr_assert_eq(v.problems, 0, "%s", v.text);
}

/* Without the flag it is a nack that was not counted, as the case below says. */
Test(history, a_group_with_a_breaker_may_leave_a_nack_uncharged)
{
    struct history_verdict v =
        judge(17, "{'t':19,'e':'deliver','client':1,'topic':'o','group':'g','seq':3,'token':2,'attempts':0,'"
                  "deliveries':2,'generation':0,'body':'cc'}\n"
                  "{'t':1,'e':'group','topic':'o','group':'g','max_attempts':2,'breaker':true}");
    cr_assert_eq(v.problems, 0, "%s", v.text);
}

struct broken {
    int line;
    const char *instead, *found;
};

#define DELIVER "'e':'deliver','client':2,'topic':'o','group':'g'"

static const struct broken cases[] = {
    {9, NULL, "answer to nothing"},
    {10, "{'t':12,'e':'resolved','op':4,'result':'stale'}", "lost"},
    {20, NULL, "neither dead nor redriven"},
    {-1, "{'t':50," DELIVER ",'seq':9,'token':1,'attempts':0,'deliveries':1,'generation':0,'body':'zz'}",
     "nobody published"},
    {5, "{'t':6,'e':'refused','op':1}", "was refused"},
    {-1, "{'t':50," DELIVER ",'seq':1,'token':2,'attempts':0,'deliveries':2,'generation':0,'body':'aa'}",
     "delivered after a confirmed ack"},
    {-1, "{'t':50," DELIVER ",'seq':2,'token':2,'attempts':1,'deliveries':2,'generation':0,'body':'bb'}",
     "delivered after a confirmed reject"},
    {17, "{'t':19," DELIVER ",'seq':3,'token':2,'attempts':1,'deliveries':1,'generation':0,'body':'cc'}",
     "one count for two deliveries"},
    {17, "{'t':19," DELIVER ",'seq':3,'token':2,'attempts':0,'deliveries':2,'generation':0,'body':'cc'}",
     "a confirmed nack was not counted"},
    {17, "{'t':19," DELIVER ",'seq':3,'token':2,'attempts':2,'deliveries':2,'generation':0,'body':'cc'}",
     "charged without a cause"},
    {17, "{'t':19," DELIVER ",'seq':3,'token':1,'attempts':1,'deliveries':2,'generation':0,'body':'cc'}",
     "no later token"},
    {17, "{'t':19," DELIVER ",'seq':3,'token':2,'attempts':1,'deliveries':2,'generation':0,'body':'bb'}",
     "body changed"},
    {17, "{'t':19," DELIVER ",'seq':3,'token':2,'attempts':0,'deliveries':1,'generation':1,'body':'cc'}",
     "redriven by nobody"},
    {-1, "{'t':16," DELIVER ",'seq':3,'token':3,'attempts':1,'deliveries':3,'generation':0,'body':'cc'}",
     "a stale token had effect"},
    {14,
     "{'t':16,'e':'deliver','client':1,'topic':'o','group':'g','seq':3,'token':1,'attempts':0,'deliveries':1,"
     "'generation':0,'body':'cc',"
     "'sent_us':16,'lease_ms':1000}\n"
     "{'t':16," DELIVER ",'seq':3,'token':9,'attempts':1,'deliveries':9,'generation':0,'body':'cc','sent_us':"
     "16,'lease_ms':1000}",
     "held by two at once"},
    {18, NULL, "dead without a cause"},
    {13, "{'t':15,'e':'resolved','op':5,'result':'stale'}", "dead without a cause"},
    {21,
     "{'t':91,'e':'dead','topic':'o','group':'g','seq':3,'attempts':1,'deliveries':2,'generation':0,'reason':"
     "'max_attempts','body':'cc'}",
     "dead before its last attempt"},
    {21,
     "{'t':91,'e':'dead','topic':'o','group':'g','seq':3,'attempts':2,'deliveries':2,'generation':0,'reason':"
     "'corrupt','body':'cc'}",
     "dead without a cause"},
    {21,
     "{'t':91,'e':'dead','topic':'o','group':'g','seq':3,'attempts':2,'deliveries':1,'generation':0,'reason':"
     "'max_attempts','body':'cc'}",
     "counts went down"},
    {-1,
     "{'t':91,'e':'dead','topic':'o','group':'g','seq':1,'attempts':0,'deliveries':1,'generation':0,'reason':"
     "'operator','body':'aa'}",
     "acked and dead"},
    {22,
     "{'t':92,'e':'counts','topic':'o','group':'g','published':3,'ready':0,'in_flight':0,'delayed':0,'dead':"
     "2,'acked':1,'expired':0,"
     "'discarded':0,'purged':0,'redriven':1}",
     "redrive does not conserve"},
    {22,
     "{'t':92,'e':'counts','topic':'o','group':'g','published':4,'ready':0,'in_flight':0,'delayed':0,'dead':"
     "2,'acked':1,'expired':0,"
     "'discarded':0,'purged':0,'redriven':0}",
     "not the sum of the states"},
    {22,
     "{'t':92,'e':'counts','topic':'o','group':'g','published':3,'ready':1,'in_flight':0,'delayed':0,'dead':"
     "2,'acked':0,'expired':0,"
     "'discarded':0,'purged':0,'redriven':0}",
     "not drained"},
    {23, "{'t':93,'e':'end','result':'error'}", "the drain did not finish"},
    {23, NULL, "did not say that it came to an end"},
};

Test(history, each_broken_promise_is_found)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct history_verdict v = judge(cases[i].line, cases[i].instead);
        cr_expect(v.problems && strstr(v.text, cases[i].found), "case %zu: expected \"%s\", found: %s", i,
                  cases[i].found, v.text);
    }
}

/* Another message, held from 9 us on for 1 ms and answered by nobody; then it comes to a second client. */
#define HELD                                                                                                 \
    "{'t':7,'e':'publish','op':20,'topic':'o','body':'dd'}\n{'t':8,'e':'published','op':20,'seq':4}\n"       \
    "{'t':16,'e':'deliver','client':1,'topic':'o','group':'g','seq':4,'token':1,'attempts':0,'deliveries':"  \
    "1,"                                                                                                     \
    "'generation':0,'body':'dd','sent_us':9,'lease_ms':1}\n"                                                 \
    "{'t':1010," DELIVER ",'seq':4,'token':2,'attempts':0,'deliveries':2,'generation':0,'body':'dd',"
#define LATE "{'t':1011,'e':'resolve','op':9,'client':1,'topic':'o','group':'g','seq':4,'token':1,'outcome':"

Test(history, a_message_passes_on_when_its_lease_has_run_out_and_not_before)
{
    /* Without the loss of the first client's connection. */
    struct history_verdict v = judge(19, HELD "'sent_by_us':1008}");
    cr_assert(strstr(v.text, "held by two at once"), "%s", v.text);
    v = judge(19, HELD "'sent_by_us':1009}");
    cr_assert(!strstr(v.text, "held by two at once"), "%s", v.text);
    cr_assert(v.passed == 1 && v.late == 0);
}

Test(history, who_answers_late_is_refused_or_had_effect)
{
    struct history_verdict v = judge(19, HELD "'sent_by_us':1009}\n" LATE
                                              "'ack'}\n{'t':1012,'e':'resolved','op':9,'result':'stale'}");
    cr_assert(v.late == 1 && !strstr(v.text, "a stale token had effect"), "%s", v.text);
    v = judge(-1,
              HELD "'sent_by_us':1009}\n" LATE "'extend'}\n{'t':1012,'e':'resolved','op':9,'result':'ok'}");
    cr_assert(strstr(v.text, "a stale token had effect"), "%s", v.text);
}

#define COPY                                                                                                 \
    "{'t':20,'e':'deliver','client':1,'topic':'p','group':'g','seq':1,'token':1,'attempts':0,'deliveries':"  \
    "1,"                                                                                                     \
    "'generation':0,'body':'bb'}"

Test(history, what_is_in_another_topic_than_it_was_published_to_was_moved_by_somebody)
{
    struct history_verdict v = judge(-1, COPY);
    cr_assert(strstr(v.text, "delivered what nobody published"), "%s", v.text);
    v = judge(-1, "{'t':5,'e':'move','topic':'p'}\n" COPY);
    cr_assert(!strstr(v.text, "delivered what nobody published"), "%s", v.text);
    v = judge(-1, "{'t':5,'e':'move','topic':'q'}\n" COPY);
    cr_assert(strstr(v.text, "delivered what nobody published"), "%s", v.text);
}

Test(history, what_is_written_is_read_back)
{
    struct history h = {0}, again = {0};
    char *text = NULL, why[300] = "";
    size_t size;
    for (int kind = 0; kind < HISTORY_KINDS; kind++) {
        struct history_event *e = history_note(&h, (enum history_kind)kind, kind);
        e->topic = history_name(&h, "topic");
        e->group = history_name(&h, "group");
        e->op = e->seq = e->token = 7;
        e->sent_us = e->sent_by_us = kind == HISTORY_DELIVER ? 5 : 0;
    }
    FILE *to = open_memstream(&text, &size);
    history_write(&h, to);
    (void)fclose(to);
    FILE *from = fmemopen(text, size, "r");
    cr_assert(history_read(&again, from, why, sizeof why), "%s", why);
    (void)fclose(from);
    cr_assert_eq(again.count, HISTORY_KINDS);
    for (size_t i = 0; i < again.count; i++) {
        cr_assert(again.events[i].kind == h.events[i].kind &&
                  again.events[i].sent_us == h.events[i].sent_us &&
                  again.events[i].sent_by_us == h.events[i].sent_by_us);
    }
    free(text);
    history_done(&h);
    history_done(&again);
}

Test(history, lines_that_are_none_are_refused)
{
    static const char *const lines[] = {"{'t':1,'e':'nothing'}\n",
                                        "{'t':1,'e':'publish','op':1,'topic':'o'}\n", "[]\n", "{\n",
                                        "{'t':1,'e':'resolved','op':1,'result':'perhaps'}\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct lines text = {.size = 0};
        struct history h = {0};
        char why[300] = "";
        put(&text, lines[i]);
        FILE *from = fmemopen(text.text, text.size, "r");
        cr_expect(!history_read(&h, from, why, sizeof why) && why[0], "case %zu", i);
        (void)fclose(from);
        history_done(&h);
    }
}
