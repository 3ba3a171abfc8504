/* hello: see hello.h. */
#include "broker/http/hello.h"

#include "base/utf8.h"
#include "proto/frame.h"
#include "proto/request.h"

void hello_write(struct mpack_buffer *to, const char *client, struct slice producer)
{
    struct slice name = {client, utf8_prefix(client, strlen(client), CLIENT_NAME_BYTES_MAX)};
    union request_fields fields = {
        .hello = {.version_min = PROTOCOL_VERSION_MIN,
                  .version_max = PROTOCOL_VERSION_MAX,
                  .options = {.marks = true, .client = name, .producer = producer}}};
    frame_end(to, request_begin(to, &request_hello, HELLO_ID, &fields));
}
