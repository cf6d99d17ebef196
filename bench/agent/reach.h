/* Network and memory seen from inside: for tests of what an instance reaches and of its limits. Only in answer to a request, but guest_network(). */
#pragma once

#include <stddef.h>

/* As PID 1 of a guest: gives eth0 the address of BENCH_ADDRESS ("10.88.0.2/16") and the default route to BENCH_GATEWAY, and takes lo up. Without these
 * nothing is done. What fails is told by the first connection that does not work. */
void guest_network(const char *address, const char *gateway);

/* "<port>": a child that echoes what is sent to it from now on. Writes the answer. */
void reach_listen(const char *arguments, char *answer, size_t size);

/* "<address> <port>": connects, sends a few bytes and wants them back, all within five seconds. */
void reach_connect(char *arguments, char *answer, size_t size);

/* "<MiB>": a child touches so much memory. */
void reach_touch(const char *arguments, char *answer, size_t size);

/* "<n>": so many children that do nothing but use CPU time, to the end of the instance. */
void reach_burn(const char *arguments, char *answer, size_t size);
