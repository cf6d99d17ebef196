/* Which ids of the host stand behind a container's, on trees with users and subordinate ranges. */
#include <runtime/ids.h>

#include <base/files.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char tree[64];

static void setup(void)
{
	char path[80];
	struct error err = {0};

	strcpy(tree, "/tmp/bench-ids-XXXXXX");
	cr_assert_not_null(mkdtemp(tree));
	snprintf(path, sizeof(path), "%s/etc", tree);
	cr_assert_eq(dir_make(path, 0755, &err), 0, "%s", err.message);
}

static void teardown(void)
{
	dir_remove(tree, NULL);
}

TestSuite(ids, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
	char path[96];
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/etc/%s", tree, name);
	cr_assert_eq(file_write_atomic(path, text, strlen(text), 0644, &err), 0, "%s", err.message);
}

static struct ids choose(const char *seed)
{
	struct ids ids = {0};
	struct error err = {0};

	cr_assert_eq(ids_choose(tree, seed, &ids, NULL, &err), 0, "%s", err.message);
	return ids;
}

Test(ids, same_seed_same_block_other_seed_other_block)
{
	struct ids one = choose("bench-1"), again = choose("bench-1"), two = choose("bench-2");

	cr_expect_eq(one.uid, again.uid);
	cr_expect_eq(one.uid, one.gid);
	cr_expect_neq(one.uid, two.uid);
	cr_expect(one.uid >= IDS_FIRST && one.uid <= IDS_END - IDS_COUNT);
	cr_expect_eq((one.uid - IDS_FIRST) % IDS_COUNT, 0u);
}

Test(ids, blocks_with_users_groups_or_ranges_of_others_are_left_alone)
{
	static const char *const files[] = {"passwd", "group", "subuid", "subgid"};
	char line[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct ids before = choose("bench-1");

		if (i < 2)
			snprintf(line, sizeof(line), "root:x:0:0::/:/bin/sh\n# odd\nsomebody:x:%u:7::/:/bin/sh\n", before.uid + 65535);
		else
			snprintf(line, sizeof(line), "somebody:%u:2\n", before.uid - 1);
		put(files[i], line);
		cr_expect_neq(choose("bench-1").uid, before.uid, "%s", files[i]);
	}
}

Test(ids, what_is_given_to_us_is_taken)
{
	put("subuid", "somebody:100000:65536\nroot:1000:5\nroot:300000:65536\n");
	put("subgid", "root:500000:65536\n");
	struct ids ids = choose("bench-1");
	cr_expect_eq(ids.uid, 300000u);
	cr_expect_eq(ids.gid, 500000u);
	put("subuid", "root:300000:65536\nbench:1000000:655360\n");
	put("subgid", "bench:1000000:655360\n");
	ids = choose("bench-1");
	cr_expect(ids.uid >= 1000000 && ids.uid + IDS_COUNT <= 1655360 && (ids.uid - 1000000) % IDS_COUNT == 0, "%u", ids.uid);
	put("subuid", "root:0:65536\nbench:4294967000:65536\nroot:-5:65536\n");
	cr_expect_geq(choose("bench-1").uid, (uint32_t)IDS_FIRST, "ranges of the host's own users and beyond the end are nonsense");
}

/* Of this test alone: the host's own containers hold blocks as well. */
static int choose_locked(struct ids *ret)
{
	struct error err = {0};
	int lock_fd = -2;

	cr_assert_eq(ids_choose(tree, "bench-1", ret, &lock_fd, &err), 0, "%s", err.message);
	cr_expect_eq(lock_fd == -1, ret->shared);
	return lock_fd;
}

Test(ids, a_block_that_is_held_is_passed_over)
{
	struct ids ids[3];
	int locks[3];

	locks[0] = choose_locked(&ids[0]);
	locks[1] = choose_locked(&ids[1]);
	cr_expect_neq(ids[0].uid, ids[1].uid, "two at once have the same");
	close(locks[0]);
	locks[2] = choose_locked(&ids[2]);
	cr_expect_eq(ids[2].uid, ids[0].uid, "a block that was let go of is free");
	close(locks[1]);
	close(locks[2]);
}

Test(ids, more_containers_than_blocks_share_and_know_it)
{
	struct ids ids[3];
	int locks[3];

	put("subuid", "root:1900000000:131072\n");
	put("subgid", "root:1900000000:262144\n");
	for (int i = 0; i < 3; i++)
		locks[i] = choose_locked(&ids[i]);
	cr_expect(!ids[0].shared && !ids[1].shared && ids[0].uid != ids[1].uid && ids[0].gid != ids[1].gid);
	cr_expect(ids[2].shared && (ids[2].uid == ids[0].uid || ids[2].uid == ids[1].uid), "%u", ids[2].uid);
	close(locks[0]);
	close(locks[1]);
}

Test(ids, a_range_of_somebody_else_is_not_ours)
{
	put("subuid", "bench:1900000000:65536\n");
	put("subgid", "bench:1900000000:65536\n");
	cr_expect_eq(choose("bench-1").uid, 1900000000u);
	put("passwd", "bench:x:1000:1000::/home/bench:/bin/sh\n");
	cr_expect_neq(choose("bench-1").uid, 1900000000u, "it is that of a user of this host");
	put("passwd", "");
	put("subuid", "bench:1900000000:131072\nsomebody:1900000000:65536\n");
	put("subgid", "bench:1900000000:131072\n");
	cr_expect_eq(choose("bench-1").uid, 1900065536u, "the first half is somebody's as well");
}

Test(ids, map_is_one_line)
{
	char map[32];

	ids_map(524288, map);
	cr_expect_str_eq(map, "0 524288 65536");
}
