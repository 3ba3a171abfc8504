/* fault_draw: see fault_draw.h. */
#include "tests/unit/core/fault_draw.h"

#include <criterion/criterion.h>

#include "broker/core/fingerprint.h"

static uint64_t state = 20261128;

size_t draw(size_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char draw_digit(void)
{
    return "0123456789"[draw(10)];
}

static char draw_hex(void)
{
    return "0123456789abcdefABCDEF"[draw(22)];
}

size_t put_value(char *to)
{
    size_t kind = draw(8), size = kind < 4 ? 1 + draw(5) : kind < 7 ? 1 + draw(draw(3) ? 8 : 24) : 36;
    for (size_t i = 0; i < size; i++)
        to[i] = kind < 4 ? draw_digit() : draw_hex();
    if (kind == 7)
        to[8] = to[13] = to[18] = to[23] = '-';
    return size;
}

void change_values(char *text, size_t size)
{
    bool hex = draw(2);
    for (size_t i = 0; i < size; i++) {
        bool among = (i > 0 && is_hex(text[i - 1])) || (i + 1 < size && is_hex(text[i + 1]));
        if (is_digit(text[i]) && draw(2))
            text[i] = draw(6) ? draw_digit() : '0';
        else if (hex && among && is_hex(text[i]) && draw(2))
            text[i] = draw_hex();
    }
}

void ask(struct fault_memo *m, struct fault f, size_t times, const char *name)
{
    char text[TEXT_BYTES_MAX], stack[STACK_BYTES_MAX];
    cr_assert(f.message.size <= sizeof text && f.stack.size <= sizeof stack);
    slice_copy(text, f.message);
    slice_copy(stack, f.stack);
    f.message.data = text;
    f.stack.data = stack;
    for (size_t i = 0; i < times; i++) {
        cr_assert_eq(fault_memo_fingerprint(m, &f), fingerprint_of(&f),
                     "%s: type `%.*s`, message `%.*s`, stack `%.*s`", name, (int)f.type.size,
                     (const char *)f.type.data, (int)f.message.size, text, (int)f.stack.size, stack);
        size_t where = draw(3);
        if (where != 1)
            change_values(text, f.message.size);
        if (where != 0)
            change_values(stack, f.stack.size);
    }
}

size_t count_places(const struct fault_memo *m)
{
    size_t n = 0;
    for (size_t i = 0; i < FAULT_MEMO_PLACES; i++)
        n += m->keys[i] != 0;
    return n;
}
