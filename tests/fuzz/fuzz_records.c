/* fuzz_records: any bytes as rows of the store, with checksums that are right.
 *
 * Each row: table, key's size, fields' size (two bytes), key, fields. A row that can be read is written again
 * and must be the same; one flipped bit must be found. Then a ledger is loaded from all of the rows, and
 * `shuntd --check` walks them: either may refuse, none may crash.
 */
#include "broker/check.h"
#include "broker/core/ledger.h"
#include "broker/core/schema.h"
#include "broker/core/schema_breaker.h"
#include "broker/core/schema_edit.h"
#include "broker/core/schema_identity.h"
#include "proto/errors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/source.h"
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { ROWS_MAX = 64, FIELDS_BYTES_MAX = 4096, CHECKSUM_BYTES = 8 };

/* As docs/storage.md has it, written a second time. */
static void put_checksum(uint8_t *to, enum store_table table, struct slice key, const uint8_t *bytes,
                         size_t size)
{
    uint64_t sum =
        XXH3_64bits_withSeed(bytes, size, XXH3_64bits_withSeed(key.data, key.size, (uint64_t)table + 1));
    for (unsigned i = 0; i < CHECKSUM_BYTES; i++)
        to[i] = (uint8_t)(sum >> (56 - 8 * i));
}

/* ---- one row ---- */

union record {
    struct meta_record meta;
    struct topic_record topic;
    struct group_record group;
    struct attempt_record attempt;
    struct history_record history;
    struct ended_record ended;
    struct dead_record dead;
    struct job_record job;
    struct cause_record cause;
    struct history_record example;
    struct dedup_record dedup;
    struct dedup_chunk_record dedup_chunk;
    struct audit_record audit;
    struct rule_record rule;
    struct edit_record edit;
    struct breaker_record breaker;
    struct user_record user;
    struct role_record role;
    struct token_record token;
    uint64_t words[CHUNK_BYTES / 8];
};

