/* A made-up start-up result with plausible figures, the same to the bit everywhere: for the tests of tables, charts and report.
 * Its summary is computed here in the plainest way (no bootstrap: intervals are ±1 %), so that these tests stand on nothing else. */
#pragma once

#include <bench/result.h>
#include <criterion/criterion.h>
#include <results/summary.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct result result;
	struct summary summary;
	uint64_t random;
};

/* Median times of the marks since the request in nanoseconds; 0: the driver does not observe it. */
struct fixture_marks {
	int64_t launched, sandbox, kernel, init, main, ready;
};

static const struct fixture_marks fixture_null = {.ready = 1520};
static const struct fixture_marks fixture_process = {.launched = 150000, .main = 250000, .ready = 350000};
static const struct fixture_marks fixture_container = {
	.launched = 400000, .sandbox = 1500000, .init = 1650000, .main = 1650000, .ready = 1900000};
static const struct fixture_marks fixture_vm = {
	.launched = 250000000, .sandbox = 350000000, .init = 1900000000, .main = 2050000000, .ready = 2100000000};

/* 0 … 999 */
static inline int64_t fixture_random(struct fixture *f)
{
	f->random = f->random * 6364136223846793005u + 1442695040888963407u;
	return (int64_t)((f->random >> 33) % 1000);
}

/* A factor around 1000 ‰, skewed to the right as start-up times are. */
static inline int64_t fixture_permille(struct fixture *f)
{
	int64_t sum = 0, tail = fixture_random(f);

	for (int i = 0; i < 6; i++)
		sum += fixture_random(f) - 500;
	return 1000 + sum / 12 + (tail > 900 ? (tail - 900) * 3 : 0);
}

static inline void fixture_begin(struct fixture *f, uint32_t n)
{
	*f = (struct fixture){.random = 42};
	snprintf(f->result.experiment, sizeof(f->result.experiment), "startup");
	f->result.command_line = strdup("bench run startup --n 100 --seed 42");
	snprintf(f->result.started_at, sizeof(f->result.started_at), "2025-03-01T12:00:00Z");
	f->result.duration_ns = INT64_C(312000000000);
	f->result.plan = (struct run_plan){.n = n,
					   .warmup = 2,
					   .seed = 42,
					   .timeout_ns = INT64_C(60000000000),
					   .memory_bytes = 256 << 20,
					   .vcpus = 1,
					   .cpuset_measure = "0",
					   .cpuset_instance = "1"};
	f->result.environment = (struct environment){.kernel = "6.1.0-28-amd64",
						     .architecture = "x86_64",
						     .os = "Debian GNU/Linux 12 (bookworm)",
						     .cpu_model = "Example CPU @ 2.50GHz",
						     .packages = 1,
						     .cores = 2,
						     .threads = 2,
						     .numa_nodes = 1,
						     .memory_bytes = INT64_C(24) << 30,
						     .governor = "",
						     .smt = "notsupported",
						     .cgroup_mode = "hybrid",
						     .cgroup_controllers = "cpu memory pids",
						     .hypervisor = "kvm",
						     .thp = "madvise",
						     .ksm = 0,
						     .clocksource = "tsc",
						     .libc = "glibc 2.36",
						     .bench_version = "0.1.0",
						     .compiler = "gcc 12.2.0",
						     .build_type = "Release",
						     .agent_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
						     .agent_bytes = 23456,
						     .privileged = true};
	f->result.blocks = calloc(n, sizeof(struct block));
	f->result.n_blocks = n;
	f->result.drivers = calloc(RESULT_DRIVERS_MAX, sizeof(struct result_driver));
	f->summary.drivers = calloc(RESULT_DRIVERS_MAX, sizeof(struct driver_summary));
	f->summary.baseline = -1;
}

static inline void fixture_fact(struct result_driver *driver, const char *key, const char *value)
{
	snprintf(driver->info.pairs[driver->info.n_pairs].key, sizeof(driver->info.pairs[0].key), "%s", key);
	snprintf(driver->info.pairs[driver->info.n_pairs++].value, sizeof(driver->info.pairs[0].value), "%s", value);
}

