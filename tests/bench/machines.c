#include "machines.h"
#include "../line.h"

#include <base/files.h>
#include <bench/timeline.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

bool machines_answers(const struct vm *vm, int64_t deadline_ns)
{
	int fd = vm_view(vm)->control_fd;
	char line[MACHINES_LINE] = "";

	if (dprintf(fd, "ping\n") < 0)
		return false;
	while (strcmp(line, "pong") != 0)
		if (!line_read(fd, deadline_ns, line, sizeof(line)))
			return false;
	return true;
}

bool machines_greets(const struct vm *vm, int64_t deadline_ns)
{
	char line[MACHINES_LINE] = "";

	while (strncmp(line, "hello bench-agent", 17) != 0)
		if (!line_read(vm_view(vm)->control_fd, deadline_ns, line, sizeof(line)))
			return false;
	return true;
}

static bool in_child(struct machines *m, bool (*work)(const struct machines *machines, void *arg), void *arg)
{
	int status = 0;
	pid_t pid, child = fork();

	if (child == 0) {
		/* Ended with its parent, which alone heeds signals: it ends the machines when this process is gone. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		bool fine = work(m, arg);

		fflush(stdout);
		_exit(!fine);
	}
	/* libvirt waits until each QEMU is collected, which its parent must not do itself. */
	while (((pid = waitpid(-1, &status, 0)) > 0 && pid != child) || (pid < 0 && errno == EINTR))
		if (interrupted)
			kill(child, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What is left is ended, and counted. */
static int tidy(struct machines *m)
{
	int left = journal_leftovers(m->journal_path, NULL, NULL);

	journal_close(m->journal);
	journal_undo(m->journal_path, NULL, NULL, NULL);
	unlink(m->journal_path);
	dir_remove(m->run_dir, NULL);
	return left;
}

static int begin(struct machines *m)
{
	struct sigaction heed = {.sa_handler = on_signal};
	struct rlimit files;
	char line[96];

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &heed, NULL);
	sigaction(SIGTERM, &heed, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	snprintf(m->run_dir, sizeof(m->run_dir), "/tmp/bench-vms-XXXXXX");
	if (!mkdtemp(m->run_dir) || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -1;
	snprintf(m->journal_path, sizeof(m->journal_path), "%s.journal", m->run_dir);
	snprintf(line, sizeof(line), "qemu %s", m->run_dir);
	return journal_open(m->journal_path, &m->journal, NULL) < 0 || journal_add(m->journal, JOURNAL_PROCESSES, line, NULL) < 0 ? -1 : 0;
}

int machines_apart(struct machines *m, bool (*work)(const struct machines *machines, void *arg), void *arg)
{
	if (begin(m) < 0) {
		fprintf(stderr, "%s: begin: %s\n", m->program, strerror(errno));
		return 3;
	}
	bool fine = in_child(m, work, arg);
	int left = tidy(m);

	if (interrupted)
		printf("interrupted: what was left was ended\n");
	printf("left behind: %d\n", left);
	return fine && left == 0 ? 0 : 1;
}
