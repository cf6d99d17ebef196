#include "group_tree.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where a folder's list goes on when the group of that name has been dealt with. */
struct place {
	long next;
	char name[NAME_MAX + 1];
};

struct walk {
	DIR *dir;
	struct place *places;
	size_t depth, room;
};

static DIR *open_folder(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

static bool next_name(DIR *dir, const char **ret)
{
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			*ret = entry->d_name;
			return true;
		}
	return false;
}

static void go_down(struct walk *walk, const char *name)
{
	if (walk->depth == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 16;
		struct place *places = reallocarray(walk->places, room, sizeof(*places));

		if (!places)
			return;
		walk->places = places;
		walk->room = room;
	}
	struct place *place = &walk->places[walk->depth];
	DIR *below = open_folder(dirfd(walk->dir), name);
	if (!below)
		return;
	place->next = telldir(walk->dir);
	memcpy(place->name, name, strlen(name) + 1);
	closedir(walk->dir);
	walk->dir = below;
	walk->depth++;
}

/* A group stays where it was made, so ".." is where we came from. */
static bool go_up(struct walk *walk)
{
	DIR *above = open_folder(dirfd(walk->dir), "..");

	if (!above)
		return false;
	closedir(walk->dir);
	walk->dir = above;
	seekdir(above, walk->places[--walk->depth].next);
	return true;
}

static void walk_groups(int dir_fd, void (*visit)(int group_fd, void *arg), void *arg, bool removes)
{
	struct walk walk = {.dir = open_folder(dir_fd, ".")};
	const char *name;

	while (walk.dir) {
		if (next_name(walk.dir, &name)) {
			go_down(&walk, name);
			continue;
		}
		if (visit)
			visit(dirfd(walk.dir), arg);
		if (walk.depth == 0 || !go_up(&walk))
			break;
		if (removes)
			unlinkat(dirfd(walk.dir), walk.places[walk.depth].name, AT_REMOVEDIR);
	}
	if (walk.dir)
		closedir(walk.dir);
	free(walk.places);
}

void group_tree_visit(int dir_fd, void (*visit)(int group_fd, void *arg), void *arg)
{
	walk_groups(dir_fd, visit, arg, false);
}

void group_tree_clear(int dir_fd)
{
	walk_groups(dir_fd, NULL, NULL, true);
}
