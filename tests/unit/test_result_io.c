/* Results to files and back: nothing is lost, bytes are stable, files are whole or absent. What is malformed is in test_result_io_hostile.c. */
#include "result_fixture.h"

#include <base/files.h>
#include <results/result_io.h>
#include <results/result_parse.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const both[] = {"process", "vm"};

/* A result with every field in use: warm-up, tainted, censored, failed, absent marks, unknown numbers, odd bytes. */
static struct result full_result(void)
{
	struct result result = fixture_result(both, 2, 12);
	struct result_driver *vm = &result.drivers[1];
	struct sample *sample;

	result.plan.seed = UINT64_MAX;
	result.plan.warmup = 1;
	snprintf(result.plan.cpuset_instance, sizeof(result.plan.cpuset_instance), "1");
	result.environment.ksm = 1;
	result.environment.packages = -1;
	result.environment.agent_bytes = 40960;
	result.environment.privileged = true;
	snprintf(result.drivers[0].spec.label, sizeof(result.drivers[0].spec.label), "process");
	vm->caps = DRIVER_IS_GUEST;
	vm->spec.n_options = 2;
	vm->spec.options[0] = (struct driver_option_value){"zeta", "1"};
	vm->spec.options[1] = (struct driver_option_value){"alpha", "a \"quoted\" \\ value"};
	vm->info.n_pairs = 2;
	snprintf(vm->info.pairs[0].key, sizeof(vm->info.pairs[0].key), "machine");
	snprintf(vm->info.pairs[0].value, sizeof(vm->info.pairs[0].value), "microvm");
	snprintf(vm->info.pairs[1].key, sizeof(vm->info.pairs[1].key), "accelerator");
	snprintf(vm->info.pairs[1].value, sizeof(vm->info.pairs[1].value), "tcg");
	vm->info.n_notes = 1;
	snprintf(vm->info.notes[0], sizeof(vm->info.notes[0]), "no block limit");
	for (uint32_t block = 0; block < 12; block++) {
		fixture_sample(&result, 0, block, 1000 + block)->warmup = block == 0;
		fixture_sample(&result, 1, block, 500000 + 1000 * (int64_t)block)->warmup = block == 0;
	}
	result.blocks[0].warmup = true;
	result.blocks[3].tainted = true;
	snprintf(result.blocks[3].taint_reason, sizeof(result.blocks[3].taint_reason), "12 ms of steal");
	result.blocks[4].tainted = result.blocks[4].replaced = true;
	result.samples[5].footprint = (struct footprint){1, 2, 3, FOOTPRINT_UNKNOWN, 0, {4, 5, FOOTPRINT_UNKNOWN, 6, 0, 7}};
	result.samples[6].phases_disagree = true;
	fixture_censor(&result.samples[7]);
	sample = &result.samples[9];
	sample->status = SAMPLE_FAILED;
	sample->timeline.present = 0;
	snprintf(sample->reason, sizeof(sample->reason), "QEMU ended: no such machine");
	fixture_left_out(&result, "docker", "no daemon; start it with \"systemctl start docker\"");
	fixture_left_out(&result, "vm:accel=kvm", "");
	return result;
}

static struct result parse(const char *text)
{
	struct error err = {0};
	struct result result;

	cr_assert_eq(result_parse(text, strlen(text), "text", &result, &err), 0, "%s", err.message);
	return result;
}

static char *to_text(const struct result *result)
{
	struct error err = {0};
	char *text = result_to_text(result, &err);

	cr_assert(text, "%s", err.message);
	return text;
}

Test(result_io, round_trip_gives_identical_bytes)
{
	struct result result = full_result(), back;
	char *first = to_text(&result), *second;

	back = parse(first);
	second = to_text(&back);
	cr_assert_str_eq(first, second);
	result_free(&result);
	result_free(&back);
	free(first);
	free(second);
}

