/* fingerprint_alike: see fingerprint_alike.h.
 *
 * Where a fingerprint is made, nearly nothing asks which digit a digit of the message is, so each becomes a 0. These places do
 * ask, and for their sake is left as it was:
 *
 *   is_code()      keeps up to three digits behind `status`, `exit` …   what may be such a code
 *   take_mixed()   looks for `0x`                                       digits before an `x`
 *   skip_type()    looks for the type in the message                    all, if the type has digits
 *   skip_place()   cuts what looks like an error of Ruby                all of such a message
 *   read_error()   cuts what is too long, maybe within a number         all of such a message
 *
 * Letters are asked more often. But what stands alone and is a UUID, an address in memory, or at least five hexadecimal digits,
 * some of them letters, is an id whichever they are. What is asked of it stays: whether it begins with a digit, or like a month;
 * and if the type could be found in it, it stays as a whole.
 *
 * In a stack that is so for the line that tells the error, if it counts. What names the function or file of a frame stays as a whole.
 * Elsewhere the lines are only told from each other, and that asks for these digits alone:
 *
 *   read_numbered(), split_module() …   look for `0x`                           digits before an `x`
 *   read_numbered()                     is it the frame with number 0?          what follows a `#`
 *   take_rule()                         is it the first error of a group?       what follows dashes
 */
#include "broker/core/fingerprint_alike.h"

#include "broker/core/fingerprint_eight.h"
#include "broker/core/fingerprint_line.h"
#include "broker/core/fingerprint_word.h"

#define ID_BYTES_MIN 5 /* four may be a group of an IPv6 address */

struct reader {
    const char *from;   /* the message */
    char *begin, *end;  /* the copy */
    char *marks;        /* the pattern, which is made on the side */
    const bool *counts; /* of a stack: which bytes stay; NULL: it is a message */
    struct pattern *pattern;
    struct slice type;
    const char *kept_end;  /* of the digits that were left last */
    const char *looked_at; /* no id begins before it */
    enum { NOT_ASKED, YES, NO } takes_ids;
};

/* ---- digits ---- */

/* There is one. */
static inline char *find_digit(char *at)
{
    uint64_t digits;
    while (!(digits = eight_digits(eight_bytes(at))))
        at += 8;
    return at + __builtin_ctzll(digits) / 8;
}

static bool has_digit(struct slice s)
{
    const char *at = s.data;
    uint64_t digits = 0;
    size_t i = 0;
    for (; i + 8 <= s.size; i += 8)
        digits |= eight_digits(eight_bytes(at + i));
    if (s.size >= 8)
        return digits | eight_digits(eight_bytes(at + s.size - 8));
    while (i < s.size && !(byte_class(at[i]) & DIGIT))
        i++;
    return i < s.size;
}

/* ---- codes ---- */

/* `status`, `decode`: ends as one of those does that stand before codes. */
static inline bool ends_like_code_word(const char *end)
{
#define LAST_FOUR(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
    uint32_t bytes;
    memcpy(&bytes, end - 4, sizeof bytes);
    switch (le32toh(bytes) | LAST_FOUR(0x20, 0x20, 0x20, 0x20)) {
    case LAST_FOUR('a', 't', 'u', 's'):
    case LAST_FOUR('c', 'o', 'd', 'e'):
    case LAST_FOUR('r', 'r', 'n', 'o'):
    case LAST_FOUR('e', 'x', 'i', 't'):
    case LAST_FOUR('g', 'n', 'a', 'l'):
    case LAST_FOUR('h', 't', 't', 'p'):
    case LAST_FOUR('o', 'n', 's', 'e'):
        return true;
    default:
        return false;
    }
#undef LAST_FOUR
}

/* What is no code may look like one; never the other way round. */
static bool may_be_code(const struct reader *r, const char *begin, const char *end)
{
    if (end - begin > CODE_DIGITS_MAX)
        return false;
    if (begin - r->kept_end <= CODE_DISTANCE_MAX)
        return true;
    const char *word_end = begin;
    while (begin - word_end < CODE_DISTANCE_MAX && !(byte_class(word_end[-1]) & LETTER))
        word_end--;
    return ends_like_code_word(word_end) ||
           ((word_end[-1] | 0x20) == 's' && ends_like_code_word(word_end - 1));
}

static void keep(struct reader *r, char *begin, const char *end)
{
    memcpy(begin, r->from + (begin - r->begin), (size_t)(end - begin));
    memcpy(r->marks + (begin - r->begin), begin, (size_t)(end - begin));
    r->kept_end = end;
}

/* ---- ids ---- */

/* An id cannot go on with it. */
static bool is_edge(char c)
{
    return !(byte_class(c) & (WORD | HIGH)) && c != '_' && c != '-' && c != '+';
}

static bool is_of_id(char c)
{
    return byte_class(c) & HEX || c == '-';
}

/* `c` is beside what an id may hold, in a name that may be cut or cleaned. */
static bool is_edge_of_name(char c)
{
    return is_edge(c) || byte_class(c) & HIGH;
}

