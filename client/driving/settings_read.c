/* settings_read: read the options of shunt_open(). */
#include "client/driving/settings_read.h"
#include "base/utf8.h"
#include "client/driving/identity.h"
#include "client/wire/error.h"
#include "client/wire/options.h"
#include "proto/units.h"
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const keys[] = {"client",
                                   "host",
                                   "build",
                                   "connect-timeout",
                                   "reconnect-min",
                                   "reconnect-max",
                                   "request-timeout",
                                   "ping-interval",
                                   "window",
                                   "window-bytes",
                                   "frame-bytes",
                                   "idempotent",
                                   "producer",
                                   "marks",
                                   "mark-time",
                                   "retry-budget",
                                   "retry-reserve",
                                   "retry-window",
                                   "user",
                                   "password",
                                   "password-file",
                                   "token",
                                   "token-file",
                                   "insecure",
                                   NULL};

static int read_name(const struct shunt_options *o, const char *key, char to[CLIENT_NAME_BYTES_MAX + 1],
                     struct shunt_error *err)
{
    const char *value = options_get(o, key);
    if (!value)
        return 0;
    size_t size = strlen(value);
    if (size > CLIENT_NAME_BYTES_MAX)
        return error_set(err, SHUNT_BAD_ARGUMENT, "option %s: at most %d bytes", key, CLIENT_NAME_BYTES_MAX);
    if (!utf8_valid(value, size))
        return error_set(err, SHUNT_BAD_ARGUMENT, "option %s: not valid UTF-8", key);
    memcpy(to, value, size + 1);
    return 0;
}

/* Everybody makes the same id of a name: XXH3 of 128 bits, the higher byte first. */
static int read_producer(const struct shunt_options *o, struct settings *s, struct shunt_error *err)
{
    char name[CLIENT_NAME_BYTES_MAX + 1] = "";
    int rc = read_name(o, "producer", name, err);
    if (rc != 0 || !options_get(o, "producer"))
        return rc;
    const char *why = !name[0] ? "it is empty" : "it needs idempotent yes";
    if (!name[0] || !s->idempotent)
        return error_set(err, SHUNT_BAD_ARGUMENT, "option producer: %s", why);
    XXH128_canonical_t id;
    XXH128_canonicalFromHash(&id, XXH3_128bits(name, strlen(name)));
    memcpy(s->producer_id, id.digest, sizeof s->producer_id);
    s->numbered = true;
    return 0;
}

/* `mark-time` is the one setting finer than a millisecond: `200us` is read here, all else as a duration. */
static int read_mark_time(const struct shunt_options *o, int64_t *ret_us, struct shunt_error *err)
{
    const char *value = options_get(o, "mark-time");
    size_t size = value ? strlen(value) : 0;
    if (size > 2 && size < 20 && strcmp(value + size - 2, "us") == 0) {
        char digits[20];
        const char *why = NULL;
        memcpy(digits, value, size - 2);
        digits[size - 2] = '\0';
        if (units_parse_count(digits, 0, 1000000, ret_us, &why))
            return 0;
        return error_set(err, SHUNT_BAD_ARGUMENT, "option mark-time: \"%s\": %s", value, why);
    }
    int64_t ms = -1;
    int rc = options_duration(o, "mark-time", 1000, &ms, err);
    if (rc == 0 && ms >= 0)
        *ret_us = ms * 1000;
    return rc;
}

