/* Throughput of disks, in a container and in machines, of the same files:
 *
 *   vm-disk AGENT CACHE ROOT ROUNDS MIB [KERNEL]
 *
 * ROOT: a folder with the agent as /agent, folders for mounts, /data with the files to be read, and /scratch, a file of MIB MiB. Each measurement has a
 * container or a machine of its own, in a process of its own; rounds go through all of them in turn. One line each: ROUND VARIANT STATE BYTES SECONDS;
 * and "image KEY" for each image in the cache. KERNEL: of all machines; what its drivers do not allow (9p) is left out, and said on stderr.
 * Times are the host's, from request to answer. States:
 *
 *   disk      nothing is in the host's page cache, nor in the guest's
 *   host      all is in the host's page cache, nothing in the guest's
 *   again     the same files once more
 *   direct-read, direct-write   blocks of 1 MiB past all caches (O_DIRECT; a machine's disk with cache=none) */
#include "../line.h"

#include <base/files.h>
#include <base/journal.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <cgroup/cgroup.h>
#include <runtime/container.h>
#include <vmdriver/vm.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_S = 120, LINE_SIZE = 512, BLOCK = 1 << 20 };

struct setting {
	const char *agent, *cache, *root, *kernel;
	long rounds, mib;
	char scratch[PATH_MAX], data[PATH_MAX], run_dir[64], journal_path[80];
	struct journal *journal; /* of what would outlive a process that fails */
};

static const struct variant {
	const char *name, *machine;
	enum vm_root root;
} variants[] = {
	{"container", NULL, VM_ROOT_PROGRAM},
	{"q35-ext4", "q35", VM_ROOT_EXT4},
	{"q35-squashfs", "q35", VM_ROOT_SQUASHFS},
	{"q35-erofs", "q35", VM_ROOT_EROFS},
	{"microvm-ext4", "microvm", VM_ROOT_EXT4},
	{"microvm-erofs", "microvm", VM_ROOT_EROFS},
	{"q35-virtiofs", "q35", VM_ROOT_VIRTIOFS},
	{"microvm-virtiofs", "microvm", VM_ROOT_VIRTIOFS},
	{"q35-9p", "q35", VM_ROOT_9P},
};

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("vm-disk: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	_exit(1);
}

/* ---- the host's page cache ---- */

static int forget_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	int fd = type == FTW_F ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fdatasync(fd); /* what is dirty stays */
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	return 0;
}

/* Of these files alone: the cache of others is theirs. */
static void forget(const char *path)
{
	nftw(path, forget_file, 16, FTW_PHYS);
}

/* ---- talking to an agent ---- */

static void read_line(int fd, char line[LINE_SIZE])
{
	if (!line_read(fd, clock_now_ns() + ANSWER_S * INT64_C(1000000000), line, LINE_SIZE))
		die("no answer");
}

static void await_hello(int fd)
{
	char line[LINE_SIZE];

	do
		read_line(fd, line);
	while (strncmp(line, "hello bench-agent", 17) != 0);
}

/* Sends a request and prints what its answer says, with the time. */
static void measure(int fd, long round, const char *variant, const char *state, const char *request)
{
	char line[LINE_SIZE], *bytes;
	int64_t start_ns = clock_now_ns();

	if (dprintf(fd, "%s\n", request) < 0)
		die("%s: the agent has gone", variant);
	read_line(fd, line);
	int64_t took_ns = clock_now_ns() - start_ns;
	bytes = strstr(line, "bytes=");
	if (!bytes)
		die("%s: '%s': %s", variant, request, line);
	printf("%ld %s %s %s %.6f\n", round, variant, state, bytes + strlen("bytes="), (double)took_ns / 1e9);
	fflush(stdout);
}

static void ask(int fd, const char *request, const char *answer)
{
	char line[LINE_SIZE];

	if (dprintf(fd, "%s\n", request) < 0)
		die("the agent has gone");
	read_line(fd, line);
	if (strcmp(line, answer) != 0)
		die("'%s': %s", request, line);
}

static void measure_direct(const struct setting *s, int fd, long round, const char *variant, const char *file)
{
	char request[128];

	for (int i = 0; i < 2; i++) {
		snprintf(request, sizeof(request), "disk %s %d %ld%s", i ? "read" : "write", BLOCK, s->mib << 20, file);
		measure(fd, round, variant, i ? "direct-read" : "direct-write", request);
	}
}

/* ---- a container ---- */