/* Could it be found where a part of it is a part of an id? */
static bool may_overlap(struct slice name)
{
    const char *begin = name.data, *end = end_of(name), *first = begin, *last = end;
    while (first < end && is_of_id(*first))
        first++;
    while (last > first && is_of_id(last[-1]))
        last--;
    if (first == end)
        return name.size > 0;
    return (first > begin && is_edge_of_name(*first)) || (last < end && is_edge_of_name(last[-1]));
}

static bool takes_ids(struct reader *r)
{
    if (r->takes_ids == NOT_ASKED) {
        struct slice class = behind_last(r->type, '.');
        bool overlap = r->type.size > ERROR_TYPE_BYTES_MAX - 4 || may_overlap(r->type) ||
                       (class.size < r->type.size && may_overlap(class));
        r->takes_ids = overlap ? NO : YES;
    }
    return r->takes_ids == YES;
}

static bool any_counts(const struct reader *r, const char *begin, const char *end)
{
    return memchr(r->counts + (begin - r->begin), true, (size_t)(end - begin));
}

static char *skip_hex(char *at, unsigned *ret_seen)
{
    *ret_seen = 0;
    for (; byte_class(*at) & HEX; at++)
        *ret_seen |= byte_class(*at);
    return at;
}

/* Behind a word that is no part of a date nobody asks whether it begins with a digit. */
static bool is_behind_word(const char *id)
{
    const char *end = id - 1, *begin = end;
    while (byte_class(begin[-1]) & LETTER)
        begin--;
    return *end == ' ' && begin < end && !word_is_of_date(between(begin, end));
}

struct id {
    char *begin, *end;
    bool uuid, address;
    bool letter; /* it has to begin with one */
    bool any;    /* ... or with a digit, or has not */
};

/* What begins with a digit goes on with letters, and the other way round, so that it has both. */
static void put_id(const struct id *id)
{
    static const char ids[][UUID_BYTES + 1] = {"0aaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
                                               "a0000000-0000-0000-0000-000000000000"};
    if (id->uuid) {
        memcpy(id->begin, ids[id->letter], UUID_BYTES);
        return;
    }
    memset(id->begin, id->letter || id->address ? '0' : 'a', (size_t)(id->end - id->begin));
    id->begin[id->address] = id->letter ? 'a' : id->address ? 'x' : '0';
}

static void mark_id(struct reader *r, const struct id *id)
{
    struct pattern *p = r->pattern;
    size_t begin = (size_t)(id->begin - r->begin), size = (size_t)(id->end - id->begin);
    char *marks = r->marks + begin;
    memcpy(marks, r->from + begin, size);
    if (p->ids_count == PATTERN_IDS_MAX)
        return;
    for (size_t i = id->address ? 2 : 0; i < size; i++)
        marks[i] = marks[i] == '-' ? '-' : PATTERN_HEX;
    if (id->address)
        return;
    p->ids[p->ids_count++] = (struct pattern_id){
        .begin = (uint16_t)begin,
        .looked_end =
            (uint16_t)(begin + (id->uuid ? 8 : size)), /* it is found by a digit of its first group */
        .first = id->any      ? WORD
                 : id->letter ? LETTER
                              : DIGIT,
        .needs = id->uuid ? DIGIT : WORD};
}

/* Where the id ends that these digits belong to; NULL: they belong to none. */
static char *take_id(struct reader *r, char *digits, char *digits_end)
{
    unsigned seen = 0;
    char *begin = digits;
    while (byte_class(begin[-1]) & HEX)
        begin--;
    bool address = digits_end - begin == 1 && r->from[digits - r->begin] == '0' && *digits_end == 'x';
    bool uuid = begin[8] == '-' && begin[-1] != '.' && token_is_uuid(begin, (size_t)(r->end - begin));
    char *end = uuid ? begin + UUID_BYTES : skip_hex(address ? digits_end + 1 : begin, &seen);
    r->looked_at = end;
    if (!uuid && !address && (end - begin < ID_BYTES_MIN || !(seen & LETTER)))
        return NULL;
    if (!is_edge(begin[-1]) || !is_edge(*end) || pattern_is_like_month(begin))
        return NULL;
    if (r->counts ? any_counts(r, begin, end) : !takes_ids(r))
        return NULL;
    bool any = is_behind_word(begin);
    struct id id = {begin, end, uuid, address, !any && byte_class(*begin) & LETTER, any};
    mark_id(r, &id);
    put_id(&id);
    return end;
}

/* ---- all of it ---- */

static char *put_zeros(struct reader *r, char *at)
{
    for (; byte_class(*at) & DIGIT; at++) {
        r->marks[at - r->begin] = PATTERN_DIGIT;
        *at = '0';
    }
    return at;
}

/* `pay.rb:12:in `charge': it is bad` */
static bool is_line_number(const char *begin, const char *end)
{
    return begin[-1] == ':' && end[0] == ':' && end[1] == 'i' && end[2] == 'n';
}

