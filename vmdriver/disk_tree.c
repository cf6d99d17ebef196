#include "disk_tree.h"

#include "disk_cache.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4096, NAME_OVERHEAD = 16 };

static int compare(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_entry(const FTSENT *at, const char *root, struct sha256_ctx *hash, struct error *err)
{
	const struct stat *st = at->fts_statp;
	char line[256], target[PATH_MAX];

	snprintf(line, sizeof(line), "%o %u %u %" PRId64 " %" PRIu64 ":%" PRIu64 " %" PRIu64 " %" PRId64 ".%09ld", st->st_mode, st->st_uid,
		 st->st_gid, (int64_t)st->st_size, (uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_rdev,
		 (int64_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	disk_key_text(hash, at->fts_path + strlen(root));
	disk_key_text(hash, line);
	if (at->fts_info != FTS_SL && at->fts_info != FTS_SLNONE)
		return 0;

	ssize_t length = readlink(at->fts_accpath, target, sizeof(target) - 1);

	if (length < 0)
		return error_errno(err, "read the link %s", at->fts_path);
	target[length] = '\0';
	disk_key_text(hash, target);
	return 0;
}

static void count_entry(const FTSENT *at, struct disk_tree *ret)
{
	bool has_bytes = at->fts_info == FTS_F || at->fts_info == FTS_D;

	ret->entries++;
	if (has_bytes)
		ret->blocks += (at->fts_statp->st_size + BLOCK_BYTES - 1) / BLOCK_BYTES;
	/* Of the folder that names it. */
	ret->blocks += (int64_t)(strlen(at->fts_name) + NAME_OVERHEAD) / BLOCK_BYTES;
}

static int look_at(const FTSENT *at, const char *root, dev_t device, struct sha256_ctx *hash, struct disk_tree *ret, struct error *err)
{
	switch (at->fts_info) {
	case FTS_DP:
		return 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		errno = at->fts_errno;
		return error_errno(err, "read %s", at->fts_path);
	default:
		break;
	}
	if (at->fts_statp->st_dev != device) {
		error_set(err, EXDEV, "%s: another file system is mounted there", at->fts_path);
		return error_hint(err, "unmount it, or name a copy of the folder");
	}
	count_entry(at, ret);
	return add_entry(at, root, hash, err);
}

int disk_tree_read(const char *root, struct sha256_ctx *hash, struct disk_tree *ret, struct error *err)
{
	char *const roots[] = {(char *)root, NULL};
	struct disk_tree tree = *ret;
	struct stat st;
	FTSENT *at;
	int rc = 0;

	if (stat(root, &st) < 0)
		return error_errno(err, "root folder %s", root);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "root folder %s is no folder", root);

	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, compare);

	if (!walk)
		return error_errno(err, "read %s", root);
	while (rc == 0 && (errno = 0, at = fts_read(walk)))
		rc = look_at(at, root, st.st_dev, hash, &tree, err);
	if (rc == 0 && errno)
		rc = error_errno(err, "read %s", root);
	fts_close(walk);
	if (rc == 0)
		*ret = tree;
	return rc;
}
