/* QEMU's stamps of a start, and the steps that they end. */
#include "scratch.h"

#include <bench/timeline.h>
#include <drivers/vm_steps.h>
#include <vmdriver/boot_trace.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE(time, event) "31079@1795489053." time ":" event "\n"
#define KERNEL_DATA       "fw_cfg_select 0x55697efa7220 key 0x0011 'kernel_data', ret: 1"
#define CMDLINE_DATA      "fw_cfg_select 0x55697efa7220 key 0x0015 'cmdline_data', ret: 1"
#define FILE_DIR          "fw_cfg_select 0x55697efa7220 key 0x0019 'file_dir', ret: 1"
#define RUNNING           "vm_state_notify running 1 reason 9 (running)"

enum { BASE_S = 1795489053 };

static struct vm_stamps parse(const char *text)
{
	struct vm_stamps stamps = {-1, -1};

	boot_trace_parse(text, &stamps);
	return stamps;
}

Test(vm_trace, first_run_and_last_part_of_the_kernel)
{
	struct vm_stamps stamps = parse(LINE("117713", "fw_cfg_select 0x5 key 0x0000 'signature', ret: 1") LINE("120000", RUNNING)
						LINE("188245", KERNEL_DATA) LINE("230729", CMDLINE_DATA) LINE("900000", RUNNING));

	cr_expect_eq(stamps.running_ns, BASE_S * INT64_C(1000000000) + 120000000);
	cr_expect_eq(stamps.kernel_ns, BASE_S * INT64_C(1000000000) + 230729000);
}

/* Linux has a driver that reads the list of files long after it began. */
Test(vm_trace, what_a_guests_driver_reads_is_no_kernel_entry)
{
	struct vm_stamps stamps =
		parse(LINE("000001", CMDLINE_DATA) LINE("500000", FILE_DIR) LINE("600000", "fw_cfg_select 0x5 key 0x000d 'numa', ret: 1")
			      LINE("700000", "fw_cfg_select 0x5 key 0x8002 'irq0_override', ret: 1"));

	cr_expect_eq(stamps.kernel_ns, BASE_S * INT64_C(1000000000) + 1000);
	cr_expect_eq(stamps.running_ns, 0);
}

Test(vm_trace, what_is_no_trace_gives_no_stamp)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"31079@1795489053.000001:" CMDLINE_DATA, /* no end yet */
		"@.:" CMDLINE_DATA "\n",
		"1@-5.000001:" CMDLINE_DATA "\n",
		"1@99999999999999999999.000001:" CMDLINE_DATA "\n",
		"1@1795489053.0001:" CMDLINE_DATA "\n",
		"1@1795489053.-00001:" CMDLINE_DATA "\n",
		"1@1795489053.000001" CMDLINE_DATA "\n",
		"1@1795489053.000001:fw_cfg_select\n",
		"1@1795489053.000001:fw_cfg_select 0x5 key 0x\n",
		"1@1795489053.000001:other key 0x0015\n",
		"2026-11-24T03:00:00Z qemu-system-x86_64: warning: a@b key 0x0015\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct vm_stamps stamps = parse(texts[i]);

		cr_expect(stamps.kernel_ns == 0 && stamps.running_ns == 0, "text %zu", i);
	}
}

/* The time of day is taken back to the clock of all marks. */
Test(vm_trace, line_of_now)
{
	struct scratch scratch = scratch_make();
	struct boot_trace trace;
	struct error err = {0};
	struct vm_stamps stamps;
	struct timespec day;
	char line[256];

	boot_trace_init(&trace);
	cr_assert_eq(boot_trace_begin(&trace, scratch_path(&scratch, "trace"), NULL, "m", &err), 0, "%s", err.message);
	boot_trace_stamps(&trace, &stamps);
	cr_expect(stamps.running_ns == 0 && stamps.kernel_ns == 0, "nothing yet");

	int64_t before_ns = clock_now_ns();

	clock_gettime(CLOCK_REALTIME, &day);

	int64_t after_ns = clock_now_ns();

	snprintf(line, sizeof(line), "1@%lld.%06ld:" CMDLINE_DATA "\n", (long long)day.tv_sec, day.tv_nsec / 1000);
	scratch_write(&scratch, "trace", line);
	boot_trace_stamps(&trace, &stamps);
	/* A microsecond is what QEMU rounds to; the rest is room for a busy host and a clock that is being corrected. */
	cr_expect(before_ns - 2000000 < stamps.kernel_ns && stamps.kernel_ns < after_ns + 2000000, "%lld is not between %lld and %lld",
		  (long long)stamps.kernel_ns, (long long)before_ns, (long long)after_ns);
	boot_trace_done(&trace);
	cr_expect_not(path_exists(scratch_path(&scratch, "trace")), "the trace is removed");
	scratch_remove(&scratch);
}

static bool is_pipe(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0600;
}

