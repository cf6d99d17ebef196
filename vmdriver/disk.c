#include "disk.h"

#include "disk_cache.h"
#include "disk_tree.h"

#include <base/files.h>
#include <base/process.h>
#include <base/units.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAKE_TIMEOUT_MS = 600000, ARGUMENTS_MAX = 32, LOWER_MAX = 3900, DIGEST_SIZE = 2 * SHA256_DIGEST_SIZE + 1 };

/* What changes an image without changing a tool: counts for the key. */
#define RECIPE "1"

/* The whole tree but the folder itself, in one order. $1: the tree, $2: the archive. */
#define CPIO_SCRIPT                                                                                                                        \
	"set -e; cd \"$1\"; find . -mindepth 1 -print0 >\"$2.names\"; LC_ALL=C sort -z -o \"$2.names\" \"$2.names\"; "                     \
	"cpio --quiet -0 -o -H newc -O \"$2\" <\"$2.names\"; rm \"$2.names\""

/* A mount of our own, seen by nobody else, which ends with the tool. */
#define MERGE_SCRIPT "mount -t overlay -o \"$1\" overlay \"$2\" && shift 2 && exec \"$@\""

static const struct tool {
	const char *program, *package;
} tools[] = {
	[DISK_CPIO] = {"cpio", "cpio"},
	[DISK_EXT4] = {"mke2fs", "e2fsprogs"},
	[DISK_SQUASHFS] = {"mksquashfs", "squashfs-tools"},
	[DISK_EROFS] = {"mkfs.erofs", "erofs-utils"},
};
_Static_assert(sizeof(tools) / sizeof(tools[0]) == DISK_FORMAT_COUNT, "one tool a format");

static int need(const char *program, const char *package, const char *what, struct error *err)
{
	char path[PATH_MAX];

	if (process_find(program, path, sizeof(path)))
		return 0;
	error_set(err, ENOENT, "an image for root=%s cannot be made: %s is not installed", what, program);
	return error_hint(err, "install the package %s", package);
}

int disk_check_tools(const struct disk_plan *plan, struct error *err)
{
	const char *what = disk_format_names[plan->format];
	int rc = need(tools[plan->format].program, tools[plan->format].package, what, err);

	if (rc == 0 && plan->n_layers > 1)
		rc = need("unshare", "util-linux", what, err);
	else if (rc == 0 && geteuid() != 0)
		rc = need("fakeroot", "fakeroot", what, err);
	return rc;
}

/* ---- the key ---- */

/* Not its version's text: that would start it each time. */
static int add_tool(enum disk_format format, struct sha256_ctx *hash, struct error *err)
{
	char path[PATH_MAX], line[128];
	struct stat st;

	if (!process_find(tools[format].program, path, sizeof(path)) || stat(path, &st) < 0)
		return need(tools[format].program, tools[format].package, disk_format_names[format], err);
	snprintf(line, sizeof(line), "%" PRId64 " %" PRId64, (int64_t)st.st_size, (int64_t)st.st_mtim.tv_sec);
	disk_key_text(hash, tools[format].program);
	disk_key_text(hash, line);
	return 0;
}

static int read_source(const struct disk_plan *plan, char key[DISK_KEY_SIZE], struct disk_tree *ret, struct error *err)
{
	struct sha256_ctx hash;
	struct disk_tree tree = {0};
	int rc;

	sha256_init(&hash);
	disk_key_text(&hash, RECIPE);
	disk_key_text(&hash, disk_format_names[plan->format]);
	disk_key_text(&hash, geteuid() == 0 ? "root" : "user");
	rc = add_tool(plan->format, &hash, err);
	for (size_t i = 0; rc == 0 && i < plan->n_layers; i++) {
		disk_key_text(&hash, "layer");
		rc = disk_tree_read(plan->layers[i], &hash, &tree, err);
	}
	if (rc < 0)
		return rc;
	disk_key_finish(&hash, key, DISK_KEY_SIZE);
	*ret = tree;
	return 0;
}

/* ---- making ---- */

struct command {
	const char *argv[ARGUMENTS_MAX];
	size_t n;
	char lower[LOWER_MAX + 64], merged[PATH_MAX];
	char size[32], inodes[32], uuid[48];
};

static void add(struct command *c, const char *word)
{
	c->argv[c->n++] = word;
}

static void add_all(struct command *c, const char *const *words)
{
	for (; *words; words++)
		add(c, *words);
}