Test(result_io, nothing_is_lost)
{
	struct result result = full_result(), back;
	char *text = to_text(&result);

	back = parse(text);
	cr_assert_str_eq(back.experiment, "startup");
	cr_assert_str_eq(back.command_line, "bench run startup");
	cr_assert_eq(back.plan.seed, UINT64_MAX);
	cr_assert_str_eq(back.plan.cpuset_instance, "1");
	cr_assert_str_eq(back.plan.cpuset_measure, "");
	cr_assert_eq(back.environment.ksm, 1);
	cr_assert_eq(back.environment.packages, -1);
	cr_assert_str_eq(back.environment.governor, "");
	cr_assert(back.environment.privileged);
	cr_assert_eq(back.n_drivers, 2);
	cr_assert_eq(back.drivers[1].caps, DRIVER_IS_GUEST);
	cr_assert_str_eq(back.drivers[1].spec.options[0].key, "zeta");
	cr_assert_str_eq(back.drivers[1].spec.options[1].value, "a \"quoted\" \\ value");
	cr_assert_str_eq(back.drivers[1].info.pairs[1].value, "tcg");
	cr_assert_str_eq(back.drivers[1].info.notes[0], "no block limit");
	cr_assert_eq(back.n_left_out, 2);
	cr_assert_str_eq(back.left_out[0].label, "docker");
	cr_assert_str_eq(back.left_out[0].reason, "no daemon; start it with \"systemctl start docker\"");
	cr_assert_str_eq(back.left_out[1].label, "vm:accel=kvm");
	cr_assert_str_eq(back.left_out[1].reason, "");
	cr_assert_eq(back.n_blocks, 12);
	cr_assert_eq(memcmp(back.blocks, result.blocks, 12 * sizeof(*back.blocks)), 0);
	cr_assert_eq(back.n_samples, 24);
	for (size_t i = 0; i < 24; i++) {
		const struct sample *a = &result.samples[i], *b = &back.samples[i];

		cr_assert(a->driver == b->driver && a->block == b->block && a->position == b->position && a->warmup == b->warmup);
		cr_assert(a->status == b->status && a->phases_disagree == b->phases_disagree);
		cr_assert_str_eq(a->reason, b->reason);
		cr_assert_eq(memcmp(&a->footprint, &b->footprint, sizeof(a->footprint)), 0);
		cr_assert_eq(a->timeline.present, b->timeline.present);
		for (int mark = 0; mark < MARK_COUNT; mark++)
			if (timeline_has(&a->timeline, (enum mark)mark))
				cr_assert_eq(a->timeline.at_ns[mark], b->timeline.at_ns[mark]);
	}
	result_free(&result);
	result_free(&back);
	free(text);
}

Test(result_io, empty_result)
{
	struct result result = {0}, back;
	char *text = to_text(&result);

	back = parse(text);
	cr_assert_str_eq(back.command_line, "");
	cr_assert_eq(back.n_samples, 0);
	result_free(&back);
	free(text);
}

/* Bytes that are no text must neither spoil the file nor reach a terminal. */
Test(result_io, odd_bytes_become_harmless)
{
	struct result result = fixture_result(both, 2, 1), back;
	struct sample *sample = fixture_sample(&result, 0, 0, 1000);
	char *text;

	free(result.command_line);
	result.command_line = strdup("bench --out \xff\xfe.json --label gr\xc3\xbc\xc3\x9f\x65 \xe2\x82");
	sample->status = SAMPLE_FAILED;
	memset(sample->reason, '\xff', sizeof(sample->reason) - 1);
	snprintf(result.environment.cpu_model, sizeof(result.environment.cpu_model), "a\x1b[2Jb\nc\xc2\x9b");
	fixture_left_out(&result, "vm\t2", "");
	memset(result.left_out[0].reason, '\xff', sizeof(result.left_out[0].reason) - 1);
	text = to_text(&result);
	back = parse(text);
	cr_assert_str_eq(back.left_out[0].label, "vm 2");
	cr_assert_eq(strspn(back.left_out[0].reason, "?"), sizeof(result.left_out[0].reason) - 1);
	cr_assert_str_eq(back.command_line, "bench --out ??.json --label gr\xc3\xbc\xc3\x9f\x65 ??");
	cr_assert_eq(strspn(back.samples[0].reason, "?"), sizeof(sample->reason) - 1);
	cr_assert_str_eq(back.environment.cpu_model, "a [2Jb c  ");
	result_free(&result);
	result_free(&back);
	free(text);
}

