/* The program is written from its end to its beginning: then the target of every jump exists already, and what is near enough is shared. */
#include "filter_program.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 2048, ACTIONS_MAX = 4, NO_PLACE = -1 };

struct writer {
	struct sock_filter code[LENGTH_MAX]; /* backwards: code[0] is the last instruction */
	int count;
	bool full;
	struct {
		uint32_t action;
		int at;
	} returns[ACTIONS_MAX]; /* the latest copy of each */
	size_t n_returns;
};

/* Calls first … of equal verdicts. */
struct range {
	unsigned first;
	struct filter_verdict verdict;
};

static int put(struct writer *writer, struct sock_filter instruction)
{
	if (writer->count == LENGTH_MAX) {
		writer->full = true;
		return 0;
	}
	writer->code[writer->count] = instruction;
	return writer->count++;
}

/* How far an instruction written `later` instructions from now would jump. */
static int distance(const struct writer *writer, int target, int later)
{
	return writer->count + later - target - 1;
}

enum { NEAR = 250 };

static int put_return(struct writer *writer, uint32_t action)
{
	size_t i = 0;

	while (i < writer->n_returns && writer->returns[i].action != action)
		i++;
	if (i < writer->n_returns && distance(writer, writer->returns[i].at, 0) < NEAR)
		return writer->returns[i].at;
	int at = put(writer, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
	if (i < ACTIONS_MAX) {
		writer->returns[i].action = action;
		writer->returns[i].at = at;
		if (i == writer->n_returns)
			writer->n_returns++;
	}
	return at;
}

/* A place near by that leads to the target: a conditional jump reaches 255 instructions. */
static int near_place(struct writer *writer, int target)
{
	int far = distance(writer, target, 0);

	if (far < NEAR)
		return target;
	if (BPF_CLASS(writer->code[target].code) == BPF_RET)
		return put(writer, writer->code[target]);
	return put(writer, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)far));
}

static int put_jump(struct writer *writer, uint16_t kind, uint32_t value, int yes, int no)
{
	yes = near_place(writer, yes);
	no = near_place(writer, no);
	return put(writer, (struct sock_filter)BPF_JUMP(BPF_JMP | kind | BPF_K, value, (uint8_t)distance(writer, yes, 0),
							(uint8_t)distance(writer, no, 0)));
}

static int put_load(struct writer *writer, size_t offset)
{
	return put(writer, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* Offset of a half of an argument. */
static size_t half(unsigned argument, bool high)
{
	bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

	return offsetof(struct seccomp_data, args) + 8 * (size_t)argument + (second ? 4 : 0);
}

static int put_leaf(struct writer *writer, const struct filter_verdict *verdict)
{
	const struct filter_condition *when = verdict->when;
	int otherwise = put_return(writer, verdict->action), then, at;

	if (!when)
		return otherwise;
	then = put_return(writer, when->then);
	at = otherwise;
	if (when->is_mask)
		at = put_jump(writer, BPF_JSET, when->values[0], otherwise, then);
	for (size_t i = when->n_values; !when->is_mask && i-- > 0;)
		at = put_jump(writer, BPF_JEQ, when->values[i], then, at);
	at = put_load(writer, half(when->argument, false));
	if (!when->whole)
		return at;
	put_jump(writer, BPF_JEQ, 0, at, otherwise);
	return put_load(writer, half(when->argument, true));
}

static int put_tree(struct writer *writer, const struct range *ranges, size_t count)
{
	if (count == 1)
		return put_leaf(writer, &ranges[0].verdict);
	size_t middle = count / 2;
	int above = put_tree(writer, ranges + middle, count - middle), below = put_tree(writer, ranges, middle);

	return put_jump(writer, BPF_JGE, ranges[middle].first, above, below);
}

static bool equal(const struct filter_verdict *a, const struct filter_verdict *b)
{
	return a->action == b->action && a->when == b->when;
}

static size_t find_ranges(const struct filter_verdict *verdicts, size_t count, uint32_t beyond, struct range *ret)
{
	const struct filter_verdict last = {.action = beyond};
	size_t n = 0;

	for (size_t i = 0; i <= count; i++) {
		const struct filter_verdict *verdict = i < count ? &verdicts[i] : &last;

		if (n == 0 || !equal(&ret[n - 1].verdict, verdict))
			ret[n++] = (struct range){.first = (unsigned)i, .verdict = *verdict};
	}
	return n;
}

static void write_all(struct writer *writer, const struct range *ranges, size_t n, uint32_t arch)
{
	int ours, other;

	put_tree(writer, ranges, n); /* its beginning is what was written last: the load goes on there */
	ours = put_load(writer, offsetof(struct seccomp_data, nr));
	other = put(writer, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	put_jump(writer, BPF_JEQ, arch, ours, other);
	put_load(writer, offsetof(struct seccomp_data, arch));
}

int filter_program(const struct filter_verdict *verdicts, size_t count, uint32_t beyond, uint32_t arch, struct sock_filter **ret,
		   unsigned short *ret_count, struct error *err)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	struct range *ranges = calloc(count + 1, sizeof(*ranges));
	struct sock_filter *program = calloc(LENGTH_MAX, sizeof(*program));
	int rc = writer && ranges && program ? 0 : error_set(err, ENOMEM, "seccomp filter: out of memory");

	if (rc == 0) {
		write_all(writer, ranges, find_ranges(verdicts, count, beyond, ranges), arch);
		if (writer->full)
			rc = error_set(err, E2BIG, "seccomp filter: more than %d instructions", LENGTH_MAX);
	}
	if (rc == 0) {
		for (int i = 0; i < writer->count; i++)
			program[i] = writer->code[writer->count - 1 - i];
		*ret = program;
		*ret_count = (unsigned short)writer->count;
	} else {
		free(program);
	}
	free(ranges);
	free(writer);
	return rc;
}
