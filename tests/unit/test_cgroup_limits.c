/* Limits as numbers: which controllers they need, which are nonsense, what a version lacks; and the program that closes devices, interpreted here and
 * loaded into the kernel where that is permitted. */
#include <cgroup/cgroup_device.h>
#include <cgroup/cgroup_inside.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

Test(cgroup_limits, controllers_are_those_that_are_needed)
{
	const struct {
		struct cgroup_limits limits;
		unsigned set;
	} cases[] = {
		{{0}, 0},
		{{.cpu_weight = 100, .io_weight = 100}, 0}, /* the default needs nobody */
		{{.cpu_weight = 101}, CGROUP_BIT(CGROUP_CPU)},
		{{.cpu_percent = 1}, CGROUP_BIT(CGROUP_CPU)},
		{{.memory_bytes = 1, .pids_max = 1}, CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS)},
		{{.memory_low_bytes = 1}, CGROUP_BIT(CGROUP_MEMORY)},
		{{.mems = "0"}, CGROUP_BIT(CGROUP_CPUSET)},
		{{.n_io = 1}, CGROUP_BIT(CGROUP_IO)},
		{{.devices_closed = true}, CGROUP_BIT(CGROUP_DEVICES)},
		{{.n_hugetlb = 1}, CGROUP_BIT(CGROUP_HUGETLB)},
		{{.net_priority = 1}, CGROUP_BIT(CGROUP_NET_PRIO)},
		{{.freezable = true}, CGROUP_BIT(CGROUP_FREEZER)},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(cgroup_limits_controllers(&cases[i].limits), cases[i].set, "case %zu", i);
}

Test(cgroup_limits, parts_make_the_whole)
{
	struct cgroup_limits whole = {.memory_bytes = 8,
				      .memory_high_bytes = 7,
				      .memory_low_bytes = 6,
				      .swap_bytes = 5,
				      .cpu_percent = 4,
				      .cpu_weight = 3,
				      .cpus = "1",
				      .mems = "0",
				      .pids_max = 2,
				      .io_weight = 9,
				      .n_io = 1,
				      .n_hugetlb = 1,
				      .devices_closed = true,
				      .n_devices = 1,
				      .net_priority = 1,
				      .freezable = true};
	unsigned all = cgroup_limits_controllers(&whole), seen = 0;

	whole.io[0].read_ops = 7;
	whole.hugetlb[0].bytes = 8;
	whole.devices[0].device_minor = 9;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		struct cgroup_limits part = cgroup_limits_only(&whole, (enum cgroup_controller)i);

		cr_expect_eq(cgroup_limits_controllers(&part), all & CGROUP_BIT(i), "%s", cgroup_controller_names[i]);
		seen |= cgroup_limits_controllers(&part);
	}
	cr_expect_eq(seen, all);
	cr_expect_eq(cgroup_limits_only(&whole, CGROUP_IO).io[0].read_ops, 7);
	cr_expect_eq(cgroup_limits_only(&whole, CGROUP_HUGETLB).hugetlb[0].bytes, 8);
	cr_expect_eq(cgroup_limits_only(&whole, CGROUP_DEVICES).devices[0].device_minor, 9);
	cr_expect_eq(cgroup_limits_only(&whole, CGROUP_MEMORY).swap_bytes, 5);
}

/* A host with CPUs 0 to 3, no NUMA, a disk 8:0 with a partition 8:1, and huge pages of 2 MiB. */
static struct scratch host(void)
{
	static const char *const dirs[] = {"sys/devices/system/cpu", "sys/dev/block/8:0", "sys/dev/block/8:1",
					   "sys/kernel/mm/hugepages/hugepages-2048kB"};
	struct scratch scratch = scratch_make();

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		cr_assert_eq(dir_make(scratch_path(&scratch, dirs[i]), 0755, NULL), 0);
	scratch_write(&scratch, "sys/devices/system/cpu/online", "0-3\n");
	scratch_write(&scratch, "sys/dev/block/8:1/partition", "1\n");
	return scratch;
}

