/* Machines from a saved state: libvirt's file, and real guests that go on from it. */
#include "vm_scene.h"

#include <drivers/vm_ready.h>
#include <vmdriver/memory_split.h>
#include <vmdriver/snapshot.h>

/* ---- the file ---- */

static size_t text_bytes(const char *magic, uint32_t version, uint32_t length, size_t size)
{
	char header[SNAPSHOT_HEADER] = "";

	memcpy(header, magic, strlen(magic));
	memcpy(header + 16, &version, sizeof(version));
	memcpy(header + 20, &length, sizeof(length));
	return snapshot_text_bytes(header, size);
}

Test(vm_snapshot, header)
{
	cr_expect_eq(text_bytes("LibvirtQemudSave", 2, 5000, SNAPSHOT_HEADER), SNAPSHOT_HEADER + 5000);
	cr_expect_eq(text_bytes("LibvirtQemudSave", 2, 5000, SNAPSHOT_HEADER - 1), 0, "cut short");
	cr_expect_eq(text_bytes("LibvirtQemudPart", 2, 5000, SNAPSHOT_HEADER), 0, "not finished");
	cr_expect_eq(text_bytes("LibvirtQemudSave", 3, 5000, SNAPSHOT_HEADER), 0, "a version that nobody has seen");
	cr_expect_eq(text_bytes("LibvirtQemudSave", 2, 0, SNAPSHOT_HEADER), 0);
	cr_expect_eq(text_bytes("LibvirtQemudSave", 2, UINT32_MAX, SNAPSHOT_HEADER), 0, "longer than a description is");
}

Test(vm_snapshot, names_are_replaced_in_place)
{
	char text[] = "<name>bench-s-1</name>\0<a path='/x/s-1.0'/>s-1s-1 s-";

	cr_expect_eq(snapshot_replace(text, sizeof(text) - 1, "s-1", "s-2"), 4);
	cr_expect_eq(memcmp(text, "<name>bench-s-2</name>\0<a path='/x/s-2.0'/>s-2s-2 s-", sizeof(text)), 0);
	cr_expect_eq(snapshot_replace(text, sizeof(text) - 1, "s-1", "s-3"), 0);
	cr_expect_eq(snapshot_replace(text, 2, "s-2", "s-3"), 0);
}

/* ---- whose memory ---- */

static struct memory_split split(const char *text, int64_t memory_bytes, int expected)
{
	struct memory_split ret = {-2, -2, -2};
	FILE *file = fmemopen((void *)text, strlen(text) + 1, "r");
	struct error err = {0};

	cr_assert(file);
	cr_expect_eq(memory_split_read(file, memory_bytes, &ret, &err), expected, "%s", err.message);
	fclose(file);
	return ret;
}

Test(vm_snapshot, guests_memory_is_the_mapping_of_its_size)
{
	static const char smaps[] = "55-56 r-xp 0 00:00 1 /usr/bin/qemu\nSize:  6000 kB\nRss:  4000 kB\nPss:  3000 kB\nPss_Dirty:  7 kB\n"
				    "7e-7f rw-p 0 00:00 0 \nSize:  262144 kB\nRss:  90000 kB\nPss:  88000 kB\nPss_Dirty:  88000 kB\n"
				    "7f-80 rw-p 0 00:00 0 \nSize:  1048576 kB\nRss:  20000 kB\nPss:  20000 kB\n";
	struct memory_split found = split(smaps, 256 << 20, 0);

	cr_expect_eq(found.ram_rss_bytes, 90000 * 1024);
	cr_expect_eq(found.ram_pss_bytes, 88000 * 1024);
	cr_expect_eq(found.total_pss_bytes, 111000 * 1024);
	found = split(smaps, 128 << 20, 0);
	cr_expect_eq(found.ram_rss_bytes, -1, "none of that size");
	found = split("nothing of the kind\n", 128 << 20, -EIO);
	cr_expect_eq(found.total_pss_bytes, -2, "untouched");
}

Test(vm_memory, a_guest_cannot_claim_more_than_it_has)
{
	cr_expect_eq(memory_split_claim(0, 128 << 20), 0);
	cr_expect_eq(memory_split_claim(1000, 128 << 20), 1000 * 1024);
	cr_expect_eq(memory_split_claim(128 << 10, 128 << 20), 128 << 20);
	cr_expect_eq(memory_split_claim((128 << 10) + 1, 128 << 20), 128 << 20);
	cr_expect_eq(memory_split_claim(UINT64_MAX, 128 << 20), 128 << 20);
	cr_expect_eq(memory_split_claim(UINT64_MAX / 1024 + 2, 128 << 20), 128 << 20, "a product that overflows");
}

/* ---- real machines ---- */

static void prepare_restore(struct scene *s)
{
	prepare(s);
	s->options.restore = true;
	s->options.ready = vm_ready;
	s->options.trace_guest = true;
}