static void run_container(const struct setting *s, long round)
{
	static const char *const argv[] = {"/agent", NULL};
	const struct container_mount scratch = {.source = s->scratch, .target = "/scratch", .writable = true};
	struct container_options options = container_options_default();
	struct container container = CONTAINER_NONE;
	struct container_plan *plan = NULL;
	struct error err = {0};
	char name[64];
	int pair[2];

	options.rootfs = s->root;
	options.argv = argv;
	options.journal = s->journal;
	options.die_with_parent = true;
	options.mounts = &scratch;
	options.n_mounts = 1;
	options.userns = CONTAINER_OFF; /* files of the folder are the host root's */
	options.cgroup_name = cgroup_run_name("", name, sizeof(name));
	options.limits = (struct cgroup_limits){.memory_bytes = 512 << 20, .cpu_percent = 100, .pids_max = 64};
	if (container_prepare(&options, &plan, &err) < 0 || container_plan_open(plan, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("%s", err.message);
	forget(s->data);
	if (container_start(plan, "disk", (const int[3]){pair[1], pair[1], -1}, 10000, &container, &err) < 0)
		die("%s", err.message);
	close(pair[1]);
	await_hello(pair[0]);
	measure(pair[0], round, "container", "disk", "files /data");
	measure(pair[0], round, "container", "again", "files /data");
	measure_direct(s, pair[0], round, "container", " /scratch");
	close(pair[0]);
	if (container_stop(plan, &container, &err) < 0)
		die("%s", err.message);
	container_plan_free(plan);
}

/* ---- a machine ---- */

static void run_machine(const struct setting *s, long round, const struct variant *v)
{
	const struct vm_options options = {
		.machine = v->machine,
		.kernel = s->kernel,
		.init_path = s->agent,
		.run_dir = s->run_dir,
		.cache_dir = s->cache,
		.memory_bytes = 512 << 20,
		.vcpus = 1,
		.root = v->root,
		.root_layers = &s->root,
		.n_root_layers = 1,
		.scratch_bytes = (int64_t)s->mib << 20,
		.scratch_direct = true,
	};
	struct vm_host *host = NULL;
	struct vm *vm = NULL;
	struct error err = {0};
	char image[PATH_MAX];
	int rc = vm_host_open(&options, &host, &err);

	if (rc == -ENOENT && v->root == VM_ROOT_9P) {
		fprintf(stderr, "vm-disk: %s is left out: %s\n", v->name, err.message);
		return;
	}
	if (rc < 0)
		die("%s: %s", v->name, err.message);
	if (vm_start(host, "disk", clock_now_ns() + ANSWER_S * INT64_C(1000000000), &vm, &err) < 0)
		die("%s: %s", v->name, err.message);

	int fd = vm_view(vm)->control_fd;

	await_hello(fd);
	if (vm_host_facts(host)->root_key[0]) {
		printf("image %s\n", vm_host_facts(host)->root_key);
		snprintf(image, sizeof(image), "%s/vm/disks/%s/disk", s->cache, vm_host_facts(host)->root_key);
	} else {
		snprintf(image, sizeof(image), "%s", s->data);
	}
	ask(fd, "drop", "dropped");
	forget(image);
	measure(fd, round, v->name, "disk", "files /data");
	ask(fd, "drop", "dropped");
	measure(fd, round, v->name, "host", "files /data");
	measure(fd, round, v->name, "again", "files /data");
	measure_direct(s, fd, round, v->name, "");
	if (vm_stop(vm, &err) < 0)
		die("%s: %s", v->name, err.message);
	vm_host_close(host);
}

/* ---- all ---- */

/* libvirt waits until each QEMU is collected, which its parent must not do itself. */
static bool run_one(const struct setting *s, long round, const struct variant *v)
{
	int status = 0;
	pid_t pid, child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0) {
		if (v->machine)
			run_machine(s, round, v);
		else
			run_container(s, round);
		exit(0);
	}
	while ((pid = waitpid(-1, &status, 0)) > 0 && pid != child)
		;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run_all(const struct setting *s)
{
	const size_t count = sizeof(variants) / sizeof(variants[0]);

	for (long round = 0; round < s->rounds; round++)
		for (size_t i = 0; i < count; i++)
			if (!run_one(s, round, &variants[((size_t)round + i) % count]))
				return false;
	return true;
}

static void open_journal(struct setting *s)
{
	char line[96];

	snprintf(s->journal_path, sizeof(s->journal_path), "%s.journal", s->run_dir);
	if (journal_open(s->journal_path, &s->journal, NULL) < 0)
		die("journal %s", s->journal_path);
	for (int i = 0; i < 2; i++) {
		snprintf(line, sizeof(line), "%s %s", i ? VM_SHARE_PROGRAM : "qemu", s->run_dir);
		if (journal_add(s->journal, JOURNAL_PROCESSES, line, NULL) < 0)
			die("journal %s", s->journal_path);
	}
}

/* What a process that failed has left. */
static void tidy(struct setting *s)
{
	journal_close(s->journal);
	journal_undo(s->journal_path, NULL, NULL, NULL);
	unlink(s->journal_path);
	dir_remove(s->run_dir, NULL);
}

int main(int argc, char **argv)
{
	struct setting s;

	if (argc != 6 && argc != 7) {
		fprintf(stderr, "usage: %s AGENT CACHE ROOT ROUNDS MIB [KERNEL]\n", argv[0]);
		return 2;
	}
	s = (struct setting){.agent = argv[1],
			     .cache = argv[2],
			     .root = argv[3],
			     .kernel = argv[6],
			     .rounds = strtol(argv[4], NULL, 10),
			     .mib = strtol(argv[5], NULL, 10),
			     .run_dir = "/tmp/bench-disk-XXXXXX"};
	if (s.rounds < 1 || s.mib < 1 || path_format(s.scratch, sizeof(s.scratch), NULL, "%s.scratch", s.root) < 0 ||
	    path_format(s.data, sizeof(s.data), NULL, "%s/data", s.root) < 0 || !mkdtemp(s.run_dir) || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("cannot begin");
	open_journal(&s);
	bool fine = run_all(&s);
	tidy(&s);
	return !fine;
}
