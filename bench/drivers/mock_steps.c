/* Steps of the mock driver from text. */
#include "mock_steps.h"

#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Cuts the text at the first `separator` and returns what is behind it; NULL when there is none. */
static char *cut(char *text, char separator)
{
	char *at = strchr(text, separator);

	if (at)
		*at = '\0';
	return at ? at + 1 : NULL;
}

static int find_lane(const char *name)
{
	for (int lane = 0; lane < STEP_LANE_COUNT; lane++)
		if (strcmp(step_lane_names[lane], name) == 0)
			return lane;
	return -EINVAL;
}

/* "NAME@LANE:BEGIN-END"; `text` is cut to pieces. */
static int parse_step(char *text, struct driver_info *info, struct step_times *ret, struct error *err)
{
	char *lane_name = cut(text, '@'), *begin = lane_name ? cut(lane_name, ':') : NULL, *end = begin ? cut(begin, '-') : NULL;
	int64_t begin_ns, end_ns;
	int lane = end ? find_lane(lane_name) : -EINVAL;

	if (lane < 0 || !*text)
		return error_set(err, EINVAL, "driver 'mock': step '%s': expected NAME@LANE:BEGIN-END, lane parent, child or helper", text);
	if (parse_duration_ns(begin, &begin_ns, err) < 0 || parse_duration_ns(end, &end_ns, err) < 0)
		return error_prefix(err, "driver 'mock': step '%s'", text);
	if (end_ns < begin_ns)
		return error_set(err, EINVAL, "driver 'mock': step '%s' ends before it begins", text);
	step_times_set(ret, driver_info_step(info, (enum step_lane)lane, "%s", text), begin_ns, end_ns);
	return 0;
}

int mock_steps_parse(const char *text, struct driver_info *info, struct step_times *ret, struct error *err)
{
	_cleanup_free_ char *copy = strdup(text);
	int rc = copy ? 0 : error_set(err, ENOMEM, "out of memory");
	char *next = copy;

	for (char *step; rc == 0 && (step = next);) {
		next = cut(step, ';');
		rc = parse_step(step, info, ret, err);
	}
	return rc;
}