/* As QEMU writes: the stamp that counts, then what the guest makes of it. Returns how many lines were taken. */
static int flood(const char *path, int lines)
{
	FILE *out = fopen(path, "w");
	int taken = 0;

	signal(SIGPIPE, SIG_IGN);
	if (!out)
		return -1;
	for (int i = 0; i < lines; i++) {
		fputs(i == 0 ? LINE("120000", RUNNING) : LINE("230729", CMDLINE_DATA), out);
		taken += fflush(out) == 0;
	}
	fclose(out);
	return taken;
}

Test(vm_trace, a_flood_is_kept_at_its_beginning_and_stops_nobody, .timeout = 30)
{
	struct scratch scratch = scratch_make();
	struct boot_trace trace;
	struct error err = {0};
	struct vm_stamps stamps;
	const char *path = scratch_path(&scratch, "trace");

	boot_trace_init(&trace);
	cr_assert_eq(boot_trace_begin(&trace, path, NULL, "m", &err), 0, "%s", err.message);
	cr_assert(is_pipe(path));
	int taken = flood(path, 50000);
	cr_expect(is_pipe(path), "the trace has become a file");
	cr_expect_gt(taken, 500);
	cr_expect_lt(taken, 50000, "all of it was taken");
	boot_trace_stamps(&trace, &stamps);
	cr_expect(stamps.running_ns != 0 && stamps.kernel_ns != 0, "the beginning is not kept");
	boot_trace_done(&trace);
	scratch_remove(&scratch);
}

/* Whatever is there was not made by us: it is neither opened nor written to. */
Test(vm_trace, a_path_that_is_taken_is_refused)
{
	struct scratch scratch = scratch_make();
	struct boot_trace trace;
	struct error err = {0};

	scratch_write(&scratch, "elsewhere", "kept");
	cr_assert_eq(symlink("elsewhere", scratch_path(&scratch, "trace")), 0);
	boot_trace_init(&trace);
	cr_expect_eq(boot_trace_begin(&trace, scratch_path(&scratch, "trace"), NULL, "m", &err), -EEXIST);
	boot_trace_done(&trace);
	scratch_remove(&scratch);
}

Test(vm_trace, process_is_seen_by_its_files)
{
	struct scratch scratch = scratch_make();
	struct boot_trace trace;
	struct error err = {0};

	boot_trace_init(&trace);
	boot_trace_done(&trace);
	boot_trace_init(&trace);
	cr_assert_eq(boot_trace_begin(&trace, scratch_path(&scratch, "trace"), scratch.path, "m", &err), 0, "%s", err.message);
	scratch_write(&scratch, "other.pid", "1");
	boot_trace_take(&trace);
	cr_expect(trace.forked_ns == 0 && trace.begun_ns == 0);

	int64_t before_ns = clock_now_ns();

	scratch_write(&scratch, "m.pid", "1");

	struct pollfd readable = {.fd = trace.fd, .events = POLLIN};

	cr_assert_eq(poll(&readable, 1, 5000), 1);
	boot_trace_take(&trace);
	cr_expect(trace.forked_ns >= before_ns && trace.forked_ns <= clock_now_ns());
	cr_expect_eq(trace.begun_ns, 0);
	scratch_write(&scratch, "trace", "");
	boot_trace_take(&trace);
	cr_expect_geq(trace.begun_ns, trace.forked_ns);
	boot_trace_take(&trace); /* nothing to take: returns at once */
	boot_trace_done(&trace);
	scratch_remove(&scratch);
}

Test(vm_trace, folder_that_is_missing)
{
	struct boot_trace trace;
	struct error err = {0};

	boot_trace_init(&trace);
	cr_expect_lt(boot_trace_begin(&trace, "", "/nonexistent/run", "m", &err), 0);
	cr_expect(strstr(err.message, "/nonexistent/run"), "%s", err.message);
	boot_trace_done(&trace);
}

/* ---- steps ---- */

static struct timeline ladder(void)
{
	struct timeline timeline = {0};

	timeline_mark_at(&timeline, MARK_REQUEST, 100);
	timeline_mark_at(&timeline, MARK_LAUNCHED, 300);
	timeline_mark_at(&timeline, MARK_SANDBOX, 500);
	timeline_mark_at(&timeline, MARK_KERNEL, 600);
	timeline_mark_at(&timeline, MARK_INIT, 800);
	timeline_mark_at(&timeline, MARK_READY, 900);
	return timeline;
}

Test(vm_steps, of_a_boot_follow_each_other_without_a_gap)
{
	const struct vm_view view = {.forked_ns = 150, .begun_ns = 200, .launched_ns = 300, .created_ns = 400, .resumed_ns = 510};
	struct timeline timeline = ladder();
	struct driver_info info = {0};
	struct step_times times = {0};

	vm_steps_declare(VM_STEPS_BOOT, &info);
	vm_steps_report(VM_STEPS_BOOT, &view, &(struct instance){.steps = &times}, &timeline);
	vm_steps_report(VM_STEPS_BOOT, &view, &(struct instance){0}, &timeline); /* nobody asked */
	cr_assert_eq(info.steps.n, 8);
	cr_expect_eq(times.present, 0xff);
	cr_expect_eq(times.at[0].begin_ns, 100);
	for (size_t i = 1; i < 8; i++)
		cr_expect_eq(times.at[i].begin_ns, times.at[i - 1].end_ns, "step %zu", i);
	cr_expect_eq(times.at[7].end_ns, 900);
}

