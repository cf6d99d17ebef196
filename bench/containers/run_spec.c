#include "run_spec.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_LENGTH_MAX = 63, ENV_LINE_MAX = 65536 };

struct run_spec run_spec_default(void)
{
	struct run_spec spec = {.options = container_options_default()};

	spec.options.root = CONTAINER_ROOT_OVERLAY;
	spec.options.die_with_parent = true;
	spec.options.limits.devices_closed = geteuid() == 0;
	spec.options.limits.freezable = true;
	spec.options.accounting = CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_IO);
	return spec;
}

void run_spec_done(struct run_spec *spec)
{
	texts_done(&spec->environment);
	texts_done(&spec->devices);
	texts_done(&spec->texts);
}

/* ---- text ---- */

static int set_rootfs(struct run_spec *spec, const char *value, struct error *err)
{
	spec->rootfs = value;
	return 0;
}

static bool is_name(const char *text, const char *also)
{
	size_t length = strlen(text);
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	if (length == 0 || length > NAME_LENGTH_MAX || text[0] == '-')
		return false;
	for (; *text; text++)
		if (!strchr(plain, *text) && !strchr(also, *text))
			return false;
	return true;
}

static int set_name(struct run_spec *spec, const char *value, struct error *err)
{
	if (!is_name(value, "_.") || value[0] == '.')
		return error_set(err, EINVAL, "'%.80s' is no name: at most %d letters, digits, '-', '_' and '.'", value, NAME_LENGTH_MAX);
	if (strlen(value) == 12 && strspn(value, "0123456789abcdef") == 12)
		return error_set(err, EINVAL, "'%s' looks like the id of a container, which a name must not", value);
	spec->name = value;
	return 0;
}

static int set_hostname(struct run_spec *spec, const char *value, struct error *err)
{
	if (!is_name(value, "."))
		return error_set(err, EINVAL, "'%.80s' is no host name: at most %d letters, digits, '-' and '.'", value, NAME_LENGTH_MAX);
	spec->options.hostname = value;
	return 0;
}

static int set_user(struct run_spec *spec, const char *value, struct error *err)
{
	spec->user = value;
	return value[0] ? 0 : error_set(err, EINVAL, "expected USER, UID or UID:GID");
}

static int set_working_dir(struct run_spec *spec, const char *value, struct error *err)
{
	spec->working_dir = value;
	return value[0] == '/' ? 0 : error_set(err, EINVAL, "'%.200s' must be an absolute path inside the container", value);
}

static int set_entrypoint(struct run_spec *spec, const char *value, struct error *err)
{
	spec->entrypoint = value;
	return 0;
}

static int set_env(struct run_spec *spec, const char *value, struct error *err)
{
	size_t length = strcspn(value, "=");
	const char *own = value[length] ? NULL : getenv(value);
	char line[ENV_LINE_MAX];

	if (length == 0)
		return error_set(err, EINVAL, "'%.80s': expected NAME=VALUE, or NAME for its value here", value);
	if (value[length])
		texts_set_variable(&spec->environment, value);
	else if (own && path_format(line, sizeof(line), err, "%s=%s", value, own) == 0)
		texts_set_variable(&spec->environment, line);
	return texts_check(&spec->environment, err);
}