#define COPY(name)                                                                                           \
    (err = name##_decode(key, value, &r.name), *ret_size = err ? 0 : name##_encode(to, key, &r.name))

/* Of tables whose rows are each of one kind, and that came later. */
static int copy_late(enum store_table table, struct slice key, struct slice value, uint8_t *to,
                     size_t *ret_size)
{
    static union record r;
    int err;
    memset(&r, 0, sizeof r);
    if (table == TABLE_AUDIT)
        COPY(audit);
    else if (table == TABLE_RULE)
        COPY(rule);
    else if (table == TABLE_BREAKER)
        COPY(breaker);
    else if (table == TABLE_USER)
        COPY(user);
    else if (table == TABLE_ROLE)
        COPY(role);
    else
        COPY(token);
    return err;
}

/* Read `value`; if that works, write it to `to` and set *ret_size. NOT_FOUND for a table without records. */
static int copy_record(enum store_table table, struct slice key, struct slice value, uint8_t *to,
                       size_t *ret_size)
{
    static union record r;
    int err = SHUNT_NOT_FOUND;
    memset(&r, 0, sizeof r);
    switch (table) {
    case TABLE_META:
        COPY(meta);
        break;
    case TABLE_TOPIC:
        COPY(topic);
        break;
    case TABLE_GROUP:
        COPY(group);
        break;
    case TABLE_ATTEMPT:
        COPY(attempt);
        break;
    case TABLE_HISTORY:
        if (key.size && ((const uint8_t *)key.data)[key.size - 1])
            COPY(history);
        else
            COPY(ended);
        break;
    case TABLE_DEAD:
        COPY(dead);
        break;
    case TABLE_EDIT: /* its other rows are messages */
        if (key.size && !((const uint8_t *)key.data)[key.size - 1])
            COPY(edit);
        break;
    case TABLE_JOB:
        COPY(job);
        break;
    case TABLE_CAUSE:
        if (key.size == 12)
            COPY(cause);
        else
            COPY(example);
        break;
    case TABLE_DEDUP:
        if (key.size == PRODUCER_ID_BYTES)
            COPY(dedup);
        else
            COPY(dedup_chunk);
        break;
    case TABLE_DONE:
        err = chunk_decode(key, value, r.words);
        *ret_size = err ? 0 : chunk_encode(to, key, r.words);
        break;
    case TABLE_AUDIT:
    case TABLE_RULE:
    case TABLE_BREAKER:
    case TABLE_USER:
    case TABLE_ROLE:
    case TABLE_TOKEN:
        return copy_late(table, key, value, to, ret_size);
    case TABLE_MESSAGE:
    case TABLE_DUE:
    case TABLE_EXPIRY:
    case TABLE_DAMAGED:
    case TABLE_COUNT:
        break;
    }
#undef COPY
    return err;
}

static void try_record(enum store_table table, struct slice key, uint8_t *value, size_t size)
{
    static uint8_t copy[RECORD_BYTES_MAX];
    size_t copied = 0;
    int err = copy_record(table, key, (struct slice){value, size}, copy, &copied);
    MUST(err == 0 || err == SHUNT_CORRUPT || err == SHUNT_NOT_FOUND);
    if (err)
        return;
    /* Without the fields that came last: taken over with them. */
    size_t added = copied - size;
    if ((table == TABLE_GROUP && (added == 89 || added == 81 || added == 72 || added == 40 || added == 32)) ||
        (table == TABLE_META && (added == 44 || added == 40)) || (table == TABLE_DEAD && added == 9) ||
        (table == TABLE_CAUSE && added == 16) || (table == TABLE_JOB && (added == 167 || added == 13)))
        return;
    MUST(copied == size && memcmp(copy, value, size) == 0);
    size_t bit = XXH3_64bits(value, size) % (size * 8);
    value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    MUST(copy_record(table, key, (struct slice){value, size}, copy, &copied) == SHUNT_CORRUPT);
    value[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void try_message(struct slice key, uint8_t *value, size_t size)
{
    struct message_head head;
    struct slice message;
    int err = message_decode(key, (struct slice){value, size}, true, &head, &message);
    MUST(err == 0 || err == SHUNT_CORRUPT);
    if (err)
        return;
    MUST((const uint8_t *)message.data + message.size == value + size);
    value[size - 1] ^= 1;
    MUST(message_decode(key, (struct slice){value, size}, true, &head, &message) == SHUNT_CORRUPT);
    value[size - 1] ^= 1;
}

static void try_key(struct slice key)
{
    uint32_t id, row;
    uint64_t seq;
    uint8_t lane;
    int64_t at_ms;
    struct key again = {.size = 0};
    struct slice producer;
    if (key_read_id(key, &id))
        again = key_id(id);
    else if (key_read_id_seq(key, &id, &seq))
        again = key_id_seq(id, seq);
    else if (key_read_history(key, &id, &seq, &row))
        again = key_history(id, seq, row);
    else if (key_read_due(key, &id, &lane, &at_ms, &seq))
        again = key_due(id, lane, at_ms, seq);
    else if (key_read_expiry(key, &at_ms, &id, &seq))
        again = key_expiry(at_ms, id, seq);
    else if (key_read_job(key, &seq))
        again = key_job(seq);
    else if (key_read_dedup(key, &producer, &seq))
        again = key_dedup(producer, seq);
    if (again.size)
        MUST(again.size == key.size && memcmp(again.bytes, key.data, key.size) == 0);
}

/* ---- all of them ---- */

static void put_row(struct store_txn *txn, struct source *s)
{
    static uint8_t value[FIELDS_BYTES_MAX + CHECKSUM_BYTES];
    enum store_table table = (enum store_table)(source_u8(s) % TABLE_COUNT);
    size_t key_size = 1u + source_u8(s) % STORE_KEY_BYTES_MAX;
    size_t size = (size_t)source_u8(s) << 8;
    size = (size | source_u8(s)) % (FIELDS_BYTES_MAX + 1);
    struct slice key = source_bytes(s, key_size), fields = source_bytes(s, size);
    if (key.size == 0)
        return;
    try_key(key);
    bool message = table == TABLE_MESSAGE;
    bool indexes = table == TABLE_DUE || table == TABLE_EXPIRY || table == TABLE_DAMAGED;
    uint8_t *bytes = message ? value + CHECKSUM_BYTES : value;
    memcpy(bytes, fields.data, fields.size);
    put_checksum(message ? value : value + fields.size, table, key, bytes, fields.size);
    size_t whole = indexes ? fields.size : fields.size + CHECKSUM_BYTES;
    if (message)
        try_message(key, value, whole);
    else if (!indexes)
        try_record(table, key, value, whole);
    bool version = table == TABLE_META && slice_is(key, "version");
    if (!version)
        MUST(store_put(txn, table, key, (struct slice){value, whole}) == 0);
}

static void load(struct store *store)
{
    struct store_txn *txn;
    struct ledger *l = NULL;
    char why[512] = "";
    MUST(store_begin(store, false, &txn) == 0);
    int err = ledger_new(txn, &l, why, sizeof why);
    MUST(err == 0 || (err == SHUNT_CORRUPT && !l && why[0]));
    ledger_free(l);
    store_abort(txn);
}

static void walk(struct store *store)
{
    char *text = NULL;
    size_t size = 0;
    uint64_t problems = 0;
    FILE *report = open_memstream(&text, &size);
    MUST(report && check_store(store, report, &problems) == 0);
    MUST(fclose(report) == 0 && size > 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {data, data + size};
    struct store *store = store_memory_open(1u << 26);
    struct store_txn *txn;
    MUST(store && store_begin(store, true, &txn) == 0);
    for (unsigned rows = 0; source_left(&s) && rows < ROWS_MAX; rows++)
        put_row(txn, &s);
    MUST(store_commit(txn) == 0);
    load(store);
    walk(store);
    store_close(store);
    return 0;
}
