#!/bin/sh
# exports.sh LIBRARY HEADER: the shared library shows every function that shunt.h declares, and nothing else.
set -eu
shown=$(nm -D --defined-only "$1" | awk '$2 == "T" || $2 == "D" || $2 == "B" || $2 == "R" || $2 == "W" { sub(/@.*/, "", $3); print $3 }' | sort)
declared=$(sed -n '/^SHUNT_API/s/.*[ *]\(shunt_[a-z0-9_]*\)(.*/\1/p' "$2" | sort)
if [ "$shown" != "$declared" ]; then
    echo "shown, then declared:" >&2
    printf '%s\n--\n%s\n' "$shown" "$declared" >&2
    exit 1
fi
[ "$(printf '%s\n' "$shown" | wc -l)" -gt 50 ]
