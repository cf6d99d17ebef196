/* Containers in machines, through the driver: that they are containers, by the words of both sides; that their limit bites and the guest goes on; what becomes of
 * a start whose container, or whose machine, ends. */
#include "vm_scene.h"

#include <drivers/registry.h>
#include <measure/ladder.h>

#include <unistd.h>

enum { LIMIT_MIB = 64 };

struct world {
	struct driver_spec spec;
	struct driver_config config;
	struct driver_info info;
	const struct driver *driver;
	void *state;
	struct instance instance;
};

static void add_option(struct world *w, const char *key, const char *value)
{
	struct driver_option_value *option = &w->spec.options[w->spec.n_options++];

	strcpy(option->key, key);
	strcpy(option->value, value);
}

static bool open_world(struct world *w, const struct scene *s, const char *machine, bool shared)
{
	struct error err = {0};

	*w = (struct world){.driver = driver_find("vm"), .instance = INSTANCE_NONE};
	strcpy(w->spec.name, "vm");
	add_option(w, "kind", "container");
	add_option(w, "machine", machine);
	add_option(w, "shared", shared ? "on" : "off");
	w->config = (struct driver_config){.spec = &w->spec,
					   .agent_path = BENCH_AGENT,
					   .run_dir = s->run_dir,
					   .cache_dir = s->cache_dir,
					   .memory_bytes = LIMIT_MIB << 20,
					   .vcpus = 1};
	if (w->driver->open(&w->config, &w->state, &w->info, &err) == 0)
		return true;
	fail("open: %s (%s)", err.message, err.hint);
	return false;
}

static bool hear(struct world *w, const char *begin, char *ret, size_t size)
{
	while (line_read(w->instance.read_fd, in_ms(READY_MS), ret, size))
		if (strncmp(ret, begin, strlen(begin)) == 0)
			return true;
	fail("no line '%s'", begin);
	return false;
}

static void say(struct world *w, const char *line)
{
	size_t length = strlen(line);

	check(write(w->instance.write_fd, line, length) == (ssize_t)length, "write '%s'", line);
}

static bool begin(struct world *w, const char *id)
{
	struct timeline timeline = {0};
	struct error err = {0};
	char line[512];

	snprintf(w->instance.id, sizeof(w->instance.id), "%s", id);
	timeline_mark(&timeline, MARK_REQUEST);
	w->instance.deadline_ns = in_ms(READY_MS);
	if (w->driver->start(w->state, &w->instance, &timeline, &err) < 0) {
		fail("start %s: %s", id, err.message);
		return false;
	}
	if (!hear(w, "hello bench-agent", line, sizeof(line)))
		return false;
	/* It is the first of its processes, and so is what the guest says of it. */
	check(strstr(line, " pid=1 "), "not process 1 of its namespace: %s", line);
	say(w, "ping\n");
	return hear(w, "pong", line, sizeof(line));
}

static void end(struct world *w)
{
	struct error err = {0};

	check(w->driver->stop(w->state, &w->instance, &err) == 0, "stop: %s", err.message);
}

static void expect_fact(const struct world *w, const char *key, const char *expected)
{
	const char *value = driver_info_get(&w->info, key);

	check(value && strstr(value, expected), "%s is '%s', not '%s'", key, value ? value : "missing", expected);
}

/* Value of a fact as the guest tells it now. */
static long fact_now(struct world *w, const char *key)
{
	char line[512], wanted[64];
	long value = -1;

	snprintf(wanted, sizeof(wanted), "fact %s=", key);
	say(w, "guest look\n");
	while (line_read(w->instance.read_fd, in_ms(READY_MS), line, sizeof(line)) && strcmp(line, "facts end") != 0)
		if (strncmp(line, wanted, strlen(wanted)) == 0)
			value = strtol(line + strlen(wanted), NULL, 10);
	return value;
}

/* What the guest's kernel says of the container's first process, and of its group. */
static void is_container(const struct world *w)
{
	const char *pids = driver_info_get(&w->info, "container pids"), *caps = driver_info_get(&w->info, "container caps bounding");
	const char *shared = driver_info_get(&w->info, "container namespaces shared");
	unsigned long long set = caps ? strtoull(caps, NULL, 16) : ~0ULL;

	expect_fact(w, "container namespaces", "mnt pid net uts ipc cgroup");
	expect_fact(w, "container namespaces", "user");
	check(!shared || strcmp(shared, "time") == 0, "shared with the guest: %s", shared);
	check(pids && strchr(pids, ' ') && strcmp(strchr(pids, ' '), " 1") == 0 && strtol(pids, NULL, 10) > 1, "pids: %s",
	      pids ? pids : "missing");
	expect_fact(w, "container seccomp mode", "2");
	expect_fact(w, "container no new privileges", "1");
	/* Neither sys_admin (21), net_admin (12), sys_module (16), sys_ptrace (19), sys_boot (22) nor mknod (27). */
	check(set && !(set & (1 << 21 | 1 << 12 | 1 << 16 | 1 << 19 | 1 << 22 | 1 << 27)), "capabilities %s", caps ? caps : "missing");
	expect_fact(w, "container memory.max", "67108864");
	expect_fact(w, "container cpu.max", "100000 100000");
	expect_fact(w, "container pids.max", "512");
	expect_fact(w, "container cgroup.controllers", "cpu memory pids");
	expect_fact(w, "container cgroup", "v2 cpu memory pids");
	expect_fact(w, "container ids", "0-65535 are ");
}

