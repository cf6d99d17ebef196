#include "vm_undo.h"

#include <stdio.h>
#include <string.h>
#include <vmdriver/vm.h>

enum { ID_DIGITS = 8, INDEX_DIGITS = 8 };

bool vm_undo_mark(const char *run_dir, char ret[VM_UNDO_MARK])
{
	const char *slash = strrchr(run_dir, '/');

	if (!slash || slash - run_dir <= ID_DIGITS || slash[1] != 'w')
		return false;

	const char *id = slash - ID_DIGITS, *index = slash + 2;
	size_t length = strspn(index, "0123456789");

	if (id[-1] != '/' || strspn(id, "0123456789abcdef") != ID_DIGITS || length == 0 || length > INDEX_DIGITS || index[length])
		return false;
	snprintf(ret, VM_UNDO_MARK, "bench-%.8s-%s", id, index);
	return true;
}

int vm_undo_domain(const char *argument, struct error *err)
{
	return vm_undo(argument, err);
}
