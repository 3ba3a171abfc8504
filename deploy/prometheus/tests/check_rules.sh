#!/bin/sh
# Check the alert rules and run their tests. Exits 77, which meson shows as skipped, where promtool is not installed.
set -u
if ! command -v promtool >/dev/null; then
    echo "skipped: promtool is not installed (Debian package prometheus)"
    exit 77
fi
cd "$(dirname "$0")" || exit 1
promtool check rules ../shunt.rules.yml && promtool check config ../prometheus.yml && promtool test rules *.test.yml