/* The guest has 256 MiB, the container 64. */
static void limit_bites(struct world *w)
{
	char line[512];

	say(w, "touch 16\n");
	check(hear(w, "touched", line, sizeof(line)), "16 MiB");
	check(fact_now(w, "oom kills") == 0, "processes were ended already");
	say(w, "touch 150\n");
	check(hear(w, "error the process was ended", line, sizeof(line)), "150 MiB");
	check(fact_now(w, "oom kills") == 1, "nothing was ended for the container's limit");
	say(w, "ping\n");
	check(hear(w, "pong", line, sizeof(line)), "after the end of that process");
}

static void act_once(struct scene *s, const char *machine)
{
	struct world w;

	if (!open_world(&w, s, machine, false))
		return;
	is_container(&w);
	if (begin(&w, "a")) {
		limit_bites(&w);
		/* A root that cannot be written to, and a network of its own, with nobody in it. */
		char line[512];

		say(&w, "write /x\n");
		check(hear(&w, "error", line, sizeof(line)), "its root can be written to");
		say(&w, "connect 10.0.2.2 80\n");
		check(hear(&w, "error", line, sizeof(line)), "it has a network");
	}
	end(&w);
	w.driver->close(w.state);
}

static void act_q35(struct scene *s)
{
	act_once(s, "q35");
}

static void act_microvm(struct scene *s)
{
	act_once(s, "microvm");
}

static void play_with_runtime(void (*act)(struct scene *))
{
	struct scene s;

	prepare(&s);
	char guest[512];
	snprintf(guest, sizeof(guest), "%.*s/bench-guest", (int)(strrchr(BENCH_AGENT, '/') - BENCH_AGENT), BENCH_AGENT);
	if (access(guest, R_OK) < 0) {
		rmdir(s.run_dir);
		cr_assert(!must_run(), "%s is not there", guest);
		cr_skip_test("%s is not there: no static libraries", guest);
	}
	play(&s, act);
}

Test(vm_container, is_a_container_and_its_limit_bites)
{
	play_with_runtime(act_q35);
}

Test(vm_container, is_a_container_in_a_microvm)
{
	play_with_runtime(act_microvm);
}

static void act_shared(struct scene *s)
{
	struct world w;
	char line[512];

	if (!open_world(&w, s, "q35", true))
		return;
	is_container(&w);
	for (int i = 0; i < 3; i++) {
		char id[16];

		snprintf(id, sizeof(id), "c%d", i);
		if (begin(&w, id) && i == 0)
			limit_bites(&w);
		end(&w);
	}
	/* One that ends by itself is told, and the next one starts. */
	pid_t pid = 0;
	if (begin(&w, "ends")) {
		pid = w.instance.pids[0];
		say(&w, "quit\n");
		check(hear(&w, "gone ends: ", line, sizeof(line)) && strstr(line, "status 0"), "%s", line);
	}
	end(&w);
	end(&w); /* once more is nothing */
	w.driver->between(w.state);
	check(begin(&w, "next") && w.instance.pids[0] == pid, "not in the same machine");
	/* One that is busy for ever, and does not hear, is ended all the same. */
	say(&w, "run spin ops=1000000000000 seed=1\n");
	check(hear(&w, "begin", line, sizeof(line)), "no work");
	end(&w);
	w.driver->between(w.state);
	check(begin(&w, "after") && w.instance.pids[0] == pid, "not in the same machine");
	/* While one runs, another is refused; the one that runs does not mind. */
	say(&w, "guest start other\n");
	check(hear(&w, "gone other: ", line, sizeof(line)) && strstr(line, "runs already"), "%s", line);
	say(&w, "guest dance\n");
	check(hear(&w, "error", line, sizeof(line)), "%s", line);
	say(&w, "ping\n");
	check(hear(&w, "pong", line, sizeof(line)), "%s", line);
	end(&w);
	w.driver->close(w.state);
}

Test(vm_container, one_machine_for_many)
{
	play_with_runtime(act_shared);
}

static void climb(struct world *w, const char *id, struct sample *sample)
{
	struct error err = {0};

	check(ladder_climb(w->driver, w->state, id, READY_MS * INT64_C(1000000), sample, NULL, &err) == 0, "%s: stop: %s", id, err.message);
}

static pid_t pid_of_machine(struct world *w)
{
	pid_t pid = begin(w, "who") ? w->instance.pids[0] : 0;

	end(w);
	w->driver->between(w->state);
	return pid;
}

/* Killed while nobody looks: the next start fails and says why, the one after that works, in another machine. */
static void act_killed(struct scene *s)
{
	struct world w;
	struct sample sample;

	if (!open_world(&w, s, "q35", true))
		return;
	climb(&w, "before", &sample);
	check(sample.status == SAMPLE_OK, "before: %s", sample.reason);
	check(!(sample.timeline.present & (1u << MARK_LAUNCHED | 1u << MARK_SANDBOX | 1u << MARK_KERNEL | 1u << MARK_INIT)),
	      "a mark was made up");
	check(timeline_has(&sample.timeline, MARK_MAIN), "no T5");

	pid_t pid = pid_of_machine(&w);

	check(pid > 1 && kill(pid, SIGKILL) == 0, "no machine to kill");
	climb(&w, "fails", &sample);
	check(sample.status == SAMPLE_FAILED && strstr(sample.reason, "died or was killed"), "%d: %s", sample.status, sample.reason);
	climb(&w, "works", &sample);
	check(sample.status == SAMPLE_OK, "works: %s", sample.reason);
	check(pid_of_machine(&w) != pid, "the dead machine");
	w.driver->close(w.state);
}

Test(vm_container, a_killed_machine_costs_one_start)
{
	play_with_runtime(act_killed);
}
