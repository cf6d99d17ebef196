/* Exhaustion. Each takes all it gets, holds it while the runner looks whether the host still has its own, and lets go. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 1 << 17 };

void attack_fork_bomb(struct verdict *verdict)
{
	int made = 0;

	for (; made < MANY; made++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		if (pid < 0)
			break;
	}
	saw(verdict, "%d processes, then: %s", made, strerror(errno));
	if (made >= 512)
		broke(verdict, "%d processes", made);
	hold();
	kill(-1, SIGKILL);
}

void attack_memory_bomb(struct verdict *verdict)
{
	enum { STEP = 1 << 20, LIMIT = 64, ENOUGH = 4 * LIMIT };
	int status = 0, channel[2];
	char dot;

	if (pipe(channel) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0)
		for (int i = 0; i < ENOUGH; i++) {
			char *at = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (at == MAP_FAILED)
				break;
			memset(at, 1, STEP);
			if (write(channel[1], ".", 1) < 1)
				break;
		}
	if (pid == 0)
		_exit(0);
	close(channel[1]);
	int megabytes = 0;
	while (read(channel[0], &dot, 1) == 1)
		megabytes++;
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status))
		broke(verdict, "%d MiB, and alive", megabytes);
	else
		saw(verdict, "%d MiB, then: %s", megabytes, strsignal(WTERMSIG(status)));
}

static long fill(const char *folder)
{
	static char block[1 << 16];
	char path[64];
	long written = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/flood", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (fd >= 0 && written < 128 << 20 && (got = write(fd, block, sizeof(block))) > 0)
		written += got;
	return written >> 20;
}

/* All that is writable in memory has one size together, 64 MiB; and one number of inodes. */
void attack_tmpfs_flood(struct verdict *verdict)
{
	static const char *const folders[] = {"/dev/shm", "/tmp", "/run"};
	long megabytes = 0;
	int files = 0;

	pid_t pid = fork(); /* the group's memory may be smaller than the tmpfs: then this child is killed */
	if (pid == 0) {
		for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
			megabytes += fill(folders[i]);
		_exit(megabytes > 66);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/flood", folders[i]);
		unlink(path);
	}
	for (; files < MANY; files++) {
		char path[64];

		snprintf(path, sizeof(path), "/tmp/f%d", files);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status))
		broke(verdict, "more than 66 MiB");
	else if (files == MANY)
		broke(verdict, "%d files", files);
	else
		saw(verdict, "bytes: %s; %d files, then: %s", WIFSIGNALED(status) ? "killed by the group's limit" : "full", files,
		    strerror(errno));
}

static int take_descriptors(void)
{
	struct rlimit limit;
	int taken = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (taken < MANY && open("/", O_PATH | O_CLOEXEC) >= 0)
		taken++;
	return taken;
}

void attack_descriptor_flood(struct verdict *verdict)
{
	int channel[2], taken, total = 0, children = 0;

	if (pipe(channel) < 0)
		return;
	for (; children < 8; children++) {
		pid_t pid = fork();

		if (pid == 0) {
			taken = take_descriptors();
			if (write(channel[1], &taken, sizeof(taken)) == sizeof(taken))
				for (;;)
					pause();
			_exit(1);
		}
		if (pid < 0)
			break;
	}
	close(channel[1]);
	for (int i = 0; i < children && read(channel[0], &taken, sizeof(taken)) == sizeof(taken); i++)
		total += taken;
	saw(verdict, "%d open files in %d processes, then: %s", total, children, strerror(EMFILE));
	hold();
	kill(-1, SIGKILL);
}

void attack_pipe_flood(struct verdict *verdict)
{
	int pair[2], made = 0, large = 0;

	for (; made < MANY && pipe(pair) == 0; made++)
		large += fcntl(pair[1], 1031 /* F_SETPIPE_SZ */, 1 << 20) >= 0;
	saw(verdict, "%d pipes, %d of 1 MiB, then: %s", made, large, strerror(errno));
	hold();
}

void attack_inotify_flood(struct verdict *verdict)
{
	int made = 0;

	for (; made < 1000 && inotify_init1(IN_CLOEXEC) >= 0; made++)
		;
	saw(verdict, "%d instances, then: %s", made, strerror(errno));
	hold();
}

void attack_timer_flood(struct verdict *verdict)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	int made = 0;
	int id;

	for (; made < MANY && syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0; made++)
		;
	saw(verdict, "%d timers, then: %s", made, strerror(errno));
	hold();
}

void attack_core_dump(struct verdict *verdict)
{
	int status = 0;
	char found[64];

	if (fork() == 0) {
		if (chdir("/tmp") == 0)
			abort();
	}
	wait(&status);
	if (WCOREDUMP(status) || read_text("/tmp/core", found, sizeof(found)) > 0)
		broke(verdict, "a core was dumped");
	else
		saw(verdict, "%s, no core", strsignal(WTERMSIG(status)));
}
