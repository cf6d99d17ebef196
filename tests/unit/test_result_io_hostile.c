/* Malformed results: each case of tests/data/result-invalid is refused with its exact message, each of result-valid is read and written back; and some
 * that are too large for a file. */
#include "result_fixture.h"

#include <base/files.h>
#include <results/result_parse.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>

enum { TEXT_MAX = 1 << 20 };

static ssize_t read_case(const char *folder, const char *name, const char *file, char *ret)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s/%s", BENCH_TEST_DATA, folder, name, file);
	return file_read("", path, ret, TEXT_MAX, NULL);
}

/* Calls `check` for each case folder; returns how many there were. */
static int each_case(const char *folder, void (*check)(const char *name))
{
	char path[PATH_MAX];
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", BENCH_TEST_DATA, folder);
	dir = opendir(path);
	cr_assert(dir, "%s", path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		check(entry->d_name);
		n++;
	}
	closedir(dir);
	return n;
}

static void check_invalid(const char *name)
{
	static char input[TEXT_MAX], expected[TEXT_MAX];
	struct result result = {.n_samples = 77};
	struct error err = {0};
	ssize_t size = read_case("result-invalid", name, "input.json", input);

	cr_assert(size >= 0, "%s: no input.json", name);
	cr_assert(read_case("result-invalid", name, "expected", expected) > 0, "%s: no expected", name);
	cr_expect_eq(result_parse(input, (size_t)size, "input.json", &result, &err), -EBADMSG, "%s", name);
	cr_expect_str_eq(err.message, expected, "%s:\n  found    %s\n  expected %s", name, err.message, expected);
	cr_expect_eq(result.n_samples, 77, "%s: the result was touched", name);
}

Test(result_io_hostile, invalid_cases)
{
	cr_assert_geq(each_case("result-invalid", check_invalid), 30);
}

static void check_valid(const char *name)
{
	static char input[TEXT_MAX];
	struct error err = {0};
	ssize_t size = read_case("result-valid", name, "input.json", input);
	struct result result;
	char *text;

	cr_assert(size >= 0, "%s: no input.json", name);
	cr_assert_eq(result_parse(input, (size_t)size, "input.json", &result, &err), 0, "%s: %s", name, err.message);
	text = result_to_text(&result, &err);
	cr_assert(text, "%s", err.message);
	text[strlen(text) - 1] = '\0'; /* file_read() took the last newline, too */
	cr_expect_str_eq(text, input, "%s: written back, it differs", name);
	result_free(&result);
	free(text);
}

Test(result_io_hostile, valid_cases)
{
	cr_assert_geq(each_case("result-valid", check_valid), 2);
}

/* ---- cases made here ---- */

static void refused(const char *text, size_t size, const char *message)
{
	struct error err = {0};
	struct result result;

	cr_assert_eq(result_parse(text, size, "big.json", &result, &err), -EBADMSG);
	cr_assert_str_eq(err.message, message);
}

Test(result_io_hostile, nested_too_deeply)
{
	enum { DEPTH = 1000000 };
	char *text = malloc(DEPTH + 16);
	size_t head = (size_t)sprintf(text, "{\"plan\":");

	memset(text + head, '[', DEPTH);
	refused(text, head + DEPTH, "big.json: line 1: nested too deeply");
	free(text);
}

/* A tree of empty arrays needs a hundred times its text in memory: refused before it grows. */
Test(result_io_hostile, value_too_large)
{
	enum { SIZE = 3 << 20 };
	char *text = malloc(SIZE);
	size_t head = (size_t)sprintf(text, "{\"summary\":[[]");

	for (size_t i = head; i + 3 <= SIZE; i += 3)
		memcpy(text + i, ",[]", 3);
	refused(text, head + (SIZE - head) / 3 * 3, "big.json: line 1: a value is larger than 2 MiB");
	free(text);
}

Test(result_io_hostile, too_many_drivers)
{
	static char text[TEXT_MAX];
	size_t size = (size_t)sprintf(text, "{\"drivers\":[");

	for (int i = 0; i < 33; i++)
		size += (size_t)sprintf(
			text + size,
			"%s{\"label\":\"d%d\",\"name\":\"mock\",\"options\":{},\"info\":{},\"notes\":[],\"caps\":{\"same_kernel\":true,"
			"\"no_agent\":true,\"virtual_clock\":true,\"is_guest\":false}}",
			i ? "," : "", i);
	refused(text, size, "big.json: drivers[32]: more than 32 drivers");
}

Test(result_io_hostile, zero_bytes)
{
	static const char inside[] = "{\"experiment\":\"a\0b\"}";

	refused("\0\0\0", 3, "big.json: not a result of bench: it does not begin with '{'");
	refused(inside, sizeof(inside) - 1, "big.json: line 1: not JSON");
}
