/* hello: see hello.h. */
#include "broker/http/hello.h"

#include "base/utf8.h"
#include "proto/frame.h"
#include "proto/request.h"

void hello_write(struct mpack_buffer *to, const char *client, struct slice auth, bool watches,
                 struct slice producer)
{
    static const char feature[] =
        "\xa5" FEATURE_WATCH; /* a str of fewer than 32 bytes begins with 0xa0 and its length */
    _Static_assert(sizeof FEATURE_WATCH - 1 == 0xa5 - 0xa0, "the length of the feature");
    struct slice name = {client, utf8_prefix(client, strlen(client), CLIENT_NAME_BYTES_MAX)};
    union request_fields fields = {
        .hello = {.version_min = PROTOCOL_VERSION_MIN,
                  .version_max = PROTOCOL_VERSION_MAX,
                  .options = {.marks = true,
                              .client = name,
                              .auth = auth,
                              .producer = producer,
                              .features = {watches, {feature, watches ? sizeof feature - 1 : 0}}}}};
    frame_end(to, request_begin(to, &request_hello, HELLO_ID, &fields));
}
