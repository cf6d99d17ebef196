/* What is special about some attacks: what the image brings, what the options ask for, what the host looks at meanwhile. */
#include "stage.h"

#include <base/files.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "attack_list.h"

enum { RACES = 60, ENTRIES_MS = 3000 };

static void folder_in(const struct stage *stage, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", stage->image, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		abort();
}

static void link_in(const struct stage *stage, const char *target, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", stage->image, name);
	if (symlink(target, path) < 0)
		abort();
}

/* ---- images ---- */

/* A script whose interpreter is whoever calls exec; its dynamic loader, which comes from the image, is the attack. */
static void set_exe_interpreter(struct stage *stage)
{
	char path[128];

	stage_write(stage, "script", "#!/proc/self/exe\n", 0755);
	folder_in(stage, "lib64");
	snprintf(path, sizeof(path), "%s/lib64/ld-linux-x86-64.so.2", stage->image);
	stage_copy(stage->program, path, 0755);
	stage->argv[0] = "/script";
}

static void set_working_dir(struct stage *stage)
{
	stage->options.working_dir = "/proc/self/fd/50";
}

/* The link, and a script whose interpreter it is. While the runtime's descriptors are open these paths lead out of the root. */
static void play_program_links(struct stage *stage, const char *attack, struct outcome *outcome)
{
	static const char *const ways[] = {"/proc/self/fd/50/attack", "/proc/thread-self/fd/50/attack", "/proc/1/fd/50/attack",
					   "/dev/fd/50/attack"};
	char script[64], program[128];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && outcome->kind == OUTCOME_HELD; i++) {
		snprintf(program, sizeof(program), "%s/program", stage->image);
		link_in(stage, ways[i], "program");
		stage->argv[0] = "/program";
		stage_start(stage, NULL, outcome);
		unlink(program);
		snprintf(script, sizeof(script), "#!%s\n", ways[i]);
		stage_write(stage, "program", script, 0755);
		if (outcome->kind == OUTCOME_HELD)
			stage_start(stage, NULL, outcome);
		unlink(program);
	}
}

static void set_fake_proc(struct stage *stage)
{
	static const char *const files[] = {"uid_map",   "gid_map",        "setgroups",     "oom_score_adj",
					    "attr/exec", "attr/keycreate", "timens_offsets"};

	folder_in(stage, "proc/self");
	folder_in(stage, "proc/self/attr");
	folder_in(stage, "proc/sys");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "proc/self/%s", files[i]);
		stage_write(stage, name, "untouched\n", 0666);
	}
}

static void set_mask_source(struct stage *stage)
{
	link_in(stage, "/proc/sys/kernel/core_pattern", "dev/null");
	link_in(stage, "/proc/sysrq-trigger", "dev/console");
	link_in(stage, "/proc", "dev/pts");
	link_in(stage, "/", "proc/acpi");
	stage_write(stage, "proc/kcore", "", 0666);
}

static void set_nodes(struct stage *stage)
{
	static const struct {
		const char *name;
		mode_t type;
		unsigned major_number, minor_number;
	} nodes[] = {{"node-mem", S_IFCHR, 1, 1}, {"node-kmsg", S_IFCHR, 1, 11}, {"node-loop0", S_IFBLK, 7, 0}};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", stage->image, nodes[i].name);
		if (mknod(path, nodes[i].type | 0600, makedev(nodes[i].major_number, nodes[i].minor_number)) < 0)
			perror(path);
	}
}

static void set_setuid(struct stage *stage)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/setuid", stage->image);
	stage_copy(stage->program, path, 04755);
}

/* ---- options ---- */

static void set_cpuset(struct stage *stage)
{
	stage->options.cpuset = "0";
	strcpy(stage->options.limits.cpus, "0");
}

static void set_overlay(struct stage *stage)
{
	stage->layers[0] = stage->outside;
	stage->options.layers = stage->layers;
	stage->options.root = CONTAINER_ROOT_OVERLAY;
}

