#include "os_image.h"

#include "os_recipe.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAKE_TIMEOUT_MS = 600000, OUTPUT_BYTES = 65536, ARGUMENTS_MAX = 32 };

static const char *const form_names[] = {[OS_IMAGE_FOLDER] = "root", [OS_IMAGE_TAR] = "root.tar"};

/* ---- its name ---- */

static void add_text(struct sha256_ctx *digest, const char *text)
{
	sha256_update(digest, strlen(text) + 1, (const uint8_t *)text); /* with its end: two texts are not one */
}

void os_image_key(char ret[65])
{
	struct sha256_ctx digest;
	uint8_t bytes[SHA256_DIGEST_SIZE];

	sha256_init(&digest);
	add_text(&digest, OS_RECIPE_SUITE);
	add_text(&digest, os_recipe_unit);
	add_text(&digest, os_recipe_hook);
	for (size_t i = 0; os_recipe_options[i]; i++)
		add_text(&digest, os_recipe_options[i]);
	sha256_digest(&digest, sizeof(bytes), bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static int describe(enum os_image_form form, const char *cache_dir, struct os_image *ret, struct error *err)
{
	*ret = (struct os_image){.name = "Debian " OS_RECIPE_SUITE " (systemd)"};
	os_image_key(ret->key);
	/* Half of the digest tells images of one cache apart, and leaves room in paths of sockets and mounts. */
	return path_format(ret->path, sizeof(ret->path), err, "%s/os/%.32s/%s", cache_dir, ret->key, form_names[form]);
}

int os_image_probe(enum os_image_form form, const char *cache_dir, struct error *err)
{
	struct os_image image;
	char tool[PATH_MAX];
	int rc = describe(form, cache_dir, &image, err);

	if (rc < 0 || path_exists(image.path))
		return rc < 0 ? rc : 1;
	if (form == OS_IMAGE_FOLDER && geteuid() != 0) {
		error_set(err, EPERM, "a folder with a whole operating system needs root: its files have several owners");
		return error_hint(err, "run as root");
	}
	if (process_find("mmdebstrap", tool, sizeof(tool)))
		return 0;
	error_set(err, ENOENT, "no image of an operating system in the cache, and no mmdebstrap to make one");
	return error_hint(err, "install mmdebstrap (scripts/install-deps)");
}

/* ---- making it ---- */

/* What a making that never ended has left. Only under the lock: then none is in use. */
static void remove_stale(const char *dir_path)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	char path[PATH_MAX];
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "tmp-", 4) == 0 && path_format(path, sizeof(path), NULL, "%s/%s", dir_path, entry->d_name) == 0)
			dir_remove(path, NULL);
}

