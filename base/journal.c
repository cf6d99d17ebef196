#include "journal.h"

#include "files.h"
#include "group_tree.h"
#include "process.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

enum { UNDO_WAIT_MS = 5000 };

struct journal {
	int fd;
};

const char *const journal_kind_names[] = {"cgroup", "mount", "path", "process", "processes", "domain", "link"};
_Static_assert(sizeof(journal_kind_names) / sizeof(journal_kind_names[0]) == JOURNAL_KIND_COUNT, "one name a kind");

int journal_open(const char *path, struct journal **ret, struct error *err)
{
	_cleanup_free_ struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return error_set(err, ENOMEM, "journal %s: out of memory", path);
	journal->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (journal->fd < 0)
		return error_errno(err, "journal %s", path);
	*ret = take_ptr(journal);
	return 0;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	close(journal->fd);
	free(journal);
}

int journal_fd(const struct journal *journal)
{
	return journal ? journal->fd : -1;
}

int journal_add(struct journal *journal, enum journal_kind kind, const char *argument, struct error *err)
{
	char line[PATH_MAX + 64];

	if (!journal)
		return 0;
	if (strchr(argument, '\n'))
		return error_set(err, EINVAL, "journal: a name with a line break");
	int length = snprintf(line, sizeof(line), "%s %s\n", journal_kind_names[kind], argument);
	if (length >= (int)sizeof(line))
		return error_set(err, ENAMETOOLONG, "journal: name too long");
	if (write(journal->fd, line, (size_t)length) != length)
		return error_errno(err, "write the journal");
	return 0;
}

/* ---- what exists, and how it goes ---- */

/* Is it a program of that name, given a path below `dir`? The NULs between arguments are harmless: the directory's name is unique to the run. */
static bool is_program_below(pid_t pid, const char *program, size_t program_length, const char *dir)
{
	char path[64], line[32768];
	size_t dir_length = strlen(dir);

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (length <= 0)
		return false;
	line[length] = '\0';
	const char *slash = strrchr(line, '/'), *hit = line;
	if (strncmp(slash ? slash + 1 : line, program, program_length) != 0)
		return false;
	while ((hit = memmem(hit, (size_t)(line + length - hit), dir, dir_length))) {
		hit += dir_length;
		if (strchr("/", *hit))
			return true;
	}
	return false;
}

/* Numbers pass from one process to the next, so nothing is killed by its number: a descriptor is taken, then it is looked whether the number means
 * what it meant when it was found. Then either the descriptor is that process, or what it is has ended. */
static int hold(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void kill_held(int pidfd)
{
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* Counts the processes that "<program prefix> <directory>" means; with `kills`, ends them. */
static int processes_below(const char *argument, bool kills)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	const char *blank = strchr(argument, ' ');
	int count = 0;

	for (struct dirent *entry; blank && proc && (entry = readdir(proc));) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid())
			continue;
		_cleanup_close_ int pidfd = kills ? hold(pid) : -1;
		if (!is_program_below(pid, argument, (size_t)(blank - argument), blank + 1))
			continue;
		count++;
		if (pidfd >= 0)
			kill_held(pidfd);
	}
	return count;
}

/* Is the process in a group with that name ("/bench-…", which no other group of the host bears) or below it, in any hierarchy? */
static bool is_in_group(pid_t pid, const char *name)
{
	char path[64], text[16384];
	size_t length = strlen(name);

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (file_read("", path, text, sizeof(text), NULL) < 0)
		return false;
	for (const char *hit = text; (hit = strstr(hit, name)); hit += length)
		if (strchr("/\n", hit[length]))
			return true;
	return false;
}

