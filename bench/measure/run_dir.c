#include "run_dir.h"

#include <bench/cleanup.h>

#include <base/files.h>
#include <base/journal.h>
#include <drivers/vm_undo.h>
#include <network/network.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

int run_dir_parent(char *ret, size_t size, struct error *err)
{
	const char *wish = getenv("BENCH_RUN_DIR"), *runtime = getenv("XDG_RUNTIME_DIR");

	if (wish && *wish)
		return path_format(ret, size, err, "%s/bench", wish);
	if (geteuid() == 0)
		return path_format(ret, size, err, "/run/bench");
	if (runtime && *runtime == '/')
		return path_format(ret, size, err, "%s/bench", runtime);
	return path_format(ret, size, err, "/tmp/bench-%u", (unsigned)geteuid());
}

/* The tag of https://bford.info/cachedir/: backup programs leave such a folder out, and we know our own again. */
#define CACHE_TAG "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache made by bench: 'bench clean --cache' removes it."

static void tag_cache(const char *path)
{
	char tag[PATH_MAX];

	if (path_format(tag, sizeof(tag), NULL, "%s/CACHEDIR.TAG", path) == 0 && !path_exists(tag))
		file_write_atomic(tag, CACHE_TAG "\n", sizeof(CACHE_TAG), 0644, NULL);
}

/* Kernels and whole systems come from there, and what is made there is made with our rights: nobody but us, and root,
 * may have a hand in it. */
static int check_cache(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "cache folder %s", path);
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		error_set(err, EPERM, "the cache folder %s belongs to another user (%u)", path, (unsigned)st.st_uid);
		return error_hint(err, "name a folder of your own in BENCH_CACHE_DIR");
	}
	if (st.st_mode & 022) {
		error_set(err, EPERM, "others may write to the cache folder %s", path);
		return error_hint(err, "chmod go-w it, if you trust what is in it; or name another in BENCH_CACHE_DIR");
	}
	return 0;
}

int cache_dir_path(char *ret, size_t size, bool make, struct error *err)
{
	const char *wish = getenv("BENCH_CACHE_DIR"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int rc;

	if (wish && *wish)
		rc = path_format(ret, size, err, "%s", wish);
	else if (geteuid() == 0)
		rc = path_format(ret, size, err, "/var/cache/bench");
	else if (cache && *cache == '/')
		rc = path_format(ret, size, err, "%s/bench", cache);
	else if (home && *home == '/')
		rc = path_format(ret, size, err, "%s/.cache/bench", home);
	else
		rc = error_set(err, ENOENT, "no place for the cache: neither HOME nor XDG_CACHE_HOME is set");
	if (rc == 0 && make) {
		rc = dir_make(ret, 0755, err);
		if (rc < 0)
			error_hint(err, "name a writable folder in BENCH_CACHE_DIR");
		else
			rc = check_cache(ret, err);
		if (rc == 0)
			tag_cache(ret);
	}
	return rc;
}

int cache_dir_remove(struct error *err)
{
	char path[PATH_MAX], tag[PATH_MAX], text[256];
	int rc = cache_dir_path(path, sizeof(path), false, err);

	if (rc < 0 || !path_exists(path))
		return rc;
	if (path_format(tag, sizeof(tag), err, "%s/CACHEDIR.TAG", path) < 0 || file_read("", tag, text, sizeof(text), NULL) < 0 ||
	    strcmp(text, CACHE_TAG) != 0) {
		error_set(err, EPERM, "%s does not look like a cache that bench made (no CACHEDIR.TAG of ours)", path);
		return error_hint(err, "remove it by hand if it is one");
	}
	return dir_remove(path, err);
}

/* In /tmp anybody could have been there first. */
static int check_parent(const char *parent, struct error *err)
{
	struct stat st;

	if (lstat(parent, &st) < 0)
		return error_errno(err, "run folder %s", parent);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)) {
		error_set(err, EPERM, "run folder %s is not a folder that only you can write to", parent);
		return error_hint(err, "remove it, or name another in BENCH_RUN_DIR");
	}
	return 0;
}

/* Held while a run folder is made and while others are looked at, so that nobody takes a folder without its lock for a dead run. Blocks until it is had. */
static int lock_parent(const char *parent, struct error *err)
{
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "run folder %s", parent);
	while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
		;
	return fd;
}

