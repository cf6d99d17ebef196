#include "modules.h"

#include <archive.h>
#include <archive_entry.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <libkmod.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODULE_MAX_BYTES = 16 << 20, FIRST_BYTES = 64 << 10 };

/* ---- which ---- */

static const struct {
	unsigned feature;
	bool virtio;
	const char *names;
} drivers[] = {
	{MODULES_DISK, true, "virtio_blk"},        {MODULES_NET, true, "virtio_net"},       {MODULES_BALLOON, true, "virtio_balloon"},
	{MODULES_CONSOLE, true, "virtio_console"}, {MODULES_FS_EXT4, false, "ext4"},        {MODULES_FS_SQUASHFS, false, "squashfs"},
	{MODULES_FS_EROFS, false, "erofs"},        {MODULES_FS_VIRTIOFS, true, "virtiofs"}, {MODULES_OVERLAY, false, "overlay"},
	{MODULES_FS_9P, true, "9pnet_virtio 9p"},
};

static void append_name(char *names, const char *name)
{
	size_t used = strlen(names);

	snprintf(names + used, MODULES_NAMES_SIZE - used, "%s%s", used ? " " : "", name);
}

const char *modules_for(const char *machine, unsigned features, char ret[MODULES_NAMES_SIZE])
{
	bool virtio = false;

	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		virtio = virtio || (drivers[i].virtio && (features & drivers[i].feature));
	if (virtio)
		append_name(ret, strcmp(machine, "microvm") == 0 ? "virtio_mmio" : "virtio_pci");
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (features & drivers[i].feature)
			append_name(ret, drivers[i].names);
	return ret;
}

/* ---- a module's file ---- */

static void free_archive(struct archive **a)
{
	archive_read_free(*a);
}

