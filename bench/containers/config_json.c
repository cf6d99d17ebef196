#include "config_json.h"

#include <results/json_map.h>

#include <stdio.h>

static json_t *limits_json(const struct cgroup_limits *limits)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "memory_bytes", json_integer(limits->memory_bytes));
	json_make_set(&make, "memory_high_bytes", json_integer(limits->memory_high_bytes));
	json_make_set(&make, "memory_low_bytes", json_integer(limits->memory_low_bytes));
	json_make_set(&make, "swap_bytes", json_integer(limits->swap_bytes));
	json_make_set(&make, "cpu_percent", json_integer(limits->cpu_percent));
	json_make_set(&make, "cpu_weight", json_integer(limits->cpu_weight));
	json_make_set(&make, "cpus", json_text_new(limits->cpus));
	json_make_set(&make, "pids", json_integer(limits->pids_max));
	json_make_set(&make, "io_weight", json_integer(limits->io_weight));
	return json_make_end(&make);
}

static json_t *mounts_json(const struct container_options *options)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < options->n_mounts; i++) {
		const struct container_mount *mount = &options->mounts[i];
		struct json_make make = json_make_begin();

		json_make_set(&make, "source", json_text_new(mount->source));
		json_make_set(&make, "target", json_text_new(mount->target));
		json_make_set(&make, "writable", json_boolean(mount->writable));
		if (json_array_append_new(list, json_make_end(&make)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *link_json(const struct network_link *link)
{
	struct json_make make = json_make_begin();
	char mac[24];

	if (!link->name[0]) {
		json_decref(json_make_end(&make));
		return json_null();
	}
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", link->mac[0], link->mac[1], link->mac[2], link->mac[3], link->mac[4],
		 link->mac[5]);
	json_make_set(&make, "name", json_string(link->name));
	json_make_set(&make, "host_name", json_string(link->host_name));
	json_make_set(&make, "address", json_string(link->address));
	json_make_set(&make, "prefix", json_integer(link->prefix));
	json_make_set(&make, "gateway", json_string(link->gateway));
	json_make_set(&make, "mac", json_string(mac));
	return json_make_end(&make);
}

json_t *config_json(const struct container_options *options, const struct container_plan *plan, const struct container *container,
		    const char *id)
{
	static const char *const roots[] = {
		[CONTAINER_ROOT_READ_ONLY] = "read-only",
		[CONTAINER_ROOT_OVERLAY] = "overlay in memory",
		[CONTAINER_ROOT_COPY] = "copy in memory",
		[CONTAINER_ROOT_UPPER] = "overlay on a folder",
	};
	const struct container_facts *facts = container_plan_facts(plan);
	struct json_make make = json_make_begin();

	json_make_set(&make, "rootfs", json_text_new(options->rootfs));
	json_make_set(&make, "root", json_string(roots[options->root]));
	json_make_set(&make, "hostname", json_text_new(options->hostname ? options->hostname : id));
	json_make_set(&make, "rootless", json_boolean(facts->rootless));
	json_make_set(&make, "namespaces", json_text_new(facts->namespaces));
	json_make_set(&make, "network", json_text_new(facts->network));
	json_make_set(&make, "cgroup", json_text_new(facts->cgroup));
	json_make_set(&make, "limits_set", json_text_new(facts->limits));
	json_make_set(&make, "capabilities", json_text_new(facts->capabilities));
	json_make_set(&make, "seccomp", json_text_new(facts->seccomp));
	json_make_set(&make, "limits", limits_json(&options->limits));
	json_make_set(&make, "mounts", mounts_json(options));
	json_make_set(&make, "link", link_json(&container->link));
	return json_make_end(&make);
}