Test(vm_steps, what_was_not_seen_is_absent)
{
	const struct vm_view view = {.launched_ns = 300, .created_ns = 400, .resumed_ns = 510};
	struct timeline timeline = ladder();
	struct step_times times = {0};

	timeline.present &= ~(1u << MARK_KERNEL);
	vm_steps_report(VM_STEPS_BOOT, &view, &(struct instance){.steps = &times}, &timeline);
	/* Neither fork nor options, nor the kernel's entry: both steps at each of them are gone. */
	cr_expect_eq(times.present, 1u << 3 | 1u << 4 | 1u << 7);
}

/* QEMU loads it by itself: one step less, and no gap. */
Test(vm_steps, of_a_kernel_whose_begin_nobody_sees)
{
	const struct vm_view view = {.forked_ns = 150, .begun_ns = 200, .launched_ns = 300, .created_ns = 400, .resumed_ns = 510};
	struct timeline timeline = ladder();
	struct driver_info info = {0};
	struct step_times times = {0};

	timeline.present &= ~(1u << MARK_KERNEL);
	vm_steps_declare(VM_STEPS_DIRECT, &info);
	vm_steps_report(VM_STEPS_DIRECT, &view, &(struct instance){.steps = &times}, &timeline);
	cr_assert_eq(info.steps.n, 7);
	cr_expect_eq(times.present, 0x7f);
	cr_expect_eq(times.at[5].begin_ns, 500);
	cr_expect_eq(times.at[5].end_ns, 800);
	cr_expect_eq(times.at[6].end_ns, 900);
}

Test(vm_steps, of_a_restored_machine_know_no_kernel)
{
	const struct vm_view view = {.forked_ns = 150, .begun_ns = 200, .launched_ns = 300, .created_ns = 400, .resumed_ns = 510};
	struct timeline timeline = ladder();
	struct driver_info info = {0};
	struct step_times times = {0};

	timeline.present &= ~(1u << MARK_KERNEL | 1u << MARK_INIT);
	vm_steps_declare(VM_STEPS_RESTORE, &info);
	vm_steps_report(VM_STEPS_RESTORE, &view, &(struct instance){.steps = &times}, &timeline);
	cr_assert_eq(info.steps.n, 6);
	cr_expect_eq(times.present, 0x3f);
	cr_expect_eq(times.at[5].begin_ns, 500);
	cr_expect_eq(times.at[5].end_ns, 900);
}

Test(vm_steps, of_a_container_in_a_machine_show_the_runtime)
{
	const struct vm_view view = {.forked_ns = 150, .begun_ns = 200, .launched_ns = 300, .created_ns = 400, .resumed_ns = 510};
	struct timeline timeline = ladder();
	struct driver_info info = {0};
	struct step_times times = {0};

	timeline_mark_at(&timeline, MARK_MAIN, 880);
	vm_steps_declare(VM_STEPS_CONTAINER, &info);
	vm_steps_report(VM_STEPS_CONTAINER, &view, &(struct instance){.steps = &times, .runtime_ns = 830}, &timeline);
	cr_assert_eq(info.steps.n, 10);
	cr_expect_eq(times.present, 0x3ff);
	for (size_t i = 1; i < 10; i++)
		cr_expect_eq(times.at[i].begin_ns, times.at[i - 1].end_ns, "step %zu", i);
	cr_expect_eq(times.at[8].begin_ns, 830);
	cr_expect_eq(times.at[8].end_ns, 880);
	cr_expect_eq(times.at[9].end_ns, 900);

	/* A runtime that was not heard of is no step, and neither is what it would have ended. */
	times = (struct step_times){0};
	vm_steps_report(VM_STEPS_CONTAINER, &view, &(struct instance){.steps = &times}, &timeline);
	cr_expect_eq(times.present, 0x27f);
}

Test(vm_steps, of_a_shared_machine_begin_with_the_request)
{
	struct timeline timeline = {0};
	struct driver_info info = {0};
	struct step_times times = {0};

	timeline_mark_at(&timeline, MARK_REQUEST, 100);
	timeline_mark_at(&timeline, MARK_MAIN, 180);
	timeline_mark_at(&timeline, MARK_READY, 200);
	vm_steps_declare(VM_STEPS_SHARED, &info);
	vm_steps_report(VM_STEPS_SHARED, &(struct vm_view){.launched_ns = 1}, &(struct instance){.steps = &times}, &timeline);
	cr_assert_eq(info.steps.n, 2);
	cr_expect_eq(times.present, 3);
	cr_expect(times.at[0].begin_ns == 100 && times.at[0].end_ns == 180 && times.at[1].end_ns == 200);
}
