/* bench/measure: order of blocks, disturbance, ladder, footprint. */
#include "scratch.h"

#include <measure/footprint.h>
#include <measure/ladder.h>
#include <measure/plan.h>
#include <measure/quality.h>
#include <measure/topology.h>

#include <string.h>
#include <unistd.h>

Test(plan, every_block_is_a_permutation_and_the_seed_decides)
{
	struct plan_shuffle *a = plan_shuffle_new(42, 5), *b = plan_shuffle_new(42, 5), *c = plan_shuffle_new(43, 5);
	int first[5] = {0}, differs = 0;

	for (int block = 0; block < 5000; block++) {
		const uint32_t *order = plan_shuffle_next(a);
		unsigned seen = 0;

		for (int i = 0; i < 5; i++)
			seen |= 1u << order[i];
		cr_assert_eq(seen, 0x1f);
		cr_assert_eq(memcmp(order, plan_shuffle_next(b), 5 * sizeof(*order)), 0);
		differs += memcmp(order, plan_shuffle_next(c), 5 * sizeof(*order)) != 0;
		first[order[0]]++;
	}
	cr_expect_gt(differs, 4000);
	/* Each driver comes first in a fifth of the blocks; 1,000 ± 5 standard deviations of 28. */
	for (int i = 0; i < 5; i++)
		cr_expect(first[i] > 860 && first[i] < 1140, "driver %d first %d times", i, first[i]);
	plan_shuffle_free(a);
	plan_shuffle_free(b);
	plan_shuffle_free(c);
}

static struct scratch host_with(const char *stat, const char *pressure, const char *cpu_stat)
{
	struct scratch scratch = scratch_make();

	cr_assert_eq(dir_make(scratch_path(&scratch, "proc/self"), 0755, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "proc/pressure"), 0755, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "sys/fs/cgroup/me"), 0755, NULL), 0);
	scratch_write(&scratch, "proc/stat", stat);
	if (pressure)
		scratch_write(&scratch, "proc/pressure/cpu", pressure);
	if (cpu_stat) {
		scratch_write(&scratch, "proc/self/cgroup", "0::/me\n");
		scratch_write(&scratch, "sys/fs/cgroup/me/cpu.stat", cpu_stat);
	}
	return scratch;
}

Test(quality, reads_what_the_host_tells)
{
	struct scratch scratch =
		host_with("cpu  1 2 3 4 5 6 7 88 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu1 1 2 3 4 5 6 7 80 9 10\nprocs_running 3\n",
			  "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 total=99\n",
			  "usage_usec 5\nnr_throttled 1\nthrottled_usec 77\n");
	struct quality_reading reading;

	quality_read(scratch.path, NULL, &reading);
	cr_expect_eq(reading.steal_ns, 88 * (1000000000 / sysconf(_SC_CLK_TCK)));
	cr_expect_eq(reading.n_cpus, 2);
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(1, &one);
	quality_read(scratch.path, &one, &reading);
	cr_expect_eq(reading.steal_ns, 80 * (1000000000 / sysconf(_SC_CLK_TCK)), "of the CPU that we use");
	cr_expect_eq(reading.n_cpus, 1);
	cr_expect_eq(reading.procs_running, 2, "without ourselves");
	cr_expect_eq(reading.psi_cpu_ns, 1234000);
	cr_expect_eq(reading.psi_io_ns, -1, "not told, not zero");
	cr_expect_eq(reading.throttled_ns, 77000);
	scratch_remove(&scratch);
}

Test(quality, an_empty_host_is_unknown)
{
	struct scratch scratch = scratch_make();
	struct quality_reading reading;
	struct disturbance disturbance;
	char reason[64];

	quality_read(scratch.path, NULL, &reading);
	cr_expect_eq(reading.steal_ns, -1);
	cr_expect_eq(reading.throttled_ns, -1);
	quality_difference(&reading, &reading, 300000, &disturbance);
	cr_expect_eq(disturbance.steal_ns, -1);
	cr_expect_not(quality_is_tainted(&disturbance, 1000000000, 1, 300000, reason, sizeof(reason)), "the unknown is no taint");
	scratch_remove(&scratch);
}

Test(quality, taint_has_a_reason)
{
	struct disturbance quiet = {.steal_ns = 10000000, .spin_ns = 300000}, steal = quiet, slow = quiet, throttled = quiet;
	char reason[64] = "";

	steal.steal_ns = 60000000;
	slow.spin_ns = 460000;
	throttled.throttled_ns = 1;
	cr_expect_not(quality_is_tainted(&quiet, 1000000000, 1, 300000, reason, sizeof(reason)));
	cr_expect(quality_is_tainted(&steal, 1000000000, 1, 300000, reason, sizeof(reason)));
	cr_expect_str_eq(reason, "steal 60.0 ms of 1.00 s");
	cr_expect(quality_is_tainted(&slow, 1000000000, 1, 300000, reason, sizeof(reason)));
	cr_expect_not(quality_is_tainted(&steal, 1000000000, 2, 300000, reason, sizeof(reason)), "of two CPUs it is 3 %%");
	cr_expect_not(quality_is_tainted(&slow, 1000000000, 1, 0, reason, sizeof(reason)), "the usual is not known yet");
	cr_expect(quality_is_tainted(&throttled, 1000000000, 1, 300000, reason, sizeof(reason)));
	cr_expect_gt(quality_spin_ns(), 10000, "the control loop is really run");
}