Test(cgroup_limits, nonsense_is_said)
{
	const struct {
		struct cgroup_limits limits;
		const char *message; /* NULL: fine */
	} cases[] = {
		{{0}, NULL},
		{{.cpu_percent = -1}, "CPU limit in percent of -1: expected 1 to 819200, or nothing"},
		{{.cpu_weight = 10001}, "CPU weight of 10001: expected 1 to 10000, or nothing"},
		{{.pids_max = -5}, "limit of processes of -5: expected 1 to 2147483647, or nothing"},
		{{.memory_bytes = -1}, "memory limit in bytes of -1"},
		{{.memory_bytes = 10, .swap_bytes = -1}, NULL},
		{{.swap_bytes = -2}, "swap limit of -2 bytes: expected 0 or more, or -1 for no limit"},
		{{.swap_bytes = 5}, "swap limit without a memory limit: swap is what comes on top of it"},
		{{.memory_bytes = INT64_MAX, .swap_bytes = 1}, "memory and swap limits together are beyond any machine"},
		{{.memory_bytes = 10, .memory_high_bytes = 11},
		 "memory is throttled from 11 bytes on, above its limit of 10: it would never be"},
		{{.memory_bytes = 10, .memory_low_bytes = 11}, "memory protection of 11 bytes is above the limit of 10"},
		{{.cpus = "0-3"}, NULL},
		{{.cpus = "1,3-4"}, "CPU 4: this host has 0-3"},
		{{.cpus = "2-1"}, "list '2-1': CPU"},
		{{.cpus = "x"}, "list 'x': CPU"},
		{{.cpus = "1,,2"}, "list '1,,2': CPU"},
		{{.cpus = "99999"}, "list '99999': CPU"},
		{{.mems = "0"}, NULL},
		{{.mems = "1"}, "memory node 1: this host has 0"},
		{{.n_io = 1, .io = {{.device_major = 8, .read_bytes = 1}}}, NULL},
		{{.n_io = 1, .io = {{.device_major = 9}}}, "I/O limit: there is no disk 9:0"},
		{{.n_io = 1, .io = {{.device_major = 8, .device_minor = 1}}},
		 "I/O limit: 8:1 is a partition; only whole disks can be limited"},
		{{.n_io = 1, .io = {{.device_major = 5000}}}, "I/O limit: 5000:0 is no number of a device"},
		{{.n_io = 1, .io = {{.device_major = 8, .write_ops = -1}}}, "I/O limit of disk 8:0: a rate below 0"},
		{{.n_io = CGROUP_IO_MAX + 1}, "more than 8 disks, 4 sizes of huge pages or 32 devices are limited"},
		{{.n_hugetlb = 1, .hugetlb = {{2 << 20, 4 << 20}}}, NULL},
		{{.n_hugetlb = 1, .hugetlb = {{1 << 30, 0}}}, "limit of huge pages: this host has none of 1073741824 bytes"},
		{{.n_devices = 1, .devices = {{'c', 1, 3, true, false, false}}}, NULL},
		{{.n_devices = 1, .devices = {{'x', 1, 3, true, false, false}}}, "device rule: expected type b or c"},
		{{.n_devices = 1, .devices = {{'c', 4096, 3, true, false, false}}}, "device rule: 4096:3 is no number of a device"},
		{{.n_devices = 1, .devices = {{'c', 1, 3, false, false, false}}}, "device rule for c 1:3 allows nothing"},
	};
	struct scratch scratch = host();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		int rc = cgroup_limits_check(scratch.path, &cases[i].limits, &err);

		cr_expect_eq(rc, cases[i].message ? -EINVAL : 0, "case %zu: %s", i, err.message);
		if (cases[i].message)
			cr_expect_eq(strncmp(err.message, cases[i].message, strlen(cases[i].message)), 0, "case %zu: %s", i, err.message);
	}
	scratch_remove(&scratch);
}

Test(cgroup_limits, what_version_1_lacks_is_said)
{
	struct cgroup_tree v1 = {.ops = &cgroup_v1_ops}, v2 = {.ops = &cgroup_v2_ops};
	struct cgroup_limits low = {.memory_low_bytes = 1}, high = {.memory_high_bytes = 1}, none = {.memory_bytes = 1};
	char text[200];

	cr_expect_eq(cgroup_limits_lacking(&v1, &low, text, sizeof(text)), -EOPNOTSUPP);
	cr_expect_str_eq(text, "no memory protection: version 1 of cgroups has none");
	cr_expect_eq(cgroup_limits_lacking(&v1, &high, text, sizeof(text)), 1);
	cr_expect_not_null(strstr(text, "soft limit"));
	cr_expect_eq(cgroup_limits_lacking(&v1, &none, text, sizeof(text)), 0);
	cr_expect_eq(cgroup_limits_lacking(&v2, &low, text, sizeof(text)), 0);
}

