/* Durations, sizes, counts and times: good ones, and everything people and machines get wrong. */
#include "proto/limits.h"
#include "proto/units.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

enum { REFUSED = -1 };

struct row {
    const char *text;
    int64_t value; /* REFUSED, or what it means */
};

static const struct row durations[] = {
    {"0", 0},
    {"0s", 0},
    {"250ms", 250},
    {"30s", 30000},
    {"1m", 60000},
    {"1.5h", 5400000},
    {"1h30m", 5400000},
    {"1h0m1ms", 3600001},
    {"1w2d3h4m5s6ms", 788645006},
    {"7d", 604800000},
    {"1w", 604800000},
    {"0.25s", 250},
    {"1.5m30s", 120000},
    {"0.001s", 1},
    {"0.0015s", 1},
    {"007s", 7000},
    {"1.000000s", 1000},
    {"3650d", DURATION_MS_MAX},
    {"315360000000ms", DURATION_MS_MAX},
    {"315360000001ms", REFUSED},
    {"5/", REFUSED},
    {"3650d1ms", REFUSED},
    {"3650.1d", REFUSED},
    {"521.5w", REFUSED},
    {"9223372036854775807ms", REFUSED},
    {"9223372036854775808ms", REFUSED},
    {"99999999999999999999s", REFUSED},
    {"15250284452472w", REFUSED},
    {"", REFUSED},
    {" ", REFUSED},
    {"5", REFUSED},
    {"00", REFUSED},
    {"0.0", REFUSED},
    {"1h30", REFUSED},
    {"-1s", REFUSED},
    {"-0", REFUSED},
    {"+1s", REFUSED},
    {"s", REFUSED},
    {"5x", REFUSED},
    {"5S", REFUSED},
    {"5M", REFUSED},
    {"5sec", REFUSED},
    {"5s ", REFUSED},
    {" 5s", REFUSED},
    {"5 s", REFUSED},
    {"5s,", REFUSED},
    {"1s-1s", REFUSED},
    {"30m1h", REFUSED},
    {"1h1h", REFUSED},
    {".5s", REFUSED},
    {"5.s", REFUSED},
    {"1.5.5s", REFUSED},
    {"1.5", REFUSED},
    {"0.5ms", REFUSED},
    {"1.5ms", REFUSED},
    {"0.0001s", REFUSED},
    {"1.0000000s", REFUSED},
    {"0x10s", REFUSED},
    {"1e3s", REFUSED},
    {"inf", REFUSED},
    {"nan", REFUSED},
    {"1us", REFUSED},
    {"1s\xff", REFUSED},
    {"\xc2\xb5s", REFUSED},
};

static const struct row sizes[] = {
    {"0", 0},
    {"512", 512},
    {"512B", 512},
    {"1K", 1024},
    {"64KiB", 65536},
    {"1kB", 1000},
    {"16M", 16777216},
    {"10MB", 10000000},
    {"1MiB", 1048576},
    {"1.5GiB", 1610612736},
    {"1G", 1073741824},
    {"1GB", 1000000000},
    {"1.1GiB", 1181116006},
    {"1024T", 1125899906842624},
    {"1024TiB", 1125899906842624},
    {"1TB", 1000000000000},
    {"0.5K", 512},
    {"1125899906842624", 1125899906842624},
    {"1125899906842625", REFUSED},
    {"1024.000001TiB", REFUSED},
    {"1025T", REFUSED},
    {"8388608TiB", REFUSED},
    {"18446744073709551616", REFUSED},
    {"18014398509481984K", REFUSED},
    {"", REFUSED},
    {"-1", REFUSED},
    {"-1K", REFUSED},
    {"+1", REFUSED},
    {"K", REFUSED},
    {"1k", REFUSED},
    {"1KB", REFUSED},
    {"1Kb", REFUSED},
    {"1P", REFUSED},
    {"1KiBs", REFUSED},
    {"1K1K", REFUSED},
    {"1 K", REFUSED},
    {"1K ", REFUSED},
    {"1.5", REFUSED},
    {"1.5B", REFUSED},
    {"0.0001K", REFUSED},
    {"1.K", REFUSED},
    {"1.1234567M", REFUSED},
    {"0x1", REFUSED},
    {"1,000", REFUSED},
    {"ten", REFUSED},
};

static const struct row counts[] = {
    {"5", 5},
    {"1", 1},
    {"1000", 1000},
    {"0010", 10},
    {"0", REFUSED},
    {"1001", REFUSED},
    {"9223372036854775807", REFUSED},
    {"9223372036854775808", REFUSED},
    {"99999999999999999999999999", REFUSED},
    {"", REFUSED},
    {"-5", REFUSED},
    {"+5", REFUSED},
    {"5.0", REFUSED},
    {"5 ", REFUSED},
    {" 5", REFUSED},
    {"5s", REFUSED},
    {"5\n", REFUSED},
    {"five", REFUSED},
};

static void expect_row(const struct row *row, bool ok, int64_t value, const char *why)
{
    cr_expect_eq(ok, row->value != REFUSED, "'%s'", row->text);
    cr_expect_eq(value, ok ? row->value : 77, "'%s' is %lld (a refusal changes nothing)", row->text,
                 (long long)value);
    cr_expect_eq(!why, ok, "'%s': a refusal says why", row->text);
}

Test(units, durations_mean_what_the_table_says)
{
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        int64_t value = 77;
        const char *why = NULL;
        bool ok = units_parse_duration(durations[i].text, DURATION_MS_MAX, &value, &why);
        expect_row(&durations[i], ok, value, why);
    }
}

Test(units, sizes_mean_what_the_table_says)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int64_t value = 77;
        const char *why = NULL;
        bool ok = units_parse_size(sizes[i].text, 1ll << 50, &value, &why);
        expect_row(&sizes[i], ok, value, why);
    }
}

