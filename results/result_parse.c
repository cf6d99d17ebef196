/* Reads a result or a journal of samples.
 *
 * Both begin with one object of the same members, told apart by "journal_version". A result holds its blocks and samples in there; a journal has them on
 * lines of their own behind it, the last of which may be torn. What the object must hold is one table. */
#include "result_parse.h"

#include "json_cursor.h"
#include "json_node.h"
#include "result_io.h"
#include "result_json.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct parser {
	const char *source;
	struct result result;
	unsigned seen; /* bit i: members[i] was there */
	bool journal;
};

/* ---- members of the document ---- */

static int read_schema_version(const struct json_node *node, struct parser *parser, struct error *err)
{
	int64_t version;
	int r = json_node_integer(node, 1, INT64_MAX, &version, err);

	if (r < 0 || version == RESULT_SCHEMA_VERSION)
		return r;
	json_node_fail(node, err, "version %lld is not known here, only %d", (long long)version, RESULT_SCHEMA_VERSION);
	return error_hint(err, "use the version of bench that wrote this file, or a newer one");
}

static int read_journal_version(const struct json_node *node, struct parser *parser, struct error *err)
{
	int64_t version;
	int r = json_node_integer(node, 1, RESULT_JOURNAL_VERSION, &version, err);

	if (r == 0)
		parser->journal = true;
	return r;
}

static int read_into(const struct json_node *node, char *ret, size_t size, struct error *err)
{
	const char *text;
	int r = json_node_text(node, size, &text, err);

	if (r == 0)
		memcpy(ret, text, strlen(text) + 1);
	return r;
}

static int read_experiment(const struct json_node *node, struct parser *parser, struct error *err)
{
	return read_into(node, parser->result.experiment, sizeof(parser->result.experiment), err);
}

static int read_started_at(const struct json_node *node, struct parser *parser, struct error *err)
{
	return read_into(node, parser->result.started_at, sizeof(parser->result.started_at), err);
}

static int read_command_line(const struct json_node *node, struct parser *parser, struct error *err)
{
	const char *text;
	int r = json_node_text(node, JSON_CURSOR_VALUE_MAX, &text, err);

	if (r < 0)
		return r;
	parser->result.command_line = strdup(text);
	return parser->result.command_line ? 0 : error_set(err, ENOMEM, "%s: out of memory", parser->source);
}

static int read_duration(const struct json_node *node, struct parser *parser, struct error *err)
{
	return json_node_integer(node, 0, INT64_MAX, &parser->result.duration_ns, err);
}

static int read_interrupted(const struct json_node *node, struct parser *parser, struct error *err)
{
	return json_node_bool(node, &parser->result.interrupted, err);
}

static int read_plan(const struct json_node *node, struct parser *parser, struct error *err)
{
	return result_json_read_plan(node, &parser->result.plan, err);
}

static int read_environment(const struct json_node *node, struct parser *parser, struct error *err)
{
	return result_json_read_environment(node, &parser->result.environment, err);
}

/* ---- elements of its lists ---- */

static int read_driver(const struct json_node *node, struct parser *parser, struct error *err)
{
	struct result *result = &parser->result;
	struct result_driver driver, *drivers;
	int r;

	if (result->n_drivers == RESULT_DRIVERS_MAX)
		return json_node_fail(node, err, "more than %d drivers", RESULT_DRIVERS_MAX);
	r = result_json_read_driver(node, &driver, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < result->n_drivers; i++)
		if (strcmp(result->drivers[i].spec.label, driver.spec.label) == 0)
			return json_node_fail(node, err, "has the label of drivers[%zu]", i);
	drivers = reallocarray(result->drivers, result->n_drivers + 1, sizeof(*drivers));
	if (!drivers)
		return error_set(err, ENOMEM, "%s: out of memory", parser->source);
	result->drivers = drivers;
	drivers[result->n_drivers++] = driver;
	return 0;
}

static int read_left_out(const struct json_node *node, struct parser *parser, struct error *err)
{
	struct result *result = &parser->result;
	int r;

	if (result->n_left_out == RESULT_LEFT_OUT_MAX)
		return json_node_fail(node, err, "more than %d drivers left out", RESULT_LEFT_OUT_MAX);
	r = result_json_read_left_out(node, &result->left_out[result->n_left_out], err);
	if (r == 0)
		result->n_left_out++;
	return r;
}

static int read_block(const struct json_node *node, struct parser *parser, struct error *err)
{
	struct block block;
	int r = result_json_read_block(node, &block, err);

	return r < 0 ? r : result_add_block(&parser->result, &block, err);
}

static int read_sample(const struct json_node *node, struct parser *parser, struct error *err)
{
	struct sample sample;
	struct step_times steps;
	int r = result_json_read_sample(node, &sample, &steps, err);

	if (r == 0 && steps.present)
		r = result_add_steps(&parser->result, &steps, &sample.steps, err);
	return r < 0 ? r : result_add_sample(&parser->result, &sample, err);
}

