/* Scoped release by compiler attribute: what a function acquires, it names once and forgets.
 * Used for descriptors, heap memory, streams and directories; kernel state is undone by hand, in reverse order. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn), unused))

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_close_    _cleanup_(cleanup_close)
#define _cleanup_free_     _cleanup_(cleanup_free)
#define _cleanup_fclose_   _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

/* Hands a descriptor or a pointer over to the caller: the cleanup finds nothing left to release. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(p)                                                                                                                        \
	({                                                                                                                                 \
		__typeof__(p) t_ = (p);                                                                                                    \
		(p) = NULL;                                                                                                                \
		t_;                                                                                                                        \
	})
