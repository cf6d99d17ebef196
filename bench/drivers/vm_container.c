#include "vm_container.h"

#include "vm_ready.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/guest.h>
#include <bench/timeline.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BOOT_LIMIT_S = 120, /* for the machine of open(): emulated, on a busy host */
	AGAIN_LIMIT_S = 40, /* and for one between two samples, which bench waits for */
	STOP_LIMIT_S = 10,
	PIDS_MAX = 512,  /* as of the driver `container` */
	ENDING_MS = 500, /* from the end of a machine's stream to its own, on a busy host */
	LINE_MAX_BYTES = 512,
};

/* What the guest itself needs beside its container: kernel, initramfs with the runtime, page tables. */
#define GUEST_ROOM (INT64_C(128) << 20)
#define GUEST_MIN  (INT64_C(256) << 20)

static int64_t in_seconds(int seconds)
{
	return clock_now_ns() + seconds * INT64_C(1000000000);
}

/* ---- options ---- */

static int find_runtime(const char *agent_path, char ret[PATH_MAX], struct error *err)
{
	const char *slash = strrchr(agent_path, '/');
	int rc = path_format(ret, PATH_MAX, err, "%.*sbench-guest", slash ? (int)(slash - agent_path) + 1 : 0, agent_path);

	if (rc < 0 || access(ret, R_OK) == 0)
		return rc;
	error_errno(err, "the runtime for guests, %.200s", ret);
	return error_hint(err, "it is built where static libraries are: libc6-dev, libseccomp-dev, libcap-dev, libnl-route-3-dev "
			       "(scripts/install-deps), then "
			       "cmake afresh");
}

int vm_container_read(const struct driver_config *config, struct vm_container *ret, struct vm_options *options, struct error *err)
{
	int rc = find_runtime(config->agent_path, ret->runtime, err);

	if (rc < 0)
		return rc;
	ret->used = true;
	ret->limit_bytes = options->memory_bytes;
	options->memory_bytes = ret->guest_bytes ? ret->guest_bytes : ret->limit_bytes + GUEST_ROOM;
	if (!ret->guest_bytes && options->memory_bytes < GUEST_MIN)
		options->memory_bytes = GUEST_MIN;
	snprintf(ret->words, sizeof(ret->words), "memory=%lld,cpu=%d,pids=%d%s", (long long)ret->limit_bytes, 100 * options->vcpus,
		 PIDS_MAX, ret->shared ? ",shared" : "");
	options->runtime_path = ret->runtime;
	options->runtime_words = ret->words;
	return 0;
}

/* ---- talk ---- */

static int send_request(const struct vm *vm, const char *request, const char *id, struct error *err)
{
	char line[LINE_MAX_BYTES];
	int length = snprintf(line, sizeof(line), "%s%s\n", request, id);

	return send(vm_view(vm)->control_fd, line, (size_t)length, MSG_NOSIGNAL) == length
		       ? 0
		       : error_set(err, EPIPE, "the guest ended before it was asked");
}

/* Reads lines until one holds `wanted`. Those before it are nobody's: what a container said that is about to end, or the firmware. */
static int wait_line(const struct vm *vm, const char *wanted, int64_t deadline_ns, struct error *err)
{
	char line[LINE_MAX_BYTES];
	int rc;

	do
		rc = vm_ready_line(vm_view(vm)->control_fd, deadline_ns, line, sizeof(line), err);
	while (rc == 0 && !strstr(line, wanted));
	return rc;
}

/* The guest's line "fact <key>=<value>", as facts and notes of a result. */
static void take_fact(char *line, struct driver_info *info)
{
	char *key = line + strlen(GUEST_FACT), *value = strchr(key, '='), name[64];

	if (!value || strncmp(line, GUEST_FACT, strlen(GUEST_FACT)) != 0)
		return;
	*value++ = '\0';
	if (strcmp(key, "note") == 0) {
		driver_info_note(info, "in the guest: %s", value);
		return;
	}
	snprintf(name, sizeof(name), "container %.48s", key);
	driver_info_set(info, name, "%s", value);
}

static int ask_facts(const struct vm *vm, int64_t deadline_ns, struct driver_info *info, struct error *err)
{
	char line[LINE_MAX_BYTES];
	int rc = send_request(vm, GUEST_LOOK, "", err);

	while (rc == 0) {
		rc = vm_ready_line(vm_view(vm)->control_fd, deadline_ns, line, sizeof(line), err);
		if (rc < 0 || strcmp(line, GUEST_FACTS_END) == 0)
			break;
		take_fact(line, info);
	}
	return rc;
}

/* ---- machines ---- */

/* The guest's own reason, where it ended; `rc` is what waiting for it gave. */
static int tell_failure(struct vm *vm, int rc, struct error *err)
{
	char why[256];

	if (vm_has_ended(vm, ENDING_MS)) {
		vm_diagnose(vm, why, sizeof(why));
		error_set(err, -rc, "%s", why);
	}
	return error_prefix(err, "the machine that runs containers");
}

