/* Parts of the HTML report that are text and no figures. */
#include "page.h"

#include "escape.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

enum { SVG_BYTES_MAX = 32 << 20 };

const char *const page_style =
	":root{color-scheme:light}"
	"body{font:16px/1.5 system-ui,sans-serif;color:#111;background:#fff;max-width:64rem;margin:0 auto;padding:1rem}"
	"h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}"
	"p,ul,dl{margin:.5rem 0}.guests{font-weight:bold}"
	".alert{border-left:.3rem solid #D55E00;background:#fdf1e8;padding:.5rem .8rem}"
	".scroll{overflow-x:auto;margin:0 0 1.2rem}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}"
	"caption{text-align:left;font-weight:bold;padding:.3rem 0}"
	"th,td{padding:.25rem .7rem;border-bottom:1px solid #ccc;text-align:right;white-space:nowrap}"
	"th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal;overflow-wrap:anywhere;min-width:9rem}"
	"thead th{border-bottom:2px solid #444}tbody th{font-weight:normal}"
	"figure{margin:1rem 0;overflow-x:auto}figure svg{width:100%;height:auto;min-width:36rem;display:block}"
	"figcaption{font-size:.85rem;color:#444}code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}"
	"dt{font-weight:bold;overflow-wrap:anywhere}dd{margin:0 0 .3rem "
	"0;overflow-wrap:anywhere}.facts{display:grid;grid-template-columns:max-content 1fr;gap:0 "
	"1rem}"
	".facts dt{font-weight:normal;color:#444}"
	"@media(max-width:40rem){body{padding:.6rem}.facts{display:block}}"
	"@media print{body{max-width:none;font-size:11pt}.scroll,figure{overflow:visible}figure svg{min-width:0}"
	"figure,table,li{break-inside:avoid}h2{break-after:avoid}}";

static int read_svg(const char *path, char **ret, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return error_errno(err, "read %s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, "read %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > SVG_BYTES_MAX)
		return error_set(err, EINVAL, "read %s: no file, or more than %d MiB", path, SVG_BYTES_MAX >> 20);
	_cleanup_free_ char *text = calloc(1, (size_t)st.st_size + 1);
	size_t used = 0;

	if (!text)
		return error_set(err, ENOMEM, "read %s: out of memory", path);
	while (used < (size_t)st.st_size) {
		ssize_t n = read(fd, text + used, (size_t)st.st_size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read %s", path);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	*ret = take_ptr(text);
	return 0;
}

/* Length of what introduces an id at `s` (its definition or a reference), 0 if nothing does. */
static size_t id_prefix(const char *s)
{
	static const char *const prefixes[] = {" id=\"", " id='", "href=\"#", "href='#", "url(#"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(s, prefixes[i], strlen(prefixes[i])) == 0)
			return strlen(prefixes[i]);
	return 0;
}

/* Only what gnuplot draws: nothing that runs or loads. */
static bool is_inert(const char *svg)
{
	static const char *const forbidden[] = {"<script", "<foreignObject", "<iframe", "<!ENTITY", " onload", " onclick", "javascript:"};

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (strcasestr(svg, forbidden[i]))
			return false;
	return true;
}

int page_svg(FILE *out, const char *dir, const char *name, const char *description, struct error *err)
{
	char path[PATH_MAX];
	_cleanup_free_ char *text = NULL;
	int r = path_format(path, sizeof(path), err, "%s/%s.svg", dir, name);

	if (r == 0)
		r = read_svg(path, &text, err);
	if (r < 0)
		return r;
	const char *svg = strstr(text, "<svg"), *end = strstr(text, "</svg>");

	if (!svg || !end || !is_inert(text))
		return error_set(err, EINVAL, "%s is not a drawing of gnuplot", path);
	fputs("<svg role=\"img\" aria-label=\"", out);
	escape_html(out, description);
	fputs("\" ", out);
	for (const char *s = svg + strlen("<svg"); s < end;) {
		size_t n = id_prefix(s);

		if (n)
			fprintf(out, "%.*s%s-", (int)n, s, name);
		else
			fputc(*s, out);
		s += n ? n : 1;
	}
	fputs("</svg>\n", out);
	return 0;
}
