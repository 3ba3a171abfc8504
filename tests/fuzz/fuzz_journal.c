/* fuzz_journal: any bytes as blocks of a journal's file that is opened, appended to, and opened again.
 *
 * First two numbers: the record and the block to begin from. Then block by block: which one, a kind, and either bytes of its beginning or two
 * numbers of a head; its magic, id and checksum are put right, because otherwise nearly nothing would get past the first test.
 */
#include "base/big_endian.h"
#include "broker/journal/file_memory.h"
#include "broker/journal/journal.h"
#include "proto/errors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/source.h"
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FILE_BYTES (1u << 20)

enum { BLOCKS = (int)(FILE_BYTES / JOURNAL_BLOCK_BYTES), HEAD_NUMBER = 32, HEAD_BYTES = 40 };

static const uint8_t id[JOURNAL_ID_BYTES] = {"fuzz"};

struct taken {
    uint64_t next, bytes;
};

static int take(void *context, struct journal_place place, struct slice body)
{
    struct taken *t = context;
    MUST(place.number == t->next);
    t->next++;
    t->bytes += body.size + XXH3_64bits(body.data, body.size) % 2; /* so that each byte is read */
    return 0;
}

/* As docs/storage.md has it, written a second time. */
static void mend(uint8_t *file, uint64_t at, const char *magic)
{
    uint8_t *head = file + at;
    uint64_t body_bytes = at ? get_be64(head + HEAD_BYTES) : 0;
    memcpy(head + 8, magic, 8);
    memcpy(head + 16, id, sizeof id);
    if (body_bytes > FILE_BYTES - at - JOURNAL_HEAD_BYTES)
        return;
    put_be64(head, XXH3_64bits_withSeed(head + 8, JOURNAL_HEAD_BYTES - 8 + body_bytes, at));
}

static void put_blocks(struct source *s, uint8_t *file)
{
    uint64_t mended[64];
    size_t count = 0;
    while (source_left(s) && count < 64) {
        uint64_t at = source_u8(s) % BLOCKS * (uint64_t)JOURNAL_BLOCK_BYTES;
        uint8_t kind = source_u8(s);
        if (kind % 4 == 0) { /* any bytes */
            struct slice bytes = source_bytes(s, source_u8(s));
            memcpy(file + at, bytes.data, bytes.size);
        } else { /* a record: its number, its length; of the head block the version and the length */
            put_be64(file + at + HEAD_NUMBER, source_number(s));
            put_be64(file + at + HEAD_BYTES, source_number(s) * (kind % 4 == 1 ? JOURNAL_BLOCK_BYTES : 1));
            mended[count++] = at;
        }
    }
    for (size_t i = 0; i < count; i++)
        mend(file, mended[i], mended[i] ? "shuntrec" : "shuntjnl");
}

static int open_from(struct journal_file *file, struct journal_place from, bool read_only, struct taken *t,
                     struct journal **ret)
{
    struct journal_file *again;
    char why[512] = "";
    *t = (struct taken){.next = from.number};
    MUST(file->ops->again(file, &again) == 0);
    int err = journal_open(again, id, from, from, read_only, take, t, ret, why, sizeof why);
    MUST(err == 0 || ((err == SHUNT_CORRUPT || err == SHUNT_STORE_VERSION || err == SHUNT_STORE_TRUNCATED ||
                       err == SHUNT_NOT_FOUND) &&
                      why[0]));
    return err;
}

/* A journal without records. One for all inputs: making it takes longer than reading it. */
static struct journal_file *file_made(uint8_t head_block[JOURNAL_BLOCK_BYTES])
{
    struct journal_file *file = journal_file_memory(FILE_BYTES), *again;
    struct journal *j;
    char why[512];
    MUST(file && file->ops->again(file, &again) == 0);
    MUST(journal_create(again, id, FILE_BYTES, 0, &j, why, sizeof why) == 0);
    journal_close(j);
    MUST(file->ops->read(file, 0, head_block, JOURNAL_BLOCK_BYTES) == 0);
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[FILE_BYTES], head_block[JOURNAL_BLOCK_BYTES];
    static struct journal_file *file;
    struct source s = {data, data + size};
    struct journal *j;
    struct taken first, second;
    struct journal_place from;
    from.number = source_number(&s) / 2; /* no journal lives until numbers are used up */
    from.at = source_number(&s) * JOURNAL_BLOCK_BYTES;
    memset(bytes, 0, sizeof bytes);
    if (!file)
        file = file_made(head_block);
    memcpy(bytes, head_block, sizeof head_block);
    put_blocks(&s, bytes);
    journal_memory_damage(file, 0, bytes, sizeof bytes);

    /* The same whether it is only read or not; what is appended then is found behind it. */
    int err = open_from(file, from, true, &first, &j);
    if (!err)
        journal_close(j);
    MUST(open_from(file, from, false, &second, &j) == err && first.next == second.next &&
         first.bytes == second.bytes);
    if (!err) {
        MUST(journal_used_bytes(j) < FILE_BYTES);
        bool room = journal_has_room(j, 5000);
        if (room)
            MUST(journal_append(j, bytes, 5000) == 0);
        journal_close(j);
        MUST(open_from(file, from, false, &second, &j) == 0 && second.next == first.next + room);
        journal_close(j);
    }
    return 0;
}
