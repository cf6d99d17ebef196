#include "vm_report.h"

#include <base/units.h>
#include <string.h>
#include <vmdriver/arch.h>

static void report_accelerator(const struct vm_facts *facts, struct driver_info *info)
{
	driver_info_set(info, "accelerator", "%s", facts->accelerator);
	driver_info_set(info, "accelerator reason", "%s", facts->accelerator_reason);
	const struct arch *arch = arch_by_name(facts->arch);
	bool foreign = arch && !arch_is_host(arch);

	if (strcmp(facts->accelerator, "tcg") == 0)
		driver_info_note(info, "TCG (emulated)%s%s: the guest's processor is emulated in software, %s%s", foreign ? ", " : "",
				 foreign ? arch->name : "", foreign ? "and " : "", facts->accelerator_reason);
	if (facts->accelerator_remedy[0])
		driver_info_note(info, "for KVM: %s", facts->accelerator_remedy);
}

static void report_kernel(const struct vm_facts *facts, const struct vm_options *options, struct driver_info *info)
{
	driver_info_set(info, "kernel", "%s", facts->kernel_version);
	driver_info_set(info, "kernel source", "%s", facts->kernel_source);
	driver_info_set(info, "kernel form", "%s", facts->kernel_form);
	driver_info_set(info, "modules", "%s", facts->modules);
	driver_info_set(info, "cmdline", "%s", facts->command_line);
	driver_info_set(info, "tune", "%s", vm_tune_names[options->tune]);
	if (options->tune != VM_TUNE_OFF)
		driver_info_note(
			info,
			"tune=%s: the guest's kernel does less at its start than its distribution's does: no self-tests of ciphers%s%s",
			vm_tune_names[options->tune], strstr(facts->command_line, "noreplace-smp") ? ", no patching for one processor" : "",
			options->tune == VM_TUNE_ALL ? "; no mitigations, memory is not zeroed before use" : " (tune=off does all)");
}

static void report_os(const struct vm_facts *facts, const struct vm_options *options, int64_t limit_bytes, struct driver_info *info)
{
	char has[32], limit[32];

	if (!facts->os_release[0])
		return;
	driver_info_set(info, "os", "%s", facts->os_release);
	driver_info_set(info, "os packages", "%lld", (long long)facts->os_packages);
	driver_info_set(info, "disk bytes", "%lld", (long long)facts->image_virtual_bytes);
	driver_info_set(info, "disk bytes allocated", "%lld", (long long)facts->image_allocated_bytes);
	if (options->memory_bytes != limit_bytes)
		driver_info_note(info, "a complete system: the guest has %s of memory, the run's limit is %s",
				 format_bytes(options->memory_bytes, has, sizeof(has)), format_bytes(limit_bytes, limit, sizeof(limit)));
}

static void report_limits(const struct vm_facts *facts, const struct vm_options *options, struct driver_info *info)
{
	driver_info_set(info, "memory", "%lld", (long long)options->memory_bytes);
	if (options->balloon_bytes)
		driver_info_set(info, "balloon", "%lld", (long long)options->balloon_bytes);
	driver_info_set(info, "vcpus", "%d", options->vcpus);
	driver_info_set(info, "network", "%s", facts->network);
	driver_info_set(info, "cgroup", "%s", facts->cgroup);
	driver_info_set(info, "limits", "%s", facts->limits);
	if (facts->cgroup_note[0])
		driver_info_note(info, "%s", facts->cgroup_note);
	driver_info_note(info, "the guest's memory is limited by its size, its CPUs by their number; QEMU itself %s",
			 facts->daemon                        ? "is where libvirt's daemon puts it"
			 : strcmp(facts->cgroup, "none") == 0 ? "is in no cgroup of its own"
							      : "is in a cgroup, with its limits");
}

static void report_daemon(const struct vm_facts *facts, struct driver_info *info)
{
	if (facts->remote)
		driver_info_note(
			info, "another host runs the machines: T1, T3 and what QEMU uses there are not seen, its CPUs are not bound, and "
			      "each answer has come over the network");
	else if (facts->daemon)
		driver_info_note(info, "a daemon of libvirt's makes the machines: T3 is not seen");
}

static void report_start(const struct vm_facts *facts, struct driver_info *info)
{
	driver_info_set(info, "trace", "%s", facts->traced ? "on" : "off");
	driver_info_set(info, "start", "%s", facts->snapshot_bytes > 0 ? "restored" : "booted");
	if (facts->snapshot_bytes == 0)
		return;
	driver_info_set(info, "saved state", "%lld bytes", (long long)facts->snapshot_bytes);
	driver_info_set(info, "saved in", "%.3f s", (double)facts->snapshot_save_ns / 1e9);
	driver_info_set(info, "cold boot", "%.3f s", (double)facts->snapshot_boot_ns / 1e9);
	driver_info_note(info, "restored from the saved state of one machine: no kernel and no init starts in it, what is random to one is "
			       "the same to all");
}

/* Of another architecture it is another file than the run's agent. */
static void report_foreign(const struct vm_facts *facts, const struct vm_options *options, struct driver_info *info)
{
	const struct arch *arch = arch_by_name(facts->arch);

	if (!arch || arch_is_host(arch))
		return;
	driver_info_set(info, "emulated arch", "%s", arch->name);
	driver_info_set(info, "agent", "%s", strrchr(options->init_path, '/') + 1);
	driver_info_set(info, "agent sha256", "%s", facts->init_sha256);
}

void vm_report(const struct vm_facts *facts, const struct vm_options *options, int64_t limit_bytes, struct driver_info *info)
{
	report_accelerator(facts, info);
	driver_info_set(info, "arch", "%s", facts->arch);
	report_foreign(facts, options, info);
	driver_info_set(info, "machine", "%s", facts->machine);
	driver_info_set(info, "machine_full", "%s", facts->machine_full);
	driver_info_set(info, "cpu model", "%s", facts->cpu_model);
	report_kernel(facts, options, info);
	driver_info_set(info, "qemu", "%s", facts->qemu_version);
	driver_info_set(info, "libvirt", "%s", facts->libvirt_version);
	driver_info_set(info, "uri", "%s", facts->uri);
	driver_info_set(info, "confined", "%s", facts->confined[0] ? facts->confined : "no");
	if (facts->without_root)
		driver_info_note(info, "QEMU has no capability over the host, in a user namespace; %s",
				 facts->confined[0] ? "Landlock keeps it to its own files and devices"
						    : "but it owns root's files: Landlock does not keep it from them (not in this kernel, "
						      "or not beside virtiofsd)");
	if (facts->kept_root)
		driver_info_note(info, "no user namespace can be had: libvirt and QEMU run as root, and Landlock keeps them from no file");
	report_daemon(facts, info);
	report_limits(facts, options, info);
	report_start(facts, info);
	report_os(facts, options, limit_bytes, info);
}
