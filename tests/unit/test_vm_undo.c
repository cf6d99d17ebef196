/* What a run makes at a daemon is found again by its mark, and nothing else is. */
#include <criterion/criterion.h>
#include <drivers/vm_undo.h>
#include <vmdriver/apart.h>
#include <vmdriver/mark.h>
#include <vmdriver/undo.h>
#include <vmdriver/vm.h>

#include <bench/timeline.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

Test(vm_undo, which_marks)
{
	static const char *const good[] = {"bench-0123abcd-0", "bench-ffffffff-1023"};
	static const char *const bad[] = {"",
					  "bench-",
					  "bench-0123abcd",
					  "bench-0123abcd-",
					  "bench-0123abcd-x",
					  "bench-0123ABCD-0",
					  "bench-0123abc-0",
					  "other-0123abcd-0"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(mark_is_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(!mark_is_valid(bad[i]), "%s", bad[i]);
}

Test(vm_undo, a_mark_ends_where_it_ends)
{
	cr_expect(mark_is_on("bench-0123abcd-1", "bench-0123abcd-1-0"));
	cr_expect(mark_is_on("bench-0123abcd-1", "bench-0123abcd-1-kernel"));
	cr_expect(!mark_is_on("bench-0123abcd-1", "bench-0123abcd-1"));
	cr_expect(!mark_is_on("bench-0123abcd-1", "bench-0123abcd-1-"));
	cr_expect(!mark_is_on("bench-0123abcd-1", "bench-0123abcd-10-0"));
	cr_expect(!mark_is_on("bench-0123abcd-1", "bench-0123abcc-1-0"));
}

Test(vm_undo, random_marks_are_valid_and_differ)
{
	char one[MARK_SIZE], two[MARK_SIZE];

	cr_assert_eq(mark_make(one, NULL), 0);
	cr_assert_eq(mark_make(two, NULL), 0);
	cr_expect(mark_is_valid(one));
	cr_expect_str_neq(one, two);
}

Test(vm_undo, a_worker_has_the_mark_with_which_its_instances_begin)
{
	char mark[VM_UNDO_MARK];

	cr_assert(vm_undo_mark("/run/bench/0123abcd/w7", mark));
	cr_expect_str_eq(mark, "bench-0123abcd-7");
	cr_expect(!vm_undo_mark("/tmp/x", mark));
	cr_expect(!vm_undo_mark("/run/bench/0123abcd/w", mark));
	cr_expect(!vm_undo_mark("/run/bench/0123abcd/w7x", mark));
	cr_expect(!vm_undo_mark("0123abcd/w7", mark));
}

Test(vm_undo, nonsense_is_refused)
{
	static const char *const bad[] = {"",
					  "bench-0123abcd-1",
					  "bench-0123abcd-1 default",
					  "bench-0123abcd-1 default nonsense",
					  "bench-0123 default qemu:///system",
					  "bench-0123abcd-1 default lxc:///"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(vm_undo(bad[i], NULL), -EINVAL, "'%s'", bad[i]);
}

Test(vm_undo, a_daemon_that_is_gone_has_nothing_unless_it_is_far_away)
{
	struct error err = {0};
	char argument[256];

	cr_assert_eq(undo_argument("bench-0123abcd-1", "default", "qemu+unix:///system?socket=/nowhere", argument, sizeof(argument), &err),
		     0);
	cr_expect_eq(vm_undo(argument, &err), 0, "%s", err.message);
	cr_assert_eq(undo_argument("bench-0123abcd-1", "default", "qemu+tcp://127.0.0.1:1/system", argument, sizeof(argument), &err), 0);
	cr_expect_lt(vm_undo(argument, &err), 0);
	cr_expect(strstr(err.message, "bench-0123abcd-1-*") && strstr(err.message, "refused"), "%s", err.message);
	cr_expect_eq(undo_argument("bench-0123abcd-1", "two words", "qemu:///system", argument, sizeof(argument), &err), -EINVAL);
}

static int hang(void *arg, struct error *err)
{
	while (pause() < 0)
		;
	return 0;
}

static int die(void *arg, struct error *err)
{
	raise(SIGKILL);
	return 0;
}

static int complain(void *arg, struct error *err)
{
	return error_set(err, ENOENT, "%s", (const char *)arg);
}

Test(vm_undo, what_is_done_apart_has_a_time_limit_and_tells)
{
	struct error err = {0};
	int64_t start_ns = clock_now_ns();
	char words[] = "words";

	cr_expect_eq(apart(hang, NULL, 200, &err), -ETIMEDOUT);
	cr_expect_lt(clock_now_ns() - start_ns, INT64_C(5000000000));
	cr_expect_eq(apart(die, NULL, 5000, &err), -ECHILD);
	cr_expect_eq(apart(complain, words, 5000, &err), -ENOENT);
	cr_expect_str_eq(err.message, "words");
}