static void set_terminal(struct stage *stage)
{
	link_in(stage, "/proc/sys/kernel/core_pattern", "dev/console");
	link_in(stage, "/proc", "dev/pts");
	stage->options.terminal = true;
}

static void set_device(struct stage *stage)
{
	static const char *const devices[] = {"/dev/loop-control", NULL};

	stage->options.devices = devices;
}

/* ---- folders that are links ---- */

static const char *const folders[] = {"proc", "sys", "dev", "tmp", "run"};
enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };

static bool swap_for_link(const struct stage *stage, const char *folder, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", stage->image, folder);
	return rmdir(path) == 0 && symlink(target, path) == 0;
}

static bool swap_for_folder(const struct stage *stage, const char *folder)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", stage->image, folder);
	return unlink(path) == 0 && mkdir(path, 0755) == 0;
}

/* Before the plan is made, and between plan and start, when what was checked is no longer so. */
static void play_root_links(struct stage *stage, const char *attack, struct outcome *outcome)
{
	const char *const targets[] = {stage->outside, "/proc/self/fd/50", "../../outside", "/", "/proc"};
	struct outcome one = {.kind = OUTCOME_HELD};
	int ran = 0, refused = 0;

	for (size_t f = 0; f < FOLDERS; f++)
		for (size_t t = 0; t < sizeof(targets) / sizeof(targets[0]); t++)
			for (int late = 0; late < 2 && one.kind == OUTCOME_HELD; late++) {
				struct container_plan *plan = NULL;

				if (!late && !swap_for_link(stage, folders[f], targets[t]))
					abort();
				if (container_prepare(&stage->options, &plan, &(struct error){0}) < 0)
					refused++;
				if (late && !swap_for_link(stage, folders[f], targets[t]))
					abort();
				if (plan) {
					stage_start_prepared(stage, plan, NULL, &one);
					*(strncmp(one.how, "refused", 7) == 0 ? &refused : &ran) += 1;
				}
				container_plan_free(plan);
				if (!swap_for_folder(stage, folders[f]))
					abort();
			}
	*outcome = one;
	if (one.kind == OUTCOME_HELD)
		outcome_set(outcome, OUTCOME_HELD, "%d starts refused, %d with the mounts inside the root", refused, ran);
}

struct racer {
	char folder[256], link[256];
	atomic_bool end;
	long swaps;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	const struct timespec pause = {.tv_nsec = 20000};

	while (!atomic_load(&racer->end)) {
		if (renameat2(AT_FDCWD, racer->folder, AT_FDCWD, racer->link, RENAME_EXCHANGE) == 0)
			racer->swaps++;
		nanosleep(&pause, NULL);
	}
	if (racer->swaps % 2 != 0)
		renameat2(AT_FDCWD, racer->folder, AT_FDCWD, racer->link, RENAME_EXCHANGE);
	return NULL;
}

/* Starts again and again while `folder` of the image changes places with a link to `target`. */
static void race_starts(struct stage *stage, const char *folder, const char *target, struct outcome *outcome)
{
	struct racer racer = {.end = false};
	int refused = 0, ran = 0;
	pthread_t thread;

	snprintf(racer.folder, sizeof(racer.folder), "%s/%s", stage->image, folder);
	snprintf(racer.link, sizeof(racer.link), "%s/%s-link", stage->image, folder);
	if (symlink(target, racer.link) < 0 || pthread_create(&thread, NULL, race, &racer) != 0)
		abort();
	for (int i = 0; i < RACES && outcome->kind == OUTCOME_HELD; i++) {
		stage_start(stage, NULL, outcome);
		*(strncmp(outcome->how, "refused", 7) == 0 ? &refused : &ran) += 1;
	}
	atomic_store(&racer.end, true);
	pthread_join(thread, NULL);
	unlink(racer.link);
	if (outcome->kind == OUTCOME_HELD)
		outcome_set(outcome, OUTCOME_HELD, "%ld swaps, %d starts refused, %d with the mounts inside the root", racer.swaps, refused,
			    ran);
}

