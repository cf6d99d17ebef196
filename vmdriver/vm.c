/* One machine: started with its two streams. How it ends: vm_end.c. */
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

enum { CONTROL, CONSOLE };

enum {
	GIVE_UP_MS = 5000, /* for libvirt to notice that the QEMU it creates is dead */
	CLOSING_MS = 20,   /* from the monitor's end to QEMU's */
};

const struct vm_view *vm_view(const struct vm *vm)
{
	return &vm->view;
}

/* ---- making ---- */

void machine_free(struct vm *vm)
{
	for (int i = 0; i < 2; i++) {
		if (vm->listeners[i] >= 0)
			close(vm->listeners[i]);
		if (vm->paths[i][0])
			unlink(vm->paths[i]);
		stream_close(vm->streams[i]);
	}
	if (vm->layer[0])
		unlink(vm->layer);
	if (vm->scratch[0])
		unlink(vm->scratch);
	console_done(&vm->console);
	boot_trace_done(&vm->trace);
	if (vm->view.control_fd >= 0)
		close(vm->view.control_fd);
	if (vm->pidfd >= 0)
		close(vm->pidfd);
	free(vm);
}

static int vm_new(struct vm_host *host, const char *id, struct vm **ret, struct error *err)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int rc = 0;

	if (!vm)
		return error_set(err, ENOMEM, "out of memory");
	*vm = (struct vm){.host = host, .pidfd = -1, .listeners = {-1, -1}, .view.control_fd = -1, .ended = -1};
	console_init(&vm->console);
	boot_trace_init(&vm->trace);
	vm->share = SHARE_NONE;
	host_name_machine(host, id, vm->name, sizeof(vm->name));
	for (int i = 0; i < 2 && !host->facts.remote && rc == 0; i++) {
		rc = path_format(vm->paths[i], sizeof(vm->paths[i]), err, "%s/%s.%d", host->dir, id, i);
		if (rc == 0)
			rc = vm->listeners[i] = channel_listen(vm->paths[i], err);
		rc = rc > 0 ? 0 : rc;
	}
	if (rc < 0) {
		machine_free(vm);
		return rc;
	}
	*ret = vm;
	return 0;
}

static int take_connection(struct vm *vm, int which, struct error *err)
{
	int64_t now_ns = clock_now_ns();
	pid_t pid = 0;
	int fd = channel_accept(vm->listeners[which], &pid, err);

	if (fd == -EAGAIN)
		return 0;
	if (fd < 0)
		return fd;
	close(take_fd(&vm->listeners[which]));
	if (vm->view.launched_ns == 0) {
		vm->view.launched_ns = now_ns;
		vm->view.pid = pid;
		vm->pidfd = channel_peer(fd, pid);
		/* Long before libvirt lets it go: QEMU connects first, then it makes the machine. */
		int rc = host_admit(vm, pid, err);
		if (rc == 0)
			rc = host_watch_share(vm, err);
		if (rc < 0) {
			close(fd);
			return rc;
		}
	}
	if (which == CONSOLE)
		return console_start(&vm->console, fd, err);
	vm->view.control_fd = fd;
	return 0;
}

static int milliseconds_left(int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns - clock_now_ns();

	return left_ns <= 0 ? 0 : left_ns > INT64_C(1000000000000) ? 1000000 : (int)((left_ns + 999999) / 1000000);
}

/* Takes QEMU's connections while libvirt works; returns when libvirt has answered. */
static int wait_created(struct vm *vm, struct launch *launch, int64_t deadline_ns, struct error *err)
{
	int share_fd = vm->share.pidfd;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = vm->listeners[CONTROL], .events = POLLIN},
			{.fd = vm->listeners[CONSOLE], .events = POLLIN},
			{.fd = launch_fd(launch), .events = POLLIN},
			{.fd = vm->trace.fd, .events = POLLIN},
			{.fd = share_fd, .events = POLLIN},
		};
		int timeout_ms = milliseconds_left(deadline_ns);
		int ready = poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms);

		if (ready < 0 && errno != EINTR)
			return error_errno(err, "wait for QEMU");
		if (ready > 0 && fds[3].revents)
			boot_trace_take(&vm->trace);
		if (ready > 0 && fds[4].revents) {
			if (vm->pidfd < 0)
				return share_tell_end(&vm->share, err);
			share_fd = -1; /* the watch ends QEMU, if it is not QEMU that ended first */
		}
		for (int i = 0; i < 2 && ready > 0; i++) {
			int rc = fds[i].revents ? take_connection(vm, i, err) : 0;

			if (rc < 0)
				return rc;
		}
		if (ready > 0 && fds[2].revents && !(fds[0].revents || fds[1].revents))
			return 0;
		if (ready == 0 && timeout_ms == 0)
			return error_set(err, ETIMEDOUT,
					 vm->view.pid ? "QEMU runs, but libvirt did not set it going in time"
						      : "libvirt did not start QEMU in time");
	}
}

