/* Disks of machines: the root file system that all share and only read, and an empty one for each. */
#include "disk.h"
#include "host.h"
#include "modules.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* By which the agent finds them (bench/agent/root.h): the order of devices is the kernel's affair. */
#define ROOT_SERIAL    "bench-root"
#define SCRATCH_SERIAL "bench-scratch"

/* A sector of the guest's, and what can be told to truncate(). */
enum { SECTOR_BYTES = 512 };
#define SCRATCH_MIN (INT64_C(1) << 20)

/* The archive, what it unpacks to, and the kernel, all at once in the guest's memory. */
#define UNPACK_ROOM (INT64_C(64) << 20)

static bool has_limits(const struct vm_io_limits *io)
{
	return io->read_bytes || io->write_bytes || io->read_ops || io->write_ops;
}

static bool has_disk_root(const struct vm_options *o)
{
	return o->root == VM_ROOT_EXT4 || o->root == VM_ROOT_SQUASHFS || o->root == VM_ROOT_EROFS;
}

static bool is_shared(const struct vm_options *o)
{
	return o->root == VM_ROOT_VIRTIOFS || o->root == VM_ROOT_9P;
}

static int check_root(const struct vm_options *o, struct error *err)
{
	if (o->root != VM_ROOT_PROGRAM && o->n_root_layers == 0) {
		error_set(err, EINVAL, "root=%s needs a root file system to be made from", vm_root_names[o->root]);
		return error_hint(err, "add rootfs=FOLDER or image=NAME");
	}
	if (o->root == VM_ROOT_PROGRAM && o->n_root_layers > 0) {
		error_set(err, EINVAL, "a root file system is named, but not what it is to become");
		return error_hint(err, "add root=initramfs, ext4, squashfs, erofs, virtiofs or 9p");
	}
	if (o->root_overlay && o->root <= VM_ROOT_INITRAMFS)
		return error_set(err, EINVAL,
				 "an overlay is for a root file system on a disk or shared: root=ext4, squashfs, erofs, virtiofs or 9p");
	return 0;
}

static int check_scratch(const struct vm_options *o, struct error *err)
{
	if (o->scratch_bytes && (o->scratch_bytes < SCRATCH_MIN || o->scratch_bytes % SECTOR_BYTES))
		return error_set(err, EINVAL, "a disk has at least 1 MiB and whole sectors of 512 bytes");
	if (o->scratch_direct && !o->scratch_bytes)
		return error_set(err, EINVAL, "a way past the page cache is for the empty disk, and there is none");
	if (has_limits(&o->io) && !o->scratch_bytes && !has_disk_root(o)) {
		error_set(err, EINVAL, "limits of a disk, and the machine has none");
		return error_hint(err, "add disk=SIZE, or root=ext4, squashfs or erofs");
	}
	/* It asks QEMU for the part behind a device's PCI interface (libvirt 9.0), which a device without one does not have. */
	if (has_limits(&o->io) && o->machine && strcmp(o->machine, "microvm") == 0) {
		error_set(err, ENOTSUP, "limits of a disk: libvirt does not set them for a microvm, whose disks are not on PCI");
		return error_hint(err, "use machine=q35");
	}
	return 0;
}

int host_check_disks(const struct vm_options *o, struct error *err)
{
	int rc = check_root(o, err);

	if (rc == 0)
		rc = check_scratch(o, err);
	if (rc < 0)
		return rc;
	if (o->os != VM_OS_NONE && (o->root != VM_ROOT_PROGRAM || o->scratch_bytes))
		return error_set(err, ENOTSUP, "a complete system has its own disk, and gets no other");
	if (o->restore && o->scratch_bytes)
		return error_set(err, ENOTSUP, "a restored machine has the disk of the one that was saved: it gets none of its own");
	if (o->uri && !connection_uri_is_embed(o->uri) && (o->root != VM_ROOT_PROGRAM || o->scratch_bytes)) {
		error_set(err, ENOTSUP, "disks cannot be had through %s: a daemon's QEMU may be another user's", o->uri);
		return error_hint(err, "use " VM_URI_EMBED ", the default");
	}
	return 0;
}

/* ---- the root file system ---- */