/* Returns the new driver's index. A machine makes it a guest under TCG. */
static inline uint32_t fixture_driver(struct fixture *f, const char *name, const char *label, const char *machine)
{
	struct result_driver *driver = &f->result.drivers[f->result.n_drivers];

	snprintf(driver->spec.name, sizeof(driver->spec.name), "%s", name);
	snprintf(driver->spec.label, sizeof(driver->spec.label), "%s", label);
	driver->caps = machine ? DRIVER_IS_GUEST : DRIVER_SAME_KERNEL;
	if (machine) {
		fixture_fact(driver, "accelerator", "tcg");
		fixture_fact(driver, "machine", machine);
	}
	if (strcmp(name, "process") == 0)
		f->summary.baseline = (int)f->result.n_drivers;
	f->summary.n_drivers++;
	return (uint32_t)f->result.n_drivers++;
}

static inline struct sample *fixture_sample(struct fixture *f, uint32_t driver, uint32_t block, enum sample_status status)
{
	f->result.samples = realloc(f->result.samples, (f->result.n_samples + 1) * sizeof(struct sample));

	struct sample *sample = &f->result.samples[f->result.n_samples++];

	*sample = (struct sample){.driver = driver, .block = block, .status = status, .footprint = FOOTPRINT_NONE};
	timeline_mark_at(&sample->timeline, MARK_REQUEST, 1000000000 + (int64_t)block * 1000000);
	if (status == SAMPLE_CENSORED)
		snprintf(sample->reason, sizeof(sample->reason), "no answer within 60.0 s");
	if (status == SAMPLE_FAILED)
		snprintf(sample->reason, sizeof(sample->reason), "the guest kernel panicked");
	return sample;
}

/* n starts that all become ready, in blocks 0 … n-1. */
static inline void fixture_starts(struct fixture *f, uint32_t driver, uint32_t n, struct fixture_marks at)
{
	const int64_t median[MARK_COUNT] = {[MARK_LAUNCHED] = at.launched, [MARK_SANDBOX] = at.sandbox, [MARK_KERNEL] = at.kernel,
					    [MARK_INIT] = at.init,         [MARK_MAIN] = at.main,       [MARK_READY] = at.ready};

	for (uint32_t block = 0; block < n; block++) {
		struct sample *sample = fixture_sample(f, driver, block, SAMPLE_OK);
		struct timeline *marks = &sample->timeline;
		int64_t permille = fixture_permille(f);

		for (enum mark mark = MARK_LAUNCHED; mark <= MARK_READY; mark++)
			if (median[mark])
				timeline_mark_at(marks, mark, marks->at_ns[MARK_REQUEST] + median[mark] * permille / 1000);
		timeline_mark_at(marks, MARK_STOP, marks->at_ns[MARK_READY] + 1000000);
		timeline_mark_at(marks, MARK_GONE, marks->at_ns[MARK_STOP] + at.ready / 2);
	}
}

static inline int fixture_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Type 1 quantile: an observed value; NAN beyond what was observed. */
static inline double fixture_quantile(const double *sorted, size_t known, size_t n, double q)
{
	size_t rank = n ? (size_t)ceil(q * (double)n) : 0;

	return rank && rank <= known ? sorted[rank - 1] : NAN;
}

static inline struct estimate fixture_estimate(double value)
{
	return (struct estimate){value, value * 0.99, value * 1.01};
}

static inline struct distribution fixture_distribution(double *values, size_t known, size_t n)
{
	struct distribution ret = {.n = n, .censored = n - known};

	qsort(values, known, sizeof(double), fixture_compare);
	ret.median = fixture_estimate(fixture_quantile(values, known, n, 0.5));
	ret.p90 = fixture_quantile(values, known, n, 0.9);
	ret.p99 = n >= 100 ? fixture_quantile(values, known, n, 0.99) : NAN;
	ret.min = known ? values[0] : NAN;
	ret.max = known == n && n ? values[n - 1] : NAN;
	for (size_t i = 0; i < known; i++)
		values[i] = fabs(values[i] - ret.median.value);
	qsort(values, known, sizeof(double), fixture_compare);
	ret.mad = fixture_quantile(values, known, n, 0.5);
	return ret;
}

