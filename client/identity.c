/* identity: program name and pid, host name, GNU build id. */
#include "client/identity.h"
#include "proto/units.h"
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void identity_client(char to[CLIENT_NAME_BYTES_MAX + 1])
{
    (void)snprintf(to, CLIENT_NAME_BYTES_MAX + 1, "%.100s-%ld", program_invocation_short_name,
                   (long)getpid());
    /* The broker takes nothing but UTF-8 for a name; a file may be called anything. */
    units_utf8_mend(to);
    units_utf8_clean(to, to, strlen(to));
}

void identity_host(char to[CLIENT_NAME_BYTES_MAX + 1])
{
    if (gethostname(to, CLIENT_NAME_BYTES_MAX) != 0)
        to[0] = '\0';
    to[CLIENT_NAME_BYTES_MAX] = '\0';
}

/* Look through one segment of notes; true if the build id was there. */
static bool notes_to_hex(const uint8_t *at, size_t size, char *to)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        size_t name_bytes = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        size_t body_bytes = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name_bytes > size - sizeof note || body_bytes > size - sizeof note - name_bytes)
            return false;
        const uint8_t *name = at + sizeof note, *body = name + name_bytes;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            size_t shown =
                note.n_descsz < CLIENT_NAME_BYTES_MAX / 2 ? note.n_descsz : CLIENT_NAME_BYTES_MAX / 2;
            for (size_t i = 0; i < shown; i++)
                (void)snprintf(to + 2 * i, 3, "%02x", body[i]);
            return true;
        }
        at = body + body_bytes;
        size -= sizeof note + name_bytes + body_bytes;
    }
    return false;
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
        if (notes_to_hex(notes, segment->p_memsz, to))
            break;
    }
    return 1;
}

void identity_build(char to[CLIENT_NAME_BYTES_MAX + 1])
{
    to[0] = '\0';
    (void)dl_iterate_phdr(look_at_program, to); /* returns what the callback did */
}
