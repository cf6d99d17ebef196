/* Declared steps of the mock driver: "clone@parent:0us-100us;mount proc@child:100us-250us", times after the request. */
#pragma once

#include <bench/driver.h>

/* Declares them to `info`, and puts their times into `ret`. -EINVAL names the step that is not to be understood. */
int mock_steps_parse(const char *text, struct driver_info *info, struct step_times *ret, struct error *err);
