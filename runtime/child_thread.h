/* Threads of the child: they share its memory, descriptors and working folder, own by the same user namespace what they make, and wait for the
 * kernel beside it. All have ended before the exec, which would wait for them. Internal to child*.c. */
#pragma once

#include "plan.h"

/* Runs fn(child) in a thread on a stack of CHILD_THREAD_STACK_BYTES. False: no thread can be had, and nothing runs. */
bool thread_start(struct child *child, struct child_thread *thread, int (*fn)(void *), char *stack);

/* The first call of fn. */
void thread_begin(struct child_thread *thread);

/* The caller is about to wait for the thread. If that waits for a CPU which others use, it gets the caller's. */
void thread_lend_cpu(const struct child_thread *thread);

/* Until it has ended. */
void thread_wait(struct child_thread *thread);

void wait_while(uint32_t *word, uint32_t value);