static int lock_cache(const char *dir, void (*note)(void *, const char *), void *note_arg, int *ret_fd, struct error *err)
{
	char path[PATH_MAX];

	if (path_format(path, sizeof(path), err, "%s/lock", dir) < 0)
		return -ENAMETOOLONG;

	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, "cache %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (note)
			note(note_arg, "waiting for another making of the operating system's image");
		/* The holder's own time limit bounds this wait. */
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return error_errno(err, "lock %s", path);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Of all that the tool says, its first line of error is the one that counts. */
static int tool_error(int status, char *output, struct error *err)
{
	char *line = strstr(output, "E: ");

	line = line ? line + 3 : output;
	line[strcspn(line, "\r\n")] = '\0';
	error_set(err, EIO, "make the operating system's image: mmdebstrap ends with %d: %s", status, line[0] ? line : "no reason given");
	return error_hint(err, "is there a network that reaches a mirror of Debian, and room in the cache folder?");
}

/* As root the tool mounts, and would leave that on the host when it is killed: so it is process 1 of namespaces of its own, with which its mounts, its
 * helpers and what it runs in the new system end; its temporary files are in our folder. An ordinary user's does that by itself, elsewhere: its root is
 * another id, to which our folder is closed. */
static size_t begin_command(const char **argv, const char *temporary)
{
	const char *const alone[] = {"unshare",       "--mount", "--pid", "--fork",  "--kill-child", "--mount-proc",
				     "--propagation", "private", "env",   temporary, "mmdebstrap",   "--mode=root"};
	const char *const own[] = {"mmdebstrap", "--mode=unshare"};
	bool root = geteuid() == 0;
	size_t n = root ? sizeof(alone) / sizeof(alone[0]) : sizeof(own) / sizeof(own[0]);

	memcpy(argv, root ? alone : own, n * sizeof(*argv));
	return n;
}

static int run_mmdebstrap(const char *work, const char *target, struct error *err)
{
	const char *argv[ARGUMENTS_MAX] = {0};
	char unit[PATH_MAX], temporary[PATH_MAX];
	_cleanup_free_ char *output = calloc(1, OUTPUT_BYTES), *hook = NULL;
	int rc = path_format(unit, sizeof(unit), err, "%s/unit", work);

	if (rc == 0)
		rc = path_format(temporary, sizeof(temporary), err, "TMPDIR=%s", work);
	if (rc == 0)
		rc = file_write_atomic(unit, os_recipe_unit, strlen(os_recipe_unit), 0644, err);
	if (rc < 0)
		return rc;
	/* Inside a tool that runs the text by a shell: the one word in it that is ours to choose is quoted. */
	if (!output || strchr(unit, '\'') || asprintf(&hook, "--customize-hook=BENCH_UNIT='%s'\n%s", unit, os_recipe_hook) < 0)
		return error_set(err, EINVAL, "folder %s: its name has a quote, or memory is short", work);
	size_t n = begin_command(argv, temporary);
	for (size_t i = 0; os_recipe_options[i] && n < ARGUMENTS_MAX - 4; i++)
		argv[n++] = os_recipe_options[i];
	argv[n++] = hook;
	argv[n++] = OS_RECIPE_SUITE;
	argv[n++] = target;
	rc = process_run(argv, NULL, MAKE_TIMEOUT_MS, true, output, OUTPUT_BYTES, err);
	if (rc < 0)
		return error_prefix(err, "make the operating system's image");
	return rc > 0 ? tool_error(rc, output, err) : 0;
}

/* Its name stands for a whole image, also after a power cut. */
static int publish(const char *work, const char *made, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 || rename(made, path) < 0 ? error_errno(err, "keep the image %s", path) : 0;
}

/* In a folder of its own; it moves to its place in one step, complete. */
static int make(const char *dir, const struct os_image *image, enum os_image_form form, struct error *err)
{
	char work[PATH_MAX], made[PATH_MAX], home[PATH_MAX];
	int rc = path_format(work, sizeof(work), err, "%s/tmp-XXXXXX", dir);

	if (rc < 0)
		return rc;
	if (!mkdtemp(work))
		return error_errno(err, "create a folder in the cache %s", dir);
	rc = path_format(made, sizeof(made), err, "%s/%s", work, form_names[form]);
	if (rc == 0)
		rc = run_mmdebstrap(work, made, err);
	if (rc == 0)
		rc = path_format(home, sizeof(home), err, "%s/%.32s", dir, image->key);
	if (rc == 0)
		rc = dir_make(home, 0700, err);
	if (rc == 0)
		rc = publish(work, made, image->path, err);
	dir_remove(work, NULL);
	return rc;
}

int os_image_get(enum os_image_form form, const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg,
		 struct os_image *ret, struct error *err)
{
	_cleanup_close_ int lock = -1;
	struct os_image image;
	char dir[PATH_MAX];
	int rc = describe(form, cache_dir, &image, err);

	if (rc == 0)
		rc = os_image_probe(form, cache_dir, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		rc = path_format(dir, sizeof(dir), err, "%s/os", cache_dir);
		if (rc == 0)
			rc = dir_make(dir, 0700, err);
		if (rc == 0)
			rc = lock_cache(dir, note, note_arg, &lock, err);
		if (rc < 0)
			return rc;
		remove_stale(dir);
		if (!path_exists(image.path)) {
			if (note)
				note(note_arg, "making the image of a whole Debian with mmdebstrap (half a minute)");
			rc = make(dir, &image, form, err);
		}
	}
	if (rc < 0)
		return rc;
	*ret = image;
	return 0;
}
