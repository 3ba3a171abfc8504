/* fingerprint_frame_c: see fingerprint_frame_c.h. */
#include "broker/core/fingerprint_frame_c.h"

#include "broker/core/fingerprint_line.h"

/* What compilers add to the name of a part of a function. */
static struct slice without_clone(struct slice name)
{
    static const char *const marks[] = {".part.", ".constprop.", ".isra.", ".cold", ".lto_priv."};
    const char *dot = find(name, '.');
    for (size_t i = 0; dot && i < sizeof marks / sizeof *marks; i++) {
        const char *at = find_bytes(name, marks[i], strlen(marks[i]));
        if (at)
            name = between(name.data, at);
    }
    return name;
}

/* `parse_item`, `ns::parse(int, char const*)`, `(anonymous namespace)::parse()`: without the parameters. */
static struct slice c_name(struct slice name)
{
    (void)skip(&name, "(anonymous namespace)::");
    const char *paren = find(name, '(');
    if (paren && paren > begin_of(name))
        name = between(name.data, paren);
    while (last_of(name) == ' ')
        name.size--;
    return without_clone(name);
}

/* The function is not known: where it is in its file says as much, until the next build. */
static bool frame_is_unnamed(struct frame *ret, struct slice module, struct slice offset)
{
    (void)frame_is(ret, SHAPE_C, offset, module);
    ret->exact = true;
    return offset.size > 0;
}

static bool is_unknown(struct slice name)
{
    return name.size == 0 || slice_is(name, "??");
}

static bool frame_is_in_module(struct frame *ret, struct slice name, struct slice module, struct slice offset)
{
    return is_unknown(name) ? frame_is_unnamed(ret, module, offset)
                            : frame_is(ret, SHAPE_C, c_name(name), module);
}

/* `/usr/lib/libx.so.1+0x1234`, and whatever follows it. */
static bool split_module(struct slice s, struct slice *ret_module, struct slice *ret_offset)
{
    const char *plus = find_words(s, "+0x");
    if (!plus)
        return false;
    struct slice digits = between(plus + 3, end_of(s));
    *ret_module = between(s.data, plus);
    *ret_offset = between(plus, begin_of(digits) + count_class(digits, HEX));
    return true;
}

/* MODULE(NAME+0x12) [0x5555], MODULE(+0x1234) [0x5555] */
static bool read_backtrace(struct slice line, struct frame *ret)
{
    struct slice name, offset;
    const char *address = find_words(line, " [0x");
    const char *paren = address ? find(between(line.data, address), '(') : NULL;
    return paren && split_module(between(paren + 1, address), &name, &offset) &&
           frame_is_in_module(ret, name, between(line.data, paren), offset);
}

/* `NAME at PLACE`: false if there is no such thing in it. */
static bool read_libshunt(struct slice line, struct frame *ret)
{
    struct slice module, offset;
    const char *at = find_words(line, " at ");
    if (!at)
        return false;
    struct slice name = between(line.data, at), place = between(at + 4, end_of(line));
    if (cut_line_numbers(&place))
        return !find(place, ' ') && frame_is(ret, SHAPE_C, c_name(name), place);
    if (split_module(place, &module, &offset))
        return !find(module, ' ') && frame_is_in_module(ret, name, module, offset);
    return begins(name, "??") && begins(place, "0x") && frame_is(ret, SHAPE_C, name, (struct slice){0});
}

/* NAME (FILE:12), NAME (in MODULE) */
static bool read_parens(struct slice line, struct frame *ret)
{
    const char *paren = find_last(line, '(');
    if (!paren || paren - begin_of(line) < 2 || paren[-1] != ' ')
        return false;
    struct slice name = between(line.data, paren - 1), place = between(paren + 1, end_of(line) - 1);
    if (skip(&place, "in "))
        return frame_is(ret, SHAPE_C, c_name(name), place);
    return cut_line_numbers(&place) && !find(place, ' ') && !find(name, ' ') &&
           frame_is(ret, SHAPE_C, c_name(name), place);
}

bool frame_read_c(struct slice line, struct frame *ret)
{
    char last = last_of(line);
    if (last == ']')
        return read_backtrace(line, ret);
    if (last == ')')
        return read_parens(line, ret) || read_libshunt(line, ret);
    return (byte_class(last) & HEX || last == 'e') && read_libshunt(line, ret); /* `in no module` */
}

bool frame_read_valgrind(struct slice line, struct frame *ret)
{
    const char *colon = find_words(line, ": ");
    return colon && frame_read_c(between(colon + 2, end_of(line)), ret);
}

bool frame_read_c_numbered(struct slice line, struct frame *ret)
{
    struct slice module, offset, place = {0};
    const char *blank = find(line, ' ');
    const char *at = find_words(line, ") at ");
    const char *from = find_words(line, ") from ");
    struct slice name = c_name(blank ? before(line, '(') : line);
    if (at) {
        place = between(at + 5, end_of(line));
    } else if (from) {
        place = between(from + 7, end_of(line));
    } else if (split_module(behind_last(line, '('), &module, &offset)) {
        if (is_unknown(name))
            return frame_is_unnamed(ret, module, offset);
        place = module;
    } else if (blank) {
        place = behind_last(line, ' ');
        name = c_name(between(line.data, begin_of(place)));
    }
    (void)cut_line_numbers(&place);
    return frame_is(ret, SHAPE_C, name, place);
}
