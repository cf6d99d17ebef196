/* Reader of hierarchy files. jansson reads the text and says where its grammar is broken; for what is wrong in meaning the text is walked once more, to
 * find the line of the key. No message repeats text of the file but names that are plain. */
#include "cgroup_hierarchy.h"

#include "cgroup_place.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 20, KEYS_MAX = 2 * CGROUP_DEPTH_MAX + 2, PIDS_LIMIT = 4 << 20, PERCENT_MAX = 819200 };

/* One reading. `keys` is where we are. */
struct reader {
	const char *source, *text;
	size_t size;
	const char *keys[KEYS_MAX];
	size_t n_keys;
	struct cgroup_hierarchy made;
};

static bool is_plain(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return length > 0 && name[length] == '\0' && length < CGROUP_NODE_NAME_MAX;
}

/* "<source>: line 4: groups.Faculty.cpu_share: <what>", -EBADMSG. */
static __attribute__((format(printf, 3, 4))) int complain(const struct reader *reader, struct error *err, const char *format, ...)
{
	size_t line = cgroup_place_line(reader->text, reader->size, reader->keys, reader->n_keys), used = 0;
	char path[200] = "", what[160];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	for (size_t i = 0; i < reader->n_keys && used < sizeof(path); i++)
		used += (size_t)snprintf(path + used, sizeof(path) - used, "%s%s", used ? "." : "",
					 is_plain(reader->keys[i]) ? reader->keys[i] : "?");
	return error_set(err, EBADMSG, "%.60s: line %zu: %s%s%s", reader->source, line, path, path[0] ? ": " : "", what);
}

/* ---- values ---- */

static int read_integer(const struct reader *reader, const json_t *value, int max, int *ret, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 1 || number > max)
		return complain(reader, err, "expected a whole number from 1 to %d", max);
	*ret = (int)number;
	return 0;
}

static int read_share(const struct reader *reader, const json_t *value, double *ret, struct error *err)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !(number >= 0.01 && number <= 100))
		return complain(reader, err, "expected a number from 0.01 to 100 (percent of the group above)");
	*ret = number;
	return 0;
}

static int read_size(const struct reader *reader, const json_t *value, int64_t *ret, struct error *err)
{
	int64_t bytes = json_integer_value(value);

	if (json_is_string(value) && parse_bytes(json_string_value(value), &bytes, NULL) < 0)
		bytes = 0;
	if ((!json_is_integer(value) && !json_is_string(value)) || bytes < 1)
		return complain(reader, err, "expected a size above 0: a number of bytes, or text as \"64M\"");
	*ret = bytes;
	return 0;
}

static int read_list(const struct reader *reader, const json_t *value, char *ret, size_t size, struct error *err)
{
	const char *text = json_string_value(value);
	struct cgroup_list list;

	if (!text || strlen(text) >= size || cgroup_list_parse("number", text, &list, NULL) < 0)
		return complain(reader, err, "expected a list of numbers as \"0-3,7\"");
	strcpy(ret, text);
	return 0;
}

static int read_key(const struct reader *reader, const char *key, const json_t *value, struct cgroup_node *node, struct error *err)
{
	struct cgroup_limits *limits = &node->limits;
	const struct {
		const char *key;
		int64_t *ret;
	} sizes[] = {{"memory", &limits->memory_bytes},
		     {"memory_high", &limits->memory_high_bytes},
		     {"memory_low", &limits->memory_low_bytes},
		     {"swap", &limits->swap_bytes}};
	const struct {
		const char *key;
		int *ret, max;
	} integers[] = {{"cpu_percent", &limits->cpu_percent, PERCENT_MAX},
			{"pids", &limits->pids_max, PIDS_LIMIT},
			{"io_weight", &limits->io_weight, 10000}};

	if (strcmp(key, "cpu_share") == 0)
		return read_share(reader, value, &node->cpu_share, err);
	if (strcmp(key, "cpus") == 0)
		return read_list(reader, value, limits->cpus, sizeof(limits->cpus), err);
	if (strcmp(key, "mems") == 0)
		return read_list(reader, value, limits->mems, sizeof(limits->mems), err);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (strcmp(key, sizes[i].key) == 0)
			return read_size(reader, value, sizes[i].ret, err);
	for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
		if (strcmp(key, integers[i].key) == 0)
			return read_integer(reader, value, integers[i].max, integers[i].ret, err);
	return complain(reader, err,
			"no such key; there are cpu_share, cpu_percent, memory, memory_high, memory_low, swap, pids, cpus, mems, "
			"io_weight, groups");
}

/* ---- groups ---- */

/* Shares of siblings become weights; hundredths of a percent are what a weight can tell. */
static int share_out(const struct reader *reader, int parent, struct error *err)
{
	struct cgroup_node *nodes = reader->made.nodes;
	size_t siblings = 0, declared = 0;
	double sum = 0;

	for (size_t i = 0; i < reader->made.n_nodes; i++)
		if (nodes[i].parent == parent) {
			siblings++;
			declared += nodes[i].cpu_share > 0;
			sum += nodes[i].cpu_share;
		}
	if (declared > 0 && declared < siblings)
		return complain(reader, err, "%zu of %zu groups have a cpu_share: expected all or none", declared, siblings);
	if (declared > 0 && fabs(sum - 100) > 0.01)
		return complain(reader, err, "the cpu_shares of these groups sum up to %g: expected 100", sum);
	for (size_t i = 0; i < reader->made.n_nodes; i++)
		if (nodes[i].parent == parent) {
			if (declared > 0)
				nodes[i].limits.cpu_weight = (int)lround(nodes[i].cpu_share * 100);
			else
				nodes[i].cpu_share = 100.0 / (double)siblings;
		}
	return 0;
}

