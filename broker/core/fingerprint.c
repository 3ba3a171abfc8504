/* fingerprint: see fingerprint.h. */
#include "broker/core/fingerprint.h"

#include <xxhash.h>

#include "base/check.h"
#include "base/utf8.h"
#include "broker/core/fingerprint_line.h"
#include "broker/core/fingerprint_stack.h"
#include "broker/core/fingerprint_text.h"
#include "proto/limits.h"

/* Of a message without its values; what is longer says no more. */
#define NORMAL_BYTES_MAX 512
/* A line of noise shorter than this may look like words by chance. */
#define PLAUSIBLE_BYTES_MIN 12
/* How much of a stack's end tells whether it is noise. */
#define LOOKED_AT_BYTES 512
/* What a title keeps free for the frame. */
#define PLACE_BYTES_MAX 80
#define GIVEN_SEED      0x67697665ull

struct error {
    struct slice type, message, text; /* cut and cleaned */
    bool message_cut;
    bool told_by_stack; /* type and message are those of its headline */
    struct stack stack;
    char cleaned[ERROR_TYPE_BYTES_MAX + ERROR_MESSAGE_BYTES_MAX + ERROR_STACK_BYTES_MAX];
    size_t used;
};

/* ---- what was reported ---- */

#define BLOCK_BYTES 16

/* Without branches, so that the compiler makes a few instructions of a block. */
static uint8_t odd_bytes(const uint8_t *at, size_t count)
{
    uint8_t odd = 0;
    for (size_t i = 0; i < count; i++)
        odd |= (uint8_t)(((uint8_t)(at[i] - 32) > 94) & (at[i] != '\n') & (at[i] != '\t'));
    return odd;
}

/* Nothing but what is printed, tabs and newlines: nearly always. */
static bool is_plain(struct slice s)
{
    const uint8_t *at = s.data;
    uint8_t odd = 0;
    if (s.size < BLOCK_BYTES)
        return !odd_bytes(at, s.size);
    for (size_t i = 0; i + BLOCK_BYTES <= s.size; i += BLOCK_BYTES)
        odd |= odd_bytes(at + i, BLOCK_BYTES);
    return !(odd | odd_bytes(at + s.size - BLOCK_BYTES, BLOCK_BYTES));
}

/* As the attempt ledger keeps it. */
static struct slice clean(struct error *e, const char *bytes, size_t size)
{
    struct slice s = {bytes, size};
    if (is_plain(s))
        return s;
    char *to = e->cleaned + e->used;
    check(size <= sizeof e->cleaned - e->used);
    utf8_clean(to, bytes, size);
    e->used += size;
    return (struct slice){to, size};
}

/* A cut between characters takes up to three bytes more. */
static bool is_cut(size_t size, size_t max)
{
    return size + 4 > max;
}

/* `ValueError: it is bad`, `it is bad` */
static void split_headline(struct error *e, struct slice headline)
{
    const char *at = headline.data;
    const char *colon = find_words(headline, ": ");
    size_t type = colon ? (size_t)(colon - at) : headline.size;
    if (memchr(at, ' ', type) || type > ERROR_TYPE_BYTES_MAX)
        type = 0;
    e->type = (struct slice){at, type};
    e->message = type == headline.size ? (struct slice){0} : headline;
}

/* The class alone, of `org.acme.BadOrder`. */
static struct slice last_part(struct slice type)
{
    return behind_last(type, '.');
}

/* `ValueError: it is bad`, `Exception in thread "main" java.lang.Error: it is bad`: from the type on it is said
 * already. */
static bool skip_type(struct slice *message, struct slice type)
{
    const char *begin = message->data, *end = end_of(*message);
    const char *at = type.size ? find_bytes(*message, type.data, type.size) : NULL;
    if (!at || (at > begin && at[-1] != ' '))
        return false;
    at += type.size;
    if (end - at > 1 && at[0] == ':' && at[1] == ' ')
        at += 2;
    else if (at < end)
        return false;
    *message = (struct slice){at, (size_t)(end - at)};
    return true;
}

/* ``pay.rb:12:in `charge': it is bad (BadOrder)`` */
static void skip_place(struct slice *message)
{
    struct frame f;
    if (!frame_read_ruby(*message, &f) || f.rest.size < 3)
        return;
    const char *at = (const char *)f.rest.data + 2, *end = at + f.rest.size - 2;
    const char *open = end[-1] == ')' ? memrchr(at, '(', (size_t)(end - at)) : NULL;
    *message = (struct slice){at, (size_t)((open && open > at ? open - 1 : end) - at)};
}

static bool is_timeout(const struct error *e)
{
    return slice_is(e->type, "timeout");
}

