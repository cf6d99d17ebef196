/* Direct I/O against a disk: the one under /var/tmp, else one that LIMITS_DISK names (a loop device of the script's own making). */
#include "scene.h"

#include <base/files.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { MIB = 1 << 20, BLOCK = 4096, BIG_BLOCK = 64 * 1024 };

/* What a member does: n blocks of some size, read or written. The time it took comes back by the pipe. */
struct job {
	char path[128];
	bool is_file, writes;
	unsigned major, minor;
	size_t block, n;
	int report_fd;
};

/* The whole disk that a partition is on. */
static bool whole_disk(struct job *job)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", job->major, job->minor);
	if (!path_exists(path))
		return true;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", job->major, job->minor);
	if (file_read("", path, text, sizeof(text), NULL) < 0)
		return false;
	char *colon = strchr(text, ':');
	job->major = (unsigned)strtoul(text, NULL, 10);
	job->minor = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
	return colon;
}

static bool find_disk(struct job *job)
{
	const char *named = getenv("LIMITS_DISK");
	struct stat info;

	snprintf(job->path, sizeof(job->path), "%s", named ? named : "/var/tmp/bench-limits-XXXXXX");
	job->is_file = !named;
	int fd = named ? open(named, O_RDWR | O_CLOEXEC) : mkostemp(job->path, O_CLOEXEC);
	if (fd < 0)
		return false;
	bool fine = fstat(fd, &info) == 0;
	if (fine && !named) {
		char zero[BIG_BLOCK] = {0};

		for (int i = 0; i < 8 * MIB / BIG_BLOCK && fine; i++)
			fine = write(fd, zero, sizeof(zero)) == sizeof(zero);
		fine = fine && fsync(fd) == 0;
	}
	dev_t device = named ? info.st_rdev : info.st_dev;
	close(fd);
	job->major = major(device);
	job->minor = minor(device);
	/* major 0: a file system without a disk of its own */
	if (fine && job->major != 0 && whole_disk(job))
		return true;
	if (job->is_file)
		unlink(job->path);
	return false;
}

static int transfer(void *arg)
{
	const struct job *job = arg;
	int fd = open(job->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	void *buffer = NULL;

	if (fd < 0 || posix_memalign(&buffer, BLOCK, job->block) != 0)
		return 1;
	memset(buffer, 0, job->block);
	int64_t start_ns = clock_now_ns();
	for (size_t i = 0; i < job->n; i++) {
		off_t at = (off_t)(i * job->block % (4 * MIB));
		ssize_t done = job->writes ? pwrite(fd, buffer, job->block, at) : pread(fd, buffer, job->block, at);

		if (done != (ssize_t)job->block)
			return 2;
	}
	int64_t took_ns = clock_now_ns() - start_ns;
	return write(job->report_fd, &took_ns, sizeof(took_ns)) == sizeof(took_ns) ? 0 : 3;
}

/* Seconds that the job takes inside a group with these limits; below 0: it failed, and the verdict says how. */
static double run(struct job *job, const struct cgroup_limits *limits, struct cgroup_usage *usage, enum verdict *verdict, char *text,
		  size_t size)
{
	struct scene scene;
	int64_t took_ns = 0;
	int ends[2];

	*verdict = scene_open(limits, CGROUP_BIT(CGROUP_IO), &scene, text, size);
	if (*verdict != BITES)
		return -1;
	if (pipe(ends) < 0) {
		scene_close(&scene);
		*verdict = FAILED;
		return -1;
	}
	job->report_fd = ends[1];
	int status = member_wait(member_start(&scene, transfer, job), 30000);
	close(ends[1]);
	if (status != 0 || read(ends[0], &took_ns, sizeof(took_ns)) != sizeof(took_ns))
		*verdict = SAY(FAILED, "the transfer failed (status %#x)", (unsigned)status);
	close(ends[0]);
	*usage = usage_of(&scene);
	scene_close(&scene);
	return *verdict == BITES ? (double)took_ns / 1e9 : -1;
}

/* The kernel lets a burst of a slice (0.1 s) pass, so a rate over 1.5 s may be a little above. */
static enum verdict measure(bool writes, bool ops, int64_t asked, char *text, size_t size)
{
	struct job job = {.writes = writes, .block = ops ? BLOCK : BIG_BLOCK};
	struct cgroup_limits limits = {.n_io = 1};
	struct cgroup_usage usage;
	enum verdict verdict;

	if (!find_disk(&job))
		return SAY(ABSENT, "no disk: /var/tmp is on a file system without one, and LIMITS_DISK names none");
	limits.io[0] = (struct cgroup_io_limit){.device_major = job.major, .device_minor = job.minor};
	*(ops      ? writes ? &limits.io[0].write_ops : &limits.io[0].read_ops
	  : writes ? &limits.io[0].write_bytes
		   : &limits.io[0].read_bytes) = asked;
	int64_t unit = ops ? 1 : BIG_BLOCK;
	job.n = (size_t)(asked / unit * 3 / 2);
	double free_s = run(&job, &(struct cgroup_limits){0}, &usage, &verdict, text, size);
	double held_s = free_s < 0 ? -1 : run(&job, &limits, &usage, &verdict, text, size);
	if (job.is_file)
		unlink(job.path);
	if (held_s < 0)
		return verdict;
	double total = (double)job.n * (double)unit, scale = ops ? 1 : MIB, rate = total / held_s;
	int64_t counted = ops ? writes ? usage.io.write_ops : usage.io.read_ops : writes ? usage.io.write_bytes : usage.io.read_bytes;
	bool bites = rate < 1.3 * (double)asked && rate > 0.4 * (double)asked && total / free_s > 2 * rate;
	return SAY(bites && (double)counted >= total ? BITES : FAILED,
		   "disk %u:%u asked %.1f %s/s, measured %.2f (without limit %.1f); counted %.1f", job.major, job.minor,
		   (double)asked / scale, ops ? "operations" : "MiB", rate / scale, total / free_s / scale, (double)counted / scale);
}

enum verdict case_read_bytes(char *text, size_t size)
{
	return measure(false, false, 4 * MIB, text, size);
}

enum verdict case_write_bytes(char *text, size_t size)
{
	return measure(true, false, 4 * MIB, text, size);
}

enum verdict case_read_ops(char *text, size_t size)
{
	return measure(false, true, 50, text, size);
}

enum verdict case_write_ops(char *text, size_t size)
{
	return measure(true, true, 50, text, size);
}

/* Which scheduler serves a disk decides whether a weight has an effect; that it arrives where the scheduler reads it can be seen everywhere. */
enum verdict case_io_weight(char *text, size_t size)
{
	static const char *const files[] = {"blkio.bfq.weight", "io.weight", "io.bfq.weight"};
	char path[PATH_MAX], found[256] = "";
	struct scene scene;
	enum verdict verdict = scene_open(&(struct cgroup_limits){.io_weight = 300}, 0, &scene, text, size);

	if (verdict != BITES)
		return strstr(text, "No such file") ? SAY(ABSENT, "this kernel has neither iocost nor the bfq scheduler") : verdict;
	const char *dir = scene.group.dirs[scene.tree.dir_of[CGROUP_IO]], *file = NULL;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !file; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		file = file_read("", path, found, sizeof(found), NULL) >= 0 ? files[i] : NULL;
	}
	scene_close(&scene);
	return SAY(file && strstr(found, "300") ? BITES : FAILED,
		   "asked 300, %s has '%s' (read back; its effect needs iocost or bfq on the disk)", file ? file : "no file", found);
}