/* mount takes commas and colons for its own. */
static int add_lower(struct command *c, const struct disk_plan *plan, struct error *err)
{
	size_t used = strlen(strcpy(c->lower, geteuid() == 0 ? "ro,lowerdir=" : "ro,userxattr,lowerdir="));

	if (plan->n_layers > DISK_LAYERS_MAX)
		return error_set(err, E2BIG, "an image with %zu layers cannot become a disk: %d are the most", plan->n_layers,
				 DISK_LAYERS_MAX);
	for (size_t i = plan->n_layers; i-- > 0;) {
		const char *layer = plan->layers[i];
		int length = snprintf(c->lower + used, LOWER_MAX - used, "%s%s", i + 1 < plan->n_layers ? ":" : "", layer);

		if (strpbrk(layer, ",:\\\""))
			return error_set(err, EINVAL, "layer %s: a comma, a colon or a backslash in its path cannot be mounted", layer);
		if (length < 0 || (size_t)length >= LOWER_MAX - used)
			return error_set(err, E2BIG, "the paths of %zu layers are too long for one mount", plan->n_layers);
		used += (size_t)length;
	}
	return 0;
}

/* Several layers need the kernel's overlay, in a namespace of its own. One is read where it is. */
static int begin_command(struct command *c, const struct disk_plan *plan, const char *work, const char **ret_tree, struct error *err)
{
	if (plan->n_layers == 1) {
		*ret_tree = plan->layers[0];
		if (geteuid() != 0)
			add(c, "fakeroot");
		return 0;
	}

	int rc = path_format(c->merged, sizeof(c->merged), err, "%s/merged", work);

	if (rc == 0)
		rc = dir_make(c->merged, 0700, err);
	if (rc == 0)
		rc = add_lower(c, plan, err);
	add(c, "unshare");
	if (geteuid() != 0)
		add_all(c, (const char *const[]){"--user", "--map-root-user", NULL});
	add_all(c, (const char *const[]){"--mount", "--propagation", "private", "sh", "-c", MERGE_SCRIPT, "sh", c->lower, c->merged, NULL});
	*ret_tree = c->merged;
	return rc;
}

