#include "network.h"

#include <errno.h>

int network_support(struct error *err)
{
	return error_set(err, ENOTSUP, "no links can be made yet");
}
