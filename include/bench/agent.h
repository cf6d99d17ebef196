/* The agent: the program inside every instance. One small static binary, the same bytes as a plain process, as a container's first
 * process and as PID 1 of a virtual machine.
 *
 * It talks lines of text on its control stream (descriptors 0 and 1, or the device named by BENCH_CONTROL): a line has at most
 * AGENT_LINE_MAX - 1 bytes and ends with LF.
 *
 *   agent -> host   mark init                          as PID 1 of a guest, before anything else
 *                   hello bench-agent 1 pid=<pid> start_ns=<CLOCK_MONOTONIC at the first instruction of main>
 *   host  -> agent  ping                               pong
 *                   run <workload> [<key>=<value>]…    begin, then: end {"ops":…,"checksum":"…"}
 *                   memory                             memory total=<bytes> available=<bytes>, as its kernel sees it
 *                   listen <port>                      listening: a child echoes on that TCP port
 *                   connect <IPv4 address> <port>      reached: bytes went there and came back
 *                   touch <MiB>                        touched: a child used so much memory
 *                   burn <n>                           burning: n children use CPU time to the end
 *                   quit                               bye, and the instance ends
 *   agent -> host   error <reason>                     for every line that it does not understand
 *
 * End of the stream ends the agent too. */
#pragma once

enum { AGENT_PROTOCOL = 1, AGENT_LINE_MAX = 4096 };

#define AGENT_HELLO "hello bench-agent "
