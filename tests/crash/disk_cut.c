/* disk_cut: making the directory that a power cut leaves.
 *
 * There is one copy of each file, which is changed only where it must differ from the last: most cuts cost a
 * few writes of a sector. Names are hard links to the copies.
 */
#include "tests/crash/disk_private.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is lost: everything, each thing with some likelihood, all but one thing, or one thing alone. */
struct fate {
    uint64_t seed;
    unsigned keep_of_256;
    bool tears;
    uint64_t odd_one; /* number of a record that fares otherwise than the rest; UINT64_MAX for none */
};

static _Noreturn void die(const char *what, const char *path)
{
    (void)fprintf(stderr, "powercut: cannot %s %s\n", what, path);
    exit(2);
}

static struct fate fate_of(const struct disk *d, uint64_t seed)
{
    static const unsigned likelihoods[] = {0, 256, 128, 128, 230, 26, 256, 0};
    uint64_t r = trace_random(seed, 1);
    struct fate f = {
        .seed = seed, .keep_of_256 = likelihoods[r % 8], .tears = (r >> 8) % 3 == 0, .odd_one = UINT64_MAX};
    if (seed == 0) {
        f.keep_of_256 = 256;
        f.tears = false;
    } else if (r % 8 >= 6) { /* one of the last */
        uint64_t back = 1 + (r >> 16) % 40;
        f.odd_one = d->cut > back ? d->cut - back : 0;
    }
    return f;
}

static bool keeps(const struct fate *f, uint64_t record, uint64_t sector)
{
    uint64_t what = f->tears ? record * 0x100000001b3u + sector : record;
    bool kept = trace_random(f->seed, what + 2) % 256 < f->keep_of_256;
    return record == f->odd_one ? !kept : kept;
}

/* ---- files ---- */

static void copy_open(struct disk *d, struct file *f)
{
    char path[PATH_MAX + 32];
    if (f->copy_fd >= 0)
        return;
    (void)snprintf(path, sizeof path, "%s/file-%zu", d->work, (size_t)(f - d->files));
    f->copy_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (f->copy_fd < 0)
        die("create", path);
    f->spoilt = true;
}

/* What is to be written to a copy, in one piece where one stands behind the other in both. */
struct run {
    const uint8_t *data;
    uint64_t at, size;
};

static void run_end(const struct file *f, struct run *r)
{
    if (r->size && pwrite(f->copy_fd, r->data, r->size, (off_t)r->at) != (ssize_t)r->size)
        die("write to", "a copy");
    *r = (struct run){0};
}

static void run_add(const struct file *f, struct run *r, const uint8_t *data, uint64_t size, uint64_t at)
{
    if (at != r->at + r->size || data != r->data + r->size) {
        run_end(f, r);
        *r = (struct run){data, at, 0};
    }
    r->size += size;
}

static void copy_length(struct file *f, uint64_t bytes)
{
    if (f->copy_bytes != bytes && ftruncate(f->copy_fd, (off_t)bytes) != 0)
        die("cut", "a copy");
    f->copy_bytes = bytes;
}

/* Take back what the last cut did to the copy. */
static void copy_reset(struct file *f)
{
    struct run run = {0};
    if (f->spoilt) {
        if (ftruncate(f->copy_fd, 0) != 0)
            die("empty", "a copy");
        run_add(f, &run, f->stable, f->stable_end, 0);
        f->copy_bytes = UINT64_MAX;
    } else {
        for (size_t i = 0; i < f->changed_count; i++) {
            uint64_t at = f->changed[i] * SECTOR_BYTES;
            run_add(f, &run, f->stable + at, SECTOR_BYTES, at);
        }
    }
    run_end(f, &run);
    f->changed_count = 0;
    f->spoilt = false;
}

static void file_cut(struct disk *d, struct file *f, const struct fate *fate)
{
    copy_open(d, f);
    copy_reset(f);
    struct run run = {0};
    uint64_t bytes = f->stable_bytes;
    for (size_t i = 0; i < f->length_count; i++) {
        const struct length *l = &f->lengths[i];
        if (keeps(fate, l->record, UINT32_MAX) && (!l->at_least || l->bytes > bytes))
            bytes = l->bytes;
    }
    for (size_t i = 0; i < f->piece_count; i++) {
        const struct piece *p = &f->pieces[i];
        uint64_t at = p->sector * SECTOR_BYTES + p->offset;
        if (!keeps(fate, p->record, p->sector))
            continue;
        run_add(f, &run, p->data, p->size, at);
        file_changed(f, p->sector);
        if (at + p->size > bytes)
            bytes = at + p->size;
    }
    run_end(f, &run);
    f->copy_bytes = UINT64_MAX; /* writing may have made it longer */
    copy_length(f, bytes);
}

/* ---- names ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    if (access(path, F_OK) == 0 && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        die("remove", path);
}

static int by_path(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* Make a directory or a link; a name in a directory that is not there is not there either. */
static void name_make(struct disk *d, const struct name *n)
{
    char path[2 * PATH_MAX], copy[2 * PATH_MAX];
    if (!n->path[0])
        return;
    (void)snprintf(path, sizeof path, "%s/%.255s", d->tree, n->path);
    (void)snprintf(copy, sizeof copy, "%s/file-%zu", d->work, (size_t)(n->file - d->files));
    if (n->file->is_directory)
        (void)mkdir(path, 0700); /* may be missing, as said */
    else
        (void)!link(copy, path); /* likewise */
}

static void names_cut(struct disk *d, const struct fate *fate)
{
    struct name names[NAMES_MAX];
    memcpy(names, d->stable, sizeof names);
    for (size_t i = 0; i < d->change_count; i++) {
        if (keeps(fate, d->changes[i].record, 0))
            names_change(names, &d->changes[i]);
    }
    qsort(names, NAMES_MAX, sizeof names[0], by_path);
    for (size_t i = 0; i < NAMES_MAX; i++) { /* so that lists can be compared as bytes */
        if (!names[i].path[0])
            memset(&names[i], 0, sizeof names[i]);
    }
    if (d->tree_is_made && memcmp(names, d->made, sizeof names) == 0)
        return;
    remove_tree(d->tree);
    if (mkdir(d->tree, 0700) != 0)
        die("create", d->tree);
    for (size_t i = 0; i < NAMES_MAX; i++)
        name_make(d, &names[i]);
    memcpy(d->made, names, sizeof names);
    d->tree_is_made = true;
}

const char *disk_cut(struct disk *d, uint64_t seed)
{
    struct fate fate = fate_of(d, seed);
    for (size_t i = 0; i < d->file_count; i++) {
        if (!d->files[i].is_directory)
            file_cut(d, &d->files[i], &fate);
    }
    names_cut(d, &fate);
    return d->tree;
}

void disk_spoilt(struct disk *d)
{
    for (size_t i = 0; i < d->file_count; i++)
        d->files[i].spoilt = true;
    d->tree_is_made = false;
}

void disk_free(struct disk *d)
{
    if (!d)
        return;
    remove_tree(d->tree);
    for (size_t i = 0; i < d->file_count; i++) {
        struct file *f = &d->files[i];
        char path[PATH_MAX + 32];
        (void)snprintf(path, sizeof path, "%s/file-%zu", d->work, i);
        (void)unlink(path); /* a directory has none */
        if (f->copy_fd >= 0)
            (void)close(f->copy_fd); /* removed already */
        if (f->stable)
            (void)munmap(f->stable, FILE_BYTES_MAX);
        free(f->pieces);
        free(f->lengths);
        free(f->changed);
    }
    free(d);
}
