/* Guests with disks: each root file system is read inside, what is written stays inside, and limits of disks bite, by the host's clock. */
#include "vm_talk.h"

#include <vmdriver/disk.h>

#include <sys/mman.h>

enum { GREETING_BYTES = 20, BIG_BYTES = 1 << 20 };

/* What the child found, for the test to judge and print. */
struct found {
	double seconds;
	bool done;
};

static struct found *found;
static char tree[64];
static const char *layers[1];

static void put_file(const char *name, size_t bytes)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", tree, name);
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	cr_assert(file);
	for (size_t i = 0; i < bytes; i++)
		fputc("0123456789abcdef"[i % 16], file);
}

static void prepare_tree(struct scene *s)
{
	prepare(s);
	strcpy(tree, "/tmp/vm-tree-XXXXXX");
	cr_assert(mkdtemp(tree));
	layers[0] = tree;
	for (const char *const *name = (const char *const[]){"dev", "proc", "sys", "tmp", "run", "data", NULL}; *name; name++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", tree, *name);
		cr_assert_eq(mkdir(path, 0755), 0);
	}
	put_file("data/greeting", GREETING_BYTES);
	put_file("data/big", BIG_BYTES);
	s->options.root_layers = layers;
	s->options.n_root_layers = 1;
	s->options.memory_bytes = 192 << 20;
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(found, MAP_FAILED);
}

static void need_format(enum vm_root root)
{
	static const enum disk_format formats[] = {[VM_ROOT_INITRAMFS] = DISK_CPIO,
						   [VM_ROOT_EXT4] = DISK_EXT4,
						   [VM_ROOT_SQUASHFS] = DISK_SQUASHFS,
						   [VM_ROOT_EROFS] = DISK_EROFS};
	const struct disk_plan plan = {.format = formats[root], .n_layers = 1};
	struct error err = {0};

	if (disk_check_tools(&plan, &err) == 0)
		return;
	dir_remove(tree, NULL);
	cr_assert_not(must_run(), "%s", err.message);
	cr_skip_test("%s", err.message);
}

/* ---- the root file system ---- */

static void act_root(struct scene *s)
{
	bool writable = s->options.root == VM_ROOT_INITRAMFS || s->options.root_overlay;
	struct vm_host *host = open_host(s);

	/* Twice: what the first one wrote is not there for the second. */
	for (int i = 0; i < 2; i++) {
		struct vm *vm = begin(host, i ? "second" : "first");

		if (!vm)
			break;
		expect(vm, "files /data", "files=2 bytes=1048596");
		expect(vm, "write /data/new", writable ? "written" : "error /data/new: Read-only file system");
		expect(vm, "files /data", writable ? "files=3 bytes=1048597" : "files=2 bytes=1048596");
		expect(vm, "write /tmp/new", "written");
		expect(vm, "memory", "memory total=");
		expect(vm, "drop", "dropped");
		expect(vm, "files /data", writable ? "files=3" : "files=2");
		end(vm);
		found->done = i == 1;
	}
	vm_host_close(host);
}

static void play_root(enum vm_root root, const char *machine, bool overlay)
{
	struct scene s;

	prepare_tree(&s);
	need_format(root);
	s.options.root = root;
	s.options.machine = machine;
	s.options.root_overlay = overlay;
	play(&s, act_root);
	dir_remove(tree, NULL);
	cr_assert(found->done);
}

Test(vm_storage, initramfs)
{
	play_root(VM_ROOT_INITRAMFS, "q35", false);
}

Test(vm_storage, ext4)
{
	play_root(VM_ROOT_EXT4, "q35", false);
}

Test(vm_storage, ext4_without_pci)
{
	play_root(VM_ROOT_EXT4, "microvm", false);
}

Test(vm_storage, squashfs_under_an_overlay)
{
	play_root(VM_ROOT_SQUASHFS, "q35", true);
}

Test(vm_storage, squashfs_without_pci)
{
	play_root(VM_ROOT_SQUASHFS, "microvm", false);
}

Test(vm_storage, erofs)
{
	play_root(VM_ROOT_EROFS, "q35", false);
}

Test(vm_storage, erofs_under_an_overlay_without_pci)
{
	play_root(VM_ROOT_EROFS, "microvm", true);
}

/* ---- what is wrong with it ---- */

/* The image is whole when it is checked, and is damaged then: the guest's kernel refuses it, and the reason gets out. */
static void act_damaged(struct scene *s)
{
	struct error err = {0};
	struct vm *vm = NULL;
	struct disk disk;
	char why[400] = "", zeros[4096] = "";
	const struct disk_plan plan = {.format = DISK_SQUASHFS, .layers = layers, .n_layers = 1, .cache_dir = s->cache_dir};

	/* Before the host gives up being root: its images are root's. */
	check(disk_get(&plan, &disk, &err) == 0, "%s", err.message);
	_cleanup_close_ int fd = open(disk.path, O_WRONLY | O_CLOEXEC);
	struct vm_host *host = open_host(s);

	if (!host)
		return;
	check(strstr(disk.path, vm_host_facts(host)->root_key) != NULL, "%s is not what it starts from", disk.path);
	check(pwrite(fd, zeros, sizeof(zeros), 0) == sizeof(zeros), "damage %s", disk.path);
	if (vm_start(host, "damaged", in_ms(READY_MS), &vm, &err) == 0) {
		check(!reaches_pong(vm_view(vm)), "it runs from a damaged root");
		vm_diagnose(vm, why, sizeof(why));
		check(strstr(why, "mount the root file system of type squashfs"), "why: %s", why);
		end(vm);
	} else {
		fail("start: %s", err.message);
	}
	vm_host_close(host);
	found->done = true;
}

