/* The initramfs with what the guest needs of its kernel's modules. */
#include "disk_cache.h"
#include "host.h"
#include "initramfs.h"
#include "module_tree.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_MODULES "none"

static unsigned features_of(const struct vm_options *o)
{
	bool remote = o->uri && connection_uri_is_remote(o->uri);

	return (remote ? MODULES_CONSOLE : 0) | (o->network != VM_NETWORK_NONE ? MODULES_NET : 0) |
	       (o->balloon_bytes > 0 ? MODULES_BALLOON : 0) | host_disk_modules(o);
}

/* What the machine's devices need, then what the user names. */
static int name_modules(const struct vm_host *host, const struct vm_options *o, char ret[MODULES_NAMES_SIZE], struct error *err)
{
	ret[0] = '\0';
	if (o->modules && strcmp(o->modules, NO_MODULES) == 0)
		return 0;
	/* A complete system brings its own. */
	if (!o->os)
		modules_for(host->facts.machine, features_of(o), ret);

	size_t used = strlen(ret);

	if (!o->modules || !o->modules[0])
		return 0;
	if (o->os)
		return error_set(err, EINVAL, "a complete system loads its own modules: none can be named");
	if (used + 1 + strlen(o->modules) >= MODULES_NAMES_SIZE)
		return error_set(err, E2BIG, "more names of modules than %d characters", MODULES_NAMES_SIZE - 1);
	snprintf(ret + used, MODULES_NAMES_SIZE - used, "%s%s", used ? " " : "", o->modules);
	return 0;
}

static void free_modules(struct module_list **list)
{
	if (*list)
		module_list_done(*list);
	free(*list);
}

/* For the result: what the guest loads, in that order. */
static void note_modules(const struct module_list *list, char *ret, size_t size)
{
	size_t used = 0;

	snprintf(ret, size, NO_MODULES);
	for (size_t i = 0; i < list->n && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? " " : "", list->items[i].name);
}

static int note_program(struct vm_host *host, const char *path, struct error *err)
{
	struct sha256_ctx hash;
	int rc;

	sha256_init(&hash);
	rc = disk_key_file(&hash, path, err);
	disk_key_finish(&hash, host->facts.init_sha256, sizeof(host->facts.init_sha256));
	return rc;
}

/* The kernels of clouds are built without it. */
static void refuse_9p(const struct vm_host *host, struct error *err)
{
	error_set(err, ENOENT, "root=9p: the guest's kernel %.*s has no driver for it (9p, 9pnet_virtio)",
		  (int)strcspn(host->facts.kernel_version, " "), host->facts.kernel_version);
	error_hint(
		err,
		"use kernel=FILE with the distribution's general kernel (Debian: linux-image-amd64, not -cloud-amd64), or root=virtiofs");
}

int host_write_initramfs(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	_cleanup_(free_modules) struct module_list *list = calloc(1, sizeof(*list));
	char names[MODULES_NAMES_SIZE], tree[PATH_MAX];

	if (!list)
		return error_set(err, ENOMEM, "out of memory");

	int rc = name_modules(host, o, names, err);

	if (rc == 0 && names[0]) {
		rc = module_tree_find(host->arch, "", host->facts.kernel_version, o->cache_dir, o->note, o->note_arg, tree, sizeof(tree),
				      err);
		if (rc == 0)
			rc = modules_load(tree, names, list, err);
		if (rc == -ENOENT && o->root == VM_ROOT_9P)
			refuse_9p(host, err);
	}
	if (rc < 0)
		return rc;
	note_modules(list, host->facts.modules, sizeof(host->facts.modules));
	rc = note_program(host, o->init_path, err);
	return rc < 0 ? rc : initramfs_write(host->initramfs, o->init_path, o->runtime_path, list, err);
}
