/* confine: see confine.h. */
#include "cli/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WHY(...) (void)snprintf(ret_why, CONFINE_WHY_BYTES, __VA_ARGS__)

/* ---- files, by Landlock ---- */

/* What newer kernels know, and the headers of Debian 12 do not. */
#define ACCESS_TRUNCATE     (1ull << 14) /* from ABI_TRUNCATE on */
#define ACCESS_IOCTL_DEVICE (1ull << 15)
#define SCOPE_SIGNAL        (1ull << 1)
#define ABI_REFER           2
#define ABI_TRUNCATE        3
#define ABI_IOCTL_DEVICE    5
#define ABI_SCOPE           6

struct ruleset {
    uint64_t files, net, scoped;
};

#define READS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                                               \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |        \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |              \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |           \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

static uint64_t known_accesses(long abi)
{
    return READS | WRITES | (abi >= ABI_REFER ? LANDLOCK_ACCESS_FS_REFER : 0) |
           (abi >= ABI_TRUNCATE ? ACCESS_TRUNCATE : 0) | (abi >= ABI_IOCTL_DEVICE ? ACCESS_IOCTL_DEVICE : 0);
}

/* Returns 0 or errno. */
static int allow(int ruleset_fd, const char *path, uint64_t accesses)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = accesses};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno;
    long failed = syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = failed ? errno : 0;
    (void)close(rule.parent_fd); /* it named a place alone */
    return error;
}

static bool make_ruleset(struct confine *c, long abi, const char *writable, char *ret_why)
{
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full"};
    uint64_t all = known_accesses(abi);
    struct ruleset attr = {.files = all, .scoped = abi >= ABI_SCOPE ? SCOPE_SIGNAL : 0};
    size_t bytes = abi >= ABI_SCOPE ? sizeof attr : sizeof attr.files;
    c->ruleset_fd = (int)syscall(SYS_landlock_create_ruleset, &attr, bytes, 0);
    int error = c->ruleset_fd < 0 ? errno : allow(c->ruleset_fd, "/", READS);
    for (size_t i = 0; i < sizeof devices / sizeof *devices && !error; i++) {
        error = allow(c->ruleset_fd, devices[i],
                      LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | (all & ACCESS_TRUNCATE));
        error = error == ENOENT ? 0 : error; /* a bare container may lack them */
    }
    if (error) {
        WHY("the rules for files cannot be made: %s", strerror(error));
        return false;
    }
    struct stat info;
    if (writable && stat(writable, &info))
        error = errno;
    else if (writable)
        error = S_ISDIR(info.st_mode) ? allow(c->ruleset_fd, writable, all & ~ACCESS_IOCTL_DEVICE) : ENOTDIR;
    if (error)
        WHY("--writable %.120s: %s", writable, strerror(error));
    return error == 0;
}

/* ---- system calls, by seccomp ---- */

/* Sockets are the network, and the way to every service of this machine. A ring does what its caller may not. The others are for a command
 * that runs as root. */
static const struct {
    int number, error;
} refused[] = {
    {SCMP_SYS(socket), EACCES},
    {SCMP_SYS(io_uring_setup), ENOSYS},
    {SCMP_SYS(init_module), EPERM},
    {SCMP_SYS(finit_module), EPERM},
    {SCMP_SYS(kexec_load), EPERM},
    {SCMP_SYS(kexec_file_load), EPERM},
    {SCMP_SYS(open_by_handle_at), EPERM},
    {SCMP_SYS(reboot), EPERM},
    {SCMP_SYS(bpf), EPERM},
    {SCMP_SYS(setns), EPERM},
};

/* What empties a file that may only be read, where Landlock does not look at it yet. */
static int refuse_emptying(scmp_filter_ctx filter)
{
    const unsigned long mask = O_ACCMODE | O_TRUNC, emptying = O_RDONLY | O_TRUNC;
    int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(truncate), 0);
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, mask, emptying));
    }
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, mask, emptying));
    }
    if (rc == 0) /* its flags lie in memory; who gets ENOSYS takes openat() */
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
    return rc;
}

/* The filter as the kernel takes it. Returns 0 or -errno. */
static int export_filter(struct confine *c, scmp_filter_ctx filter)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
    off_t bytes = rc == 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (rc == 0 && (bytes <= 0 || bytes > (off_t)(BPF_MAXINSNS * sizeof *c->filter)))
        rc = -E2BIG;
    if (rc == 0 && !(c->filter = malloc((size_t)bytes)))
        rc = -ENOMEM;
    if (rc == 0 && pread(fd, c->filter, (size_t)bytes, 0) != bytes)
        rc = -EIO;
    c->filter_rows = (unsigned short)((size_t)bytes / sizeof *c->filter);
    if (fd >= 0)
        (void)close(fd); /* it was memory */
    return rc;
}

static bool make_filter(struct confine *c, long abi, char *ret_why)
{
    const uint32_t action = SECCOMP_RET_ERRNO;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action)) {
        WHY("this kernel has no seccomp, by which the network is refused: %s", strerror(errno));
        return false;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc = filter ? 0 : -ENOMEM;
    for (size_t i = 0; i < sizeof refused / sizeof *refused && rc == 0; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)refused[i].error), refused[i].number, 0);
    if (rc == 0 && abi < ABI_TRUNCATE)
        rc = refuse_emptying(filter);
    if (rc == 0)
        rc = export_filter(c, filter);
    if (filter)
        seccomp_release(filter);
    if (rc)
        WHY("the filter of system calls cannot be made: %s", strerror(-rc));
    return rc == 0;
}

/* ---- both ---- */

bool confine_prepare(struct confine *c, const char *writable, int64_t memory_bytes,
                     char ret_why[CONFINE_WHY_BYTES])
{
    *c = (struct confine){.ruleset_fd = -1, .memory_bytes = memory_bytes};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        WHY("this kernel has no Landlock, by which files can only be read (Linux 5.13 with `landlock` in its "
            "parameter lsm): %s",
            strerror(errno));
        return false;
    }
    if (make_ruleset(c, abi, writable, ret_why) && make_filter(c, abi, ret_why))
        return true;
    confine_done(c);
    return false;
}

void confine_done(struct confine *c)
{
    if (c->ruleset_fd > 0)          /* zeroed: there is none */
        (void)close(c->ruleset_fd); /* its rules hold for those who are in */
    free(c->filter);
    *c = (struct confine){.ruleset_fd = -1};
}

bool confine_enter(const struct confine *c)
{
    const struct sock_fprog program = {.len = c->filter_rows, .filter = c->filter};
    const struct rlimit memory = {(rlim_t)c->memory_bytes, (rlim_t)c->memory_bytes};
    /* A descriptor that somebody left open may be a socket, or a file to write to. */
    return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0 &&
           (c->memory_bytes == 0 || setrlimit(RLIMIT_DATA, &memory) == 0) &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_landlock_restrict_self, c->ruleset_fd, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
