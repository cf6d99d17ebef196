/* null: starts nothing. Its figures are the harness's own floor, and are reported beside the others, never subtracted. */
#include <bench/driver.h>

#include <stdio.h>

static void null_probe(const struct driver_config *config, struct probe *ret)
{
	*ret = (struct probe){.verdict = PROBE_YES};
	snprintf(ret->reason, sizeof(ret->reason), "starts nothing: the floor of the harness");
}

static int null_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	driver_info_set(ret_info, "meaning", "cost of the harness itself, included in every other figure");
	*ret_state = NULL;
	return 0;
}

static int null_start(void *state, struct instance *instance, struct timeline *timeline, struct error *err)
{
	timeline_mark(timeline, MARK_READY);
	return 0;
}

static int null_stop(void *state, struct instance *instance, struct error *err)
{
	return 0;
}

static void null_close(void *state)
{
}

const struct driver null_driver = {
	.name = "null",
	.summary = "nothing: the harness's own floor",
	.caps = DRIVER_NO_AGENT,
	.probe = null_probe,
	.open = null_open,
	.start = null_start,
	.stop = null_stop,
	.close = null_close,
};
