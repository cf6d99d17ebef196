#include "kvm_probe.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

int kvm_probe_device(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		error_errno(err, "%s", path);
		if (err && err->code == EACCES)
			return error_hint(err, "join the group that owns it: sudo usermod -aG kvm $USER, and log in again");
		return error_hint(err, "load the module (modprobe kvm_intel or kvm_amd), and switch virtualisation on in the firmware or "
				       "the outer hypervisor");
	}

	int version = ioctl(fd, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION)
		return error_set(err, ENODEV, "%s speaks version %d of its interface, not %d", path, version, KVM_API_VERSION);
	return 0;
}

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
	struct kvm_regs regs = {.rip = CODE_AT, .rcx = KVM_PROBE_ROUNDS, .rflags = 2};
	struct kvm_sregs s;

	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return -1;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr3 = PML4_AT;
	s.cr4 = 1 << 5;                               /* PAE */
	s.cr0 = 1 | (1 << 4) | (1 << 5) | (1u << 31); /* PE, ET, NE, PG */
	s.efer = (1 << 8) | (1 << 10);                /* LME, LMA */
	return ioctl(vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0 ? -1 : 0;
}

/* Runs in the forked child and uses system calls alone. Returns nanoseconds of the whole loop, or -errno. */
static int64_t guest_time_loop(const char *path)
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

	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	int run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run =
		vcpu < 0 || run_bytes < 0 ? MAP_FAILED : mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (run == MAP_FAILED || guest_enter_long_mode(vcpu) < 0)
		return -errno;

	int64_t start_ns = clock_now_ns();
	int rc = ioctl(vcpu, KVM_RUN, 0);
	int64_t took_ns = clock_now_ns() - start_ns;

	if (rc < 0)
		return -errno;
	return run->exit_reason == KVM_EXIT_HLT ? took_ns : -ENOEXEC;
}

/* Kills the child and collects it. A child that the kernel will not give back even so is left to init. */
static void end_child(pid_t child, int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	kill(child, SIGKILL);
	if (pidfd < 0 || poll(&ended, 1, 2000) == 1)
		waitpid(child, NULL, 0);
}

static int spawn_loop(const char *path, pid_t *ret_child, int *ret_answer, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");

	pid_t child = fork();

	if (child == 0) {
		int64_t answer = guest_time_loop(path);

		_exit(write(ends[1], &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
	}
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return error_errno(err, "fork");
	}
	*ret_child = child;
	*ret_answer = ends[0];
	return 0;
}

int kvm_probe_speed(const char *path, double *ret_round_ns, struct error *err)
{
	_cleanup_close_ int answer_fd = -1, pidfd = -1;
	int64_t answer = 0;
	pid_t child = -1;
	int rc = spawn_loop(path, &child, &answer_fd, err);

	if (rc < 0)
		return rc;
	pidfd = pidfd_open(child, 0);

	struct pollfd answered = {.fd = answer_fd, .events = POLLIN};
	int ready;

	do
		ready = poll(&answered, 1, KVM_PROBE_LIMIT_MS);
	while (ready < 0 && errno == EINTR);

	bool complete = ready == 1 && read(answer_fd, &answer, sizeof(answer)) == sizeof(answer);

	end_child(child, pidfd);
	if (ready == 0)
		return error_set(err, ETIMEDOUT, "%s emulates guest code: a loop of %d rounds does not end in %d ms, hardware needs 1 ms",
				 path, KVM_PROBE_ROUNDS, KVM_PROBE_LIMIT_MS);
	if (!complete)
		return error_set(err, EIO, "%s: the process that tried it died", path);
	if (answer < 0)
		return error_set(err, (int)-answer, "%s cannot run a loop: %s", path, strerror((int)-answer));
	*ret_round_ns = (double)answer / KVM_PROBE_ROUNDS;
	return 0;
}
