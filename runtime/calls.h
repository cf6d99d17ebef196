/* System calls without libc: they return -errno themselves and touch no memory of ours.
 *
 * The child of a clone shares our memory, the thread's errno included, while its parent goes on working. So code that runs in the child
 * (child*.c) uses these alone, never a function of libc that may set errno, allocate or lock. (string.h is pure and allowed.) */
#pragma once

#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long rc;

	__asm__ volatile("syscall" : "=a"(rc) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return rc;
}
#elif defined(__aarch64__)
static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
	return x0;
}
#else
#error "call6() is not written for this architecture yet"
#endif

#define CALL_PADDED(number, a, b, c, d, e, f, ...) call6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* CALL(SYS_name, arguments…): the result, or -errno. */
#define CALL(...) CALL_PADDED(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* The result as steps return it: 0 or -errno. */
static inline int done(long rc)
{
	return rc < 0 ? (int)rc : 0;
}
