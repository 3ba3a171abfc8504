/* build_id: the GNU build id of code that is mapped into this process. Reads memory only, so a signal handler
 * may ask. */
#ifndef SHUNT_CLIENT_DRIVING_BUILD_ID_H
#define SHUNT_CLIENT_DRIVING_BUILD_ID_H

#include <stddef.h>
#include <stdint.h>

/* In one segment of notes. Returns where the id begins, NULL if it is not there. */
const uint8_t *build_id_in_notes(const void *notes, size_t size, size_t *ret_bytes);
/* Of the object mapped from `begin` to `end`, which starts with its ELF header, as the linker lays it out;
 * its addresses in memory are those in its file plus `bias`. Returns NULL if it has no build id. */
const uint8_t *build_id_of(const void *begin, const void *end, uintptr_t bias, size_t *ret_bytes);

#endif
