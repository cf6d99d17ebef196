#include "kernel.h"

#include "kernel_fetch.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Takes a file if it is a kernel that we may read; `why` names its place. */
static bool take(const char *path, const char *why, struct kernel_choice *ret)
{
	struct kernel_image image;

	if (kernel_image_read(path, &image, NULL) < 0 || path_format(ret->path, sizeof(ret->path), NULL, "%s", path) < 0)
		return false;
	ret->image = image;
	snprintf(ret->source, sizeof(ret->source), "%s (%.200s)", why, path);
	return true;
}

/* The newest "vmlinuz-<version>" of a folder that can be read, by version order. */
static bool take_newest(const char *dir_path, const char *why, struct kernel_choice *ret)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	char best[256] = "";
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct kernel_choice candidate;
		char path[PATH_MAX];

		if (strncmp(entry->d_name, "vmlinuz-", 8) != 0 || (best[0] && strverscmp(entry->d_name, best) <= 0))
			continue;
		if (path_format(path, sizeof(path), NULL, "%s/%s", dir_path, entry->d_name) < 0 || !take(path, why, &candidate))
			continue;
		snprintf(best, sizeof(best), "%s", entry->d_name);
		*ret = candidate;
	}
	return best[0];
}

int kernel_find(const char *root, const char *release, const char *named, const char *cache_dir, struct kernel_choice *ret,
		struct error *err)
{
	struct kernel_choice found;
	char path[PATH_MAX];

	if (named) {
		int rc = kernel_image_read(named, &found.image, err);

		if (rc < 0)
			return rc;
		if (path_format(found.path, sizeof(found.path), err, "%s", named) < 0)
			return -ENAMETOOLONG;
		snprintf(found.source, sizeof(found.source), "named (%.200s)", named);
		*ret = found;
		return 0;
	}

	bool done = path_format(path, sizeof(path), NULL, "%s/boot/vmlinuz-%s", root, release) == 0 && take(path, "the host's own", &found);

	/* Fedora and Arch keep it beside the modules. */
	if (!done && path_format(path, sizeof(path), NULL, "%s/lib/modules/%s/vmlinuz", root, release) == 0)
		done = take(path, "the host's own", &found);
	if (!done && path_format(path, sizeof(path), NULL, "%s/boot", root) == 0)
		done = take_newest(path, "newest in /boot", &found);
	if (!done && path_format(path, sizeof(path), NULL, "%s/" KERNEL_FETCH_DIR, cache_dir) == 0)
		done = take_newest(path, "downloaded", &found);
	if (!done) {
		error_set(err, ENOENT, "no kernel for the guest: none can be read in /boot, none was downloaded yet");
		return error_hint(err, "name one with --kernel");
	}
	*ret = found;
	return 0;
}

int kernel_choose(const char *named, const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg,
		  struct kernel_choice *ret, struct error *err)
{
	struct error why = {0};
	struct utsname host;

	uname(&host);

	/* That nothing is there yet is no error of the caller's. */
	int rc = kernel_find("", host.release, named, cache_dir, ret, &why);

	if (rc < 0 && (rc != -ENOENT || named)) {
		if (err)
			*err = why;
		return rc;
	}
	if (rc == 0)
		return 0;
	rc = kernel_fetch(cache_dir, note, note_arg, err);
	return rc < 0 ? rc : kernel_find("", host.release, NULL, cache_dir, ret, err);
}
