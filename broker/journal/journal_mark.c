/* journal_mark: where the last records stand, so that opening need not look for later ones in the whole file. */
#include "broker/journal/journal_layout.h"

bool mark_has(const struct journal *j, uint64_t at, uint64_t bytes)
{
    const struct journal_mark *m = &j->mark;
    return m->bytes && at >= m->at && at - m->at + bytes <= m->bytes;
}

int mark_write(struct journal *j, uint64_t at, uint64_t bytes)
{
    uint8_t sector[SECTOR_BYTES] = {0};
    const struct journal_mark mark = {j->mark.serial + 1, j->next.number, at, mark_bytes(j) + bytes};
    uint64_t place = MARK_PLACE(mark.serial);
    head_write(sector, MAGIC_MARK, j->id, mark.number, mark.bytes);
    put_be64(sector + HEAD_AT, mark.at);
    put_be64(sector + HEAD_SERIAL, mark.serial);
    put_be64(sector + HEAD_CHECKSUM, head_checksum(sector, 0, place));
    int err = j->file->ops->write(j->file, place, &(const struct iovec){sector, sizeof sector}, 1);
    if (!err)
        j->mark = mark;
    return err;
}

/* It may have any contents, though its checksum is true. */
static bool can_be(const struct journal *j, const struct journal_mark *m)
{
    return m->at >= RECORDS_AT && m->at <= j->bytes && m->at % JOURNAL_BLOCK_BYTES == 0 &&
           m->bytes % JOURNAL_BLOCK_BYTES == 0;
}

int mark_read(struct journal *j)
{
    static const uint8_t none[JOURNAL_HEAD_BYTES];
    bool known = true;
    j->mark = (struct journal_mark){0};
    for (uint64_t i = 0; i < MARKS; i++) {
        uint8_t head[JOURNAL_HEAD_BYTES];
        int err = j->file->ops->read(j->file, MARK_PLACE(i), head, sizeof head);
        if (err)
            return err;
        if (memcmp(head, none, sizeof head) == 0)
            continue;
        const struct journal_mark m = {get_be64(head + HEAD_SERIAL), get_be64(head + HEAD_NUMBER),
                                       get_be64(head + HEAD_AT), get_be64(head + HEAD_BYTES)};
        bool whole = get_be64(head + HEAD_MAGIC) == MAGIC_MARK &&
                     memcmp(head + HEAD_ID, j->id, JOURNAL_ID_BYTES) == 0 &&
                     get_be64(head + HEAD_CHECKSUM) == head_checksum(head, 0, MARK_PLACE(i)) && can_be(j, &m);
        known = known && whole;
        if (whole && m.serial > j->mark.serial)
            j->mark = m;
    }
    if (!known)
        j->mark.bytes = 0;
    return 0;
}
