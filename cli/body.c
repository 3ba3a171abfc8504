/* body: see body.h. */
#include "cli/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/json_pretty.h"
#include "client/shunt.h"

#define TEXT_SHOWN_BYTES 4096
#define HEX_SHOWN_BYTES  256
#define JSON_BYTES_MAX   65536 /* a longer one is shown as text: its lines would not fit anyway */

void body_print_text(const char *text, size_t bytes)
{
    char *tame = malloc(bytes + 1);
    if (!tame)
        return;
    utf8_clean(tame, text, bytes);
    utf8_straighten(tame, bytes);
    tame[bytes] = '\0';
    for (char *line = tame; line < tame + bytes;) {
        size_t len = strcspn(line, "\n");
        printf("  %.*s\n", (int)len, line);
        line += len + 1;
    }
    free(tame);
}

static void print_hex(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += 16) {
        printf("  %06zx ", i);
        for (size_t k = i; k < i + 16; k++) {
            if (k < count)
                printf(" %02x", bytes[k]);
            else
                fputs("   ", stdout);
        }
        fputs("  ", stdout);
        for (size_t k = i; k < i + 16 && k < count; k++)
            fputc(bytes[k] >= 0x20 && bytes[k] < 0x7F ? bytes[k] : '.', stdout);
        fputc('\n', stdout);
    }
}

/* The text with a member a line, which the caller frees; NULL: it is not JSON. */
static char *as_json(const char *text, size_t bytes, size_t *ret_bytes)
{
    char *pretty = NULL;
    FILE *out = bytes <= JSON_BYTES_MAX ? open_memstream(&pretty, ret_bytes) : NULL;
    bool good = out && json_pretty(text, bytes, out);
    good = out && fclose(out) == 0 && good;
    if (good)
        return pretty;
    free(pretty);
    return NULL;
}

void body_print(const struct shunt_value *body)
{
    size_t bytes = 0, all = 0;
    const char *text = shunt_value_text(body, &bytes);
    if (shunt_value_type(body) == SHUNT_NIL) {
        puts("\nbody: damaged in the store, not shown");
        return;
    }
    bool is_text = utf8_valid(text, bytes) && !memchr(text, '\0', bytes);
    char *pretty = is_text ? as_json(text, bytes, &all) : NULL;
    const char *from = pretty ? pretty : text;
    all = pretty ? all : bytes;
    size_t most = is_text ? TEXT_SHOWN_BYTES : HEX_SHOWN_BYTES;
    size_t shown = is_text ? utf8_prefix(from, all, most) : all < most ? all : most;
    printf("\nbody (%zu bytes%s%s):\n", bytes,
           pretty    ? ", JSON"
           : is_text ? ""
                     : ", not text",
           shown < all ? ", its beginning; --raw has all of it" : "");
    if (is_text)
        body_print_text(from, shown);
    else
        print_hex((const unsigned char *)from, shown);
    free(pretty);
}
