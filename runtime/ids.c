#include "ids.h"

#include "calls.h"
#include "plan.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { BLOCKS = (IDS_END - IDS_FIRST) / IDS_COUNT };

/* FNV-1a: the same on every host and in every run. */
static uint32_t hash(const char *text)
{
	uint32_t value = 2166136261u;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 16777619u;
	return value;
}

/* Field number `at` of a line "a:b:c" as a number; false when it is none. */
static bool field(const char *line, int at, int64_t *ret)
{
	char number[16];

	for (; at > 0 && line; at--)
		line = (line = strchr(line, ':')) ? line + 1 : NULL;
	size_t length = line ? strcspn(line, ":\n") : 0;
	if (length == 0 || length >= sizeof(number))
		return false;
	memcpy(number, line, length);
	number[length] = '\0';
	return parse_integer("id", number, 0, UINT32_MAX, ret, NULL) == 0;
}

static bool is_for(const char *line, const char *name)
{
	size_t length = strlen(name);

	return strncmp(line, name, length) == 0 && line[length] == ':';
}

static FILE *open_list(const char *host_root, const char *path)
{
	char full[PATH_MAX];

	return path_format(full, sizeof(full), NULL, "%s%s", host_root, path) < 0 ? NULL : fopen(full, "re");
}

/* The first range of a subordinate list for one of our names that is large enough. */
static bool given_range(const char *host_root, const char *path, int64_t *ret_start, int64_t *ret_count)
{
	static const char *const names[] = {"bench", "root"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_fclose_ FILE *list = open_list(host_root, path);
		_cleanup_free_ char *line = NULL;
		size_t size = 0;

		while (list && getline(&line, &size, list) > 0)
			if (is_for(line, names[i]) && field(line, 1, ret_start) && field(line, 2, ret_count) && *ret_count >= IDS_COUNT &&
			    *ret_start >= IDS_COUNT && *ret_start + *ret_count <= UINT32_MAX)
				return true;
	}
	return false;
}

/* Does a list of the host name an id of the block? `at`: field of the id; `count_at`: field of their number, or 0 for one id a line. */
static bool list_hits(const char *host_root, const char *path, int at, int count_at, int64_t block)
{
	_cleanup_fclose_ FILE *list = open_list(host_root, path);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int64_t id, count = 1;

	while (list && getline(&line, &size, list) > 0)
		if (field(line, at, &id) && (!count_at || field(line, count_at, &count)) && id < block + IDS_COUNT && id + count > block)
			return true;
	return false;
}

static bool is_taken(const char *host_root, int64_t block)
{
	return list_hits(host_root, "/etc/passwd", 2, 0, block) || list_hits(host_root, "/etc/group", 2, 0, block) ||
	       list_hits(host_root, "/etc/subuid", 1, 2, block) || list_hits(host_root, "/etc/subgid", 1, 2, block);
}

int ids_choose(const char *host_root, const char *seed, struct ids *ret, struct error *err)
{
	int64_t users, n_users, groups, n_groups;
	uint32_t wish = hash(seed);

	if (given_range(host_root, "/etc/subuid", &users, &n_users) && given_range(host_root, "/etc/subgid", &groups, &n_groups)) {
		*ret = (struct ids){.uid = (uint32_t)(users + wish % (n_users / IDS_COUNT) * IDS_COUNT),
				    .gid = (uint32_t)(groups + wish % (n_groups / IDS_COUNT) * IDS_COUNT)};
		return 0;
	}
	for (uint32_t i = 0; i < BLOCKS; i++) {
		uint32_t block = IDS_FIRST + (wish + i) % BLOCKS * IDS_COUNT;

		if (is_taken(host_root, block))
			continue;
		*ret = (struct ids){.uid = block, .gid = block};
		return 0;
	}
	return error_set(err, EBUSY, "no %d ids are left for a container: users or /etc/subuid of this host have all", IDS_COUNT);
}

void ids_map(uint32_t base, char ret[32])
{
	snprintf(ret, 32, "0 %u %d", base, IDS_COUNT);
}

static int write_map(pid_t pid, const char *name, uint32_t base, struct error *err)
{
	char path[64], map[32];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	ids_map(base, map);
	return file_write_kernel(path, map, err);
}

int ids_write(pid_t pid, const struct ids *ids, struct error *err)
{
	int rc = write_map(pid, "uid_map", ids->uid, err);

	return rc < 0 ? rc : write_map(pid, "gid_map", ids->gid, err);
}

/* Lives until it is killed, or its parent is. Raw, as its memory is ours. */
static int wait_for_end(void *arg)
{
	const pid_t *parent = arg;

	CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (CALL(SYS_getppid) != *parent)
		return 0;
	for (;;)
		CALL(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return 0;
}

int ids_namespace(const struct ids *ids, struct error *err)
{
	_Alignas(16) char stack[4096];
	int pidfd = -1, fd = -1;
	pid_t ourselves = getpid();
	struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_VM | CLONE_PIDFD,
				  .pidfd = (uintptr_t)&pidfd,
				  .exit_signal = SIGCHLD,
				  .stack = (uintptr_t)stack,
				  .stack_size = sizeof(stack)};
	sigset_t all, before;
	char path[64];

	sigfillset(&all); /* a handler of ours must not run there */
	sigprocmask(SIG_SETMASK, &all, &before);
	long made = child_clone(&args, wait_for_end, &ourselves);
	pid_t pid = (pid_t)made;

	sigprocmask(SIG_SETMASK, &before, NULL);

	if (made < 0)
		return error_set(err, (int)-made, "make a user namespace: %s", strerror((int)-made));
	int rc = ids_write(pid, ids, err);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (rc == 0 && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		rc = error_errno(err, "open %s", path);
	plan_reap(&pid, &pidfd, NULL, NULL);
	return rc < 0 ? rc : fd;
}
