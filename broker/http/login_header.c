/* login_header: see login_header.h. */
#include "broker/http/login_header.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/secret.h"
#include "proto/credentials.h"
#include "proto/limits.h"
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define BASIC_BYTES_MAX (NAME_BYTES_MAX + 1 + PASSWORD_BYTES_MAX)

static void put(struct login_header *h, const struct credentials *c)
{
    struct mpack_buffer b = {0};
    credentials_write(&b, c);
    if (!b.failed && b.size <= sizeof h->auth) {
        memcpy(h->auth, b.data, b.size);
        h->auth_size = b.size;
    }
    if (b.data)
        secret_wipe(b.data, b.size);
    mpack_buffer_done(&b);
}

/* `USER:PASSWORD` in base64. */
static void read_basic(struct slice shown, struct login_header *h)
{
    char text[base64_size(BASIC_BYTES_MAX)];
    size_t used = 0;
    if (shown.size > base64_size(BASIC_BYTES_MAX) ||
        !base64_decode(text, (const char *)shown.data, shown.size, &used))
        return;
    const char *colon = memchr(text, ':', used);
    if (colon) {
        size_t user = (size_t)(colon - text);
        put(h, &(struct credentials){.mechanism = MECHANISM_PASSWORD,
                                     .user = {text, user},
                                     .password = {colon + 1, used - user - 1}});
    }
    secret_wipe(text, sizeof text);
}

/* What the credentials are told apart by. Those of a header are a map of MessagePack, which begins with no letter, as names do. */
static struct slice proof(const struct login_header *h, const char *names)
{
    size_t bytes = 0;
    if (!names)
        return (struct slice){h->auth, h->auth_size};
    while (names[bytes])
        bytes += strlen(names + bytes) + 1;
    return (struct slice){(const uint8_t *)names, bytes};
}

/* Without the blanks in front of it, and the white space behind it, which belongs to the header and not to its value. */
static struct slice without_space(const char *text)
{
    text += strspn(text, " ");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    return (struct slice){text, size};
}

void login_header_read(const char *value, const char *names, struct login_header *ret)
{
    unsigned size = 0;
    ret->auth_size = 0;
    size_t scheme = value ? strcspn(value, " ") : 0;
    struct slice at = value ? without_space(value + scheme) : (struct slice){0};
    if (scheme == 5 && strncasecmp(value, "Basic", scheme) == 0)
        read_basic(at, ret);
    else if (scheme == 6 && strncasecmp(value, "Bearer", scheme) == 0 && at.size <= PASSWORD_BYTES_MAX)
        put(ret, &(struct credentials){.mechanism = MECHANISM_TOKEN, .token = at});
    struct slice shown = proof(ret, names);
    check(EVP_Digest(shown.data, shown.size, ret->hash, &size, EVP_sha256(), NULL) == 1 &&
          size == sizeof ret->hash);
}

void login_header_done(struct login_header *h)
{
    secret_wipe(h, sizeof *h);
}
