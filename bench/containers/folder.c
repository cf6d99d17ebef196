#include "folder.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

static const char HEX[] = "0123456789abcdef";

static int parent_path(const char *base, char ret[FOLDER_PATH_MAX], struct error *err)
{
	int rc = path_format(ret, FOLDER_PATH_MAX - FOLDER_ID_HEX - 32, err, "%s/containers", base);

	return rc < 0 ? error_hint(err, "name a shorter folder in BENCH_RUN_DIR"), rc : 0;
}

/* In /tmp anybody could have been there first. */
static int check_private(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return error_errno(err, "folder %s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)) {
		error_set(err, EPERM, "%s is not a folder that only you can write to", path);
		return error_hint(err, "remove it, or name another in BENCH_RUN_DIR");
	}
	return 0;
}

/* Held while a folder is made and while others are looked at: nobody takes one that is not locked yet for dead. */
static int lock_parent(const char *parent, struct error *err)
{
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "folder %s", parent);
	while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
		;
	return fd;
}

int folder_file(const char *path, const char *file, char *ret, size_t size, struct error *err)
{
	return path_format(ret, size, err, "%s/%s", path, file);
}

bool folder_is_held(const char *path)
{
	char lock[FOLDER_PATH_MAX];

	if (folder_file(path, "lock", lock, sizeof(lock), NULL) < 0)
		return false;
	_cleanup_close_ int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0; /* shared: two that look do not see each other */
}

int folder_wait_free(const char *path, int timeout_ms, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)timeout_ms * 1000000;

	while (folder_is_held(path)) {
		if (clock_now_ns() > deadline_ns)
			return error_set(err, ETIMEDOUT, "container %s: its monitor does not end within %d ms", strrchr(path, '/') + 1,
					 timeout_ms);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return 0;
}

static bool is_id(const char *text)
{
	return strlen(text) == FOLDER_ID_HEX && strspn(text, HEX) == FOLDER_ID_HEX;
}

/* The name of a container, "" when it has none. */
static void read_name(const char *path, char *ret, size_t size)
{
	char file[FOLDER_PATH_MAX];

	if (folder_file(path, "name", file, sizeof(file), NULL) < 0 || file_read("", file, ret, size, NULL) < 0)
		ret[0] = '\0';
}

/* ---- looking ---- */

struct walk {
	void (*visit)(const char *path, const char *id, bool held, void *arg);
	void *arg;
	int count;
};

static int walk_parent(const char *parent, struct walk *walk, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(parent);
	char path[FOLDER_PATH_MAX];

	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, "read %s", parent);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!is_id(entry->d_name) || folder_file(parent, entry->d_name, path, sizeof(path), NULL) < 0)
			continue;
		walk->count++;
		walk->visit(path, entry->d_name, folder_is_held(path), walk->arg);
	}
	return 0;
}

int folder_each(const char *base, void (*visit)(const char *path, const char *id, bool held, void *arg), void *arg, struct error *err)
{
	struct walk walk = {visit, arg, 0};
	char parent[FOLDER_PATH_MAX];
	int rc = parent_path(base, parent, err);

	if (rc < 0 || !path_exists(parent))
		return rc;
	if ((rc = check_private(parent, err)) < 0)
		return rc;
	_cleanup_close_ int parent_lock = lock_parent(parent, err);
	if (parent_lock < 0)
		return parent_lock == -ENOENT ? 0 : parent_lock;
	rc = walk_parent(parent, &walk, err);
	return rc < 0 ? rc : walk.count;
}

struct search {
	const char *word;
	size_t n_found, n_seen;
	char path[FOLDER_PATH_MAX];
	char seen[160]; /* some ids that exist, or that fit */
	bool exact;
};

static void compare(const char *path, const char *id, bool held, void *arg)
{
	struct search *search = arg;
	char name[128];

	read_name(path, name, sizeof(name));
	bool exact = strcmp(search->word, id) == 0 || strcmp(search->word, name) == 0;
	bool fits = exact || strncmp(search->word, id, strlen(search->word)) == 0;
	search->n_seen++;
	if (search->exact || !fits)
		return;
	search->n_found = exact ? 1 : search->n_found + 1;
	search->exact = exact;
	memcpy(search->path, path, strlen(path) + 1);
	size_t used = strlen(search->seen);
	snprintf(search->seen + used, sizeof(search->seen) - used, "%s%s", used ? ", " : "", name[0] ? name : id);
}

