/* The words between the host and the runtime in a guest (bench/guest), for machines that run the agent in a container. They share the guest's control
 * stream with the agent's (<bench/agent.h>): lines, which end with LF.
 *
 *   guest -> host  mark runtime          the runtime begins, as PID 1 in the place of the guest's init
 *                  idle                  it waits for requests (shared machines alone; else it starts a container at once)
 *                  gone <id>: <how>      a container could not be started, or ended without being asked
 *                  stopped <id>          answer to stop: there is none, and nothing of it is left
 *                  fact <key>=<value>    answer to look, one line a fact, what is in force for the container
 *                  facts end
 *   host -> guest  guest start <id>      of a shared machine
 *                  guest stop <id>
 *                  guest look
 *
 * All other lines of the host are the container's, and what the container says goes to the host as it is. What the machine is told at its boot stands on
 * its kernel's command line: BENCH_RUNTIME=<program of the initramfs> and BENCH_CONTAINER=<word>[=<number>],… ("shared,memory=134217728,cpu=100,pids=512"). */
#pragma once

#define GUEST_MARK_RUNTIME "mark runtime"
#define GUEST_IDLE         "idle"
#define GUEST_GONE         "gone "
#define GUEST_STOPPED      "stopped "
#define GUEST_FACT         "fact "
#define GUEST_FACTS_END    "facts end"

#define GUEST_REQUEST "guest "
#define GUEST_START   GUEST_REQUEST "start "
#define GUEST_STOP    GUEST_REQUEST "stop "
#define GUEST_LOOK    GUEST_REQUEST "look"

/* The container of a machine that has but one, started at its boot. */
#define GUEST_ONLY_ID "only"

enum { GUEST_ID_MAX = 64 };