/* Distribution of the time between two marks; `from` may be "the last one before", MARK_COUNT. */
static inline struct distribution fixture_between(const struct fixture *f, size_t driver, enum mark from, enum mark to, bool whole)
{
	double *values = calloc(f->result.n_samples + 1, sizeof(double));
	size_t known = 0, n = 0;

	for (size_t i = 0; i < f->result.n_samples; i++) {
		const struct sample *sample = &f->result.samples[i];
		enum mark start = from == MARK_COUNT ? to : from;

		if (sample->driver != driver || sample->warmup || sample->status == SAMPLE_FAILED)
			continue;
		if (!timeline_has(&sample->timeline, to)) {
			n += whole;
			continue;
		}
		while (from == MARK_COUNT && start > 0 && (start == to || !timeline_has(&sample->timeline, start)))
			start--;
		n++;
		values[known++] = (double)timeline_span_ns(&sample->timeline, start, to);
	}
	struct distribution ret = fixture_distribution(values, known, n);

	free(values);
	return ret;
}

static inline void fixture_summarise(struct fixture *f)
{
	for (size_t d = 0; d < f->result.n_drivers; d++) {
		struct driver_summary *s = &f->summary.drivers[d];

		s->total = fixture_between(f, d, MARK_REQUEST, MARK_READY, true);
		s->stop = fixture_between(f, d, MARK_STOP, MARK_GONE, false);
		for (enum mark mark = MARK_LAUNCHED; mark <= MARK_READY; mark++)
			s->phases[mark] = fixture_between(f, d, MARK_COUNT, mark, false);
		for (size_t i = 0; i < f->result.n_samples; i++)
			s->failed += f->result.samples[i].driver == d && f->result.samples[i].status == SAMPLE_FAILED;
		s->first_ns = s->total.median.value * 1.25;
		s->first_half = s->total.median.value * 1.002;
		s->second_half = s->total.median.value * 0.998;
		s->drift_rho = s->total.n > 2 ? 0.04 : NAN;
		s->drift_p = s->total.n > 2 ? 0.69 : NAN;
		s->lag1 = s->total.n > 2 ? 0.08 : NAN;
		s->pss_bytes = s->uss_bytes = s->cgroup_bytes = NAN;
		s->guest_ram_bytes = s->vmm_pss_bytes = s->guest_used_bytes = NAN;
		s->warmups = f->result.plan.warmup;
	}
	for (size_t d = 0; d < f->result.n_drivers; d++) {
		double base = f->summary.baseline < 0 ? NAN : f->summary.drivers[f->summary.baseline].total.median.value;

		f->summary.drivers[d].ratio = fixture_estimate(f->summary.drivers[d].total.median.value / base);
	}
	if (f->summary.baseline >= 0)
		f->summary.drivers[f->summary.baseline].ratio = (struct estimate){1, 1, 1};
}

static inline void fixture_left_out(struct fixture *f, const char *label, const char *reason)
{
	struct left_out *left_out = &f->result.left_out[f->result.n_left_out++];

	snprintf(left_out->label, sizeof(left_out->label), "%s", label);
	snprintf(left_out->reason, sizeof(left_out->reason), "%s", reason);
}

/* The main job: null, process, container and vm, n starts each. */
static inline void fixture_startup(struct fixture *f, uint32_t n)
{
	fixture_begin(f, n);
	fixture_starts(f, fixture_driver(f, "null", "null", NULL), n, fixture_null);
	fixture_starts(f, fixture_driver(f, "process", "process", NULL), n, fixture_process);
	fixture_starts(f, fixture_driver(f, "container", "container", NULL), n, fixture_container);
	fixture_starts(f, fixture_driver(f, "vm", "vm", "q35"), n, fixture_vm);
	fixture_summarise(f);
	f->summary.drivers[1].pss_bytes = 24 << 10;
	f->summary.drivers[2].pss_bytes = 31 << 10;
	f->summary.drivers[3].pss_bytes = 129 << 20;
}

/* What may stand in a label, and must stay text: quotes, command substitution, markup, control characters, broken UTF-8. */
#define FIXTURE_HOSTILE "a'b\"c `touch pwned` @x{/Bold y}_2\\\n]]><b>&amp;\n!touch pwn\033[31m\xff"

