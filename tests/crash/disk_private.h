/* disk_private: what the parts of the disk share: disk.c lets things happen, disk_cut.c makes what is left.
 */
#ifndef SHUNT_TESTS_CRASH_DISK_PRIVATE_H
#define SHUNT_TESTS_CRASH_DISK_PRIVATE_H

#include "tests/crash/disk.h"

#include <limits.h>

#define SECTOR_BYTES   512u
#define PAGE_SECTORS   8u
#define FILES_MAX      64
#define NAMES_MAX      64
#define FILE_BYTES_MAX (1ull << 30) /* address space only */

/* Part of a write that is within one sector, and not known to be on disk. */
struct piece {
    const uint8_t *data;
    uint64_t sector;
    size_t record; /* of the write */
    uint16_t offset, size;
    bool lost; /* a sync of it failed */
};

struct length {
    uint64_t bytes;
    size_t record;
    bool at_least;
};

struct file {
    uint64_t inode;
    bool is_directory;
    uint8_t *stable; /* what is on disk for sure; NULL for a directory */
    uint64_t stable_bytes;
    uint64_t stable_end;  /* behind it nothing was ever written to `stable` */
    struct piece *pieces; /* in order */
    size_t piece_count, piece_capacity;
    struct length *lengths; /* in order */
    size_t length_count, length_capacity;

    /* The copy in `work`, and the sectors in which it differs from `stable`. */
    int copy_fd;
    uint64_t copy_bytes;
    uint64_t *changed;
    size_t changed_count, changed_capacity;
    bool spoilt;
};

struct name {
    char path[256];
    struct file *file; /* NULL: no such name */
};

/* Making, renaming or removing a name, not known to be on disk. */
struct name_change {
    size_t record;
    struct file *directory;
    struct name to;
    char from[256]; /* of a rename; otherwise empty */
};

struct disk {
    const struct trace *trace;
    size_t cut;
    size_t sync_begins[RECORD_DESCRIPTORS_MAX]; /* of each descriptor, the last */
    struct file files[FILES_MAX];
    size_t file_count;
    struct file *root;
    struct name now[NAMES_MAX]; /* as running programs see it */
    struct name stable[NAMES_MAX];
    struct name_change changes[NAMES_MAX];
    size_t change_count;
    char work[PATH_MAX];
    char tree[PATH_MAX];
    struct name made[NAMES_MAX]; /* what is in the tree */
    bool tree_is_made;
};

void *disk_room(void *array, size_t count, size_t *capacity, size_t item_bytes);
/* A list of names in which unused places have an empty path. */
void names_set(struct name *names, const char *path, struct file *file);
struct file *names_get(const struct name *names, const char *path);
void names_change(struct name *names, const struct name_change *c);
void file_changed(struct file *f, uint64_t sector);

#endif
