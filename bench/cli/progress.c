#include "progress.h"

#include <bench/timeline.h>

#include <base/units.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REDRAW_MS = 100, PLAIN_LINE_S = 30 };

void progress_init(struct progress *progress, bool quiet)
{
	*progress = (struct progress){.is_terminal = isatty(STDERR_FILENO), .is_quiet = quiet};
}

/* A plain line each tenth of the way, or when nothing was said for half a minute. */
static bool is_due(struct progress *progress, int64_t now_ns, uint32_t done, uint32_t total)
{
	uint32_t tenth = (uint32_t)((uint64_t)done * 10 / total);

	if (progress->is_terminal)
		return now_ns - progress->last_ns >= REDRAW_MS * INT64_C(1000000);
	if (tenth == progress->last_tenth && now_ns - progress->last_ns < PLAIN_LINE_S * INT64_C(1000000000))
		return false;
	progress->last_tenth = tenth;
	return true;
}

void progress_step(struct progress *progress, const char *label, uint32_t done, uint32_t total)
{
	int64_t now_ns = clock_now_ns();
	char eta[32] = "?";

	if (progress->start_ns == 0) {
		progress->start_ns = now_ns;
		progress->last_tenth = UINT32_MAX;
	}
	if (progress->is_quiet || total == 0 || !is_due(progress, now_ns, done, total))
		return;
	if (done > 0) {
		int64_t left_ns = (int64_t)((double)(now_ns - progress->start_ns) / done * (total - done));

		/* Whole seconds: an estimate has no more digits than that. */
		format_duration((left_ns + 999999999) / 1000000000 * 1000000000, eta, sizeof(eta));
	}
	fprintf(stderr, progress->is_terminal ? "\r\033[K%s  %u/%u starts  %u %%  ETA %s" : "%s  %u/%u starts  %u %%  ETA %s\n", label,
		done, total, (unsigned)((uint64_t)done * 100 / total), eta);
	fflush(stderr);
	progress->line_is_open = progress->is_terminal;
	progress->last_ns = now_ns;
}

void progress_bytes(struct progress *progress, const char *label, const char *phase, int64_t done, int64_t total)
{
	int64_t now_ns = clock_now_ns();
	bool is_new = !progress->phase || strcmp(progress->phase, phase) != 0;
	char done_text[32], total_text[48] = "", eta[48] = "", spent[32];

	if (is_new) {
		progress->phase = phase;
		progress->start_ns = now_ns;
	}
	int64_t quiet_ns = progress->is_terminal ? REDRAW_MS * INT64_C(1000000) : PLAIN_LINE_S * INT64_C(1000000000);
	if (progress->is_quiet || (!is_new && now_ns - progress->last_ns < quiet_ns))
		return;
	if (total > 0)
		snprintf(total_text, sizeof(total_text), " of %s", format_bytes(total, spent, sizeof(spent)));
	if (total > done && done > 0 && !is_new) {
		int64_t left_ns = (int64_t)((double)(now_ns - progress->start_ns) / (double)done * (double)(total - done));

		snprintf(eta, sizeof(eta), "  ETA %s",
			 format_duration((left_ns + 999999999) / 1000000000 * 1000000000, spent, sizeof(spent)));
	}
	fprintf(stderr, progress->is_terminal ? "\r\033[K%s: %s  %s%s%s" : "%s: %s  %s%s%s\n", label, phase,
		format_bytes(done, done_text, sizeof(done_text)), total_text, eta);
	fflush(stderr);
	progress->line_is_open = progress->is_terminal;
	progress->last_ns = now_ns;
}

void progress_time(struct progress *progress, const char *label, const char *phase, int64_t done_ns, int64_t total_ns)
{
	bool is_new = !progress->phase || strcmp(progress->phase, phase) != 0;
	char text[64] = "";
	int64_t now_ns = clock_now_ns();

	progress->phase = phase;
	if (progress->is_quiet || (!is_new && (!progress->is_terminal || now_ns - progress->last_ns < REDRAW_MS * INT64_C(1000000))))
		return;
	if (total_ns > 0 && progress->is_terminal)
		snprintf(text, sizeof(text), "  %.1f s of %.1f s", (double)done_ns / 1e9, (double)total_ns / 1e9);
	else if (total_ns > 0)
		snprintf(text, sizeof(text), "  %.1f s", (double)total_ns / 1e9);
	fprintf(stderr, progress->is_terminal ? "\r\033[K%s: %s%s" : "%s: %s%s\n", label, phase, text);
	fflush(stderr);
	progress->line_is_open = progress->is_terminal;
	progress->last_ns = now_ns;
}

void progress_end(struct progress *progress)
{
	if (progress->line_is_open)
		fputs("\r\033[K", stderr);
	progress->line_is_open = false;
}

void progress_note(struct progress *progress, const char *label, const char *text)
{
	progress_end(progress);
	fprintf(stderr, "%s: %s\n", label, text);
}
