/* What the child and its threads stand on: one mapping, with a page below each stack that faults. Kept for all starts of a plan, so that its
 * pages are paid once. */
#include "plan.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mapping_bytes(void)
{
	return CHILD_THREADS * (page_bytes() + CHILD_THREAD_STACK_BYTES) + page_bytes() + CHILD_STACK_BYTES;
}

/* The stack above the guard page at `at`, or NULL. */
static char *guard(char *at)
{
	return mprotect(at, page_bytes(), PROT_NONE) < 0 ? NULL : at + page_bytes();
}

int plan_stacks_make(struct container_plan *plan, struct error *err)
{
	char *at = mmap(NULL, mapping_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	bool fine = at != MAP_FAILED;

	if (!fine)
		return error_errno(err, "stack for the child");
	plan->stacks = at;
	for (int i = 0; i < CHILD_THREADS && fine; i++, at += page_bytes() + CHILD_THREAD_STACK_BYTES)
		fine = (plan->thread_stacks[i] = guard(at)) != NULL;
	if (fine)
		fine = (plan->child_stack = guard(at)) != NULL;
	return fine ? 0 : error_errno(err, "guard page of the child's stack");
}

void plan_stacks_free(struct container_plan *plan)
{
	if (plan->stacks)
		munmap(plan->stacks, mapping_bytes());
	plan->stacks = NULL;
}
