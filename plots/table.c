/* The table on the terminal, and the notes under it. */
#include "table.h"

#include "grid.h"
#include "remarks.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdbool.h>
#include <string.h>

enum { LINE_WIDTH = 100, LABEL_WIDTH_MIN = 17 };

#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define PLAIN "\033[0m"

/* Where the text goes. */
struct terminal {
	FILE *out;
	bool colour;
	size_t remarks; /* printed so far under the current heading */
	const char *heading;
};

static void cleanup_table(struct libscols_table **table)
{
	scols_unref_table(*table);
}

/* Prints `text` in lines of LINE_WIDTH characters; all but the first are indented by `indent`. `at`: characters already on the line. */
static void print_wrapped(FILE *out, const char *text, size_t at, size_t indent)
{
	const char *s = text;

	while (*s) {
		const char *end = strchr(s, ' ');
		size_t bytes = end ? (size_t)(end - s) : strlen(s), characters = 0;

		for (size_t i = 0; i < bytes; i++)
			characters += (s[i] & 0xc0) != 0x80;
		if (at > indent && at + 1 + characters > LINE_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (s > text) {
			fputc(' ', out);
			at++;
		}
		fwrite(s, 1, bytes, out);
		at += characters;
		s += bytes + (end != NULL);
	}
	fputc('\n', out);
}

static void print_line(const struct terminal *terminal, const char *style, const char *text)
{
	if (!text[0])
		return;
	fputs(terminal->colour ? style : "", terminal->out);
	print_wrapped(terminal->out, text, 0, 2);
	fputs(terminal->colour ? PLAIN : "", terminal->out);
}

static void print_remark(const char *subject, const char *text, void *arg)
{
	struct terminal *terminal = arg;
	char line[REMARK_MAX + LABEL_MAX + 8];

	if (terminal->remarks++ == 0) {
		fputc('\n', terminal->out);
		print_line(terminal, BOLD, terminal->heading);
	}
	snprintf(line, sizeof(line), "- %s%s%s", subject, *subject ? ": " : "", text);
	print_line(terminal, DIM, line);
}

/* Under the figures, where the row is missed. */
static void print_left_out(const char *subject, const char *text, void *arg)
{
	(void)subject;
	print_line(arg, BOLD, text);
}

/* Characters of a table without its first column. */
static size_t width_beside_labels(const struct grid *grid)
{
	size_t width = 0;

	for (size_t c = 1; c < grid->n_columns; c++) {
		size_t widest = label_length(grid->heads[c]);

		for (size_t r = 0; r < grid->n_rows; r++) {
			size_t own = label_length(grid->cells[r][c]);

			widest = own > widest ? own : widest;
		}
		width += widest + 2;
	}
	return width;
}

/* Bytes of the first piece of a label that stays together: up to a comma or a blank; from a parenthesis (accelerator, machine) to the end. */
static size_t piece_length(const char *s)
{
	size_t n = *s == '(' ? strlen(s) : strcspn(s, ", ");

	return s[n] ? n + 1 : n;
}

/* Folds a long label into lines of at most `width` characters, between its pieces where that is possible. */
static void fold_label(const char *label, size_t width, char *ret, size_t size)
{
	size_t used = 0, at = 0;

	for (const char *s = label, *end; *s && used + 2 < size; s = end) {
		char piece[GRID_TEXT_MAX];

		end = s + piece_length(s);
		snprintf(piece, sizeof(piece), "%.*s", (int)(end - s), s);
		size_t blank = end[-1] == ' ';
		bool fits = at + label_length(piece) - blank <= width;

		if (at && !fits) {
			ret[used++] = '\n';
			at = 0;
		}
		for (const char *c = piece; *c && used + 2 < size; c++) {
			bool starts = (*c & 0xc0) != 0x80;

			if (starts && at == width) {
				if (*c == ' ')
					break;
				ret[used++] = '\n';
				at = 0;
			}
			ret[used++] = *c;
			at += starts;
		}
	}
	ret[used] = '\0';
}

static int add_columns(struct libscols_table *table, const struct grid *grid, bool colour)
{
	for (size_t c = 0; c < grid->n_columns; c++) {
		struct libscols_column *column = scols_table_new_column(table, grid->heads[c], 0, c == 0 ? SCOLS_FL_WRAP : SCOLS_FL_RIGHT);

		if (!column)
			return -ENOMEM;
		if (c == 0 && scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL) < 0)
			return -ENOMEM;
		if (c == 0 && scols_column_set_safechars(column, "\n") < 0)
			return -ENOMEM;
		if (colour && scols_cell_set_color(scols_column_get_header(column), BOLD) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_rows(struct libscols_table *table, struct grid *grid)
{
	size_t beside = width_beside_labels(grid);
	size_t room = beside + LABEL_WIDTH_MIN < LINE_WIDTH ? LINE_WIDTH - beside : LABEL_WIDTH_MIN;

	for (size_t r = 0; r < grid->n_rows; r++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);
		char label[2 * GRID_TEXT_MAX];

		if (!line)
			return -ENOMEM;
		fold_label(grid->cells[r][0], room, label, sizeof(label));
		for (size_t c = 0; c < grid->n_columns; c++)
			if (scols_line_set_data(line, c, c ? grid->cells[r][c] : label) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* Prints what libsmartcols made without the blanks that it puts behind short cells. */
static void print_trimmed(FILE *out, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n"), kept = length;

		while (kept && text[kept - 1] == ' ')
			kept--;
		fwrite(text, 1, kept, out);
		fputc('\n', out);
		text += length + (text[length] == '\n');
	}
}

static int print_grid(const struct terminal *terminal, struct grid *grid, struct error *err)
{
	_cleanup_(cleanup_table) struct libscols_table *table = scols_new_table();
	_cleanup_free_ char *text = NULL;

	if (!table)
		return error_set(err, ENOMEM, "table: out of memory");
	scols_table_enable_colors(table, terminal->colour);
	/* a figure that is cut says something false: let the terminal wrap instead */
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	if (scols_table_set_column_separator(table, "  ") < 0 || add_columns(table, grid, terminal->colour) < 0 ||
	    add_rows(table, grid) < 0)
		return error_set(err, ENOMEM, "table: out of memory");
	if (scols_print_table_to_string(table, &text) < 0)
		return error_set(err, ENOMEM, "table: out of memory");
	fputc('\n', terminal->out);
	print_line(terminal, BOLD, grid->title);
	print_trimmed(terminal->out, text);
	return 0;
}

static void print_head(const struct terminal *terminal, const struct result *result)
{
	char text[REMARK_MAX];

	print_line(terminal, BOLD, remark_interrupted(result, text, sizeof(text)));
	print_line(terminal, "", remark_run(result, text, sizeof(text)));
	print_line(terminal, "", remark_host(result, text, sizeof(text)));
	if (label_guests(result, text, sizeof(text)))
		print_line(terminal, BOLD, text);
}

int table_result(const struct result *result, const struct summary *summary, FILE *out, bool colour, struct error *err)
{
	_cleanup_(text_locale_leave) struct text_locale locale = text_locale_enter();
	struct terminal terminal = {.out = out, .colour = colour};

	print_head(&terminal, result);
	for (const enum grid_kind *kind = grid_kinds(result, false), *first = kind; *kind != GRID_KIND_COUNT; kind++) {
		_cleanup_(grid_free) struct grid grid = {0};
		int r = grid_make(result, summary, *kind, &grid, err);

		if (r == 0 && grid.n_columns > 1)
			r = print_grid(&terminal, &grid, err);
		if (r == 0 && kind == first)
			remarks_left_out(result, print_left_out, &terminal);
		if (r < 0)
			return r;
	}
	terminal.heading = "Warnings";
	remarks_warnings(result, summary, print_remark, &terminal);
	terminal.heading = "Notes of the drivers";
	terminal.remarks = 0;
	remarks_notes(result, print_remark, &terminal);
	return ferror(out) ? error_set(err, EIO, "table: cannot write to the output") : 0;
}
