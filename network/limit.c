#include "limit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A bucket holds 10 ms of the rate, and ten full frames at least; behind it, 100 ms may wait. A larger packet (segmentation offload) is cut up by tbf
 * itself. Much more would let a short measurement see the bucket instead of the rate. */
enum { BURST_MIN = 16 << 10, QUEUE_MIN = 64 << 10, RATE_MIN = 1000, PRIORITY_MAX = 7, BURST_MAX = 1 << 30 };

int limit_check(const struct network_limits *limits, struct error *err)
{
	if (limits->rate_bytes < 0 || (limits->rate_bytes > 0 && limits->rate_bytes < RATE_MIN))
		return error_set(err, EINVAL, "network rate of %lld bytes/s: at least %d, or 0 for none", (long long)limits->rate_bytes,
				 RATE_MIN);
	if (limits->burst_bytes < 0 || limits->burst_bytes > BURST_MAX)
		return error_set(err, EINVAL, "network burst of %lld bytes: 0 to 1 GiB", (long long)limits->burst_bytes);
	if (limits->burst_bytes > 0 && limits->burst_bytes < ETH_FRAME_LEN)
		return error_set(err, EINVAL, "network burst of %lld bytes: a frame has %d", (long long)limits->burst_bytes, ETH_FRAME_LEN);
	if (limits->priority < 0 || limits->priority > PRIORITY_MAX)
		return error_set(err, EINVAL, "network priority %d: 1 to %d, or 0 for none", limits->priority, PRIORITY_MAX);
	return 0;
}

static uint32_t clamp(int64_t value, int64_t min)
{
	return (uint32_t)(value < min ? min : value > BURST_MAX ? BURST_MAX : value);
}

uint32_t limit_burst(const struct network_limits *limits)
{
	return limits->burst_bytes > 0 ? (uint32_t)limits->burst_bytes : clamp(limits->rate_bytes / 100, BURST_MIN);
}

uint32_t limit_queue(const struct network_limits *limits)
{
	return limit_burst(limits) + clamp(limits->rate_bytes / 10, QUEUE_MIN);
}

void limit_put_rate(struct netlink_batch *batch, int index, const struct network_limits *limits)
{
	struct tcmsg header = {.tcm_family = AF_UNSPEC, .tcm_ifindex = index, .tcm_parent = TC_H_ROOT, .tcm_handle = TC_H_MAKE(1 << 16, 0)};
	uint64_t rate = (uint64_t)limits->rate_bytes;
	struct tc_tbf_qopt options = {
		.rate = {.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate, .linklayer = TC_LINKLAYER_ETHERNET},
		.limit = limit_queue(limits),
	};

	netlink_message(batch, "limit the rate (tc tbf)", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
	netlink_put_text(batch, TCA_KIND, "tbf");
	struct nlattr *nest = netlink_nest(batch, TCA_OPTIONS);
	netlink_put(batch, TCA_TBF_PARMS, &options, sizeof(options));
	if (rate > UINT32_MAX)
		netlink_put(batch, TCA_TBF_RATE64, &rate, sizeof(rate));
	netlink_put_u32(batch, TCA_TBF_BURST, limit_burst(limits));
	netlink_nest_end(batch, nest);
}

/* tc's skbedit is a module that many kernels lack; three instructions do the same wherever cls_bpf is. */
int limit_priority_load(int priority, struct error *err)
{
	struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = priority},
		{.code = BPF_STX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2,
		 .off = offsetof(struct __sk_buff, priority)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 /* TC_ACT_OK */},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attributes.insn_cnt = sizeof(program) / sizeof(program[0]);
	attributes.insns = (uintptr_t)program;
	attributes.license = (uintptr_t) "Dual MIT/GPL";
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));
	return fd < 0 ? error_errno(err, "load the classifier that sets the network priority") : (int)fd;
}

void limit_put_priority(struct netlink_batch *batch, int index, int program_fd)
{
	struct tcmsg queue = {.tcm_ifindex = index, .tcm_parent = TC_H_CLSACT, .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0)};
	struct tcmsg filter = {.tcm_ifindex = index,
			       .tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
			       .tcm_info = TC_H_MAKE(1 << 16, htons(ETH_P_ALL))};

	netlink_message(batch, "set the priority (tc clsact)", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &queue, sizeof(queue));
	netlink_put_text(batch, TCA_KIND, "clsact");
	netlink_message(batch, "set the priority (tc bpf)", RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &filter, sizeof(filter));
	netlink_put_text(batch, TCA_KIND, "bpf");
	struct nlattr *nest = netlink_nest(batch, TCA_OPTIONS);
	netlink_put_u32(batch, TCA_BPF_FD, (uint32_t)program_fd);
	netlink_put_text(batch, TCA_BPF_NAME, "bench_priority");
	netlink_put_u32(batch, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	netlink_nest_end(batch, nest);
}
