/* Our program against the one that libseccomp writes for the same rules: the same answer for every call, with arguments on both sides of each
 * condition. No privilege is needed. */
#include "bpf_machine.h"

#include <runtime/filter.c> /* for its lists */

#include <linux/audit.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sock_filter *ours, theirs[4096];
static size_t n_theirs;
static unsigned short n_ours;

static int allow(int number, void *filter)
{
	if (number == SYS_ioctl)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

static void add_conditions(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < COUNT(families); i++)
		cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, families[i], 0)), 0);
	for (size_t i = 0; i < COUNT(personalities); i++)
		cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, personalities[i], 0)),
			     0);
	cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, clone_mask, 0)), 0);
	cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(unshare), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, unshare_mask, 0)), 0);
	cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), 0);
	/* The kernel takes 32 bits of a request, so 32 bits are compared. */
	cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 0), 0);
}

static void build(void)
{
	struct error err = {0};
	int fd = memfd_create("reference", MFD_CLOEXEC);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	cr_assert_eq(filter_build(&ours, &n_ours, &err), 0, "%s", err.message);
	cr_assert_eq(for_each_call(allow, filter), 0);
	add_conditions(filter);
	cr_assert_eq(seccomp_export_bpf(filter, fd), 0);
	ssize_t got = pread(fd, theirs, sizeof(theirs), 0);
	cr_assert(got > 0 && (size_t)got < sizeof(theirs));
	n_theirs = (size_t)got / sizeof(theirs[0]);
	seccomp_release(filter);
	close(fd);
}

static void drop(void)
{
	free(ours);
}

TestSuite(filter_reference, .init = build, .fini = drop);

/* What libseccomp cannot say, or says by the whole width: younger calls, and requests to a terminal. */
static uint32_t expected(const struct seccomp_data *data)
{
	uint32_t request = (uint32_t)data->args[1];

	if (data->nr > NEWEST_CALL || data->nr < 0)
		return SECCOMP_RET_ERRNO | ENOSYS;
	if (data->nr == SYS_ioctl && (request == TIOCSTI || request == IOCTL_TIOCLINUX))
		return SECCOMP_RET_ERRNO | EPERM;
	return bpf_run(theirs, n_theirs, data);
}

static void compare(int number, uint64_t first, uint64_t second)
{
	const struct seccomp_data data = {.nr = number, .arch = seccomp_arch_native(), .args = {first, second}};

	cr_assert_eq(bpf_run(ours, n_ours, &data), expected(&data), "call %d (%#llx, %#llx)", number, (unsigned long long)first,
		     (unsigned long long)second);
}

/* 0 … 64, every single bit, each with a low half of its own: both sides of every condition of ours. */
static void compare_call(int number)
{
	for (uint64_t value = 0; value <= 64; value++) {
		compare(number, value, value);
		compare(number, UINT64_C(1) << 32 | value, value);
	}
	for (int bit = 0; bit < 64; bit++) {
		compare(number, UINT64_C(1) << bit, 0);
		compare(number, UINT64_C(1) << bit | 17, 0);
	}
	for (size_t i = 0; i < COUNT(personalities); i++)
		for (int step = -1; step <= 1; step++)
			compare(number, (uint64_t)((int64_t)personalities[i] + step), 0);
	for (uint64_t request = 0x5400; request < 0x5480; request++) {
		compare(number, 0, request);
		compare(number, 0, UINT64_C(0xdead) << 32 | request);
	}
}

Test(filter_reference, same_answers)
{
	for (int number = -2; number <= 1100; number++)
		compare_call(number);
	compare_call(0x40000000);
	compare_call(INT32_MAX);
	compare_call(INT32_MIN);
}

Test(filter_reference, is_shorter)
{
	cr_expect_lt(n_ours, n_theirs, "%u and %zu instructions", n_ours, n_theirs);
}
