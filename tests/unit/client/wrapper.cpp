// shunt.hpp against a real shuntd: what is owned is freed, what fails throws.
#include "client/shunt.hpp"
#include "client/shunt_triage.h"

#include <cstdio>
#include <cstdlib>

extern "C" {
#include "broker.h"
}

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                            \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

using namespace std::chrono_literals;

static const auto WAIT = 20s;

static int code_of(const std::function<void()> &f)
{
    try {
        f();
    } catch (const libshunt::error &e) {
        EXPECT(*e.what() && *e.name());
        return e.code();
    }
    return SHUNT_OK;
}

static int64_t figure(libshunt::connection &c, const char *name)
{
    return c.ask([](shunt *s, shunt_value **v, shunt_error *e) {
                return shunt_group_show(s, "orders", "default", 20000, v, e);
            })[name]
        .integer();
}

static void a_message_goes_round(libshunt::connection &c)
{
    EXPECT(c.publish("orders", libshunt::message("hello").header("from", "test").key("k").split(8, 11), WAIT) == 1);
    libshunt::consumer orders = c.subscribe("orders");
    {
        auto d = orders.next(WAIT);
        EXPECT(d && d->body() == "hello" && d->key() == "k#3" && d->base_key() == "k" && d->header("from") == "test" && !d->header("none"));
        EXPECT(std::string(d->id()) == "orders/1" && d->deliveries() == 1 && d->lease_left() > 1s);
    } // not answered: it goes back
    auto again = orders.next(WAIT);
    EXPECT(again && again->deliveries() == 2 && again->attempts() == 0);
    libshunt::delivery moved = std::move(*again);
    moved.extend(60s);
    moved.ack();
    EXPECT(!orders.next(0ms));
    orders.unsubscribe();
    EXPECT(figure(c, "acked") == 1);
}

static void failures_have_reasons(libshunt::connection &c)
{
    c.publish("orders", libshunt::message("bad"));
    libshunt::consumer orders = c.subscribe("orders");
    orders.next(WAIT)->reject({"bad_json", "line 3", "", ""});
    libshunt::value causes = c.ask([](shunt *s, shunt_value **v, shunt_error *e) {
        return shunt_dlq_causes(s, "orders", nullptr, 20000, v, e);
    });
    EXPECT(causes.count() == 1);
    EXPECT(!causes.at(0)["no such key"] && causes.at(7).text().empty());
    libshunt::consumer dlq = c.subscribe("dlq:orders:default");
    std::optional<libshunt::delivery> d = dlq.next(WAIT);
    EXPECT(d->dead()["reason"].text() == "rejected" && d->dead()["history"].at(0)["error_message"].text() == "line 3");
}

static void what_fails_throws(libshunt::connection &c)
{
    EXPECT(code_of([&] { c.publish("nowhere", libshunt::message("x")); }) == SHUNT_UNKNOWN_TOPIC);
    EXPECT(code_of([&] { c.subscribe("nowhere"); }) == SHUNT_UNKNOWN_TOPIC);
    EXPECT(code_of([&] { libshunt::connection bad("http://x"); }) == SHUNT_BAD_ARGUMENT);
    EXPECT(code_of([&] { libshunt::message("x").key(""); }) == SHUNT_BAD_ARGUMENT);
    EXPECT(code_of([&] { libshunt::message("x").split(8, 0); }) == SHUNT_BAD_ARGUMENT);
    EXPECT(code_of([&] {
               libshunt::call([&](shunt_error *e) { return shunt_topic_delete(c.get(), "nowhere", 20000, nullptr, e); });
           }) == SHUNT_UNKNOWN_TOPIC);
}

static void callbacks_may_be_anything(libshunt::connection &c)
{
    int heard = 0, thrown = 0;
    for (int i = 0; i < 10; i++) {
        EXPECT(c.publish_async("orders", libshunt::message(std::to_string(i)), [&heard, i](uint64_t seq, const shunt_error *err) {
            EXPECT(seq != 0 && !err);
            heard++;
            if (i == 3)
                throw i;
        }));
    }
    for (bool done = false; !done;) {
        try {
            c.flush(WAIT);
            done = true;
        } catch (int) {
            thrown++;
        }
    }
    EXPECT(heard == 10 && thrown == 1);
}

static void a_worker_takes_any_callable(libshunt::connection &c)
{
    int handled = 0;
    c.work("orders", nullptr, {{"drain", "yes"}}, [&](const libshunt::received &d, shunt_verdict *) {
        handled++;
        if (d.body() == "7")
            throw std::runtime_error("seven");
        return SHUNT_ACK;
    });
    EXPECT(handled == 10 && figure(c, "dead") == 2);
}

// Callbacks that throw while their connection ends: it ends all the same, and each is made.
static void a_connection_ends_whatever_is_thrown(const char *url)
{
    int heard = 0;
    {
        libshunt::connection c(url);
        for (int i = 0; i < 3; i++) {
            c.publish_async("orders", libshunt::message("x"), [&heard](uint64_t, const shunt_error *err) {
                EXPECT(err && err->code == SHUNT_CLOSED);
                heard++;
                throw heard;
            });
        }
    }
    EXPECT(heard == 3);
}

int main()
{
    broker b{};
    broker_start(&b);
    {
        libshunt::connection c(b.url, {{"client", "wrapper"}});
        c.connect(WAIT);
        c.topic_create("orders", {{"max-attempts", "3"}});
        a_message_goes_round(c);
        failures_have_reasons(c);
        what_fails_throws(c);
        callbacks_may_be_anything(c);
        a_worker_takes_any_callable(c);
        c.close();
    }
    a_connection_ends_whatever_is_thrown(b.url);
    broker_stop(&b);
    return 0;
}
