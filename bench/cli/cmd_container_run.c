/* bench container run: the options, then the monitor. */
#include "container_command.h"

#include <containers/monitor.h>
#include <measure/run_dir.h>

#include <argp.h>
#include <errno.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum option_key {
	OPT_NAME = 256,
	OPT_RM,
	OPT_KEEP,
	OPT_HOSTNAME,
	OPT_ENV_FILE,
	OPT_ENTRYPOINT,
	OPT_ROOTFS,
	OPT_READ_ONLY,
	OPT_UPPER,
	OPT_MOUNT,
	OPT_DEVICE,
	OPT_NET,
	OPT_BRIDGE,
	OPT_SUBNET,
	OPT_MEMORY_HIGH,
	OPT_MEMORY_LOW,
	OPT_SWAP,
	OPT_CPUS,
	OPT_CPU_WEIGHT,
	OPT_CPUSET,
	OPT_PIDS,
	OPT_IO_WEIGHT,
	OPT_IO_READ,
	OPT_IO_WRITE,
	OPT_IOPS_READ,
	OPT_IOPS_WRITE,
	OPT_HUGETLB,
	OPT_NET_RATE,
	OPT_NET_PRIORITY,
	OPT_CAP_ADD,
	OPT_CAP_DROP,
	OPT_SECCOMP,
	OPT_NS,
	OPT_USERNS,
	OPT_CGROUP,
	OPT_TIMEOUT,
	OPT_DRY_RUN,
};

/* An option's long name is its name in containers/run_spec.h. */
static const struct argp_option option_table[] = {
	{"interactive", 'i', NULL, 0, "standard input goes in (default: an empty one)", 1},
	{"tty", 't', NULL, 0, "a terminal of its own inside", 1},
	{"detach", 'd', NULL, 0, "in the background; prints the id, keeps a log", 1},
	{"name", OPT_NAME, "NAME", 0, "a name beside the id", 1},
	{"rm", OPT_RM, NULL, 0, "remove its state when it ends (default)", 1},
	{"keep", OPT_KEEP, NULL, 0, "keep its state and log when it ends, until 'rm'", 1},
	{"timeout", OPT_TIMEOUT, "TIME", 0, "kill it after this time, e.g. 30s; exit status 124", 1},
	{"dry-run", OPT_DRY_RUN, NULL, 0, "print what would be done, step by step, and do nothing", 1},

	{"rootfs", OPT_ROOTFS, "DIR", 0, "a root folder instead of an image", 2},
	{"entrypoint", OPT_ENTRYPOINT, "PROGRAM", 0, "instead of the image's; empty: none", 2},
	{"env", 'e', "NAME=VALUE", 0, "environment; NAME alone: its value here", 2},
	{"env-file", OPT_ENV_FILE, "FILE", 0, "one NAME=VALUE a line, # begins a comment", 2},
	{"workdir", 'w', "DIR", 0, "working folder inside", 2},
	{"user", 'u', "USER[:GROUP]", 0, "names or numbers of the root's own /etc/passwd and /etc/group", 2},
	{"hostname", OPT_HOSTNAME, "NAME", 0, "default: the id", 2},

	{"read-only", OPT_READ_ONLY, NULL, 0, "root read-only (default: changes go into an overlay in memory, gone at the end)", 3},
	{"upper", OPT_UPPER, "DIR", 0, "changes go into DIR/upper and stay (DIR/work belongs to the overlay); both are made", 3},
	{"mount", OPT_MOUNT, "SRC:DST[:rw]", 0, "show a file or folder of the host inside, read-only unless rw", 3},
	{"volume", 'v', "SRC:DST[:rw]", OPTION_ALIAS, NULL, 3},
	{"device", OPT_DEVICE, "PATH", 0, "a device node of the host, e.g. /dev/fuse", 3},

	{"net", OPT_NET, "KIND", 0,
	 "own: loopback alone (default); none: not even that; host: that of the host; bridge: a link to the host and "
	 "to others on it; user: to the outside without root, by pasta or slirp4netns",
	 4},
	{"bridge", OPT_BRIDGE, "NAME", 0, "the bridge that is joined, or made (default: one for all containers without --subnet)", 4},
	{"subnet", OPT_SUBNET, "CIDR", 0, "of the bridge, which is then its own unless --bridge names one (default: a free one)", 4},
	{"net-rate", OPT_NET_RATE, "BYTES", 0, "each way, per second", 4},
	{"net-priority", OPT_NET_PRIORITY, "1-7", 0, "of what it sends", 4},

	{"memory", 'm', "SIZE", 0, "above it the kernel kills inside, e.g. 64M", 5},
	{"memory-high", OPT_MEMORY_HIGH, "SIZE", 0, "above it memory is taken back", 5},
	{"memory-low", OPT_MEMORY_LOW, "SIZE", 0, "below it memory is left alone", 5},
	{"swap", OPT_SWAP, "SIZE|unlimited", 0, "beside memory (default with --memory: none)", 5},
	{"cpus", OPT_CPUS, "NUMBER", 0, "e.g. 0.5", 5},
	{"cpu-weight", OPT_CPU_WEIGHT, "1-10000", 0, "share where others want the CPU too (100)", 5},
	{"cpuset", OPT_CPUSET, "LIST", 0, "which CPUs, e.g. 0-1,3", 5},
	{"pids", OPT_PIDS, "NUMBER", 0, "processes and threads", 5},
	{"io-weight", OPT_IO_WEIGHT, "1-10000", 0, "share of the disks (100)", 5},
	{"io-read", OPT_IO_READ, "DEV:BYTES", 0, "per second, e.g. /dev/sda:10M", 5},
	{"io-write", OPT_IO_WRITE, "DEV:BYTES", 0, "per second", 5},
	{"iops-read", OPT_IOPS_READ, "DEV:COUNT", 0, "requests per second", 5},
	{"iops-write", OPT_IOPS_WRITE, "DEV:COUNT", 0, "requests per second", 5},
	{"hugetlb", OPT_HUGETLB, "PAGE:BYTES", 0, "huge pages of one size, e.g. 2M:64M", 5},
	{"cgroup", OPT_CGROUP, "auto|on|off", 0,
	 "auto: what is permitted, the rest is a note; on: or fail (default: a limit that is asked for, or fail)", 5},

	{"cap-add", OPT_CAP_ADD, "NAME", 0, "capability that it keeps, beside the few of the default; ALL", 6},
	{"cap-drop", OPT_CAP_DROP, "NAME", 0, "capability that it does not get; ALL", 6},
	{"seccomp", OPT_SECCOMP, "on|off", 0, "filter of system calls (on)", 6},
	{"userns", OPT_USERNS, "auto|on|off", 0, "user namespace; auto: wherever the host has one to give (default)", 6},
	{"ns", OPT_NS, "KIND=own|host", 0, "one namespace: mount, pid, net, uts, ipc, time, cgroup (all own)", 6},
	{0},
};

