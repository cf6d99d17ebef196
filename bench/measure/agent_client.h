/* The host's end of the agent's protocol (<bench/agent.h>): bounded lines with deadlines on the control stream of an instance. */
#pragma once

#include <bench/agent.h>
#include <bench/error.h>
#include <bench/instance.h>
#include <bench/timeline.h>

#include <stdbool.h>
#include <stdint.h>

struct agent_client {
	const struct instance *instance;
	size_t used;
	int64_t runtime_ns; /* when the runtime in a guest said that it begins (<bench/guest.h>); 0: it did not */
	char buffer[AGENT_LINE_MAX];
};

/* Waits for the agent's greeting and marks what it tells: T4 and T5 when their lines arrive, or, on the same kernel and clock, at the agent's own
 * first instruction (if that lies between the request and now; else the mark stays absent). -ETIMEDOUT at the deadline, -EPIPE when the stream ends first. */
int agent_client_hello(struct agent_client *client, bool same_kernel, int64_t deadline_ns, struct timeline *timeline, struct error *err);

/* Sends ping and waits for pong. The caller marks T6. */
int agent_client_ping(struct agent_client *client, int64_t deadline_ns, struct error *err);

/* Lets the agent do `ops` steps of the spin workload and checks its checksum: -EBADMSG when the work was not done. */
int agent_client_verify(struct agent_client *client, uint64_t ops, uint64_t seed, int64_t deadline_ns, struct error *err);

/* Asks how much memory the agent's kernel manages, and how much of it is available. -EBADMSG when it does not say. */
int agent_client_memory(struct agent_client *client, int64_t deadline_ns, int64_t *ret_total, int64_t *ret_available, struct error *err);