enum { IN_RESULT = 1, IN_JOURNAL = 2 };

static const struct member {
	const char *key;
	unsigned required; /* where it must be; 0: absent means empty */
	int (*read)(const struct json_node *node, struct parser *parser, struct error *err);
	bool list; /* read() takes each element, else the whole */
} members[] = {
	{"schema_version", IN_RESULT | IN_JOURNAL, read_schema_version, false},
	{"journal_version", IN_JOURNAL, read_journal_version, false},
	{"experiment", IN_RESULT | IN_JOURNAL, read_experiment, false},
	{"command_line", IN_RESULT | IN_JOURNAL, read_command_line, false},
	{"started_at", IN_RESULT | IN_JOURNAL, read_started_at, false},
	{"duration_ns", IN_RESULT, read_duration, false},
	{"interrupted", IN_RESULT, read_interrupted, false},
	{"plan", IN_RESULT | IN_JOURNAL, read_plan, false},
	{"environment", IN_RESULT | IN_JOURNAL, read_environment, false},
	{"drivers", IN_RESULT | IN_JOURNAL, read_driver, true},
	{"left_out", 0, read_left_out, true},
	{"blocks", IN_RESULT, read_block, true},
	{"samples", IN_RESULT, read_sample, true},
};
enum { N_MEMBERS = sizeof(members) / sizeof(members[0]) };

struct list {
	const struct member *member;
	struct parser *parser;
};

static int read_element(json_t *value, size_t index, void *arg, struct error *err)
{
	struct list *list = arg;
	struct json_node parent = {.source = list->parser->source, .key = list->member->key};
	struct json_node node = {.source = list->parser->source, .parent = &parent, .index = index, .value = value};

	return list->member->read(&node, list->parser, err);
}

static const struct member *find_member(const char *key)
{
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (strcmp(key, members[i].key) == 0)
			return &members[i];
	return NULL;
}

static int read_member(struct json_cursor *cursor, const char *key, void *arg, struct error *err)
{
	struct parser *parser = arg;
	const struct member *member = find_member(key);
	struct json_node node = {.source = parser->source, .key = member ? member->key : NULL};
	struct list list = {member, parser};
	unsigned bit;
	int r;

	/* Unknown ones are skipped: the summary, which is computed anew, and what a newer program may have added. */
	if (member) {
		bit = 1u << (member - members);
		if (parser->seen & bit)
			return json_node_fail(&node, err, "given twice");
		parser->seen |= bit;
		if (member->list && !json_cursor_at(cursor, '['))
			return json_node_fail(&node, err, "expected an array");
		if (member->list)
			return json_cursor_array(cursor, read_element, &list, err);
	}
	r = json_cursor_value(cursor, &node.value, err);
	if (r == 0 && member)
		r = member->read(&node, parser, err);
	json_decref(node.value);
	return r;
}

static int require_members(const struct parser *parser, struct error *err)
{
	unsigned where = parser->journal ? IN_JOURNAL : IN_RESULT;

	for (size_t i = 0; i < N_MEMBERS; i++) {
		struct json_node node = {.source = parser->source, .key = members[i].key};

		if ((members[i].required & where) && !(parser->seen & (1u << i)))
			return json_node_fail(&node, err, "missing");
	}
	return 0;
}

/* ---- a journal's lines ---- */

static int read_line(struct json_node *line, struct parser *parser, struct error *err)
{
	struct json_node part;
	bool is_sample = json_object_get(line->value, "sample");

	if (json_node_member(line, is_sample ? "sample" : "block", &part, err) < 0)
		return error_set(err, EBADMSG, "%s: neither a sample nor a block", line->source);
	/* The line names itself by its number; the path begins below it. */
	part.parent = NULL;
	return is_sample ? read_sample(&part, parser, err) : read_block(&part, parser, err);
}

