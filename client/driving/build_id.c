/* build_id: see build_id.h. */
#include "client/driving/build_id.h"

#include <elf.h>
#include <link.h>
#include <string.h>

const uint8_t *build_id_in_notes(const void *notes, size_t size, size_t *ret_bytes)
{
    const uint8_t *at = notes;

    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        size_t name_bytes = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        size_t body_bytes = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name_bytes > size - sizeof note || body_bytes > size - sizeof note - name_bytes)
            return NULL;
        const uint8_t *name = at + sizeof note, *body = name + name_bytes;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            *ret_bytes = note.n_descsz;
            return body;
        }
        at = body + body_bytes;
        size -= sizeof note + name_bytes + body_bytes;
    }
    return NULL;
}

const uint8_t *build_id_of(const void *begin, const void *end, uintptr_t bias, size_t *ret_bytes)
{
    const uint8_t *object = begin;
    size_t size = (size_t)((const uint8_t *)end - object);
    ElfW(Ehdr) header;

    if (size < sizeof header)
        return NULL;
    memcpy(&header, object, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(ElfW(Phdr)) ||
        header.e_phoff > size || (size - header.e_phoff) / sizeof(ElfW(Phdr)) < header.e_phnum)
        return NULL;
    for (size_t i = 0; i < header.e_phnum; i++) {
        ElfW(Phdr) segment;
        memcpy(&segment, object + header.e_phoff + i * sizeof segment, sizeof segment);
        size_t at = bias + segment.p_vaddr - (uintptr_t)object;
        if (segment.p_type != PT_NOTE || at > size || segment.p_memsz > size - at)
            continue;
        const uint8_t *id = build_id_in_notes(object + at, segment.p_memsz, ret_bytes);
        if (id)
            return id;
    }
    return NULL;
}