static void read_error(struct error *e, const struct fault *f, bool *counts)
{
    e->used = 0;
    e->type = clean(e, f->type.data, utf8_prefix(f->type.data, f->type.size, ERROR_TYPE_BYTES_MAX));
    e->message =
        clean(e, f->message.data, utf8_prefix(f->message.data, f->message.size, ERROR_MESSAGE_BYTES_MAX));
    size_t begin = utf8_suffix(f->stack.data, f->stack.size, ERROR_STACK_BYTES_MAX);
    e->text = f->stack.size ? clean(e, (const char *)f->stack.data + begin, f->stack.size - begin) : f->stack;
    e->message_cut = is_cut(e->message.size, ERROR_MESSAGE_BYTES_MAX);
    stack_read(e->text, is_cut(e->text.size, ERROR_STACK_BYTES_MAX), is_timeout(e), counts, &e->stack);
    e->told_by_stack = e->stack.nested || (!e->type.size && !e->message.size && e->stack.headline.size);
    if (e->told_by_stack)
        split_headline(e, e->stack.headline);
    if (!skip_type(&e->message, e->type) && !skip_type(&e->message, last_part(e->type)))
        skip_place(&e->message);
}

/* ---- what of it counts ---- */

static bool is_signal(const struct error *e)
{
    return e->type.size > 3 && memcmp(e->type.data, "SIG", 3) == 0;
}

/* Where a handler was when its time was up is chance; which handler it was is not. */
static bool sums_outermost_only(const struct error *e)
{
    return is_timeout(e) && e->stack.outermost.shape != SHAPE_NONE;
}

/* Quoted words in it are names in the program. */
static bool names_program(struct slice type)
{
    static const char *const types[] = {"AttributeError", "ImportError",      "ModuleNotFoundError",
                                        "NameError",      "NoMethodError",    "ReferenceError",
                                        "TypeError",      "UnboundLocalError"};
    struct slice class = last_part(type);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (slice_is(class, types[i]))
            return true;
    }
    return false;
}

static bool is_noise(const struct error *e)
{
    if (!e->message.size)
        return false;
    if (text_is_noise(e->message))
        return true;
    if (e->message.size >= PLAUSIBLE_BYTES_MIN || stack_frames(&e->stack)->count || !e->text.size)
        return false;
    size_t looked = e->text.size < LOOKED_AT_BYTES ? e->text.size : LOOKED_AT_BYTES;
    return text_is_noise((struct slice){(const char *)e->text.data + e->text.size - looked, looked});
}

/* A word is a name, with its numbers: `E404`. Several may be a message that a consumer put there. */
static void put_type(struct text *t, struct slice type)
{
    unsigned numbers = find(type, ' ') ? 0 : TEXT_KEEPS_SHORT_NUMBERS;
    text_put_normal(t, type, TEXT_KEEPS_NAMES | numbers, false);
}

/* The message, if it says more than type and frames: what a program printed before its time was up, and the
 * address that a bad pointer had, do not. */
static void put_message(struct text *t, const struct error *e)
{
    bool placed = is_signal(e) && stack_frames(&e->stack)->count && !slice_is(e->type, "SIGABRT");
    if (is_timeout(e) || placed)
        return;
    if (is_noise(e))
        text_put_words(t, "<binary>");
    else
        text_put_normal(t, e->message, names_program(e->type) ? TEXT_KEEPS_NAMES : 0, e->message_cut);
}

static void put_frame(struct text *t, const struct frame *f)
{
    if (f->exact)
        text_put(t, f->function.data, f->function.size);
    else
        text_put_name(t, f->function);
    text_put_words(t, " ");
    text_put_name(t, f->file);
}

static uint64_t frame_hash(const struct frame *f)
{
    char bytes[NORMAL_BYTES_MAX];
    struct text t = {.bytes = bytes, .max = sizeof bytes, .style = TEXT_HASHED};
    put_frame(&t, f);
    return XXH3_64bits(bytes, t.size);
}

/* In any order: in a recursion of several functions it is chance which is the innermost. */
static uint64_t frames_hash(const struct error *e)
{
    const struct frame_set *set = stack_frames(&e->stack);
    uint64_t sum = 0;
    if (sums_outermost_only(e)) {
        struct frame f = e->stack.outermost;
        if (f.exact)
            f.function.size = 0;
        return frame_hash(&f);
    }
    for (size_t i = 0; i < set->count; i++)
        sum += frame_hash(&set->frames[i]);
    return sum;
}

/* ---- the fault ---- */

/* What ended the message, if it was no error that a consumer told; or NULL. */
static const char *word_for_end(const struct fault *f)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    static const char *const outcomes[ATTEMPT_OUTCOMES] = ATTEMPT_OUTCOME_NAMES;
    check((unsigned)f->reason < DEAD_REASONS && (unsigned)f->outcome < ATTEMPT_OUTCOMES);
    if (f->reason != DEAD_REJECTED && f->reason != DEAD_MAX_ATTEMPTS)
        return reasons[f->reason];
    return f->type.size || f->message.size || f->stack.size ? NULL : outcomes[f->outcome];
}

