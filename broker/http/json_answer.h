/* json_answer: the answer of the engine, a frame of the protocol, as JSON, piece by piece: however large it is, little of it is in
 * memory twice.
 *
 * Maps become objects, their keys as they are; nil becomes null; numbers stay exact. Text is a string. Bytes that are UTF-8 are a
 * string, too; others are base64, in a member `NAME_base64` in the place of `NAME`, or where any name may stand (headers) and in
 * arrays as an object {"base64": …}. A message, which is an array, becomes an object. */
#ifndef SHUNT_HTTP_JSON_ANSWER_H
#define SHUNT_HTTP_JSON_ANSWER_H

#include "broker/http/api_table.h"
#include "proto/limits.h"
#include "proto/mpack.h"

#define JSON_DEPTH_MAX (FRAME_DEPTH_MAX + 1)

enum json_level_kind { LEVEL_ARRAY, LEVEL_MAP, LEVEL_NAMED };

/* An array or a map that has begun. */
struct json_level {
    enum json_level_kind kind;
    uint32_t left; /* elements or pairs */
    bool begun;
    bool free_keys;           /* its keys are anybody's */
    const char *const *names; /* NAMED: of the elements that follow, up to a NULL; others are left out */
};

#define JSON_ANSWER_MAGIC 0x2e9d7a41u
struct json_answer {
    uint32_t magic;
    struct mpack_reader r;
    const struct api_answer *form;
    struct slice next; /* where the next page begins; `data` NULL: it is not told */
    struct json_level levels[JSON_DEPTH_MAX];
    unsigned depth;
    struct slice string; /* what is left of a string that has begun */
    bool base64;         /* and how it is written … */
    const char *after;   /* … and what ends it */
    struct text out;     /* not taken yet */
    bool ended;
};

/* Begin with `payload`, the array of an OK frame that was validated, which must live as long. */
void json_answer_begin(struct json_answer *j, struct slice payload, const struct api_answer *form);
void json_answer_done(struct json_answer *j);

/* Write at most `max` bytes to `to`. Returns how many; 0: that was all, or it failed. */
size_t json_answer_take(struct json_answer *j, char *to, size_t max);
/* There was no memory, or the frame is not what its operation says: what was taken is not all. */
bool json_answer_failed(const struct json_answer *j);

#endif
