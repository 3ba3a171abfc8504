/* view_put: the fields of which views make their maps. */
#ifndef SHUNT_CORE_VIEW_PUT_H
#define SHUNT_CORE_VIEW_PUT_H

#include "broker/core/state.h"
#include "broker/core/view.h"
#include "proto/message.h"

#include <string.h>

static inline void put_key(struct mpack_buffer *to, const char *key)
{
    mpack_write_cstr(to, key);
}

static inline void put_uint(struct mpack_buffer *to, const char *key, uint64_t value)
{
    put_key(to, key);
    mpack_write_uint(to, value);
}

/* The number of a thing that may be missing. */
static inline void put_id(struct mpack_buffer *to, const char *key, uint64_t id)
{
    put_key(to, key);
    if (id)
        mpack_write_uint(to, id);
    else
        mpack_write_nil(to);
}

/* Text that may be missing, and is nil then. */
static inline void put_slice(struct mpack_buffer *to, const char *key, struct slice text)
{
    put_key(to, key);
    if (text.size)
        mpack_write_str(to, text.data, text.size);
    else
        mpack_write_nil(to);
}

/* A time that may be missing. */
static inline void put_time(const struct ledger *l, struct mpack_buffer *to, const char *key, int64_t value)
{
    put_key(to, key);
    if (value)
        mpack_write_int(to, ledger_shown_ms(l, value));
    else
        mpack_write_nil(to);
}

/* `NAME/SEQ` into `text`; returns its size. */
static inline size_t view_name(char text[TOPIC_BYTES_MAX + 32], const char *topic, uint64_t seq)
{
    char digits[24];
    size_t size = strlen(topic), at = sizeof digits;
    memcpy(text, topic, size);
    text[size++] = '/';
    do
        digits[--at] = (char)('0' + seq % 10);
    while (seq /= 10);
    memcpy(text + size, digits + at, sizeof digits - at);
    return size + sizeof digits - at;
}

static inline void put_name(struct mpack_buffer *to, const char *key, const char *topic, uint64_t seq)
{
    char text[TOPIC_BYTES_MAX + 32];
    put_key(to, key);
    mpack_write_str(to, text, view_name(text, topic, seq));
}

/* The parts of a stored message; empty if it cannot be read. */
static inline struct message_view view_parse(struct slice message)
{
    struct mpack_reader r;
    struct message_view m;
    const char *why;
    mpack_read_init(&r, message.data, message.size);
    if (!message.size || message_read(&r, BODY_BYTES_MAX, &m, &why))
        m = (struct message_view){0};
    return m;
}

/* A row of an attempt ledger, as a map. `ttl_ms`: of the message; 0: it had none. */
void put_history_row(const struct ledger *l, struct mpack_buffer *to, uint32_t number,
                     const struct history_record *h, int64_t ttl_ms);
/* The key `edited`: who edited it and when, or nil. `edit`: the number that its row names; 0: none. fails: IO, NO_MEMORY */
int put_edited(struct ledger *l, struct mpack_buffer *to, const struct group *g, uint64_t seq, uint64_t edit);
/* The key `history` and all of them. fails: IO, CORRUPT, NO_MEMORY */
int put_history(struct ledger *l, struct mpack_buffer *to, const struct group *g, uint64_t seq,
                int64_t ttl_ms);

/* The key `filter`: what a redrive, a purge or a rule was given to choose by; nil if nothing was. */
void put_filter(struct mpack_buffer *to, const struct filter_record *r);

/* `rule`, `rule_action` and `rule_at`, of the one that will act on the letter; nil without one: view_rules.c. */
void put_acting(const struct ledger *l, struct mpack_buffer *to, const struct group *g,
                const struct dead_record *dead);

#endif
