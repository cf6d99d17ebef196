/* Containers that cannot start: the error names the step, and nothing is left. */
#include "runtime_fixture.h"

#include <base/journal.h>

#include <signal.h>
#include <sys/mman.h>
#include <time.h>

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

static uint32_t *hangs; /* shared with the processes of a test */

static int hang_and_tell(struct child *child, const struct step *step)
{
	*hangs = 1;
	return hang(child, step);
}

/* The step behind `name` hangs: a container that stays half-made. */
static void hang_after(struct container_plan *plan, const char *name)
{
	size_t i = 0;

	while (i < plan->n_steps && strcmp(plan->steps[i].name, name) != 0)
		i++;
	cr_assert_lt(i + 1, plan->n_steps, "no step %s", name);
	plan->steps[i + 1].apply = hang_and_tell;
}

static void copy_argument(enum journal_kind kind, const char *argument, void *arg)
{
	if (kind == JOURNAL_PROCESS)
		snprintf(arg, 64, "%s", argument);
}

/* A process that is killed while its container is half-made; nobody else stops that. Returns the container's first process. */
static pid_t kill_starter(struct container_options *options, const char *journal_path)
{
	char named[64] = "";
	int64_t deadline_ns = clock_now_ns() + INT64_C(10000000000);
	pid_t between = fork();

	if (between == 0) {
		struct container_plan *plan = NULL;
		struct container container = CONTAINER_NONE;

		if (journal_open(journal_path, &options->journal, NULL) < 0 || container_prepare(options, &plan, NULL) < 0)
			_exit(1);
		hang_after(plan, plan->maps_ids ? "become-root" : "keyring");
		_exit(container_start(plan, "c-1", (const int[]){-1, -1, -1}, 0, &container, NULL) < 0 ? 2 : 3);
	}
	while (!__atomic_load_n(hangs, __ATOMIC_ACQUIRE) && clock_now_ns() < deadline_ns)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	cr_expect(*hangs, "it does not come that far");
	journal_leftovers(journal_path, copy_argument, named);
	kill(between, SIGKILL);
	cr_assert_eq(waitpid(between, NULL, 0), between);
	cr_assert(named[0], "a half-made container is not in the journal");
	return (pid_t)strtol(named, NULL, 10);
}

Test(container_failure, half_made_it_ends_with_its_parent)
{
	struct container_options options = options_here();
	char journal_path[128];
	int status = 0;

	snprintf(journal_path, sizeof(journal_path), "%s/journal", root);
	options.cgroup = CONTAINER_OFF;
	options.start_timeout_ms = 60000;
	hangs = mmap(NULL, sizeof(*hangs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(hangs, MAP_FAILED);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t inner = kill_starter(&options, journal_path);
	int64_t deadline_ns = clock_now_ns() + INT64_C(5000000000);
	while (waitpid(inner, &status, WNOHANG) == 0 && clock_now_ns() < deadline_ns)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	bool ended = kill(inner, 0) < 0;
	cr_expect(ended, "it outlived its parent");
	if (!ended) { /* then at least the journal ends it */
		cr_expect_eq(journal_undo(journal_path, NULL, NULL, NULL), 0);
		waitpid(inner, &status, 0);
	}
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
