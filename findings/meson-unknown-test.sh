#!/bin/bash
# meson 1.0: `meson test NAME` with a name that no test has runs nothing and exits 0.
#
# Beside a name that is known, one that is not is passed over without a word. Somebody who runs the one test of a change, and
# misspells it or forgot to list it in meson.build, is told of success. One would guess that a name that is not known is
# refused, as `ninja NAME` refuses a target that it does not know.
set -euo pipefail
version=1.0.1-5

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "meson=$version" >/dev/null
dpkg-deb -x ./*.deb .
meson() { PYTHONPATH="$folder/usr/lib/python3/dist-packages" python3 usr/bin/meson "$@"; }

cat >meson.build <<'BUILD'
project('example')
test('good', find_program('true'))
test('bad', find_program('false'))
BUILD
meson setup build >/dev/null 2>&1

# The status of `meson test` for these names, and how many tests ran.
test_of() {
    local status=0
    meson test -C build "$@" >log 2>&1 || status=$?
    echo "exit $status, $(grep -cE '^ *[0-9]+/[0-9]+ ' log || true) ran"
}

{
    echo "meson $(meson --version)"
    echo "good: $(test_of good)"
    echo "bad: $(test_of bad)"
    echo "godo: $(test_of godo)"
    echo "good godo: $(test_of good godo)"
} >seen
cat seen

expected='meson 1.0.1
good: exit 0, 1 ran
bad: exit 1, 1 ran
godo: exit 0, 0 ran
good godo: exit 0, 1 ran'
[[ $(<seen) == "$expected" ]] || {
    echo "meson-unknown-test: this is no longer what was found" >&2
    exit 1
}