static bool write_in_group(int group_fd, const char *file, const char *text)
{
	_cleanup_close_ int fd = openat(group_fd, file, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* One by one: all there is on version 1, and before Linux 5.14. */
static void kill_members(int group_fd, void *name)
{
	int fd = openat(group_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *procs = fd < 0 ? NULL : fdopen(fd, "r");
	char line[32];

	if (fd >= 0 && !procs)
		close(fd);
	while (procs && fgets(line, sizeof(line), procs)) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);
		_cleanup_close_ int pidfd = pid > 1 ? hold(pid) : -1;

		if (pidfd >= 0 && is_in_group(pid, name))
			kill_held(pidfd);
	}
}

/* On version 1 a frozen process takes no signal before it is let go on; other hierarchies and version 2 have no such file. */
static void thaw(int group_fd, void *arg)
{
	(void)arg;
	write_in_group(group_fd, "freezer.state", "THAWED");
}

/* A directory of a cgroup file system with a name that we give. */
static bool is_our_cgroup(const char *dir)
{
	const char *slash = strrchr(dir, '/');
	struct statfs fs;

	return slash && strncmp(slash, "/bench-", 7) == 0 && !strstr(dir, "/../") && statfs(dir, &fs) == 0 &&
	       (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

static int undo_cgroup(const char *dir, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)UNDO_WAIT_MS * 1000000;

	if (!path_exists(dir))
		return 0;
	if (!is_our_cgroup(dir))
		return error_set(err, EINVAL, "journal: '%s' is not a cgroup of ours", dir);
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, "open cgroup %s", dir);
	for (;;) {
		/* Sent again each round: a fork may have been under way, and the kernel empties a group a moment after the last exit. */
		if (!write_in_group(fd, "cgroup.kill", "1"))
			group_tree_visit(fd, kill_members, strrchr(dir, '/'));
		group_tree_visit(fd, thaw, NULL);
		group_tree_clear(fd);
		if (rmdir(dir) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY || clock_now_ns() > deadline_ns)
			return error_errno(err, "remove cgroup %s", dir);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

static int undo_processes(const char *argument, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)UNDO_WAIT_MS * 1000000;

	while (processes_below(argument, true) > 0) {
		if (clock_now_ns() > deadline_ns)
			return error_set(err, EBUSY, "processes '%s' do not end", argument);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return 0;
}

/* A descriptor of the process that "<pid> <start ticks>" means, or -ESRCH. */
static int open_named(const char *argument)
{
	char *end;
	pid_t pid = (pid_t)strtol(argument, &end, 10);
	int64_t ticks = *end == ' ' ? strtoll(end + 1, NULL, 10) : -1;

	return pid > 1 && ticks > 0 ? process_open(pid, ticks) : -ESRCH;
}

static void kill_named(const char *argument)
{
	_cleanup_close_ int pidfd = open_named(argument);

	if (pidfd >= 0)
		kill_held(pidfd);
}

static bool is_named_alive(const char *argument)
{
	_cleanup_close_ int pidfd = open_named(argument);

	return pidfd >= 0;
}

static bool is_below(const char *path, const char *run_dir)
{
	size_t length = strlen(run_dir), path_length = strlen(path);

	return strncmp(path, run_dir, length) == 0 && path[length] == '/' && !strstr(path, "/../") && path_length > length + 1 &&
	       strcmp(path + path_length - 3, "/..") != 0;
}

static int undo_mount(const char *path, struct error *err)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return error_errno(err, "unmount %s", path);
	return 0;
}

static int undo_one(enum journal_kind kind, const char *argument, const char *run_dir, journal_handler handler, void *arg,
		    struct error *err)
{
	if ((kind == JOURNAL_MOUNT || kind == JOURNAL_PATH) && !is_below(argument, run_dir))
		return error_set(err, EINVAL, "journal: '%s' is outside %s", argument, run_dir);
	switch (kind) {
	case JOURNAL_CGROUP:
		return undo_cgroup(argument, err);
	case JOURNAL_MOUNT:
		return undo_mount(argument, err);
	case JOURNAL_PATH:
		return dir_remove(argument, err);
	case JOURNAL_PROCESS:
		kill_named(argument);
		return 0;
	case JOURNAL_PROCESSES:
		return undo_processes(argument, err);
	default:
		/* Nobody here knows how: it must not pass for undone. */
		return handler ? handler(kind, argument, arg, err)
			       : error_set(err, ENOTSUP, "journal: nothing here undoes '%s %s'", journal_kind_names[kind], argument);
	}
}

static bool still_there(enum journal_kind kind, const char *argument)
{
	switch (kind) {
	case JOURNAL_CGROUP:
	case JOURNAL_PATH:
		return path_exists(argument);
	case JOURNAL_PROCESS:
		return is_named_alive(argument);
	case JOURNAL_PROCESSES:
		return processes_below(argument, false) > 0;
	case JOURNAL_LINK:
		return if_nametoindex(argument) != 0;
	default:
		return false;
	}
}

/* ---- the file ---- */

struct entry {
	enum journal_kind kind;
	const char *argument;
};

/* Splits the text in place. A torn last line (power cut in the middle of a write) is left out. */
static size_t parse_entries(char *text, struct entry *ret, size_t max)
{
	size_t count = 0;

	for (char *line = text, *end; (end = strchr(line, '\n')) && count < max; line = end + 1) {
		*end = '\0';
		for (int kind = 0; kind < JOURNAL_KIND_COUNT; kind++) {
			size_t length = strlen(journal_kind_names[kind]);

			if (strncmp(line, journal_kind_names[kind], length) == 0 && line[length] == ' ')
				ret[count++] = (struct entry){kind, line + length + 1};
		}
	}
	return count;
}

static int load(const char *path, char **ret_text, struct entry **ret_entries, size_t *ret_count, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		*ret_count = 0;
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "journal %s", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return error_set(err, EPERM, "journal %s was not written by you alone", path);
	_cleanup_free_ char *text = calloc(1, (size_t)st.st_size + 1);
	_cleanup_free_ struct entry *entries = calloc((size_t)st.st_size / 2 + 1, sizeof(*entries));
	if (!text || !entries)
		return error_set(err, ENOMEM, "journal %s: out of memory", path);
	ssize_t length = file_read("", path, text, (size_t)st.st_size + 1, err);
	if (length < 0)
		return (int)length;
	if (length > 0 && length < st.st_size)
		text[length] = '\n'; /* file_read() takes the last one off */
	*ret_count = parse_entries(text, entries, (size_t)st.st_size / 2 + 1);
	*ret_text = take_ptr(text);
	*ret_entries = take_ptr(entries);
	return 0;
}

int journal_undo(const char *path, journal_handler handler, void *arg, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ struct entry *entries = NULL;
	char run_dir[PATH_MAX];
	size_t count = 0;
	int resisted = 0, rc = load(path, &text, &entries, &count, err);

	if (rc < 0)
		return rc;
	snprintf(run_dir, sizeof(run_dir), "%.*s", (int)(strrchr(path, '/') ? strrchr(path, '/') - path : 0), path);
	for (size_t i = count; i-- > 0;)
		resisted += undo_one(entries[i].kind, entries[i].argument, run_dir, handler, arg, err) < 0;
	return resisted;
}

int journal_leftovers(const char *path, void (*visit)(enum journal_kind kind, const char *argument, void *arg), void *arg)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ struct entry *entries = NULL;
	size_t count = 0;
	int left = 0;

	if (load(path, &text, &entries, &count, NULL) < 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!still_there(entries[i].kind, entries[i].argument))
			continue;
		left++;
		if (visit)
			visit(entries[i].kind, entries[i].argument, arg);
	}
	return left;
}