static int read_times(const struct shunt_options *o, struct settings *s, struct shunt_error *err)
{
    const int64_t day_ms = 24 * 3600 * 1000;
    int rc;
    if ((rc = options_duration(o, "connect-timeout", day_ms, &s->connect_timeout_ms, err)) != 0 ||
        (rc = options_duration(o, "reconnect-min", day_ms, &s->reconnect_min_ms, err)) != 0 ||
        (rc = options_duration(o, "reconnect-max", day_ms, &s->reconnect_max_ms, err)) != 0 ||
        (rc = options_duration(o, "request-timeout", day_ms, &s->request_timeout_ms, err)) != 0 ||
        (rc = options_duration(o, "ping-interval", day_ms, &s->ping_interval_ms, err)) != 0)
        return rc;
    if (s->connect_timeout_ms < 1)
        return error_set(err, SHUNT_BAD_ARGUMENT, "option connect-timeout: at least 1ms");
    if (s->reconnect_min_ms < 1)
        return error_set(err, SHUNT_BAD_ARGUMENT, "option reconnect-min: at least 1ms");
    if (s->reconnect_max_ms < s->reconnect_min_ms)
        return error_set(err, SHUNT_BAD_ARGUMENT, "option reconnect-max: less than reconnect-min");
    return read_mark_time(o, &s->mark_time_us, err);
}

/* `retry-budget` is a share of the calls: `10%`. */
static int read_share(const struct shunt_options *o, int64_t *ret, struct shunt_error *err)
{
    const char *value = options_get(o, "retry-budget"), *why = "say a share, as in 10%";
    size_t size = value ? strlen(value) : 0;
    char digits[5];
    if (!value)
        return 0;
    if (size >= 2 && size < sizeof digits && value[size - 1] == '%') {
        memcpy(digits, value, size - 1);
        digits[size - 1] = '\0';
        if (units_parse_count(digits, 0, 100, ret, &why))
            return 0;
    }
    return error_set(err, SHUNT_BAD_ARGUMENT, "option retry-budget: \"%.100s\": %s", value, why);
}

static int read_retries(const struct shunt_options *o, struct settings *s, struct shunt_error *err)
{
    int rc = read_share(o, &s->retry_budget, err);
    if (rc != 0 ||
        (rc = options_count(o, "retry-reserve", 0, RETRY_RESERVE_MAX, &s->retry_reserve, err)) != 0 ||
        (rc = options_duration(o, "retry-window", RETRY_WINDOW_MS_MAX, &s->retry_window_ms, err)) != 0)
        return rc;
    if (s->retry_window_ms < RETRY_WINDOW_MS_MIN)
        return error_set(err, SHUNT_BAD_ARGUMENT, "option retry-window: at least 1s");
    return 0;
}

int settings_read(const struct shunt_options *options, struct settings *ret, struct shunt_error *err)
{
    struct settings s = {
        .connect_timeout_ms = 5000,
        .reconnect_min_ms = 50,
        .reconnect_max_ms = 5000,
        .request_timeout_ms = 60000,
        .retry_budget = 10,
        .retry_reserve = 10,
        .retry_window_ms = 10000,
        .window = 4096,
        .window_bytes = 64 * 1024 * 1024,
        .frame_bytes = 256 * 1024,
        .mark_time_us = 200,
        .idempotent = true,
        .marks = true,
    };
    identity_client(s.client);
    identity_host(s.host);
    identity_build(s.build);
    int rc = options_allow(options, keys, err);
    if (rc != 0 || (rc = read_name(options, "client", s.client, err)) != 0 ||
        (rc = read_name(options, "host", s.host, err)) != 0 ||
        (rc = read_name(options, "build", s.build, err)) != 0 || (rc = read_times(options, &s, err)) != 0 ||
        (rc = options_count(options, "window", 1, 1000000, &s.window, err)) != 0 ||
        (rc = options_size(options, "window-bytes", 1, (int64_t)1 << 32, &s.window_bytes, err)) != 0 ||
        (rc = options_size(options, "frame-bytes", 1024, FRAME_BYTES_MAX - 65536, &s.frame_bytes, err)) !=
            0 ||
        (rc = options_yes(options, "idempotent", &s.idempotent, err)) != 0 ||
        (rc = read_producer(options, &s, err)) != 0 || (rc = read_retries(options, &s, err)) != 0 ||
        (rc = options_yes(options, "marks", &s.marks, err)) != 0)
        return rc;
    *ret = s;
    return 0;
}