Test(ladder, phases_that_add_up)
{
	struct timeline timeline = {0};

	timeline_mark_at(&timeline, MARK_REQUEST, 1000000);
	cr_expect(ladder_phases_agree(&timeline), "nothing to add up");
	timeline_mark_at(&timeline, MARK_LAUNCHED, 2000000);
	timeline_mark_at(&timeline, MARK_MAIN, 2500000);
	timeline_mark_at(&timeline, MARK_READY, 3000000);
	cr_expect(ladder_phases_agree(&timeline));
	timeline_mark_at(&timeline, MARK_LAUNCHED, 2505000); /* 5 us out of order: 10 us off, within 20 us */
	cr_expect(ladder_phases_agree(&timeline));
	timeline_mark_at(&timeline, MARK_LAUNCHED, 2600000); /* 200 us off of 2 ms */
	cr_expect_not(ladder_phases_agree(&timeline));
	timeline_mark_at(&timeline, MARK_READY, 1000000000); /* the same 200 us in a second */
	cr_expect(ladder_phases_agree(&timeline));
}

Test(footprint, adds_processes_and_reads_either_cgroup)
{
	struct scratch scratch = scratch_make();
	struct instance instance = INSTANCE_NONE;
	struct footprint footprint;

	footprint_read(scratch.path, &instance, &footprint);
	cr_expect_eq(footprint.pss_bytes, FOOTPRINT_UNKNOWN);
	for (int pid = 11; pid <= 12; pid++) {
		char name[64];

		snprintf(name, sizeof(name), "proc/%d", pid);
		cr_assert_eq(dir_make(scratch_path(&scratch, name), 0755, NULL), 0);
		snprintf(name, sizeof(name), "proc/%d/smaps_rollup", pid);
		scratch_write(&scratch, name,
			      "00400000-7fff00 ---p 00000000 00:00 0 [rollup]\nRss:  100 kB\nPss:  50 kB\nPss_Dirty: 1 kB\n"
			      "Private_Clean: 10 kB\nPrivate_Dirty: 20 kB\n");
		instance.pids[instance.n_pids++] = pid;
	}
	instance.pids[instance.n_pids++] = 13; /* gone meanwhile */
	/* 12 is a child of 11's second thread and counted once; 14 is a grandchild, of 12. */
	cr_assert_eq(dir_make(scratch_path(&scratch, "proc/11/task/11"), 0755, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "proc/11/task/15"), 0755, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "proc/12/task/12"), 0755, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "proc/14"), 0755, NULL), 0);
	scratch_write(&scratch, "proc/11/task/11/children", "");
	scratch_write(&scratch, "proc/11/task/15/children", "12 ");
	scratch_write(&scratch, "proc/12/task/12/children", "16 14 ");
	scratch_write(&scratch, "proc/14/smaps_rollup", "Rss:  1000 kB\nPss:  500 kB\nPrivate_Clean: 300 kB\nPrivate_Dirty: 0 kB\n");
	cr_assert_eq(dir_make(scratch_path(&scratch, "cg"), 0755, NULL), 0);
	strcpy(instance.cgroup, "/cg");
	scratch_write(&scratch, "cg/memory.usage_in_bytes", "4096\n");
	footprint_read(scratch.path, &instance, &footprint);
	cr_expect_eq(footprint.rss_bytes, 1200 * 1024);
	cr_expect_eq(footprint.pss_bytes, 600 * 1024);
	cr_expect_eq(footprint.uss_bytes, 360 * 1024);
	cr_expect_eq(footprint.cgroup_bytes, 4096);
	cr_expect_eq(footprint.cgroup_peak_bytes, FOOTPRINT_UNKNOWN);
	scratch_write(&scratch, "cg/memory.current", "8192\n");
	footprint_read(scratch.path, &instance, &footprint);
	cr_expect_eq(footprint.cgroup_bytes, 8192, "v2 first");
	scratch_remove(&scratch);
}

Test(topology, instance_and_measure_do_not_share_a_cpu)
{
	struct run_plan plan = {.vcpus = 1};
	struct environment environment = {0};
	struct error err = {0};

	cr_assert_eq(topology_choose(&plan, &environment, &err), 0, "%s", err.message);
	cr_expect_geq(environment.threads, 1);
	if (environment.threads == 1)
		cr_expect_str_eq(plan.cpuset_instance, "");
	else
		cr_expect_str_neq(plan.cpuset_instance, plan.cpuset_measure);
	plan = (struct run_plan){.vcpus = 4096};
	cr_assert_eq(topology_choose(&plan, &environment, &err), 0);
	cr_expect_str_eq(plan.cpuset_instance, "", "more than there are: not bound");
}