/* A bit of everything that goes wrong: 40 blocks, nine drivers. */
static inline void fixture_troubled(struct fixture *f)
{
	const struct fixture_marks microvm = {
		.launched = 150000000, .sandbox = 200000000, .kernel = 270000000, .init = 780000000, .main = 790000000, .ready = 800000000};
	uint32_t d;

	fixture_begin(f, 40);
	fixture_starts(f, fixture_driver(f, "null", "null", NULL), 40, fixture_null);
	fixture_starts(f, fixture_driver(f, "process", "process", NULL), 40, fixture_process);
	fixture_starts(f, fixture_driver(f, "container", "container:net=veth,seccomp=off", NULL), 40, fixture_container);
	fixture_starts(f, fixture_driver(f, "container", FIXTURE_HOSTILE, NULL), 40, fixture_container);
	d = fixture_driver(f, "docker", "docker", NULL); /* all failed */
	for (uint32_t i = 0; i < 40; i++)
		fixture_sample(f, d, i, SAMPLE_FAILED);
	fixture_starts(f, fixture_driver(f, "vm", "vm:machine=microvm,memory=256M", "microvm"), 40, microvm);
	d = fixture_driver(f, "vm", "vm:machine=q35,memory=256M,kernel=/boot/vmlinuz-6.1.0-28-amd64x", "q35"); /* 6 censored */
	fixture_starts(f, d, 34, fixture_vm);
	for (uint32_t i = 34; i < 40; i++)
		fixture_sample(f, d, i, SAMPLE_CENSORED);
	d = fixture_driver(f, "vm", "vm:machine=pc", "pc"); /* all censored */
	for (uint32_t i = 0; i < 40; i++) {
		struct sample *sample = fixture_sample(f, d, i, SAMPLE_CENSORED);

		timeline_mark_at(&sample->timeline, MARK_LAUNCHED, sample->timeline.at_ns[MARK_REQUEST] + 240000000);
	}
	fixture_driver(f, "lxc", "lxc", NULL); /* never came to its turn */
	fixture_summarise(f);
	fixture_left_out(f, "vm:machine=xen",
			 "vm: the machine type 'xen' is not known to QEMU; see 'qemu-system-x86_64 -machine help' for <those> it knows");
	fixture_left_out(f, "odd\033[31m", "");
	f->result.interrupted = true;
	snprintf(f->result.drivers[2].info.notes[0], sizeof(f->result.drivers[2].info.notes[0]),
		 "no CPU limit: the cpu controller is not <mounted>");
	f->result.drivers[2].info.n_notes = 1;
	f->summary.drivers[2].drift_rho = 0.52;
	f->summary.drivers[2].drift_p = 0.0006;
	f->summary.drivers[2].lag1 = 0.61;
	f->summary.drivers[2].outliers = 3;
	f->summary.tainted_blocks = 3;
	f->summary.replaced_blocks = 1;
	f->result.blocks[3].tainted = f->result.blocks[4].tainted = true;
	snprintf(f->result.blocks[3].taint_reason, sizeof(f->result.blocks[3].taint_reason), "steal 41 ms in a block of 2.1 s");
	f->result.samples[80].phases_disagree = true;
}

/* The baseline never started, the machine was never ready: one driver alone has figures, and one left the run after its warm-up. */
static inline void fixture_never_ready(struct fixture *f)
{
	fixture_begin(f, 12);
	for (uint32_t d = 0; d < 3; d++)
		fixture_driver(f,
			       d == 0   ? "process"
			       : d == 1 ? "container"
					: "vm",
			       d == 0   ? "process"
			       : d == 1 ? "container"
					: "vm",
			       d == 2 ? "q35" : NULL);
	for (uint32_t i = 0; i < 12; i++) {
		fixture_sample(f, 0, i, SAMPLE_FAILED);
		fixture_sample(f, 2, i, SAMPLE_CENSORED);
	}
	fixture_starts(f, 1, 12, fixture_container);
	fixture_driver(f, "command", "docker", NULL);
	fixture_sample(f, 3, 0, SAMPLE_FAILED)->warmup = true;
	fixture_left_out(f, "docker", "its first start failed: no such image");
	/* figures by the real thing: they must be unknown there, too */
	free(f->summary.drivers);
	cr_assert_eq(summary_make(&f->result, &f->summary, NULL), 0);
}

static inline void fixture_end(struct fixture *f)
{
	free(f->result.command_line);
	free(f->result.drivers);
	free(f->result.blocks);
	free(f->result.samples);
	free(f->summary.drivers);
}
