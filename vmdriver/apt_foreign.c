#include "apt_foreign.h"

#include <base/files.h>
#include <base/process.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { UPDATE_TIMEOUT_MS = 300000 };

/* Read last, behind the host's own. What that would run at an update is for the host's lists, not for these. */
int apt_foreign_config(const char *dir, const char *deb, char *ret, size_t size, struct error *err)
{
	int length = snprintf(ret, size,
			      "#clear APT::Update::Pre-Invoke;\n"
			      "#clear APT::Update::Post-Invoke;\n"
			      "#clear APT::Update::Post-Invoke-Success;\n"
			      "#clear APT::Architectures;\n"
			      "APT::Architecture \"%s\";\n"
			      "APT::Architectures { \"%s\"; };\n"
			      "Dir::State \"%s/apt/state\";\n"
			      "Dir::State::status \"%s/apt/status\";\n"
			      "Dir::Cache \"%s/apt/cache\";\n"
			      "Acquire::Languages \"none\";\n"
			      "APT::Get::List-Cleanup \"false\";\n",
			      deb, deb, dir, dir, dir);

	if (length < 0 || (size_t)length >= size || strpbrk(dir, "\"\n"))
		return error_set(err, EINVAL, "cache folder %.200s: apt cannot be told of it", dir);
	return 0;
}

static int make_folders(const char *dir, struct error *err)
{
	static const char *const folders[] = {"apt/state/lists/partial", "apt/cache/archives/partial"};
	char path[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		rc = path_format(path, sizeof(path), err, "%s/%s", dir, folders[i]);
		if (rc == 0)
			rc = dir_make(path, 0700, err);
	}
	/* Nothing of that architecture is installed. */
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/apt/status", dir);
	return rc < 0 ? rc : file_write_atomic(path, "", 0, 0600, err);
}

int apt_foreign_prepare(const char *dir, const char *deb, char *ret_config, size_t size, struct error *err)
{
	char text[3 * PATH_MAX + 1024], output[4096] = "";
	int rc = apt_foreign_config(dir, deb, text, sizeof(text), err);

	if (rc == 0)
		rc = make_folders(dir, err);
	if (rc == 0)
		rc = path_format(ret_config, size, err, "%s/apt/apt.conf", dir);
	if (rc == 0)
		rc = file_write_atomic(ret_config, text, strlen(text), 0600, err);
	if (rc == 0)
		rc = process_run((const char *const[]){"apt-get", "-c", ret_config, "-q", "update", NULL}, dir, UPDATE_TIMEOUT_MS, true,
				 output, sizeof(output), err);
	if (rc == 0)
		return 0;
	if (rc > 0) {
		char *line = strstr(output, "E: ");

		line = line ? line + 3 : output;
		line[strcspn(line, "\r\n")] = '\0';
		error_set(err, EIO, "apt-get ends with %d: %.300s", rc, line[0] ? line : "no reason given");
	}
	error_prefix(err, "get the lists of packages for %s", deb);
	return error_hint(err, "is there a network, and have the sources of apt packages for %s? Or name a kernel with --kernel", deb);
}
