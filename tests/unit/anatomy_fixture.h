/* A made-up result of the experiment "anatomy", the same to the bit everywhere: a container with steps in three lanes, the same again, variants, floors. */
#pragma once

#include "plots_fixture.h"

#include <results/result_io.h>

static const struct {
	const char *name;
	enum step_lane lane;
	int64_t begin_ns, end_ns;
} anatomy_steps[] = {
	{"make-cgroup", STEP_PARENT, 12000, 340000},
	{"clone", STEP_PARENT, 340000, 415000},
	{"private-mounts", STEP_CHILD, 415000, 424000},
	{"network namespace", STEP_HELPER, 420000, 980000},
	{"tmpfs", STEP_CHILD, 424000, 486000},
	{"mount proc", STEP_CHILD, 486000, 507000},
	{"mount sys", STEP_CHILD, 507000, 527000},
	{"pivot", STEP_CHILD, 527000, 1090000},
	{"capabilities", STEP_CHILD, 1090000, 1135000},
	{"seccomp", STEP_CHILD, 1135000, 1270000},
	{"exec", STEP_CHILD, -1, -1},
};

/* n starts that take `ready_ns` and a little more or less; with steps when `steps`. */
static inline void anatomy_starts(struct fixture *f, uint32_t driver, uint32_t n, int64_t ready_ns, bool steps)
{
	for (uint32_t block = 0; block < n; block++) {
		struct sample *sample = fixture_sample(f, driver, block, SAMPLE_OK);
		int64_t base = sample->timeline.at_ns[MARK_REQUEST], permille = fixture_permille(f);
		struct step_times times = {0};

		timeline_mark_at(&sample->timeline, MARK_LAUNCHED, base + 415000 * permille / 1000);
		timeline_mark_at(&sample->timeline, MARK_SANDBOX, base + 1270000 * permille / 1000);
		timeline_mark_at(&sample->timeline, MARK_MAIN, base + 1400000 * permille / 1000);
		timeline_mark_at(&sample->timeline, MARK_READY, base + ready_ns * permille / 1000);
		timeline_mark_at(&sample->timeline, MARK_STOP, base + ready_ns * 2);
		timeline_mark_at(&sample->timeline, MARK_GONE, base + ready_ns * 2 + 300000 * permille / 1000);
		for (size_t i = 0; i < sizeof(anatomy_steps) / sizeof(anatomy_steps[0]) && steps; i++)
			if (anatomy_steps[i].end_ns >= 0)
				step_times_set(&times, i, base + anatomy_steps[i].begin_ns * permille / 1000,
					       base + anatomy_steps[i].end_ns * permille / 1000);
		if (steps)
			cr_assert_eq(result_add_steps(&f->result, &times, &sample->steps, NULL), 0);
	}
}

static inline uint32_t anatomy_driver(struct fixture *f, const char *label, enum variant_role role, const char *feature)
{
	uint32_t d = fixture_driver(f,
				    role == VARIANT_NONE            ? "null"
				    : strcmp(label, "process") == 0 ? "process"
								    : "container",
				    label, NULL);

	f->result.drivers[d].variant.role = role;
	snprintf(f->result.drivers[d].variant.feature, sizeof(f->result.drivers[d].variant.feature), "%s", feature);
	return d;
}

static inline void fixture_anatomy(struct fixture *f, uint32_t n)
{
	static const struct {
		const char *label, *feature;
		enum variant_role role;
		int64_t ready_ns;
	} variants[] = {
		{"container (again)", "noise: the same once more", VARIANT_AGAIN, 1702000},
		{"process", "everything: a plain process", VARIANT_FLOOR, 350000},
		{"net=host", "network namespace", VARIANT_WITHOUT, 1140000},
		{"uts=host", "host name namespace", VARIANT_WITHOUT, 1695000},
		{"mount=host", "own mounts, pivot_root not chroot", VARIANT_WITHOUT, 1390000},
		{"seccomp=off", "system call filter", VARIANT_WITHOUT, 1560000},
		{"net=bridge", "veth into a bridge", VARIANT_WITH, 2150000},
		{"pool=4", "pool of prepared parts", VARIANT_WITH, 900000},
		{"bare=on", "everything: bare clone and exec", VARIANT_FLOOR, 420000},
	};

	fixture_begin(f, n);
	snprintf(f->result.experiment, sizeof(f->result.experiment), "anatomy");
	free(f->result.command_line);
	f->result.command_line = strdup("bench run anatomy --n 100 --seed 42");
	fixture_starts(f, anatomy_driver(f, "null", VARIANT_NONE, ""), n, fixture_null);
	uint32_t whole = anatomy_driver(f, "container", VARIANT_WHOLE, "");

	for (size_t i = 0; i < sizeof(anatomy_steps) / sizeof(anatomy_steps[0]); i++) {
		struct step_list *steps = &f->result.drivers[whole].info.steps;

		snprintf(steps->at[i].name, STEP_NAME_MAX, "%s", anatomy_steps[i].name);
		steps->at[steps->n++].lane = anatomy_steps[i].lane;
	}
	anatomy_starts(f, whole, n, 1700000, true);
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		anatomy_starts(f, anatomy_driver(f, variants[i].label, variants[i].role, variants[i].feature), n, variants[i].ready_ns,
			       false);
	fixture_left_out(f, "time=host", "driver 'container' has no option 'time'");
	free(f->summary.drivers);
	cr_assert_eq(summary_make(&f->result, &f->summary, NULL), 0);
}

static inline void anatomy_end(struct fixture *f)
{
	summary_free(&f->summary);
	f->summary.drivers = NULL;
	free(f->result.steps);
	fixture_end(f);
}