static int check_name(const struct reader *reader, const char *name, struct error *err)
{
	static const char *const taken[] = {"tasks", "notify_on_release", "release_agent"};

	if (!is_plain(name))
		return complain(reader, err, "a group's name is 1 to %d letters, digits, '-' and '_'", CGROUP_NODE_NAME_MAX - 1);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0)
			return complain(reader, err, "the kernel has a file of that name in each group: choose another");
	return 0;
}

static int read_groups(struct reader *reader, json_t *groups, int parent, int depth, struct error *err);

static int read_group(struct reader *reader, const char *name, json_t *group, int parent, int depth, struct error *err)
{
	size_t at = reader->made.n_nodes;
	json_t *value, *below = NULL;
	const char *key;
	int rc = check_name(reader, name, err);

	if (rc == 0 && !json_is_object(group))
		rc = complain(reader, err, "expected an object");
	if (rc == 0 && at == CGROUP_NODES_MAX)
		rc = complain(reader, err, "more than %d groups", CGROUP_NODES_MAX);
	if (rc < 0)
		return rc;
	struct cgroup_node *node = &reader->made.nodes[reader->made.n_nodes++];
	*node = (struct cgroup_node){.parent = parent};
	strcpy(node->name, name);
	if (parent >= 0)
		reader->made.nodes[parent].n_children++;
	json_object_foreach(group, key, value)
	{
		reader->keys[reader->n_keys++] = key;
		if (strcmp(key, "groups") == 0)
			below = value;
		else
			rc = read_key(reader, key, value, node, err);
		reader->n_keys--;
		if (rc < 0)
			return rc;
	}
	reader->keys[reader->n_keys++] = "groups";
	if (below)
		rc = read_groups(reader, below, (int)at, depth + 1, err);
	reader->n_keys--;
	return rc;
}

static int read_groups(struct reader *reader, json_t *groups, int parent, int depth, struct error *err)
{
	const char *name;
	json_t *group;
	int rc = 0;

	if (!json_is_object(groups) || json_object_size(groups) == 0)
		return complain(reader, err, "expected an object with at least one group");
	if (depth == CGROUP_DEPTH_MAX)
		return complain(reader, err, "groups are nested more than %d deep", CGROUP_DEPTH_MAX);
	json_object_foreach(groups, name, group)
	{
		reader->keys[reader->n_keys++] = name;
		rc = read_group(reader, name, group, parent, depth, err);
		reader->n_keys--;
		if (rc < 0)
			return rc;
	}
	return share_out(reader, parent, err);
}

static int read_document(struct reader *reader, json_t *document, struct error *err)
{
	json_t *value, *groups = NULL;
	const char *key;

	if (!json_is_object(document))
		return complain(reader, err, "expected an object");
	json_object_foreach(document, key, value)
	{
		reader->keys[0] = key;
		reader->n_keys = 1;
		if (strcmp(key, "groups") == 0)
			groups = value;
		else if (strcmp(key, "$schema") != 0)
			return complain(reader, err, "no such key; there is groups");
	}
	reader->n_keys = 0;
	if (!groups)
		return complain(reader, err, "no 'groups'");
	reader->keys[reader->n_keys++] = "groups";
	return read_groups(reader, groups, -1, 0, err);
}

int cgroup_hierarchy_parse(const char *text, size_t size, const char *source, struct cgroup_hierarchy *ret, struct error *err)
{
	struct reader reader = {.source = source, .text = text, .size = size};
	json_error_t where;
	json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);

	if (!document) {
		/* jansson quotes the text behind the place: not our business. */
		bool twice = json_error_code(&where) == json_error_duplicate_key;
		return error_set(err, EBADMSG, "%.60s: line %d, column %d: %s", source, where.line, where.column,
				 twice ? "a key that is there already" : "this is no JSON");
	}
	reader.made.nodes = calloc(CGROUP_NODES_MAX, sizeof(reader.made.nodes[0]));
	int rc = reader.made.nodes ? read_document(&reader, document, err) : error_set(err, ENOMEM, "%.60s: out of memory", source);
	json_decref(document);
	if (rc < 0) {
		cgroup_hierarchy_free(&reader.made);
		return rc;
	}
	*ret = reader.made;
	return 0;
}

int cgroup_hierarchy_read(const char *path, struct cgroup_hierarchy *ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *text = malloc(FILE_MAX);
	struct stat info;

	if (!text)
		return error_set(err, ENOMEM, "read %s: out of memory", path);
	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
		return error_set(err, EINVAL, "read %s: not a regular file", path);
	ssize_t size = file_read("", path, text, FILE_MAX, err);
	if (size < 0)
		return (int)size;
	return cgroup_hierarchy_parse(text, (size_t)size, slash && slash[1] ? slash + 1 : path, ret, err);
}