/* Where it ends, if it is part of an id: else NULL. */
static char *take_id_around(struct reader *r, char *digits, char *end)
{
    bool within = (byte_class(digits[-1]) | byte_class(*end)) & LETTER || *end == '-';
    return within && digits >= r->looked_at ? take_id(r, digits, end) : NULL;
}

/* False: the message is to stay as it is. */
static bool take_values(struct reader *r)
{
    for (char *end, *begin = find_digit(r->begin); begin < r->end; begin = find_digit(end)) {
        end = put_zeros(r, begin);
        char *id_end = take_id_around(r, begin, end);
        if (id_end)
            end = id_end;
        else if (is_line_number(begin, end))
            return false;
        else if (*end == 'x' || may_be_code(r, begin, end))
            keep(r, begin, end);
    }
    return true;
}

/* Makes the copy and the pattern, which is that text yet. */
static struct reader begin_reading(struct slice text, struct alike *ret, struct pattern *pattern)
{
    char *begin = ret->bytes + ALIKE_BEFORE_BYTES, *end = begin + text.size;
    memset(ret->bytes, ' ', ALIKE_BEFORE_BYTES);
    memcpy(begin, text.data, text.size);
    memcpy(end, "\0000              ", ALIKE_AFTER_BYTES); /* a digit ends each search */
    memcpy(ret->marks, begin, text.size);
    *pattern = (struct pattern){.text = {ret->marks, text.size}};
    return (struct reader){.from = text.data,
                           .begin = begin,
                           .end = end,
                           .marks = ret->marks,
                           .pattern = pattern,
                           .kept_end = ret->bytes,
                           .looked_at = begin};
}

struct slice fingerprint_alike(const struct fault *f, struct alike *ret)
{
    struct pattern pattern;
    ret->pattern = (struct pattern){.text = f->message};
    if (f->message.size == 0 || f->message.size > ERROR_MESSAGE_BYTES_MAX || has_digit(f->type))
        return f->message;
    struct reader r = begin_reading(f->message, ret, &pattern);
    r.type = f->type;
    if (!take_values(&r))
        return f->message;
    pattern_find_marks(&pattern);
    if (!pattern_has_marks(f->message))
        ret->pattern = pattern;
    return (struct slice){r.begin, f->message.size};
}

/* ---- of a stack ---- */

static bool is_told_by_digits(const struct reader *r, const char *begin, const char *end)
{
    const char *before = begin;
    while (before > r->begin && before[-1] == ' ')
        before--;
    return *end == 'x' || begin[-1] == '#' || before[-1] == '-';
}

/* `:12)`, `, line 12,`: the same each time, and what has no marks is compared faster. */
static bool is_number_of_line(const char *begin, const char *end)
{
    return (begin[-1] == ':' && (*end == ')' || *end == '\n')) ||
           (*end == ',' && memcmp(begin - 7, ", line ", 7) == 0);
}

static void take_values_between(struct reader *r, char *from, const char *to)
{
    for (char *end, *begin = find_digit(from); begin < to; begin = find_digit(end)) {
        end = put_zeros(r, begin);
        char *id_end = take_id_around(r, begin, end);
        if (id_end)
            end = id_end;
        else if (is_told_by_digits(r, begin, end) || is_number_of_line(begin, end) ||
                 any_counts(r, begin, end))
            keep(r, begin, end);
    }
}

/* As the message of an error. */
static void take_headline(struct reader *r, const struct fault_use *use)
{
    struct alike alike;
    const char *at = r->from + use->headline;
    const struct fault told = {.type = {at, use->type_bytes}, .message = {at, use->headline_bytes}};
    struct slice message = fingerprint_alike(&told, &alike);
    const struct pattern *from = &alike.pattern;
    struct pattern *to = r->pattern;
    if (from->begin == from->end || to->ids_count + from->ids_count > PATTERN_IDS_MAX)
        return;
    memcpy(r->begin + use->headline, message.data, message.size);
    memcpy(r->marks + use->headline, from->text.data, from->text.size);
    for (size_t i = 0; i < from->ids_count; i++) {
        struct pattern_id id = from->ids[i];
        id.begin = (uint16_t)(id.begin + use->headline);
        id.looked_end = (uint16_t)(id.looked_end + use->headline);
        to->ids[to->ids_count++] = id;
    }
}

struct slice fingerprint_alike_stack(struct slice stack, const struct fault_use *use, struct alike *ret)
{
    ret->pattern = (struct pattern){.text = stack};
    if (!stack.size || stack.size > ALIKE_BYTES_MAX || pattern_has_marks(stack))
        return stack;
    struct reader r = begin_reading(stack, ret, &ret->pattern);
    r.counts = use->counts;
    take_values_between(&r, r.begin, r.begin + use->headline);
    if (use->headline_bytes)
        take_headline(&r, use);
    r.looked_at = r.begin + use->headline + use->headline_bytes;
    take_values_between(&r, r.begin + use->headline + use->headline_bytes, r.end);
    pattern_find_marks(&ret->pattern);
    return (struct slice){r.begin, stack.size};
}