Test(cgroup_limits, a_plan_from_limits_checks_them_and_tells_what_lacks)
{
	struct cgroup_layout layout = {.mode = CGROUP_MODE_V1, .v1 = {[CGROUP_MEMORY] = "/m"}};
	struct scratch scratch = scratch_make();
	struct cgroup_tree tree;
	struct error err = {0};

	cr_assert_eq(dir_make(scratch_path(&scratch, "m"), 0755, NULL), 0);
	cr_expect_eq(
		cgroup_tree_plan_limits(scratch.path, &layout, "bench-x", &(struct cgroup_limits){.memory_low_bytes = 5}, 0, &tree, &err),
		0);
	cr_expect_str_eq(tree.dirs[0], "/m/bench-x");
	cr_expect_str_eq(tree.note, "no memory protection: version 1 of cgroups has none");
	cr_expect_eq(cgroup_tree_plan_limits(scratch.path, &layout, "bench-x", NULL, CGROUP_BIT(CGROUP_MEMORY), &tree, &err), 0);
	cr_expect_eq(tree.ops, &cgroup_null_ops);
	cr_expect_eq(cgroup_tree_plan_limits(scratch.path, &layout, "bench-x", &(struct cgroup_limits){.cpu_percent = -1}, 0, &tree, &err),
		     -EINVAL);
	scratch_remove(&scratch);
}

Test(cgroup_limits, read_as_one_line)
{
	const struct cgroup_limits limits = {.cpu_percent = 150,
					     .cpu_weight = 200,
					     .memory_bytes = 67108864,
					     .swap_bytes = 4096,
					     .pids_max = 20,
					     .cpus = "0-1",
					     .io_weight = 50,
					     .n_io = 1,
					     .io = {{.device_major = 8, .write_bytes = 7, .read_ops = 9}},
					     .n_hugetlb = 1,
					     .hugetlb = {{2 << 20, 4 << 20}},
					     .devices_closed = true,
					     .n_devices = 2};
	struct cgroup_tree all = {.ops = &cgroup_v2_ops}, none = {.ops = &cgroup_null_ops, .dir_of = CGROUP_NO_DIRS};
	char text[256], cut[16];

	cr_expect_str_eq(
		cgroup_limits_text(&all, &limits, text, sizeof(text)),
		"cpu=150% weight=200 memory=67108864 swap=4096 pids=20 cpus=0-1 8:0:wbps=7 8:0:riops=9 io-weight=50 hugetlb-2MB=4194304 "
		"devices=closed+2");
	cr_expect_str_eq(cgroup_limits_text(&none, &limits, text, sizeof(text)), "none");
	cr_expect_str_eq(cgroup_limits_text(&all, &limits, cut, sizeof(cut)), "cpu=150% weight");
}

Test(cgroup_limits, huge_pages_have_the_kernels_names)
{
	char name[16];

	cr_expect_str_eq(cgroup_page_name(64 << 10, name, sizeof(name)), "64KB");
	cr_expect_str_eq(cgroup_page_name(2 << 20, name, sizeof(name)), "2MB");
	cr_expect_str_eq(cgroup_page_name(INT64_C(16) << 30, name, sizeof(name)), "16GB");
}

/* ---- devices ---- */

/* The few instructions that the program is made of. Returns its verdict; -1: it does what it must not. */
static int interpret(const struct bpf_insn *program, size_t n, const struct bpf_cgroup_dev_ctx *context)
{
	uint64_t reg[11] = {0};

	for (size_t at = 0; at < n; at++) {
		const struct bpf_insn *insn = &program[at];
		uint64_t *to = &reg[insn->dst_reg];

		switch (insn->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			if (insn->src_reg != BPF_REG_1 || (size_t)insn->off > sizeof(*context) - 4)
				return -1;
			*to = *(const uint32_t *)((const char *)context + insn->off);
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			*to = (uint32_t)reg[insn->src_reg];
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			*to = (uint32_t)*to & (uint32_t)insn->imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			*to = (uint32_t)*to >> insn->imm;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			*to = (uint64_t)insn->imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			at += *to != (uint64_t)insn->imm ? (size_t)insn->off : 0;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			at += *to & (uint64_t)insn->imm ? (size_t)insn->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)reg[0];
		default:
			return -1;
		}
	}
	return -1; /* ran off its end */
}

