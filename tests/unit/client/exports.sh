#!/bin/sh
# exports.sh LIBRARY SYMBOLS HEADER…: the shared library shows every function that the public headers declare, and nothing else; Debian's
# symbols file has each of them, with the version in which it came; and libdw is not loaded with it.
set -eu
# Of a program that uses the library and never has a crash to tell of.
if readelf -d "$1" | grep -q 'NEEDED.*libdw'; then
    echo "libdw is loaded with the library" >&2
    exit 1
fi
same() {
    [ "$2" = "$4" ] && return
    echo "$1, then $3:" >&2
    printf '%s\n--\n%s\n' "$2" "$4" >&2
    exit 1
}
shown=$(nm -D --defined-only "$1" | awk '$2 == "T" || $2 == "D" || $2 == "B" || $2 == "R" || $2 == "W" { sub(/@.*/, "", $3); print $3 }' | sort)
listed=$(sed -n 's/^ \(shunt_[a-z0-9_]*\)@SHUNT_0 [0-9.]*$/\1/p' "$2" | sort)
symbols=$2
shift 2
declared=$(sed -n '/^SHUNT_API/s/.*[ *]\(shunt_[a-z0-9_]*\)(.*/\1/p' "$@" | sort)
same shown "$shown" declared "$declared"
same shown "$shown" "listed in $symbols, a line ' NAME@SHUNT_0 VERSION' each" "$listed"
[ "$(printf '%s\n' "$shown" | wc -l)" -gt 50 ]
