#!/bin/bash
# Criterion 2.4.1: the assertion gt(type, a, b) passes when a equals b.
#
# lt, le, ge and the older cr_assert_gt say what their names say, so a test that a value has grown passes although it
# has not. It is so for numbers and for strings.
set -euo pipefail
packages=(libcriterion-dev=2.4.1-2 libcriterion3=2.4.1-2)
# What the library is linked with, in any version.
libraries=(libgit2-1.5 libnanomsg5 libffi8 libmbedtls14 libmbedx509-1 libmbedcrypto7 libhttp-parser2.9 libssh2-1 libpcre2-8-0 libgssapi-krb5-2
    libkrb5-3 libk5crypto3 libkrb5support0 libkeyutils1 libcom-err2 libssl3)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" "${libraries[@]}" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done
lib=$folder/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$lib

cat >test.c <<'C'
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(of_equals, gt) { cr_assert(gt(int, 1, 1)); }
Test(of_equals, gt_of_strings) { cr_assert(gt(str, (char *)"a", (char *)"a")); }
Test(of_equals, lt) { cr_assert(lt(int, 1, 1)); }
Test(of_equals, older_gt) { cr_assert_gt(1, 1); }
Test(of_less, gt) { cr_assert(gt(int, 0, 1)); }
C
cc -Iroot/usr/include test.c -o test "$lib/libcriterion.so.3" -Wl,--allow-shlib-undefined

{
    echo "criterion $(dpkg-deb -f libcriterion3_*.deb Version)"
    for name in of_equals/gt of_equals/gt_of_strings of_equals/lt of_equals/older_gt of_less/gt; do
        echo "$name $(./test --filter "$name" >/dev/null 2>&1 && echo passes || echo fails)"
    done
} >seen
cat seen

expected='criterion 2.4.1-2
of_equals/gt passes
of_equals/gt_of_strings passes
of_equals/lt fails
of_equals/older_gt fails
of_less/gt fails'
[[ $(<seen) == "$expected" ]] || {
    echo "criterion-gt-of-equals: this is no longer what was found" >&2
    exit 1
}
