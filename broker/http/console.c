/* console: see console.h. */
#include "broker/http/console.h"

#include "broker/http/console_files.h"
#include "broker/http/negotiate.h"
#include "broker/http/respond.h"
#include <stdio.h>
#include <string.h>

#define PLACE      "/console" /* without the slash, behind which the files lie */
#define INDEX      "index.html"
#define TAG_BYTES  64
#define TAG_PACKED "-gzip"

struct header {
    const char *name, *value;
};

/* Of every file. A script that got into the page all the same could load nothing, run nothing, and send what it sees nowhere; a page
 * of another site can neither frame it nor keep hold of its window. */
static const struct header headers[] = {
    /* kept, and asked for each time: it is of this server's version */
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"},
    {MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
};

bool console_is_meant(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, PLACE) == 0 ||
           strncmp(path, CONSOLE_PATH, sizeof CONSOLE_PATH - 1) == 0;
}

static const struct console_file *file_of(const char *path)
{
    const char *name = path + sizeof CONSOLE_PATH - 1;
    if (!*name)
        name = INDEX;
    for (unsigned i = 0; i < console_files_count; i++) {
        if (strcmp(name, console_files[i].name) == 0)
            return &console_files[i];
    }
    return NULL;
}

/* It is relative, so that it holds behind a proxy that serves us below a path of its own. */
static enum MHD_Result answer_where(struct MHD_Connection *connection)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (response &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, &CONSOLE_PATH[1]) != MHD_YES) {
        MHD_destroy_response(response);
        return MHD_NO;
    }
    return respond(connection, MHD_HTTP_FOUND, NULL, NULL, response);
}

static enum MHD_Result answer_none(struct MHD_Connection *connection)
{
    static char text[] = "not found: the console is at " CONSOLE_PATH "\n";
    return respond(connection, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", NULL,
                   MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT));
}

/* The client has it already, in either form. */
static bool is_known(struct MHD_Connection *connection, const struct console_file *file)
{
    char plain[TAG_BYTES], packed[TAG_BYTES];
    const char *known =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    (void)snprintf(plain, sizeof plain, "\"%s\"", file->tag); /* they fit */
    (void)snprintf(packed, sizeof packed, "\"%s" TAG_PACKED "\"", file->tag);
    return known && (strcmp(known, "*") == 0 || strstr(known, plain) || strstr(known, packed));
}

static bool add_headers(struct MHD_Response *response, const struct console_file *file, bool packs)
{
    char tag[TAG_BYTES];
    (void)snprintf(tag, sizeof tag, "\"%s%s\"", file->tag, packs ? TAG_PACKED : ""); /* it fits */
    bool ok = MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag) == MHD_YES &&
              MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->type) == MHD_YES;
    if (ok && packs)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip") == MHD_YES;
    for (size_t i = 0; ok && i < sizeof headers / sizeof headers[0]; i++)
        ok = MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
    return ok;
}

enum MHD_Result console_answer(struct MHD_Connection *connection, const char *path)
{
    if (strncmp(path, CONSOLE_PATH, sizeof CONSOLE_PATH - 1) != 0)
        return answer_where(connection);
    const struct console_file *file = file_of(path);
    if (!file)
        return answer_none(connection);
    bool packs = negotiate_gzip(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    bool known = is_known(connection, file);
    struct slice body = packs ? file->packed : file->plain;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        known ? 0 : body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_PERSISTENT); /* it is only read */
    enum MHD_Result ok = MHD_NO;
    if (response && add_headers(response, file, packs))
        ok = MHD_queue_response(connection, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
    if (response)
        MHD_destroy_response(response);
    return ok;
}