Test(vm_storage, a_root_that_cannot_be_mounted_is_named)
{
	struct scene s;

	prepare_tree(&s);
	need_format(VM_ROOT_SQUASHFS);
	s.options.root = VM_ROOT_SQUASHFS;
	play(&s, act_damaged);
	dir_remove(tree, NULL);
	cr_assert(found->done);
}

static void refused(const struct vm_options *options, int code, const char *word)
{
	struct vm_host *host = NULL;
	struct error err = {0};

	cr_assert_eq(vm_host_open(options, &host, &err), -code, "%d: %s", err.code, err.message);
	cr_assert(strstr(err.message, word), "%s", err.message);
	cr_assert_null(host);
}

Test(vm_storage, what_does_not_go_together_is_refused_before_anything_is_made)
{
	const char *layer = "/etc";
	const struct vm_options plain = {.run_dir = "/nope", .cache_dir = "/nope", .memory_bytes = 128 << 20, .vcpus = 1};
	struct vm_options o = plain;

	o.root = VM_ROOT_EXT4;
	refused(&o, EINVAL, "needs a root file system");
	o = plain;
	o.root_layers = &layer;
	o.n_root_layers = 1;
	refused(&o, EINVAL, "not what it is to become");
	o.root = VM_ROOT_INITRAMFS;
	o.root_overlay = true;
	refused(&o, EINVAL, "overlay");
	o = plain;
	o.io.read_ops = 5;
	refused(&o, EINVAL, "has none");
	o.scratch_bytes = 8 << 20;
	o.machine = "microvm";
	refused(&o, ENOTSUP, "microvm");
	o = plain;
	o = plain;
	o.scratch_bytes = 1000;
	refused(&o, EINVAL, "1 MiB");
	o = plain;
	o.scratch_direct = true;
	refused(&o, EINVAL, "there is none");
	o = plain;
	o.scratch_bytes = 8 << 20;
	o.restore = true;
	refused(&o, ENOTSUP, "restored");
	o.restore = false;
	o.os = VM_OS_DIRECT;
	refused(&o, ENOTSUP, "own disk");
	o.os = VM_OS_NONE;
	o.uri = "qemu:///system";
	refused(&o, ENOTSUP, "qemu:///system");
}

/* ---- the empty disk, and limits ---- */

static const char *request;

static double timed(const struct vm *vm, const char *what)
{
	int64_t start_ns = clock_now_ns();

	expect(vm, what, "disk bytes=");
	return (double)(clock_now_ns() - start_ns) / 1e9;
}

static void act_measure(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "measure");

	if (vm) {
		found->seconds = timed(vm, request);
		end(vm);
	}
	vm_host_close(host);
}

/* `amount`: what the request moves, in the unit of the limit. QEMU lets a tenth of a second's share pass at once: that is inside the 15 %. */
static void bites(const char *name, const char *machine, struct vm_io_limits io, const char *what, double amount, double limit)
{
	struct scene s;

	prepare(&s);
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(found, MAP_FAILED);
	s.options.machine = machine;
	s.options.scratch_bytes = 16 << 20;
	s.options.io = io;
	request = what;
	play(&s, act_measure);
	double rate = amount / found->seconds;
	printf("MEASURED %s on %s: declared %.0f/s, measured %.0f/s (%+.1f %%)\n", name, machine, limit, rate, 100 * (rate / limit - 1));
	cr_assert(rate > 0.85 * limit && rate < 1.15 * limit, "%s: %.0f/s instead of %.0f", name, rate, limit);
}

Test(vm_storage, bytes_read)
{
	bites("read_bps", "q35", (struct vm_io_limits){.read_bytes = 4 << 20}, "disk read 65536 16777216", 16 << 20, 4 << 20);
}

Test(vm_storage, bytes_written)
{
	bites("write_bps", "q35", (struct vm_io_limits){.write_bytes = 4 << 20}, "disk write 65536 16777216", 16 << 20, 4 << 20);
}

Test(vm_storage, reads)
{
	bites("read_iops", "q35", (struct vm_io_limits){.read_ops = 50}, "disk read 4096 819200", 200, 50);
}

Test(vm_storage, writes)
{
	bites("write_iops", "q35", (struct vm_io_limits){.write_ops = 50}, "disk write 4096 819200", 200, 50);
}

/* Without a limit the same requests take a small part of that: it was the limit that was measured. */
static void act_free(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "free");

	if (vm) {
		found->seconds = timed(vm, "disk write 65536 16777216") + timed(vm, "disk read 65536 16777216");
		expect(vm, "disk read 4096", "error expected disk");
		expect(vm, "disk read 100 100", "error expected disk");
		end(vm);
	}
	vm_host_close(host);
}

static void play_free(bool direct)
{
	struct scene s;

	prepare(&s);
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s.options.scratch_bytes = 16 << 20;
	s.options.scratch_direct = direct;
	play(&s, act_free);
	printf("MEASURED 16 MiB written and read, no limit, cache=%s: %.2f s\n", direct ? "none" : "writeback", found->seconds);
	cr_assert(found->seconds > 0 && found->seconds < 4, "%.2f s", found->seconds);
}

Test(vm_storage, without_a_limit_it_is_fast)
{
	play_free(false);
}

Test(vm_storage, past_the_page_cache)
{
	play_free(true);
}
