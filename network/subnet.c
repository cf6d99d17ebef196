#include "subnet.h"

#include <base/units.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PREFIX_MIN = 8, PREFIX_MAX = 30, CHOICE_FIRST = 88, CHOICE_LAST = 127, CHOICE_PREFIX = 16 };

static uint32_t mask_of(int prefix)
{
	return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

int subnet_parse(const char *text, struct subnet *ret, struct error *err)
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	struct in_addr in;
	int64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address)) {
		error_set(err, EINVAL, "subnet '%s' is not an IPv4 subnet", text);
		return error_hint(err, "write it like 10.88.0.0/16");
	}
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (parse_integer("prefix of the subnet", slash + 1, PREFIX_MIN, PREFIX_MAX, &prefix, err) < 0)
		return -EINVAL;
	if (inet_pton(AF_INET, address, &in) != 1) {
		error_set(err, EINVAL, "subnet '%s': '%s' is not an IPv4 address", text, address);
		return error_hint(err, "write it like 10.88.0.0/16");
	}
	uint32_t base = ntohl(in.s_addr);
	if (base & ~mask_of((int)prefix)) {
		in.s_addr = htonl(base & mask_of((int)prefix));
		error_set(err, EINVAL, "subnet '%s' has bits set beyond its prefix", text);
		return error_hint(err, "write %s/%d", inet_ntop(AF_INET, &in, address, sizeof(address)), (int)prefix);
	}
	*ret = (struct subnet){base, (int)prefix};
	return 0;
}

bool subnet_overlaps(struct subnet a, struct subnet b)
{
	uint32_t mask = mask_of(a.prefix < b.prefix ? a.prefix : b.prefix);

	return (a.base & mask) == (b.base & mask);
}

static bool is_free(struct subnet subnet, const struct subnet *used, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (subnet_overlaps(subnet, used[i]))
			return false;
	return true;
}

int subnet_choose(const struct subnet *used, size_t count, struct subnet *ret, struct error *err)
{
	for (uint32_t second = CHOICE_FIRST; second <= CHOICE_LAST; second++) {
		struct subnet subnet = {10U << 24 | second << 16, CHOICE_PREFIX};

		if (!is_free(subnet, used, count))
			continue;
		*ret = subnet;
		return 0;
	}
	error_set(err, EADDRNOTAVAIL, "no subnet is free: routes of this host cover all of 10.88.0.0/16 to 10.127.0.0/16");
	return error_hint(err, "name one that nobody uses, e.g. 192.168.222.0/24");
}

uint32_t subnet_gateway(struct subnet subnet)
{
	return subnet.base + 1;
}

uint32_t subnet_members(struct subnet subnet)
{
	return ~mask_of(subnet.prefix) - 2; /* neither the host's nor the broadcast address */
}

uint32_t subnet_member(struct subnet subnet, uint32_t index)
{
	return subnet.base + 2 + index % subnet_members(subnet);
}

char *subnet_address_text(uint32_t address, char ret[SUBNET_TEXT])
{
	snprintf(ret, SUBNET_TEXT, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
	return ret;
}

void subnet_mac(uint32_t address, unsigned char ret[SUBNET_MAC])
{
	uint32_t net = htonl(address);

	ret[0] = 0x02;
	ret[1] = 0xbe;
	memcpy(ret + 2, &net, sizeof(net));
}

void subnet_bridge_name(uint32_t id, char ret[IFNAMSIZ])
{
	snprintf(ret, IFNAMSIZ, "bench%08x", id);
}

void subnet_link_name(uint32_t id, uint32_t count, char ret[IFNAMSIZ])
{
	snprintf(ret, IFNAMSIZ, "bn%08x%05x", id, count & 0xfffff);
}

void subnet_reserve_name(uint32_t address, char ret[SUBNET_NAME])
{
	char text[SUBNET_TEXT];

	snprintf(ret, SUBNET_NAME, "bench-%s", subnet_address_text(address, text));
}

bool subnet_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	/* In /proc/sys/net these are not links. */
	if (strcmp(name, "all") == 0 || strcmp(name, "default") == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 127 || strchr("/:%", name[i]))
			return false;
	return true;
}
