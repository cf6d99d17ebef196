/* Guests whose root is a folder of the host: read inside and not written, the folder stays as it is in all that a stat tells, and a daemon that dies is
 * named at once. */
#include "vm_talk.h"

#include <vmdriver/share.h>

#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static bool *done;
static char tree[64];
static const char *layers[2];
static bool by_qemu; /* it reads as any program does, which moves the times of access */

static void put_file(const char *name, mode_t mode, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", tree, name);
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	cr_assert(file && fputs(text, file) >= 0);
	cr_assert_eq(fchmod(fileno(file), mode), 0);
}

static void prepare_tree(struct scene *s, enum vm_root root)
{
	char path[128];

	prepare(s);
	strcpy(tree, "/tmp/vm-tree-XXXXXX");
	cr_assert(mkdtemp(tree));
	layers[0] = layers[1] = tree;
	for (const char *const *name = (const char *const[]){"dev", "proc", "sys", "tmp", "run", "data", NULL}; *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", tree, *name);
		cr_assert_eq(mkdir(path, 0755), 0);
	}
	put_file("data/greeting", 0644, "twenty bytes of text");
	put_file("data/program", 0755, "#!");
	snprintf(path, sizeof(path), "%s/data/greeting", tree);
	setxattr(path, "user.kept", "1", 1, 0); /* not every file system has them */
	s->options.root = root;
	by_qemu = root == VM_ROOT_9P;
	s->options.root_layers = layers;
	s->options.n_root_layers = 1;
	done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(done, MAP_FAILED);
}

static void need_daemon(void)
{
	struct error err = {0};
	char path[PATH_MAX];

	if (share_find(path, sizeof(path), &err) == 0)
		return;
	dir_remove(tree, NULL);
	cr_assert_not(must_run(), "%s", err.message);
	cr_skip_test("%s", err.message);
}

/* ---- the folder as the host sees it ---- */

static FILE *listing;

/* A time of access of a folder moves when anybody, nftw() for one, looks into it; of a file it must stay. */
static int list_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	char names[512] = "", value[64] = "";
	ssize_t length = llistxattr(path, names, sizeof(names)), got = lgetxattr(path, "user.kept", value, sizeof(value) - 1);

	bool with_access = S_ISREG(st->st_mode) && !by_qemu;

	fprintf(listing, "%s %u:%u %o %lld %lld.%09ld %lld.%09ld %lld.%09ld %zd %s %zd %s\n", path, st->st_uid, st->st_gid, st->st_mode,
		S_ISREG(st->st_mode) ? (long long)st->st_size : 0LL, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		(long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec, with_access ? (long long)st->st_atim.tv_sec : 0LL,
		with_access ? st->st_atim.tv_nsec : 0L, length, names, got, value);
	return 0;
}

static char *list_tree(void)
{
	char *text = NULL;
	size_t size = 0;

	listing = open_memstream(&text, &size);
	cr_assert(listing);
	cr_assert_eq(nftw(tree, list_one, 8, FTW_PHYS), 0);
	fclose(listing);
	return text;
}

static void finish(const char *before)
{
	char *after = list_tree();

	cr_assert_str_eq(before, after, "the folder was changed from\n%s\nto\n%s", before, after);
	cr_assert(strstr(after, "data/greeting"));
	free(after);
	dir_remove(tree, NULL);
}

/* ---- inside ---- */

/* The daemon's own view: whatever a guest makes it do, the folder is mounted read-only. */
static void check_daemon(const struct vm *vm)
{
	char path[64], line[1024];
	bool read_only = false, writable = false;

	for (size_t i = 0; i < vm_view(vm)->n_helpers; i++) {
		cpu_set_t cpus;

		check(sched_getaffinity(vm_view(vm)->helpers[i], sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) == 1 && CPU_ISSET(0, &cpus),
		      "virtiofsd is not bound to CPU 0");
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)vm_view(vm)->helpers[i]);
		_cleanup_fclose_ FILE *mounts = fopen(path, "re");
		while (mounts && fgets(line, sizeof(line), mounts)) {
			bool is_tree = strstr(line, strrchr(tree, '/')) != NULL;

			read_only = read_only || (is_tree && strstr(line, " ro,"));
			writable = writable || (is_tree && strstr(line, " rw,nosuid,nodev"));
		}
	}
	check(vm_view(vm)->n_helpers == 2, "%zu processes of virtiofsd instead of 2", vm_view(vm)->n_helpers);
	check(read_only && !writable, "virtiofsd has the folder writable");
}