static void play_root_race(struct stage *stage, const char *attack, struct outcome *outcome)
{
	race_starts(stage, "tmp", stage->outside, outcome);
}

static void play_mount_race(struct stage *stage, const char *attack, struct outcome *outcome)
{
	const struct container_mount mounts[] = {{.source = stage->outside, .target = "/data/inner", .writable = true}};
	char inside[128], outside[128];

	/* The same folder is there either way the link leads. */
	snprintf(inside, sizeof(inside), "%s/data/inner", stage->image);
	snprintf(outside, sizeof(outside), "%s/inner", stage->outside);
	if (mkdir(inside, 0755) < 0 || mkdir(outside, 0755) < 0)
		abort();
	stage->options.mounts = mounts;
	stage->options.n_mounts = 1;
	race_starts(stage, "data", stage->outside, outcome);
	if (rmdir(inside) < 0 || rmdir(outside) < 0)
		outcome_set(outcome, OUTCOME_ESCAPED, "a mount is left on the host: %s", strerror(errno));
}

/* The volume's source, which somebody else may write around, changes places with a link. */
static void play_source_race(struct stage *stage, const char *attack, struct outcome *outcome)
{
	char source[128], place[128];

	snprintf(source, sizeof(source), "%s/data", stage->image);
	const struct container_mount mounts[] = {{.source = source, .target = "/mnt"}};

	snprintf(place, sizeof(place), "%s/mnt", stage->image);
	folder_in(stage, "mnt");
	stage->options.mounts = mounts;
	stage->options.n_mounts = 1;
	race_starts(stage, "data", stage->outside, outcome);
	rmdir(place);
}

static void play_mount_over_proc(struct stage *stage, const char *attack, struct outcome *outcome)
{
	static const char *const targets[] = {"/proc", "/proc/sys", "/proc/self", "/sys", "/", "/data/../proc"};
	char words[400] = "";

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]) && outcome->kind == OUTCOME_HELD; i++) {
		const struct container_mount mounts[] = {{.source = stage->outside, .target = targets[i], .writable = true}};

		stage->options.mounts = mounts;
		stage->options.n_mounts = 1;
		stage_start(stage, NULL, outcome);
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s: %.60s; ", targets[i], outcome->how);
	}
	if (outcome->kind == OUTCOME_HELD)
		outcome_set(outcome, OUTCOME_HELD, "%s", words);
}

/* ---- the host, meanwhile ---- */

static void during_files(struct stage *stage, struct container *container, struct outcome *outcome)
{
	int fd = open(stage->file, O_RDONLY | O_CLOEXEC), pair[2];

	if (fd < 0 || pipe2(pair, O_CLOEXEC) < 0) {
		outcome_set(outcome, OUTCOME_ESCAPED, "the host opens no file: %s", strerror(errno));
		return;
	}
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void during_fork(struct stage *stage, struct container *container, struct outcome *outcome)
{
	char *state = stage_host_state(stage);

	if (state && !strstr(state, "fork: works"))
		outcome_set(outcome, OUTCOME_ESCAPED, "the host makes no process");
	free(state);
}

static void during_inotify(struct stage *stage, struct container *container, struct outcome *outcome)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		outcome_set(outcome, OUTCOME_ESCAPED, "inotify_init on the host, same user: %s", strerror(errno));
	else
		close(fd);
}

static void during_timers(struct stage *stage, struct container *container, struct outcome *outcome)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		outcome_set(outcome, OUTCOME_ESCAPED, "timer_create on the host, same user: %s", strerror(errno));
	else
		timer_delete(timer);
}

