// shunt.hpp: the C client for C++17. Header only; needs shunt.h and libshunt.
//
//   libshunt::connection c("shunt://127.0.0.1");
//   c.publish("orders", libshunt::message("hello").header("from", "docs"));
//   libshunt::consumer orders = c.subscribe("orders");
//   while (std::optional<libshunt::delivery> d = orders.next(2s))
//       d->ack();
//
// All that stands at the top of shunt.h holds here too. What this adds:
//   ownership   each object frees what it has, and can be moved. A delivery that is destroyed without an answer goes back uncharged.
//               Deliveries end before their consumer, consumers before their connection.
//   errors      a call that fails throws libshunt::error, with the code. next() has no value if no message came in time.
//   the rest    call() makes any function of shunt.h or shunt_triage.h throw: call([&](shunt_error *e) { return shunt_topic_delete(
//               c.get(), "orders", 5000, nullptr, e); }).
// (The namespace is not called shunt, because the type of a handle is.)
#ifndef SHUNT_HPP
#define SHUNT_HPP

#include "shunt.h"

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace libshunt
{

using milliseconds = std::chrono::milliseconds;
constexpr milliseconds forever{SHUNT_FOREVER};
constexpr milliseconds patience{10000}; // of each call that is given no timeout

// ---- errors

class error : public std::runtime_error
{
  public:
    explicit error(const shunt_error &e) : std::runtime_error(e.text), code_(e.code), may_retry_(e.may_retry)
    {
    }
    int code() const noexcept
    {
        return code_;
    }
    const char *name() const noexcept
    {
        return shunt_error_name(code_);
    }
    bool may_retry() const noexcept
    {
        return may_retry_;
    }

  private:
    int code_;
    bool may_retry_;
};

// Throw what a code alone says.
inline void check(int code)
{
    if (code == SHUNT_OK)
        return;
    shunt_error e{};
    e.code = code;
    std::string_view(shunt_error_text(code)).copy(e.text, sizeof e.text - 1);
    throw error(e);
}

// Call f(shunt_error *), which returns a code, and throw if it fails.
template <class F> void call(F &&f)
{
    shunt_error e{};
    if (f(&e) != SHUNT_OK)
        throw error(e);
}

// ---- options, messages

class options
{
  public:
    options() : o_(shunt_options_new())
    {
        if (!o_)
            throw std::bad_alloc();
    }
    options(std::initializer_list<std::pair<const char *, const char *>> rows) : options()
    {
        for (const auto &row : rows)
            set(row.first, row.second);
    }
    options &set(const char *key, const char *value)
    {
        check(shunt_options_set(o_.get(), key, value));
        return *this;
    }
    const shunt_options *get() const noexcept
    {
        return o_.get();
    }

  private:
    struct free_it {
        void operator()(shunt_options *o) const noexcept
        {
            shunt_options_free(o);
        }
    };
    std::unique_ptr<shunt_options, free_it> o_;
};

class received;

// It owns its body, unlike a message of shunt.h.
class message
{
  public:
    message() : m_(shunt_message_new())
    {
        if (!m_)
            throw std::bad_alloc();
    }
    explicit message(std::string body) : message()
    {
        body_ = std::move(body);
    }
    message &body(std::string body)
    {
        body_ = std::move(body);
        return *this;
    }
    message &header(const char *key, std::string_view value)
    {
        check(shunt_message_header(m_.get(), key, value.data(), value.size()));
        return *this;
    }
    message &key(std::string_view key)
    {
        check(shunt_message_key(m_.get(), key.data(), key.size()));
        return *this;
    }
    // The key becomes one of so many parts, by the number.
    message &split(uint32_t parts, uint64_t number)
    {
        check(shunt_message_split(m_.get(), parts, number));
        return *this;
    }
    message &delay(milliseconds t)
    {
        check(shunt_message_delay(m_.get(), t.count()));
        return *this;
    }
    message &ttl(milliseconds t)
    {
        check(shunt_message_ttl(m_.get(), t.count()));
        return *this;
    }
    message &deadline(std::chrono::system_clock::time_point t)
    {
        const auto ms = std::chrono::duration_cast<milliseconds>(t.time_since_epoch());
        check(shunt_message_deadline(m_.get(), ms.count()));
        return *this;
    }
    // The time that is left for what is being handled.
    message &inherit(const received &r);
    message &number(uint64_t number)
    {
        check(shunt_message_number(m_.get(), number));
        return *this;
    }
    const shunt_message *get() const noexcept
    {
        shunt_message_body(m_.get(), body_.data(), body_.size()); // lent anew: it may have moved
        return m_.get();
    }

  private:
    struct free_it {
        void operator()(shunt_message *m) const noexcept
        {
            shunt_message_free(m);
        }
    };
    std::string body_;
    std::unique_ptr<shunt_message, free_it> m_;
};

// ---- what comes

// Owns a tree that the broker answered with: value(topic_show(...))["groups"].
class value
{
  public:
    explicit value(shunt_value *root) : root_(root, shunt_value_free), shown_(root)
    {
    }
    // One that is somebody else's, and lives as long as that.
    static value lent(const shunt_value *shown)
    {
        return value(nullptr, shown);
    }
    value operator[](const char *key) const
    {
        return value(root_, shunt_value_get(shown_, key));
    }
    value at(size_t i) const
    {
        return value(root_, shunt_value_at(shown_, i));
    }
    size_t count() const noexcept
    {
        return shunt_value_count(shown_);
    }
    int64_t integer() const noexcept
    {
        return shunt_value_integer(shown_);
    }
    std::string_view text() const noexcept
    {
        size_t bytes = 0;
        const char *data = shunt_value_text(shown_, &bytes);
        return {data, bytes};
    }
    explicit operator bool() const noexcept // false: it is not there
    {
        return shunt_value_type(shown_) != SHUNT_NIL;
    }

  private:
    value(std::shared_ptr<shunt_value> root, const shunt_value *shown) : root_(std::move(root)), shown_(shown)
    {
    }
    std::shared_ptr<shunt_value> root_;
    const shunt_value *shown_;
};

// The parts of a delivery; they live as long as it does.
class received
{
  public:
    explicit received(const shunt_delivery *d) noexcept : shown_(d)
    {
    }
    std::string_view body() const noexcept
    {
        size_t bytes = 0;
        const void *data = shunt_delivery_body(shown_, &bytes);
        return text(data, bytes);
    }
    std::string_view key() const noexcept // empty: it has none
    {
        size_t bytes = 0;
        const void *data = shunt_delivery_key(shown_, &bytes);
        return text(data, bytes);
    }
    std::string_view base_key() const noexcept // as it was before it was split
    {
        size_t bytes = 0;
        const void *data = shunt_delivery_base_key(shown_, &bytes);
        return text(data, bytes);
    }
    std::optional<std::string_view> header(const char *key) const noexcept
    {
        size_t bytes = 0;
        const void *value = shunt_delivery_header(shown_, key, &bytes);
        return value ? std::optional<std::string_view>(text(value, bytes)) : std::nullopt;
    }
    const char *id() const noexcept
    {
        return shunt_delivery_id(shown_);
    }
    uint64_t seq() const noexcept
    {
        return shunt_delivery_seq(shown_);
    }
    uint32_t attempts() const noexcept
    {
        return shunt_delivery_attempts(shown_);
    }
    uint32_t deliveries() const noexcept
    {
        return shunt_delivery_deliveries(shown_);
    }
    // Of a message from a dead-letter queue: what it died of, and its history. It lives as long as the delivery; false: it is from no such queue.
    value dead() const
    {
        return value::lent(shunt_delivery_dead(shown_));
    }
    milliseconds lease_left() const noexcept
    {
        return milliseconds(shunt_delivery_lease_left_ms(shown_));
    }
    // Until the message's deadline; nothing: it has none in force.
    std::optional<milliseconds> remaining() const noexcept
    {
        const int64_t ms = shunt_message_remaining_ms(shown_);
        return ms < 0 ? std::nullopt : std::optional<milliseconds>(milliseconds(ms));
    }
    const shunt_delivery *shown() const noexcept
    {
        return shown_;
    }

  protected:
    static std::string_view text(const void *data, size_t bytes) noexcept
    {
        return bytes ? std::string_view(static_cast<const char *>(data), bytes) : std::string_view();
    }
    const shunt_delivery *shown_;
};

inline message &message::inherit(const received &r)
{
    shunt_message_inherit(m_.get(), r.shown());
    return *this;
}

// Why a message failed.
struct failure {
    std::string type, message, stack, fingerprint; // empty: not given
    shunt_failure get() const noexcept
    {
        return {or_null(type), or_null(message), or_null(stack), or_null(fingerprint)};
    }

  private:
    static const char *or_null(const std::string &s) noexcept
    {
        return s.empty() ? nullptr : s.c_str();
    }
};

// Each answer waits until it is durable, and ends the delivery also if it throws; behind it, nothing of it may be used.
class delivery : public received
{
  public:
    explicit delivery(shunt_delivery *d) noexcept : received(d), d_(d)
    {
    }
    delivery(delivery &&other) noexcept : received(other.shown_), d_(std::exchange(other.d_, nullptr))
    {
    }
    delivery &operator=(delivery &&other) noexcept
    {
        std::swap(shown_, other.shown_);
        std::swap(d_, other.d_);
        return *this;
    }
    ~delivery()
    {
        if (d_) // if it cannot be queued, the broker gives it back by itself
            (void)shunt_resolve_async(d_, SHUNT_RELEASE, 0, nullptr, nullptr, nullptr, nullptr);
    }
    void ack(milliseconds timeout = patience)
    {
        call([&](shunt_error *e) { return shunt_ack(release(), timeout.count(), e); });
    }
    void nack(const failure &f = {}, milliseconds delay = milliseconds(SHUNT_BACKOFF), milliseconds timeout = patience)
    {
        const shunt_failure why = f.get();
        call([&](shunt_error *e) { return shunt_nack(release(), delay.count(), &why, timeout.count(), e); });
    }
    void reject(const failure &f = {}, milliseconds timeout = patience)
    {
        const shunt_failure why = f.get();
        call([&](shunt_error *e) { return shunt_reject(release(), &why, timeout.count(), e); });
    }
    void give_back(milliseconds timeout = patience)
    {
        call([&](shunt_error *e) { return shunt_release(release(), timeout.count(), e); });
    }
    void extend(milliseconds lease, milliseconds timeout = patience)
    {
        call([&](shunt_error *e) { return shunt_extend(d_, lease.count(), timeout.count(), e); });
    }
    // For calls of shunt.h that take it; it is the caller's then.
    shunt_delivery *release() noexcept
    {
        return std::exchange(d_, nullptr);
    }

  private:
    shunt_delivery *d_; // nullptr: answered, or moved from
};

class consumer
{
  public:
    explicit consumer(shunt_consumer *c) noexcept : c_(c)
    {
    }
    std::optional<delivery> next(milliseconds timeout = forever)
    {
        shunt_delivery *d = nullptr;
        shunt_error e{};
        const int code = shunt_next(c_.get(), timeout.count(), &d, &e);
        if (code == SHUNT_OK)
            return delivery(d);
        if (code == SHUNT_EMPTY)
            return std::nullopt;
        throw error(e);
    }
    // Wait until the broker has given back what is left; the destructor does not wait.
    void unsubscribe(milliseconds timeout = patience)
    {
        shunt_unsubscribe(c_.release(), timeout.count());
    }
    shunt_consumer *get() const noexcept
    {
        return c_.get();
    }

  private:
    struct end_it {
        void operator()(shunt_consumer *c) const noexcept
        {
            shunt_unsubscribe(c, 0);
        }
    };
    std::unique_ptr<shunt_consumer, end_it> c_;
};

// ---- values

// ---- the connection

using published = std::function<void(uint64_t seq, const shunt_error *err)>; // as shunt_published_cb
using handler = std::function<shunt_outcome(const received &, shunt_verdict *)>;

class connection
{
  public:
    explicit connection(const char *url = nullptr, const options &o = {})
    {
        shunt *s = nullptr;
        call([&](shunt_error *e) { return shunt_open(url, o.get(), &s, e); });
        s_.reset(s);
    }
    void connect(milliseconds timeout = patience)
    {
        call([&](shunt_error *e) { return shunt_connect(get(), timeout.count(), e); });
    }
    uint64_t publish(const char *topic, const message &m, milliseconds timeout = patience)
    {
        uint64_t seq = 0;
        call([&](shunt_error *e) { return shunt_publish(get(), topic, m.get(), timeout.count(), &seq, e); });
        return seq;
    }
    // Queue it; false if the window is full. The callback is made once, from process(), flush() and other calls that wait.
    bool publish_async(const char *topic, const message &m, published callback)
    {
        auto context = std::make_unique<published>(std::move(callback));
        shunt_error e{};
        const int code = shunt_publish_async(get(), topic, m.get(), call_published, context.get(), &e);
        if (code == SHUNT_BUSY)
            return false;
        if (code != SHUNT_OK)
            throw error(e);
        (void)context.release(); // call_published() has it
        return true;
    }
    void flush(milliseconds timeout = patience)
    {
        call([&](shunt_error *e) { return shunt_flush(get(), timeout.count(), e); });
    }
    consumer subscribe(const char *topic, const char *group = nullptr, const options &o = {}, milliseconds timeout = patience)
    {
        shunt_consumer *c = nullptr;
        call([&](shunt_error *e) { return shunt_subscribe(get(), topic, group, o.get(), timeout.count(), &c, e); });
        return consumer(c);
    }
    // shunt_worker_run(). An exception that leaves the handler rejects the message.
    void work(const char *topic, const char *group, const options &o, const handler &handle)
    {
        void *context = const_cast<handler *>(&handle);
        call([&](shunt_error *e) { return shunt_worker_run(get(), topic, group, o.get(), call_handler, context, e); });
    }
    void topic_create(const char *topic, const options &settings = {}, milliseconds timeout = patience)
    {
        call([&](shunt_error *e) { return shunt_topic_create(get(), topic, settings.get(), timeout.count(), e); });
    }
    // What f(shunt *, shunt_value **, shunt_error *) is answered with, for the calls that show and list.
    template <class F> value ask(F &&f)
    {
        shunt_value *v = nullptr;
        call([&](shunt_error *e) { return f(get(), &v, e); });
        return value(v);
    }
    int fd() const noexcept
    {
        return shunt_fd(get());
    }
    void process()
    {
        call([&](shunt_error *e) { return shunt_process(get(), e); });
    }
    // Say goodbye and wait for it; the destructor does not wait.
    void close(milliseconds timeout = patience)
    {
        end(s_.release(), timeout);
    }
    shunt *get() const noexcept
    {
        return s_.get();
    }

  private:
    static void end(shunt *s, milliseconds timeout) noexcept
    {
        for (;;) { // each callback is made once, so this ends, whatever they throw
            try {
                shunt_close(s, timeout.count());
                return;
            } catch (...) {
            }
        }
    }
    struct end_it {
        void operator()(shunt *s) const noexcept
        {
            end(s, milliseconds(0));
        }
    };
    static void call_published(void *context, uint64_t seq, const shunt_error *err)
    {
        std::unique_ptr<published> callback(static_cast<published *>(context));
        if (*callback)
            (*callback)(seq, err);
    }
    static shunt_outcome call_handler(void *context, const shunt_delivery *d, shunt_verdict *v)
    {
        return (*static_cast<const handler *>(context))(received(d), v);
    }
    std::unique_ptr<shunt, end_it> s_;
};

} // namespace libshunt

#endif
