/* A worker: one process, one driver. It opens the driver, climbs the ladder once for every request, and answers. */
#pragma once

#include "messages.h"

/* Runs in a freshly forked process until it is told to close or bench is gone. Returns the exit status. */
int worker_main(const struct spawn_request *setup, int socket_fd);
