/* disk: letting recorded things happen. */
#include "base/array.h"
#include "tests/crash/disk_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Noreturn void die(const char *why)
{
    (void)fprintf(stderr, "powercut: %s\n", why);
    exit(2);
}

void *disk_room(void *array, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count >= *capacity && !array_grow(&array, item_bytes, capacity, count + 1))
        die("no memory");
    return array;
}

/* ---- names ---- */

struct file *names_get(const struct name *names, const char *path)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names[i].path[0] && strcmp(names[i].path, path) == 0)
            return names[i].file;
    }
    return NULL;
}

void names_set(struct name *names, const char *path, struct file *file)
{
    struct name *unused = NULL;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (!names[i].path[0]) {
            unused = unused ? unused : &names[i];
        } else if (strcmp(names[i].path, path) == 0) {
            names[i].file = file;
            if (!file)
                names[i].path[0] = 0;
            return;
        }
    }
    if (!file)
        return;
    if (!unused || strlen(path) >= sizeof unused->path)
        die("too many names");
    (void)strcpy(unused->path, path);
    unused->file = file;
}

void names_change(struct name *names, const struct name_change *c)
{
    if (c->from[0])
        names_set(names, c->from, NULL);
    names_set(names, c->to.path, c->to.file);
}

static struct file *directory_of(struct disk *d, const char *path)
{
    char parent[256];
    (void)snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        return d->root;
    *slash = 0;
    return names_get(d->now, parent);
}

static void change_name(struct disk *d, size_t record, const char *from, const char *to, struct file *file)
{
    if (d->change_count == NAMES_MAX)
        die("too many names are not synced");
    struct name_change *c = &d->changes[d->change_count++];
    *c = (struct name_change){.record = record, .directory = directory_of(d, to), .to.file = file};
    (void)snprintf(c->to.path, sizeof c->to.path, "%s", to);
    (void)snprintf(c->from, sizeof c->from, "%s", from);
    names_change(d->now, c);
}

static bool touches(const struct name_change *c, const char *path)
{
    return strcmp(c->to.path, path) == 0 || strcmp(c->from, path) == 0;
}

/* The names of a directory have reached the disk. What happened earlier to a name that is now stable is over
 * with it. */
static void sync_names(struct disk *d, const struct file *directory, size_t begin)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->change_count; i++) {
        struct name_change c = d->changes[i];
        bool synced = c.directory == directory && c.record < begin;
        if (synced) {
            names_change(d->stable, &c);
            size_t left = 0;
            for (size_t k = 0; k < kept; k++) {
                if (!c.from[0] || !touches(&d->changes[k], c.from))
                    d->changes[left++] = d->changes[k];
            }
            kept = left;
        } else {
            d->changes[kept++] = c;
        }
    }
    d->change_count = kept;
}

/* ---- files ---- */

static struct file *file_of(struct disk *d, uint64_t inode)
{
    for (size_t i = d->file_count; i-- > 0;) { /* an inode's number is used again: the newest counts */
        if (d->files[i].inode == inode)
            return &d->files[i];
    }
    die("an unknown file was written to");
}

static struct file *file_new(struct disk *d, uint64_t inode, bool is_directory)
{
    if (d->file_count == FILES_MAX)
        die("too many files");
    struct file *f = &d->files[d->file_count++];
    *f = (struct file){.inode = inode, .is_directory = is_directory, .copy_fd = -1};
    if (!is_directory) {
        f->stable = mmap(NULL, FILE_BYTES_MAX, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (f->stable == MAP_FAILED)
            die("no address space");
    }
    return f;
}

void file_changed(struct file *f, uint64_t sector)
{
    f->changed = disk_room(f->changed, f->changed_count, &f->changed_capacity, sizeof *f->changed);
    f->changed[f->changed_count++] = sector;
}

static void set_length(struct file *f, size_t record, uint64_t bytes, bool at_least)
{
    f->lengths = disk_room(f->lengths, f->length_count, &f->length_capacity, sizeof *f->lengths);
    f->lengths[f->length_count++] = (struct length){bytes, record, at_least};
}

static void write_file(struct file *f, size_t record, const struct trace_entry *e)
{
    uint64_t at = e->r.at, end = at + e->r.data_bytes;
    if (end > FILE_BYTES_MAX)
        die("a file is too large for this rig");
    set_length(f, record, end, true);
    for (const uint8_t *data = e->data; at < end;) {
        uint64_t sector = at / SECTOR_BYTES, next = (sector + 1) * SECTOR_BYTES;
        uint64_t size = (next < end ? next : end) - at;
        f->pieces = disk_room(f->pieces, f->piece_count, &f->piece_capacity, sizeof *f->pieces);
        f->pieces[f->piece_count++] =
            (struct piece){data, sector, record, (uint16_t)(at % SECTOR_BYTES), (uint16_t)size, false};
        data += size;
        at += size;
    }
}

static void make_stable(struct file *f, const struct piece *p)
{
    uint64_t at = p->sector * SECTOR_BYTES + p->offset;
    memcpy(f->stable + at, p->data, p->size);
    if (at + p->size > f->stable_end)
        f->stable_end = at + p->size;
    if (at + p->size > f->stable_bytes)
        f->stable_bytes = at + p->size;
    file_changed(f, p->sector);
}

/* An O_DSYNC write is on disk, and with it whatever was written earlier to its sectors; nothing else. */
static void sync_range(struct file *f, uint64_t at, uint64_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->piece_count; i++) {
        struct piece p = f->pieces[i];
        if (p.sector >= at / SECTOR_BYTES && p.sector <= (at + size - 1) / SECTOR_BYTES)
            make_stable(f, &p);
        else
            f->pieces[kept++] = p;
    }
    f->piece_count = kept;
}