Test(cgroup_device, the_program_decides_as_the_rules_say)
{
	enum { R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE, M = BPF_DEVCG_ACC_MKNOD };
	const struct cgroup_limits limits = {
		.n_devices = 3,
		.devices = {{'c', 10, 229, true, true, false},
			    {'b', 8, (unsigned)CGROUP_DEVICE_ANY, true, false, false},
			    {'c', (unsigned)CGROUP_DEVICE_ANY, (unsigned)CGROUP_DEVICE_ANY, false, false, true}}};
	const struct {
		char type;
		unsigned rights, major, minor;
		int verdict;
	} cases[] = {
		{'c', R | W, 1, 3, 1},    {'c', M, 1, 9, 1},    {'c', R, 1, 1, 0},        {'c', R, 136, 77, 1}, {'c', R, 136, 0, 1},
		{'c', R, 137, 0, 0},      {'b', R, 1, 3, 0},    {'c', R | W, 10, 229, 1}, {'c', W, 10, 229, 1}, {'c', R, 10, 232, 0},
		{'c', R | M, 10, 229, 0}, {'b', R, 8, 0, 1},    {'b', R, 8, 17, 1},       {'b', W, 8, 0, 0},    {'b', R | W, 8, 0, 0},
		{'b', M, 8, 0, 0},        {'c', M, 10, 232, 1}, {'c', 0, 1, 3, 1},
	};
	struct cgroup_device_rule rules[CGROUP_DEVICE_RULES_MAX];
	struct bpf_insn program[CGROUP_DEVICE_PROGRAM_MAX];
	size_t n = cgroup_device_program(rules, cgroup_device_rules(&limits, rules), program);

	cr_assert_leq(n, CGROUP_DEVICE_PROGRAM_MAX);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bpf_cgroup_dev_ctx context = {
			.access_type = cases[i].rights << 16 | (cases[i].type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
			.major = cases[i].major,
			.minor = cases[i].minor,
		};
		cr_expect_eq(interpret(program, n, &context), cases[i].verdict, "case %zu: %c %u:%u rights %u", i, cases[i].type,
			     cases[i].major, cases[i].minor, cases[i].rights);
	}
}

Test(cgroup_device, the_longest_program_fits)
{
	struct cgroup_limits limits = {.n_devices = CGROUP_DEVICES_MAX};
	struct cgroup_device_rule rules[CGROUP_DEVICE_RULES_MAX];
	struct bpf_insn program[CGROUP_DEVICE_PROGRAM_MAX];

	for (unsigned i = 0; i < CGROUP_DEVICES_MAX; i++)
		limits.devices[i] = (struct cgroup_device_rule){'c', 100 + i, i, true, false, false};
	size_t n = cgroup_device_program(rules, cgroup_device_rules(&limits, rules), program);
	cr_assert_leq(n, CGROUP_DEVICE_PROGRAM_MAX);
	cr_expect_eq(interpret(program, n, &(struct bpf_cgroup_dev_ctx){BPF_DEVCG_ACC_READ << 16 | BPF_DEVCG_DEV_CHAR, 131, 31}), 1);
	cr_expect_eq(interpret(program, n, &(struct bpf_cgroup_dev_ctx){BPF_DEVCG_ACC_READ << 16 | BPF_DEVCG_DEV_CHAR, 131, 30}), 0);
}

Test(cgroup_device, rules_read_as_version_1_wants_them)
{
	char text[64];

	cr_expect_str_eq(cgroup_device_text(&(struct cgroup_device_rule){'c', 1, 3, true, true, true}, text, sizeof(text)), "c 1:3 rwm");
	cr_expect_str_eq(cgroup_device_text(&(struct cgroup_device_rule){'b', 8, (unsigned)CGROUP_DEVICE_ANY, true, false, false}, text,
					    sizeof(text)),
			 "b 8:* r");
}

/* Attached to a group of version 2, which a hybrid host has as well: the kernel's verifier takes it, and it bites. */
Test(cgroup_device, the_kernel_takes_the_program)
{
	const struct cgroup_limits limits = {.devices_closed = true};
	struct cgroup_layout layout;
	struct cgroup_tree tree = {.ops = &cgroup_v2_ops, .n_dirs = 1, .dir_of = CGROUP_NO_DIRS};
	struct cgroup group = {0};
	struct error err = {0};
	char name[64];
	int status = 0;

	cr_assert_eq(cgroup_detect("", &layout, &err), 0, "%s", err.message);
	if (!layout.v2[0] || geteuid() != 0 || access(layout.v2, W_OK) < 0)
		cr_skip_test("no version 2 hierarchy that we may write to");
	tree.dir_of[CGROUP_DEVICES] = 0;
	snprintf(tree.dirs[0], sizeof(tree.dirs[0]), "%.120s/%s", layout.v2, cgroup_run_name("", name, sizeof(name)));
	cr_assert_eq(cgroup_tree_open(&tree, NULL, &err), 0, "%s", err.message);
	int rc = cgroup_create(&tree, "a", &limits, &group, &err);
	if (rc == -EPERM) {
		cgroup_tree_close(&tree, NULL);
		cr_skip_test("%s", err.message);
	}
	pid_t pid = rc == 0 ? fork() : -1;
	if (pid == 0) {
		bool joined = cgroup_join(&tree, &group, NULL) == 0, null = open("/dev/null", O_RDWR | O_CLOEXEC) >= 0;

		_exit(joined && null && open("/dev/kmsg", O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM ? 0 : 1);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	cr_expect_eq(cgroup_remove(&tree, &group, NULL), 0);
	cr_expect_eq(cgroup_tree_close(&tree, NULL), 0);
	cr_assert_eq(rc, 0, "%s", err.message);
	cr_expect_eq(status, 0, "null opens, kmsg does not");
}