/* A machine on another host has its streams over the connection. */
static int take_result(struct vm *vm, const struct launch_result *result, struct error *err)
{
	vm->domain = result->domain;
	for (int i = 0; i < 2; i++)
		vm->streams[i] = result->streams[i];
	if (!result->streams[CONTROL])
		return 0;
	vm->view.control_fd = result->fds[CONTROL];
	return console_start(&vm->console, result->fds[CONSOLE], err);
}

/* libvirt has not come back in time: its QEMU is ended, which makes it come back; if not even that helps, it is not asked again. */
static void give_up(struct vm *vm, struct launch *launch)
{
	struct pollfd done = {.fd = launch_fd(launch), .events = POLLIN};

	if (vm->pidfd >= 0)
		pidfd_send_signal(vm->pidfd, SIGKILL, NULL, 0);
	else if (!vm->host->facts.remote)
		host_end_processes(vm->paths[CONTROL]);
	if (poll(&done, 1, GIVE_UP_MS) != 1) {
		vm->host->wedged = true;
		launch_abandon(launch);
		return;
	}

	struct launch_result result;

	launch_end(launch, &result);
	if (result.rc == 0)
		take_result(vm, &result, NULL);
}

static int begin_trace(struct vm *vm, struct error *err)
{
	struct vm_host *host = vm->host;
	char path[PATH_MAX] = "", pid_dir[PATH_MAX];
	bool process = host->trace_process && connection_pid_dir(host->connection, pid_dir, sizeof(pid_dir));
	int rc = host->trace_guest ? path_format(path, sizeof(path), err, "%s.trace", vm->paths[CONTROL]) : 0;

	return rc < 0 ? rc : boot_trace_begin(&vm->trace, path, process ? pid_dir : NULL, vm->name, err);
}

void vm_stamps(struct vm *vm, struct vm_stamps *ret)
{
	boot_trace_stamps(&vm->trace, ret);
}

/* The proof of an accelerator boots the agent alone, whatever the run does. */
static int add_disk(struct vm *vm, struct domain_config *config, struct error *err)
{
	if (!vm->host->layer[0] || config->initrd == vm->host->initramfs)
		return host_add_disks(vm, config, err);
	int rc = path_format(vm->layer, sizeof(vm->layer), err, "%s.disk", vm->paths[CONTROL]);

	return rc < 0 ? rc : host_add_os_disk(vm->host, vm->layer, config, err);
}

static int begin(struct vm *vm, struct launch **ret, struct error *err)
{
	struct vm_host *host = vm->host;
	struct launch_request request = {.name = vm->name, .flags = host->create_flags, .carried = host->facts.remote};
	struct domain_config config = host->domain;
	_cleanup_free_ char *xml = NULL;

	int rc = begin_trace(vm, err);

	if (rc == 0)
		rc = host_prepare_surroundings(vm, &config, err);
	if (rc < 0)
		return rc;
	if (host->snapshot) {
		request.image = snapshot_path(host->snapshot);
		return launch_begin(connection_handle(host->connection), &request, ret, err);
	}
	config.name = vm->name;
	config.serials[0] = vm->paths[CONTROL];
	config.serials[1] = vm->paths[CONSOLE];
	config.n_serials = config.channel ? 0 : 2;
	config.trace = vm->trace.path[0] ? vm->trace.path : NULL;
	rc = add_disk(vm, &config, err);
	if (rc == 0)
		rc = host_begin_share(vm, &config, err);
	if (rc == 0)
		rc = domain_xml(&config, &xml, err);
	request.xml = xml;
	return rc < 0 ? rc : launch_begin(connection_handle(host->connection), &request, ret, err);
}

