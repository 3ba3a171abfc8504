/* backup_dir: the directory of a backup: TO.partial while it is written, TO when it is whole. */
#ifndef SHUNT_BROKER_BACKUP_DIR_H
#define SHUNT_BROKER_BACKUP_DIR_H

#include "broker/store/store_file.h"

struct backup_dir {
    const char *to;
    char partial[STORE_PATH_BYTES];
};

/* `to` must live as long as `d`. False: it is empty, or too long. */
bool backup_dir_init(struct backup_dir *d, const char *to);

/* Functions that say `ret_why` (at least 512 bytes) write one sentence into it when they fail. */

/* Whether the name is free. fails: BAD_ARGUMENT if it is not; IO and the like. */
int backup_dir_check(const struct backup_dir *d, char *ret_why, size_t why_bytes);
/* An empty TO.partial: a new one, or what an earlier backup left that was cut short.
 * fails: STORE_LOCKED if another backup writes there; as store_file_make_dir(). */
int backup_dir_begin(const struct backup_dir *d, char *ret_why, size_t why_bytes);
/* Nothing is left of a copy that failed, if that can be. */
void backup_dir_remove(const struct backup_dir *d);
/* The store in TO.partial is whole and closed: make it durable, and give it its name. Afterwards a crash finds it there.
 * fails: IO and the like. */
int backup_dir_end(const struct backup_dir *d, char *ret_why, size_t why_bytes);

#endif