Test(units, counts_mean_what_the_table_says)
{
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        int64_t value = 77;
        const char *why = NULL;
        bool ok = units_parse_count(counts[i].text, 1, 1000, &value, &why);
        expect_row(&counts[i], ok, value, why);
    }
}

Test(units, limits_of_64_bits_do_not_overflow)
{
    int64_t value = 0;
    const char *why;
    cr_expect(units_parse_duration("9223372036854775807ms", INT64_MAX, &value, &why));
    cr_expect_eq(value, INT64_MAX);
    cr_expect(!units_parse_duration("9223372036854775s808ms", INT64_MAX, &value, &why));
    cr_expect(units_parse_duration("9223372036854775s807ms", INT64_MAX, &value, &why));
    cr_expect(!units_parse_size("8388608T", INT64_MAX, &value, &why));
    cr_expect(units_parse_size("8388607.999999T", INT64_MAX, &value, &why));
    cr_expect(units_parse_count("9223372036854775807", 0, INT64_MAX, &value, &why));
    cr_expect(!units_parse_count("9223372036854775808", 0, INT64_MAX, &value, &why));
}

Test(units, durations_are_written_for_people)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "0s"},
        {1, "1ms"},
        {250, "250ms"},
        {1000, "1s"},
        {1500, "1s500ms"},
        {90000, "1m30s"},
        {172800000, "2d"},
        {5400000, "1h30m"},
        {86400001, "1d1ms"},
        {-90000, "-1m30s"},
        {604800000, "7d"},
        {INT64_MAX, "106751991167d7h12m55s807ms"},
        {INT64_MIN, "-106751991167d7h12m55s808ms"},
    };
    char text[32];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_str_eq(units_format_duration(text, rows[i].ms), rows[i].text);
}

Test(units, a_written_duration_reads_back_as_itself)
{
    uint64_t state = 7;
    for (int i = 0; i < 20000; i++) {
        int64_t ms = (int64_t)(bytes_random(&state) >> (1 + bytes_random(&state) % 60)), back = -1;
        char text[32];
        const char *why = "";
        cr_assert(units_parse_duration(units_format_duration(text, ms), INT64_MAX, &back, &why), "%s: %s",
                  text, why);
        cr_assert_eq(back, ms, "%s", text);
    }
}

Test(units, sizes_are_written_for_people)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0B"},
        {1023, "1023B"},
        {1024, "1KiB"},
        {1536, "1.5KiB"},
        {1610612736, "1.5GiB"},
        {1048575, "1023.9KiB"},
        {1048576, "1MiB"},
        {1ll << 40, "1TiB"},
        {1ll << 50, "1024TiB"},
        {-1536, "-1.5KiB"},
        {INT64_MAX, "8388607.9TiB"},
        {INT64_MIN, "-8388608TiB"},
    };
    char text[32];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_str_eq(units_format_size(text, rows[i].bytes), rows[i].text);
    /* … and may be typed as they are shown. */
    int64_t bytes;
    const char *why;
    cr_assert(units_parse_size("1.5KiB", INT64_MAX, &bytes, &why));
    cr_expect_eq(bytes, 1536);
}

Test(units, times_are_rfc_3339_in_utc)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1769843100123, "2026-01-31T07:05:00.123Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868799999, "2000-02-29T23:59:59.999Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {4107542399999, "2100-02-28T23:59:59.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-62135596800000, "0001-01-01T00:00:00.000Z"},
        {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
        {INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
    };
    char text[32];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_str_eq(units_format_time(text, rows[i].wall_ms), rows[i].text);
}

Test(units, times_are_read_as_rfc_3339_has_them)
{
    static const struct {
        const char *text;
        int64_t wall_ms; /* -1: it is none */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-31T07:05:00.123Z", 1769843100123},
        {"2026-01-31 08:05:00.1239+01:00", 1769843100123},
        {"2026-01-31t06:35:00.5-00:30", 1769843100500},
        {"2000-02-29T23:59:60z", 951868800000}, /* a leap second */
        {"2100-02-28T23:59:59.999Z", 4107542399999},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"2100-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-01-32T00:00:00Z", -1},
        {"2026-01-00T00:00:00Z", -1},
        {"2026-01-01T24:00:00Z", -1},
        {"2026-01-01T00:60:00Z", -1},
        {"2026-01-01T00:00:61Z", -1},
        {"2026-01-01T00:00:00.Z", -1},
        {"2026-01-01T00:00:00", -1},
        {"2026-01-01T00:00:00+24:00", -1},
        {"2026-01-01T00:00:00+0100", -1},
        {"2026-01-01T00:00:00Z ", -1},
        {"2026-1-1T00:00:00Z", -1},
        {"2026-01-01", -1},
        {"1970-01-01T00:30:00+01:00", -1}, /* before 1970 */
        {"1969-12-31T23:59:59Z", -1},
        {"-026-01-01T00:00:00Z", -1},
        {"", -1},
        {"now", -1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *why = NULL;
        int64_t ms = -1;
        cr_expect_eq(units_parse_time(rows[i].text, &ms, &why), rows[i].wall_ms >= 0, "%s", rows[i].text);
        cr_expect_eq(ms, rows[i].wall_ms, "%s", rows[i].text);
        cr_expect_eq(!why, rows[i].wall_ms >= 0, "%s", rows[i].text);
    }
}

Test(units, a_fraction_is_held_to_the_limit_too)
{
    const char *why = NULL;
    int64_t ms = 0;
    cr_assert(units_parse_duration("0.5s", 500, &ms, &why) && ms == 500);
    cr_assert_not(units_parse_duration("0.5s", 499, &ms, &why));
    cr_assert_not_null(strstr(why, "larger than allowed"));
}
