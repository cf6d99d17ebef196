/* The groups below a control group, walked. Whoever a group was handed to may have made any tree below it: deeper than a path is long, deeper than a
 * stack, with names that begin with a dot. So it goes by descriptors, three at a time, and each level costs a name on the heap.
 *
 * No group is a link: a file system of control groups has none. One that vanishes meanwhile is passed over. */
#pragma once

/* Calls `visit` with a descriptor of each group: those below first, that of `dir_fd` itself last. Whatever could not be entered is left out. */
void group_tree_visit(int dir_fd, void (*visit)(int group_fd, void *arg), void *arg);

/* Removes all groups below. One that has members stays, with those above it. */
void group_tree_clear(int dir_fd);
