/* The host as text, before and after an attack. */
#include "stage.h"

#include <base/files.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const settings[] = {
	"/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe",
	"/proc/sys/kernel/hostname",
	"/proc/sys/kernel/domainname",
	"/proc/sys/kernel/sysrq",
	"/proc/sys/kernel/randomize_va_space",
	"/proc/sys/kernel/pid_max",
	"/proc/sys/kernel/shmmax",
	"/proc/sys/vm/overcommit_memory",
	"/proc/sys/fs/file-max",
	"/proc/sys/net/ipv4/ip_forward",
	"/proc/sys/net/core/somaxconn",
	"/proc/sys/fs/suid_dumpable",
	"/sys/kernel/mm/ksm/run",
	"/sys/devices/system/cpu/online",
	"/proc/swaps",
	"/sys/kernel/mm/transparent_hugepage/enabled",

};

static void tell_file(FILE *out, const char *path)
{
	char text[65536];

	if (file_read("", path, text, sizeof(text), NULL) >= 0)
		fprintf(out, "%s: %s\n", path, text);
}

static void tell_stat(FILE *out, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		fprintf(out, "%s: %s\n", path, strerror(errno));
		return;
	}
	fprintf(out, "%s: mode %o owner %u:%u links %lu node %lx", path, st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink,
		(unsigned long)st.st_rdev);
	/* Scenes make folders of the image anew. */
	if (!S_ISDIR(st.st_mode))
		fprintf(out, " size %lld inode %lu", (long long)st.st_size, (unsigned long)st.st_ino);
	fputc('\n', out);
}

/* Names in a folder, and what they are, in the order of their names. */
static void tell_folder(FILE *out, const char *dir)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[1024];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (strcmp(names[i]->d_name, "..") != 0)
			tell_stat(out, path);
		free(names[i]);
	}
	free(names);
}

/* Scratch places of others come and go: a folder that they remove takes our copy of its mount along. */
static void tell_mounts(FILE *out, const char *base)
{
	static const char *const scratch[] = {"/tmp/", "/var/", "/run/"};
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;

	while (mounts && getline(&line, &size, mounts) > 0) {
		const char *place = line;
		bool is_others = false;

		for (int field = 0; place && field < 4; field++) /* the mount point is the fifth */
			place = (place = strchr(place, ' ')) ? place + 1 : NULL;
		for (size_t i = 0; place && i < sizeof(scratch) / sizeof(scratch[0]); i++)
			is_others |= strncmp(place, scratch[i], strlen(scratch[i])) == 0 && strncmp(place, base, strlen(base)) != 0;
		if (!is_others)
			fputs(line, out);
	}
	free(line);
	if (mounts)
		fclose(mounts);
}

static void tell_program(FILE *out)
{
	struct stat st;

	if (stat("/proc/self/exe", &st) == 0)
		fprintf(out, "own program: size %lld changed %lld.%09ld\n", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			st.st_mtim.tv_nsec);
}

/* Can the host still make a process? */
static void tell_fork(FILE *out)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	fprintf(out, "fork: %s\n", pid > 0 && waitpid(pid, NULL, 0) == pid ? "works" : strerror(errno));
}

char *stage_host_state(const struct stage *stage)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		tell_file(out, settings[i]);
	tell_mounts(out, stage->base);
	tell_stat(out, "/dev/null");
	tell_stat(out, "/dev/zero");
	tell_stat(out, "/dev/tty");
	tell_folder(out, stage->image);
	tell_folder(out, stage->outside);
	tell_file(out, stage->file);
	tell_program(out);
	fprintf(out, "canary: %s\n", kill(stage->canary_pid, 0) == 0 ? "lives" : "is gone");
	tell_fork(out);
	fclose(out);
	return text;
}
