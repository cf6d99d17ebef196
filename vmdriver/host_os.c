/* Machines that boot a complete system from a disk. Each start gets a layer of its own over the one disk, which nobody writes to. The layer is
 * made once, empty, and copied: asking QEMU's tool for it would be part of every start. */
#include "host.h"

#include <base/files.h>
#include <base/process.h>
#include <errno.h>
#include <osimage/os_image.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LAYER_TIMEOUT_MS = 30000 };

/* What makes the agent PID 1 for the moment that it takes to say so; then it is systemd. */
#define AGENT_FIRST "rootfstype=ext4 rw init=" OS_IMAGE_AGENT " BENCH_INIT=/sbin/init"
#define ROOT_DIRECT "root=/dev/vda " AGENT_FIRST
/* Behind the boot loader's partition, and without the questions of a first start. */
#define ROOT_FIRMWARE "root=/dev/vda2 " AGENT_FIRST " systemd.firstboot=off"

int host_check_os(const struct vm_options *o, struct error *err)
{
	const struct arch *arch;
	const char *machine = "";

	if (o->os == VM_OS_NONE)
		return 0;
	int rc = arch_find(o->arch, &arch, err);
	if (rc == 0)
		rc = arch_machine(arch, o->machine, &machine, err);
	if (rc < 0)
		return rc;
	if (strcmp(arch->name, "x86_64") != 0) {
		error_set(err, ENOTSUP, "a complete system is of x86_64 alone, not of %s: its own programs run while it is made",
			  arch->name);
		return error_hint(err, "leave kind=os out: the agent alone boots on %s", arch->name);
	}
	if (o->kernel) {
		error_set(err, EINVAL, "a complete system boots the kernel that is installed in it, not one that is named");
		return error_hint(err, "leave the option kernel out");
	}
	if (strcmp(machine, "q35") != 0) {
		error_set(err, EINVAL, "a complete system starts on a q35 machine only, not on '%s'", machine);
		return error_hint(err, "use machine=q35");
	}
	if (o->os == VM_OS_FIRMWARE && o->append && o->append[0]) {
		error_set(err, EINVAL, "the kernel's command line is the boot loader's: nothing can be appended to it");
		return error_hint(err, "use kind=os, which starts the kernel directly");
	}
	if (o->os == VM_OS_FIRMWARE && o->tune != VM_TUNE_OFF) {
		error_set(err, EINVAL, "the kernel's command line is the boot loader's: its start cannot be tuned");
		return error_hint(err, "use kind=os, which starts the kernel directly");
	}
	if (o->network != VM_NETWORK_NONE || o->balloon_bytes > 0)
		return error_set(
			err, ENOTSUP,
			"a complete system gets no interface and no balloon of bench's: its own services would have to set them up");
	return 0;
}

int host_os_command_line(const struct vm_options *o, bool tcg, uint64_t khz, char *ret, size_t size, struct error *err)
{
	char append[512];
	int length = snprintf(append, sizeof(append), "%s%s%s", o->os == VM_OS_FIRMWARE ? ROOT_FIRMWARE : ROOT_DIRECT, o->append ? " " : "",
			      o->append ? o->append : "");

	if (length < 0 || (size_t)length >= sizeof(append))
		return error_set(err, E2BIG, "the guest's kernel command line is longer than %zu characters", size - 1);
	/* A boot loader's words are part of a disk that outlives this run, and its accelerator. */
	if (o->os == VM_OS_FIRMWARE) {
		tcg = true;
		khz = 0;
	}
	/* Of x86_64, and of q35. */
	return host_command_line(arch_by_name("x86_64"), "q35", tcg, khz, o->tune, append, ret, size, err);
}

int host_probe_os(const struct vm_options *o, char *ret, size_t size, struct error *err)
{
	const struct os_disk_plan plan = {.firmware = o->os == VM_OS_FIRMWARE};
	int there = os_image_probe(OS_IMAGE_TAR, o->cache_dir, err);
	int rc = there < 0 ? there : os_disk_check_tools(&plan, err);

	if (rc < 0)
		return rc;
	snprintf(ret, size, "the kernel of a complete Debian, which %s", there ? "is in the cache" : "will be made by mmdebstrap");
	return 0;
}

static int make_layer(struct vm_host *host, struct error *err)
{
	char output[512];
	int rc = path_format(host->layer, sizeof(host->layer), err, "%s/layer", host->dir);

	if (rc < 0)
		return rc;
	rc = process_run(
		(const char *const[]){"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", host->os.disk, host->layer, NULL}, NULL,
		LAYER_TIMEOUT_MS, true, output, sizeof(output), err);
	if (rc < 0) {
		error_prefix(err, "make a layer over %s", host->os.disk);
		return rc == -ENOENT ? error_hint(err, "apt install qemu-utils") : rc;
	}
	output[strcspn(output, "\n")] = '\0';
	return rc == 0 ? 0 : error_set(err, EIO, "make a layer over %s: %.300s", host->os.disk, output);
}

int host_prepare_os(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	char command_line[sizeof(host->facts.command_line)];
	struct os_disk_plan plan = {.firmware = o->os == VM_OS_FIRMWARE, .command_line = command_line, .agent_path = o->init_path};
	struct vm_facts *facts = &host->facts;
	int rc = host_os_command_line(o, true, 0, command_line, sizeof(command_line), err);

	if (rc == 0)
		rc = os_disk_get(&plan, o->cache_dir, o->note, o->note_arg, &host->os, err);
	if (rc == 0)
		rc = make_layer(host, err);
	/* A copy, as of the kernel: nobody's hands get at the cache. */
	if (rc == 0)
		rc = path_format(host->os_initrd, sizeof(host->os_initrd), err, "%s/initrd", host->dir);
	if (rc == 0)
		rc = file_copy(host->os.initrd, host->os_initrd, 0600, err);
	if (rc < 0)
		return rc;
	snprintf(facts->os_release, sizeof(facts->os_release), "%s", host->os.release);
	facts->os_packages = host->os.packages;
	facts->image_virtual_bytes = host->os.virtual_bytes;
	facts->image_allocated_bytes = host->os.allocated_bytes;
	return 0;
}

int host_add_os_disk(const struct vm_host *host, const char *layer, struct domain_config *config, struct error *err)
{
	if (config->n_disks == DOMAIN_DISKS_MAX)
		return error_set(err, E2BIG, "more than %d disks", DOMAIN_DISKS_MAX);
	/* The first, whatever else there is: the kernel is told to look there. */
	memmove(&config->disks[1], &config->disks[0], config->n_disks * sizeof(config->disks[0]));
	config->disks[0] = (struct domain_disk){.path = layer, .target = "vda", .format = "qcow2", .report_errors = true};
	config->n_disks++;
	return file_copy(host->layer, layer, 0600, err);
}
