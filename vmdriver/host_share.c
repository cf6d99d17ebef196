/* A folder of the host that is a guest's root: by virtiofs, whose daemon each machine has for itself, or by QEMU's own 9p server. */
#include "host.h"
#include "virt_error.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* By which the agent finds it (bench/agent/root.c). */
#define ROOT_TAG "bench-root"

/* When QEMU ends, its daemon does, too, and may be seen to do so first. */
enum { QEMU_FIRST_MS = 500 };

static bool is_shared(const struct vm_options *o)
{
	return o->root == VM_ROOT_VIRTIOFS || o->root == VM_ROOT_9P;
}

/* What a complete system, another libvirt or no folder at all mean for any root, host_check_disks() has said. */
int host_check_share(const struct vm_options *o, struct error *err)
{
	if (!is_shared(o))
		return 0;
	if (o->restore) {
		error_set(err, ENOTSUP,
			  "a restored machine cannot have a shared root: what serves it has state of its own, which is not saved");
		return error_hint(err, "use root=ext4, squashfs or erofs");
	}
	if (o->n_root_layers > 1) {
		error_set(err, ENOTSUP, "an image of %zu layers cannot be shared: a shared root is one folder", o->n_root_layers);
		return error_hint(err, "use root=ext4, squashfs, erofs or initramfs, which merge them");
	}
	return 0;
}

int host_probe_share(const struct vm_options *o, struct error *err)
{
	char program[PATH_MAX];

	return o->root == VM_ROOT_VIRTIOFS ? share_find(program, sizeof(program), err) : 0;
}

int host_prepare_share(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	struct vm_facts *f = &host->facts;
	const char *mode = o->root_overlay ? "read-only, under an overlay in the guest's memory" : "read-only";

	if (!is_shared(o))
		return 0;
	_cleanup_close_ int fd = open(o->root_layers[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "shared root %s", o->root_layers[0]);
	if (o->root == VM_ROOT_9P) {
		snprintf(f->root, sizeof(f->root), "9p, %s", mode);
		snprintf(f->share_version, sizeof(f->share_version), "QEMU's own server, 9p2000.L");
		return path_format(host->share_folder, sizeof(host->share_folder), err, "%s", o->root_layers[0]);
	}
	snprintf(f->root, sizeof(f->root), "virtiofs, %s", mode);
	int rc = share_plan_make(o->root_layers[0], host->dir, host->cpuset, &host->share, err);
	if (rc == 0)
		snprintf(f->share_version, sizeof(f->share_version), "virtiofsd %s, one a machine", host->share.version);
	return rc;
}

void host_set_share(struct vm_host *host)
{
	struct domain_share *share = &host->domain.share;

	if (host->share.folder[0])
		*share = (struct domain_share){.kind = DOMAIN_SHARE_VIRTIOFS, .tag = ROOT_TAG};
	else if (host->share_folder[0])
		*share = (struct domain_share){.kind = DOMAIN_SHARE_9P, .tag = ROOT_TAG, .folder = host->share_folder};
}

/* ---- one machine ---- */

int host_begin_share(struct vm *vm, struct domain_config *config, struct error *err)
{
	char socket[PATH_MAX];

	if (config->share.kind != DOMAIN_SHARE_VIRTIOFS)
		return 0;
	int rc = path_format(socket, sizeof(socket), err, "%s.fs", vm->paths[0]);
	if (rc == 0)
		rc = share_begin(&vm->host->share, socket, &vm->share, err);
	if (rc == 0)
		rc = host_admit(vm, vm->share.pid, err);
	if (rc == 0)
		rc = share_go(&vm->share, err);
	config->share.socket = vm->share.socket;
	return rc;
}

/* Called by libvirt's event thread. A guest whose root is gone would wait for it for ever: QEMU is ended, so that the reason can be told at once. */
static void on_share_end(int watch, int fd, int events, void *arg)
{
	struct vm_host *host = arg;

	virEventRemoveHandle(watch);
	pthread_mutex_lock(&host->mutex);
	for (struct vm *vm = host->vms; vm; vm = vm->next) {
		struct pollfd ended = {.fd = vm->pidfd, .events = POLLIN};

		if (vm->share.watch != watch)
			continue;
		vm->share.watch = -1;
		if (vm->pidfd < 0 || (!share_failed(&vm->share) && poll(&ended, 1, QEMU_FIRST_MS) == 1))
			continue;
		vm->share.died = true;
		pidfd_send_signal(vm->pidfd, SIGKILL, NULL, 0);
	}
	pthread_mutex_unlock(&host->mutex);
}

int host_watch_share(struct vm *vm, struct error *err)
{
	int watch = -1;

	if (vm->share.pidfd < 0)
		return 0;
	pthread_mutex_lock(&vm->host->mutex);
	watch = virEventAddHandle(vm->share.pidfd, VIR_EVENT_HANDLE_READABLE, on_share_end, vm->host, NULL);
	vm->share.watch = watch;
	pthread_mutex_unlock(&vm->host->mutex);
	return watch < 0 ? virt_error(err, "watch virtiofsd") : 0;
}

bool host_share_died(struct vm *vm)
{
	pthread_mutex_lock(&vm->host->mutex);

	bool died = vm->share.died || share_failed(&vm->share);

	pthread_mutex_unlock(&vm->host->mutex);
	return died;
}

void host_end_share(struct vm *vm)
{
	if (!vm->share.socket[0])
		return;
	pthread_mutex_lock(&vm->host->mutex);

	int watch = vm->share.watch;

	vm->share.watch = -1;
	pthread_mutex_unlock(&vm->host->mutex);
	if (watch >= 0)
		virEventRemoveHandle(watch);
	share_end(&vm->share);
}
