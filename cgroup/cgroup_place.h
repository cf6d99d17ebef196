/* Where in a JSON text a key stands. jansson tells places of broken grammar alone; a complaint about meaning wants its line, too. */
#pragma once

#include <stddef.h>

/* Line, from 1, of the member that `keys` lead to from the outermost object. A member that is not there: the line of the last one that is.
 * The text must be JSON that jansson has taken. */
size_t cgroup_place_line(const char *text, size_t size, const char *const *keys, size_t n_keys);
