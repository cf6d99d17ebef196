/* Options of a container as people write them. */
#include "container.h"

#include <errno.h>
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

static int set_network(struct container_options *options, const char *value, struct error *err)
{
	static const char *const words[] = {"own", "none", "bridge", "user", "host", NULL};
	static const enum container_network networks[] = {CONTAINER_NETWORK_LOOPBACK, CONTAINER_NETWORK_NONE, CONTAINER_NETWORK_BRIDGE,
							  CONTAINER_NETWORK_USER, CONTAINER_NETWORK_LOOPBACK};
	int at = place("net", value, words, "own, none, bridge, user or host", err);

	if (at < 0)
		return at;
	options->network = networks[at];
	if (strcmp(value, "host") == 0)
		options->namespaces &= ~(unsigned)CONTAINER_NS_NET;
	else
		options->namespaces |= CONTAINER_NS_NET;
	return 0;
}

int container_options_set(struct container_options *options, const char *key, const char *value, struct error *err)
{
	static const char *const own[] = {"own", "host", NULL}, *const choices[] = {"auto", "on", "off", NULL};
	enum container_choice *choice = strcmp(key, "userns") == 0   ? &options->userns
					: strcmp(key, "cgroup") == 0 ? &options->cgroup
								     : NULL;
	int at;

	if (choice) {
		at = place(key, value, choices, "auto, on or off", err);
		if (at >= 0)
			*choice = (enum container_choice)at;
		return at < 0 ? at : 0;
	}
	if (strcmp(key, "seccomp") == 0) {
		at = place(key, value, choices + 1, "on or off", err);
		if (at >= 0)
			options->seccomp_off = at == 1;
		return at < 0 ? at : 0;
	}
	if (strcmp(key, "net") == 0)
		return set_network(options, value, err);
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		if (strcmp(namespaces[i].key, key) != 0)
			continue;
		at = place(key, value, own, "own or host", err);
		if (at == 0)
			options->namespaces |= namespaces[i].flag;
		else if (at == 1)
			options->namespaces &= ~namespaces[i].flag;
		return at < 0 ? at : 0;
	}
	return error_set(err, ENOENT, "a container has no option '%.60s'", key);
}
