/* identity: program name and pid, host name, GNU build id. */
#include "client/driving/identity.h"
#include "base/utf8.h"
#include "client/driving/build_id.h"
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void identity_client(char to[CLIENT_NAME_BYTES_MAX + 1])
{
    (void)snprintf(to, CLIENT_NAME_BYTES_MAX + 1, "%.100s-%ld", program_invocation_short_name,
                   (long)getpid());
    /* The broker takes nothing but UTF-8 for a name; a file may be called anything. */
    utf8_mend(to);
    utf8_clean(to, to, strlen(to));
}

void identity_host(char to[CLIENT_NAME_BYTES_MAX + 1])
{
    if (gethostname(to, CLIENT_NAME_BYTES_MAX) != 0)
        to[0] = '\0';
    to[CLIENT_NAME_BYTES_MAX] = '\0';
}

/* The first object that dl_iterate_phdr() shows is the program itself. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *to)
{
    (void)size; /* the fields used are in every version */
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_NOTE)
            continue;
        const uint8_t *notes = (const uint8_t *)info->dlpi_addr + segment->p_vaddr;
        size_t bytes;
        const uint8_t *id = build_id_in_notes(notes, segment->p_memsz, &bytes);
        if (!id)
            continue;
        for (size_t at = 0; at < bytes && at < CLIENT_NAME_BYTES_MAX / 2; at++)
            (void)snprintf((char *)to + 2 * at, 3, "%02x", id[at]);
        break;
    }
    return 1;
}

void identity_build(char to[CLIENT_NAME_BYTES_MAX + 1])
{
    to[0] = '\0';
    (void)dl_iterate_phdr(look_at_program, to); /* returns what the callback did */
}
