#!/bin/sh
# Let `promtool check metrics` judge a page: promtool_check.sh PROGRAM, which prints one. Lints count as failures.
set -u
if ! command -v promtool >/dev/null; then
    echo "skipped: promtool is not installed (Debian package prometheus)"
    exit 77
fi
page=$(mktemp) || exit 1
trap 'rm -f "$page"' EXIT
"$1" >"$page" || { echo "$1 failed"; exit 1; }
promtool check metrics <"$page"
