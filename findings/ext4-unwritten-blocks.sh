#!/bin/bash
# ext4: writing into blocks that fallocate set aside changes the file's metadata, once for each block, so each first
# write that is flushed with fdatasync commits the journal. Writing them over does not.
#
# fallocate gives a file its blocks and its size, so one would guess that a later write into them is data alone and that
# fdatasync need not touch the journal, as with any file that is written over. But the blocks are marked unwritten in
# the file's extents until their data has been flushed: one extent is split into as many as were written apart, and each
# split is a transaction of the journal. So setting room aside does not make later flushes cheap; writing it once does.
#
# Needs root, a loop device and a kernel with ext4. What is tried is the kernel's; its version is printed, not pinned.
set -euo pipefail
packages=(e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libss2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2)
writes=20

folder=$(mktemp -d)
trap 'umount "$folder/disk" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done
tool() { LD_LIBRARY_PATH=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu "$folder/root/$1" "${@:2}"; }

truncate -s 64M image
tool sbin/mkfs.ext4 -q -F -b 4096 image
mkdir disk
mount -o loop image disk
device=$(findmnt -n -o SOURCE disk)
journal=/proc/fs/jbd2/${device##*/}-8/info

transactions() { awk 'NR == 1 {print $1}' "$journal"; }
extents() { tool usr/sbin/filefrag -v disk/file | grep -c '^ *[0-9]*:.*'"$1" || true; }

# Write every other block, each flushed for itself; print how many transactions that made.
write_all() {
    local before
    sync
    before=$(transactions)
    for ((i = 0; i < writes; i++)); do
        dd if=/dev/zero of=disk/file bs=4096 count=1 seek=$((2 * i)) conv=notrunc,fdatasync 2>/dev/null
    done
    echo $(($(transactions) - before))
}

# The journal also commits by itself every 5 s, so a few transactions more or less say nothing.
compare() { if (($1 >= writes)); then echo "at least one for each"; elif (($1 <= writes / 4)); then echo "next to none"; else echo "$1"; fi; }

{
    echo "mkfs $(dpkg-deb -f e2fsprogs_*.deb Version)"
    fallocate -l $((2 * writes * 4096)) disk/file
    echo "after fallocate: extents $(extents ''), of which unwritten $(extents unwritten)"
    echo "first writes: transactions $(compare "$(write_all)")"
    echo "then: extents $(extents ''), of which unwritten $(extents unwritten)"
    echo "written over: transactions $(compare "$(write_all)")"
} >seen
uname -sr
cat seen

expected="mkfs 1.47.0-2+b2
after fallocate: extents 1, of which unwritten 1
first writes: transactions at least one for each
then: extents $((2 * writes)), of which unwritten $writes
written over: transactions next to none"
[[ $(<seen) == "$expected" ]] || {
    echo "ext4-unwritten-blocks: this is no longer what was found" >&2
    exit 1
}