static int set_env_file(struct run_spec *spec, const char *value, struct error *err)
{
	_cleanup_fclose_ FILE *file = fopen(value, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int rc = 0, number = 0;

	if (!file)
		return error_errno(err, "%s", value);
	while (rc == 0 && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		const char *text = line + strspn(line, " \t");

		number++;
		if (*text && *text != '#' && (rc = set_env(spec, text, err)) < 0)
			error_prefix(err, "%s: line %d", value, number);
	}
	return rc;
}

/* ---- what becomes of the root, and what is shown in it ---- */

static int set_read_only(struct run_spec *spec, const char *value, struct error *err)
{
	spec->options.root = CONTAINER_ROOT_READ_ONLY;
	return 0;
}

static int set_upper(struct run_spec *spec, const char *value, struct error *err)
{
	char path[PATH_MAX];

	if (!realpath(value, path))
		return error_errno(err, "folder %s", value);
	texts_add(&spec->texts, "%s", path);
	if (spec->texts.failed)
		return error_set(err, ENOMEM, "out of memory");
	spec->options.root = CONTAINER_ROOT_UPPER;
	spec->options.upper = spec->texts.list[spec->texts.n - 1];
	return 0;
}

/* SOURCE:TARGET[:ro|:rw] */
static int set_mount(struct run_spec *spec, const char *value, struct error *err)
{
	char source[PATH_MAX], path[PATH_MAX];
	size_t at = spec->options.n_mounts;
	const char *colon = strchr(value, ':'), *mode = colon ? strchr(colon + 1, ':') : NULL;
	int target_length = colon ? (int)(mode ? mode - colon - 1 : (long)strlen(colon + 1)) : 0;

	if (!colon || colon == value || target_length == 0)
		return error_set(err, EINVAL, "'%.200s': expected SOURCE:TARGET or SOURCE:TARGET:rw", value);
	if (mode && strcmp(mode, ":rw") != 0 && strcmp(mode, ":ro") != 0)
		return error_set(err, EINVAL, "'%.200s': after the target only :ro or :rw is known", value);
	if (colon[1] != '/')
		return error_set(err, EINVAL, "target '%.*s' must be an absolute path inside the container", target_length, colon + 1);
	if (at == RUN_MOUNTS_MAX)
		return error_set(err, E2BIG, "more than %d", RUN_MOUNTS_MAX);
	if (path_format(source, sizeof(source), err, "%.*s", (int)(colon - value), value) < 0)
		return -ENAMETOOLONG;
	if (!realpath(source, path))
		return error_errno(err, "source %s", source);
	texts_add(&spec->texts, "%s", path);
	texts_add(&spec->texts, "%.*s", target_length, colon + 1);
	if (spec->texts.failed)
		return error_set(err, ENOMEM, "out of memory");
	spec->mounts[at] = (struct container_mount){.source = spec->texts.list[spec->texts.n - 2],
						    .target = spec->texts.list[spec->texts.n - 1],
						    .writable = mode && strcmp(mode, ":rw") == 0};
	spec->options.n_mounts++;
	return 0;
}

static int set_device(struct run_spec *spec, const char *value, struct error *err)
{
	struct stat st;

	if (strncmp(value, "/dev/", 5) != 0 || strstr(value, "/../"))
		return error_set(err, EINVAL, "'%.200s': expected a path below /dev", value);
	if (stat(value, &st) < 0)
		return error_errno(err, "device %s", value);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, ENODEV, "%s is no device", value);
	texts_add(&spec->devices, "%s", value);
	return texts_check(&spec->devices, err);
}

/* ---- switches ---- */

static int set_interactive(struct run_spec *spec, const char *value, struct error *err)
{
	spec->interactive = true;
	return 0;
}

static int set_tty(struct run_spec *spec, const char *value, struct error *err)
{
	spec->terminal = true;
	return 0;
}

static int set_detach(struct run_spec *spec, const char *value, struct error *err)
{
	spec->detach = true;
	return 0;
}

static int set_keep(struct run_spec *spec, const char *value, struct error *err)
{
	spec->keep = true;
	return 0;
}

static int set_rm(struct run_spec *spec, const char *value, struct error *err)
{
	spec->keep = false;
	return 0;
}

static int set_dry_run(struct run_spec *spec, const char *value, struct error *err)
{
	spec->dry_run = true;
	return 0;
}

static int set_timeout(struct run_spec *spec, const char *value, struct error *err)
{
	int rc = parse_duration_ns(value, &spec->timeout_ns, err);

	return rc == 0 && spec->timeout_ns == 0 ? error_set(err, EINVAL, "'%s': expected more than nothing", value) : rc;
}

