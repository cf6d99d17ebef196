/* What the files of this folder share and nobody else needs. */
#pragma once

#include "cgroup.h"

/* Version 2 names; NULL: it serves without a controller, or not at all. */
extern const char *const cgroup_v2_names[CGROUP_CONTROLLER_COUNT];

/* Is `word` an element of `list`, whose elements are separated by `separator`? */
bool cgroup_list_has(const char *list, char separator, const char *word);

/* Folder of a group in the hierarchy of a controller, or NULL. */
const char *cgroup_dir(const struct cgroup_tree *tree, const struct cgroup *group, enum cgroup_controller controller);

/* Writes a text to a file of the group in the hierarchy of a controller. */
int cgroup_write(const struct cgroup_tree *tree, const struct cgroup *group, enum cgroup_controller controller, const char *file,
		 struct error *err, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The same for a file that older kernels lack: no such file is success. */
int cgroup_write_if_there(const struct cgroup_tree *tree, const struct cgroup *group, enum cgroup_controller controller, const char *file,
			  struct error *err, const char *text);

/* "2MB", as the files of the hugetlb controller are named. Returns `ret`. */
const char *cgroup_page_name(int64_t page_bytes, char *ret, size_t size);

/* Kills the processes that are members of a folder, one by one, and waits for them. Returns how many it found. */
size_t cgroup_kill_members(const char *dir, int64_t deadline_ns);
