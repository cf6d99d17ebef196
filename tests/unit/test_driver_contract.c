/* Every driver of the registry keeps the contract of <bench/driver.h>: same calls, same promises. */
#include "scratch.h"

#include <base/journal.h>
#include <bench/driver.h>
#include <drivers/registry.h>
#include <measure/ladder.h>
#include <measure/run_dir.h>

#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct bench_world {
	struct scratch scratch;
	struct driver_spec spec;
	struct driver_config config;
	char cache[4096];
};

static void world_make(struct bench_world *world, const struct driver *driver)
{
	struct error err = {0};

	memset(world, 0, sizeof(*world));
	world->scratch = scratch_make();
	snprintf(world->spec.name, sizeof(world->spec.name), "%s", driver->name);
	snprintf(world->spec.label, sizeof(world->spec.label), "%s", driver->name);
	if (strcmp(driver->name, "command") == 0) {
		world->spec.n_options = 1;
		strcpy(world->spec.options[0].key, "argv");
		strcpy(world->spec.options[0].value, "{agent}");
	}
	cr_assert_eq(cache_dir_path(world->cache, sizeof(world->cache), true, &err), 0, "%s", err.message);
	world->config = (struct driver_config){.spec = &world->spec,
					       .agent_path = BENCH_AGENT,
					       .run_dir = world->scratch.path,
					       .cache_dir = world->cache,
					       .memory_bytes = 256 << 20,
					       .vcpus = 1,
					       .record_steps = true};
}

/* Skips, or fails when BENCH_MUST_RUN names the driver. */
static void needs(const struct driver *driver, struct bench_world *world)
{
	const char *must = getenv("BENCH_MUST_RUN");
	struct probe probe = {0};

	driver->probe(&world->config, &probe);
	cr_expect(probe.reason[0], "%s: a probe gives a reason", driver->name);
	if (probe.verdict != PROBE_NO)
		return;
	bool may_lack = strcmp(driver->name, "container") == 0 || strcmp(driver->name, "vm") == 0;
	cr_assert_not(!may_lack || (must && strstr(must, driver->name)), "%s must run here: %s", driver->name, probe.reason);
	scratch_remove(&world->scratch); /* nothing of the test runs after a skip */
	cr_skip_test("%s: %s", driver->name, probe.reason);
}

/* What a child found out, sent up in one piece. */
struct finding {
	char text[600];
};

#define check(condition, ...)                                                                                                              \
	do {                                                                                                                               \
		if (!(condition)) {                                                                                                        \
			snprintf(ret->text, sizeof(ret->text), __VA_ARGS__);                                                               \
			return;                                                                                                            \
		}                                                                                                                          \
	} while (0)

/* Steps are those that were declared, lie inside the start, and those of one lane one after the other, in whichever order. */
static void check_steps(const struct step_list *list, const struct step_times *times, const struct timeline *timeline, struct finding *ret)
{
	check(list->n == STEPS_MAX || !(times->present >> list->n), "steps that were not declared");
	check(list->n == 0 || times->present, "none of the declared steps was timed");
	for (size_t i = 0; i < list->n; i++) {
		if (!step_times_has(times, i))
			continue;
		check(times->at[i].begin_ns >= timeline->at_ns[MARK_REQUEST] && times->at[i].end_ns <= timeline->at_ns[MARK_READY],
		      "step %s lies outside the start", list->at[i].name);
		for (size_t j = 0; j < i; j++)
			check(!step_times_has(times, j) || list->at[i].lane != list->at[j].lane ||
				      times->at[j].end_ns <= times->at[i].begin_ns || times->at[i].end_ns <= times->at[j].begin_ns,
			      "steps %s and %s of one lane overlap", list->at[j].name, list->at[i].name);
	}
}

static void climb_twice(const struct driver *driver, void *state, const struct driver_info *info, struct finding *ret)
{
	for (int i = 0; i < 2; i++) {
		struct sample sample;
		struct step_times steps = {0};
		struct error err = {0};
		char id[48];

		snprintf(id, sizeof(id), "bench-contract-%d-%d", (int)getpid(), i);
		check(ladder_climb(driver, state, id, INT64_C(60000000000), &sample, i ? &steps : NULL, &err) == 0, "stop: %s",
		      err.message);
		check(sample.status == SAMPLE_OK, "start: %s", sample.reason);
		check(timeline_has(&sample.timeline, MARK_READY) && timeline_has(&sample.timeline, MARK_GONE), "a mark is missing");
		check(!sample.phases_disagree, "phases do not add up");
		if (i)
			check_steps(&info->steps, &steps, &sample.timeline, ret);
		if (ret->text[0])
			return;
	}
}

