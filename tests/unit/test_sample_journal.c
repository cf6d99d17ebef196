/* The journal of samples: what a killed run left is read as a result that was interrupted, whatever byte it was cut at. */
#include "result_fixture.h"

#include <base/files.h>
#include <results/result_parse.h>
#include <results/sample_journal.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *const both[] = {"process", "container"};

struct setting {
	char folder[64], path[96];
	struct result header, samples;
};

static struct setting setup(void)
{
	struct setting s = {.folder = "/tmp/bench-test-journal-XXXXXX"};

	cr_assert(mkdtemp(s.folder));
	snprintf(s.path, sizeof(s.path), "%s/samples.jsonl", s.folder);
	s.header = fixture_result(both, 2, 0);
	fixture_left_out(&s.header, "vm", "no QEMU; install qemu-system-x86");
	s.samples = fixture_result(both, 2, 3);
	for (uint32_t block = 0; block < 3; block++) {
		fixture_sample(&s.samples, 0, block, 1000);
		fixture_sample(&s.samples, 1, block, 5000);
	}
	return s;
}

static void teardown(struct setting *s)
{
	result_free(&s->header);
	result_free(&s->samples);
	cr_assert_eq(dir_remove(s->folder, NULL), 0);
}

/* Journals `n_blocks` blocks with their samples, and the samples alone of one more when `open_block`. */
static void write_journal(const struct setting *s, size_t n_blocks, bool open_block)
{
	struct sample_journal *journal;
	struct error err = {0};

	cr_assert_eq(sample_journal_open(s->path, &s->header, &journal, &err), 0, "%s", err.message);
	for (size_t i = 0; i < s->samples.n_samples; i++) {
		size_t block = s->samples.samples[i].block;
		bool last = i + 1 == s->samples.n_samples || s->samples.samples[i + 1].block != block;

		if (block < n_blocks + open_block)
			cr_assert_eq(sample_journal_sample(journal, &s->samples.samples[i], NULL, &err), 0, "%s", err.message);
		if (last && block < n_blocks)
			cr_assert_eq(sample_journal_block(journal, &s->samples.blocks[block], &err), 0, "%s", err.message);
	}
	sample_journal_close(journal);
}

Test(sample_journal, keeps_what_was_measured)
{
	struct setting s = setup();
	struct error err = {0};
	struct result result;

	write_journal(&s, 3, false);
	cr_assert_eq(result_read(s.path, &result, &err), 0, "%s", err.message);
	cr_assert(result.interrupted);
	cr_assert_eq(result.n_drivers, 2);
	cr_assert_eq(result.n_blocks, 3);
	cr_assert_eq(result.n_samples, 6);
	cr_assert_eq(result.plan.seed, 42);
	cr_assert_str_eq(result.environment.kernel, "6.1.0");
	cr_assert_eq(result.n_left_out, 1);
	cr_assert_str_eq(result.left_out[0].label, "vm");
	cr_assert_str_eq(result.left_out[0].reason, "no QEMU; install qemu-system-x86");
	cr_assert_eq(memcmp(result.blocks, s.samples.blocks, 3 * sizeof(struct block)), 0);
	cr_assert_eq(result.duration_ns, 5000002, "from the first block's begin to the last one's end");
	result_free(&result);
	teardown(&s);
}

Test(sample_journal, block_in_which_the_run_ended)
{
	struct setting s = setup();
	struct error err = {0};
	struct result result;

	write_journal(&s, 2, true);
	cr_assert_eq(result_read(s.path, &result, &err), 0, "%s", err.message);
	cr_assert_eq(result.n_blocks, 3);
	cr_assert_eq(result.n_samples, 6);
	cr_assert(result.blocks[2].tainted && !result.blocks[2].replaced);
	cr_assert_str_eq(result.blocks[2].taint_reason, "the run ended inside this block");
	cr_assert_eq(result.blocks[2].disturbance.steal_ns, -1);
	cr_assert_eq(result.blocks[2].start_ns, s.samples.samples[4].timeline.at_ns[MARK_REQUEST]);
	cr_assert_eq(result.blocks[2].duration_ns, 5000 + 1500);
	result_free(&result);
	teardown(&s);
}