static void check_gone(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(kill(pids[i], 0) < 0 && errno == ESRCH, "process %d of virtiofsd lives on", (int)pids[i]);
}

static void act_share(struct scene *s)
{
	bool writable = s->options.root_overlay, daemon = s->options.root == VM_ROOT_VIRTIOFS;
	struct vm_host *host = open_host(s);

	for (int i = 0; host && i < 2; i++) {
		struct vm *vm = begin(host, i ? "second" : "first");
		pid_t pids[VM_HELPERS_MAX];
		size_t n = 0;

		if (!vm)
			break;
		expect(vm, "files /data", "files=2 bytes=22");
		expect(vm, "write /data/new", writable ? "written" : "error /data/new: Read-only file system");
		expect(vm, "write /data/greeting", writable ? "written" : "error /data/greeting: Read-only file system");
		expect(vm, "write /tmp/new", "written");
		if (daemon) {
			check_daemon(vm);
			n = vm_view(vm)->n_helpers;
			memcpy(pids, vm_view(vm)->helpers, sizeof(pids));
		}
		end(vm);
		check_gone(pids, n);
		*done = i == 1;
	}
	vm_host_close(host);
}

static void play_share(enum vm_root root, const char *machine, bool overlay)
{
	struct scene s;

	prepare_tree(&s, root);
	if (root == VM_ROOT_VIRTIOFS)
		need_daemon();
	s.options.machine = machine;
	s.options.root_overlay = overlay;
	s.options.cpuset = "0";
	char *before = list_tree();
	play(&s, act_share);
	finish(before);
	free(before);
	cr_assert(*done);
}

Test(vm_share, virtiofs)
{
	play_share(VM_ROOT_VIRTIOFS, "q35", false);
}

Test(vm_share, virtiofs_under_an_overlay_without_pci)
{
	play_share(VM_ROOT_VIRTIOFS, "microvm", true);
}

/* ---- what goes wrong ---- */

/* `which`: the process that serves, or the one that waits for it. */
static void kill_daemon(struct vm_host *host, size_t which)
{
	struct vm *vm = begin(host, which ? "serving" : "waiting");
	char line[256], why[400] = "";

	if (!vm || vm_view(vm)->n_helpers <= which) {
		check(false, "nothing to kill");
		return;
	}
	int64_t start_ns = clock_now_ns();
	kill(vm_view(vm)->helpers[which], SIGKILL);
	while (line_read(vm_view(vm)->control_fd, in_ms(READY_MS), line, sizeof(line)))
		;
	check(clock_now_ns() - start_ns < INT64_C(5000000000), "noticed after %lld ms", (long long)(clock_now_ns() - start_ns) / 1000000);
	vm_diagnose(vm, why, sizeof(why));
	check(strstr(why, "virtiofsd (process ") && strstr(why, "died or was killed") && !strchr(why, '\n'), "diagnosis: %s", why);
	end(vm);
}

/* Then it ends as well, and is not to blame. */
static void kill_qemu(struct vm_host *host)
{
	struct vm *vm = begin(host, "qemu");
	char line[256], why[400] = "";

	if (!vm)
		return;
	kill(vm_view(vm)->pid, SIGKILL);
	while (line_read(vm_view(vm)->control_fd, in_ms(READY_MS), line, sizeof(line)))
		;
	vm_diagnose(vm, why, sizeof(why));
	check(strstr(why, "QEMU (process ") && strstr(why, "died or was killed"), "diagnosis: %s", why);
	end(vm);
}

static void act_killed(struct scene *s)
{
	struct vm_host *host = open_host(s);

	if (!host)
		return;
	kill_daemon(host, 1);
	kill_daemon(host, 0);
	kill_qemu(host);
	struct vm *vm = begin(host, "after");
	if (vm)
		end(vm);
	*done = vm != NULL;
	vm_host_close(host);
}

