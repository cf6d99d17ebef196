/* A quick look at what vm_host_open() would find: libvirt's driver, QEMU, a kernel, the accelerator. */
#include "accel.h"
#include "connection_try.h"
#include "host.h"
#include "kernel_fetch.h"
#include "kvm_probe.h"

#include <base/files.h>
#include <base/process.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

int host_find_qemu(const struct arch *arch, struct error *err)
{
	/* Red Hat keeps its own, of the host's architecture, out of PATH; libvirt knows the place, too. */
	static const char red_hat[] = "/usr/libexec/qemu-kvm";
	char path[PATH_MAX];

	if (process_find(arch->emulator, path, sizeof(path)) || (arch_is_host(arch) && access(red_hat, X_OK) == 0))
		return 0;
	error_set(err, ENOENT, "QEMU is not installed (%s was not found)", arch->emulator);
	return error_hint(err, "apt install %s (Fedora: dnf install %s-core)", arch->package,
			  strcmp(arch->name, "aarch64") == 0 ? "qemu-system-aarch64" : arch->package);
}

/* libvirt loads its drivers from a folder beside its library. */
static bool has_qemu_driver(void)
{
	char path[PATH_MAX];
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)virConnectOpen, &info) || !info.dli_fname)
		return true; /* not known: let opening tell */

	const char *slash = strrchr(info.dli_fname, '/');

	return !slash ||
	       path_format(path, sizeof(path), NULL, "%.*s/libvirt/connection-driver/libvirt_driver_qemu.so", (int)(slash - info.dli_fname),
			   info.dli_fname) < 0 ||
	       path_exists(path);
}

static int look_device(void *arg, struct error *err)
{
	return kvm_probe_device("/dev/kvm", err);
}

static int look_speed(void *arg, double *ret_round_ns, struct error *err)
{
	return kvm_probe_speed("/dev/kvm", ret_round_ns, err);
}

static int look_programs(const char *uri, const struct arch *arch, struct error *err)
{
	if (!connection_uri_is_embed(uri))
		return strncmp(uri, "test", 4) == 0 ? 0 : connection_try(uri, err);

	int rc = host_find_qemu(arch, err);

	if (rc < 0)
		return rc;
	if (!has_qemu_driver()) {
		error_set(err, ENOENT, "libvirt is here, its QEMU driver is not");
		return error_hint(err, "apt install libvirt-daemon-driver-qemu");
	}
	return 0;
}

static int look_kernel(const struct vm_options *o, const struct arch *arch, char *ret, size_t size, struct error *err)
{
	struct kernel_choice kernel;
	struct utsname host;

	uname(&host);

	int rc = kernel_find("", host.release, arch, o->kernel, o->cache_dir, &kernel, err);

	if (rc == 0)
		snprintf(ret, size, "kernel %s", kernel.source);
	if (rc != -ENOENT || o->kernel || !kernel_fetch_tool())
		return rc;
	snprintf(ret, size, "kernel will be downloaded with %s", kernel_fetch_tool());
	return 0;
}

enum vm_verdict vm_host_probe(const struct vm_options *o, char *ret_reason, size_t reason_size, char *ret_remedy, size_t remedy_size)
{
	const struct accel_prober prober = {.device = look_device, .speed = KVM_PROBE_HAS_LOOP ? look_speed : NULL};
	const char *uri = o->uri ? o->uri : VM_URI_EMBED;
	const struct arch *arch = NULL;
	struct error err = {0};
	struct accel accel;
	char kernel[300] = "";
	int rc = host_check_options(o, &err);

	if (rc == 0)
		rc = arch_find(o->arch, &arch, &err);
	if (rc == 0)
		rc = look_programs(uri, arch, &err);
	if (rc == 0 && o->network == VM_NETWORK_BRIDGE)
		rc = network_support(&err);
	if (rc == 0)
		rc = host_probe_disks(o, &err);
	if (rc == 0)
		rc = host_probe_share(o, &err);
	if (rc == 0)
		rc = o->os ? host_probe_os(o, kernel, sizeof(kernel), &err) : look_kernel(o, arch, kernel, sizeof(kernel), &err);
	if (rc == 0 && connection_uri_is_remote(uri)) {
		snprintf(ret_reason, reason_size, "%s answers; what accelerates its machines is found out by a boot; %s", uri, kernel);
		ret_remedy[0] = '\0';
		return VM_YES;
	}
	if (rc == 0 && !arch_is_host(arch))
		accel_emulate(arch->name, &accel);
	else if (rc == 0)
		rc = accel_decide(o->accel, &prober, NULL, "", &accel, &err);
	if (rc < 0) {
		snprintf(ret_reason, reason_size, "%s", err.message);
		snprintf(ret_remedy, remedy_size, "%s", err.hint);
		return VM_NO;
	}

	bool tcg = strcmp(accel.name, "tcg") == 0;

	snprintf(ret_reason, reason_size, "%s, %s%s: %s; %s", uri, tcg ? "TCG" : "KVM", tcg ? " (emulated)" : "", accel.reason, kernel);
	ret_remedy[0] = '\0';
	if (tcg && o->accel != VM_ACCEL_TCG)
		snprintf(ret_remedy, remedy_size, "%s", accel.remedy);
	return tcg ? VM_LIMITED : VM_YES;
}
