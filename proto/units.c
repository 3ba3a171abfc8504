/* units: durations, sizes, counts and times as people write them, and back. No floating point: what was typed is
 * what is meant. */
#include "proto/units.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 32, FRACTION_DIGITS_MAX = 6, DAY_MS = 86400000 };

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first: in `1h30m` each unit is smaller than the one before. */
static const struct unit durations[] = {{"w", 604800000}, {"d", 86400000}, {"h", 3600000},
                                        {"m", 60000},     {"s", 1000},     {"ms", 1}};

static const struct unit sizes[] = {
    {"", 1},
    {"B", 1},
    {"K", 1ll << 10},
    {"KiB", 1ll << 10},
    {"kB", 1000},
    {"M", 1ll << 20},
    {"MiB", 1ll << 20},
    {"MB", 1000000},
    {"G", 1ll << 30},
    {"GiB", 1ll << 30},
    {"GB", 1000000000},
    {"T", 1ll << 40},
    {"TiB", 1ll << 40},
    {"TB", 1000000000000},
};

enum { DURATIONS = sizeof durations / sizeof durations[0], SIZES = sizeof sizes / sizeof sizes[0] };

/* A number as typed: whole part, and fraction / fraction_unit. */
struct decimal {
    int64_t whole;
    int64_t fraction;
    int64_t fraction_unit; /* 1 if there is none */
};

static bool refuse(const char *why, const char **ret_why);
static bool is_digit(char c);
static bool parse_digits(const char **text, int64_t *ret, const char **ret_why);
static bool parse_decimal(const char **text, struct decimal *ret, const char **ret_why);
static bool scale(const struct decimal *n, int64_t factor, int64_t max, int64_t *ret, const char **ret_why);
static const struct unit *find_unit(const struct unit *units, size_t count, const char *text, size_t size);
static size_t word_size(const char *text);

bool units_parse_duration(const char *text, int64_t max_ms, int64_t *ret_ms, const char **ret_why)
{
    int64_t total = 0;
    const struct unit *last = NULL;
    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    do {
        struct decimal number;
        int64_t part;
        if (!parse_decimal(&text, &number, ret_why))
            return false;
        size_t size = word_size(text);
        if (size == 0 && *text == '\0')
            return refuse("a duration needs a unit: ms, s, m, h, d or w", ret_why);
        const struct unit *unit = find_unit(durations, DURATIONS, text, size);
        if (!unit)
            return refuse("unknown unit: a duration is in ms, s, m, h, d or w", ret_why);
        if (last && unit <= last)
            return refuse("the parts of a duration go from the largest unit to the smallest", ret_why);
        if (!scale(&number, unit->factor, max_ms, &part, ret_why))
            return false;
        if (part > max_ms - total)
            return refuse("larger than allowed", ret_why);
        total += part;
        last = unit;
        text += size;
    } while (*text != '\0');
    *ret_ms = total;
    return true;
}

bool units_parse_size(const char *text, int64_t max_bytes, int64_t *ret_bytes, const char **ret_why)
{
    struct decimal number;
    int64_t bytes;
    if (!parse_decimal(&text, &number, ret_why))
        return false;
    const struct unit *unit = find_unit(sizes, SIZES, text, strlen(text));
    if (!unit)
        return refuse("unknown unit: a size is in B, K, M, G, T, KiB to TiB or kB to TB", ret_why);
    if (!scale(&number, unit->factor, max_bytes, &bytes, ret_why))
        return false;
    *ret_bytes = bytes;
    return true;
}

bool units_parse_count(const char *text, int64_t min, int64_t max, int64_t *ret, const char **ret_why)
{
    int64_t number;
    if (!parse_digits(&text, &number, ret_why))
        return false;
    if (*text != '\0')
        return refuse("not a whole number", ret_why);
    if (number > max)
        return refuse("larger than allowed", ret_why);
    if (number < min)
        return refuse("smaller than allowed", ret_why);
    *ret = number;
    return true;
}

char *units_format_duration(char *to, int64_t ms)
{
    static const struct unit *const last = &durations[DURATIONS - 1];
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    char *at = to;
    if (ms == 0)
        return strcpy(to, "0s");
    if (ms < 0)
        *at++ = '-';
    /* From days down: weeks are read, but people count in days. */
    for (const struct unit *unit = &durations[1]; unit <= last; unit++) {
        uint64_t count = rest / (uint64_t)unit->factor;
        rest %= (uint64_t)unit->factor;
        if (count > 0) {
            at +=
                snprintf(at, (size_t)(to + TEXT_BYTES - at), "%llu%s", (unsigned long long)count, unit->name);
        }
    }
    return to;
}

char *units_format_size(char *to, int64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    uint64_t size = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
    const char *sign = bytes < 0 ? "-" : "";
    unsigned step = 0;
    while (step < 4 && size >> (10 * (step + 1)))
        step++;
    uint64_t unit = 1ull << (10 * step);
    unsigned long long whole = size / unit;
    unsigned tenth = (unsigned)(size % unit * 10 / unit) % 10;
    if (tenth > 0)
        (void)snprintf(to, TEXT_BYTES, "%s%llu.%u%s", sign, whole, tenth, names[step]);
    else
        (void)snprintf(to, TEXT_BYTES, "%s%llu%s", sign, whole, names[step]);
    return to;
}

/* Days to a date after Howard Hinnant's "chrono-compatible low-level date algorithms": a year that begins in
 * March puts the leap day last, and an era of 400 years is always 146097 days. */
