/* Who the program of an image runs as, by the image's own /etc/passwd and /etc/group. */
#include "image.h"

#include "beneath.h"
#include "text.h"

#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { DATABASE_MAX = 1 << 20, LINE_MAX_BYTES = 16384 };

static bool hides_below(int folder_fd)
{
	char value[2] = "";

	return (fgetxattr(folder_fd, "trusted.overlay.opaque", value, 1) == 1 ||
		fgetxattr(folder_fd, "user.overlay.opaque", value, 1) == 1) &&
	       value[0] == 'y';
}

/* Looks into one layer: 1 and the file; 0: the layers below decide; -ENOENT: it is hidden from here on. */
static int open_in_layer(const char *layer, const char *name, FILE **ret)
{
	_cleanup_close_ int root = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int etc = root < 0 ? -1 : beneath_open(root, "etc", O_RDONLY | O_DIRECTORY);
	struct stat st;
	off_t size;

	if (root < 0)
		return 0;
	if (etc < 0)
		return fstatat(root, "etc", &st, AT_SYMLINK_NOFOLLOW) == 0 ? -ENOENT : 0;
	_cleanup_close_ int fd = beneath_open_file(etc, name, false, &size);
	if (fd >= 0 && size <= DATABASE_MAX) {
		*ret = fdopen(fd, "r");
		if (*ret)
			take_fd(&fd);
		return *ret ? 1 : -ENOENT;
	}
	/* something else of this name, such as a whiteout */
	if (fstatat(etc, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -ENOENT;
	return hides_below(etc) ? -ENOENT : 0;
}

static FILE *open_database(const struct image *image, const char *name)
{
	FILE *file = NULL;
	int rc = 0;

	for (size_t i = image->n_layers; rc == 0 && i-- > 0;)
		rc = open_in_layer(image->layers[i], name, &file);
	return file;
}

static bool is_number(const char *text, uint32_t *ret)
{
	int64_t value;

	if (!*text || strspn(text, "0123456789") != strlen(text) || parse_integer("id", text, 0, UINT32_MAX - 1, &value, NULL) < 0)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* By name (NULL: by number). */
static bool find_user(const struct image *image, const char *name, uint32_t uid, uint32_t *ret_uid, uint32_t *ret_gid)
{
	_cleanup_fclose_ FILE *file = open_database(image, "passwd");
	char line[LINE_MAX_BYTES];
	struct passwd user, *found;

	while (file && fgetpwent_r(file, &user, line, sizeof(line), &found) == 0) {
		if (name ? strcmp(user.pw_name, name) != 0 : user.pw_uid != uid)
			continue;
		*ret_uid = user.pw_uid;
		*ret_gid = user.pw_gid;
		return true;
	}
	return false;
}

static bool find_group(const struct image *image, const char *name, uint32_t *ret_gid)
{
	_cleanup_fclose_ FILE *file = open_database(image, "group");
	char line[LINE_MAX_BYTES];
	struct group group, *found;

	while (file && fgetgrent_r(file, &group, line, sizeof(line), &found) == 0)
		if (strcmp(group.gr_name, name) == 0) {
			*ret_gid = group.gr_gid;
			return true;
		}
	return false;
}

/* A plain folder, or the root of a container that runs, has no name. */
static void describe(const struct image *image, char *ret, size_t size)
{
	if (image->name[0])
		snprintf(ret, size, "image '%s'", image->name);
	else
		snprintf(ret, size, "the root");
}

int image_user(const struct image *image, const char *user, uint32_t *ret_uid, uint32_t *ret_gid, struct error *err)
{
	char name[256];
	const char *wish = user ? user : "", *colon = strchr(wish, ':');
	size_t length = colon ? (size_t)(colon - wish) : strlen(wish);
	uint32_t uid = 0, gid = 0;
	char whose[IMAGE_NAME_MAX + 16];

	describe(image, whose, sizeof(whose));
	if (length >= sizeof(name))
		return error_set(err, ENAMETOOLONG, "user '%s': too long a name", text_shown(wish).text);
	memcpy(name, wish, length);
	name[length] = '\0';
	if (is_number(name, &uid)) {
		find_user(image, NULL, uid, &uid, &gid);
	} else if (*name && !find_user(image, name, 0, &uid, &gid)) {
		error_set(err, ENOENT, "%s has no user '%s' in its /etc/passwd", whose, text_shown(name).text);
		return error_hint(err, "name the user by a number, e.g. 1000:1000");
	}
	if (colon && !is_number(colon + 1, &gid) && !find_group(image, colon + 1, &gid))
		return error_set(err, ENOENT, "%s has no group '%s' in its /etc/group", whose, text_shown(colon + 1).text);
	*ret_uid = uid;
	*ret_gid = gid;
	return 0;
}
