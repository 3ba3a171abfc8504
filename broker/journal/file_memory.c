/* file_memory: see file_memory.h. What was written lies in `written`; of blocks that are not clean, what was flushed in `flushed`. */
#include "broker/journal/file_memory.h"

#include "base/check.h"
#include "base/container.h"
#include "broker/journal/journal.h"
#include "proto/errors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A flush that fails gives blocks up, as Linux does: later ones pass them over. */
enum block { CLEAN, DIRTY, GIVEN_UP };

struct memory_file {
    struct journal_file base;
    unsigned handles;
    uint64_t bytes_max, size, flushed_size;
    uint8_t *written, *flushed; /* bytes_max each; zeros beyond the size */
    uint8_t *blocks;            /* enum block of each */
    uint64_t calls, fail_at;
    int fail_err;
};

static struct memory_file *memory_of(struct journal_file *f)
{
    return container_of(f, struct memory_file, base);
}

/* The error that this call is to have. */
static int fault(struct memory_file *m)
{
    return m->calls++ == m->fail_at ? m->fail_err : 0;
}

static int memory_size(struct journal_file *f, uint64_t *ret)
{
    struct memory_file *m = memory_of(f);
    int err = fault(m);
    if (!err)
        *ret = m->size;
    return err;
}

static int memory_read(struct journal_file *f, uint64_t at, void *to, size_t bytes)
{
    struct memory_file *m = memory_of(f);
    int err = fault(m);
    if (!err && (at > m->size || bytes > m->size - at))
        err = SHUNT_CORRUPT;
    if (!err)
        memcpy(to, m->written + at, bytes);
    return err;
}

static void mark(struct memory_file *m, uint64_t from, uint64_t to)
{
    for (uint64_t at = from / JOURNAL_BLOCK_BYTES; at * JOURNAL_BLOCK_BYTES < to; at++)
        m->blocks[at] = DIRTY;
}

static int grow(struct memory_file *m, uint64_t size)
{
    if (size > m->bytes_max)
        return SHUNT_NO_SPACE;
    if (size > m->size)
        m->size = size;
    return 0;
}

static int memory_write(struct journal_file *f, uint64_t at, const struct iovec *parts, int count)
{
    struct memory_file *m = memory_of(f);
    int err = fault(m);
    check(count <= JOURNAL_FILE_PARTS_MAX);
    if (err)
        count = (count + 1) / 2;
    for (int i = 0; i < count; i++) {
        size_t some = err ? parts[i].iov_len / 2 : parts[i].iov_len;
        if (grow(m, at + some) != 0)
            return SHUNT_NO_SPACE;
        memcpy(m->written + at, parts[i].iov_base, some);
        mark(m, at, at + some);
        at += some;
    }
    return err;
}

static int memory_flush(struct journal_file *f)
{
    struct memory_file *m = memory_of(f);
    int err = fault(m);
    for (uint64_t i = 0; i * JOURNAL_BLOCK_BYTES < m->bytes_max; i++) {
        uint64_t at = i * JOURNAL_BLOCK_BYTES;
        if (m->blocks[i] != DIRTY)
            continue;
        m->blocks[i] = err ? GIVEN_UP : CLEAN;
        if (!err)
            memcpy(m->flushed + at, m->written + at, JOURNAL_BLOCK_BYTES);
    }
    if (!err)
        m->flushed_size = m->size;
    return err;
}

static int memory_allocate(struct journal_file *f, uint64_t from, uint64_t to, bool *ret_done)
{
    (void)from;
    struct memory_file *m = memory_of(f);
    int err = fault(m);
    *ret_done = true;
    return err ? err : grow(m, to);
}

static int memory_truncate(struct journal_file *f, uint64_t bytes)
{
    struct memory_file *m = memory_of(f);
    int err = fault(m);
    if (!err)
        err = grow(m, bytes);
    if (err)
        return err;
    memset(m->written + bytes, 0, m->size - bytes);
    mark(m, bytes, m->size);
    m->size = bytes;
    return 0;
}