char *units_format_time(char *to, int64_t wall_ms)
{
    int64_t days = wall_ms / DAY_MS, ms = wall_ms % DAY_MS;
    if (ms < 0) {
        ms += DAY_MS;
        days--;
    }
    days += 719468; /* from 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    long long year = year_of_era + era * 400 + (month <= 2);
    int time = (int)ms;
    (void)snprintf(to, TEXT_BYTES, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day, time / 3600000,
                   time / 60000 % 60, time / 1000 % 60, time % 1000);
    return to;
}

/* `count` decimal digits; -1: they are none. */
static int64_t fixed_digits(const char **text, int count)
{
    int64_t n = 0;
    for (int i = 0; i < count; i++, ++*text) {
        if (!is_digit(**text))
            return -1;
        n = n * 10 + (**text - '0');
    }
    return n;
}

/* `01:30` behind a sign, or Z. */
static bool parse_offset(const char **text, int64_t *ret_ms)
{
    char sign = *(*text)++;
    *ret_ms = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (sign != '+' && sign != '-')
        return false;
    int64_t hours = fixed_digits(text, 2);
    if (hours < 0 || hours > 23 || *(*text)++ != ':')
        return false;
    int64_t minutes = fixed_digits(text, 2);
    *ret_ms = (hours * 60 + minutes) * 60000 * (sign == '-' ? -1 : 1);
    return minutes >= 0 && minutes < 60;
}

/* Days since 1970 of a date; the reverse of what units_format_time() does. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400, year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool parse_date(const char **text, int64_t *ret_days)
{
    static const int64_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = fixed_digits(text, 4);
    if (year < 1970 || *(*text)++ != '-')
        return false;
    int64_t month = fixed_digits(text, 2);
    if (month < 1 || month > 12 || *(*text)++ != '-')
        return false;
    int64_t day = fixed_digits(text, 2);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    *ret_days = days_of(year, month, day);
    return day >= 1 && day <= lengths[month - 1] - (month == 2 && !leap);
}

static bool parse_clock(const char **text, int64_t *ret_ms)
{
    int64_t hour = fixed_digits(text, 2);
    if (hour < 0 || hour > 23 || *(*text)++ != ':')
        return false;
    int64_t minute = fixed_digits(text, 2);
    if (minute < 0 || minute > 59 || *(*text)++ != ':')
        return false;
    int64_t second = fixed_digits(text, 2);
    if (second < 0 || second > 60) /* a leap second is the next one */
        return false;
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000;
    if (**text != '.')
        return true;
    const char *digits = ++*text;
    for (int64_t unit = 100; is_digit(**text); ++*text, unit /= 10)
        *ret_ms += (**text - '0') * unit;
    return *text > digits;
}

bool units_parse_time(const char *text, int64_t *ret_wall_ms, const char **ret_why)
{
    int64_t days = 0, ms = 0, offset_ms = 0;
    bool ok = parse_date(&text, &days) && (*text == 'T' || *text == 't' || *text == ' ');
    text += ok;
    ok = ok && parse_clock(&text, &ms) && parse_offset(&text, &offset_ms) && !*text;
    int64_t wall_ms = days * DAY_MS + ms - offset_ms;
    if (!ok || wall_ms < 0)
        return refuse("must be a time such as 2026-01-31T07:05:00Z", ret_why);
    *ret_wall_ms = wall_ms;
    return true;
}

static bool refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool parse_digits(const char **text, int64_t *ret, const char **ret_why)
{
    const char *at = *text;
    int64_t number = 0;
    if (*at == '\0')
        return refuse("empty", ret_why);
    if (*at == '-')
        return refuse("must not be negative", ret_why);
    if (!is_digit(*at))
        return refuse("not a number", ret_why);
    for (; is_digit(*at); at++) {
        int64_t digit = *at - '0';
        if (number > (INT64_MAX - digit) / 10)
            return refuse("larger than allowed", ret_why);
        number = number * 10 + digit;
    }
    *text = at;
    *ret = number;
    return true;
}

static bool parse_decimal(const char **text, struct decimal *ret, const char **ret_why)
{
    struct decimal n = {0, 0, 1};
    if (!parse_digits(text, &n.whole, ret_why))
        return false;
    if (**text == '.') {
        const char *at = *text + 1;
        const char *from = at;
        for (; is_digit(*at); at++) {
            if (at - from == FRACTION_DIGITS_MAX)
                return refuse("more than six digits after the point", ret_why);
            n.fraction = n.fraction * 10 + (*at - '0');
            n.fraction_unit *= 10;
        }
        if (at == from)
            return refuse("no digits after the point", ret_why);
        *text = at;
    }
    *ret = n;
    return true;
}

/* The number in the smallest unit, rounded down; but never something to nothing, for 0 often means "for
 * ever". */
static bool scale(const struct decimal *n, int64_t factor, int64_t max, int64_t *ret, const char **ret_why)
{
    int64_t part = factor * n->fraction / n->fraction_unit; /* at most 2^40 * 10^6 */
    if (n->fraction > 0 && (factor == 1 || (n->whole == 0 && part == 0)))
        return refuse("a fraction of the smallest unit", ret_why);
    if (part > max || n->whole > (max - part) / factor)
        return refuse("larger than allowed", ret_why);
    *ret = n->whole * factor + part;
    return true;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *text, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == size && memcmp(units[i].name, text, size) == 0)
            return &units[i];
    }
    return NULL;
}

/* Everything up to the next digit belongs to the unit, so that `5 s` is an unknown unit. */
static size_t word_size(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0' && !is_digit(text[size]))
        size++;
    return size;
}
