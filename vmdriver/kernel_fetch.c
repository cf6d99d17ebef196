#include "kernel_fetch.h"

#include "apt_foreign.h"
#include "kernel_image.h"
#include "module_tree.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { DOWNLOAD_TIMEOUT_MS = 300000, QUERY_TIMEOUT_MS = 20000, OUTPUT_BYTES = 65536 };

const char *kernel_fetch_tool(void)
{
	char path[PATH_MAX];

	if (process_find("apt-get", path, sizeof(path)) && process_find("apt-cache", path, sizeof(path)))
		return "apt-get";
	return process_find("dnf", path, sizeof(path)) ? "dnf" : NULL;
}

int kernel_fetch_dir(const struct arch *arch, const char *cache_dir, char *ret, size_t size, struct error *err)
{
	return arch_is_host(arch) ? path_format(ret, size, err, "%s/vm/kernels", cache_dir)
				  : path_format(ret, size, err, "%s/vm/kernels-%s", cache_dir, arch->name);
}

/* What is got, how, and whereto. */
struct download {
	const struct arch *arch;
	const char *tool;
	const char *modules_of;    /* NULL: a kernel */
	char work[PATH_MAX];       /* a folder of its own */
	char apt_config[PATH_MAX]; /* of another architecture's packages, or empty */
};

/* ---- Debian, Ubuntu ---- */

/* Ends the list with the words, behind the configuration where there is one. */
static void apt_words(const struct download *d, const char *tool, const char *const words[3], const char *ret[7])
{
	size_t n = 0;

	ret[n++] = tool;
	if (d->apt_config[0]) {
		ret[n++] = "-c";
		ret[n++] = d->apt_config;
	}
	for (size_t i = 0; i < 3 && words[i]; i++)
		ret[n++] = words[i];
	ret[n] = NULL;
}

/* The first package named linux-image-… that `package` depends on, as apt-cache prints it ("  Depends: name", " |Depends: name"). */
static bool first_dependency(const struct download *d, const char *package, char *ret, size_t size)
{
	_cleanup_free_ char *output = malloc(OUTPUT_BYTES);
	const char *argv[7];
	char *state = NULL;

	apt_words(d, "apt-cache", (const char *const[3]){"depends", "--important", package}, argv);
	if (!output || process_run(argv, NULL, QUERY_TIMEOUT_MS, false, output, OUTPUT_BYTES, NULL) != 0)
		return false;
	for (char *line = strtok_r(output, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		char *name = strstr(line, "Depends: linux-image-");

		if (name && snprintf(ret, size, "%s", name + strlen("Depends: ")) < (int)size)
			return true;
	}
	return false;
}

/* Meta packages, the smallest kernel first; "@" is the architecture. Ubuntu's linux-virtual leads to linux-image-virtual. Each leads to one with the
 * version in its name, in one step or two. */
static int resolve(const struct download *d, char *ret, size_t size, struct error *err)
{
	static const char *const metas[] = {"linux-image-cloud-@", "linux-image-virtual", "linux-image-@", "linux-image-generic"};
	const size_t digit = strlen("linux-image-");

	for (size_t i = 0; i < sizeof(metas) / sizeof(metas[0]); i++) {
		char name[200], next[200];
		int stem = (int)strcspn(metas[i], "@");

		snprintf(name, sizeof(name), "%.*s%s", stem, metas[i], metas[i][stem] ? d->arch->deb : "");
		for (int step = 0; step < 3 && first_dependency(d, name, next, sizeof(next)); step++) {
			memcpy(name, next, sizeof(name));
			if (name[digit] >= '0' && name[digit] <= '9') {
				snprintf(ret, size, "%s", name);
				return 0;
			}
		}
	}
	error_set(err, ENOENT, "apt knows no kernel package (linux-image-cloud-%s, linux-image-virtual, linux-image-%s)", d->arch->deb,
		  d->arch->deb);
	return error_hint(err, "refresh its lists (apt-get update), or name a kernel with --kernel");
}

static int run_download(const char *const argv[], const char *dir, const char *what, struct error *err)
{
	char output[2048] = "";
	int rc = process_run(argv, dir, DOWNLOAD_TIMEOUT_MS, true, output, sizeof(output), err);

	if (rc == 0)
		return 0;
	if (rc < 0) {
		error_prefix(err, "download %s", what);
	} else {
		/* Of all that a package tool says, its first line of error is the one that counts. */
		char *line = strstr(output, "E: ");

		line = line ? line + 3 : output;
		line[strcspn(line, "\r\n")] = '\0';
		error_set(err, EIO, "download %s: %s ends with %d: %s", what, argv[0], rc, line[0] ? line : "no reason given");
	}
	return error_hint(err, "is there a network, are the package lists fresh (apt-get update)? Or name a kernel with --kernel");
}

static int download_deb(struct download *d, struct error *err)
{
	const char *argv[7];
	char package[200];
	int rc = arch_is_host(d->arch) ? 0 : apt_foreign_prepare(d->work, d->arch->deb, d->apt_config, sizeof(d->apt_config), err);

	if (rc == 0 && d->modules_of)
		snprintf(package, sizeof(package), "linux-image-%.150s", d->modules_of);
	else if (rc == 0)
		rc = resolve(d, package, sizeof(package), err);
	if (rc < 0)
		return rc;
	apt_words(d, "apt-get", (const char *const[3]){"download", package, NULL}, argv);
	return run_download(argv, d->work, package, err);
}

static int download_rpm(const struct download *d, struct error *err)
{
	const char *name = d->arch->name;

	return run_download(
		(const char *const[]){"dnf", "download", "--forcearch", name, "--arch", name, "--destdir", d->work, "kernel-core", NULL},
		d->work, "kernel-core", err);
}

/* ---- the cache ---- */

/* Removes the folders of downloads that never ended. Only under the lock: then none is in use. */
static void remove_stale(const char *dir_path)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	char path[PATH_MAX];
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "tmp-", 4) == 0 && path_format(path, sizeof(path), NULL, "%s/%s", dir_path, entry->d_name) == 0)
			dir_remove(path, NULL);
}