/* Reads the lines behind the header. A last line that is torn is dropped. */
static int read_lines(const char *text, size_t size, struct parser *parser, struct error *err)
{
	size_t number = 2;

	for (size_t at = 0, next; at < size; at = next, number++) {
		const char *end = memchr(text + at, '\n', size - at);
		char source[192];
		struct json_node line = {.source = source};
		int r;

		next = end ? (size_t)(end - text) + 1 : size;
		if (next - at <= JSON_CURSOR_VALUE_MAX)
			line.value = json_loadb(text + at, next - at, JSON_REJECT_DUPLICATES, NULL);
		if (!line.value && next == size)
			return 0;
		snprintf(source, sizeof(source), "%s: line %zu", parser->source, number);
		if (!line.value)
			return error_set(err, EBADMSG, "%s: not JSON", source);
		r = read_line(&line, parser, err);
		json_decref(line.value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t last_mark_ns(const struct timeline *tl)
{
	int64_t last = 0;

	for (int mark = 0; mark < MARK_COUNT; mark++)
		if (timeline_has(tl, (enum mark)mark))
			last = later(last, tl->at_ns[mark]);
	return last;
}

/* Samples of the block in which the run ended have no record of that block yet: one is made up from what they tell. */
static int add_last_block(struct result *result, struct error *err)
{
	struct block block = {.tainted = true,
			      .start_ns = INT64_MAX,
			      .disturbance = {-1, -1, -1, -1, -1, -1, -1},
			      .taint_reason = "the run ended inside this block"};
	int64_t end_ns = 0;
	bool found = false;

	for (size_t i = 0; i < result->n_samples; i++) {
		const struct sample *sample = &result->samples[i];

		if (sample->block != result->n_blocks)
			continue;
		found = true;
		block.warmup = sample->warmup;
		if (timeline_has(&sample->timeline, MARK_REQUEST) && sample->timeline.at_ns[MARK_REQUEST] < block.start_ns)
			block.start_ns = sample->timeline.at_ns[MARK_REQUEST];
		end_ns = later(end_ns, last_mark_ns(&sample->timeline));
	}
	if (!found)
		return 0;
	if (block.start_ns == INT64_MAX)
		block.start_ns = end_ns;
	block.duration_ns = later(end_ns - block.start_ns, 0);
	return result_add_block(result, &block, err);
}

/* What the header could not know: how long the run lasted, and that it did not get to its end. */
static int finish_journal(struct result *result, struct error *err)
{
	int64_t last_ns = 0;
	int r = add_last_block(result, err);

	if (r < 0)
		return r;
	result->interrupted = true;
	for (size_t i = 0; i < result->n_blocks; i++) {
		int64_t end_ns;

		if (!__builtin_add_overflow(result->blocks[i].start_ns, result->blocks[i].duration_ns, &end_ns))
			last_ns = later(last_ns, end_ns);
	}
	if (result->n_blocks > 0)
		result->duration_ns = later(last_ns - result->blocks[0].start_ns, 0);
	return 0;
}

/* ---- the whole ---- */

/* A sample has no more steps than its driver. */
static int check_steps(const struct result *result, const struct sample *sample, const struct json_node *node, struct error *err)
{
	const struct step_times *times = result_steps(result, sample);
	size_t declared = result->drivers[sample->driver].info.steps.n;
	struct json_node steps = {.source = node->source, .parent = node, .key = "steps"};

	if (times && declared < STEPS_MAX && times->present >> declared)
		return json_node_fail(&steps, err, "more than the %zu of its driver", declared);
	return 0;
}

static int check_indexes(const struct parser *parser, struct error *err)
{
	const struct result *result = &parser->result;

	for (size_t i = 0; i < result->n_samples; i++) {
		struct json_node samples = {.source = parser->source, .key = "samples"};
		struct json_node sample = {.source = parser->source, .parent = &samples, .index = i};
		struct json_node driver = {.source = parser->source, .parent = &sample, .key = "driver"};
		struct json_node block = {.source = parser->source, .parent = &sample, .key = "block"};

		if (result->samples[i].driver >= result->n_drivers)
			return json_node_fail(&driver, err, "%u, but the number of drivers is %zu", result->samples[i].driver,
					      result->n_drivers);
		if (result->samples[i].block >= result->n_blocks)
			return json_node_fail(&block, err, "%u, but the number of blocks is %zu", result->samples[i].block,
					      result->n_blocks);
		int r = check_steps(result, &result->samples[i], &sample, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_document(struct json_cursor *cursor, struct parser *parser, struct error *err)
{
	int r;

	json_cursor_skip_blanks(cursor);
	if (cursor->at == cursor->size)
		return error_set(err, EBADMSG, "%s: the file is empty", cursor->source);
	if (cursor->text[cursor->at] != '{')
		return error_set(err, EBADMSG, "%s: not a result of bench: it does not begin with '{'", cursor->source);
	r = json_cursor_object(cursor, read_member, parser, err);
	return r < 0 ? r : require_members(parser, err);
}

int result_parse(const char *text, size_t size, const char *source, struct result *ret, struct error *err)
{
	struct json_cursor cursor = {.source = source, .text = text, .size = size};
	struct parser parser = {.source = source};
	int r = parse_document(&cursor, &parser, err);

	if (r == 0 && parser.journal) {
		json_cursor_skip_blanks(&cursor);
		r = read_lines(text + cursor.at, size - cursor.at, &parser, err);
		if (r == 0)
			r = finish_journal(&parser.result, err);
	} else if (r == 0) {
		json_cursor_skip_blanks(&cursor);
		if (cursor.at < size)
			r = json_cursor_fail(&cursor, err, "something follows the end of the result");
	}
	if (r == 0)
		r = check_indexes(&parser, err);
	if (r < 0) {
		result_free(&parser.result);
		return r;
	}
	*ret = parser.result;
	return 0;
}
