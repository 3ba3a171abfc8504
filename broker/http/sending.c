/* sending: see sending.h. */
#include "broker/http/sending.h"

#include "base/magic.h"
#include "broker/http/json_answer.h"
#include "broker/http/respond.h"
#include <stdlib.h>

#define BLOCK_BYTES (16u * 1024)

/* What libmicrohttpd reads it from. */
#define SENDING_MAGIC 0xd2f57c18u
struct sending {
    uint32_t magic;
    struct json_answer json;
    void (*release)(void *owner);
    void *owner;
};

static ssize_t sending_read(void *context, uint64_t at, char *to, size_t max)
{
    struct sending *s = magic_of(context, sending, SENDING_MAGIC);
    (void)at; /* it is read in order */
    size_t size = json_answer_take(&s->json, to, max);
    if (size)
        return (ssize_t)size;
    return json_answer_failed(&s->json) ? MHD_CONTENT_READER_END_WITH_ERROR
                                        : MHD_CONTENT_READER_END_OF_STREAM;
}

static void sending_free(void *context)
{
    struct sending *s = magic_of(context, sending, SENDING_MAGIC);
    json_answer_done(&s->json);
    s->release(s->owner);
    s->magic = 0;
    free(s);
}

enum MHD_Result sending_begin(struct MHD_Connection *connection, unsigned status, struct slice payload,
                              const struct api_answer *form, void (*release)(void *owner), void *owner)
{
    struct sending *s = calloc(1, sizeof *s);
    if (!s) {
        release(owner);
        return MHD_NO;
    }
    s->magic = SENDING_MAGIC;
    s->release = release;
    s->owner = owner;
    json_answer_begin(&s->json, payload, form);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, sending_read, s, sending_free);
    if (!response)
        sending_free(s);
    return respond(connection, status, TYPE_JSON, NULL, response);
}
