/* Fuzzes the reader of results and journals: any bytes are either refused with one line, or give a result that can be summarised and whose text reads
 * back as itself. Build: clang -fsanitize=fuzzer,address,undefined; corpus: tests/fuzz/corpus/result. */
#include <results/result_io.h>
#include <results/result_parse.h>
#include <results/summary.h>

#include <bench/cleanup.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_refusal(const struct error *err)
{
	require(strncmp(err->message, "fuzz", 4) == 0 && !strpbrk(err->message, "\n\r\x1b\x7f"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(result_free) struct result result = {0}, back = {0};
	_cleanup_free_ char *first = NULL, *second = NULL;
	struct error err = {0};

	if (result_parse((const char *)data, size, "fuzz", &result, &err) < 0) {
		check_refusal(&err);
		return 0;
	}
	/* A summary is made on the way to the text. */
	first = result_to_text(&result, &err);
	require(first);
	require(result_parse(first, strlen(first), "fuzz", &back, &err) == 0);
	second = result_to_text(&back, &err);
	require(second && strcmp(first, second) == 0);
	return 0;
}