static int boot(struct vm_container *c, struct vm_host *host, int limit_s, struct vm **ret, struct error *err)
{
	int64_t deadline_ns = in_seconds(limit_s);
	char id[48];

	snprintf(id, sizeof(id), "shared-%d-%u", (int)getpid(), c->count++);
	int rc = vm_start(host, id, deadline_ns, ret, err);
	if (rc < 0)
		return rc;
	rc = c->shared ? wait_line(*ret, GUEST_IDLE, deadline_ns, err) : 0;
	if (rc < 0) {
		tell_failure(*ret, rc, err);
		vm_stop(*ret, NULL);
		*ret = NULL;
	}
	return rc;
}

static int end_container(struct vm *vm, const char *id, struct error *err)
{
	char wanted[GUEST_ID_MAX + 16];
	int rc = send_request(vm, GUEST_STOP, id, err);

	snprintf(wanted, sizeof(wanted), GUEST_STOPPED "%s", id);
	return rc < 0 ? rc : wait_line(vm, wanted, in_seconds(STOP_LIMIT_S), err);
}

/* A first container shows what is in force. Of a machine with but one, that one. */
static int try_container(const struct vm_container *c, struct vm *vm, struct driver_info *info, struct error *err)
{
	int64_t deadline_ns = in_seconds(BOOT_LIMIT_S);
	int rc = c->shared ? send_request(vm, GUEST_START, "first", err) : 0;

	if (rc == 0)
		rc = vm_ready(NULL, vm_view(vm)->control_fd, deadline_ns, err);
	if (rc == 0)
		rc = ask_facts(vm, deadline_ns, info, err);
	if (rc == 0 && c->shared)
		rc = end_container(vm, "first", err);
	return rc < 0 ? tell_failure(vm, rc, err) : 0;
}

static void report(const struct vm_container *c, int64_t boot_ns, struct driver_info *info)
{
	char limit[32];

	driver_info_set(info, "shared", "%s", c->shared ? "on" : "off");
	if (c->shared) {
		driver_info_set(info, "machine booted in", "%.3f s", (double)boot_ns / 1e9);
		driver_info_note(info, "shared=on: one machine was booted before the first interval, a start is a container in it; its "
				       "memory is that of the "
				       "machine with one container");
	}
	driver_info_note(info,
			 "the run's limit of memory (%s) is the container's, its guest has more; CPUs are limited by the guest's and the "
			 "container's",
			 format_bytes(c->limit_bytes, limit, sizeof(limit)));
}

int vm_container_open(struct vm_container *c, struct vm_host *host, const struct driver_config *config, struct driver_info *info,
		      struct error *err)
{
	int64_t begin_ns = clock_now_ns();
	struct vm *vm = NULL;

	if (config->note)
		config->note(config->note_arg, c->shared ? "booting the machine that containers are started in"
							 : "booting a machine to see what is in force for its container");

	int rc = boot(c, host, BOOT_LIMIT_S, &vm, err);

	if (rc < 0)
		return rc;
	report(c, clock_now_ns() - begin_ns, info);
	rc = try_container(c, vm, info, err);
	if (rc == 0 && c->shared) {
		c->vm = vm;
		return 0;
	}
	int stopped = vm_stop(vm, rc < 0 ? NULL : err);
	return rc < 0 ? rc : stopped;
}

void vm_container_close(struct vm_container *c)
{
	vm_stop(c->vm, NULL);
	c->vm = NULL;
}

/* ---- of a shared machine ---- */

int vm_container_start(struct vm_container *c, struct instance *instance, struct error *err)
{
	if (!c->vm && c->why.code) {
		*err = c->why;
		return -c->why.code;
	}
	if (!c->vm)
		return error_set(err, ENOTCONN, "the machine that runs containers has ended");

	const struct vm_view *view = vm_view(c->vm);

	instance->priv = c->vm;
	instance->read_fd = instance->write_fd = view->control_fd;
	instance->pids[0] = view->pid;
	instance->n_pids = 1;
	snprintf(instance->cgroup, sizeof(instance->cgroup), "%s", view->memory_dir);
	return send_request(c->vm, GUEST_START, instance->id, err);
}

int vm_container_stop(struct vm_container *c, struct instance *instance, struct error *err)
{
	int rc = 0;

	if (instance->priv && instance->priv == c->vm) {
		rc = end_container(c->vm, instance->id, err);

		bool ended = rc < 0 && vm_has_ended(c->vm, ENDING_MS);

		if (ended)
			rc = 0; /* and the container with it */
		if (rc < 0)
			error_prefix(err, "container '%s' in the guest is not said to be gone, its machine was ended", instance->id);
		if (ended || rc < 0) {
			vm_stop(c->vm, NULL);
			c->vm = NULL;
		}
	}
	instance->priv = NULL;
	instance->read_fd = instance->write_fd = -1;
	instance->n_pids = 0;
	return rc;
}

void vm_container_between(struct vm_container *c, struct vm_host *host)
{
	if (c->vm && vm_has_ended(c->vm, 0)) {
		vm_stop(c->vm, NULL);
		c->vm = NULL;
	}
	c->why = (struct error){0};
	if (!c->vm)
		boot(c, host, AGAIN_LIMIT_S, &c->vm, &c->why);
}

void vm_container_diagnose(struct vm_container *c, char *ret, size_t size)
{
	if (size > 0)
		ret[0] = '\0';
	if (c->vm && vm_has_ended(c->vm, ENDING_MS))
		vm_diagnose(c->vm, ret, size);
}