/* Whether a sync brings it: what was lost only comes with what was written to its page later. */
static bool is_brought(const struct file *f, size_t i, size_t begin)
{
    const struct piece *p = &f->pieces[i];
    bool brought = p->record < begin && !p->lost;
    for (size_t k = i + 1; p->lost && k < f->piece_count && !brought; k++) {
        const struct piece *later = &f->pieces[k];
        brought =
            !later->lost && later->record < begin && later->sector / PAGE_SECTORS == p->sector / PAGE_SECTORS;
    }
    return brought;
}

static void lose_file(struct file *f, size_t begin)
{
    for (size_t i = 0; i < f->piece_count; i++)
        f->pieces[i].lost |= f->pieces[i].record < begin;
}

static void sync_file(struct file *f, size_t begin)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->length_count; i++) {
        struct length l = f->lengths[i];
        if (l.record >= begin)
            f->lengths[kept++] = l;
        else if (!l.at_least || l.bytes > f->stable_bytes)
            f->stable_bytes = l.bytes;
    }
    f->length_count = kept;
    kept = 0;
    for (size_t i = 0; i < f->piece_count; i++) {
        struct piece p = f->pieces[i];
        if (is_brought(f, i, begin))
            make_stable(f, &p);
        else
            f->pieces[kept++] = p;
    }
    f->piece_count = kept;
}

static void happen(struct disk *d, size_t number)
{
    const struct trace_entry *e = &d->trace->entries[number];
    struct file *f;
    switch ((enum record_kind)e->r.kind) {
    case RECORD_LIFE:
        if (!d->root)
            d->root = file_new(d, e->r.id, true);
        break;
    case RECORD_MKDIR:
    case RECORD_CREATE:
        change_name(d, number, "", e->text, file_new(d, e->r.id, e->r.kind == RECORD_MKDIR));
        break;
    case RECORD_RENAME:
        change_name(d, number, e->text, e->text + strlen(e->text) + 1, file_of(d, e->r.id));
        break;
    case RECORD_UNLINK:
    case RECORD_RMDIR:
        change_name(d, number, "", e->text, NULL);
        break;
    case RECORD_WRITE:
        write_file(file_of(d, e->r.id), number, e);
        break;
    case RECORD_WRITTEN:
        sync_range(file_of(d, e->r.id), e->r.at, e->r.size);
        break;
    case RECORD_SIZE:
        set_length(file_of(d, e->r.id), number, e->r.at, e->r.size == 1);
        break;
    case RECORD_SYNC_BEGIN:
        d->sync_begins[e->r.at] = number;
        break;
    case RECORD_SYNC_END:
        f = file_of(d, e->r.id);
        if (f->is_directory)
            sync_names(d, f, d->sync_begins[e->r.at]);
        else
            sync_file(f, d->sync_begins[e->r.at]);
        break;
    case RECORD_SYNC_LOST:
        lose_file(file_of(d, e->r.id), d->sync_begins[e->r.at]);
        break;
    case RECORD_RECEIVED:
    case RECORD_SENT:
        break;
    }
}

void disk_advance(struct disk *d, size_t cut)
{
    for (; d->cut < cut && d->cut < d->trace->count; d->cut++)
        happen(d, d->cut);
}

uint64_t disk_inode(const struct disk *d, const char *path)
{
    const struct file *f = names_get(d->now, path);
    return f ? f->inode : 0;
}

struct disk *disk_new(const struct trace *t, const char *work)
{
    struct disk *d = calloc(1, sizeof *d);
    if (!d)
        die("no memory");
    d->trace = t;
    (void)snprintf(d->work, sizeof d->work, "%s", work);
    if (snprintf(d->tree, sizeof d->tree, "%s/tree", work) >= (int)sizeof d->tree)
        die("the path of the working directory is too long");
    return d;
}
