"""memory: what a process has for itself."""
import re

MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$")
SHARED_MEMORY = ("/memfd:", "/dev/shm/", "/dev/zero", "/SYSV")


def own_bytes(pid):
    """Resident memory that is not the content of a file: anonymous pages, and shared memory. (RssAnon and RssShmem of /proc/PID/status
    would say the same, if a store on a tmpfs did not count as shared memory.)"""
    total, path = 0, ""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps:
        for line in smaps:
            mapping = MAPPING.match(line)
            if mapping:
                path = mapping[1]
                continue
            name, _, value = line.partition(":")
            if name == ("Rss" if path.startswith(SHARED_MEMORY) else "Anonymous"):
                total += int(value.split()[0]) << 10
    return total