/* As many as there is room for, each as long as it can be. */
Test(result_io, all_that_was_left_out)
{
	struct result result = fixture_result(both, 2, 1), back;
	char *text, label[sizeof(result.left_out[0].label)], reason[sizeof(result.left_out[0].reason)];

	for (int i = 0; i < RESULT_LEFT_OUT_MAX; i++) {
		memset(label, 'A' + i, sizeof(label));
		memset(reason, '0' + i, sizeof(reason));
		label[sizeof(label) - 1] = reason[sizeof(reason) - 1] = '\0';
		fixture_left_out(&result, label, reason);
	}
	text = to_text(&result);
	back = parse(text);
	cr_assert_eq(back.n_left_out, RESULT_LEFT_OUT_MAX);
	cr_assert_eq(memcmp(back.left_out, result.left_out, sizeof(result.left_out)), 0);
	result_free(&result);
	result_free(&back);
	free(text);
}

/* Marks without a request keep their absolute time. */
Test(result_io, marks_without_request)
{
	struct result result = fixture_result(both, 2, 1), back;
	struct sample *sample = fixture_sample(&result, 0, 0, 1000);
	char *text;

	sample->status = SAMPLE_FAILED;
	sample->timeline.present &= ~(1u << MARK_REQUEST);
	text = to_text(&result);
	back = parse(text);
	cr_assert_eq(back.samples[0].timeline.present, sample->timeline.present);
	cr_assert_eq(back.samples[0].timeline.at_ns[MARK_READY], sample->timeline.at_ns[MARK_READY]);
	result_free(&result);
	result_free(&back);
	free(text);
}

Test(result_io, order_of_members_and_blanks_are_no_matter)
{
	static const char text[] = "\n{ \"samples\" : [ ] , \"added_later\": {\"deep\": [1, 2.5, null]}, "
				   "\"blocks\":[],\"drivers\":[],\r\n\t\"interrupted\":true,"
				   "\"duration_ns\":5,\"started_at\":\"\",\"command_line\":\"x\",\"experiment\":\"aa\",\"environment\":{"
				   "\"kernel\":null,\"architecture\":null,"
				   "\"os\":null,\"cpu_model\":null,\"packages\":null,\"cores\":1,\"threads\":null,\"numa_nodes\":null,"
				   "\"memory_bytes\":null,\"governor\":null,"
				   "\"smt\":null,\"cgroup_mode\":null,\"cgroup_controllers\":null,\"hypervisor\":null,\"thp\":null,\"ksm\":"
				   "null,\"clocksource\":null,"
				   "\"libc\":null,\"bench_version\":null,\"compiler\":null,\"build_type\":null,\"agent_sha256\":null,"
				   "\"agent_bytes\":null,\"privileged\":false},"
				   "\"plan\":{\"n\":0,\"warmup\":0,\"seed\":\"7\",\"timeout_ns\":0,\"memory_bytes\":null,\"vcpus\":null,"
				   "\"cpuset_measure\":null,"
				   "\"cpuset_instance\":null},\"schema_version\":1}  \n\n";
	struct result result = parse(text);

	cr_assert_eq(result.n_left_out, 0, "files older than this member have none");
	cr_assert_eq(result.duration_ns, 5);
	cr_assert(result.interrupted);
	cr_assert_eq(result.environment.cores, 1);
	cr_assert_eq(result.plan.seed, 7);
	result_free(&result);
}

/* ---- files ---- */

struct folder {
	char path[64];
	char file[96];
};

static struct folder folder_make(void)
{
	struct folder folder = {.path = "/tmp/bench-test-result-XXXXXX"};

