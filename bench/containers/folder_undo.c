/* Undoing what a container without monitor left behind. */
#include "folder.h"

#include "state.h"

#include <base/files.h>
#include <base/journal.h>
#include <network/network.h>

#include <errno.h>
#include <stdio.h>

static int undo_link(enum journal_kind kind, const char *argument, void *arg, struct error *err)
{
	if (kind == JOURNAL_LINK)
		return network_undo_link(argument, err);
	return error_set(err, ENOTSUP, "nothing here undoes '%s %s'", journal_kind_names[kind], argument);
}

int folder_undo(const char *path, struct error *err)
{
	char journal[FOLDER_PATH_MAX];
	struct container_state state;

	if (folder_file(path, "journal", journal, sizeof(journal), err) < 0)
		return -ENAMETOOLONG;
	if (state_read(path, &state, NULL) == 0) {
		state_thaw(&state); /* SIGKILL waits in a frozen task of cgroup v1 */
		state_done(&state);
	}
	return journal_undo(journal, undo_link, NULL, err);
}

struct naming {
	void (*visit)(const char *kind, const char *argument, void *arg);
	void *arg;
};

static void visit_named(enum journal_kind kind, const char *argument, void *arg)
{
	struct naming *naming = arg;

	if (naming->visit)
		naming->visit(journal_kind_names[kind], argument, naming->arg);
}

int folder_leftovers(const char *path, void (*visit)(const char *kind, const char *argument, void *arg), void *arg)
{
	struct naming naming = {visit, arg};
	char journal[FOLDER_PATH_MAX];

	if (folder_file(path, "journal", journal, sizeof(journal), NULL) < 0)
		return 0;
	return journal_leftovers(journal, visit_named, &naming);
}
