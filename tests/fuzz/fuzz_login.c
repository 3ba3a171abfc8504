/* fuzz_login: any bytes as the map of HELLO's `auth`, as the header Authorization, and as the address that attempts are counted by. */
#include "broker/http/login_header.h"
#include "broker/login/source.h"
#include "proto/credentials.h"
#include "proto/limits.h"
#include "proto/mpack.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool lies_in(struct slice part, struct slice whole)
{
    const uint8_t *at = part.data, *begin = whole.data;
    return !part.size || (at >= begin && at + part.size <= begin + whole.size);
}

static void try_map(struct slice bytes)
{
    struct credentials c, again;
    const char *why = NULL;
    struct mpack_buffer b = {0};
    if (!credentials_read(bytes, &c, &why)) {
        MUST(why && *why);
        return;
    }
    MUST(lies_in(c.user, bytes) && lies_in(c.password, bytes) && lies_in(c.token, bytes));
    MUST(c.password.size <= PASSWORD_BYTES_MAX);
    credentials_write(&b, &c);
    MUST(credentials_read((struct slice){b.data, b.size}, &again, &why));
    MUST(again.mechanism == c.mechanism);
    MUST(c.mechanism != MECHANISM_PASSWORD ||
         (slice_equal(again.user, c.user) && slice_equal(again.password, c.password)));
    MUST(c.mechanism != MECHANISM_TOKEN || slice_equal(again.token, c.token));
    mpack_buffer_done(&b);
}

static void try_header(const char *text)
{
    struct login_header h;
    struct credentials c;
    const char *why = NULL;
    login_header_read(text, NULL, &h);
    MUST(h.auth_size <= sizeof h.auth);
    MUST(credentials_read(login_header_auth(&h), &c, &why));
    login_header_done(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[SOURCE_KEY_BYTES];
    struct slice bytes = {data, size};
    char *text = malloc(size + 1);
    MUST(text);
    memcpy(text, data, size);
    text[size] = '\0';
    try_map(bytes);
    try_header(text);
    MUST(source_of_peer(key, bytes) == source_of_peer(key, bytes));
    MUST(source_of_name(key, bytes) == source_of_name(key, bytes));
    free(text);
    return 0;
}
