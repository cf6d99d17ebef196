/* Processes: those of the host, and what a process may make of itself. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

void attack_signals(struct verdict *verdict)
{
	pid_t pid = (pid_t)host_number("HOST_PID");

	refused(verdict, "kill", kill(pid, 0));
	refused(verdict, "kill its group", kill(-pid, 0));
	refused(verdict, "tkill", syscall(SYS_tkill, pid, 0));
	refused(verdict, "rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, pid, 0, &(siginfo_t){.si_code = SI_QUEUE}));
	refused(verdict, "kill the parent", getppid() ? kill(getppid(), 0) : (errno = ESRCH, -1));
	/* As PID 1 of a namespace all others are its own children, and there are none. */
	if (getpid() == 1)
		refused(verdict, "kill all", kill(-1, 0));
}

void attack_trace_host(struct verdict *verdict)
{
	pid_t pid = (pid_t)host_number("HOST_PID");
	char byte;
	struct iovec here = {.iov_base = &byte, .iov_len = 1}, there = {.iov_base = (void *)host_number("HOST_ADDRESS"), .iov_len = 1};

	long rc = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
	refused(verdict, "ptrace", rc);
	if (rc == 0 && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 && waitpid(pid, NULL, __WALL) == pid)
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	refused(verdict, "process_vm_readv", syscall(SYS_process_vm_readv, pid, &here, 1ul, &there, 1ul, 0ul));
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	refused(verdict, "pidfd_open", pidfd);
	refused(verdict, "pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 0, 0));
	refused(verdict, "kcmp", syscall(SYS_kcmp, getpid(), pid, 1, 0, 0));
}

/* Its parent would be ours: the runtime on the host, which would have to reap whatever we make. */
void attack_adoption(struct verdict *verdict)
{
	long pid = syscall(SYS_clone, CLONE_PARENT | 17ul /* SIGCHLD */, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	refused(verdict, "clone with CLONE_PARENT", pid);
}

void attack_host_ipc(struct verdict *verdict)
{
	key_t key = (key_t)host_number("HOST_IPC");

	refused(verdict, "shmget by key", shmget(key, 0, 0));
	refused(verdict, "shmat by number", (long)(intptr_t)shmat((int)host_number("HOST_SHM"), NULL, SHM_RDONLY));
	refused(verdict, "msgget by key", msgget(key, 0));
}

static void try_scheduling(struct verdict *verdict)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} deadline = {.size = 48, .policy = 6, .runtime = 1000000, .deadline = 10000000, .period = 10000000};
	struct sched_param first = {.sched_priority = 1};

	refused(verdict, "SCHED_FIFO", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &first));
	refused(verdict, "SCHED_RR", syscall(SYS_sched_setscheduler, 0, SCHED_RR, &first));
	refused(verdict, "SCHED_DEADLINE", syscall(SYS_sched_setattr, 0, &deadline, 0));
	refused(verdict, "nice -20", setpriority(PRIO_PROCESS, 0, -20));
	refused(verdict, "real-time I/O", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
}

void attack_priorities(struct verdict *verdict)
{
	try_scheduling(verdict);
	for (int i = 0; i < 5 && verdict->escaped; i++) /* back to ordinary, whatever worked */
		syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &(struct sched_param){0});
}

/* The stage gives CPU 0 alone. */
void attack_affinity(struct verdict *verdict)
{
	cpu_set_t all;

	for (size_t i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	if (sched_setaffinity(0, sizeof(all), &all) < 0)
		saw(verdict, "sched_setaffinity: %s", strerror(errno));
	CPU_ZERO(&all);
	sched_getaffinity(0, sizeof(all), &all);
	if (CPU_COUNT(&all) > 1 || !CPU_ISSET(0, &all))
		broke(verdict, "%d CPUs instead of CPU 0", CPU_COUNT(&all));
	else
		saw(verdict, "CPU 0 stays all there is");
}

void attack_resource_limits(struct verdict *verdict)
{
	static const struct {
		const char *name;
		int resource;
	} kinds[] = {{"core", RLIMIT_CORE},      {"nofile", RLIMIT_NOFILE},         {"rtprio", RLIMIT_RTPRIO},
		     {"nice", RLIMIT_NICE},      {"sigpending", RLIMIT_SIGPENDING}, {"msgqueue", RLIMIT_MSGQUEUE},
		     {"memlock", RLIMIT_MEMLOCK}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct rlimit limit;

		getrlimit(kinds[i].resource, &limit);
		if (limit.rlim_max == RLIM_INFINITY) {
			broke(verdict, "%s is not limited", kinds[i].name);
			continue;
		}
		limit.rlim_max++;
		refused(verdict, kinds[i].name, setrlimit(kinds[i].resource, &limit));
	}
}

/* Everything beyond these eight would be a way to more. */
#define KEPT                                                                                                                               \
	(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_KILL | 1u << CAP_SETGID |              \
	 1u << CAP_SETUID | 1u << CAP_NET_BIND_SERVICE)

void attack_capabilities(struct verdict *verdict)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}}, all[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};

	syscall(SYS_capget, &header, data);
	if ((data[0].effective | data[0].permitted | data[0].inheritable) & ~KEPT || data[1].permitted || data[1].inheritable)
		broke(verdict, "more capabilities than the default: %x %x", data[1].permitted, data[0].permitted);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool kept = cap < 32 && KEPT & (1u << cap);

		if (!kept && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			broke(verdict, "capability %d is in the bounding set", cap);
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			broke(verdict, "capability %d is ambient", cap);
	}
	refused(verdict, "capset all", syscall(SYS_capset, &header, all));
	refused(verdict, "securebits", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		broke(verdict, "no_new_privs is not set");
}

/* /setuid is this program with mode 4755, owned by root. Called by another user it says what it became. */
void attack_setuid_program(struct verdict *verdict)
{
	int status = 0;

	if (geteuid() != getuid()) {
		broke(verdict, "the program became uid %d", (int)geteuid());
		return;
	}
	if (getuid() != 0) {
		saw(verdict, "the program stays uid %d", (int)geteuid());
		return;
	}
	if (fork() == 0) {
		if (setgid(1000) < 0 || setuid(1000) < 0)
			_exit(100);
		execl(getenv("CONTROL") ? host_text("SETUID") : "/setuid", "setuid", "setuid_program", NULL);
		_exit(101);
	}
	wait(&status);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 1)
		broke(verdict, "the program became root");
	else if (WEXITSTATUS(status) == 100)
		saw(verdict, "there is no other user here");
	else
		saw(verdict, "status %d", WEXITSTATUS(status));
}