struct run_command {
	struct run_spec spec;
	const char *const *rest;
	struct error err; /* of an option; code 0: fine */
};

/* The long name of a key; that of an alias is the one above it. */
static const char *option_name(int key)
{
	const char *real = NULL;

	for (const struct argp_option *option = option_table; option->name; option++) {
		if (!(option->flags & OPTION_ALIAS))
			real = option->name;
		if (option->key == key)
			return real;
	}
	return NULL;
}

/* Everything behind the image (or behind the options, with --rootfs) is the program's own. */
static void take_rest(struct run_command *command, struct argp_state *state)
{
	int first = state->next - 1;

	if (!command->spec.rootfs)
		command->spec.image = state->argv[first++];
	command->spec.argv = (const char *const *)state->argv + first;
	state->next = state->argc;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct run_command *command = state->input;
	const char *name;

	if (key == ARGP_KEY_ARG) {
		take_rest(command, state);
		return 0;
	}
	name = option_name(key);
	if (!name)
		return ARGP_ERR_UNKNOWN;
	if (!command->err.code) /* the first mistake is the one that is told */
		run_spec_set(&command->spec, name, arg, &command->err);
	return 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "IMAGE|DIR [COMMAND [ARGUMENT…]]\n--rootfs DIR [COMMAND [ARGUMENT…]]",
	.doc = "Runs a program in a container. What begins with / or . is a folder, anything else the name of an image (bench image "
	       "list).\v"
	       "Exit status: that of the program; 128 + n when signal n ended it; 124 after --timeout. Failures of bench itself: 2 usage, "
	       "3 could "
	       "not run.\n\n"
	       "Examples:\n"
	       "  bench container run -it debian bash\n"
	       "  bench container run -d --name web --net bridge ./root httpd -f\n"
	       "  bench container run --dry-run --rootfs ./root /bin/sh",
};

static int dry_run(const struct run_spec *spec, struct error *err)
{
	struct container_options options = spec->options;
	struct container_plan *plan;

	options.cgroup_name = "bench-ID";
	int rc = container_prepare(&options, &plan, err);
	if (rc < 0)
		return rc;
	container_plan_print(plan, stdout);
	container_plan_free(plan);
	return 0;
}

static int run(struct run_command *command, int *ret_status, struct error *err)
{
	struct run_spec *spec = &command->spec;
	struct monitor_end end = {0};
	struct run_program program;
	char base[PATH_MAX], id[FOLDER_ID_HEX + 1];
	int rc = run_dir_parent(base, sizeof(base), err);

	if (rc == 0)
		rc = run_program_find(spec, &program, err);
	if (rc < 0)
		return rc;
	if (spec->dry_run) {
		rc = dry_run(spec, err);
	} else if (spec->detach) {
		rc = monitor_background(base, spec, &program, id, err);
		if (rc == 0)
			puts(id);
	} else {
		rc = monitor_foreground(base, spec, &program, &end, err);
	}
	run_program_done(&program);
	if (rc == 0 && end.reason[0])
		fprintf(stderr, "bench: %s\n", end.reason);
	*ret_status = end.exit_status;
	return rc;
}

int cmd_container_run(int argc, char **argv)
{
	struct run_command command = {.spec = run_spec_default()};
	static const char *const nothing[] = {NULL};
	struct error err = {0};
	int status = EXIT_FINE;

	command.spec.argv = nothing;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &command);
	if (!command.err.code)
		run_spec_check(&command.spec, &command.err);
	if (command.err.code) {
		run_spec_done(&command.spec);
		return report_error(&command.err, EXIT_USAGE);
	}
	/* What a careless parent left open would stay open in the monitor, and somebody may wait for its end. */
	syscall(SYS_close_range, 3u, ~0u, 0);
	int rc = run(&command, &status, &err);
	run_spec_done(&command.spec);
	return rc < 0 ? report_error(&err, EXIT_COULD_NOT_RUN) : status;
}
