/* UTF-8: what is valid, where text may be cut, and what is shown of the rest. */
#include "base/utf8.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

static const struct slice good[] = {
    BYTES(""),
    BYTES("plain text that is longer than one stride"),
    BYTES("\0"),
    BYTES("\x7f"),
    BYTES("\xc2\x80"),
    BYTES("\xdf\xbf"),
    BYTES("\xe0\xa0\x80"),
    BYTES("\xed\x9f\xbf"),
    BYTES("\xee\x80\x80"),
    BYTES("\xef\xbf\xbf"),
    BYTES("\xf0\x90\x80\x80"),
    BYTES("\xf4\x8f\xbf\xbf"),
    BYTES("eight by\xc3\xa9tes and more"),
};

static const struct slice bad[] = {
    BYTES("\x80"),
    BYTES("\xbf"),
    BYTES("\xc0\x80"),
    BYTES("\xc1\xbf"),
    BYTES("\xc2"),
    BYTES("\xc2\x41"),
    BYTES("\xc2\xc2\x80"),
    BYTES("\xe0\x9f\xbf"),
    BYTES("\xe1\x80"),
    BYTES("\xed\xa0\x80"),
    BYTES("\xed\xbf\xbf"),
    BYTES("\xf0\x8f\xbf\xbf"),
    BYTES("\xf0\x90\x80"),
    BYTES("\xf4\x90\x80\x80"),
    BYTES("\xf5\x80\x80\x80"),
    BYTES("\xf8\x88\x80\x80\x80"),
    BYTES("\xfe"),
    BYTES("\xff"),
    BYTES("eight by\xff"),
    BYTES("seven b\xc3"),
};

Test(utf8, is_told_from_what_is_not)
{
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint8_t *copy = bytes_copy(good[i].data, good[i].size);
        cr_expect(utf8_valid(copy, good[i].size), "good %zu", i);
        free(copy);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t *copy = bytes_copy(bad[i].data, bad[i].size);
        cr_expect(!utf8_valid(copy, bad[i].size), "bad %zu", i);
        free(copy);
    }
}