/* mke2fs wants to know the size before: content, inodes, a tenth for what the file system keeps itself. Nothing is ever written to it later. */
static void add_ext4(struct command *c, const char *tree, const char *out, const struct disk_tree *size, const char *key)
{
	int64_t inodes = size->entries + size->entries / 20 + 64, blocks = size->blocks + size->entries + inodes / 16;

	snprintf(c->inodes, sizeof(c->inodes), "%" PRId64, inodes);
	snprintf(c->size, sizeof(c->size), "%" PRId64 "k", 4 * (blocks + blocks / 10 + 1024));
	snprintf(c->uuid, sizeof(c->uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", key, key + 8, key + 12, key + 16, key + 20);
	add_all(c, (const char *const[]){"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-O",
					 "^has_journal,^resize_inode", "-N", c->inodes, "-U", c->uuid, NULL});
	add_all(c, (const char *const[]){"-d", tree, out, c->size, NULL});
}

static void add_cpio(struct command *c, const char *tree, const char *out)
{
	static const char *const script = CPIO_SCRIPT;

	add_all(c, (const char *const[]){"sh", "-c", script, "sh", tree, out, NULL});
}

static void add_tool_words(struct command *c, enum disk_format format, const char *tree, const char *out, const struct disk_tree *size,
			   const char *key)
{
	switch (format) {
	case DISK_CPIO:
		add_cpio(c, tree, out);
		break;
	case DISK_SQUASHFS:
		add_all(c, (const char *const[]){"mksquashfs", tree, out, "-noappend", "-no-progress", "-quiet", "-comp", "zstd",
						 "-Xcompression-level", "3", NULL});
		break;
	case DISK_EROFS:
		add_all(c, (const char *const[]){"mkfs.erofs", "--quiet", out, tree, NULL});
		break;
	default:
		add_ext4(c, tree, out, size, key);
	}
	add(c, NULL);
}

static int digest_of(const char *path, char ret[DIGEST_SIZE], struct error *err)
{
	struct sha256_ctx hash;

	sha256_init(&hash);

	int rc = disk_key_file(&hash, path, err);

	if (rc == 0)
		disk_key_finish(&hash, ret, DIGEST_SIZE);
	return rc;
}

static int write_facts(const char *work, const char *image, struct error *err)
{
	char path[PATH_MAX], text[256], digest[DIGEST_SIZE];
	struct stat st;
	int rc = path_format(path, sizeof(path), err, "%s/facts", work);

	if (rc == 0 && stat(image, &st) < 0)
		rc = error_errno(err, "image %s", image);
	if (rc == 0)
		rc = digest_of(image, digest, err);
	if (rc < 0)
		return rc;
	snprintf(text, sizeof(text), "bytes %" PRId64 "\nsha256 %s\n", (int64_t)st.st_size, digest);
	return file_write_atomic(path, text, strlen(text), 0600, err);
}

static int make_in(const struct disk_plan *plan, const char *work, const struct disk_tree *size, const char *key, struct error *err)
{
	_cleanup_free_ struct command *c = calloc(1, sizeof(*c));
	char image[PATH_MAX], what[64];
	const char *tree = NULL;
	int rc = c ? path_format(image, sizeof(image), err, "%s/disk", work) : error_set(err, ENOMEM, "out of memory");

	if (rc == 0)
		rc = begin_command(c, plan, work, &tree, err);
	if (rc < 0)
		return rc;
	add_tool_words(c, plan->format, tree, image, size, key);
	snprintf(what, sizeof(what), "make an image for root=%s", disk_format_names[plan->format]);
	rc = disk_cache_run(c->argv, NULL, work, MAKE_TIMEOUT_MS, what, err);
	if (rc == 0 && chmod(image, 0600) < 0)
		rc = error_errno(err, "image %s", image);
	if (rc == 0 && c->merged[0] && rmdir(c->merged) < 0)
		rc = error_errno(err, "remove %s", c->merged);
	return rc < 0 ? rc : write_facts(work, image, err);
}

static int make(const struct disk_plan *plan, const char *dir, const char *home, const struct disk_tree *size, const char *key,
		struct error *err)
{
	char work[PATH_MAX], again[DISK_KEY_SIZE];
	struct disk_tree tree;

	if (path_format(work, sizeof(work), err, "%s/tmp-XXXXXX", dir) < 0)
		return -ENAMETOOLONG;
	if (!mkdtemp(work))
		return error_errno(err, "create a folder in the cache %s", dir);

	int rc = make_in(plan, work, size, key, err);

	if (rc == 0)
		rc = read_source(plan, again, &tree, err);
	if (rc == 0 && strcmp(again, key) != 0) {
		error_set(err, EAGAIN, "%s changed while an image was made of it", plan->layers[0]);
		rc = error_hint(err, "try again when nobody writes there");
	}
	if (rc == 0)
		rc = disk_cache_publish(work, home, err);
	if (rc < 0)
		dir_remove(work, NULL);
	return rc == -ENOSPC ? error_hint(err, "make room in the cache %s", dir) : rc;
}

/* ---- what is there ---- */

/* 1: it is there and whole; 0: there is none, or a damaged one. */
static int check(const char *home, struct disk *ret, struct error *err)
{
	char path[PATH_MAX], facts[512], bytes[32], wanted[DIGEST_SIZE], digest[DIGEST_SIZE];
	struct stat st;
	int rc = path_format(path, sizeof(path), err, "%s/facts", home);

	if (rc == 0)
		rc = path_format(ret->path, sizeof(ret->path), err, "%s/disk", home);
	if (rc < 0)
		return rc;
	if (stat(ret->path, &st) < 0 && errno == EACCES)
		return error_errno(err, "image %s", ret->path);
	if (file_read("", path, facts, sizeof(facts), NULL) < 0 || !text_field(facts, "bytes", bytes, sizeof(bytes)) ||
	    !text_field(facts, "sha256", wanted, sizeof(wanted)) || stat(ret->path, &st) < 0 || strtoll(bytes, NULL, 10) != st.st_size ||
	    digest_of(ret->path, digest, NULL) < 0 || strcmp(digest, wanted) != 0)
		return 0;
	ret->bytes = st.st_size;
	ret->allocated_bytes = (int64_t)st.st_blocks * 512;
	return 1;
}

static __attribute__((format(printf, 2, 3))) void tell(const struct disk_plan *plan, const char *format, ...)
{
	char text[256];
	va_list ap;

	if (!plan->note)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	plan->note(plan->note_arg, text);
}

static int make_locked(const struct disk_plan *plan, const char *dir, const char *home, const struct disk_tree *size, struct disk *ret,
		       struct error *err)
{
	_cleanup_close_ int lock = -1;
	int rc = disk_check_tools(plan, err);

	if (rc == 0)
		rc = disk_cache_lock(dir, "a disk image", plan->note, plan->note_arg, &lock, err);
	if (rc < 0)
		return rc;
	disk_cache_sweep(dir);
	/* Another may have made it while we waited. */
	rc = check(home, ret, err);
	if (rc != 0)
		return rc;
	if (path_exists(home)) {
		tell(plan, "the disk image in the cache is damaged (%s): it is made again", ret->key);
		rc = dir_remove(home, err);
	}
	tell(plan, "making an image for root=%s", disk_format_names[plan->format]);
	if (rc == 0)
		rc = make(plan, dir, home, size, ret->key, err);
	if (rc == 0)
		rc = check(home, ret, err);
	if (rc < 0)
		return rc;
	ret->made = true;
	return rc == 1 ? 1 : error_set(err, EIO, "image %s is damaged as soon as it is made", home);
}

int disk_get(const struct disk_plan *plan, struct disk *ret, struct error *err)
{
	char dir[PATH_MAX], home[PATH_MAX];
	struct disk disk = {0};
	struct disk_tree size;
	int rc = read_source(plan, disk.key, &size, err);

	if (rc == 0)
		rc = path_format(dir, sizeof(dir), err, "%s/vm/disks", plan->cache_dir);
	if (rc == 0)
		rc = path_format(home, sizeof(home), err, "%s/%s", dir, disk.key);
	if (rc == 0)
		rc = check(home, &disk, err);
	if (rc == 0)
		rc = make_locked(plan, dir, home, &size, &disk, err);
	if (rc < 0)
		return rc;
	*ret = disk;
	return 0;
}
