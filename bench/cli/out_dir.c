#include "out_dir.h"

#include <base/files.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int choose_path(const char *wish, const char *experiment, struct out_dir *dir, struct error *err)
{
	char when[32];
	time_t now = time(NULL);
	struct tm local;

	if (wish)
		return path_format(dir->path, sizeof(dir->path), err, "%s", wish);
	localtime_r(&now, &local);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &local);
	int rc = path_format(dir->path, sizeof(dir->path), err, "bench-results/%s-%s", experiment, when);
	/* Two runs in one second. */
	for (int i = 2; rc == 0 && path_exists(dir->path) && i < 100; i++)
		rc = path_format(dir->path, sizeof(dir->path), err, "bench-results/%s-%s-%d", experiment, when, i);
	return rc;
}

int out_dir_open(const char *wish, const char *experiment, struct out_dir *ret, struct error *err)
{
	struct out_dir dir;
	int rc = choose_path(wish, experiment, &dir, err);

	if (rc < 0)
		return rc;
	snprintf(dir.result, sizeof(dir.result), "%s/result.json", dir.path);
	snprintf(dir.journal, sizeof(dir.journal), "%s/samples.jsonl", dir.path);
	snprintf(dir.report, sizeof(dir.report), "%s/report.html", dir.path);
	if (path_exists(dir.result) || path_exists(dir.journal)) {
		error_set(err, EEXIST, "%s already holds a result", dir.path);
		return error_hint(err, "choose another folder with --out, or remove that one");
	}
	rc = dir_make(dir.path, 0755, err);
	if (rc == 0 && access(dir.path, W_OK | X_OK) < 0)
		rc = error_errno(err, "folder %s cannot be written to", dir.path);
	if (rc < 0)
		return error_hint(err, "choose a folder you can write to with --out");
	*ret = dir;
	return 0;
}
