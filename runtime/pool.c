#include "pool.h"

#include "link.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct pool_slot no_slot = {
	.net_fd = -1, .mount_fd = -1, .uts_fd = -1, .ipc_fd = -1, .user_fd = -1, .join_fds = {[0 ... CGROUP_CONTROLLER_COUNT - 1] = -1}};

int pool_new(const struct container_options *options, struct pool **ret, struct error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool || !(pool->slots = calloc(options->pool, sizeof(*pool->slots)))) {
		free(pool);
		return error_set(err, ENOMEM, "pool of %u slots: out of memory", options->pool);
	}
	pool->wanted = options->pool;
	int rc = plan_prepare_slot(options, &pool->maker, err);
	if (rc < 0) {
		free(pool->slots);
		free(pool);
		return rc;
	}
	pool->maker->making = pool;
	pool->namespaces = options->namespaces;
	*ret = pool;
	return 0;
}

static int open_namespace(pid_t pid, const char *name, int *ret, struct error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? error_errno(err, "open %s", path) : 0;
}

int pool_hold(struct container_plan *maker, struct container *made, struct error *err)
{
	struct pool_slot *slot = &maker->making->made;
	unsigned namespaces = maker->making->namespaces;
	int rc = plan_wait_joined(maker, err);

	if (rc == 0)
		rc = open_namespace(made->pid, "net", &slot->net_fd, err);
	if (rc == 0)
		rc = open_namespace(made->pid, "mnt", &slot->mount_fd, err);
	if (rc == 0 && namespaces & CONTAINER_NS_UTS)
		rc = open_namespace(made->pid, "uts", &slot->uts_fd, err);
	if (rc == 0 && namespaces & CONTAINER_NS_IPC)
		rc = open_namespace(made->pid, "ipc", &slot->ipc_fd, err);
	return rc == 0 && maker->maps_ids ? open_namespace(made->pid, "user", &slot->user_fd, err) : rc;
}

void pool_slot_close(struct pool_slot *slot)
{
	int *fds[] = {&slot->net_fd, &slot->mount_fd, &slot->uts_fd, &slot->ipc_fd, &slot->user_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		cleanup_close(fds[i]);
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		cleanup_close(&slot->join_fds[i]);
	*slot = no_slot;
}

/* The maker's child ends once its namespaces are held. */
static int make_namespaces(struct pool *pool, struct error *err)
{
	struct container_plan *maker = pool->maker;
	struct container made = CONTAINER_NONE;

	maker->child = plan_child(maker, "slot");
	int rc = plan_walk_before(maker, &made, err);
	if (rc == 0)
		rc = plan_launch(maker, -1, maker->start_timeout_ms, &made, err);
	parent_close_sources(maker);
	if (rc < 0)
		parent_forget(maker);
	int reaped = plan_reap(&made.pid, &made.pidfd, NULL, rc < 0 ? NULL : err);
	return rc < 0 ? rc : reaped;
}

static int make_slot(struct container_plan *plan, struct error *err)
{
	struct pool *pool = plan->pool;
	struct pool_slot *slot = &pool->made;

	*slot = no_slot;
	snprintf(slot->name, sizeof(slot->name), "pool-%u", pool->serial++);
	int rc = make_namespaces(pool, err);
	if (rc == 0)
		rc = cgroup_create(&plan->tree, slot->name, &plan->limits, &slot->cgroup, err);
	if (rc == 0 && !plan->tree.ops->join_at_clone)
		rc = plan->tree.ops->open_join(&slot->cgroup, slot->join_fds, err);
	if (rc < 0) {
		cgroup_remove(&plan->tree, &slot->cgroup, NULL);
		pool_slot_close(slot);
		return error_prefix(err, "slot of a pool");
	}
	pool->slots[pool->n_ready++] = *slot;
	*slot = no_slot;
	return 0;
}

/* Kernel memory that /proc/meminfo attributes to nobody: what namespaces consist of. */
static int64_t kernel_kib(void)
{
	char text[8192];
	int64_t sum = 0;

	if (file_read("", "/proc/meminfo", text, sizeof(text), NULL) <= 0)
		return 0;
	for (const char *const *name = (const char *const[]){"\nSlab:", "\nPercpu:", "\nShmem:", NULL}; *name; name++) {
		const char *at = strstr(text, *name);

		sum += at ? strtoll(at + strlen(*name), NULL, 10) : 0;
	}
	return sum;
}

static int fill(struct container_plan *plan, struct error *err)
{
	int rc = 0;

	while (rc == 0 && plan->pool->n_ready < plan->pool->wanted)
		rc = make_slot(plan, err);
	return rc;
}

/* The first time, it says what a slot costs. */
int pool_fill(struct container_plan *plan, struct error *err)
{
	struct pool *pool = plan->pool;
	bool first = pool->serial == 0;
	int64_t begin_ns = clock_now_ns(), before_kib = first ? kernel_kib() : 0;
	int rc = fill(plan, err);

	if (rc == 0 && first)
		plan_note(plan, "pool of %u: a slot takes %lld us to make and about %lld KiB of kernel memory, outside the measured starts",
			  pool->wanted, (long long)(clock_now_ns() - begin_ns) / 1000 / pool->wanted,
			  (long long)(kernel_kib() - before_kib) / pool->wanted);
	return rc;
}

int pool_take(struct container_plan *plan, struct pool_slot *ret, struct error *err)
{
	struct pool *pool = plan->pool;
	int rc = pool->n_ready > 0 ? 0 : make_slot(plan, err);

	if (rc < 0)
		return rc;
	*ret = pool->slots[--pool->n_ready];
	return 0;
}

void pool_free(struct container_plan *plan)
{
	struct pool *pool = plan->pool;

	if (!pool)
		return;
	for (unsigned i = 0; i < pool->n_ready; i++) {
		cgroup_remove(&plan->tree, &pool->slots[i].cgroup, NULL);
		pool_slot_close(&pool->slots[i]);
	}
	container_plan_free(pool->maker);
	free(pool->slots);
	free(pool);
	plan->pool = NULL;
}
