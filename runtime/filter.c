/* An allow-list, grouped by what the calls are for. libseccomp knows their numbers; the program that it would write for them is longer and deeper
 * than filter_program()'s, and takes the kernel twice as long to install (docs/performance.md). A unit test holds both against each other. */
#include "filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* Names and not numbers: a call that this architecture does not have is left out. */
static const char files[] =
	"access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 "
	"fadvise64_64 fallocate fchdir fchmod fchmodat fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr "
	"flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd "
	"getdents getdents64 getxattr ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr _llseek lremovexattr "
	"lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv "
	"preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 "
	"rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range "
	"syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimes vmsplice write writev";

static const char memory[] =
	"brk get_mempolicy madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect "
	"mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages";

static const char processes[] =
	"arch_prctl capget capset execve execveat exit exit_group fork getegid getegid32 geteuid geteuid32 getgid getgid32 "
	"getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 "
	"getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule "
	"landlock_create_ruleset landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 rseq seccomp "
	"set_robust_list get_robust_list set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
	"setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
	"setrlimit setsid setuid setuid32 tgkill times tkill vfork wait4 waitid waitpid set_thread_area get_thread_area ptrace";

static const char scheduling[] =
	"futex futex_waitv getcpu restart_syscall sched_get_priority_max sched_get_priority_min sched_getaffinity "
	"sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam "
	"sched_setscheduler sched_yield";

static const char signals[] =
	"alarm getitimer pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
	"rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaction sigaltstack signalfd signalfd4 sigpending sigprocmask sigreturn "
	"sigsuspend";

static const char events[] =
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd "
	"eventfd2 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll ppoll pselect6 select _newselect "
	"io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit";

static const char clocks[] =
	"clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time timer_create timer_delete timer_getoverrun "
	"timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime";

/* "socket" itself is below, with its families. */
static const char network[] =
	"accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmsg send sendmmsg "
	"sendmsg sendto setsockopt shutdown socketpair";

static const char ipc[] =
	"ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget "
	"semop semtimedop shmat shmctl shmdt shmget";

static const char host_facts[] = "getrandom sysinfo uname";

static const char *const groups[] = {files, memory, processes, scheduling, signals, events, clocks, network, ipc, host_facts};
enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

/* Families of sockets that talk to this container or its network. Not among them: VSOCK (reaches the hypervisor past the network namespace), ALG,
 * PACKET and the many rare ones whose modules a request would load. */
static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

/* The personalities that programs really ask for: none, a 32-bit machine name, no address randomisation, the question itself. */
static const uint32_t personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

enum { NEWEST_CALL = FILTER_CALLS - 1 };

#define NAMESPACE_FLAGS (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define IOCTL_TIOCLINUX 0x541C

/* Calls visit(number) for every call of the groups that this architecture has, until one fails. */
static int for_each_call(int (*visit)(int number, void *arg), void *arg)
{
	int rc = 0;

	for (int i = 0; i < GROUPS && rc == 0; i++)
		for (const char *at = groups[i]; *at && rc == 0; at += strspn(at, " ")) {
			size_t length = strcspn(at, " ");
			char name[32];

			snprintf(name, sizeof(name), "%.*s", (int)length, at);
			at += length;
			int number = seccomp_syscall_resolve_name(name);
			if (number >= 0)
				rc = visit(number, arg);
		}
	return rc;
}

static int count_one(int number, void *arg)
{
	++*(size_t *)arg;
	return 0;
}

size_t filter_allowed(void)
{
	size_t count = 4; /* socket, personality, clone, unshare */

	for_each_call(count_one, &count);
	return count;
}

/* Flags of namespaces lie in the low half of the argument. */
static const uint32_t clone_mask = NAMESPACE_FLAGS, unshare_mask = NAMESPACE_FLAGS | CLONE_NEWTIME;
static const uint32_t terminal_tricks[] = {TIOCSTI, IOCTL_TIOCLINUX};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
static const struct filter_condition of_socket = {
	.whole = true, .values = families, .n_values = COUNT(families), .then = SECCOMP_RET_ALLOW};
static const struct filter_condition of_personality = {
	.whole = true, .values = personalities, .n_values = COUNT(personalities), .then = SECCOMP_RET_ALLOW};
static const struct filter_condition of_clone = {.values = &clone_mask, .n_values = 1, .is_mask = true, .then = SECCOMP_RET_ALLOW};
static const struct filter_condition of_unshare = {.values = &unshare_mask, .n_values = 1, .is_mask = true, .then = SECCOMP_RET_ALLOW};
/* Typing into the terminal. The kernel takes 32 bits of a request, so 32 bits are compared. */
static const struct filter_condition of_ioctl = {
	.argument = 1, .values = terminal_tricks, .n_values = COUNT(terminal_tricks), .then = SECCOMP_RET_ERRNO | EPERM};

static int allow_one(int number, void *verdicts)
{
	if (number <= NEWEST_CALL)
		((struct filter_verdict *)verdicts)[number].action = SECCOMP_RET_ALLOW;
	return 0;
}

void filter_verdicts(struct filter_verdict ret[FILTER_CALLS])
{
	for (int i = 0; i < FILTER_CALLS; i++)
		ret[i] = (struct filter_verdict){.action = SECCOMP_RET_ERRNO | EPERM};
	for_each_call(allow_one, ret);
	ret[SYS_socket].when = &of_socket;
	ret[SYS_personality].when = &of_personality;
	ret[SYS_clone].when = &of_clone;
	ret[SYS_unshare].when = &of_unshare;
	ret[SYS_ioctl].when = &of_ioctl;
	/* Its flags lie in memory, out of a filter's sight. ENOSYS makes libc use clone instead. */
	ret[SYS_clone3].action = SECCOMP_RET_ERRNO | ENOSYS;
}

int filter_build(struct sock_filter **ret, unsigned short *ret_count, struct error *err)
{
	struct filter_verdict verdicts[FILTER_CALLS];

	filter_verdicts(verdicts);
	return filter_program(verdicts, FILTER_CALLS, SECCOMP_RET_ERRNO | ENOSYS, seccomp_arch_native(), ret, ret_count, err);
}
