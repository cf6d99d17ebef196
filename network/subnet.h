/* IPv4 subnets as plain numbers, in host byte order: parsing, overlap, choice, addresses of members, and the names of links. Pure: nothing of the
 * host is read. */
#pragma once

#include <bench/error.h>

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subnet {
	uint32_t base; /* network address */
	int prefix;    /* 8 … 30 */
};

enum { SUBNET_TEXT = 20, SUBNET_MAC = 6, SUBNET_NAME = 32 };

/* "10.88.0.0/16". Bits beyond the prefix must be 0. */
int subnet_parse(const char *text, struct subnet *ret, struct error *err);

bool subnet_overlaps(struct subnet a, struct subnet b);

/* The first /16 of 10.88.0.0 … 10.127.0.0 that overlaps none of `used`; -EADDRNOTAVAIL when there is none. */
int subnet_choose(const struct subnet *used, size_t count, struct subnet *ret, struct error *err);

/* The host's own address: the first of the subnet. */
uint32_t subnet_gateway(struct subnet subnet);

/* How many members a subnet can have, the host not counted; and number `index` of them (counted on from 0, round and round). */
uint32_t subnet_members(struct subnet subnet);
uint32_t subnet_member(struct subnet subnet, uint32_t index);

/* "10.88.0.2". Returns `ret`. */
char *subnet_address_text(uint32_t address, char ret[SUBNET_TEXT]);

/* The hardware address that goes with an address: locally administered, and the same whenever the address is given out again, so that what
 * neighbours remember stays true. */
void subnet_mac(uint32_t address, unsigned char ret[SUBNET_MAC]);

/* Name of our own bridge, name of link number `count` of a network, and the second name that reserves an address ("bench-10.88.0.2"; the kernel
 * takes it once in a network namespace). `id` is random to a network, so that a name of an old journal never meets a link of somebody else. */
void subnet_bridge_name(uint32_t id, char ret[IFNAMSIZ]);
void subnet_link_name(uint32_t id, uint32_t count, char ret[IFNAMSIZ]);
void subnet_reserve_name(uint32_t address, char ret[SUBNET_NAME]);

/* Can a link bear this name? */
bool subnet_name_is_valid(const char *name);
