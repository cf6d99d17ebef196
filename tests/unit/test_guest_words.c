/* What a guest's runtime hears: its options, its requests, and what is the container's. */
#include <guest/words.c>

#include <criterion/criterion.h>

static void feed(struct words *words, const char *text)
{
	size_t size, length = strlen(text);
	char *room = words_room(words, &size);

	cr_assert_leq(length, size);
	memcpy(room, text, length);
	words_filled(words, length);
}

static bool is(const struct word *word, enum word_kind kind, const char *text)
{
	return word->kind == kind && word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

Test(guest_options, words)
{
	struct guest_options options;
	struct error err = {0};

	cr_assert_eq(guest_options_parse("memory=134217728,cpu=200,pids=512", &options, &err), 0, "%s", err.message);
	cr_expect_eq(options.limits.memory_bytes, 134217728);
	cr_expect_eq(options.limits.cpu_percent, 200);
	cr_expect_eq(options.limits.pids_max, 512);
	cr_expect_not(options.shared);
	cr_assert_eq(guest_options_parse("memory=4194304,shared", &options, &err), 0, "%s", err.message);
	cr_expect(options.shared && options.limits.cpu_percent == 0);
	cr_assert_eq(guest_options_parse("", &options, &err), 0, "%s", err.message);
	cr_expect(!options.shared && options.limits.memory_bytes == 0);
}

Test(guest_options, what_is_not_understood_is_named)
{
	static const char *const texts[] = {"memory", "memory=", "memory=much", "memory=-1",
					    "cpu=0",  "swap=5",  "sharedd",     "memory=1,nonsense"};
	struct guest_options options = {.shared = true};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error err = {0};
		const char *last = strrchr(texts[i], ',');

		cr_expect_lt(guest_options_parse(texts[i], &options, &err), 0, "%s", texts[i]);
		cr_expect(strstr(err.message, last ? last + 1 : texts[i]), "%s: %s", texts[i], err.message);
	}
	cr_expect(options.shared, "nothing is changed on failure");
}

Test(guest_words, requests_are_told_from_what_passes)
{
	static struct words words;

	feed(&words, "ping\nguest start bench-1\nrun spin ops=1\nguest look\nguest stop bench-1\nguest dance\nguest\n");

	struct word word = words_next(&words);
	cr_expect(is(&word, WORD_FORWARD, "ping\n"));
	word = words_next(&words);
	cr_expect(is(&word, WORD_START, "bench-1"));
	word = words_next(&words);
	cr_expect(is(&word, WORD_FORWARD, "run spin ops=1\n"));
	word = words_next(&words);
	cr_expect(is(&word, WORD_LOOK, ""));
	word = words_next(&words);
	cr_expect(is(&word, WORD_STOP, "bench-1"));
	word = words_next(&words);
	cr_expect_eq(word.kind, WORD_UNKNOWN);
	word = words_next(&words);
	cr_expect(is(&word, WORD_FORWARD, "guest\n"));
	word = words_next(&words);
	cr_expect_eq(word.kind, WORD_NONE);
}

Test(guest_words, a_request_needs_an_id_of_bounded_length)
{
	static struct words words;
	char line[200];

	feed(&words, "guest start \nguest look now\n");
	cr_expect_eq(words_next(&words).kind, WORD_UNKNOWN);
	cr_expect_eq(words_next(&words).kind, WORD_UNKNOWN);
	snprintf(line, sizeof(line), "guest start %0*d\n", GUEST_ID_MAX - 1, 7);
	feed(&words, line);
	cr_expect_eq(words_next(&words).kind, WORD_START);
	snprintf(line, sizeof(line), "guest start %0*d\n", GUEST_ID_MAX, 7);
	feed(&words, line);
	cr_expect_eq(words_next(&words).kind, WORD_UNKNOWN);
	cr_expect_eq(words_next(&words).kind, WORD_NONE);
}

Test(guest_words, lines_come_in_pieces)
{
	static struct words words;

	feed(&words, "guest st");
	cr_expect_eq(words_next(&words).kind, WORD_NONE);
	feed(&words, "op a\npi");

	struct word word = words_next(&words);
	cr_expect(is(&word, WORD_STOP, "a"));
	cr_expect_eq(words_next(&words).kind, WORD_NONE);
	feed(&words, "ng\n");
	word = words_next(&words);
	cr_expect(is(&word, WORD_FORWARD, "ping\n"));
	cr_expect_eq(words_next(&words).kind, WORD_NONE);
}

/* The agent answers that it is too long. */
Test(guest_words, a_line_that_never_ends_passes_in_pieces)
{
	static struct words words;
	size_t size, passed = 0;

	for (int round = 0; round < 3; round++) {
		char *room = words_room(&words, &size);

		cr_assert_gt(size, 0);
		memset(room, 'x', size);
		words_filled(&words, size);

		struct word word = words_next(&words);

		cr_expect_eq(word.kind, WORD_FORWARD);
		passed += word.length;
		cr_expect_eq(words_next(&words).kind, WORD_NONE);
	}
	cr_expect_eq(passed, 3 * sizeof(words.buffer));
	feed(&words, "\nguest look\n");

	struct word word = words_next(&words);
	cr_expect(is(&word, WORD_FORWARD, "\n"));
	cr_expect_eq(words_next(&words).kind, WORD_LOOK);
}
