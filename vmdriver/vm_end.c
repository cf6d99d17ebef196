/* One machine: asked why it fell silent, stopped. */
#include "host.h"
#include "launch.h"
#include "stream.h"
#include "virt_error.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

enum {
	GONE_MS = 10000, /* for a killed QEMU to be gone */
	REAPED_MS = 100, /* for its parent to collect it */
	CLOSING_MS = 20, /* from the monitor's end to QEMU's */
	EVENT_MS = 500,  /* for libvirt to say how a machine ended */
};

/* ---- why ---- */

static int wait_end_detail(struct vm *vm, int timeout_ms)
{
	struct vm_host *host = vm->host;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += timeout_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&host->mutex);
	while (vm->ended < 0 && pthread_cond_timedwait(&host->changed, &host->mutex, &until) == 0)
		;

	int detail = vm->ended;

	pthread_mutex_unlock(&host->mutex);
	return detail;
}

/* Of a QEMU on another host only libvirt can tell. */
static bool qemu_ended(struct vm *vm, int timeout_ms)
{
	struct pollfd ended = {.fd = vm->pidfd, .events = POLLIN};

	if (vm->host->facts.remote)
		return wait_end_detail(vm, timeout_ms) >= 0;
	return vm->pidfd < 0 || poll(&ended, 1, timeout_ms) == 1;
}

bool vm_has_ended(struct vm *vm, int within_ms)
{
	return qemu_ended(vm, within_ms);
}

static void describe_end(struct vm *vm, char *ret, size_t size)
{
	switch (wait_end_detail(vm, EVENT_MS)) {
	case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
		snprintf(ret, size, "the guest switched itself off or reset itself");
		break;
	case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
		snprintf(ret, size, "the machine was ended from outside, through libvirt");
		break;
	case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
		snprintf(ret, size, "the guest crashed");
		break;
	default:
		if (vm->host->facts.remote)
			snprintf(ret, size, "QEMU died or was killed on the other host");
		else
			snprintf(ret, size, "QEMU (process %d) died or was killed", (int)vm->view.pid);
	}
}

static bool stream_ended(const struct vm *vm)
{
	struct pollfd control = {.fd = vm->view.control_fd, .events = POLLRDHUP};

	return control.fd >= 0 && poll(&control, 1, 0) == 1;
}

/* QEMU was then ended for it: what the guest's console said last is not the reason. */
static bool share_died(struct vm *vm, char *ret, size_t size)
{
	struct error err = {0};

	bool died = host_share_died(vm);

	if (died)
		share_tell_end(&vm->share, &err);
	snprintf(ret, size, "%s", err.message);
	return died;
}

void vm_diagnose(struct vm *vm, char *ret, size_t size)
{
	char line[256], what[320];
	double memory_mib = (double)vm->host->domain.memory_bytes / (1 << 20);

	/* The two streams end at about the same moment as QEMU: let it be over before looking. */
	bool ended = qemu_ended(vm, vm->host->facts.remote || stream_ended(vm) ? EVENT_MS : CLOSING_MS);

	if (connection_is_lost(vm->host->connection))
		snprintf(what, sizeof(what), "the connection to libvirt at %s broke", vm->host->facts.uri);
	else if (share_died(vm, line, sizeof(line)))
		snprintf(what, sizeof(what), "%s", line);
	else if (console_panic(&vm->console, line, sizeof(line)))
		snprintf(what, sizeof(what), "the guest's kernel says: %s", line);
	else if (ended)
		describe_end(vm, what, sizeof(what));
	else
		snprintf(what, sizeof(what), "the guest runs, but its init does not answer");
	if (!strstr(what, "panic") && console_last_line(&vm->console, line, sizeof(line)))
		snprintf(what + strlen(what), sizeof(what) - strlen(what), "; last line of its console: %.150s", line);
	if (vm->host->domain.memory_bytes < VM_MEMORY_KNOWN_GOOD)
		snprintf(ret, size, "%s; %.0f MiB of memory may be too little, 80 MiB are known to be enough", what, memory_mib);
	else
		snprintf(ret, size, "%s", what);
}

/* ---- the end ---- */

/* libvirt takes a process that nobody has collected yet for one that lives, and looks again after 200 ms. A look at it is the only way to know. */
static void wait_reaped(const struct vm *vm)
{
	const struct timespec pause = {.tv_nsec = 100000};
	int64_t until_ns = clock_now_ns() + REAPED_MS * INT64_C(1000000);

	while (pidfd_send_signal(vm->pidfd, 0, NULL, 0) == 0 && clock_now_ns() < until_ns)
		nanosleep(&pause, NULL);
}

/* SIGKILL and the process's end are a matter of milliseconds; libvirt's own way asks with SIGTERM and looks again after 200 ms. */
static int end_qemu(struct vm *vm, struct error *err)
{
	if (vm->pidfd < 0)
		return 0;
	pidfd_send_signal(vm->pidfd, SIGKILL, NULL, 0);
	if (!qemu_ended(vm, GONE_MS))
		return error_set(err, ETIMEDOUT, "QEMU (process %d) does not end", (int)vm->view.pid);
	wait_reaped(vm);
	return 0;
}

/* libvirt may have noticed the end by itself meanwhile: a machine that it no longer knows is as good as one it has just forgotten. */
static int forget_domain(struct vm *vm, struct error *err)
{
	int rc = 0;

	if (!vm->domain)
		return 0;
	if (!vm->host->wedged && virDomainDestroyFlags(vm->domain, 0) < 0) {
		int code = virGetLastError() ? virGetLastError()->code : VIR_ERR_OK;

		if (connection_is_lost(vm->host->connection))
			rc = connection_tell_lost(vm->host->connection, err);
		else if (code != VIR_ERR_NO_DOMAIN && code != VIR_ERR_OPERATION_INVALID)
			rc = virt_error(err, "end the machine");
	}
	virDomainFree(vm->domain);
	vm->domain = NULL;
	return rc;
}

int vm_stop(struct vm *vm, struct error *err)
{
	if (!vm)
		return 0;

	char name[sizeof(vm->name)], log[PATH_MAX];
	int rc = end_qemu(vm, err);
	int forgotten = forget_domain(vm, rc < 0 ? NULL : err);
	host_end_share(vm); /* before its group goes */
	int released = host_release_surroundings(vm, rc < 0 || forgotten < 0 ? NULL : err);

	snprintf(name, sizeof(name), "%s", vm->name);
	if (connection_qemu_log(vm->host->connection, name, log, sizeof(log)))
		unlink(log);
	machine_enlist(vm, false);
	machine_free(vm);
	rc = rc < 0 ? rc : forgotten < 0 ? forgotten : released;
	return rc < 0 ? error_prefix(err, "stop virtual machine '%s'", name) : 0;
}
