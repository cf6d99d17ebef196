#include "confine.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The interface as the newest kernel has it; distributions' headers are older. */
enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	ALL_OF_1 = (1 << 13) - 1, /* and all that makes and removes */
	REFER = 1 << 13,
	TRUNCATE = 1 << 14,
	IOCTL_DEV = 1 << 15,
};

enum { TCP = 3 };            /* bind, connect */
enum { SCOPES = 3 };         /* abstract sockets, signals */
enum { CREATE_VERSION = 1 }; /* flag of landlock_create_ruleset() */
enum { PATH_BENEATH = 1 };   /* kind of a rule */
enum { WITH_REFER = 2, WITH_TRUNCATE = 3, WITH_TCP = 4, WITH_IOCTL = 5, WITH_SCOPES = 6 };

struct ruleset {
	uint64_t files, tcp, scopes;
};

struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* What a program of the distribution reads to run, and libvirt to know the host. Not all of /etc: whoever is root here could read its secrets. */
static const char *const system_paths[] = {
	"/usr",
	"/bin",
	"/sbin",
	"/lib",
	"/lib32",
	"/lib64",
	"/proc",
	"/sys",
	"/boot",
	"/etc/ld.so.cache",
	"/etc/ld.so.preload",
	"/etc/ld.so.conf",
	"/etc/ld.so.conf.d",
	"/etc/alternatives",
	"/etc/passwd",
	"/etc/group",
	"/etc/nsswitch.conf",
	"/etc/host.conf",
	"/etc/hosts",
	"/etc/resolv.conf",
	"/etc/localtime",
	"/etc/machine-id",
	"/etc/os-release",
	"/etc/libvirt",
	"/etc/qemu",
	"/nix/store",
	"/gnu/store",
};

static const char *const devices[] = {"/dev/null", "/dev/zero",    "/dev/full",      "/dev/random", "/dev/urandom",
				      "/dev/kvm",  "/dev/net/tun", "/dev/vhost-net", "/dev/ptmx",   "/dev/pts"};

static int allow(int ruleset, const char *path, uint64_t access, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_rule rule = {.allowed = access, .fd = fd};
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0; /* what is not there, or cannot be reached anyway */
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open %s", path);
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
	if (syscall(SYS_landlock_add_rule, ruleset, PATH_BENEATH, &rule, 0) < 0)
		return error_errno(err, "Landlock: a rule for %s", path);
	return 0;
}

static int add_rules(int ruleset, const struct confine_options *o, uint64_t handled, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(system_paths) / sizeof(system_paths[0]) && rc == 0; i++)
		rc = allow(ruleset, system_paths[i], EXECUTE | READ_FILE | READ_DIR, err);
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]) && rc == 0; i++)
		rc = allow(ruleset, devices[i], (READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV) & handled, err);
	for (size_t i = 0; i < o->n_readable && rc == 0; i++)
		rc = allow(ruleset, o->readable[i], EXECUTE | READ_FILE | READ_DIR, err);
	for (size_t i = 0; i < o->n_writable && rc == 0; i++)
		rc = allow(ruleset, o->writable[i], handled & ~(uint64_t)(EXECUTE | IOCTL_DEV), err);
	return rc;
}

/* Bits that the running kernel does not know would be refused. */
static struct ruleset handled_by(long version, bool network)
{
	struct ruleset all = {.files = ALL_OF_1};

	if (version >= WITH_REFER)
		all.files |= REFER;
	if (version >= WITH_TRUNCATE)
		all.files |= TRUNCATE;
	if (version >= WITH_IOCTL)
		all.files |= IOCTL_DEV;
	if (version >= WITH_TCP && !network)
		all.tcp = TCP;
	if (version >= WITH_SCOPES)
		all.scopes = SCOPES;
	return all;
}

int confine(const struct confine_options *options, char *ret_level, size_t size, struct error *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	snprintf(ret_level, size, "%s", "");
	if (version < 1)
		return 0;

	struct ruleset handled = handled_by(version, options->network);
	_cleanup_close_ int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);

	if (ruleset < 0)
		return error_errno(err, "Landlock");
	int rc = add_rules(ruleset, options, handled.files, err);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(err, "Landlock");
	snprintf(ret_level, size, "files%s%s", handled.tcp ? ", TCP" : "", handled.scopes ? ", signals" : "");
	return 0;
}