/* a, e-acute (2), euro (3), a G clef (4), z: cuts may fall at 0 1 3 6 10 11 */
static const char mixed[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9ez";

Test(utf8, is_cut_between_sequences)
{
    static const size_t prefixes[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    static const size_t suffixes[] = {11, 10, 10, 10, 10, 6, 6, 6, 3, 3, 1, 0, 0};
    size_t size = sizeof mixed - 1;
    for (size_t max = 0; max < COUNT_OF(prefixes); max++) {
        cr_expect_eq(utf8_prefix(mixed, size, max), prefixes[max], "first %zu bytes", max);
        cr_expect_eq(utf8_suffix(mixed, size, max), suffixes[max], "last %zu bytes", max);
    }
}

Test(utf8, loses_a_last_sequence_that_does_not_fit)
{
    cr_expect_eq(utf8_suffix("z\xe2\x82\xac", 4, 2), 4);
    cr_expect_eq(utf8_suffix("z\xe2\x82\xac", 4, 3), 1);
    cr_expect_eq(utf8_prefix("\xe2\x82\xac", 3, 2), 0);
}

Test(utf8, is_cut_anywhere_if_it_is_none)
{
    char bytes[10];
    memset(bytes, '\x80', sizeof bytes);
    cr_expect_eq(utf8_prefix(bytes, 10, 6), 6);
    cr_expect_eq(utf8_suffix(bytes, 10, 6), 4);
    cr_expect_eq(utf8_prefix(bytes, 10, 2), 2);
    cr_expect_eq(utf8_suffix(bytes, 10, 2), 10, "it might be the rest of one sequence");
    cr_expect_eq(utf8_prefix(bytes, 10, 0), 0);
    cr_expect_eq(utf8_suffix(bytes, 10, 0), 10);
}

Test(utf8, is_cleaned_byte_for_byte)
{
    static const struct {
        struct slice from;
        const char *to;
    } rows[] = {
        {BYTES("plain\ttext\n"), "plain\ttext\n"},
        {BYTES("caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e"), "caf\xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e"},
        {BYTES("a\0b\rc\x1b[31md\x7f"), "a?b?c?[31md?"},
        {BYTES("\xff\xfe"
               "a\xc3"),
         "??a?"},
        {BYTES("\xed\xa0\x80"), "???"},
        {BYTES("\xe2\x82"), "??"},
        {BYTES("\xe2\x82z"), "??z"},
        {BYTES("\xc2\x9b"
               "1m"),
         "??1m"},
        {BYTES("\xc2\xa0"), "\xc2\xa0"},
        {BYTES(""), ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t size = rows[i].from.size;
        uint8_t *from = bytes_copy(rows[i].from.data, size);
        char *to = malloc(size + 1);
        utf8_clean(to, from, size);
        to[size] = '\0';
        cr_expect_str_eq(to, rows[i].to, "row %zu", i);
        cr_expect(utf8_valid(to, size), "row %zu", i);
        free(to);
        free(from);
    }
}

Test(utf8, what_a_cut_left_of_a_character_is_taken_out)
{
    static const struct {
        const char *from;
        const char *to;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xe2\x82\xac and \xf0\x9f\x98\x80", "\xe2\x82\xac and \xf0\x9f\x98\x80"},
        {"topic \"\xe2\x82\": no", "topic \"\": no"},
        {"\xe2\x82\xac\xe2", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xffz\x80", "\xffz\x80"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[32];
        strcpy(text, rows[i].from);
        utf8_mend(text);
        cr_expect_str_eq(text, rows[i].to, "row %zu", i);
    }
}

Test(utf8, what_was_cut_out_of_a_text_begins_with_a_whole_character)
{
    static const size_t begins[] = {0, 0, 1, 0, 2, 1, 0, 3, 2, 1, 0, 0}; /* from each byte of `mixed` on */
    size_t size = sizeof mixed - 1;
    for (size_t from = 0; from < COUNT_OF(begins); from++)
        cr_expect_eq(utf8_begin(mixed + from, size - from), begins[from], "from byte %zu", from);
    cr_expect_eq(utf8_begin("\x80\x80\x80\x80\x80", 5), 0, "no text: anywhere");
    cr_expect_eq(utf8_begin("", 0), 0);
}

Test(utf8, a_flattened_text_is_one_line_and_cannot_command_a_terminal)
{
    char text[] = "a\x1b[31m\nb\tc\xc2\x9b"
                  "2J\x7f\xff";
    utf8_flatten(text, strlen(text));
    cr_expect_str_eq(text, "a?[31m b c??2J ?");
    char whole[] = {'a', 0, 'b'};
    utf8_flatten(whole, sizeof whole);
    cr_expect_arr_eq(whole, "a?b", 3);
}

Test(utf8, a_flattened_text_does_not_turn_the_direction_of_a_row)
{
    char turned[] = "a\u202ab\u202ec\u2066d\u2069e", others[] = "\u2029\u202f\u2065\u206a\u2014",
         kept[sizeof others];
    memcpy(kept, others, sizeof others);
    utf8_flatten(turned, strlen(turned));
    cr_expect_str_eq(turned, "a???b???c???d???e");
    utf8_flatten(others, strlen(others));
    cr_expect_str_eq(others, kept, "their neighbours stay");
    char cut[] = "a\xe2\x80";
    utf8_flatten(cut, strlen(cut));
    cr_expect_str_eq(cut, "a??");
}

Test(utf8, is_cleaned_in_place_too)
{
    char text[] = "caf\xc3\xa9\r\n\xff";
    utf8_clean(text, text, strlen(text));
    cr_expect_str_eq(text, "caf\xc3\xa9?\n?");
}

/* What stands before and behind a character, and how far from the next eight bytes, changes nothing. */
Test(utf8, is_cleaned_character_by_character)
{
    static const char *const parts[] = {"a",
                                        "~",
                                        " ",
                                        "\n",
                                        "\t",
                                        "\x7f",
                                        "\x1b",
                                        "\x80",
                                        "\xc3\xa9",
                                        "\xc2\x9b",
                                        "\xe2\x82\xac",
                                        "\xe2\x82",
                                        "\xf0\x9d\x84\x9e",
                                        "\xff",
                                        "words of a text"};
    uint64_t state = 20261128;
    for (size_t round = 0; round < 20000; round++) {
        char from[256], to[256], want[256];
        size_t size = 0;
        for (size_t i = round % 12; i > 0; i--) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const char *part = parts[(state >> 33) % COUNT_OF(parts)];
            memcpy(from + size, part, strlen(part));
            size += strlen(part);
        }
        for (size_t i = 0, step; i < size; i += step) {
            step = utf8_step(from + i, size - i);
            step = step ? step : 1;
            utf8_clean(want + i, from + i, step);
        }
        uint8_t *exact = bytes_copy((const uint8_t *)from, size);
        utf8_clean(to, exact, size);
        cr_assert_arr_eq(to, want, size, "round %zu", round);
        utf8_clean((char *)exact, exact, size);
        cr_assert_arr_eq(exact, want, size, "round %zu, in place", round);
        free(exact);
    }
}
