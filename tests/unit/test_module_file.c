/* A module's file, as it is read for the initramfs. */
#include "../../vmdriver/modules.c"

#include "scratch.h"

#include <sys/stat.h>

static const char *make_module(const struct scratch *scratch, off_t size)
{
	scratch_write(scratch, "module.ko", "\177ELF");
	cr_assert_eq(truncate(scratch_path(scratch, "module.ko"), size), 0);
	return scratch_path(scratch, "module.ko");
}

Test(module_file, is_whole_or_refused)
{
	struct scratch scratch = scratch_make();
	static const off_t fine[] = {4, FIRST_BYTES, FIRST_BYTES + 1, MODULE_MAX_BYTES};

	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		struct module_file module = {0};
		struct error err = {0};

		cr_assert_eq(read_module(make_module(&scratch, fine[i]), &module, &err), 0, "%s", err.message);
		cr_expect_eq(module.size, (size_t)fine[i]);
		free(module.data);
	}
	for (off_t size = MODULE_MAX_BYTES + 1; size < 5 * (off_t)MODULE_MAX_BYTES; size *= 2) {
		struct module_file module = {0};
		struct error err = {0};

		cr_expect_eq(read_module(make_module(&scratch, size), &module, &err), -E2BIG, "%lld bytes", (long long)size);
		cr_expect(strstr(err.message, "16 MiB"), "%s", err.message);
		free(module.data);
	}
	scratch_remove(&scratch);
}