static void keep_contract(const struct driver *driver, const struct bench_world *world, struct finding *ret)
{
	struct driver_info info = {0};
	struct error err = {0};
	void *state = NULL;

	check(driver->open(&world->config, &state, &info, &err) == 0, "open: %s", err.message);
	/* Of an instance that was never started, and of one that is stopped already. */
	struct instance instance = INSTANCE_NONE;
	check(driver->stop(state, &instance, &err) == 0, "stop of nothing: %s", err.message);
	climb_twice(driver, state, &info, ret);
	check(strcmp(driver->name, "container") != 0 || info.steps.n > 0, "no step was declared");
	if (ret->text[0])
		return;
	struct timeline timeline = {0};
	snprintf(instance.id, sizeof(instance.id), "bench-contract-%d-x", (int)getpid());
	timeline_mark(&timeline, MARK_REQUEST);
	instance.deadline_ns = timeline.at_ns[MARK_REQUEST] + INT64_C(60000000000);
	check(driver->start(state, &instance, &timeline, &err) == 0, "start: %s", err.message);
	check(driver->stop(state, &instance, &err) == 0, "stop: %s", err.message);
	check(driver->stop(state, &instance, &err) == 0, "second stop: %s", err.message);
	check(instance.read_fd == -1 && instance.write_fd == -1, "the control stream is still open");
	check(!(driver->caps & DRIVER_IS_GUEST) || (driver_info_get(&info, "accelerator") && driver_info_get(&info, "machine")),
	      "a guest does not name accelerator and machine type");
	driver->close(state);
}

/* In a process of its own, as in a run; we are its subreaper, as the supervisor is. */
static void in_worker(const struct driver *driver, struct bench_world *world)
{
	struct finding finding = {.text = "the worker died"};
	int channel[2], status = 0;
	char journal_path[128];

	cr_assert_eq(pipe(channel), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	snprintf(journal_path, sizeof(journal_path), "%s/w0.journal", world->scratch.path);
	pid_t pid = fork();
	if (pid == 0) {
		struct finding found = {""};
		struct error err = {0};

		if (journal_open(journal_path, &world->config.journal, &err) < 0)
			_exit(1);
		keep_contract(driver, world, &found);
		_exit(write(channel[1], &found, sizeof(found)) == sizeof(found) ? 0 : 1);
	}
	close(channel[1]);
	for (pid_t gone = 0; gone != pid;)
		gone = waitpid(-1, &status, 0);
	cr_expect_eq(read(channel[0], &finding, sizeof(finding)), (ssize_t)sizeof(finding));
	close(channel[0]);
	cr_expect_str_eq(finding.text, "", "%s: %s", driver->name, finding.text);
	struct error err = {0};
	cr_expect_eq(journal_leftovers(journal_path, NULL, NULL), 0, "%s leaves something behind", driver->name);
	cr_expect_eq(journal_undo(journal_path, NULL, NULL, &err), 0, "%s", err.message);
}

static void contract_of(const char *name)
{
	const struct driver *driver = driver_find(name);
	struct bench_world world;

	cr_assert(driver);
	world_make(&world, driver);
	needs(driver, &world);
	in_worker(driver, &world);
	scratch_remove(&world.scratch);
}

Test(contract, null)
{
	contract_of("null");
}

Test(contract, mock)
{
	contract_of("mock");
}

Test(contract, process)
{
	contract_of("process");
}

Test(contract, command)
{
	contract_of("command");
}

Test(contract, container)
{
	contract_of("container");
}

Test(contract, vm)
{
	contract_of("vm");
}

Test(contract, the_registry_is_complete)
{
	static const char *const tested[] = {"null", "mock", "process", "command", "container", "vm"};
	size_t count = 0;

	for (; driver_registry[count]; count++) {
		const struct driver *driver = driver_registry[count];
		bool is_tested = false;

		for (size_t i = 0; i < sizeof(tested) / sizeof(tested[0]); i++)
			is_tested |= strcmp(driver->name, tested[i]) == 0;
		cr_expect(is_tested, "'%s' has no test here", driver->name);
		cr_expect(driver->summary && driver->probe && driver->open && driver->start && driver->stop && driver->close, "%s",
			  driver->name);
		cr_expect_eq(driver_find(driver->name), driver, "the name '%s' is taken twice", driver->name);
		for (const struct driver_option *option = driver->options; option && option->name; option++)
			cr_expect(option->argument && option->help, "%s: option %s has no help", driver->name, option->name);
	}
	cr_expect_eq(count, sizeof(tested) / sizeof(tested[0]));
}
