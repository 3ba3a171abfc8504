#!/bin/bash
# libcyaml 1.3.1: for a key that the schema does not know, or that comes twice, the message names the line and column
# of the value that was read before it.
#
# A wrong value is reported where it stands, so one would guess the same of a wrong key. But a position is noted when
# a value is read, and a key is compared before that: with comments or empty lines between, the message sends the
# reader to a line that is right, and far from the one that is wrong.
set -euo pipefail
packages=(libcyaml-dev=1.3.1-1 libcyaml1=1.3.1-1 libyaml-dev=0.2.5-1 libyaml-0-2=0.2.5-1)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done
libraries=$folder/root/usr/lib/x86_64-linux-gnu

cat >load.c <<'C'
#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>

struct server {
    int port, depth;
};

static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_INT("port", CYAML_FLAG_DEFAULT, struct server, port),
    CYAML_FIELD_INT("depth", CYAML_FLAG_OPTIONAL, struct server, depth), CYAML_FIELD_END};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct server, fields)};

static void print(cyaml_log_t level, void *context, const char *format, va_list values)
{
    (void)level;
    (void)context;
    vprintf(format, values);
}

int main(int count, char **files)
{
    const cyaml_config_t config = {.log_fn = print, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_WARNING};
    struct server *server = NULL;
    return count == 2 && cyaml_load_file(files[1], &config, &schema, (cyaml_data_t **)&server, NULL) == CYAML_OK;
}
C
gcc -Iroot/usr/include load.c -o load "$libraries/libcyaml.so.1" "$libraries/libyaml-0.so.2"

where() { # TEXT: what is wrong, and the place that is named
    printf '%s' "$1" >file.yml
    LD_LIBRARY_PATH=$libraries ./load file.yml | sed -n 's/^Load: //; s/.*(\(line.*\))/\1/; /Backtrace/!p' | paste -sd '|'
}

{
    echo "libcyaml $(dpkg-deb -f libcyaml1_*.deb Version)"
    echo "wrong value in line 4: $(where $'port: 1\n\n\ndepth: deep\n')"
    echo "wrong key in line 4: $(where $'port: 1\n\n\ndeep: 2\n')"
    echo "key again in line 4: $(where $'port: 1\n\n\nport: 2\n')"
} >seen
cat seen

expected='libcyaml 1.3.1-1
wrong value in line 4: Invalid INT value: '\''deep'\''|line: 4, column: 8
wrong key in line 4: Unexpected key: deep|line: 1, column: 7
key again in line 4: Mapping field already seen: port|line: 1, column: 7'
[[ $(<seen) == "$expected" ]] || {
    echo "libcyaml-line-of-a-key: this is no longer what was found" >&2
    exit 1
}
