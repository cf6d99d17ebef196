#include "state.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <results/json_map.h>

#include <errno.h>
#include <string.h>
#include <time.h>

enum { STATE_TEXT_MAX = 4 << 20 };

static const char *const status_names[] = {"created", "running", "exited"};
_Static_assert(sizeof(status_names) / sizeof(status_names[0]) == STATE_STATUS_COUNT, "one name a status");

static const struct json_field fields[] = {
	JSON_FIELD(struct container_state, id, TEXT),
	JSON_FIELD(struct container_state, name, TEXT_OR_NULL),
	JSON_FIELD(struct container_state, image, TEXT),
	JSON_FIELD(struct container_state, monitor_pid, INT64),
	JSON_FIELD(struct container_state, pid, INT64),
	JSON_FIELD(struct container_state, pid_ticks, INT64_OR_NULL),
	JSON_FIELD(struct container_state, created_at, TEXT),
	JSON_FIELD(struct container_state, started_ns, INT64),
	JSON_FIELD(struct container_state, ended_ns, INT64),
	JSON_FIELD(struct container_state, exit_status, INT_OR_NULL),
	JSON_FIELD(struct container_state, ended_by, TEXT_OR_NULL),
	JSON_FIELD(struct container_state, keep, BOOL),
	JSON_FIELD(struct container_state, detached, BOOL),
	JSON_FIELD(struct container_state, terminal, BOOL),
	JSON_FIELD(struct container_state, seccomp_off, BOOL),
	JSON_FIELD(struct container_state, own_pids, BOOL),
	JSON_FIELD(struct container_state, uid, COUNT),
	JSON_FIELD(struct container_state, gid, COUNT),
	JSON_FIELD(struct container_state, working_dir, TEXT),
	JSON_FIELD(struct container_state, address, TEXT_OR_NULL),
	{0},
};

