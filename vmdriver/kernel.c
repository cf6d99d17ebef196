#include "kernel.h"

#include "kernel_fetch.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Takes a file if it is a kernel for this architecture that we may read; `why` names its place. */
static bool take(const char *path, const struct arch *arch, const char *why, struct kernel_choice *ret)
{
	struct kernel_image image;

	if (kernel_image_read(path, &image, NULL) < 0 || strcmp(image.arch, arch->name) != 0 ||
	    path_format(ret->path, sizeof(ret->path), NULL, "%s", path) < 0)
		return false;
	ret->image = image;
	snprintf(ret->source, sizeof(ret->source), "%s (%.200s)", why, path);
	return true;
}

/* The newest "vmlinuz-<version>" of a folder that can be read, by version order. */
static bool take_newest(const char *dir_path, const struct arch *arch, const char *why, struct kernel_choice *ret)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	char best[256] = "";
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct kernel_choice candidate;
		char path[PATH_MAX];

		if (strncmp(entry->d_name, "vmlinuz-", 8) != 0 || (best[0] && strverscmp(entry->d_name, best) <= 0))
			continue;
		if (path_format(path, sizeof(path), NULL, "%s/%s", dir_path, entry->d_name) < 0 || !take(path, arch, why, &candidate))
			continue;
		snprintf(best, sizeof(best), "%s", entry->d_name);
		*ret = candidate;
	}
	return best[0];
}

static int take_named(const char *named, const struct arch *arch, struct kernel_choice *ret, struct error *err)
{
	struct kernel_choice found;
	int rc = kernel_image_read(named, &found.image, err);

	if (rc == 0)
		rc = kernel_image_check_arch(&found.image, named, arch->name, err);
	if (rc == 0)
		rc = path_format(found.path, sizeof(found.path), err, "%s", named);
	if (rc < 0)
		return rc;
	snprintf(found.source, sizeof(found.source), "named (%.200s)", named);
	*ret = found;
	return 0;
}

/* The host's, where guest and host can run the same. */
static bool take_hosts(const char *root, const char *release, const struct arch *arch, struct kernel_choice *ret)
{
	char path[PATH_MAX];

	if (path_format(path, sizeof(path), NULL, "%s/boot/vmlinuz-%s", root, release) == 0 && take(path, arch, "the host's own", ret))
		return true;
	/* Fedora and Arch keep it beside the modules. */
	if (path_format(path, sizeof(path), NULL, "%s/lib/modules/%s/vmlinuz", root, release) == 0 &&
	    take(path, arch, "the host's own", ret))
		return true;
	return path_format(path, sizeof(path), NULL, "%s/boot", root) == 0 && take_newest(path, arch, "newest in /boot", ret);
}

int kernel_find(const char *root, const char *release, const struct arch *arch, const char *named, const char *cache_dir,
		struct kernel_choice *ret, struct error *err)
{
	struct kernel_choice found;
	char path[PATH_MAX];

	if (named)
		return take_named(named, arch, ret, err);

	bool is_host = arch_is_host(arch), done = is_host && take_hosts(root, release, arch, &found);

	if (!done && kernel_fetch_dir(arch, cache_dir, path, sizeof(path), NULL) == 0)
		done = take_newest(path, arch, "downloaded", &found);
	if (!done) {
		if (is_host)
			error_set(err, ENOENT, "no kernel for the guest: none can be read in /boot, none was downloaded yet");
		else
			error_set(err, ENOENT, "no kernel for a guest of %s: none was downloaded yet", arch->name);
		return error_hint(err, "name one with --kernel");
	}
	*ret = found;
	return 0;
}

int kernel_choose(const struct arch *arch, const char *named, const char *cache_dir, void (*note)(void *arg, const char *text),
		  void *note_arg, struct kernel_choice *ret, struct error *err)
{
	struct error why = {0};
	struct utsname host;

	uname(&host);

	/* That nothing is there yet is no error of the caller's. */
	int rc = kernel_find("", host.release, arch, named, cache_dir, ret, &why);

	if (rc < 0 && (rc != -ENOENT || named)) {
		if (err)
			*err = why;
		return rc;
	}
	if (rc == 0)
		return 0;
	rc = kernel_fetch(arch, cache_dir, note, note_arg, err);
	return rc < 0 ? rc : kernel_find("", host.release, arch, NULL, cache_dir, ret, err);
}
