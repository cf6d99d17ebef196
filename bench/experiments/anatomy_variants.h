/* The one table of variants: what a driver can be without, or with, to find out what it costs. */
#pragma once

#include <bench/result.h>

struct anatomy_variant {
	const char *driver;     /* it is a variant of this one; NULL ends the table */
	const char *options;    /* what is changed, and how results call it */
	const char *feature;    /* in words */
	const char *differs_in; /* fact that must differ from the whole's, or nothing was changed; NULL: not to be told from the facts */
	enum variant_role role;
};

/* An option that driver or runtime do not know (yet) is no mistake: the variant is left out, with that reason. */
extern const struct anatomy_variant anatomy_variants[];
