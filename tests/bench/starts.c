#include "starts.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <runtime/rootfs.h>
#include <runtime/support.h>
#include <stats/quantile.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 };

static int complain(const struct error *err)
{
	fprintf(stderr, "%s\n", err->message);
	if (err->hint[0])
		fprintf(stderr, "  hint: %s\n", err->hint);
	return -1;
}

static int set_options(struct container_options *ret, char **options, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		char key[32];
		const char *equals = strchr(options[i], '=');

		if (!equals || path_format(key, sizeof(key), NULL, "%.*s", (int)(equals - options[i]), options[i]) < 0)
			return error_set(err, EINVAL, "'%s' is not KEY=VALUE", options[i]);
		int rc = container_options_set(ret, key, equals + 1, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int starts_open(const char *agent, char **options, size_t n_options, struct starts *ret)
{
	static const char *const argv[] = {"/agent", NULL};
	struct container_options chosen = container_options_default();
	struct error err = {0};

	*ret = (struct starts){.root = "/tmp/bench-starts-XXXXXX"};
	if (!mkdtemp(ret->root)) {
		perror("temporary folder");
		return -1;
	}
	chosen.rootfs = ret->root;
	chosen.root_is_program = true;
	chosen.argv = argv;
	chosen.cgroup_name = cgroup_run_name("", ret->group_name, sizeof(ret->group_name));
	chosen.limits = (struct cgroup_limits){.memory_bytes = 256 << 20, .cpu_percent = 100, .pids_max = 512};
	int rc = set_options(&chosen, options, n_options, &err);
	if (rc == 0 && container_support(&chosen, &err) == CONTAINER_UNSUPPORTED) {
		complain(&err);
		rmdir(ret->root);
		exit(STARTS_SKIP);
	}
	if (rc == 0)
		rc = runtime_rootfs_prepare(ret->root, agent, &err);
	if (rc == 0)
		rc = container_prepare(&chosen, &ret->plan, &err);
	if (rc == 0)
		rc = container_plan_open(ret->plan, &err);
	if (rc < 0) {
		starts_close(ret);
		return complain(&err);
	}
	return 0;
}

static bool read_line(int fd)
{
	char byte = 0;

	while (byte != '\n') {
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		if (poll(&ready, 1, ANSWER_MS) <= 0 || read(fd, &byte, 1) != 1)
			return false;
	}
	return true;
}

/* One line greets, one answers. */
static bool ask(int fd)
{
	return read_line(fd) && write(fd, "ping\n", 5) == 5 && read_line(fd);
}

int starts_one(struct starts *starts, unsigned number, struct one_start *ret)
{
	struct error err = {0};
	char id[32];
	int pair[2];

	*ret = (struct one_start){.container = CONTAINER_NONE, .stream = -1};
	snprintf(id, sizeof(id), "s-%u", number);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		perror("socketpair");
		return -1;
	}
	int64_t begin_ns = clock_now_ns();
	int rc = container_start(starts->plan, id, (int[]){pair[1], pair[1], -1}, 0, &ret->container, &err);
	bool answered = rc == 0 && ask(pair[0]);
	ret->took_ns = clock_now_ns() - begin_ns;
	close(pair[1]);
	ret->stream = pair[0];
	if (answered)
		return 0;
	if (rc == 0)
		error_set(&err, ETIMEDOUT, "container %s: the agent did not answer", id);
	starts_stop(starts, ret);
	return complain(&err);
}

int starts_stop(struct starts *starts, struct one_start *one)
{
	struct error err = {0};
	int rc = container_stop(starts->plan, &one->container, &err);

	cleanup_close(&one->stream);
	one->stream = -1;
	return rc < 0 ? complain(&err) : 0;
}

void starts_close(struct starts *starts)
{
	container_plan_free(starts->plan);
	starts->plan = NULL;
	dir_remove(starts->root, NULL);
}

double starts_quantile_us(double *values_ns, size_t n, double p)
{
	quantile_sort(values_ns, n);
	return quantile_of_sorted(values_ns, n, p) / 1000;
}

unsigned starts_argument(const char *what, const char *text)
{
	struct error err = {0};
	int64_t value;

	if (parse_integer(what, text, 1, 1000000, &value, &err) < 0) {
		complain(&err);
		exit(2);
	}
	return (unsigned)value;
}