/* libvirt's words are kept where they say why. -ECONNRESET says only that QEMU is gone; that it is gone indeed, its pidfd knows. */
static int tell_launch_failure(struct vm *vm, const struct launch_result *result, struct error *err)
{
	struct pollfd ended = {.fd = vm->pidfd, .events = POLLIN};

	if (connection_is_lost(vm->host->connection))
		return connection_tell_lost(vm->host->connection, err);
	if (host_share_died(vm))
		return share_tell_end(&vm->share, err);
	if (result->rc == -ECONNRESET && vm->pidfd < 0)
		return error_set(err, EIO, "QEMU died or was killed before it said a word");
	if (result->rc == -ECONNRESET && poll(&ended, 1, CLOSING_MS) == 1)
		return error_set(err, EIO, "QEMU (process %d) died or was killed while it started", (int)vm->view.pid);
	if (err)
		*err = result->error;
	return result->rc;
}

static int vm_create(struct vm *vm, int64_t deadline_ns, struct error *err)
{
	struct launch *launch = NULL;
	struct launch_result result;
	int rc = begin(vm, &launch, err);

	if (rc < 0)
		return rc;
	rc = wait_created(vm, launch, deadline_ns, err);
	if (rc < 0) {
		give_up(vm, launch);
		return rc;
	}
	launch_end(launch, &result);
	if (result.rc < 0)
		return tell_launch_failure(vm, &result, err);
	rc = take_result(vm, &result, err);
	if (rc < 0)
		return rc;
	vm->view.created_ns = result.created_ns;
	vm->view.resumed_ns = result.resumed_ns;
	vm->view.forked_ns = vm->trace.forked_ns;
	vm->view.begun_ns = vm->trace.begun_ns;
	vm->view.n_helpers = share_pids(&vm->share, vm->view.helpers, VM_HELPERS_MAX);
	if (vm->view.control_fd < 0)
		return error_set(err, ENOTCONN, "libvirt says that the machine runs, but nothing connected to its control stream");
	return 0;
}

int vm_set_memory(struct vm *vm, int64_t bytes, struct error *err)
{
	if (!vm->host->domain.balloon)
		return error_set(err, ENOTSUP, "this machine has no balloon");
	if (bytes < 1 << 20 || bytes > vm->host->domain.memory_bytes)
		return error_set(err, EINVAL, "a balloon leaves a guest between 1 MiB and what it was started with");
	if (virDomainSetMemoryFlags(vm->domain, (unsigned long)(bytes / 1024), VIR_DOMAIN_AFFECT_LIVE) < 0)
		return virt_error(err, "set the balloon");
	return 0;
}

void machine_enlist(struct vm *vm, bool in)
{
	struct vm_host *host = vm->host;

	pthread_mutex_lock(&host->mutex);
	if (in) {
		vm->next = host->vms;
		host->vms = vm;
	} else {
		for (struct vm **p = &host->vms; *p; p = &(*p)->next)
			if (*p == vm) {
				*p = vm->next;
				break;
			}
	}
	pthread_mutex_unlock(&host->mutex);
}

int vm_start(struct vm_host *host, const char *id, int64_t deadline_ns, struct vm **ret, struct error *err)
{
	struct vm *vm = NULL;

	if (host->wedged)
		return error_set(err, EIO, "virtual machine '%s': libvirt hangs since an earlier start", id);
	if (connection_is_lost(host->connection))
		return connection_tell_lost(host->connection, err);

	int rc = host->snapshot ? snapshot_next(host->snapshot, &id, err) : 0;

	if (rc == 0)
		rc = vm_new(host, id, &vm, err);
	if (rc < 0)
		return error_prefix(err, "virtual machine '%s'", id);
	machine_enlist(vm, true);
	rc = vm_create(vm, deadline_ns, err);
	/* The guest's driver finds it when it comes up. */
	if (rc == 0 && host->balloon_bytes && host->domain.balloon)
		rc = vm_set_memory(vm, host->balloon_bytes, err);
	if (rc < 0) {
		error_prefix(err, "virtual machine '%s'", id);
		vm_stop(vm, NULL);
		return rc;
	}
	*ret = vm;
	return 0;
}