static struct disk_plan plan_of(const struct vm_options *o)
{
	static const enum disk_format formats[] = {
		[VM_ROOT_INITRAMFS] = DISK_CPIO,
		[VM_ROOT_EXT4] = DISK_EXT4,
		[VM_ROOT_SQUASHFS] = DISK_SQUASHFS,
		[VM_ROOT_EROFS] = DISK_EROFS,
	};

	return (struct disk_plan){
		.format = formats[o->root],
		.layers = o->root_layers,
		.n_layers = o->n_root_layers,
		.cache_dir = o->cache_dir,
		.note = o->note,
		.note_arg = o->note_arg,
	};
}

int host_probe_disks(const struct vm_options *o, struct error *err)
{
	if (o->root == VM_ROOT_PROGRAM || is_shared(o))
		return 0;

	const struct disk_plan plan = plan_of(o);

	return disk_check_tools(&plan, err);
}

static int append_file(const char *to, const char *from, struct error *err)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_APPEND | O_CLOEXEC);
	char block[65536];
	ssize_t got = -1;

	if (in < 0 || out < 0)
		return error_errno(err, "append %s to %s", from, to);
	while ((got = read(in, block, sizeof(block))) > 0)
		for (ssize_t done = 0, put; done < got; done += put)
			if ((put = write(out, block + done, (size_t)(got - done))) < 0)
				return error_errno(err, "write %s", to);
	return got < 0 ? error_errno(err, "read %s", from) : 0;
}

/* The kernel unpacks one archive after the other: the tree first, then what must not be the tree's, the program and its modules. A file of its own, so
 * that the proof of an accelerator has the program alone. */
static int put_into_initramfs(struct vm_host *host, const struct vm_options *o, const struct disk *disk, struct error *err)
{
	char has[32], needs[32];
	int64_t needed = 2 * disk->bytes + host->kernel_needs_bytes + UNPACK_ROOM;
	int rc;

	if (o->memory_bytes < needed) {
		error_set(err, ENOMEM, "memory of %s is too small for an initramfs of %s", format_bytes(o->memory_bytes, has, sizeof(has)),
			  format_bytes(disk->bytes, needs, sizeof(needs)));
		return error_hint(err, "use memory=%s or more, or root=ext4", format_bytes(needed, needs, sizeof(needs)));
	}
	rc = path_format(host->root_initramfs, sizeof(host->root_initramfs), err, "%s/initramfs-root", host->dir);
	if (rc == 0)
		rc = file_copy(disk->path, host->root_initramfs, 0600, err);
	return rc < 0 ? rc : append_file(host->root_initramfs, host->initramfs, err);
}

static void note_root(struct vm_host *host, const struct vm_options *o, const struct disk *disk)
{
	struct vm_facts *facts = &host->facts;

	snprintf(facts->root_key, sizeof(facts->root_key), "%s", disk->key);
	facts->root_bytes = disk->bytes;
	if (o->root == VM_ROOT_INITRAMFS)
		snprintf(facts->root, sizeof(facts->root), "in the initramfs, in the guest's memory");
	else
		snprintf(facts->root, sizeof(facts->root), "%s on virtio-blk, read-only%s", vm_root_names[o->root],
			 o->root_overlay ? ", under an overlay in the guest's memory" : "");
}

/* An opened folder on a file system that has no way past the page cache says so; QEMU would only at the first start. */
static int check_direct(struct vm_host *host, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/direct", host->dir);

	if (rc < 0)
		return rc;
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EINVAL) {
		error_set(err, ENOTSUP, "cache=none: the file system of %s has no way past its page cache", host->dir);
		error_hint(err, "set BENCH_RUN_DIR to a folder on a disk, or use cache=writeback");
		rc = -ENOTSUP;
	} else if (fd < 0) {
		rc = error_errno(err, "create %s", path);
	}
	unlink(path);
	return rc;
}

int host_prepare_disks(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	struct disk disk;
	int rc = 0;

	snprintf(host->facts.root, sizeof(host->facts.root), "%s", vm_root_names[o->root]);
	host->scratch_bytes = o->scratch_bytes;
	if (o->scratch_direct)
		rc = check_direct(host, err);
	if (rc < 0 || o->root == VM_ROOT_PROGRAM || is_shared(o))
		return rc;

	const struct disk_plan plan = plan_of(o);

	rc = disk_get(&plan, &disk, err);
	if (rc < 0)
		return rc;
	note_root(host, o, &disk);
	if (o->root == VM_ROOT_INITRAMFS)
		return put_into_initramfs(host, o, &disk, err);
	return path_format(host->root_disk, sizeof(host->root_disk), err, "%s", disk.path);
}

