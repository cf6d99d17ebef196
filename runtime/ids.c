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
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BLOCKS = (IDS_END - IDS_FIRST) / IDS_COUNT,
	HELD_MAX = 4096, /* blocks of other containers that are passed over, before one is shared */
};

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

/* Is a line of a subordinate list ours? Root's is, and "bench"'s: that of this program, unless it is a user of the host, to whom it belongs then. */
static bool is_ours(const char *host_root, const char *line)
{
	_cleanup_free_ char *user = NULL;
	size_t size = 0;
	bool ours = is_for(line, "bench");

	_cleanup_fclose_ FILE *users = ours ? open_list(host_root, "/etc/passwd") : NULL;
	while (ours && users && getline(&user, &size, users) > 0)
		ours = !is_for(user, "bench");
	return ours || is_for(line, "root") || is_for(line, "0");
}

/* The first range of a subordinate list that is ours and large enough, the program's own before root's. */
static bool given_range(const char *host_root, const char *path, int64_t *ret_start, int64_t *ret_count)
{
	static const char *const names[] = {"bench", "root", "0"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_fclose_ FILE *list = open_list(host_root, path);
		_cleanup_free_ char *line = NULL;
		size_t size = 0;

		while (list && getline(&line, &size, list) > 0)
			if (is_for(line, names[i]) && is_ours(host_root, line) && field(line, 1, ret_start) && field(line, 2, ret_count) &&
			    *ret_count >= IDS_COUNT && *ret_start >= IDS_COUNT && *ret_start + *ret_count <= UINT32_MAX)
				return true;
	}
	return false;
}

/* Does a list of the host name an id of the block? `at`: field of the id; `count_at`: field of their number, or 0 for one id a line. `given`: lines
 * that are ours do not count. */
static bool list_hits(const char *host_root, const char *path, int at, int count_at, int64_t block, bool given)
{
	_cleanup_fclose_ FILE *list = open_list(host_root, path);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int64_t id, count = 1;

	while (list && getline(&line, &size, list) > 0)
		if (field(line, at, &id) && (!count_at || field(line, count_at, &count)) && id < block + IDS_COUNT && id + count > block &&
		    !(given && is_ours(host_root, line)))
			return true;
	return false;
}

static bool is_taken(const char *host_root, const struct ids *ids, bool given)
{
	return list_hits(host_root, "/etc/passwd", 2, 0, ids->uid, false) || list_hits(host_root, "/etc/group", 2, 0, ids->gid, false) ||
	       list_hits(host_root, "/etc/subuid", 1, 2, ids->uid, given) || list_hits(host_root, "/etc/subgid", 1, 2, ids->gid, given);
}

/* An abstract socket bears the block's name. The kernel takes it away with the last descriptor, however that comes to be closed, and no file is left
 * that somebody would have to remove. */
static bool lock_block(int lock_fd, const struct ids *ids)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "bench-ids-%u", ids->uid);

	return bind(lock_fd, (const struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0;
}

/* Blocks that may be chosen: number n begins at users + n * IDS_COUNT, groups + n * IDS_COUNT. */
struct blocks {
	uint32_t users, groups, count;
	bool given; /* by /etc/subuid and /etc/subgid */
};

static bool find_given(const char *host_root, struct blocks *ret)
{
	int64_t users, n_users, groups, n_groups;

	if (!given_range(host_root, "/etc/subuid", &users, &n_users) || !given_range(host_root, "/etc/subgid", &groups, &n_groups))
		return false;
	*ret = (struct blocks){.users = (uint32_t)users,
			       .groups = (uint32_t)groups,
			       .count = (uint32_t)((n_users < n_groups ? n_users : n_groups) / IDS_COUNT),
			       .given = true};
	return true;
}

/* False: all belong to others. Where all that do not are held by containers, the first one is shared. */
static bool choose_from(const char *host_root, const struct blocks *blocks, uint32_t wish, int lock_fd, struct ids *ret)
{
	struct ids first = {0};

	for (uint32_t i = 0, n_held = 0; i < blocks->count && n_held < HELD_MAX; i++) {
		uint32_t number = (uint32_t)(((uint64_t)wish + i) % blocks->count);
		struct ids ids = {.uid = blocks->users + number * IDS_COUNT, .gid = blocks->groups + number * IDS_COUNT};

		if (is_taken(host_root, &ids, blocks->given))
			continue;
		if (lock_fd < 0 || lock_block(lock_fd, &ids)) {
			*ret = ids;
			return true;
		}
		if (n_held++ == 0)
			first = ids;
	}
	first.shared = true;
	if (first.uid)
		*ret = first;
	return first.uid != 0;
}

int ids_choose(const char *host_root, const char *seed, struct ids *ret, int *ret_lock_fd, struct error *err)
{
	const struct blocks free_ones = {.users = IDS_FIRST, .groups = IDS_FIRST, .count = BLOCKS};
	_cleanup_close_ int lock_fd = ret_lock_fd ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
	struct blocks given;

	if (ret_lock_fd && lock_fd < 0)
		return error_errno(err, "lock for a container's ids");
	if (!(find_given(host_root, &given) && choose_from(host_root, &given, hash(seed), lock_fd, ret)) &&
	    !choose_from(host_root, &free_ones, hash(seed), lock_fd, ret))
		return error_set(err, EBUSY, "no %d ids are left for a container: users or /etc/subuid of this host have all", IDS_COUNT);
	if (ret_lock_fd)
		*ret_lock_fd = ret->shared ? -1 : take_fd(&lock_fd);
	return 0;
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
