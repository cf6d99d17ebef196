/* The system call filter: ways around it. */
#include "attack.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

void attack_personality_flags(struct verdict *verdict)
{
	refused(verdict, "READ_IMPLIES_EXEC", syscall(SYS_personality, 0x0400000ul));
	refused(verdict, "ADDR_COMPAT_LAYOUT", syscall(SYS_personality, 0x0200000ul));
	refused(verdict, "MMAP_PAGE_ZERO", syscall(SYS_personality, 0x0100000ul));
	/* The kernel takes 32 bits. */
	refused(verdict, "garnished", syscall(SYS_personality, 0x100000000ul | 0x0400000ul));
}

#if defined(__x86_64__)
/* How a child that makes this call ends: its exit status, or 128 and the signal. */
static int in_child(long (*call)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		long rc = call();

		_exit(rc >= 0 ? 0 : -rc == ENOSYS ? 38 : 1);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static long unshare_by_int80(void)
{
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(310L), "b"((long)CLONE_NEWUSER) : "memory", "r8", "r9", "r10", "r11");
	return rc;
}

static long getpid_by_int80(void)
{
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return rc;
}

static long unshare_x32(void)
{
	return syscall(0x40000000L | SYS_unshare, CLONE_NEWUSER) < 0 ? -errno : 0;
}

void attack_other_abi(struct verdict *verdict)
{
	static const struct {
		const char *name;
		long (*call)(void);
	} ways[] = {{"int 0x80 getpid", getpid_by_int80}, {"int 0x80 unshare", unshare_by_int80}, {"x32 unshare", unshare_x32}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int how = in_child(ways[i].call);

		if (how == 0)
			broke(verdict, "%s worked", ways[i].name);
		else
			saw(verdict, "%s: %s", ways[i].name, how > 128 ? strsignal(how - 128) : how == 38 ? strerror(ENOSYS) : "refused");
	}
}

/* The tracer turns a getppid() into unshare(CLONE_NEWUSER) when it stops at the entry, after the filter where the kernel is old. */
static long swap_call(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (int i = 0; i < 100; i++) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
			return -1;
		if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0 || regs.orig_rax != SYS_getppid)
			continue;
		regs.orig_rax = SYS_unshare;
		regs.rdi = CLONE_NEWUSER;
		if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 || ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
			return -1;
		waitpid(pid, &status, 0);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		return (long)regs.rax;
	}
	return -1;
}

void attack_traced_call(struct verdict *verdict)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		raise(SIGSTOP);
		syscall(SYS_getppid);
		_exit(0);
	}
	long rc = swap_call(pid);
	errno = rc < 0 ? (int)-rc : 0;
	refused(verdict, "unshare put in by a tracer", rc);
	refused(verdict, "PTRACE_O_SUSPEND_SECCOMP", ptrace(PTRACE_SETOPTIONS, pid, NULL, 1 << 21));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
#else
void attack_other_abi(struct verdict *verdict)
{
	saw(verdict, "written for x86-64 alone");
}

void attack_traced_call(struct verdict *verdict)
{
	saw(verdict, "written for x86-64 alone");
}
#endif

/* A second filter can only take away: what it allows or sends to a listener is still refused by the first. */
void attack_nested_filter(struct verdict *verdict)
{
	struct sock_filter to_listener[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = to_listener};

	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	saw(verdict, "a listener: %s", listener < 0 ? strerror(errno) : "is given");
	refused(verdict, "unshare", unshare(CLONE_NEWUSER));
	refused(verdict, "keyctl", syscall(SYS_keyctl, 0, -4, 0));
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2)
		broke(verdict, "no filter is set");
}

void attack_young_calls(struct verdict *verdict)
{
	int worked = 0;

	for (long number = 451; number < 600; number++)
		if (syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) >= 0 || errno != ENOSYS) {
			broke(verdict, "call %ld is known (%s)", number, strerror(errno));
			worked++;
		}
	saw(verdict, "451 to 599: %s", worked ? "some" : strerror(ENOSYS));
}

/* Any descriptor will do: the filter answers before the terminal would. A terminal's own answer would be ENOTTY or better. */
void attack_terminal_input(struct verdict *verdict)
{
	static const unsigned long numbers[] = {0x5412, 0x541C, 0x5412 | 1ul << 32, 0x541C | 1ul << 40};
	char byte = '\n';

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "ioctl %#lx", numbers[i]);
		denied(verdict, what, syscall(SYS_ioctl, 0, numbers[i], &byte));
	}
}