unsigned host_disk_modules(const struct vm_options *o)
{
	static const unsigned file_systems[VM_ROOT_COUNT] = {
		[VM_ROOT_EXT4] = MODULES_FS_EXT4,   [VM_ROOT_SQUASHFS] = MODULES_FS_SQUASHFS,
		[VM_ROOT_EROFS] = MODULES_FS_EROFS, [VM_ROOT_VIRTIOFS] = MODULES_FS_VIRTIOFS,
		[VM_ROOT_9P] = MODULES_FS_9P,
	};

	return (has_disk_root(o) || o->scratch_bytes ? MODULES_DISK : 0) | file_systems[o->root] | (o->root_overlay ? MODULES_OVERLAY : 0);
}

/* ---- the description ---- */

static void note_disks(struct vm_host *host, const struct vm_options *o)
{
	struct vm_facts *f = &host->facts;
	char size[32];

	snprintf(f->scratch, sizeof(f->scratch), "none");
	if (o->scratch_bytes)
		snprintf(f->scratch, sizeof(f->scratch), "%s, sparse, cache=%s", format_bytes(o->scratch_bytes, size, sizeof(size)),
			 o->scratch_direct ? "none" : "writeback");
	snprintf(f->disk_limits, sizeof(f->disk_limits), "none");
	if (has_limits(&o->io))
		snprintf(f->disk_limits, sizeof(f->disk_limits), "read_bps=%lld write_bps=%lld read_iops=%lld write_iops=%lld (0: none)",
			 (long long)o->io.read_bytes, (long long)o->io.write_bytes, (long long)o->io.read_ops, (long long)o->io.write_ops);
}

static void add(struct domain_config *d, const struct vm_io_limits *io, struct domain_disk disk)
{
	static const char *const targets[DOMAIN_DISKS_MAX] = {"vda", "vdb", "vdc", "vdd"};

	disk.target = targets[d->n_disks];
	disk.read_bytes = io->read_bytes;
	disk.write_bytes = io->write_bytes;
	disk.read_ops = io->read_ops;
	disk.write_ops = io->write_ops;
	d->disks[d->n_disks++] = disk;
}

void host_set_disks(struct vm_host *host, const struct vm_options *o)
{
	struct domain_config *d = &host->domain;

	if (host->root_initramfs[0])
		d->initrd = host->root_initramfs;
	if (host->root_disk[0])
		add(d, &o->io, (struct domain_disk){.path = host->root_disk, .serial = ROOT_SERIAL, .read_only = true});
	/* What fills the host's disk is the guest's error: a machine that is stopped for it would only fall silent. */
	if (o->scratch_bytes)
		add(d, &o->io,
		    (struct domain_disk){
			    .serial = SCRATCH_SERIAL, .cache = o->scratch_direct ? "none" : "writeback", .report_errors = true});
	note_disks(host, o);
}

int host_tell_root(const struct vm_options *o, char *line, size_t size, struct error *err)
{
	size_t used = strlen(line);

	if (!has_disk_root(o) && !is_shared(o))
		return 0;

	int length = snprintf(line + used, size - used, " BENCH_ROOT=%s%s", vm_root_names[o->root],
			      o->root_overlay ? " BENCH_ROOT_OVERLAY=1" : "");

	return length < 0 || (size_t)length >= size - used
		       ? error_set(err, E2BIG, "the guest's kernel command line is longer than %zu characters", size - 1)
		       : 0;
}

/* ---- one machine ---- */

static int make_scratch(struct vm *vm, struct error *err)
{
	int rc = path_format(vm->scratch, sizeof(vm->scratch), err, "%s.scratch", vm->paths[0]);

	if (rc < 0)
		return rc;
	_cleanup_close_ int fd = open(vm->scratch, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, vm->host->scratch_bytes) < 0)
		return error_errno(err, "empty disk %s", vm->scratch);
	return 0;
}

int host_add_disks(struct vm *vm, struct domain_config *config, struct error *err)
{
	for (size_t i = 0; i < config->n_disks; i++) {
		if (config->disks[i].path)
			continue;
		int rc = make_scratch(vm, err);
		if (rc < 0)
			return rc;
		config->disks[i].path = vm->scratch;
	}
	return 0;
}
