/* network/subnet: arithmetic of addresses, choice of a subnet, names of links. */
#include <network/subnet.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct subnet parsed(const char *text)
{
	struct subnet subnet = {0};
	struct error err = {0};

	cr_assert_eq(subnet_parse(text, &subnet, &err), 0, "%s", err.message);
	return subnet;
}

Test(network_subnet, parses_what_is_a_subnet_and_nothing_else)
{
	const char *const bad[] = {"",
				   "10.88.0.0",
				   "10.88.0.0/",
				   "10.88.0.0/7",
				   "10.88.0.0/31",
				   "10.88.0.0/16x",
				   "10.88.0/16",
				   "10.88.0.1/16",
				   "300.0.0.0/8",
				   "/16",
				   "fd00::/64",
				   "10.88.0.0/-1",
				   "10.88.0.0/ 16",
				   "0x0a.0.0.0/8",
				   "10.88.0.0//8",
				   "111.222.333.444.555.666/16"};
	struct subnet subnet = parsed("192.168.222.0/24");

	cr_expect_eq(subnet.base, 0xc0a8de00);
	cr_expect_eq(subnet.prefix, 24);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		cr_expect_eq(subnet_parse(bad[i], &subnet, &err), -EINVAL, "'%s' was taken", bad[i]);
		cr_expect_neq(err.message[0], '\0');
	}
	cr_expect_eq(subnet.base, 0xc0a8de00, "untouched on failure");
	struct error err = {0};
	subnet_parse("10.88.5.0/16", &subnet, &err);
	cr_expect_str_eq(err.hint, "write 10.88.0.0/16");
}

Test(network_subnet, overlaps_both_ways)
{
	cr_expect(subnet_overlaps(parsed("10.0.0.0/8"), parsed("10.88.0.0/16")));
	cr_expect(subnet_overlaps(parsed("10.88.0.0/16"), parsed("10.0.0.0/8")));
	cr_expect(subnet_overlaps(parsed("10.88.0.0/16"), (struct subnet){0x0a58ffff, 32}));
	cr_expect_not(subnet_overlaps(parsed("10.88.0.0/16"), parsed("10.89.0.0/16")));
	cr_expect_not(subnet_overlaps(parsed("10.88.0.0/16"), (struct subnet){0x0a590000, 32}));
	cr_expect(subnet_overlaps((struct subnet){0, 0}, parsed("10.89.0.0/16")), "the whole address space holds it");
}

Test(network_subnet, chooses_the_first_that_is_free)
{
	struct subnet used[41], chosen;
	struct error err = {0};

	cr_assert_eq(subnet_choose(NULL, 0, &chosen, NULL), 0);
	cr_expect_eq(chosen.base, 0x0a580000);
	used[0] = parsed("10.88.0.0/15");
	used[1] = (struct subnet){0x0a5a0505, 32}; /* 10.90.5.5 */
	cr_assert_eq(subnet_choose(used, 2, &chosen, NULL), 0);
	cr_expect_eq(chosen.base, 0x0a5b0000);
	cr_expect_eq(chosen.prefix, 16);
	used[0] = parsed("10.0.0.0/8");
	cr_expect_eq(subnet_choose(used, 1, &chosen, &err), -EADDRNOTAVAIL);
	cr_expect_neq(err.hint[0], '\0');
	for (uint32_t i = 0; i < 40; i++)
		used[i] = (struct subnet){0x0a580000 + (i << 16), 16};
	cr_expect_eq(subnet_choose(used, 40, &chosen, &err), -EADDRNOTAVAIL);
	cr_assert_eq(subnet_choose(used, 39, &chosen, &err), 0);
	cr_expect_eq(chosen.base, 0x0a7f0000);
}

Test(network_subnet, members_are_neither_host_nor_broadcast)
{
	struct subnet small = parsed("10.9.8.4/30"), large = parsed("10.88.0.0/16");

	cr_expect_eq(subnet_gateway(small), 0x0a090805);
	cr_expect_eq(subnet_members(small), 1);
	cr_expect_eq(subnet_member(small, 0), 0x0a090806);
	cr_expect_eq(subnet_member(small, 7), 0x0a090806);
	cr_expect_eq(subnet_members(large), 65533);
	cr_expect_eq(subnet_member(large, 0), 0x0a580002);
	cr_expect_eq(subnet_member(large, 65532), 0x0a58fffe);
	cr_expect_eq(subnet_member(large, 65533), 0x0a580002, "round and round");
	cr_expect_eq(subnet_members(parsed("10.0.0.0/8")), 0xfffffd);
}

Test(network_subnet, names_fit_and_differ)
{
	char a[IFNAMSIZ], b[IFNAMSIZ], bridge[IFNAMSIZ], reserve[SUBNET_NAME];
	unsigned char mac[SUBNET_MAC];

	subnet_bridge_name(0xdeadbeef, bridge);
	cr_expect_str_eq(bridge, "benchdeadbeef");
	subnet_link_name(0xdeadbeef, 0xfffff, a);
	cr_expect_str_eq(a, "bndeadbeeffffff");
	subnet_link_name(0xdeadbeef, 0x100000, b);
	cr_expect_str_eq(b, "bndeadbeef00000");
	cr_expect(subnet_name_is_valid(a));
	subnet_reserve_name(0xfffefdfc, reserve);
	cr_expect_str_eq(reserve, "bench-255.254.253.252");
	subnet_mac(0x0a580102, mac);
	cr_expect_eq(memcmp(mac, (unsigned char[]){0x02, 0xbe, 10, 88, 1, 2}, sizeof(mac)), 0);
}

Test(network_subnet, names_that_no_link_can_bear)
{
	const char *const bad[] = {"", ".", "..", "all", "default", "a/b", "a b", "a:b", "sixteen-letters-", "tab\t", "b%d", "\xc3\xa4"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(subnet_name_is_valid(bad[i]), "'%s' was taken", bad[i]);
	cr_expect(subnet_name_is_valid("bench0"));
	cr_expect(subnet_name_is_valid("fifteen-letters"));
}