static void during_entries(struct stage *stage, struct container *container, struct outcome *outcome)
{
	static const char *const argv[] = {"/attack", "nothing", NULL};
	struct container_exec_options options = {.pid = container->pid, .argv = argv, .envp = (const char *const *)stage->variables};
	int64_t end_ns = clock_now_ns() + (int64_t)ENTRIES_MS * 1000000;

	for (size_t i = 0; i < container->cgroup.n_dirs && i < CGROUP_CONTROLLER_COUNT; i++)
		options.cgroup_dirs[i] = container->cgroup.dirs[i];
	while (clock_now_ns() < end_ns) {
		struct container entered = CONTAINER_NONE;

		if (container_exec(&options, (const int[3]){-1, -1, -1}, &entered, NULL) == 0)
			container_stop(NULL, &entered, NULL);
	}
}

/* The second container: the same options, a group of its own, and told which process is the first. */
static void during_neighbour(struct stage *stage, struct container *container, struct outcome *outcome)
{
	struct container_options options = stage->options;
	struct container_plan *plan = NULL;
	struct error err = {0};
	char told[32], group[80];
	const char *variables[STAGE_VARIABLES + 2];
	size_t n = stage->n_variables;

	memcpy(variables, stage->variables, n * sizeof(*variables));
	snprintf(told, sizeof(told), "NEIGHBOUR=%d", (int)container->pid);
	snprintf(group, sizeof(group), "%s-second", stage->cgroup_name);
	variables[n] = told;
	variables[n + 1] = NULL;
	options.envp = variables;
	options.cgroup_name = group;
	if (container_prepare(&options, &plan, &err) < 0) {
		outcome_set(outcome, OUTCOME_BROKEN, "the second container: %s", err.message);
		return;
	}
	stage_start_prepared(stage, plan, NULL, outcome);
	container_plan_free(plan);
	if (strncmp(outcome->how, "refused", 7) == 0)
		outcome->kind = OUTCOME_BROKEN;
}

static void set_shared_volume(struct stage *stage)
{
	static struct container_mount mount;
	static char shared[128];

	folder_in(stage, "mnt");
	snprintf(shared, sizeof(shared), "%s/data", stage->image);
	if (chmod(shared, 0777) < 0)
		abort();
	mount = (struct container_mount){.source = shared, .target = "/mnt", .writable = true};
	stage->options.mounts = &mount;
	stage->options.n_mounts = 1;
}

const struct scene scenes[] = {
	{.attack = "exe_interpreter", .set = set_exe_interpreter},
	{.attack = "exe_of_exec", .during = during_entries},
	{.attack = "memory_of_exec", .during = during_entries},
	{.attack = "exec_into_full_group", .during = during_entries},
	{.attack = "working_dir_descriptor", .set = set_working_dir},
	{.attack = "program_descriptor", .play = play_program_links},
	{.attack = "fake_proc", .set = set_fake_proc},
	{.attack = "mask_source", .set = set_mask_source},
	{.attack = "root_links", .play = play_root_links},
	{.attack = "root_race", .play = play_root_race},
	{.attack = "mount_race", .play = play_mount_race},
	{.attack = "mount_over_proc", .play = play_mount_over_proc},
	{.attack = "overlay_layers", .set = set_overlay},
	{.attack = "terminal_race", .set = set_terminal},
	{.attack = "affinity", .set = set_cpuset},
	{.attack = "setuid_program", .set = set_setuid},
	{.attack = "image_nodes", .set = set_nodes},
	{.attack = "given_device", .set = set_device},
	{.attack = "source_race", .play = play_source_race},
	{.attack = "neighbour", .during = during_neighbour},
	{.attack = "passed_folder", .set = set_shared_volume, .during = during_neighbour},
	{.attack = "netlink", .during = during_fork},
	{.attack = "fork_bomb", .during = during_fork},
	{.attack = "descriptor_flood", .during = during_files},
	{.attack = "pipe_flood", .during = during_files},
	{.attack = "inotify_flood", .during = during_inotify},
	{.attack = "timer_flood", .during = during_timers},
	{.attack = NULL},
};
