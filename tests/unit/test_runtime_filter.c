/* The system call filter, walked instruction by instruction: what a call with given arguments would get. No privilege is needed. */
#include "bpf_machine.h"

#include <runtime/filter.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OUR_ARCH   AUDIT_ARCH_X86_64
#define OTHER_ARCH AUDIT_ARCH_I386
#else
#define OUR_ARCH   AUDIT_ARCH_AARCH64
#define OTHER_ARCH AUDIT_ARCH_ARM
#endif

static struct sock_filter *program;
static unsigned short count;

static void build(void)
{
	struct error err = {0};

	cr_assert_eq(filter_build(&program, &count, &err), 0, "%s", err.message);
}

static void drop(void)
{
	free(program);
}

TestSuite(filter, .init = build, .fini = drop);

static uint32_t run(const struct seccomp_data *data)
{
	return bpf_run(program, count, data);
}

static uint32_t call(int number, uint64_t first, uint64_t second)
{
	return run(&(struct seccomp_data){.nr = number, .arch = OUR_ARCH, .args = {first, second}});
}

#define ALLOWED     SECCOMP_RET_ALLOW
#define REFUSED(no) (SECCOMP_RET_ERRNO | (no))

Test(filter, lets_ordinary_programs_live)
{
	static const int calls[] = {SYS_read,  SYS_write,           SYS_openat,  SYS_mmap,        SYS_execve,    SYS_exit_group,
				    SYS_futex, SYS_clock_nanosleep, SYS_ppoll,   SYS_wait4,       SYS_getrandom, SYS_rt_sigaction,
				    SYS_prctl, SYS_statx,           SYS_connect, SYS_epoll_pwait, SYS_ioctl};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		cr_expect_eq(call(calls[i], 0, 0), ALLOWED, "call %d", calls[i]);
}

Test(filter, refuses_what_reaches_the_host)
{
	static const int calls[] = {SYS_mount,
				    SYS_umount2,
				    SYS_pivot_root,
				    SYS_setns,
				    SYS_reboot,
				    SYS_init_module,
				    SYS_kexec_load,
				    SYS_bpf,
				    SYS_perf_event_open,
				    SYS_keyctl,
				    SYS_add_key,
				    SYS_request_key,
				    SYS_open_by_handle_at,
				    SYS_userfaultfd,
				    SYS_swapon,
				    SYS_settimeofday,
				    SYS_acct,
				    SYS_open_tree,
				    SYS_move_mount,
				    SYS_fsopen,
				    SYS_io_uring_setup,
				    SYS_process_vm_readv,
				    SYS_process_vm_writev,
				    SYS_kcmp,
				    SYS_syslog,
				    SYS_quotactl,
				    SYS_chroot,
				    SYS_mount_setattr};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		cr_expect_eq(call(calls[i], 0, 0), REFUSED(EPERM), "call %d", calls[i]);
}

Test(filter, conditions)
{
	static const uint64_t flags[] = {CLONE_NEWNS,  CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET,
					 CLONE_NEWUTS, CLONE_NEWIPC,  CLONE_NEWCGROUP};

	cr_expect_eq(call(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0), ALLOWED);
	cr_expect_eq(call(SYS_unshare, CLONE_FILES, 0), ALLOWED);
	cr_expect_eq(call(SYS_unshare, 0x80, 0), REFUSED(EPERM), "time namespace");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		cr_expect_eq(call(SYS_clone, flags[i] | 17, 0), REFUSED(EPERM));
		cr_expect_eq(call(SYS_unshare, flags[i], 0), REFUSED(EPERM));
	}
	cr_expect_eq(call(SYS_clone3, 0, 0), REFUSED(ENOSYS), "so that libc falls back to clone");
	cr_expect_eq(call(SYS_socket, AF_UNIX, 0), ALLOWED);
	cr_expect_eq(call(SYS_socket, AF_INET6, 0), ALLOWED);
	cr_expect_eq(call(SYS_socket, AF_VSOCK, 0), REFUSED(EPERM));
	cr_expect_eq(call(SYS_socket, UINT64_C(1) << 32 | AF_VSOCK, 0), REFUSED(EPERM), "the kernel looks at 32 bits");
	cr_expect_eq(call(SYS_socket, AF_PACKET, 0), REFUSED(EPERM));
	cr_expect_eq(call(SYS_personality, 0xffffffff, 0), ALLOWED);
	cr_expect_eq(call(SYS_personality, 0x400000, 0), REFUSED(EPERM));
}

Test(filter, terminal_input_is_not_faked)
{
	cr_expect_eq(call(SYS_ioctl, 0, TIOCGWINSZ), ALLOWED);
	cr_expect_eq(call(SYS_ioctl, 0, TIOCSTI), REFUSED(EPERM));
	cr_expect_eq(call(SYS_ioctl, 0, UINT64_C(0xdead) << 32 | TIOCSTI), REFUSED(EPERM), "the kernel looks at 32 bits");
	cr_expect_eq(call(SYS_ioctl, 0, 0x541C), REFUSED(EPERM));
}

Test(filter, unknown_calls_do_not_exist)
{
	cr_expect_eq(call(451, 0, 0), REFUSED(ENOSYS));
	cr_expect_eq(call(100000, 0, 0), REFUSED(ENOSYS));
	cr_expect_eq(call(-1, 0, 0), REFUSED(ENOSYS));
}

Test(filter, other_architectures_are_killed)
{
	uint32_t action = run(&(struct seccomp_data){.nr = SYS_read, .arch = OTHER_ARCH});

	cr_expect((action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_THREAD ||
			  (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_PROCESS,
		  "got %x", action);
}

Test(filter, is_small_enough_to_install_quickly)
{
	cr_expect_leq(count, 250, "%u instructions", count);
	cr_expect_gt(filter_allowed(), 200);
}