/* ---- isolation ---- */

static int set_net(struct run_spec *spec, const char *value, struct error *err)
{
	static const struct {
		const char *word;
		enum container_network network;
		bool own;
	} words[] = {{"own", CONTAINER_NETWORK_LOOPBACK, true},
		     {"none", CONTAINER_NETWORK_NONE, true},
		     {"host", CONTAINER_NETWORK_LOOPBACK, false},
		     {"bridge", CONTAINER_NETWORK_BRIDGE, true},
		     {"user", CONTAINER_NETWORK_USER, true}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, value) != 0)
			continue;
		spec->options.network = words[i].network;
		spec->options.namespaces |= CONTAINER_NS_NET;
		if (!words[i].own)
			spec->options.namespaces &= ~(unsigned)CONTAINER_NS_NET;
		return 0;
	}
	return error_set(err, EINVAL, "'%.60s': expected own, none, host, bridge or user", value);
}

static int set_subnet(struct run_spec *spec, const char *value, struct error *err)
{
	spec->options.subnet = value;
	return strchr(value, '/') ? 0 : error_set(err, EINVAL, "'%.60s': expected an IPv4 network, e.g. 10.99.0.0/24", value);
}

static int set_bridge(struct run_spec *spec, const char *value, struct error *err)
{
	spec->options.bridge = value;
	return value[0] ? 0 : error_set(err, EINVAL, "expected the name of a bridge");
}

static int set_cap_add(struct run_spec *spec, const char *value, struct error *err)
{
	uint64_t set = 0;
	int rc = run_capability(value, &set, err);

	spec->options.capabilities_add |= set;
	return rc;
}

static int set_cap_drop(struct run_spec *spec, const char *value, struct error *err)
{
	uint64_t set = 0;
	int rc = run_capability(value, &set, err);

	spec->options.capabilities_drop |= set;
	return rc;
}

static int set_choice(struct run_spec *spec, const char *key, const char *value, struct error *err)
{
	struct error found = {0};

	if (container_options_set(&spec->options, key, value, &found) == 0)
		return 0;
	const char *expected = strstr(found.message, "expected "); /* the runtime speaks of key=value, the command line does not */
	return error_set(err, EINVAL, "'%.60s': %s", value, expected ? expected : found.message);
}

static int set_seccomp(struct run_spec *spec, const char *value, struct error *err)
{
	return set_choice(spec, "seccomp", value, err);
}

static int set_userns(struct run_spec *spec, const char *value, struct error *err)
{
	return set_choice(spec, "userns", value, err);
}

static int set_cgroup(struct run_spec *spec, const char *value, struct error *err)
{
	spec->cgroup_chosen = true;
	return set_choice(spec, "cgroup", value, err);
}

/* KIND=own|host, with the names of /proc/PID/ns as well as the runtime's. */
static int set_ns(struct run_spec *spec, const char *value, struct error *err)
{
	static const struct {
		const char *word, *key;
	} words[] = {{"mount", "mount"}, {"mnt", "mount"}, {"pid", "pid"},         {"net", "net"},          {"uts", "uts"},
		     {"ipc", "ipc"},     {"time", "time"}, {"cgroup", "cgroupns"}, {"cgroupns", "cgroupns"}};
	size_t length = strcspn(value, "=");

	for (size_t i = 0; value[length] && i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == length && strncmp(words[i].word, value, length) == 0)
			return set_choice(spec, words[i].key, value + length + 1, err);
	error_set(err, EINVAL, "'%.60s': expected mount, pid, net, uts, ipc, time or cgroup, and =own or =host", value);
	return strncmp(value, "user", 4) == 0 ? error_hint(err, "the user namespace has an option of its own: --userns auto|on|off")
					      : -EINVAL;
}

/* ---- the table ---- */

