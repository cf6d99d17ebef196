/* Containers that cannot start: the error names the step, and nothing is left. */
#include "runtime_fixture.h"

TestSuite(container_failure, .init = setup, .fini = teardown, .timeout = 60);

static void expect_failure(struct container_plan *plan, const char *words, int code)
{
	struct container container = CONTAINER_NONE;
	struct error err = {0};

	cr_expect_eq(container_start(plan, "c-1", (int[]){0, 1, 2}, 0, &container, &err), -code, "%s", err.message);
	cr_expect_not_null(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
	cr_expect_eq(container.pidfd, -1, "untouched on failure");
}

Test(container_failure, failing_exec_names_the_step)
{
	static const char *const missing[] = {"/nope", NULL}, *const folder[] = {"/tmp", NULL};
	struct container_options options = options_here();

	options.argv = missing;
	struct container_plan *plan = plan_for(&options);
	expect_failure(plan, "container 'c-1': step exec /nope: No such file or directory", ENOENT);
	expect_failure(plan, "step exec /nope", ENOENT); /* the plan is still good for another try */
	container_plan_free(plan);
	options.argv = folder;
	plan = plan_for(&options);
	expect_failure(plan, "step exec /tmp: Permission denied", EACCES);
	container_plan_free(plan);
}

Test(container_failure, failure_half_way_leaves_nothing)
{
	static const char *const folders[] = {"sys", "dev", "run", "tmp", "proc"};
	struct container_options options = options_here();
	struct container_plan *plan = plan_for(&options);

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
		cr_assert_eq(rmdir(path), 0);
		expect_failure(plan, ": No such file or directory", ENOENT);
		cr_assert_eq(mkdir(path, 0755), 0);
	}
	container_plan_free(plan);
}

static int hang(struct child *child, const struct step *step)
{
	while (child->running)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return 0;
}

Test(container_failure, hanging_child_is_ended)
{
	struct container_options options = options_here();
	int64_t before_ns = clock_now_ns();

	options.start_timeout_ms = 200;
	struct container_plan *plan = plan_for(&options);
	plan->steps[plan->n_steps - 3].apply = hang;
	expect_failure(plan, "not done within 200 ms", ETIMEDOUT);
	cr_expect_lt(clock_now_ns() - before_ns, INT64_C(3000000000));
	container_plan_free(plan);
}

Test(container_failure, bad_names_are_refused)
{
	struct container_options options = options_here();
	struct container_plan *plan = plan_for(&options);
	struct container container = CONTAINER_NONE;
	struct error err = {0};

	cr_expect_lt(container_start(plan, "../x", (int[]){0, 1, 2}, 0, &container, &err), 0);
	cr_expect_lt(container_start(plan, "", (int[]){0, 1, 2}, 0, &container, &err), 0);
	container_plan_free(plan);
}