static int make_and_lock(const char *parent, struct run_dir *dir, struct error *err)
{
	char lock[160];
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return error_errno(err, "random name");
	snprintf(dir->id, sizeof(dir->id), "%08x", number);
	if (path_format(dir->path, sizeof(dir->path) - 64, err, "%s/%s", parent, dir->id) < 0) /* room for the names of sockets */
		return -ENAMETOOLONG;
	if (dir_make(parent, 0700, err) < 0 || check_parent(parent, err) < 0)
		return err ? -err->code : -EIO;
	_cleanup_close_ int parent_lock = lock_parent(parent, err);
	if (parent_lock < 0)
		return parent_lock;
	if (mkdir(dir->path, 0700) < 0)
		return error_errno(err, "make run folder %s", dir->path);
	snprintf(lock, sizeof(lock), "%s/lock", dir->path);
	dir->lock_fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (dir->lock_fd < 0 || flock(dir->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		error_errno(err, "lock %s", lock);
		dir_remove(dir->path, NULL);
		return err ? -err->code : -EIO;
	}
	return 0;
}

int run_dir_create(struct run_dir *ret, struct error *err)
{
	struct run_dir dir = {.lock_fd = -1};
	char parent[PATH_MAX];
	int rc = cache_dir_path(dir.cache, sizeof(dir.cache), true, err);

	if (rc < 0 || (rc = run_dir_parent(parent, sizeof(parent), err)) < 0)
		return rc;
	/* The last run to end removes an empty parent: try again when it went in between. */
	for (int attempt = 0; attempt < 3; attempt++) {
		rc = make_and_lock(parent, &dir, err);
		if (rc != -ENOENT)
			break;
	}
	if (rc < 0) {
		error_hint(err, "name a short, writable folder in BENCH_RUN_DIR");
		return rc;
	}
	*ret = dir;
	return 0;
}

static int journal_path(char *ret, size_t size, const char *run_path, unsigned index)
{
	return path_format(ret, size, NULL, "%s/w%u.journal", run_path, index);
}

/* What base/ cannot undo by itself. */
static int undo_object(enum journal_kind kind, const char *argument, void *arg, struct error *err)
{
	if (kind == JOURNAL_LINK)
		return network_undo_link(argument, err);
	if (kind == JOURNAL_DOMAIN)
		return vm_undo_domain(argument, err);
	return error_set(err, ENOTSUP, "nothing here undoes '%s %s'", journal_kind_names[kind], argument);
}

int run_dir_undo_worker(const char *run_path, unsigned index, struct error *err)
{
	char path[PATH_MAX];

	if (journal_path(path, sizeof(path), run_path, index) < 0)
		return -ENAMETOOLONG;
	int rc = journal_undo(path, undo_object, NULL, err);
	if (rc == 0)
		unlink(path);
	return rc;
}

int run_dir_undo(const char *run_path, struct error *err)
{
	char parent[PATH_MAX];
	int resisted = 0;

	for (unsigned index = RUN_WORKERS_MAX; index-- > 0;) {
		int rc = run_dir_undo_worker(run_path, index, err);

		resisted += rc < 0 ? 1 : rc;
	}
	if (resisted > 0)
		return resisted; /* the journals stay for `bench clean` */
	if (dir_remove(run_path, err) < 0)
		return 1;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(run_path, '/') - run_path), run_path);
	rmdir(parent); /* fails, rightly, while other runs live there */
	return 0;
}

/* 1: alive; 0: dead, its lock is free; -1: no run folder at all. */
static int run_state(const char *run_path)
{
	char path[PATH_MAX];

	if (path_format(path, sizeof(path), NULL, "%s/lock", run_path) < 0)
		return -1;
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	return flock(fd, LOCK_EX | LOCK_NB) < 0;
}

int run_dir_each(void (*visit)(const char *run_path, bool alive, void *arg), void *arg, struct error *err)
{
	char parent[PATH_MAX], path[PATH_MAX];
	int count = 0, rc = run_dir_parent(parent, sizeof(parent), err);

	if (rc < 0)
		return rc;
	_cleanup_closedir_ DIR *folder = opendir(parent);
	if (!folder)
		return errno == ENOENT ? 0 : error_errno(err, "read %s", parent);
	rc = check_parent(parent, err);
	if (rc < 0)
		return rc;
	_cleanup_close_ int parent_lock = lock_parent(parent, err);
	if (parent_lock < 0)
		return parent_lock;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (strlen(entry->d_name) != 8 || strspn(entry->d_name, "0123456789abcdef") != 8)
			continue;
		if (path_format(path, sizeof(path), NULL, "%s/%s", parent, entry->d_name) < 0)
			continue;
		int alive = run_state(path);
		if (alive < 0)
			continue;
		count++;
		visit(path, alive, arg);
	}
	return count;
}

struct naming {
	void (*visit)(const char *kind, const char *argument, void *arg);
	void *arg;
};

static void visit_named(enum journal_kind kind, const char *argument, void *arg)
{
	struct naming *naming = arg;

	if (naming->visit)
		naming->visit(journal_kind_names[kind], argument, naming->arg);
}

int run_dir_leftovers(const char *run_path, void (*visit)(const char *kind, const char *argument, void *arg), void *arg)
{
	struct naming naming = {visit, arg};
	char path[PATH_MAX];
	int left = 0;

	for (unsigned index = 0; index < RUN_WORKERS_MAX; index++)
		if (journal_path(path, sizeof(path), run_path, index) == 0)
			left += journal_leftovers(path, visit_named, &naming);
	return left;
}
