/* Fuzzes the reader of hierarchy files: any bytes are either refused with one line that names a line of the text, or give groups that hold together.
 * Build: clang -fsanitize=fuzzer,address,undefined; corpus: tests/fuzz/corpus/hierarchy. */
#include <cgroup/cgroup_hierarchy.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_refusal(const char *text, size_t size, const struct error *err)
{
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	require(strncmp(err->message, "fuzz: line ", 11) == 0);
	/* jansson counts from 1, and its last line may be the one behind the last newline. */
	char *end;
	unsigned long line = strtoul(err->message + 11, &end, 10);
	require(line <= lines && (*end == ':' || *end == ','));
	for (const char *at = err->message; *at; at++)
		require(*at >= ' ' && *at <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cgroup_hierarchy hierarchy = {0};
	struct error err = {0};
	double leaves = 0;
	char path[1024];

	if (cgroup_hierarchy_parse((const char *)data, size, "fuzz", &hierarchy, &err) < 0) {
		check_refusal((const char *)data, size, &err);
		require(!hierarchy.nodes);
		return 0;
	}
	for (size_t i = 0; i < hierarchy.n_nodes; i++) {
		const struct cgroup_node *node = &hierarchy.nodes[i];

		require(node->parent < (int)i);
		require(node->limits.cpu_weight >= 0 && node->limits.cpu_weight <= 10000);
		cgroup_hierarchy_path(&hierarchy, i, path, sizeof(path));
		require(cgroup_hierarchy_find(&hierarchy, path) == (int)i);
		if (node->n_children == 0)
			leaves += cgroup_hierarchy_share(&hierarchy, i);
	}
	require(fabs(leaves - 1) < 0.01); /* each sum of siblings may be off by a hundredth of a percent */
	cgroup_hierarchy_free(&hierarchy);
	return 0;
}
