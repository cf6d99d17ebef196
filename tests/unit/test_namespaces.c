/* runtime/namespaces: who is in which namespace, read from a tree that looks like /proc. */
#include "scratch.h"

#include <runtime/namespaces.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A process with the links that are named; "kind=inode" words. */
static void process(const struct scratch *scratch, int pid, const char *comm, const char *links)
{
	char path[256], copy[256], *save = NULL;

	snprintf(path, sizeof(path), "proc/%d/ns", pid);
	cr_assert_eq(dir_make(scratch_path(scratch, path), 0755, NULL), 0);
	snprintf(path, sizeof(path), "proc/%d/comm", pid);
	snprintf(copy, sizeof(copy), "%s\n", comm);
	scratch_write(scratch, path, copy);
	snprintf(copy, sizeof(copy), "%s", links);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char *equals = strchr(word, '='), target[64];

		*equals = '\0';
		snprintf(target, sizeof(target), "%.*s:[%s]", (int)strcspn(word, "_"), word, equals + 1);
		snprintf(path, sizeof(path), "proc/%d/ns/%s", pid, word);
		cr_assert_eq(symlink(target, scratch_path(scratch, path)), 0);
	}
}

static void map(const struct scratch *scratch, int pid, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%d/%s", pid, name);
	scratch_write(scratch, path, text);
}

Test(namespaces, reads_links_and_maps_of_a_process)
{
	struct scratch scratch = scratch_make();
	struct namespaces found;
	struct error err = {0};

	process(&scratch, 42, "sh", "mnt=4026532111 pid=4026532112 pid_for_children=4026532113 user=4026531837");
	map(&scratch, 42, "uid_map", "         0       1000          1\n         1     100000      65536\n");
	map(&scratch, 42, "gid_map", "         0          0 4294967295\n");
	cr_assert_eq(namespaces_read(scratch.path, 42, &found, &err), 0, "%s", err.message);
	cr_expect_str_eq(found.command, "sh");
	cr_expect_eq(found.inodes[NAMESPACE_MOUNT], 4026532111);
	cr_expect_eq(found.inodes[NAMESPACE_PID_CHILDREN], 4026532113);
	cr_expect_eq(found.inodes[NAMESPACE_TIME], 0);
	cr_expect_not(found.hidden);
	cr_expect_eq(found.n_uids, 2);
	cr_expect(found.uids[1].inside == 1 && found.uids[1].outside == 100000 && found.uids[1].count == 65536);
	cr_expect_eq(found.n_gids, 1);
	cr_expect_eq(found.gids[0].count, UINT32_MAX);
	cr_expect_eq(namespaces_read(scratch.path, 43, &found, &err), -ESRCH);
	cr_expect(strstr(err.message, "43"));
	scratch_remove(&scratch);
}

Test(namespaces, a_link_that_is_no_namespace_is_hidden_not_taken)
{
	static const char *const odd[] = {"mnt:[]", "mnt:[12", "mnt:[12]x", "mnt:[-1]", "mnt:[0]", "mnt:[99999999999999999999999]", "x"};
	struct namespaces found;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct scratch scratch = scratch_make();

		process(&scratch, 7, "x", "");
		cr_assert_eq(symlink(odd[i], scratch_path(&scratch, "proc/7/ns/mnt")), 0);
		cr_assert_eq(namespaces_read(scratch.path, 7, &found, NULL), 0);
		cr_expect_eq(found.inodes[NAMESPACE_MOUNT], 0, "%s", odd[i]);
		cr_expect(found.hidden, "%s", odd[i]);
		scratch_remove(&scratch);
	}
}

Test(namespaces, a_table_counts_who_shares_each)
{
	struct scratch scratch = scratch_make();
	struct namespace_table table;
	struct error err = {0};

	process(&scratch, 1, "init", "net=100 pid=200 pid_for_children=200");
	process(&scratch, 30, "web", "net=101 pid=200 pid_for_children=999");
	process(&scratch, 4, "shell", "net=100 pid=200 pid_for_children=200");
	process(&scratch, 5, "worker", "net=101 pid=200 pid_for_children=200");
	cr_assert_eq(dir_make(scratch_path(&scratch, "proc/sys"), 0755, NULL), 0);
	cr_assert_eq(namespace_table_read(scratch.path, &table, &err), 0, "%s", err.message);
	cr_expect_eq(table.n_processes, 4);
	cr_expect_eq(table.n_hidden, 0);
	cr_assert_eq(table.n_uses, 3); /* those of children to come are nobody's yet */
	const struct namespace_use *net = namespace_table_find(&table, NAMESPACE_NET, 101);
	cr_assert_not_null(net);
	cr_expect_eq(net->n_processes, 2);
	cr_expect_eq(net->first, 5);
	cr_expect_str_eq(net->command, "worker");
	cr_expect_eq(table.uses[0].first, 1);
	cr_expect_eq(namespace_table_find(&table, NAMESPACE_PID, 200)->n_processes, 4);
	cr_expect_null(namespace_table_find(&table, NAMESPACE_PID, 999));
	namespace_table_done(&table);
	scratch_remove(&scratch);
}

Test(namespaces, without_proc_it_says_so)
{
	struct namespace_table table;
	struct error err = {0};

	cr_expect_eq(namespace_table_read("/nonexistent", &table, &err), -ENOENT);
	cr_expect(strstr(err.message, "/nonexistent/proc"));
}
