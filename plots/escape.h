/* Text inside another language: gnuplot strings and HTML. Input is clean text (label.h); what it says can never become a command or a tag. */
#pragma once

#include <stdio.h>

/* Writes a gnuplot string (an expression of single-quoted ones, where the text has a quote): no escapes, macros, command substitution or markup work in there (terminals are set noenhanced). */
void escape_gnuplot(FILE *out, const char *text);

/* Writes HTML text, fit for element content and for attribute values in either quotes. */
void escape_html(FILE *out, const char *text);

/* printf whose result is escaped as a whole. */
void escape_html_format(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
