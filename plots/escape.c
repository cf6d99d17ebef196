/* Text inside another language. */
#include "escape.h"

#include <bench/cleanup.h>

#include <stdarg.h>
#include <string.h>

void escape_gnuplot(FILE *out, const char *text)
{
	fputc('\'', out);
	for (const char *s = text; *s; s++) {
		if (*s == '\'')
			fputs("'.\"'\".'", out); /* not '': gnuplot trips over it at the begin of a string, and over two of them */
		else if (*s == '\n' || *s == '\r')
			fputc(' ', out); /* would end the command */
		else if (*s == '>' && s - text >= 2 && s[-1] == ']' && s[-2] == ']')
			fputs("›", out); /* gnuplot leaves '>' as it is, and XML forbids this one */
		else
			fputc(*s, out);
	}
	fputc('\'', out);
}

void escape_html(FILE *out, const char *text)
{
	for (const char *s = text; *s; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*s, out);
		}
	}
}

void escape_html_format(FILE *out, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	else
		escape_html(out, text);
}
