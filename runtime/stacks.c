/* What the child and its helper thread stand on: one mapping, with a page below each stack that faults. Kept for all starts of a plan, so that
 * its pages are paid once. */
#include "plan.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mapping_bytes(void)
{
	return 2 * page_bytes() + HELPER_STACK_BYTES + CHILD_STACK_BYTES;
}

int plan_stacks_make(struct container_plan *plan, struct error *err)
{
	char *at = mmap(NULL, mapping_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (at == MAP_FAILED)
		return error_errno(err, "stack for the child");
	plan->stacks = at;
	plan->helper_stack = at + page_bytes();
	plan->child_stack = plan->helper_stack + HELPER_STACK_BYTES + page_bytes();
	if (mprotect(at, page_bytes(), PROT_NONE) < 0 || mprotect(plan->child_stack - page_bytes(), page_bytes(), PROT_NONE) < 0)
		return error_errno(err, "guard page of the child's stack");
	return 0;
}

void plan_stacks_free(struct container_plan *plan)
{
	if (plan->stacks)
		munmap(plan->stacks, mapping_bytes());
	plan->stacks = NULL;
}
