#include "layer_meta.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static int check_ids(const struct layer_entry *entry, struct error *err)
{
	/* The last one means "leave as it is" to chown(2). */
	if (entry->uid < 0 || entry->uid >= UINT32_MAX || entry->gid < 0 || entry->gid >= UINT32_MAX)
		return error_set(err, EBADMSG, "'%s': its owner is no valid id", text_shown(entry->path).text);
	return 0;
}

static int chown_failed(const struct layer_entry *entry, struct error *err)
{
	bool is_unmapped = errno == EINVAL;

	error_errno(err, "give '%s' to %lld:%lld", text_shown(entry->path).text, (long long)entry->uid, (long long)entry->gid);
	return is_unmapped
		       ? error_hint(err, "these ids do not exist in this user namespace: import as the host's root, or as an ordinary user")
		       : -(err ? err->code : EIO);
}

int layer_set_owner(struct layer *layer, int fd, const struct layer_entry *entry, struct error *err)
{
	if (!layer->options.privileged)
		return 0;
	int rc = check_ids(entry, err);
	if (rc == 0 && fchown(fd, (uid_t)entry->uid, (gid_t)entry->gid) < 0)
		rc = chown_failed(entry, err);
	return rc;
}

/* Kept: what programs store for themselves, and capabilities of files. All else steers the host (overlayfs, labels, ACLs of its users). */
static bool is_kept(const struct layer *layer, const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return layer->options.privileged;
	return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0;
}

int layer_set_xattrs(struct layer *layer, int fd, const struct layer_entry *entry, struct error *err)
{
	for (size_t i = 0; i < entry->n_xattrs && !layer->options.plain; i++) {
		const struct layer_xattr *x = &entry->xattrs[i];

		if (is_kept(layer, x->name) && fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
			continue;
		if (is_kept(layer, x->name) && (errno == ENOSPC || errno == EDQUOT))
			return error_errno(err, "'%s': set attribute %s", text_shown(entry->path).text, text_shown(x->name).text);
		layer->left_out.attributes++;
	}
	return 0;
}

mode_t layer_mode(struct layer *layer, const struct layer_entry *entry)
{
	mode_t mode = entry->mode & 07777;

	if (layer->options.privileged)
		return mode;
	/* The bits would give others this user's rights; and the owner must be able to remove what he imported. */
	layer->left_out.setuid_bits += (mode & (S_ISUID | S_ISGID)) != 0;
	return (mode & 01777) | (S_ISDIR(entry->mode) ? 0700 : 0);
}

void layer_times(struct timespec mtime, struct timespec ret[2])
{
	if (mtime.tv_nsec < 0 || mtime.tv_nsec > 999999999)
		mtime.tv_nsec = 0;
	ret[0] = ret[1] = mtime;
}

int layer_set_at(struct layer *layer, int parent_fd, const char *name, const struct layer_entry *entry, struct error *err)
{
	struct timespec times[2];

	if (layer->options.privileged) {
		int rc = check_ids(entry, err);

		if (rc < 0)
			return rc;
		if (fchownat(parent_fd, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return chown_failed(entry, err);
	}
	/* Nobody but us can reach this folder, so that what was just made is what is meant. */
	if (!S_ISLNK(entry->mode) && fchmodat(parent_fd, name, layer_mode(layer, entry), 0) < 0)
		return error_errno(err, "set the mode of '%s'", text_shown(entry->path).text);
	layer_times(entry->mtime, times);
	if (utimensat(parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "set the time of '%s'", text_shown(entry->path).text);
	layer->left_out.attributes += entry->n_xattrs;
	return 0;
}
