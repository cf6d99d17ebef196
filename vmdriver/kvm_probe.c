#include "kvm_probe.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* EACCES has as many cures as there are ways to give a device away. */
static int hint_access(const char *path, struct error *err)
{
	struct stat st;
	struct group *group = NULL;

	if (stat(path, &st) == 0 && st.st_gid != 0 && (st.st_mode & 0060) == 0060)
		group = getgrgid(st.st_gid);
	if (group)
		return error_hint(err, "join the group that owns it: sudo usermod -aG %.64s $USER, and log in again", group->gr_name);
	return error_hint(err, "only root may open it: run as root, or give it to group kvm by a udev rule (QEMU's package brings one)");
}

static int hint_absent(struct error *err)
{
	if (!KVM_PROBE_HAS_LOOP)
		return error_hint(
			err,
			"use a host whose kernel has KVM and starts with the rights of a hypervisor, or where nested virtualisation is on");
	return error_hint(
		err, "load the module: sudo modprobe kvm_intel (AMD: kvm_amd); if it refuses, switch virtualisation on in the firmware, "
		     "or nested virtualisation in the outer hypervisor");
}

int kvm_probe_device(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		int code = errno;

		error_errno(err, "%s", path);
		if (code == EACCES)
			return hint_access(path, err);
		if (code == EPERM)
			return error_hint(err, "this container may not use it: start it with --device %s", path);
		return hint_absent(err);
	}

	int version = ioctl(fd, KVM_GET_API_VERSION, 0);

	if (version == KVM_API_VERSION)
		return 0;
	error_set(err, ENODEV, "%s is not the device of KVM: it answers %d where version %d of the interface is expected", path, version,
		  KVM_API_VERSION);
	return hint_absent(err);
}

#if defined(__x86_64__)

/* ---- the smallest 64-bit guest: one page of code below three pages of page tables that map the first 2 MiB onto themselves ---- */

enum { PAGE = 4096, CODE_AT = 0, PML4_AT = PAGE, PDPT_AT = 2 * PAGE, PD_AT = 3 * PAGE, GUEST_BYTES = 4 * PAGE };

enum { PTE_PRESENT = 1, PTE_WRITE = 2, PTE_LARGE = 0x80 };

static void guest_fill(uint8_t *memory)
{
	static const uint8_t code[] = {
		0xff, 0xc9, /* 1: dec %ecx */
		0x75, 0xfc, /* jnz 1b */
		0xf4,       /* hlt */
	};
	const uint64_t entries[][2] = {
		{PML4_AT, PDPT_AT | PTE_PRESENT | PTE_WRITE},
		{PDPT_AT, PD_AT | PTE_PRESENT | PTE_WRITE},
		{PD_AT, PTE_PRESENT | PTE_WRITE | PTE_LARGE},
	};

	memcpy(memory + CODE_AT, code, sizeof(code));
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		memcpy(memory + entries[i][0], &entries[i][1], sizeof(uint64_t));
}

