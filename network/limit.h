/* Messages that limit a link: token buckets (tc tbf) and the priority of what is received from a container. */
#pragma once

#include "netlink.h"
#include "network.h"

/* Are these limits that can be kept? */
int limit_check(const struct network_limits *limits, struct error *err);

/* Bucket and queue of a token bucket, in bytes. */
uint32_t limit_burst(const struct network_limits *limits);
uint32_t limit_queue(const struct network_limits *limits);

/* Appends a token bucket for all that leaves by link `index`. */
void limit_put_rate(struct netlink_batch *batch, int index, const struct network_limits *limits);

/* Loads the classifier that gives packets their priority; returns a descriptor. */
int limit_priority_load(int priority, struct error *err);

/* Appends what gives every packet that comes in by link `index` the priority of the classifier. */
void limit_put_priority(struct netlink_batch *batch, int index, int program_fd);
