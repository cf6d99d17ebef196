#include "child_thread.h"

#include "calls.h"

#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>

void wait_while(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		CALL(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

bool thread_start(struct child *child, struct child_thread *thread, int (*fn)(void *), char *stack)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID,
		.child_tid = (uintptr_t)&thread->running,
		.stack = (uintptr_t)stack,
		.stack_size = CHILD_THREAD_STACK_BYTES,
	};

	thread->running = 1;
	thread->id = child_clone(&args, fn, child);
	if (thread->id < 0)
		thread->running = 0;
	return thread->id > 0;
}

void thread_begin(struct child_thread *thread)
{
	__atomic_store_n(&thread->begun, true, __ATOMIC_RELAXED);
}

void thread_lend_cpu(const struct child_thread *thread)
{
	unsigned cpu;
	cpu_set_t ours;

	if (__atomic_load_n(&thread->begun, __ATOMIC_RELAXED) || CALL(SYS_getcpu, &cpu, NULL, NULL) < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&ours);
	CPU_SET(cpu, &ours);
	CALL(SYS_sched_setaffinity, thread->id, sizeof(ours), &ours);
}

void thread_wait(struct child_thread *thread)
{
	if (!__atomic_load_n(&thread->running, __ATOMIC_ACQUIRE))
		return;
	thread_lend_cpu(thread);
	wait_while(&thread->running, 1);
}