static int guest_enter_long_mode(int vcpu)
{
	struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct kvm_segment data = {.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	struct kvm_sregs s;

	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return -1;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr3 = PML4_AT;
	s.cr4 = 1 << 5;                               /* PAE */
	s.cr0 = 1 | (1 << 4) | (1 << 5) | (1u << 31); /* PE, ET, NE, PG */
	s.efer = (1 << 8) | (1 << 10);                /* LME, LMA */
	return ioctl(vcpu, KVM_SET_SREGS, &s);
}

/* ---- the child: system calls alone ---- */

/* What it tells: first that the guest is made, then how the loop went. */
struct answer {
	bool done;
	int error; /* errno, 0: the figures count */
	int64_t took_ns, rounds;
};

struct guest {
	int vcpu;
	struct kvm_run *run;
};

static int guest_make(const char *path, struct guest *ret)
{
	int kvm = open(path, O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	uint8_t *memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (vm < 0 || memory == MAP_FAILED)
		return -errno;
	guest_fill(memory);

	struct kvm_userspace_memory_region region = {.memory_size = GUEST_BYTES, .userspace_addr = (uintptr_t)memory};

	/* Older Intel processors need a place for a task segment; others ignore it. */
	ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -errno;

	int run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	ret->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (ret->vcpu < 0 || run_bytes < 0)
		return -errno;
	ret->run = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ret->vcpu, 0);
	return ret->run == MAP_FAILED || guest_enter_long_mode(ret->vcpu) < 0 ? -errno : 0;
}

/* Runs the loop from its start until its end or the next signal. */
static struct answer guest_run(const struct guest *guest)
{
	struct kvm_regs regs = {.rip = CODE_AT, .rcx = KVM_PROBE_ROUNDS, .rflags = 2};
	struct answer answer = {.done = true};

	if (ioctl(guest->vcpu, KVM_SET_REGS, &regs) < 0)
		return (struct answer){.done = true, .error = errno};

	int64_t start_ns = clock_now_ns();
	int rc = ioctl(guest->vcpu, KVM_RUN, 0);

	answer.took_ns = clock_now_ns() - start_ns;
	if (rc < 0 && errno != EINTR)
		answer.error = errno;
	else if (rc == 0 && guest->run->exit_reason != KVM_EXIT_HLT)
		answer.error = ENOEXEC;
	else if (ioctl(guest->vcpu, KVM_GET_REGS, &regs) < 0)
		answer.error = errno;
	else
		answer.rounds = KVM_PROBE_ROUNDS - (int64_t)(uint32_t)regs.rcx;
	return answer;
}

static void on_alarm(int signal)
{
}

/* The best of three: a busy host may take the processor away for longer than the loop lasts. A slow one is interrupted and not tried again. */
static struct answer guest_time_loop(const struct guest *guest)
{
	const struct sigaction interrupt = {.sa_handler = on_alarm};
	/* Again and again, should the first come between two calls. */
	const struct itimerval timer = {.it_value.tv_usec = KVM_PROBE_LOOP_MS * 1000, .it_interval.tv_usec = 10000};
	struct answer best = {0};
	sigset_t none;

	sigemptyset(&none);
	sigaction(SIGALRM, &interrupt, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 3; i++) {
		struct answer answer = guest_run(guest);

		if (i == 0 || (!answer.error && answer.rounds == KVM_PROBE_ROUNDS && answer.took_ns < best.took_ns))
			best = answer;
		if (answer.error || answer.rounds < KVM_PROBE_ROUNDS)
			break;
	}
	return best;
}

_Noreturn static void child_main(const char *path, int answer_fd)
{
	struct answer answer = {0};
	struct guest guest;
	int rc = guest_make(path, &guest);

	if (rc < 0) {
		answer = (struct answer){.done = true, .error = -rc};
	} else {
		if (write(answer_fd, &answer, sizeof(answer)) != sizeof(answer))
			_exit(1);
		answer = guest_time_loop(&guest);
	}
	_exit(write(answer_fd, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

/* ---- the parent ---- */

/* Kills the child and collects it. A child that the kernel will not give back even so is left to whoever inherits it. */
static void end_child(pid_t child, int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	kill(child, SIGKILL);
	if (pidfd < 0 || poll(&ended, 1, KVM_PROBE_REAP_MS) == 1)
		waitpid(child, NULL, 0);
}

static int spawn_child(const char *path, pid_t *ret_child, int *ret_answer, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");

	pid_t child = fork();

	if (child == 0)
		child_main(path, ends[1]);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return error_errno(err, "fork");
	}
	*ret_child = child;
	*ret_answer = ends[0];
	return 0;
}

/* Reads until the child is done. -ETIMEDOUT, -EPIPE (it died); `ret_made`: its guest exists. */
static int wait_answer(int fd, bool *ret_made, struct answer *ret)
{
	int64_t deadline_ns = clock_now_ns() + KVM_PROBE_LIMIT_MS * INT64_C(1000000);
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	*ret_made = false;
	for (;;) {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (poll(&readable, 1, (int)left_ms) != 1)
			continue;
		if (read(fd, ret, sizeof(*ret)) != sizeof(*ret))
			return -EPIPE;
		if (ret->done)
			return 0;
		*ret_made = true;
	}
}

int kvm_probe_speed(const char *path, double *ret_round_ns, struct error *err)
{
	_cleanup_close_ int answer_fd = -1, pidfd = -1;
	struct answer answer;
	pid_t child = -1;
	bool made;
	int rc = spawn_child(path, &child, &answer_fd, err);

	if (rc < 0)
		return rc;
	pidfd = pidfd_open(child, 0);
	rc = wait_answer(answer_fd, &made, &answer);
	end_child(child, pidfd);
	if (rc == -ETIMEDOUT && !made) {
		error_set(err, ETIMEDOUT, "%s did not make the smallest guest within %d ms", path, KVM_PROBE_LIMIT_MS);
		return error_hint(err, "try again on a quiet host: the first guest after the module was loaded takes longest");
	}
	if (rc == -ETIMEDOUT)
		return error_set(err, ETIMEDOUT, "%s: a loop of %d rounds did not end within %d ms, hardware needs 1 ms", path,
				 KVM_PROBE_ROUNDS, KVM_PROBE_LIMIT_MS);
	if (rc < 0)
		return error_set(err, EIO, "%s: the process that tried it died", path);
	if (answer.error)
		return error_set(err, answer.error, "%s cannot run a loop: %s", path, strerror(answer.error));
	if (answer.rounds <= 0)
		return error_set(err, ETIMEDOUT, "%s: a loop did not get through one round in %d ms", path, KVM_PROBE_LOOP_MS);
	*ret_round_ns = (double)answer.took_ns / (double)answer.rounds;
	return 0;
}

#else

int kvm_probe_speed(const char *path, double *ret_round_ns, struct error *err)
{
	return error_set(err, ENOTSUP, "%s: its speed cannot be told on this architecture", path);
}

#endif
