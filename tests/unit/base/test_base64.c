/* base64: the vectors of RFC 4648, and what is not base64. */
#include "base/base64.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    const char *bytes, *text;
} rows[] = {{"", ""},
            {"f", "Zg=="},
            {"fo", "Zm8="},
            {"foo", "Zm9v"},
            {"foob", "Zm9vYg=="},
            {"fooba", "Zm9vYmE="},
            {"foobar", "Zm9vYmFy"},
            {"\xff\xfe\xfb", "//77"}};

Test(base64, bytes_become_text_and_bytes_again)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16] = "", bytes[16] = "";
        size_t size = strlen(rows[i].bytes), back = 99;
        cr_assert_eq(base64_size(size), strlen(rows[i].text));
        base64_encode(text, rows[i].bytes, size);
        cr_assert_str_eq(text, rows[i].text);
        cr_assert(base64_decode(bytes, rows[i].text, strlen(rows[i].text), &back), "%s", rows[i].text);
        cr_assert_eq(back, size);
        cr_assert_eq(memcmp(bytes, rows[i].bytes, size), 0);
    }
}

Test(base64, what_is_not_base64_is_refused)
{
    static const char *const wrong[] = {"Z",    "Zg",       "Zg=",  "Zg===", "Zh==",   "Zm9=", "Z===",
                                        "====", "Zg==Zg==", "Z-_=", "Zm 9",  "Zm9v\n", "=m9v", "Z=9v"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char bytes[16];
        size_t size;
        cr_assert_not(base64_decode(bytes, wrong[i], strlen(wrong[i]), &size), "%s", wrong[i]);
    }
    char bytes[4];
    size_t size;
    cr_assert_not(base64_decode(bytes, "Zm\0v", 4, &size), "a zero byte is no digit");
}
