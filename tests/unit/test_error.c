/* base/error: one line that grows on the way up. */
#include <bench/error.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, grows_on_the_way_up)
{
	struct error err = {0};

	errno = EPERM;
	cr_expect_eq(error_errno(&err, "mount %s", "proc"), -EPERM);
	cr_expect_eq(error_prefix(&err, "container '%s'", "a"), -EPERM);
	cr_expect_eq(error_hint(&err, "be %s", "root"), -EPERM);
	cr_expect_str_eq(err.message, "container 'a': mount proc: Operation not permitted");
	cr_expect_str_eq(err.hint, "be root");
	cr_expect_eq(error_set(&err, EINVAL, "other"), -EINVAL);
	cr_expect_str_eq(err.hint, "", "a new error has no old hint");
}

Test(error, may_be_absent)
{
	cr_expect_eq(error_set(NULL, EINVAL, "x"), -EINVAL);
	errno = ENOENT;
	cr_expect_eq(error_errno(NULL, "x"), -ENOENT);
	cr_expect_lt(error_prefix(NULL, "x"), 0);
	cr_expect_lt(error_hint(NULL, "x"), 0);
}

Test(error, never_overflows)
{
	struct error err = {0};
	char longer[1000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	error_set(&err, EIO, "%s", longer);
	for (int i = 0; i < 100; i++)
		error_prefix(&err, "context %d", i);
	cr_expect_lt(strlen(err.message), sizeof(err.message));
	cr_expect(strncmp(err.message, "context 99: context 98: ", 24) == 0);
}