/* A restored agent has greeted long ago: it answers at once, and has not lost what it could do. */
static void answers(const struct vm_view *view, const char *who)
{
	int64_t deadline_ns = in_ms(READY_MS);
	char line[512] = "";

	check(write(view->control_fd, "ping\n", 5) == 5, "%s: cannot be asked", who);
	check(line_read(view->control_fd, deadline_ns, line, sizeof(line)) && strncmp(line, "pong", 4) == 0, "%s: '%s' to a ping", who,
	      line);
	check(write(view->control_fd, "memory\n", 7) == 7, "%s: cannot be asked", who);
	check(line_read(view->control_fd, deadline_ns, line, sizeof(line)) && strncmp(line, "memory total=", 13) == 0, "%s: '%s'", who,
	      line);
}

static void act_three(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vms[3] = {NULL};
	struct error err = {0};
	struct vm_stamps stamps;
	struct vm_memory memory;
	char id[16], path[128];

	if (!host)
		return;

	const struct vm_facts *facts = vm_host_facts(host);
	struct stat st = {0};

	snprintf(path, sizeof(path), "%s/vm/saved", s->run_dir);
	check(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "%s has mode %o", path, (unsigned)st.st_mode);
	check(facts->snapshot_bytes == st.st_size && st.st_size > (8 << 20), "%lld bytes", (long long)facts->snapshot_bytes);
	check(facts->snapshot_boot_ns > 0 && facts->snapshot_save_ns > 0, "no times");
	/* All at once, from the one image. */
	for (int i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "three-%d", i);
		check(vm_start(host, id, in_ms(READY_MS), &vms[i], &err) == 0, "%s: %s", id, err.message);
	}
	for (int i = 2; i >= 0; i--)
		if (vms[i]) {
			snprintf(id, sizeof(id), "three-%d", i);
			answers(vm_view(vms[i]), id);
			vm_stamps(vms[i], &stamps);
			check(stamps.kernel_ns == 0, "%s: no kernel began in it", id);
			check(vm_view(vms[i])->launched_ns <= stamps.running_ns && stamps.running_ns <= vm_view(vms[i])->resumed_ns,
			      "%s: ran at %lld", id, (long long)stamps.running_ns);
		}
	if (vms[0]) {
		vm_memory(vms[0], &memory);
		check(memory.ram_bytes > (8 << 20) && memory.ram_bytes <= s->options.memory_bytes, "guest's memory: %lld",
		      (long long)memory.ram_bytes);
		check(memory.vmm_pss_bytes > (1 << 20), "QEMU alone: %lld", (long long)memory.vmm_pss_bytes);
	}
	/* One ends; the others do not mind, and a fourth comes. */
	check(vm_stop(vms[1], &err) == 0, "stop: %s", err.message);
	vms[1] = NULL;
	check(vm_start(host, "four", in_ms(READY_MS), &vms[1], &err) == 0, "four: %s", err.message);
	for (int i = 0; i < 3; i++)
		if (vms[i])
			answers(vm_view(vms[i]), "after an end");
	for (int i = 0; i < 3; i++)
		check(vm_stop(vms[i], &err) == 0, "stop: %s", err.message);
	vm_host_close(host);
}

Test(vm_snapshot, three_at_once_from_one_image)
{
	struct scene s;

	prepare_restore(&s);
	play(&s, act_three);
}

static void act_microvm(struct scene *s)
{
	s->options.machine = "microvm";

	struct vm_host *host = open_host(s);
	struct error err = {0};
	struct vm *vm = NULL;

	for (int i = 0; host && i < 2; i++) {
		check(vm_start(host, "micro", in_ms(READY_MS), &vm, &err) == 0, "start: %s", err.message);
		if (vm)
			answers(vm_view(vm), "micro");
		check(vm_stop(vm, &err) == 0, "stop: %s", err.message);
		vm = NULL;
	}
	vm_host_close(host);
}

Test(vm_snapshot, microvm)
{
	struct scene s;

	prepare_restore(&s);
	play(&s, act_microvm);
}

/* The guest's end comes before it is ready: said in one line, and nothing stays. */
static void act_panic(struct scene *s)
{
	struct error err = {0};
	struct vm_host *host = NULL;

	s->options.append = "rdinit=/nonexistent root=/dev/none";
	check(vm_host_open(&s->options, &host, &err) < 0, "opens with a guest that has no init");
	check(strstr(err.message, "the machine that is to be saved") && strstr(err.message, "panic"), "says: %s", err.message);
	vm_host_close(host);
}

Test(vm_snapshot, guest_that_is_never_ready)
{
	struct scene s;

	prepare_restore(&s);
	play(&s, act_panic);
}

Test(vm_snapshot, daemons_cannot_have_it)
{
	const struct vm_options options = {.uri = "qemu:///system",
					   .restore = true,
					   .run_dir = "/run/x",
					   .cache_dir = "/nonexistent",
					   .memory_bytes = 128 << 20,
					   .vcpus = 1};
	struct vm_host *host = NULL;
	struct error err = {0};

	cr_expect_eq(vm_host_open(&options, &host, &err), -ENOTSUP);
	cr_expect(strstr(err.hint, VM_URI_EMBED), "%s", err.hint);
}