static uint64_t of_error(const struct fault *f, struct fault_use *use)
{
    char bytes[NORMAL_BYTES_MAX + sizeof(uint64_t)];
    struct text t = {.bytes = bytes, .max = NORMAL_BYTES_MAX, .style = TEXT_HASHED};
    struct error e;
    read_error(&e, f, use ? use->counts : NULL);
    if (use && e.told_by_stack) {
        use->headline = (size_t)(begin_of(e.stack.headline) - begin_of(e.text));
        use->headline_bytes = e.stack.headline.size;
        use->type_bytes = e.type.size;
    }
    put_type(&t, e.type);
    text_put_words(&t, "\n");
    put_message(&t, &e);
    uint64_t frames = frames_hash(&e);
    for (size_t i = 0; i < sizeof frames; i++)
        bytes[t.size++] = (char)(frames >> 8 * i);
    return XXH3_64bits_withSeed(bytes, t.size, FINGERPRINT_VERSION);
}

uint64_t fingerprint_of_noting(const struct fault *f, struct fault_use *use)
{
    const char *end = word_for_end(f);
    uint64_t hash = 0;
    if (f->given.size)
        hash = XXH3_64bits_withSeed(f->given.data, f->given.size, GIVEN_SEED + FINGERPRINT_VERSION);
    else if (end)
        hash = XXH3_64bits_withSeed(end, strlen(end), FINGERPRINT_VERSION);
    else
        hash = of_error(f, use);
    return hash ? hash : 1;
}

uint64_t fingerprint_of(const struct fault *f)
{
    return fingerprint_of_noting(f, NULL);
}

/* ---- the title ---- */

static void put_place(struct text *t, const struct error *e)
{
    const struct frame *f = sums_outermost_only(e) ? &e->stack.outermost : stack_innermost(&e->stack);
    if (!f)
        return;
    text_put_words(t, t->size ? " at " : "at ");
    text_put(t, f->function.data,
             f->function.size < PLACE_BYTES_MAX / 2 ? f->function.size : PLACE_BYTES_MAX / 2);
    if (f->function.size && f->file.size)
        text_put_words(t, " (");
    text_put(t, f->file.data, f->file.size);
    if (f->function.size && f->file.size)
        text_put_words(t, ")");
}

static void put_title(struct text *t, const struct fault *f)
{
    size_t max = t->max;
    struct error e;
    read_error(&e, f, NULL);
    if (max > 2 * PLACE_BYTES_MAX && stack_innermost(&e.stack))
        t->max = max - PLACE_BYTES_MAX;
    put_type(t, e.type);
    size_t type = t->size;
    if (type && e.message.size)
        text_put_words(t, ": ");
    size_t message = t->size;
    put_message(t, &e);
    if (t->size == message)
        t->size = type;
    t->max = max;
    put_place(t, &e);
}

size_t fingerprint_title(const struct fault *f, char *to, size_t max)
{
    char cleaned[FINGERPRINT_TITLE_BYTES];
    struct text t = {.bytes = to, .max = max, .style = TEXT_SHOWN};
    const char *end = word_for_end(f);
    if (f->given.size) {
        size_t size = utf8_prefix(f->given.data, f->given.size, sizeof cleaned);
        utf8_clean(cleaned, f->given.data, size);
        text_put(&t, cleaned, size);
    } else if (end) {
        text_put_words(&t, end);
    } else {
        put_title(&t, f);
    }
    while (t.size && !utf8_valid(to, t.size))
        t.size--; /* the limit went through a character */
    for (size_t i = 0; i < t.size; i++)
        to[i] = to[i] == '\n' || to[i] == '\t' ? ' ' : to[i];
    return t.size;
}

/* ---- as people see it ---- */

void fingerprint_write(char to[FINGERPRINT_DIGITS + 1], uint64_t fingerprint)
{
    for (size_t i = 0; i < FINGERPRINT_DIGITS; i++)
        to[i] = "0123456789abcdef"[fingerprint >> (60 - 4 * i) & 15];
    to[FINGERPRINT_DIGITS] = '\0';
}

static int digit_value(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

bool fingerprint_read(struct slice text, uint64_t *ret)
{
    const char *at = text.data;
    uint64_t value = 0;
    if (text.size != FINGERPRINT_DIGITS)
        return false;
    for (size_t i = 0; i < FINGERPRINT_DIGITS; i++) {
        int digit = digit_value(at[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    *ret = value;
    return value != 0;
}