static const struct {
	const char *key;
	size_t offset;
} lists[] = {
	{"command", offsetof(struct container_state, command)},
	{"environment", offsetof(struct container_state, environment)},
	{"cgroup_dirs", offsetof(struct container_state, cgroup_dirs)},
	{"notes", offsetof(struct container_state, notes)},
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

/* ---- writing ---- */

static json_t *list_json(const struct texts *texts)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < texts->n; i++)
		if (json_array_append_new(array, json_text_new(texts->list[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *state_json(const struct container_state *state)
{
	struct json_make make = json_make_begin();

	json_make_fields(&make, fields, state);
	json_make_set(&make, "status", json_string(status_names[state->status]));
	for (int i = 0; i < LISTS; i++)
		json_make_set(&make, lists[i].key, list_json((const void *)((const char *)state + lists[i].offset)));
	json_make_set(&make, "config", state->config ? json_deep_copy(state->config) : json_object());
	return json_make_end(&make);
}

int state_write(const char *folder, const struct container_state *state, struct error *err)
{
	char path[FOLDER_PATH_MAX];
	json_t *object = state_json(state);
	_cleanup_free_ char *text = object ? json_dumps(object, JSON_INDENT(1)) : NULL;

	json_decref(object);
	if (!text)
		return error_set(err, ENOMEM, "state of container %s: out of memory", state->id);
	int rc = folder_file(folder, "state.json", path, sizeof(path), err);
	return rc < 0 ? rc : file_write_atomic(path, text, strlen(text), 0600, err);
}

/* ---- reading ---- */

static int read_list(const struct json_node *object, const char *key, struct texts *ret, struct error *err)
{
	struct json_node list;
	int rc = json_node_member(object, key, &list, err);

	if (rc == 0 && !json_is_array(list.value))
		rc = json_node_fail(&list, err, "expected a list");
	for (size_t i = 0; rc == 0 && i < json_array_size(list.value); i++) {
		struct json_node item = {.source = list.source, .parent = &list, .index = i, .value = json_array_get(list.value, i)};
		const char *text;

		rc = json_node_text(&item, STATE_TEXT_MAX, &text, err);
		if (rc == 0)
			texts_add(ret, "%s", text);
	}
	return rc == 0 ? texts_check(ret, err) : rc;
}

static int read_status(const struct json_node *object, enum state_status *ret, struct error *err)
{
	struct json_node node;
	const char *text;
	int rc = json_node_member(object, "status", &node, err);

	if (rc == 0)
		rc = json_node_text(&node, 16, &text, err);
	for (int i = 0; rc == 0 && i < STATE_STATUS_COUNT; i++)
		if (strcmp(text, status_names[i]) == 0) {
			*ret = (enum state_status)i;
			return 0;
		}
	return rc < 0 ? rc : json_node_fail(&node, err, "unknown status");
}

static int read_members(const struct json_node *object, struct container_state *state, struct error *err)
{
	struct json_node config;
	int rc = json_read_fields(object, fields, state, err);

	if (rc == 0)
		rc = read_status(object, &state->status, err);
	for (int i = 0; rc == 0 && i < LISTS; i++)
		rc = read_list(object, lists[i].key, (void *)((char *)state + lists[i].offset), err);
	if (rc == 0)
		rc = json_node_member(object, "config", &config, err);
	if (rc == 0)
		state->config = json_incref(config.value);
	return rc;
}

int state_read(const char *folder, struct container_state *ret, struct error *err)
{
	char path[FOLDER_PATH_MAX];
	json_error_t where;
	int rc = folder_file(folder, "state.json", path, sizeof(path), err);

	if (rc < 0)
		return rc;
	if (!path_exists(path))
		return error_set(err, ENOENT, "container %s: it has no state yet", strrchr(folder, '/') + 1);
	struct json_node object = {.source = path, .key = "state", .value = json_load_file(path, JSON_REJECT_DUPLICATES, &where)};
	if (!object.value)
		return error_set(err, EBADMSG, "%s: line %d: not a state of a container", path, where.line);
	struct container_state state = {0};
	rc = read_members(&object, &state, err);
	json_decref(object.value);
	if (rc < 0)
		state_done(&state);
	else
		*ret = state;
	return rc;
}

void state_done(struct container_state *state)
{
	for (int i = 0; i < LISTS; i++)
		texts_done((void *)((char *)state + lists[i].offset));
	json_decref(state->config);
	state->config = NULL;
}

/* ---- looking at it ---- */

bool state_is_running(const struct container_state *state)
{
	return state->status == STATE_RUNNING && state->pid > 1 && process_start_ticks((pid_t)state->pid) == state->pid_ticks;
}

bool state_is_paused(const struct container_state *state)
{
	char path[PATH_MAX], text[1024], value[16];

	for (size_t i = 0; i < state->cgroup_dirs.n; i++) {
		const char *dir = state->cgroup_dirs.list[i];

		if (path_format(path, sizeof(path), NULL, "%s/freezer.state", dir) == 0 &&
		    file_read("", path, text, sizeof(text), NULL) > 0 && strcmp(text, "THAWED") != 0)
			return true;
		if (path_format(path, sizeof(path), NULL, "%s/cgroup.events", dir) == 0 &&
		    file_read("", path, text, sizeof(text), NULL) > 0 && text_field(text, "frozen", value, sizeof(value)) &&
		    strcmp(value, "1") == 0)
			return true;
	}
	return false;
}

void state_thaw(const struct container_state *state)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < state->cgroup_dirs.n; i++) {
		const char *dir = state->cgroup_dirs.list[i];

		if (path_format(path, sizeof(path), NULL, "%s/freezer.state", dir) == 0 && path_exists(path))
			file_write_kernel(path, "THAWED", NULL);
		if (path_format(path, sizeof(path), NULL, "%s/cgroup.freeze", dir) == 0 && path_exists(path))
			file_write_kernel(path, "0", NULL);
	}
}

const char *state_title(const struct container_state *state)
{
	return state->name[0] ? state->name : state->id;
}

int64_t state_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
