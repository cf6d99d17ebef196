#include "memory_split.h"

#include "host.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { GRANULE = 2 << 20, STATS_MAX = VIR_DOMAIN_MEMORY_STAT_NR };

/* One mapping of smaps. */
struct mapping {
	int64_t size, rss, pss;
};

/* "Rss:       1234 kB" */
static bool take_field(const char *line, const char *key, int64_t *ret)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length) != 0 || line[length] != ':')
		return false;
	*ret = strtoll(line + length + 1, NULL, 10) * 1024;
	return true;
}

/* libvirt and QEMU round a size up. Of several that would do (there is none but the guest's of that size, as a rule) the fullest is it. */
static void account(const struct mapping *m, int64_t memory_bytes, struct memory_split *split)
{
	bool is_ram = m->size >= memory_bytes && m->size < memory_bytes + GRANULE;

	split->total_pss_bytes += m->pss;
	if (is_ram && m->rss > split->ram_rss_bytes) {
		split->ram_rss_bytes = m->rss;
		split->ram_pss_bytes = m->pss;
	}
}

int memory_split_read(FILE *smaps, int64_t memory_bytes, struct memory_split *ret, struct error *err)
{
	struct memory_split split = {.ram_rss_bytes = -1, .ram_pss_bytes = -1};
	struct mapping mapping = {0};
	bool any = false;
	char line[512];

	while (fgets(line, sizeof(line), smaps)) {
		if (take_field(line, "Rss", &mapping.rss) || take_field(line, "Size", &mapping.size))
			continue;
		/* Of the fields that count here it is the last. */
		if (!take_field(line, "Pss", &mapping.pss))
			continue;
		account(&mapping, memory_bytes, &split);
		any = true;
	}
	if (!any)
		return error_set(err, EIO, "QEMU's memory: its list of mappings cannot be read");
	*ret = split;
	return 0;
}

int64_t memory_split_claim(uint64_t kib, int64_t memory_bytes)
{
	return kib > (uint64_t)memory_bytes / 1024 ? memory_bytes : (int64_t)(kib * 1024);
}

/* The balloon answers what the guest told it last, once a second; QEMU alone knows its size. */
static void read_balloon(struct vm *vm, struct vm_memory *ret)
{
	virDomainMemoryStatStruct stats[STATS_MAX];
	int n = vm->domain ? virDomainMemoryStats(vm->domain, stats, STATS_MAX, 0) : -1;

	for (int i = 0; i < n; i++) {
		if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON)
			ret->balloon_bytes = memory_split_claim(stats[i].val, vm->host->domain.memory_bytes);
		if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_UNUSED)
			ret->balloon_unused_bytes = memory_split_claim(stats[i].val, vm->host->domain.memory_bytes);
	}
}

void vm_memory(struct vm *vm, struct vm_memory *ret)
{
	char path[64];
	struct memory_split split;

	*ret = (struct vm_memory){-1, -1, -1, -1};
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)vm->view.pid);

	_cleanup_fclose_ FILE *smaps = fopen(path, "re");

	if (smaps && memory_split_read(smaps, vm->host->domain.memory_bytes, &split, NULL) == 0 && split.ram_rss_bytes >= 0) {
		ret->ram_bytes = split.ram_rss_bytes;
		ret->vmm_pss_bytes = split.total_pss_bytes - split.ram_pss_bytes;
	}
	if (vm->host->domain.balloon && !vm->host->wedged)
		read_balloon(vm, ret);
}
