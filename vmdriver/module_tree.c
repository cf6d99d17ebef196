#include "module_tree.h"

#include "kernel_fetch.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPMOD_TIMEOUT_MS = 60000 };

/* Without this libkmod finds nothing. */
static bool is_indexed(const char *tree)
{
	char path[PATH_MAX];

	return path_format(path, sizeof(path), NULL, "%s/modules.dep.bin", tree) == 0 && path_exists(path);
}

/* Ordinary users have no sbin in their path. */
static const char *find_depmod(char *ret, size_t size)
{
	static const char *const places[] = {"/usr/sbin/depmod", "/sbin/depmod"};

	if (process_find("depmod", ret, size))
		return ret;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int run_depmod(const char *dir, const char *version, struct error *err)
{
	char path[PATH_MAX], output[1024] = "";
	const char *depmod = find_depmod(path, sizeof(path));

	if (!depmod) {
		error_set(err, ENOENT, "the modules of kernel %s cannot be indexed: depmod was not found", version);
		return error_hint(err, "apt install kmod");
	}
	int rc = process_run((const char *const[]){depmod, "-b", dir, version, NULL}, NULL, DEPMOD_TIMEOUT_MS, true, output, sizeof(output),
			     err);
	if (rc < 0)
		return error_prefix(err, "index the modules of kernel %s", version);
	output[strcspn(output, "\n")] = '\0';
	return rc == 0 ? 0 : error_set(err, EIO, "index the modules of kernel %s: depmod ends with %d: %.300s", version, rc, output);
}

/* Made in a folder of its own, which moves to its place complete. */
int module_tree_keep(const char *package, const char *dir, struct error *err)
{
	char work[PATH_MAX], place[PATH_MAX], version[128];
	int rc = path_format(work, sizeof(work), err, "%s/tmp-XXXXXX", dir);

	if (rc == 0 && !mkdtemp(work))
		return error_errno(err, "create a folder in the cache %s", dir);
	if (rc == 0)
		rc = kernel_unpack_modules(package, work, version, sizeof(version), err);
	if (rc == 0)
		rc = run_depmod(work, version, err);
	if (rc == 0)
		rc = path_format(place, sizeof(place), err, "%s/%s", dir, version);
	if (rc == 0 && rename(work, place) < 0 && errno != EEXIST && errno != ENOTEMPTY)
		rc = error_errno(err, "keep modules in %s", place);
	if (path_exists(work))
		dir_remove(work, NULL);
	return rc;
}

int module_tree_find(const struct arch *arch, const char *root, const char *version, const char *cache_dir,
		     void (*note)(void *arg, const char *text), void *note_arg, char *ret, size_t size, struct error *err)
{
	char name[128], dir[PATH_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(version, " "), version);
	if (name[0] < '0' || name[0] > '9' || strchr(name, '/')) {
		error_set(err, ENOENT, "no modules for the guest: its kernel does not say its version ('%.60s')", version);
		return error_hint(
			err, "name a bzImage, as /boot/vmlinuz-… of a distribution, or use modules=none if it has all drivers built in");
	}
	int rc = path_format(ret, size, err, "%s/lib/modules/%s", root, name);
	if (rc < 0 || (arch_is_host(arch) && is_indexed(ret)))
		return rc;
	rc = kernel_fetch_dir(arch, cache_dir, dir, sizeof(dir), err);
	if (rc == 0)
		rc = path_format(ret, size, err, "%s/%s/lib/modules/%s", dir, name, name);
	if (rc < 0 || is_indexed(ret))
		return rc;
	rc = kernel_fetch_modules(arch, name, cache_dir, note, note_arg, err);
	if (rc == 0 && !is_indexed(ret))
		rc = error_set(err, ENOENT, "the package of kernel %s holds no modules of it", name);
	return rc;
}
