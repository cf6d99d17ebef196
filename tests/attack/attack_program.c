/* The runtime's own program on the host: who can open it for writing has the host's root with the next start. */
#include "attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program of the host is fine to look at where it cannot be written: a read-only mount, or a sealed memory file. While it runs, opening it for
 * writing says ETXTBSY, which only means "later". */
static bool is_shielded(int fd)
{
	struct statvfs st;
	int seals = fcntl(fd, 1034 /* F_GET_SEALS */);

	return (fstatvfs(fd, &st) == 0 && st.f_flag & ST_RDONLY) || (seals >= 0 && seals & 8 /* F_SEAL_WRITE */);
}

void attack_exe_write(struct verdict *verdict)
{
	static const char *const paths[] = {"/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			saw(verdict, "%s: %s", paths[i], strerror(errno));
		else if (is_shielded(fd))
			saw(verdict, "%s: on a read-only mount", paths[i]);
		else
			broke(verdict, "%s can be written when nobody runs it", paths[i]);
		close(fd);
	}
}

/* The stage has made this program the dynamic loader of the image: the kernel loads the runtime's binary and runs us. */
void attack_exe_interpreter(struct verdict *verdict)
{
	char name[256] = "";
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (readlink("/proc/self/exe", name, sizeof(name) - 1) < 0)
		saw(verdict, "/proc/self/exe: %s", strerror(errno));
	if (fd < 0)
		saw(verdict, "open %s: %s", name, strerror(errno));
	else if (is_shielded(fd))
		saw(verdict, "the runtime's program %s can be run, not written", name);
	else
		broke(verdict, "the runtime's program %s is in reach, on a writable mount", name);
}

/* Calls look(pid) for each process beside our own, while the runner lets others enter. */
static void watch_entries(struct verdict *verdict, void (*look)(struct verdict *verdict, long pid))
{
	struct pollfd over = {.fd = 0, .events = POLLIN};
	long seen = 0;

	printf("HOLDING\n"); /* as hold() does, but without the wait */
	fflush(stdout);
	while (poll(&over, 1, verdict->escaped ? -1 : 0) == 0) {
		DIR *dir = opendir("/proc");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			long pid = strtol(entry->d_name, NULL, 10);

			if (pid > 0 && pid != getpid()) {
				seen++;
				look(verdict, pid);
			}
		}
		closedir(dir);
	}
	if (seen == 0) {
		printf("nobody came, which proves nothing\n"); /* no verdict at all */
		exit(1);
	}
	saw(verdict, "looked %ld times at those who came", seen);
}

static void look_at_program(struct verdict *verdict, long pid)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (stat("/proc/self/exe", &own) == 0 && fstat(fd, &its) == 0 && (own.st_ino != its.st_ino || own.st_dev != its.st_dev) &&
	    !is_shielded(fd))
		broke(verdict, "%s is a program from outside, on a writable mount", path);
	close(fd);
}

void attack_exe_of_exec(struct verdict *verdict)
{
	watch_entries(verdict, look_at_program);
}

/* A process that is not yet what it will be: its program is not ours. */
static bool is_foreign(long pid)
{
	char path[64], its[256] = "", own[256] = "";

	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	return readlink(path, its, sizeof(its) - 1) > 0 && readlink("/proc/self/exe", own, sizeof(own) - 1) > 0 && strcmp(its, own) != 0;
}

static void look_at_memory(struct verdict *verdict, long pid)
{
	static const char *const names[] = {"mem", "root/etc/hostname", "fd/3", "cwd/.."};
	char path[64];

	if (!is_foreign(pid))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%ld/%s", pid, names[i]);
		int fd = open(path, i == 0 ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && is_foreign(pid))
			broke(verdict, "%s opened", path);
		if (fd >= 0)
			close(fd);
	}
	if (ptrace(PTRACE_SEIZE, (pid_t)pid, NULL, NULL) < 0)
		return;
	if (is_foreign(pid))
		broke(verdict, "ptrace of %ld before its exec", pid);
	ptrace(PTRACE_INTERRUPT, (pid_t)pid, NULL, NULL);
	if (waitpid((pid_t)pid, NULL, __WALL) > 0)
		ptrace(PTRACE_DETACH, (pid_t)pid, NULL, NULL);
}

void attack_memory_of_exec(struct verdict *verdict)
{
	watch_entries(verdict, look_at_memory);
}

/* Fills the group to the brim; a process that enters is then the one that breaks the limit. The runner looks whether it still lives itself. */
void attack_exec_into_full_group(struct verdict *verdict)
{
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			for (;;) {
				char *page = malloc(4096);

				if (page)
					memset(page, 1, 4096);
			}
	hold();
	saw(verdict, "the group was full while others entered");
}