/* Cut at every byte: as many samples as there are whole lines, never an error once the header is whole. */
Test(sample_journal, torn_anywhere, .timeout = 60)
{
	struct setting s = setup();
	static char text[65536];
	ssize_t size;
	size_t header;

	write_journal(&s, 3, false);
	size = file_read("", s.path, text, sizeof(text), NULL);
	cr_assert_gt(size, 0);
	text[size++] = '\n';
	header = (size_t)(strchr(text, '\n') - text);
	for (size_t cut = 0; cut <= (size_t)size; cut++) {
		struct error err = {0};
		struct result result;
		size_t lines = 0;
		int r = result_parse(text, cut, "samples.jsonl", &result, &err);

		if (cut < header) {
			cr_assert_eq(r, -EBADMSG);
			continue;
		}
		cr_assert_eq(r, 0, "cut at %zu: %s", cut, err.message);
		for (size_t i = header + 1; i < cut; i++)
			lines += text[i] == '\n' || (i + 1 == cut && text[cut] == '\n'); /* whole but for its newline */
		cr_assert_leq(result.n_samples, lines);
		cr_assert_geq(result.n_samples + result.n_blocks, lines);
		cr_assert(result.interrupted);
		result_free(&result);
	}
	teardown(&s);
}

Test(sample_journal, malformed_lines_are_named)
{
	struct setting s = setup();
	struct error err = {0};
	struct result result;
	static char text[65536];
	ssize_t size;

	write_journal(&s, 1, false);
	size = file_read("", s.path, text, sizeof(text) - 64, NULL);
	snprintf(text + size, 64, "\nnonsense\n{}\n");
	cr_assert_eq(result_parse(text, strlen(text), "samples.jsonl", &result, &err), -EBADMSG);
	cr_assert_str_eq(err.message, "samples.jsonl: line 5: not JSON");
	snprintf(text + size, 64, "\n{\"other\":1}\n{}\n");
	cr_assert_eq(result_parse(text, strlen(text), "samples.jsonl", &result, &err), -EBADMSG);
	cr_assert_str_eq(err.message, "samples.jsonl: line 5: neither a sample nor a block");
	snprintf(text + size, 64, "\n{\"sample\":{\"driver\":-1}}\n{}\n");
	cr_assert_eq(result_parse(text, strlen(text), "samples.jsonl", &result, &err), -EBADMSG);
	cr_assert_str_eq(err.message, "samples.jsonl: line 5: sample.driver: expected at least 0, found -1");
	teardown(&s);
}

Test(sample_journal, never_overwrites)
{
	struct setting s = setup();
	struct sample_journal *journal;
	struct error err = {0};
	struct stat before, after;

	write_journal(&s, 1, false);
	stat(s.path, &before);
	cr_assert_eq(sample_journal_open(s.path, &s.header, &journal, &err), -EEXIST);
	stat(s.path, &after);
	cr_assert_eq(before.st_size, after.st_size);
	teardown(&s);
}

/* No more room: the error is reported, and the lines before it stay whole. */
Test(sample_journal, full_disk_leaves_whole_lines)
{
	struct setting s = setup();
	struct sample_journal *journal;
	struct rlimit limit;
	struct error err = {0};
	struct result result;
	struct stat st;

	cr_assert_eq(sample_journal_open(s.path, &s.header, &journal, &err), 0, "%s", err.message);
	cr_assert_eq(sample_journal_sample(journal, &s.samples.samples[0], NULL, &err), 0, "%s", err.message);
	stat(s.path, &st);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = (rlim_t)st.st_size + 20;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_lt(sample_journal_sample(journal, &s.samples.samples[1], NULL, &err), 0);
	cr_assert(strstr(err.message, s.path), "%s", err.message);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	cr_assert_eq(sample_journal_sample(journal, &s.samples.samples[1], NULL, &err), 0, "%s", err.message);
	sample_journal_close(journal);
	cr_assert_eq(result_read(s.path, &result, &err), 0, "%s", err.message);
	cr_assert_eq(result.n_samples, 2);
	result_free(&result);
	teardown(&s);
}
