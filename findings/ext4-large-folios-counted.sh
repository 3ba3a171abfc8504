#!/bin/bash
# Linux: what /proc/PID/io tells as write_bytes is the size of the folios that were made dirty, not what goes to the disk. Since ext4 keeps a file in
# large folios (6.16), writing 4 KiB over and flushing them counts as much as the folio has that the write before had made: up to 2 MiB.
#
# proc_pid_io(5) says that write_bytes is what the process caused to be sent to the storage layer, so one would guess that 4 KiB count as 4 KiB, as they did
# while each page of the cache was one of 4 KiB; tools such as iotop and pidstat show that figure as the rate of writing. What is written has
# not changed: the file system knows the dirty blocks within a folio and sends those alone, as the loop device's own statistics show.
#
# Needs root, a loop device, and a kernel whose ext4 has large folios (with 4 KiB blocks). What is tried is the kernel's; its version is printed, not pinned.
set -euo pipefail
packages=(e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libss2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2)

folder=$(mktemp -d)
trap 'umount "$folder/disk" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done
libraries=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu

truncate -s 96M image
LD_LIBRARY_PATH=$libraries root/sbin/mkfs.ext4 -q -F -b 4096 image
mkdir disk
mount -o loop image disk
device=$(findmnt -n -o SOURCE disk)

# Write 16 MiB in pieces of so many bytes, then every hundredth block of it over, each with a flush of its own; print how much of a block each counted for the
# process, and for the device.
cat >write.py <<'PYTHON'
import os, sys

def counted():
    return int(next(line for line in open("/proc/self/io") if line.startswith("write_bytes")).split()[1])

def sent():
    return int(open(f"/sys/block/{sys.argv[2]}/stat").read().split()[6]) * 512

piece, block, times = int(sys.argv[1]), 4096, 40
file = os.open(f"disk/{piece}", os.O_RDWR | os.O_CREAT, 0o600)
for at in range(0, 16 << 20, piece):
    os.pwrite(file, bytes(piece), at)
os.sync()
process, disk = counted(), sent()
for i in range(times):
    os.pwrite(file, b"x" * block, i * 100 * block)
    os.fdatasync(file)
process, disk = (counted() - process) // times, (sent() - disk) // times
print(f"a file written in pieces of {piece >> 10} KiB: the process's count is {process // block} blocks for one, the device's {'one or two' if disk <= 2 * block else disk // block}")
PYTHON
for piece in 4096 65536 2097152; do python3 write.py "$piece" "${device##*/}"; done >seen
uname -sr
cat seen

expected="a file written in pieces of 4 KiB: the process's count is 1 blocks for one, the device's one or two
a file written in pieces of 64 KiB: the process's count is 16 blocks for one, the device's one or two
a file written in pieces of 2048 KiB: the process's count is 512 blocks for one, the device's one or two"
[[ $(<seen) == "$expected" ]] || {
    echo "ext4-large-folios-counted: this is no longer what was found" >&2
    exit 1
}
