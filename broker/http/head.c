/* head: see head.h. */
#include "broker/http/head.h"

#include "base/magic.h"
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

void head_header(struct head *h, const char *name, const char *value)
{
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        if (h->lengths++ == 0)
            h->length = value;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        if (h->encodings++ == 0)
            h->encoding = value;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0) {
        h->logins++;
    }
}

static enum MHD_Result read_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    head_header(magic_of(context, head, HEAD_MAGIC), name, value);
    return MHD_YES;
}

void head_read(struct head *h, struct MHD_Connection *connection)
{
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, read_header, h); /* how many there are */
}

static bool is_number(const char *text)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;
    return digits > 0 && text[digits + strspn(text + digits, " \t")] == '\0';
}

static bool is_chunked(const char *text)
{
    size_t size = sizeof "chunked" - 1;
    return text && strncasecmp(text, "chunked", size) == 0 && text[size + strspn(text + size, " \t")] == '\0';
}

bool head_is_sound(const struct head *h, struct problem *ret)
{
    if (h->lengths > 1)
        return problem_is(ret, PROBLEM_BAD_HEADER, "there are %u Content-Length headers", h->lengths);
    if (h->encodings > 1)
        return problem_is(ret, PROBLEM_BAD_HEADER, "there are %u Transfer-Encoding headers", h->encodings);
    if (h->lengths && h->encodings)
        return problem_is(ret, PROBLEM_BAD_HEADER, "there are both Content-Length and Transfer-Encoding");
    if (h->lengths && !is_number(h->length))
        return problem_is(ret, PROBLEM_BAD_HEADER, "Content-Length is not one number");
    if (h->encodings && !is_chunked(h->encoding))
        return problem_is(ret, PROBLEM_BAD_HEADER, "Transfer-Encoding is not `chunked`");
    if (h->logins > 1)
        return problem_is(ret, PROBLEM_BAD_HEADER, "there are %u Authorization headers", h->logins);
    return true;
}

bool head_has_body(const struct head *h)
{
    return h->encodings || (h->length && h->length[strspn(h->length, "0 \t")] != '\0');
}