static bool has_kernel(const char *dir_path)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "vmlinuz-", 8) == 0)
			return true;
	return false;
}

static int lock_cache(const char *dir, void (*note)(void *, const char *), void *note_arg, int *ret_fd, struct error *err)
{
	char path[PATH_MAX];

	if (path_format(path, sizeof(path), err, "%s/lock", dir) < 0)
		return -ENAMETOOLONG;

	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0) {
		error_errno(err, "cache %s", path);
		return error_hint(err, "make the cache folder writable, or name a kernel with --kernel");
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (note)
			note(note_arg, "waiting for another download of a kernel");
		/* The holder's own time limit bounds this wait. */
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return error_errno(err, "lock %s", path);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The one package file that a download left. */
static int find_package(const char *dir_path, char *ret, size_t size, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && (strcmp(dot, ".deb") == 0 || strcmp(dot, ".rpm") == 0))
			return path_format(ret, size, err, "%s/%s", dir_path, entry->d_name);
	}
	return error_set(err, ENOENT, "the download left no package in %s", dir_path);
}

/* Download and unpacking happen in a folder of their own; what is kept moves to its place in one step, complete. */
static int fetch_into(const char *dir, struct download *d, struct error *err)
{
	char package[PATH_MAX];

	if (path_format(d->work, sizeof(d->work), err, "%s/tmp-XXXXXX", dir) < 0)
		return -ENAMETOOLONG;
	if (!mkdtemp(d->work))
		return error_errno(err, "create a folder in the cache %s", dir);

	int rc = !d->modules_of && strcmp(d->tool, "dnf") == 0 ? download_rpm(d, err) : download_deb(d, err);

	if (rc == 0)
		rc = find_package(d->work, package, sizeof(package), err);
	if (rc == 0 && !d->modules_of)
		rc = kernel_unpack(package, dir, err);
	/* Beside a kernel they are a spare: whoever needs them says what is in the way. */
	int kept = rc == 0 ? module_tree_keep(package, dir, d->modules_of ? err : NULL) : 0;
	dir_remove(d->work, NULL);
	return d->modules_of && kept < 0 ? kept : rc;
}

static int open_cache(const struct arch *arch, const char *cache_dir, void (*note)(void *, const char *), void *note_arg, char *ret_dir,
		      size_t size, int *ret_lock, struct error *err)
{
	if (kernel_fetch_dir(arch, cache_dir, ret_dir, size, err) < 0)
		return -ENAMETOOLONG;

	int rc = dir_make(ret_dir, 0700, err);

	if (rc < 0)
		return error_hint(err, "make the cache folder writable, or name a kernel with --kernel");
	rc = lock_cache(ret_dir, note, note_arg, ret_lock, err);
	if (rc == 0)
		remove_stale(ret_dir);
	return rc;
}

static void tell(void (*note)(void *, const char *), void *note_arg, const char *text)
{
	if (note)
		note(note_arg, text);
}

int kernel_fetch(const struct arch *arch, const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg,
		 struct error *err)
{
	_cleanup_close_ int lock = -1;
	struct download download = {.arch = arch, .tool = kernel_fetch_tool()};
	char dir[PATH_MAX], text[128];

	if (!download.tool) {
		error_set(
			err, ENOENT,
			"no kernel for the guest: none can be read in /boot, and no package tool known here (apt-get, dnf) could get one");
		return error_hint(err, "name one with --kernel");
	}
	int rc = open_cache(arch, cache_dir, note, note_arg, dir, sizeof(dir), &lock, err);
	if (rc < 0 || has_kernel(dir))
		return rc; /* another may have got it while we waited */
	snprintf(text, sizeof(text), "downloading a kernel for the guest (%s) with %s", arch->name, download.tool);
	tell(note, note_arg, text);
	return fetch_into(dir, &download, err);
}

/* It comes out of a kernel's image, and becomes the name of a package and of a folder. */
static bool is_version(const char *text)
{
	return text[0] && text[0] != '.' && text[0] != '-' &&
	       strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.+~_-") == strlen(text);
}

int kernel_fetch_modules(const struct arch *arch, const char *version, const char *cache_dir, void (*note)(void *arg, const char *text),
			 void *note_arg, struct error *err)
{
	_cleanup_close_ int lock = -1;
	struct download download = {.arch = arch, .tool = kernel_fetch_tool(), .modules_of = version};
	char dir[PATH_MAX], place[PATH_MAX], text[256];

	if (!is_version(version))
		return error_set(err, EINVAL, "the kernel says that its version is '%.80s', which is none", version);
	if (!download.tool || strcmp(download.tool, "apt-get") != 0) {
		error_set(err, ENOENT, "no modules of kernel %.80s: /lib/modules/%.80s is not there, and no tool known here could get them",
			  version, version);
		return error_hint(err, "install the package with its modules, or name a kernel that has them");
	}
	int rc = open_cache(arch, cache_dir, note, note_arg, dir, sizeof(dir), &lock, err);
	if (rc == 0)
		rc = path_format(place, sizeof(place), err, "%s/%s", dir, version);
	if (rc < 0 || path_exists(place))
		return rc;
	snprintf(text, sizeof(text), "downloading modules of kernel %.100s for the guest", version);
	tell(note, note_arg, text);
	return fetch_into(dir, &download, err);
}
