/* stub: what stands in the store behind instead of a message whose bytes stay in the journal, where they were written.
 *
 *     8  XXH3-64 of the rest, seeded with that of the key, which is seeded with the journal's id
 *     6  number of the record    6  byte of the file at which the value begins    4  bytes of it
 *
 * All values of the table may be of any bytes; one that has this very length and checksum is a stub: no program that writes values knows the id.
 */
#ifndef SHUNT_JOURNAL_STUB_H
#define SHUNT_JOURNAL_STUB_H

#include "broker/journal/journal.h"
#include "broker/journal/row.h"
#include "broker/store/page.h"

#define STUB_BYTES           24u
#define STUB_VALUE_BYTES_MIN 64u /* shorter values go into the store behind as they are */
#define STUB_TABLE           TABLE_MESSAGE

/* What a row that could become a stub would take in the store behind, about and at most; 0: it cannot. A leaf between others is split in half. */
static inline uint64_t stub_kept_bytes(const struct row *r)
{
    uint32_t size = row_value_size(r);
    size_t bytes = r->key_size + (size_t)size;
    if (row_table(r) != STUB_TABLE || row_deleted(r) || size < STUB_VALUE_BYTES_MIN)
        return 0;
    return bytes < 1000 ? 2 * ((uint64_t)bytes + 12) : cost_next(bytes);
}

struct stub {
    uint64_t number; /* of the record */
    uint64_t at;     /* bytes from the beginning of the file */
    uint32_t bytes;
};

void stub_write(uint8_t to[STUB_BYTES], const uint8_t id[JOURNAL_ID_BYTES], struct slice key,
                const struct stub *s);
/* False: the value is a value. */
bool stub_read(const uint8_t id[JOURNAL_ID_BYTES], struct slice key, struct slice value, struct stub *ret);

#endif