	cr_assert(mkdtemp(folder.path));
	snprintf(folder.file, sizeof(folder.file), "%s/result.json", folder.path);
	return folder;
}

Test(result_io, written_file_reads_back)
{
	struct result result = full_result(), back;
	struct folder folder = folder_make();
	struct error err = {0};

	cr_assert_eq(result_write(&result, folder.file, &err), 0, "%s", err.message);
	cr_assert_eq(result_write(&result, folder.file, &err), 0, "writing again replaces: %s", err.message);
	cr_assert_eq(result_read(folder.file, &back, &err), 0, "%s", err.message);
	cr_assert_eq(back.n_samples, result.n_samples);
	result_free(&result);
	result_free(&back);
	dir_remove(folder.path, NULL);
}

Test(result_io, a_failed_write_leaves_nothing)
{
	struct result result = full_result();
	struct folder folder = folder_make();
	struct error err = {0};
	char missing[128];

	snprintf(missing, sizeof(missing), "%s/none/result.json", folder.path);
	cr_assert_eq(result_write(&result, missing, &err), -ENOENT);
	cr_assert(strstr(err.message, missing), "%s", err.message);
	cr_assert_eq(rmdir(folder.path), 0, "the folder is empty");
	result_free(&result);
}

Test(result_io, a_failed_write_keeps_what_was_there)
{
	struct result result = full_result(), back;
	struct folder folder = folder_make();
	struct error err = {0};

	cr_assert_eq(result_write(&result, folder.file, &err), 0, "%s", err.message);
	result.samples[0].driver = 99;
	cr_assert_eq(result_write(&result, folder.file, &err), -EINVAL);
	cr_assert_eq(result_read(folder.file, &back, &err), 0, "%s", err.message);
	result_free(&result);
	result_free(&back);
	dir_remove(folder.path, NULL);
}

/* No room in the middle of writing: the old file stays, no temporary one is left. */
Test(result_io, a_full_disk_keeps_what_was_there)
{
	struct result result = full_result(), back;
	struct folder folder = folder_make();
	struct rlimit limit = {2000, 2000};
	struct error err = {0};

	cr_assert_eq(result_write(&result, folder.file, &err), 0, "%s", err.message);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(result_write(&result, folder.file, &err), -EFBIG);
	cr_assert(strstr(err.message, folder.file), "%s", err.message);
	cr_assert_eq(result_read(folder.file, &back, &err), 0, "%s", err.message);
	cr_assert_eq(unlink(folder.file), 0);
	cr_assert_eq(rmdir(folder.path), 0, "the folder is empty");
	result_free(&result);
	result_free(&back);
}

Test(result_io, files_that_are_no_results)
{
	struct folder folder = folder_make();
	struct error err = {0};
	struct result result;
	int fd;

	cr_assert_eq(result_read(folder.file, &result, &err), -ENOENT);
	cr_assert_eq(result_read(folder.path, &result, &err), -EISDIR);
	fd = open(folder.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(result_read(folder.file, &result, &err), -EBADMSG);
	cr_assert(strstr(err.message, "result.json: the file is empty"), "%s", err.message);
	cr_assert_eq(ftruncate(fd, (off_t)300 << 20), 0);
	cr_assert_eq(result_read(folder.file, &result, &err), -EFBIG);
	cr_assert(strstr(err.message, "larger than 256 MiB"), "%s", err.message);
	close(fd);
	dir_remove(folder.path, NULL);
}

/* Whatever length is left of a file, it is refused in one line and nothing leaks. */
Test(result_io, truncated_anywhere, .timeout = 60)
{
	struct result result = full_result(), back;
	char *text = to_text(&result);
	size_t length = strlen(text);

	for (size_t size = 0; size < length - 2; size++) {
		struct error err = {0};

		cr_assert_eq(result_parse(text, size, "result.json", &back, &err), -EBADMSG, "%zu of %zu bytes", size, length);
		cr_assert(strncmp(err.message, "result.json: ", 13) == 0 && !strchr(err.message, '\n'), "%s", err.message);
	}
	result_free(&result);
	free(text);
}