/* Compressed or not: a file that is not passes as it is. */
static int read_module(const char *path, struct module_file *ret, struct error *err)
{
	_cleanup_(free_archive) struct archive *a = archive_read_new();
	_cleanup_free_ char *data = NULL;
	struct archive_entry *entry;
	size_t room = 0, used = 0;
	la_ssize_t n = 1;

	if (!a)
		return error_set(err, ENOMEM, "module %s: out of memory", path);
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_filename(a, path, FIRST_BYTES) != ARCHIVE_OK || archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return error_set(err, EBADMSG, "module %s: %s", path, archive_error_string(a) ? archive_error_string(a) : "empty");
	while (n > 0 && used <= MODULE_MAX_BYTES) {
		if (used == room) {
			room = room ? 2 * room : FIRST_BYTES;
			char *more = realloc(data, room);
			if (!more)
				return error_set(err, ENOMEM, "module %s: out of memory", path);
			data = more;
		}
		n = archive_read_data(a, data + used, room - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (used > MODULE_MAX_BYTES)
		return error_set(err, E2BIG, "module %s has more than %d MiB", path, MODULE_MAX_BYTES >> 20);
	if (n < 0 || used < 4 || memcmp(data, "\177ELF", 4) != 0)
		return error_set(err, EBADMSG, "module %s: damaged", path);
	ret->data = take_ptr(data);
	ret->size = used;
	return 0;
}

/* ---- what a module needs ---- */

struct walk {
	struct kmod_ctx *kmod;
	const char *tree;
	char seen[2 * MODULES_MAX][MODULE_NAME_SIZE]; /* those under way too: soft dependencies may be a circle */
	size_t n_seen;
	struct module_list *list;
};

static void be_silent(void *data, int priority, const char *file, int line, const char *function, const char *format, va_list args)
{
}

static void free_context(struct kmod_ctx **kmod)
{
	if (*kmod)
		kmod_unref(*kmod);
}

static void free_list(struct kmod_list **list)
{
	kmod_module_unref_list(*list);
}

static void free_info(struct kmod_list **list)
{
	kmod_module_info_free_list(*list);
}

/* True when this name comes for the first time. */
static bool is_new(struct walk *walk, const char *name)
{
	for (size_t i = 0; i < walk->n_seen; i++)
		if (strcmp(walk->seen[i], name) == 0)
			return false;
	if (walk->n_seen < sizeof(walk->seen) / sizeof(walk->seen[0]))
		snprintf(walk->seen[walk->n_seen++], MODULE_NAME_SIZE, "%s", name);
	return true;
}

static int add_module(struct walk *walk, struct kmod_module *module, struct error *err);

static int add_all(struct walk *walk, struct kmod_list *list, struct error *err)
{
	struct kmod_list *at;
	int rc = 0;

	kmod_list_foreach(at, list)
	{
		struct kmod_module *module = kmod_module_get_module(at);

		rc = add_module(walk, module, err);
		kmod_module_unref(module);
		if (rc < 0)
			break;
	}
	return rc;
}

/* "pre: a b post: c", names or aliases: what it asks for at run time, by a program that a small guest does not have. All come before it; one that there is
 * not is no matter. */
static int add_soft(struct walk *walk, const char *value, struct error *err)
{
	_cleanup_free_ char *copy = strdup(value);
	char *state = NULL;
	int rc = copy ? 0 : error_set(err, ENOMEM, "out of memory");

	for (char *word = copy ? strtok_r(copy, " ", &state) : NULL; rc == 0 && word; word = strtok_r(NULL, " ", &state)) {
		_cleanup_(free_list) struct kmod_list *found = NULL;

		if (word[strlen(word) - 1] != ':' && kmod_module_new_from_lookup(walk->kmod, word, &found) >= 0)
			rc = add_all(walk, found, err);
	}
	return rc;
}

/* What the module itself says; libkmod's own list of soft dependencies stops at the first line. */
static int add_all_soft(struct walk *walk, const struct kmod_module *module, struct error *err)
{
	_cleanup_(free_info) struct kmod_list *info = NULL;
	struct kmod_list *at;
	int rc = kmod_module_get_info(module, &info);

	if (rc < 0)
		return error_set(err, -rc, "module %s: %s", kmod_module_get_path(module), strerror(-rc));
	rc = 0;
	kmod_list_foreach(at, info) if (rc == 0 && strcmp(kmod_module_info_get_key(at), "softdep") == 0) rc =
		add_soft(walk, kmod_module_info_get_value(at), err);
	return rc;
}

/* Those that it needs come first. One without a file is built in. */
static int add_module(struct walk *walk, struct kmod_module *module, struct error *err)
{
	const char *name = kmod_module_get_name(module), *path = kmod_module_get_path(module);

	if (!path || !is_new(walk, name))
		return 0;

	_cleanup_(free_list) struct kmod_list *needed = kmod_module_get_dependencies(module);
	int rc = add_all(walk, needed, err);

	if (rc == 0)
		rc = add_all_soft(walk, module, err);
	if (rc < 0)
		return rc;
	if (walk->list->n == MODULES_MAX)
		return error_set(err, E2BIG, "modules of the guest: more than %d", MODULES_MAX);

	struct module_file *file = &walk->list->items[walk->list->n];

	snprintf(file->name, sizeof(file->name), "%s", name);
	rc = read_module(path, file, err);
	if (rc == 0)
		walk->list->n++;
	return rc;
}

static int add_name(struct walk *walk, const char *name, struct error *err)
{
	_cleanup_(free_list) struct kmod_list *found = NULL;
	int rc = kmod_module_new_from_lookup(walk->kmod, name, &found);

	if (rc < 0)
		return error_set(err, -rc, "module '%s' in %s: %s", name, walk->tree, strerror(-rc));
	if (!found) {
		error_set(err, ENOENT, "the guest's kernel has no module '%s' (%s)", name, walk->tree);
		return error_hint(err, "choose another kernel with kernel=FILE");
	}
	return add_all(walk, found, err);
}

static int add_names(struct walk *walk, const char *names, struct error *err)
{
	_cleanup_free_ char *copy = strdup(names);
	char *state = NULL;
	int rc = copy ? 0 : error_set(err, ENOMEM, "out of memory");

	for (char *name = copy ? strtok_r(copy, " ", &state) : NULL; rc == 0 && name; name = strtok_r(NULL, " ", &state))
		rc = add_name(walk, name, err);
	return rc;
}

int modules_load(const char *tree, const char *names, struct module_list *ret, struct error *err)
{
	*ret = (struct module_list){0};

	/* Nothing that the host's administrator configured for his own kernel. */
	const char *const configuration[] = {NULL};
	_cleanup_(free_context) struct kmod_ctx *kmod = kmod_new(tree, configuration);
	_cleanup_free_ struct walk *walk = calloc(1, sizeof(*walk));

	if (!kmod || !walk)
		return error_set(err, ENOMEM, "modules in %s: out of memory", tree);
	kmod_set_log_fn(kmod, be_silent, NULL);
	*walk = (struct walk){.kmod = kmod, .tree = tree, .list = ret};

	int rc = add_names(walk, names, err);

	if (rc < 0)
		module_list_done(ret);
	return rc;
}

void module_list_done(struct module_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].data);
	list->n = 0;
}