static const uint8_t *memory_map(struct journal_file *f, uint64_t bytes)
{
    (void)bytes; /* what is longer than it can be is not there */
    return memory_of(f)->written;
}

static int memory_again(struct journal_file *f, struct journal_file **ret)
{
    struct memory_file *m = memory_of(f);
    int err = fault(m);
    if (err)
        return err;
    m->handles++;
    *ret = f;
    return 0;
}

static void memory_close(struct journal_file *f)
{
    struct memory_file *m = memory_of(f);
    if (--m->handles)
        return;
    if (m->written)
        (void)munmap(m->written, 2 * m->bytes_max); /* as it was mapped: cannot fail */
    free(m->blocks);
    free(m);
}

static const struct journal_file_ops memory_ops = {
    .size = memory_size,
    .read = memory_read,
    .write = memory_write,
    .flush = memory_flush,
    .allocate = memory_allocate,
    .truncate = memory_truncate,
    .map = memory_map,
    .again = memory_again,
    .close = memory_close,
};

/* Of the system, not of the heap: most of it is never touched, and a heap that fills what it gives (MALLOC_PERTURB_) would touch it all. */
static uint8_t *zeros(uint64_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

struct journal_file *journal_file_memory(uint64_t bytes_max)
{
    uint64_t blocks = (bytes_max + JOURNAL_BLOCK_BYTES - 1) / JOURNAL_BLOCK_BYTES;
    struct memory_file *m = malloc(sizeof *m);
    if (!m)
        return NULL;
    *m = (struct memory_file){.base = {&memory_ops}, .handles = 1, .bytes_max = blocks * JOURNAL_BLOCK_BYTES};
    m->written = zeros(2 * m->bytes_max);
    m->flushed = m->written ? m->written + m->bytes_max : NULL;
    m->blocks = calloc(blocks, sizeof *m->blocks);
    if (m->written && m->blocks)
        return &m->base;
    memory_close(&m->base);
    return NULL;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void journal_memory_crash(struct journal_file *f, uint64_t seed)
{
    enum { LOST, KEPT, TORN, WAYS };
    struct memory_file *m = memory_of(f);
    uint64_t longest = m->size > m->flushed_size ? m->size : m->flushed_size;
    if (draw(&seed) % 2)
        m->size = m->flushed_size;
    for (uint64_t i = 0; i * JOURNAL_BLOCK_BYTES < m->bytes_max; i++) {
        if (m->blocks[i] == CLEAN)
            continue;
        uint64_t way = draw(&seed) % WAYS, begin = i * JOURNAL_BLOCK_BYTES, end = begin + JOURNAL_BLOCK_BYTES;
        for (uint64_t at = begin; at < end; at += MEMORY_SECTOR_BYTES) {
            if (way == LOST || (way == TORN && draw(&seed) % 2))
                memcpy(m->written + at, m->flushed + at, MEMORY_SECTOR_BYTES);
        }
        memcpy(m->flushed + begin, m->written + begin, JOURNAL_BLOCK_BYTES);
        m->blocks[i] = CLEAN;
    }
    memset(m->written + m->size, 0, longest - m->size);
    memset(m->flushed + m->size, 0, longest - m->size);
    m->flushed_size = m->size;
}

void journal_memory_fail(struct journal_file *f, uint64_t skip, int err)
{
    struct memory_file *m = memory_of(f);
    m->fail_at = m->calls + skip;
    m->fail_err = err;
}

uint64_t journal_memory_calls(struct journal_file *f)
{
    return memory_of(f)->calls;
}

void journal_memory_damage(struct journal_file *f, uint64_t at, const void *bytes, size_t size)
{
    struct memory_file *m = memory_of(f);
    check(at <= m->size && size <= m->size - at);
    memcpy(m->written + at, bytes, size);
    memcpy(m->flushed + at, bytes, size);
}