Test(vm_share, a_killed_virtiofsd_is_noticed_at_once)
{
	struct scene s;

	prepare_tree(&s, VM_ROOT_VIRTIOFS);
	need_daemon();
	char *before = list_tree();
	play(&s, act_killed);
	finish(before);
	free(before);
	cr_assert(*done);
}

/* A guest that ends by itself ends its daemon, too; that is not the daemon's fault. */
static void act_own_end(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "ends");
	char line[256], why[400] = "";

	if (vm) {
		expect(vm, "quit", "bye");
		while (line_read(vm_view(vm)->control_fd, in_ms(READY_MS), line, sizeof(line)))
			;
		vm_diagnose(vm, why, sizeof(why));
		check(strstr(why, "switched itself off"), "diagnosis: %s", why);
		end(vm);
		*done = true;
	}
	vm_host_close(host);
}

Test(vm_share, a_guest_that_ends_by_itself_is_not_its_daemons_fault)
{
	struct scene s;

	prepare_tree(&s, VM_ROOT_VIRTIOFS);
	need_daemon();
	play(&s, act_own_end);
	dir_remove(tree, NULL);
	cr_assert(*done);
}

/* By the kernel that the host offers: it has the driver, or the refusal says so. */
static void act_9p(struct scene *s)
{
	struct vm_host *host = NULL;
	struct error err = {0};
	int rc = vm_host_open(&s->options, &host, &err);

	vm_host_close(host);
	if (rc == 0) {
		act_share(s);
		return;
	}
	check(rc == -ENOENT && strstr(err.message, "root=9p: the guest's kernel ") && strstr(err.message, "has no driver for it"), "%s",
	      err.message);
	check(strstr(err.hint, "kernel=FILE") != NULL, "hint: %s", err.hint);
	*done = true;
}

Test(vm_share, plan9)
{
	struct scene s;

	prepare_tree(&s, VM_ROOT_9P);
	char *before = list_tree();
	play(&s, act_9p);
	finish(before);
	free(before);
	cr_assert(*done);
}

static void refused(const struct vm_options *options, const char *word)
{
	struct vm_host *host = NULL;
	struct error err = {0};

	cr_assert_eq(vm_host_open(options, &host, &err), -ENOTSUP, "%d: %s", err.code, err.message);
	cr_assert(strstr(err.message, word), "%s", err.message);
	cr_assert_null(host);
}

Test(vm_share, what_cannot_be_is_refused_before_anything_is_made)
{
	const char *const two[] = {"/etc", "/etc"};

	for (enum vm_root root = VM_ROOT_VIRTIOFS; root <= VM_ROOT_9P; root++) {
		const struct vm_options plain = {.run_dir = "/nope",
						 .cache_dir = "/nope",
						 .memory_bytes = 128 << 20,
						 .vcpus = 1,
						 .root = root,
						 .root_layers = two,
						 .n_root_layers = 1};
		struct vm_options o = plain;

		o.restore = true;
		refused(&o, "restored machine cannot have a shared root");
		o = plain;
		o.os = VM_OS_DIRECT;
		refused(&o, "own disk");
		o = plain;
		o.n_root_layers = 2;
		refused(&o, "2 layers cannot be shared");
		o = plain;
		o.uri = "qemu:///system";
		refused(&o, "qemu:///system");
	}
}

Test(vm_share, a_list_of_cpus_is_read_as_libvirt_reads_it)
{
	struct share_plan plan = {0};
	struct error err = {0};
	char dir[] = "/tmp/vm-share-XXXXXX", program[PATH_MAX];

	if (share_find(program, sizeof(program), &err) < 0)
		cr_skip_test("%s", err.message);
	cr_assert(mkdtemp(dir));
	cr_assert_eq(share_plan_make("/etc", dir, "0-2,5", &plan, &err), 0, "%s", err.message);
	cr_assert(CPU_COUNT(&plan.cpus) == 4 && CPU_ISSET(2, &plan.cpus) && CPU_ISSET(5, &plan.cpus));
	cr_assert(plan.version[0] >= '0' && plan.version[0] <= '9', "version '%s'", plan.version);
	cr_assert_eq(share_plan_make("/etc", dir, "2-1", &plan, &err), -EINVAL);
	cr_assert_eq(share_plan_make("/etc", dir, "x", &plan, &err), -EINVAL);
	dir_remove(dir, NULL);
}
