#include "rootfs.h"

#include <base/files.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = {"proc", "sys", "dev", "tmp", "run"};
enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };

int runtime_rootfs_check(const char *dir, struct error *err)
{
	char path[PATH_MAX], missing[64] = "", hint[64] = "";
	struct stat st;

	if (stat(dir, &st) < 0)
		return error_errno(err, "root folder %s", dir);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "root folder %s: not a folder", dir);
	for (int i = 0; i < FOLDERS; i++) {
		int rc = path_format(path, sizeof(path), err, "%s/%s", dir, folders[i]);

		if (rc < 0)
			return rc;
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s/%s", missing[0] ? ", " : "", folders[i]);
		snprintf(hint + strlen(hint), sizeof(hint) - strlen(hint), "%s%s", hint[0] ? "," : "", folders[i]);
	}
	if (!missing[0])
		return 0;
	error_set(err, ENOENT, "root folder %s: no folder %s to mount on", dir, missing);
	return strchr(hint, ',') ? error_hint(err, "mkdir %.150s/{%s}", dir, hint) : error_hint(err, "mkdir %.150s/%s", dir, hint);
}

int runtime_rootfs_prepare(const char *dir, const char *agent_path, struct error *err)
{
	char path[PATH_MAX];
	int rc = 0;

	for (int i = 0; i < FOLDERS && rc == 0; i++) {
		rc = path_format(path, sizeof(path), err, "%s/%s", dir, folders[i]);
		if (rc == 0)
			rc = dir_make(path, 0755, err);
	}
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/agent", dir);
	if (rc < 0)
		return rc;
	/* Gone first: a copy must not be written through a link of an earlier time. Never a link itself: its mode and link count would be those
	 * of the host's own program. */
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, "replace %s", path);
	return file_copy(agent_path, path, 0755, err);
}
