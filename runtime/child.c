/* The walk: what runs between clone and exec, in memory shared with the parent.
 *
 * The parent works beside it, with a TLS block (errno) that is its own: calls.h. Nothing here allocates, locks or uses stdio. Stamps and the failing step go straight into the parent's struct child. */
#include "calls.h"
#include "plan.h"

#include <bench/timeline.h>

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__x86_64__)
long child_clone(struct clone_args *args, int (*fn)(void *), void *arg)
{
	register int (*call)(void *) __asm__("r12") = fn;
	register void *with __asm__("r13") = arg;
	long rc;

	/* A child with a stack of its own must not return through our frame: it calls fn and exits here. */
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(rc)
			 : "a"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(call), "r"(with), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	return rc;
}
#elif defined(__aarch64__)
long child_clone(struct clone_args *args, int (*fn)(void *), void *arg)
{
	register long number __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof(*args);
	register int (*call)(void *) __asm__("x20") = fn;
	register void *with __asm__("x21") = arg;

	__asm__ volatile("svc 0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x21\n\t"
			 "blr x20\n\t"
			 "mov x8, %[exit]\n\t"
			 "svc 0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(number), "r"(call), "r"(with), [exit] "i"(SYS_exit)
			 : "memory", "cc");
	return x0;
}
#else
#error "child_clone() is not written for this architecture yet: a clone3 whose child calls fn(arg) on a new stack"
#endif

/* Asked for first: a parent that ends from here on takes us along, one that had ended before is seen. */
int child_end_with_parent(const struct child *child)
{
	struct pollfd parent = {.fd = child->parent_fd, .events = POLLIN};
	struct timespec now = {0};
	long rc = CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	if (rc == 0 && child->parent_fd >= 0 && CALL(SYS_ppoll, &parent, 1, &now, NULL, 0) == 1)
		rc = -ECANCELED;
	return done(rc);
}

int child_main(void *arg)
{
	struct child *child = arg;
	const struct container_plan *plan = child->plan;
	struct container_trace *trace = &child->trace;

	trace->cloned_ns = clock_now_ns();
	if (child_end_with_parent(child) < 0) /* half-made, it ends with its parent: what it waits for would never come */
		CALL(SYS_exit_group, 127);
	for (size_t i = 0; i < plan->n_steps; i++) {
		int rc = plan->steps[i].apply(child, &plan->steps[i]);

		if (rc < 0) {
			trace->failed_errno = -rc;
			CALL(SYS_exit_group, 127); /* the helper thread too */
		}
		trace->done_ns[i] = clock_now_ns();
		trace->n_done = (int)i + 1;
	}
	return 0;
}
