#include "out_dir.h"

#include <bench/cleanup.h>

#include <base/files.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A folder of a new name: two runs may begin in the same second. */
static int make_new(const char *experiment, struct out_dir *dir, struct error *err)
{
	char when[32];
	time_t now = time(NULL);
	struct tm local;
	int rc = dir_make("bench-results", 0755, err);

	localtime_r(&now, &local);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &local);
	for (int i = 1; rc == 0; i++) {
		rc = i == 1 ? path_format(dir->path, sizeof(dir->path), err, "bench-results/%s-%s", experiment, when)
			    : path_format(dir->path, sizeof(dir->path), err, "bench-results/%s-%s-%d", experiment, when, i);
		if (rc < 0 || mkdir(dir->path, 0755) == 0)
			break;
		if (errno != EEXIST)
			rc = error_errno(err, "make folder %s", dir->path);
	}
	dir->was_made = rc == 0;
	return rc;
}

static int make_named(const char *wish, struct out_dir *dir, struct error *err)
{
	int rc = path_format(dir->path, sizeof(dir->path), err, "%s", wish);

	dir->was_made = rc == 0 && !path_exists(dir->path);
	return rc < 0 ? rc : dir_make(dir->path, 0755, err);
}

/* Does it hold anything of a name that a run gives? */
static bool is_taken(const char *path, const char *experiment)
{
	static const char *const names[] = {"result.json", "samples.jsonl", "report.html"};
	_cleanup_closedir_ DIR *folder = opendir(path);
	size_t length = strlen(experiment);

	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (strncmp(entry->d_name, experiment, length) == 0 && entry->d_name[length] == '-')
			return true;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(entry->d_name, names[i]) == 0)
				return true;
	}
	return false;
}

static int claim(const char *experiment, struct out_dir *dir, struct error *err)
{
	dir->lock_fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->lock_fd < 0)
		return error_errno(err, "open folder %s", dir->path);
	if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		error_set(err, EBUSY, "another run writes to %s", dir->path);
		return error_hint(err, "choose another folder with --out");
	}
	if (is_taken(dir->path, experiment)) {
		error_set(err, EEXIST, "%s already holds a result", dir->path);
		return error_hint(err, "choose another folder with --out, or remove that one");
	}
	if (access(dir->path, W_OK | X_OK) < 0) {
		error_errno(err, "folder %s cannot be written to", dir->path);
		return error_hint(err, "choose a folder you can write to with --out");
	}
	return 0;
}

int out_dir_open(const char *wish, const char *experiment, struct out_dir *ret, struct error *err)
{
	struct out_dir dir = {.lock_fd = -1};
	int rc = wish ? make_named(wish, &dir, err) : make_new(experiment, &dir, err);

	if (rc < 0)
		return error_hint(err, "choose a folder you can write to with --out");
	rc = claim(experiment, &dir, err);
	if (rc < 0) {
		cleanup_close(&dir.lock_fd);
		return rc;
	}
	snprintf(dir.result, sizeof(dir.result), "%s/result.json", dir.path);
	snprintf(dir.journal, sizeof(dir.journal), "%s/samples.jsonl", dir.path);
	snprintf(dir.report, sizeof(dir.report), "%s/report.html", dir.path);
	*ret = dir;
	return 0;
}

void out_dir_close(struct out_dir *dir, bool discard)
{
	if (discard) {
		unlink(dir->journal);
		if (dir->was_made)
			rmdir(dir->path);
	}
	cleanup_close(&dir->lock_fd);
}
