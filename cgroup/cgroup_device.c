#include "cgroup_device.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RIGHTS_ALL = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE };
_Static_assert(RIGHTS_ALL == 7, "three rights, three bits");

static const struct cgroup_device_rule standard[] = {
	{'c', 1, 3, true, true, true},                             /* null */
	{'c', 1, 5, true, true, true},                             /* zero */
	{'c', 1, 7, true, true, true},                             /* full */
	{'c', 1, 8, true, true, true},                             /* random */
	{'c', 1, 9, true, true, true},                             /* urandom */
	{'c', 5, 0, true, true, true},                             /* tty */
	{'c', 5, 2, true, true, true},                             /* ptmx */
	{'c', 136, (unsigned)CGROUP_DEVICE_ANY, true, true, true}, /* pts */
};
enum { STANDARD = sizeof(standard) / sizeof(standard[0]) };
_Static_assert(STANDARD + CGROUP_DEVICES_MAX == CGROUP_DEVICE_RULES_MAX, "room for all");

size_t cgroup_device_rules(const struct cgroup_limits *limits, struct cgroup_device_rule ret[CGROUP_DEVICE_RULES_MAX])
{
	size_t n = limits->n_devices < CGROUP_DEVICES_MAX ? limits->n_devices : CGROUP_DEVICES_MAX;

	memcpy(ret, standard, sizeof(standard));
	memcpy(ret + STANDARD, limits->devices, n * sizeof(ret[0]));
	return STANDARD + n;
}

const char *cgroup_device_text(const struct cgroup_device_rule *rule, char *ret, size_t size)
{
	const unsigned numbers[] = {rule->device_major, rule->device_minor};
	char texts[2][12];

	for (int i = 0; i < 2; i++)
		if (numbers[i] == (unsigned)CGROUP_DEVICE_ANY)
			strcpy(texts[i], "*");
		else
			snprintf(texts[i], sizeof(texts[i]), "%u", numbers[i]);
	snprintf(ret, size, "%c %s:%s %s%s%s", rule->type, texts[0], texts[1], rule->read ? "r" : "", rule->write ? "w" : "",
		 rule->mknod ? "m" : "");
	return ret;
}

/* ---- the program ----
 * r2 type, r3 rights asked for, r4 major, r5 minor; r0 the verdict. */

struct program {
	struct bpf_insn *at;
	size_t n;
};

static void put(struct program *program, uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value)
{
	program->at[program->n++] = (struct bpf_insn){.code = code, .dst_reg = to & 15, .src_reg = from & 15, .off = offset, .imm = value};
}

static void put_load(struct program *program, uint8_t to, size_t field)
{
	put(program, BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1, (int16_t)field, 0);
}

static void put_verdict(struct program *program, int32_t verdict)
{
	put(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, verdict);
	put(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* A rule that does not fit jumps behind its end, which is known once it is written. */
static void put_rule(struct program *program, const struct cgroup_device_rule *rule)
{
	const uint8_t differs = BPF_JMP | BPF_JNE | BPF_K;
	int32_t denied = RIGHTS_ALL & ~((rule->mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (rule->read ? BPF_DEVCG_ACC_READ : 0) |
					(rule->write ? BPF_DEVCG_ACC_WRITE : 0));
	size_t start = program->n;

	put(program, differs, BPF_REG_2, 0, 0, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (denied)
		put(program, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, 0, 0, denied);
	if (rule->device_major != (unsigned)CGROUP_DEVICE_ANY)
		put(program, differs, BPF_REG_4, 0, 0, (int32_t)rule->device_major);
	if (rule->device_minor != (unsigned)CGROUP_DEVICE_ANY)
		put(program, differs, BPF_REG_5, 0, 0, (int32_t)rule->device_minor);
	size_t tests = program->n;
	put_verdict(program, 1);
	for (size_t i = start; i < tests; i++)
		program->at[i].off = (int16_t)(program->n - i - 1);
}

size_t cgroup_device_program(const struct cgroup_device_rule *rules, size_t n, struct bpf_insn ret[CGROUP_DEVICE_PROGRAM_MAX])
{
	struct program program = {.at = ret};

	put_load(&program, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	put(&program, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	put(&program, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	put(&program, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	put_load(&program, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	put_load(&program, BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (size_t i = 0; i < n; i++)
		put_rule(&program, &rules[i]);
	put_verdict(&program, 0);
	return program.n;
}

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int cgroup_device_close(const char *dir, const struct cgroup_limits *limits, struct error *err)
{
	struct cgroup_device_rule rules[CGROUP_DEVICE_RULES_MAX];
	struct bpf_insn program[CGROUP_DEVICE_PROGRAM_MAX];
	size_t n = cgroup_device_program(rules, cgroup_device_rules(limits, rules), program);
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			       .insns = (uint64_t)(uintptr_t)program,
			       .insn_cnt = (uint32_t)n,
			       .license = (uint64_t)(uintptr_t) "GPL"};

	_cleanup_close_ int group_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group_fd < 0)
		return error_errno(err, "open cgroup %s", dir);
	_cleanup_close_ int program_fd = bpf(BPF_PROG_LOAD, &load); /* close-on-exec by itself */
	if (program_fd < 0)
		return error_errno(err, "load the device rules of cgroup %s", dir);
	union bpf_attr attach = {.target_fd = (uint32_t)group_fd,
				 .attach_bpf_fd = (uint32_t)program_fd,
				 .attach_type = BPF_CGROUP_DEVICE,
				 .attach_flags = BPF_F_ALLOW_MULTI};
	if (bpf(BPF_PROG_ATTACH, &attach) < 0)
		return error_errno(err, "attach the device rules to cgroup %s", dir);
	return 0;
}
