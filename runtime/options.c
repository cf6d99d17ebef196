/* Options of a container as people write them. */
#include "container.h"

#include <base/units.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *key;
	unsigned flag;
} namespaces[] = {{"mount", CONTAINER_NS_MOUNT}, {"pid", CONTAINER_NS_PID},         {"uts", CONTAINER_NS_UTS},
		  {"ipc", CONTAINER_NS_IPC},     {"cgroupns", CONTAINER_NS_CGROUP}, {"time", CONTAINER_NS_TIME}};

struct container_options container_options_default(void)
{
	return (struct container_options){
		.namespaces = CONTAINER_NS_ALL,
		.uid = geteuid(),
		.gid = getegid(),
		.cgroup_name = "bench",
		.host_root = "",
	};
}

/* Place of a value among its words, which end with NULL. */
static int place(const char *key, const char *value, const char *const *words, const char *expected, struct error *err)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	return error_set(err, EINVAL, "option %s=%.60s: expected %s", key, value, expected);
}

static int set_choice(enum container_choice *ret, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"auto", "on", "off", NULL};
	int at = place(key, value, words, "auto, on or off", err);

	if (at >= 0)
		*ret = (enum container_choice)at;
	return at < 0 ? at : 0;
}

static int set_userns(struct container_options *options, const char *key, const char *value, struct error *err)
{
	return set_choice(&options->userns, key, value, err);
}

static int set_cgroup(struct container_options *options, const char *key, const char *value, struct error *err)
{
	return set_choice(&options->cgroup, key, value, err);
}

static int set_seccomp(struct container_options *options, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"on", "off", NULL};
	int at = place(key, value, words, "on or off", err);

	if (at >= 0)
		options->seccomp_off = at == 1;
	return at < 0 ? at : 0;
}

static int set_bare(struct container_options *options, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"on", "off", NULL};
	int at = place(key, value, words, "on or off", err);

	if (at >= 0)
		options->bare = at == 0;
	return at < 0 ? at : 0;
}

static int set_pool(struct container_options *options, const char *key, const char *value, struct error *err)
{
	int64_t slots;
	int rc = parse_integer("option pool", value, 0, 4096, &slots, err);

	if (rc == 0)
		options->pool = (unsigned)slots;
	return rc;
}

static int set_root(struct container_options *options, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"read-only", "overlay", "copy", NULL};
	int at = place(key, value, words, "read-only, overlay or copy", err);

	if (at >= 0)
		options->root = (enum container_root)at;
	return at < 0 ? at : 0;
}

/* "cgroup-cpu=off" and the like: that controller is not used. */
static int set_controller(struct container_options *options, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"on", "off", NULL};
	const char *name = key + strlen("cgroup-");
	enum cgroup_controller controller = name[0] == 'c' ? CGROUP_CPU : name[0] == 'm' ? CGROUP_MEMORY : CGROUP_PIDS;
	int at = place(key, value, words, "on or off", err);

	if (at == 0)
		options->without &= ~CGROUP_BIT(controller);
	else if (at == 1)
		options->without |= CGROUP_BIT(controller);
	return at < 0 ? at : 0;
}

static int set_capabilities(struct container_options *options, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"default", "all", NULL};
	int at = place(key, value, words, "default or all", err);

	if (at >= 0)
		options->capabilities_add =
			at == 1 ? ~(UINT64_C(1) << CAP_MKNOD | UINT64_C(1) << CAP_SYS_RAWIO) : 0; /* they need a list of devices */
	return at < 0 ? at : 0;
}

/* For the group, which holds: an affinity the container could widen. */
static int set_cpuset(struct container_options *options, const char *key, const char *value, struct error *err)
{
	struct cgroup_limits *limits = &options->limits;

	if (strspn(value, "0123456789,-") != strlen(value) || !value[0] || strlen(value) >= sizeof(limits->cpus))
		return error_set(err, EINVAL, "option cpuset=%.60s: expected a list of CPUs, e.g. 0-1,3", value);
	strcpy(limits->cpus, value);
	return 0;
}

static int set_tmpfs(struct container_options *options, const char *key, const char *value, struct error *err)
{
	return parse_bytes(value, &options->tmpfs_bytes, err);
}

static int set_network(struct container_options *options, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"own", "none", "bridge", "user", "host", NULL};
	static const enum container_network networks[] = {CONTAINER_NETWORK_LOOPBACK, CONTAINER_NETWORK_NONE, CONTAINER_NETWORK_BRIDGE,
							  CONTAINER_NETWORK_USER, CONTAINER_NETWORK_LOOPBACK};
	int at = place(key, value, words, "own, none, bridge, user or host", err);

	if (at < 0)
		return at;
	options->network = networks[at];
	if (strcmp(value, "host") == 0)
		options->namespaces &= ~(unsigned)CONTAINER_NS_NET;
	else
		options->namespaces |= CONTAINER_NS_NET;
	return 0;
}

static int set_bridge(struct container_options *options, const char *key, const char *value, struct error *err)
{
	options->bridge = value;
	return 0;
}

static int set_cpu(struct container_options *options, const char *key, const char *value, struct error *err)
{
	bool weight = strcmp(key, "cpu-weight") == 0;
	int64_t number;
	int rc = parse_integer(weight ? "option cpu-weight" : "option cpu", value, 1, weight ? 10000 : 100 * 512, &number, err);

	if (rc == 0)
		*(weight ? &options->limits.cpu_weight : &options->limits.cpu_percent) = (int)number;
	return rc;
}

static int set_namespace(struct container_options *options, unsigned flag, const char *key, const char *value, struct error *err)
{
	static const char *const words[] = {"own", "host", NULL};
	int at = place(key, value, words, "own or host", err);

	if (at == 0)
		options->namespaces |= flag;
	else if (at == 1)
		options->namespaces &= ~flag;
	return at < 0 ? at : 0;
}

static const struct {
	const char *key;
	int (*set)(struct container_options *options, const char *key, const char *value, struct error *err);
} setters[] = {
	{"userns", set_userns},
	{"cgroup", set_cgroup},
	{"seccomp", set_seccomp},
	{"root", set_root},
	{"tmpfs", set_tmpfs},
	{"net", set_network},
	{"bridge", set_bridge},
	{"cpu", set_cpu},
	{"cpu-weight", set_cpu},
	{"bare", set_bare},
	{"pool", set_pool},
	{"cgroup-cpu", set_controller},
	{"cgroup-memory", set_controller},
	{"cgroup-pids", set_controller},
	{"cpuset", set_cpuset},
	{"capabilities", set_capabilities},
};

int container_options_set(struct container_options *options, const char *key, const char *value, struct error *err)
{
	for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++)
		if (strcmp(setters[i].key, key) == 0)
			return setters[i].set(options, key, value, err);
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		if (strcmp(namespaces[i].key, key) == 0)
			return set_namespace(options, namespaces[i].flag, key, value, err);
	return error_set(err, ENOENT, "a container has no option '%.60s'", key);
}