int folder_find(const char *base, const char *word, char ret_path[FOLDER_PATH_MAX], struct error *err)
{
	struct search search = {.word = word};

	if (word[0] == '\0')
		return error_set(err, EINVAL, "an empty text is no container");
	int rc = folder_each(base, compare, &search, err);
	if (rc < 0)
		return rc;
	if (search.n_found == 0) {
		error_set(err, ENOENT, "there is no container '%.80s'", word);
		return error_hint(err, "'bench container ps -a' shows %s", search.n_seen ? "those that there are" : "that there are none");
	}
	if (search.n_found > 1) {
		error_set(err, ENOTUNIQ, "'%.80s' fits %zu containers: %s", word, search.n_found, search.seen);
		return error_hint(err, "give more of the id");
	}
	memcpy(ret_path, search.path, sizeof(search.path));
	return 0;
}

/* ---- making and removing ---- */

struct name_check {
	const char *name;
	char taken_by[FOLDER_ID_HEX + 1];
};

static void check_name(const char *path, const char *id, bool held, void *arg)
{
	struct name_check *check = arg;
	char name[128];

	read_name(path, name, sizeof(name));
	if (strcmp(name, check->name) == 0)
		snprintf(check->taken_by, sizeof(check->taken_by), "%s", id);
}

static int make_folder(const char *parent, const char *name, struct folder *folder, struct error *err)
{
	struct name_check check = {.name = name};
	char file[FOLDER_PATH_MAX];
	int rc = name ? walk_parent(parent, &(struct walk){check_name, &check, 0}, err) : 0;

	if (rc == 0 && check.taken_by[0]) {
		error_set(err, EEXIST, "a container is called '%s' already: %s", name, check.taken_by);
		return error_hint(err, "choose another name, or remove it: bench container rm -f %s", check.taken_by);
	}
	if (rc == 0 && mkdir(folder->path, 0700) < 0)
		rc = error_errno(err, "make %s", folder->path);
	if (rc < 0)
		return rc;
	rc = folder_file(folder->path, "lock", file, sizeof(file), err);
	folder->lock_fd = rc < 0 ? -1 : open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (folder->lock_fd < 0 || flock(folder->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(err, "lock %s", file);
	if (name && folder_file(folder->path, "name", file, sizeof(file), err) == 0)
		return file_write_atomic(file, name, strlen(name), 0600, err);
	return 0;
}

static int make_in_parent(const char *base, const char *name, struct folder *folder, struct error *err)
{
	char parent[FOLDER_PATH_MAX];
	int rc = parent_path(base, parent, err);

	if (rc == 0)
		rc = dir_make(parent, 0700, err);
	if (rc == 0)
		rc = check_private(base, err);
	if (rc == 0)
		rc = check_private(parent, err);
	if (rc == 0)
		rc = path_format(folder->path, sizeof(folder->path), err, "%s/%s", parent, folder->id);
	if (rc < 0)
		return rc;
	_cleanup_close_ int parent_lock = lock_parent(parent, err);
	return parent_lock < 0 ? parent_lock : make_folder(parent, name, folder, err);
}

int folder_create(const char *base, const char *name, struct folder *ret, struct error *err)
{
	struct folder folder = FOLDER_NONE;
	uint8_t random[FOLDER_ID_HEX / 2];
	int rc = -ENOENT;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return error_errno(err, "random id");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(folder.id + 2 * i, 3, "%02x", random[i]);
	/* The last container to end removes an empty parent: try again when it went in between. */
	for (int attempt = 0; attempt < 3 && rc == -ENOENT; attempt++)
		rc = make_in_parent(base, name, &folder, err);
	if (rc < 0) {
		if (folder.lock_fd >= 0)
			folder_remove(&folder, NULL);
		return rc;
	}
	*ret = folder;
	return 0;
}

int folder_remove(struct folder *folder, struct error *err)
{
	char parent[FOLDER_PATH_MAX];
	int rc = folder->path[0] ? dir_remove(folder->path, err) : 0;

	cleanup_close(&folder->lock_fd);
	folder->lock_fd = -1;
	if (rc < 0 || !folder->path[0])
		return rc;
	/* Both fail, rightly, while others live there. */
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(folder->path, '/') - folder->path), folder->path);
	rmdir(parent);
	*strrchr(parent, '/') = '\0';
	rmdir(parent);
	folder->path[0] = '\0';
	return 0;
}
