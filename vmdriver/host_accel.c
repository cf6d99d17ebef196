/* The accelerator of an open connection. KVM is proven by a boot of a fixed kind, which says something about the host alone: what the user
 * chose for this run (memory, CPUs, command line, a kernel of his own) could fail for reasons that have nothing to do with KVM. */
#include "accel.h"
#include "host.h"
#include "kvm_probe.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { PROOF_LIMIT_MS = 15000 };

#define PROOF_MEMORY (INT64_C(256) << 20)

struct proof {
	struct vm_host *host;
	const struct vm_options *options;
	struct kernel_choice kernel; /* path empty: the run's own */
};

static int prove_device(void *arg, struct error *err)
{
	return kvm_probe_device("/dev/kvm", err);
}

static int prove_speed(void *arg, double *ret_round_ns, struct error *err)
{
	return kvm_probe_speed("/dev/kvm", ret_round_ns, err);
}

/* Of another host, whose processor is not ours to try: what libvirt says, then a boot. */
static int ask_device(void *arg, struct error *err)
{
	const struct proof *proof = arg;
	virConnectPtr connection = connection_handle(proof->host->connection);
	_cleanup_free_ char *xml = virConnectGetDomainCapabilities(connection, NULL, "x86_64", proof->host->facts.machine, "kvm", 0);

	if (xml)
		return 0;
	error_set(err, ENODEV, "libvirt says that the other host has no KVM for a %s", proof->host->facts.machine);
	return error_hint(err, "use another host");
}

/* A kernel that the user named may be broken; one of the host's or a distribution's is not. Where there is none, his must do: nothing is
 * downloaded for a proof. */
static void choose_kernel(struct proof *proof)
{
	struct utsname host;

	uname(&host);
	if (proof->host->facts.remote || !proof->options->kernel ||
	    kernel_find("", host.release, proof->host->arch, NULL, proof->options->cache_dir, &proof->kernel, NULL) < 0)
		proof->kernel = (struct kernel_choice){0};
}

/* Has the guest's init said a word? Any complete line will do. */
static int wait_first_line(struct vm *vm, int64_t deadline_ns, struct error *err)
{
	struct pollfd readable = {.fd = vm_view(vm)->control_fd, .events = POLLIN};
	char c = '\0', why[256];

	while (c != '\n') {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		if (left_ms <= 0)
			return error_set(err, ETIMEDOUT, "no sign of life in %d s", PROOF_LIMIT_MS / 1000);
		if (poll(&readable, 1, (int)left_ms) == 1 && read(readable.fd, &c, 1) <= 0) {
			vm_diagnose(vm, why, sizeof(why));
			return error_set(err, EIO, "%s", why);
		}
	}
	return 0;
}

static int boot_once(struct vm_host *host, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + PROOF_LIMIT_MS * INT64_C(1000000);
	struct vm *vm = NULL;
	/* A daemon's machines have their names for all its clients: there the mark stands before it. */
	int rc = vm_start(host, "kvm-proof", deadline_ns, &vm, err);

	if (rc < 0)
		return rc;
	rc = wait_first_line(vm, deadline_ns, err);

	int stopped = vm_stop(vm, rc < 0 ? NULL : err);

	return rc < 0 ? rc : stopped;
}

void host_proof_domain(const struct vm_host *host, int64_t kernel_needs_bytes, const char *kernel, const char *command_line,
		       struct domain_config *ret)
{
	*ret = host->domain;
	ret->type = "kvm";
	ret->host_cpu = true;
	ret->cpu_model = ret->cpu_feature = NULL;
	ret->memory_bytes = 2 * kernel_needs_bytes > PROOF_MEMORY ? 2 * kernel_needs_bytes : PROOF_MEMORY;
	ret->vcpus = 1;
	ret->cpuset = NULL;
	ret->link = (struct domain_link){.kind = DOMAIN_LINK_NONE};
	ret->balloon = false;
	ret->share = (struct domain_share){.kind = DOMAIN_SHARE_NONE};
	ret->n_disks = 0;
	ret->kernel = kernel;
	ret->cmdline = command_line;
	ret->initrd = host->initramfs;
}

/* Every machine is made from host->domain, so the proof's stands there as long as the boot lasts. */
static int prove_boot(void *arg, struct error *err)
{
	struct proof *proof = arg;
	struct vm_host *host = proof->host;
	const struct domain_config of_run = host->domain;
	bool other_kernel = proof->kernel.path[0];
	char kernel[PATH_MAX], command_line[sizeof(host->facts.command_line)];
	int rc = host_command_line(host->arch, host->facts.machine, false, 0, VM_TUNE_OFF, NULL, command_line, sizeof(command_line), err);

	if (rc == 0 && host->facts.remote)
		rc = host_tell_channel(command_line, sizeof(command_line), err);
	if (proof->options->note)
		proof->options->note(proof->options->note_arg, "proving KVM by a boot");
	strcpy(kernel, host->kernel);
	if (rc == 0 && other_kernel)
		rc = path_format(kernel, sizeof(kernel), err, "%s/kernel-of-proof", host->dir);
	if (rc == 0 && other_kernel)
		rc = file_copy(proof->kernel.path, kernel, 0600, err);
	if (rc == 0) {
		host_proof_domain(host, other_kernel ? proof->kernel.image.needs_bytes : host->kernel_needs_bytes, kernel, command_line,
				  &host->domain);
		rc = boot_once(host, err);
		host->domain = of_run;
	}
	if (other_kernel)
		unlink(kernel);
	return rc;
}

static void note_accelerator(struct vm_facts *facts, const struct accel *accel)
{
	snprintf(facts->accelerator_reason, sizeof(facts->accelerator_reason), "%s", accel->reason);
	snprintf(facts->accelerator_remedy, sizeof(facts->accelerator_remedy), "%s", accel->remedy);
}

int host_choose_accelerator(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	struct vm_facts *facts = &host->facts;
	struct proof proof = {.host = host, .options = o};
	struct accel_prober prober = {
		.device = prove_device, .speed = KVM_PROBE_HAS_LOOP ? prove_speed : NULL, .boot = prove_boot, .arg = &proof};
	char fingerprint[1024];
	struct accel accel;

	if (!arch_is_host(host->arch)) {
		accel_emulate(host->arch->name, &accel);
		note_accelerator(facts, &accel);
		return 0;
	}
	if (facts->remote) {
		prober.device = ask_device;
		prober.speed = NULL;
	}
	choose_kernel(&proof);

	const struct accel_subject subject = {
		.machine = facts->machine_full[0] ? facts->machine_full : facts->machine,
		.qemu = facts->qemu_version,
		.libvirt = facts->libvirt_version,
		.uri = facts->uri,
		.guest_kernel = proof.kernel.path[0] ? proof.kernel.image.version : facts->kernel_version,
	};

	accel_fingerprint("", &subject, fingerprint, sizeof(fingerprint));

	/* The fingerprint is this host's. */
	int rc = accel_decide(o->accel, &prober, facts->remote ? NULL : o->cache_dir, fingerprint, &accel, err);

	if (rc < 0)
		return rc;
	note_accelerator(facts, &accel);
	if (strcmp(accel.name, "kvm") != 0)
		return 0;
	rc = host_set_domain(host, o, true, err);
	return rc < 0 ? rc : host_settle_description(host, err);
}