static const struct run_option options[] = {
	{"rootfs", set_rootfs},
	{"name", set_name},
	{"hostname", set_hostname},
	{"user", set_user},
	{"workdir", set_working_dir},
	{"entrypoint", set_entrypoint},
	{"env", set_env},
	{"env-file", set_env_file},
	{"read-only", set_read_only},
	{"upper", set_upper},
	{"mount", set_mount},
	{"device", set_device},
	{"interactive", set_interactive},
	{"tty", set_tty},
	{"detach", set_detach},
	{"keep", set_keep},
	{"rm", set_rm},
	{"dry-run", set_dry_run},
	{"timeout", set_timeout},
	{"net", set_net},
	{"bridge", set_bridge},
	{"subnet", set_subnet},
	{"cap-add", set_cap_add},
	{"cap-drop", set_cap_drop},
	{"seccomp", set_seccomp},
	{"userns", set_userns},
	{"cgroup", set_cgroup},
	{"ns", set_ns},
};
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

int run_spec_set(struct run_spec *spec, const char *option, const char *value, struct error *err)
{
	run_setter set = NULL;

	for (size_t i = 0; i < OPTIONS && !set; i++)
		if (strcmp(options[i].name, option) == 0)
			set = options[i].set;
	for (const struct run_option *limit = run_limit_options; limit->name && !set; limit++)
		if (strcmp(limit->name, option) == 0) {
			set = limit->set;
			spec->limited = true;
		}
	if (!set)
		return error_set(err, ENOENT, "there is no option '%s'", option);
	int rc = set(spec, value, err);
	return rc < 0 ? (error_prefix(err, "--%s", option), rc) : 0;
}

static int conflict(struct error *err, const char *text)
{
	return error_set(err, EINVAL, "%s", text);
}

/* "Drop all, add one" and "add all, drop one" have a meaning. */
static bool settle_capabilities(struct container_options *o)
{
	uint64_t all = 0;

	run_capability("all", &all, NULL);
	if (o->capabilities_drop == all && o->capabilities_add != all)
		o->capabilities_drop &= ~o->capabilities_add;
	else if (o->capabilities_add == all && o->capabilities_drop != all)
		o->capabilities_add &= ~o->capabilities_drop;
	else
		return false;
	return true;
}

int run_spec_check(struct run_spec *spec, struct error *err)
{
	struct container_options *o = &spec->options;

	if (!spec->image && !spec->rootfs) {
		error_set(err, EINVAL, "what is to be run?");
		return error_hint(err, "name an image ('bench image list' shows them) or a folder: bench container run ./root /bin/sh");
	}
	if (spec->detach && spec->interactive)
		return conflict(err, "--detach and --interactive contradict each other: nobody is in front of it");
	if (o->subnet && o->network != CONTAINER_NETWORK_BRIDGE)
		return conflict(err, "--subnet needs --net bridge");
	if (o->bridge && o->network != CONTAINER_NETWORK_BRIDGE)
		return conflict(err, "--bridge needs --net bridge");
	if (o->limits.memory_bytes && o->limits.memory_bytes < CONTAINER_MEMORY_MIN) {
		conflict(err, "--memory: a container's start itself needs more");
		return error_hint(err, "give it %d MiB or more", CONTAINER_MEMORY_MIN >> 20);
	}
	if (o->link_limits.rate_bytes && o->network != CONTAINER_NETWORK_BRIDGE)
		return conflict(err, "--net-rate needs --net bridge: there is no other link to limit");
	if (o->n_mounts && !(o->namespaces & CONTAINER_NS_MOUNT))
		return conflict(err, "--mount needs a mount namespace of its own");
	if (o->capabilities_add & o->capabilities_drop && !settle_capabilities(o))
		return conflict(err, "a capability cannot be both added and dropped");
	if (spec->limited && o->cgroup == CONTAINER_OFF)
		return conflict(err, "limits need cgroups: not --cgroup off");
	o->mounts = spec->mounts;
	o->devices = spec->devices.n ? (const char *const *)spec->devices.list : NULL;
	return 0;
}
