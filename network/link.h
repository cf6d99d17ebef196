/* What an open network is, and the parts of making a link that containers and guests share. */
#pragma once

#include "bridge.h"
#include "network.h"
#include "share.h"

struct network {
	struct nl_sock *socket;
	struct bridge bridge;
	struct share share;
	struct journal *journal;
	uint32_t id;      /* random: names of links */
	uint32_t links;   /* made so far */
	uint32_t members; /* addresses tried so far */
	char subnet[SUBNET_TEXT + 4];
};
