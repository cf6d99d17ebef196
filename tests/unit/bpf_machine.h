/* Classic BPF as system call filters use it (load, and, compare, return), walked instruction by instruction. */
#pragma once

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool bpf_jump_holds(const struct sock_filter *at, uint32_t a)
{
	switch (BPF_OP(at->code)) {
	case BPF_JEQ:
		return a == at->k;
	case BPF_JGT:
		return a > at->k;
	case BPF_JGE:
		return a >= at->k;
	case BPF_JSET:
		return a & at->k;
	default:
		cr_assert_fail("jump %x is not expected", at->code);
		return false;
	}
}

static inline uint32_t bpf_run(const struct sock_filter *program, size_t count, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < count; pc++) {
		const struct sock_filter *at = &program[pc];

		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
			cr_assert_leq(at->k + 4, sizeof(*data));
			memcpy(&a, (const char *)data + at->k, 4);
			break;
		case BPF_ALU:
			cr_assert_eq(BPF_OP(at->code), BPF_AND);
			a &= at->k;
			break;
		case BPF_JMP:
			pc += BPF_OP(at->code) == BPF_JA ? at->k : bpf_jump_holds(at, a) ? at->jt : at->jf;
			break;
		case BPF_RET:
			return at->k;
		default:
			cr_assert_fail("instruction %x is not expected", at->code);
		}
	}
	cr_assert_fail("the program has no end");
	return 0;
}
