/* Options of the vm driver: what a machine that runs containers gets, and what it is told. Nothing is started. */
#include "scratch.h"

#include <drivers/vm_options.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct ask {
	struct scratch scratch;
	struct driver_spec spec;
	struct driver_config config;
	char agent[128];
	struct vm_texts texts;
	struct vm_disk_source source;
	struct vm_container container;
	struct vm_options options;
	struct error err;
};

static int64_t mib(int64_t n)
{
	return n << 20;
}

/* `pairs`: key, value, …, NULL. A program for guests lies beside the agent unless it is said not to. */
static int ask(struct ask *ask, const char *const *pairs, bool has_runtime)
{
	*ask = (struct ask){.scratch = scratch_make(), .source = VM_DISK_SOURCE_NONE};
	strcpy(ask->spec.name, "vm");
	for (; *pairs; pairs += 2) {
		struct driver_option_value *option = &ask->spec.options[ask->spec.n_options++];

		strcpy(option->key, pairs[0]);
		strcpy(option->value, pairs[1]);
	}
	if (has_runtime)
		scratch_write(&ask->scratch, "bench-guest", "a program");
	snprintf(ask->agent, sizeof(ask->agent), "%s/bench-agent", ask->scratch.path);
	ask->config = (struct driver_config){.spec = &ask->spec, .agent_path = ask->agent, .memory_bytes = mib(256), .vcpus = 2};

	int rc = vm_options_read(&ask->config, &ask->texts, &ask->source, &ask->container, &ask->options, &ask->err);

	scratch_remove(&ask->scratch);
	return rc;
}

Test(vm_options, a_machine_without_containers_has_no_runtime)
{
	struct ask a;

	cr_assert_eq(ask(&a, (const char *const[]){NULL}, true), 0, "%s", a.err.message);
	cr_expect(!a.container.used && !a.options.runtime_path && a.options.memory_bytes == mib(256));
}

Test(vm_options, a_guest_has_more_memory_than_its_container)
{
	struct ask a;

	cr_assert_eq(ask(&a, (const char *const[]){"kind", "container", NULL}, true), 0, "%s", a.err.message);
	cr_expect(a.container.used && !a.container.shared);
	cr_expect_eq(a.container.limit_bytes, mib(256));
	cr_expect_eq(a.options.memory_bytes, mib(384));
	cr_expect_str_eq(a.options.runtime_words, "memory=268435456,cpu=200,pids=512");
	cr_expect(strstr(a.options.runtime_path, "/bench-guest"));
	cr_expect_null(a.options.machine); /* the default */

	cr_assert_eq(ask(&a, (const char *const[]){"kind", "container", "memory", "16M", "machine", "microvm", "shared", "on", NULL}, true),
		     0, "%s", a.err.message);
	cr_expect(a.container.shared);
	cr_expect_eq(a.options.memory_bytes, mib(256), "never less");
	cr_expect_str_eq(a.options.runtime_words, "memory=16777216,cpu=200,pids=512,shared");
	cr_expect_str_eq(a.options.machine, "microvm");

	cr_assert_eq(ask(&a, (const char *const[]){"kind", "container", "guest-memory", "100M", NULL}, true), 0, "%s", a.err.message);
	cr_expect(a.options.memory_bytes == mib(100) && a.container.limit_bytes == mib(256));
}

Test(vm_options, processors_are_those_of_the_option)
{
	struct ask a;

	cr_assert_eq(ask(&a, (const char *const[]){"kind", "container", "vcpus", "3", NULL}, true), 0, "%s", a.err.message);
	cr_expect_eq(a.options.vcpus, 3);
	cr_expect(strstr(a.options.runtime_words, "cpu=300"), "%s", a.options.runtime_words);
}

Test(vm_options, a_missing_runtime_is_named_with_a_remedy)
{
	struct ask a;

	cr_assert_eq(ask(&a, (const char *const[]){"kind", "container", NULL}, false), -ENOENT);
	cr_expect(strstr(a.err.message, "/bench-guest"), "%s", a.err.message);
	cr_expect(strstr(a.err.hint, "install-deps"), "%s", a.err.hint);
}

Test(vm_options, words_of_containers_are_for_machines_that_run_them)
{
	struct ask a;

	cr_expect_eq(ask(&a, (const char *const[]){"shared", "on", NULL}, true), -EINVAL);
	cr_expect_eq(ask(&a, (const char *const[]){"kind", "microvm", "guest-memory", "300M", NULL}, true), -EINVAL);
	cr_expect_eq(ask(&a, (const char *const[]){"kind", "container", "shared", "maybe", NULL}, true), -EINVAL);
	cr_expect_eq(ask(&a, (const char *const[]){"kind", "container", "guest-memory", "much", NULL}, true), -EINVAL);
	cr_expect(strstr(a.err.message, "guest-memory"), "%s", a.err.message);
	cr_expect_eq(ask(&a, (const char *const[]){"kind", "containers", NULL}, true), -EINVAL);
	cr_expect(strstr(a.err.hint, "container"), "%s", a.err.hint);
}
