#include "namespaces.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const namespace_kind_names[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children",
					    "user",   "uts"};
_Static_assert(sizeof(namespace_kind_names) / sizeof(namespace_kind_names[0]) == NAMESPACE_KIND_COUNT, "one name a kind");

enum { MAP_TEXT_MAX = 16384 };

bool namespace_kind_is_own(enum namespace_kind kind)
{
	return kind != NAMESPACE_PID_CHILDREN && kind != NAMESPACE_TIME_CHILDREN;
}

/* "mnt:[4026531841]" */
static bool parse_link(const char *text, uint64_t *ret)
{
	const char *open = strstr(text, ":[");
	int64_t value;

	if (!open)
		return false;
	size_t digits = strspn(open + 2, "0123456789");
	char number[24];
	if (digits == 0 || digits >= sizeof(number) || strcmp(open + 2 + digits, "]") != 0)
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)digits, open + 2);
	if (parse_integer("inode", number, 1, INT64_MAX, &value, NULL) < 0)
		return false;
	*ret = (uint64_t)value;
	return true;
}

/* 0, or -errno of the link; one that does not exist (an older kernel) stays 0. */
static int read_link(const char *root, pid_t pid, enum namespace_kind kind, uint64_t *ret)
{
	char path[PATH_MAX], text[64];

	if (path_format(path, sizeof(path), NULL, "%s/proc/%d/ns/%s", root, (int)pid, namespace_kind_names[kind]) < 0)
		return -ENAMETOOLONG;
	ssize_t length = readlink(path, text, sizeof(text) - 1);
	if (length < 0)
		return errno == ENOENT ? 0 : -errno;
	text[length] = '\0';
	return parse_link(text, ret) ? 0 : -EBADMSG;
}

/* Lines of three numbers. Returns how many; a map that cannot be read has none. */
static size_t read_map(const char *root, pid_t pid, const char *name, struct namespace_map *ret)
{
	_cleanup_free_ char *text = malloc(MAP_TEXT_MAX);
	char path[64], *save = NULL;
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (!text || file_read(root, path, text, MAP_TEXT_MAX, NULL) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line && count < NAMESPACE_MAP_MAX; line = strtok_r(NULL, "\n", &save)) {
		int64_t numbers[3];
		char *inner = NULL, *word = strtok_r(line, " \t", &inner);
		int n = 0;

		for (; n < 3 && word && parse_integer("id", word, 0, UINT32_MAX, &numbers[n], NULL) == 0; n++)
			word = strtok_r(NULL, " \t", &inner);
		if (n == 3)
			ret[count++] = (struct namespace_map){(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2]};
	}
	return count;
}

/* Name and links; the part that a scan needs of each process. */
static int read_links(const char *root, pid_t pid, struct namespaces *ret)
{
	char path[64];
	int worst = 0;

	*ret = (struct namespaces){.pid = pid};
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (file_read(root, path, ret->command, sizeof(ret->command), NULL) < 0)
		return -ESRCH;
	for (int kind = 0; kind < NAMESPACE_KIND_COUNT; kind++) {
		int rc = read_link(root, pid, (enum namespace_kind)kind, &ret->inodes[kind]);

		if (rc < 0)
			worst = rc;
	}
	ret->hidden = worst < 0;
	return 0;
}

int namespaces_read(const char *root, pid_t pid, struct namespaces *ret, struct error *err)
{
	struct namespaces found;

	if (read_links(root, pid, &found) < 0)
		return error_set(err, ESRCH, "there is no process %d", (int)pid);
	found.n_uids = read_map(root, pid, "uid_map", found.uids);
	found.n_gids = read_map(root, pid, "gid_map", found.gids);
	*ret = found;
	return 0;
}

/* ---- all of them ---- */

static int by_kind_and_inode(const void *a, const void *b)
{
	const struct namespace_use *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static int by_kind_and_first(const void *a, const void *b)
{
	const struct namespace_use *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* One line a process and kind, before they are brought together. */
static int add_process(struct namespace_table *table, size_t *size, const struct namespaces *process)
{
	if (table->n_uses + NAMESPACE_KIND_COUNT > *size) {
		size_t wanted = *size ? *size * 2 : 64 * NAMESPACE_KIND_COUNT;
		struct namespace_use *grown = reallocarray(table->uses, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->uses = grown;
		*size = wanted;
	}
	for (int kind = 0; kind < NAMESPACE_KIND_COUNT; kind++) {
		if (!namespace_kind_is_own((enum namespace_kind)kind) || process->inodes[kind] == 0)
			continue;
		struct namespace_use *use = &table->uses[table->n_uses++];
		*use = (struct namespace_use){
			.kind = (enum namespace_kind)kind, .inode = process->inodes[kind], .n_processes = 1, .first = process->pid};
		memcpy(use->command, process->command, sizeof(use->command));
	}
	table->n_processes++;
	table->n_hidden += process->hidden;
	return 0;
}

/* Sorted by kind, inode and process id: those of one namespace stand together, its first process ahead. */
static void merge(struct namespace_table *table)
{
	size_t kept = 0;

	if (table->n_uses == 0)
		return;
	qsort(table->uses, table->n_uses, sizeof(*table->uses), by_kind_and_inode);
	for (size_t i = 1; i < table->n_uses; i++) {
		struct namespace_use *last = &table->uses[kept], *use = &table->uses[i];

		if (use->kind == last->kind && use->inode == last->inode)
			last->n_processes++;
		else
			table->uses[++kept] = *use;
	}
	table->n_uses = kept + 1;
	qsort(table->uses, table->n_uses, sizeof(*table->uses), by_kind_and_first);
}

int namespace_table_read(const char *root, struct namespace_table *ret, struct error *err)
{
	struct namespace_table table = {0};
	struct namespaces process;
	char path[PATH_MAX];
	size_t size = 0;
	int rc = path_format(path, sizeof(path), err, "%s/proc", root);

	if (rc < 0)
		return rc;
	_cleanup_closedir_ DIR *proc = opendir(path);
	if (!proc)
		return error_errno(err, "read %s", path);
	for (struct dirent *entry; rc == 0 && (entry = readdir(proc));) {
		int64_t pid;

		if (parse_integer("process", entry->d_name, 1, INT32_MAX, &pid, NULL) < 0)
			continue;
		if (read_links(root, (pid_t)pid, &process) == 0) /* else it has ended since */
			rc = add_process(&table, &size, &process);
	}
	if (rc < 0) {
		namespace_table_done(&table);
		return error_set(err, ENOMEM, "table of namespaces: out of memory");
	}
	merge(&table);
	*ret = table;
	return 0;
}

void namespace_table_done(struct namespace_table *table)
{
	free(table->uses);
	*table = (struct namespace_table){0};
}

const struct namespace_use *namespace_table_find(const struct namespace_table *table, enum namespace_kind kind, uint64_t inode)
{
	for (size_t i = 0; i < table->n_uses; i++)
		if (table->uses[i].kind == kind && table->uses[i].inode == inode)
			return &table->uses[i];
	return NULL;
}
