#include "domain_xml.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <inttypes.h>
#include <libxml/tree.h>
#include <libxml/xmlwriter.h>
#include <stdio.h>
#include <string.h>

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

/* The writer keeps its own state of failure: every call may be made, the end tells. These shorten the casts. */
static void open_element(xmlTextWriterPtr w, const char *name)
{
	xmlTextWriterStartElement(w, BAD_CAST name);
}

static void attribute(xmlTextWriterPtr w, const char *name, const char *value)
{
	xmlTextWriterWriteAttribute(w, BAD_CAST name, BAD_CAST value);
}

static void close_element(xmlTextWriterPtr w)
{
	xmlTextWriterEndElement(w);
}

static void element(xmlTextWriterPtr w, const char *name, const char *text)
{
	if (text)
		xmlTextWriterWriteElement(w, BAD_CAST name, BAD_CAST text);
}

/* <name attr='value'/> with up to two attributes. */
static void leaf(xmlTextWriterPtr w, const char *name, const char *a1, const char *v1, const char *a2, const char *v2)
{
	open_element(w, name);
	if (a1)
		attribute(w, a1, v1);
	if (a2)
		attribute(w, a2, v2);
	close_element(w);
}

static void write_resources(xmlTextWriterPtr w, const struct domain_config *c)
{
	open_element(w, "memory");
	attribute(w, "unit", "KiB");
	xmlTextWriterWriteFormatString(w, "%" PRId64, c->memory_bytes / 1024);
	close_element(w);
	open_element(w, "vcpu");
	attribute(w, "placement", "static");
	if (c->cpuset && c->cpuset[0])
		attribute(w, "cpuset", c->cpuset);
	xmlTextWriterWriteFormatString(w, "%d", c->vcpus);
	close_element(w);
}

static void write_os(xmlTextWriterPtr w, const struct domain_config *c)
{
	open_element(w, "os");
	open_element(w, "type");
	attribute(w, "arch", c->arch ? c->arch : "x86_64");
	if (c->machine)
		attribute(w, "machine", c->machine);
	xmlTextWriterWriteString(w, BAD_CAST "hvm");
	close_element(w);
	if (c->firmware) {
		open_element(w, "loader");
		attribute(w, "readonly", "yes");
		attribute(w, "type", "pflash");
		xmlTextWriterWriteString(w, BAD_CAST c->firmware);
		close_element(w);
		element(w, "nvram", c->nvram);
	}
	element(w, "kernel", c->kernel);
	element(w, "initrd", c->initrd);
	element(w, "cmdline", c->cmdline);
	if (!c->kernel && c->n_disks > 0)
		leaf(w, "boot", "dev", "hd", NULL, NULL);
	close_element(w);
	/* Without ACPI a guest cannot switch itself off. */
	open_element(w, "features");
	leaf(w, "acpi", NULL, NULL, NULL, NULL);
	close_element(w);
	if (c->host_cpu) {
		open_element(w, "cpu");
		attribute(w, "mode", "host-passthrough");
		attribute(w, "check", "none");
		close_element(w);
	} else if (c->cpu_model) {
		open_element(w, "cpu");
		attribute(w, "mode", "custom");
		attribute(w, "match", "exact");
		attribute(w, "check", "none");
		element(w, "model", c->cpu_model);
		close_element(w);
	}
}

static void number(xmlTextWriterPtr w, const char *name, int64_t value)
{
	if (value <= 0)
		return;
	open_element(w, name);
	xmlTextWriterWriteFormatString(w, "%" PRId64, value);
	close_element(w);
}

static void write_cputune(xmlTextWriterPtr w, const struct domain_config *c)
{
	if (c->cpu_shares <= 0 && c->cpu_quota_us <= 0)
		return;
	open_element(w, "cputune");
	number(w, "shares", c->cpu_shares);
	number(w, "period", c->cpu_period_us);
	number(w, "quota", c->cpu_quota_us);
	close_element(w);
}

/* microvm has no PCI. libvirt does not know that by itself. */
static void write_virtio_address(xmlTextWriterPtr w, const struct domain_config *c)
{
	if (c->machine && strcmp(c->machine, "microvm") == 0)
		leaf(w, "address", "type", "virtio-mmio", NULL, NULL);
}

static void write_disk(xmlTextWriterPtr w, const struct domain_config *c, const struct domain_disk *disk)
{
	open_element(w, "disk");
	attribute(w, "type", "file");
	attribute(w, "device", "disk");
	open_element(w, "driver");
	attribute(w, "name", "qemu");
	attribute(w, "type", disk->format ? disk->format : "raw");
	if (disk->cache)
		attribute(w, "cache", disk->cache);
	if (disk->report_errors)
		attribute(w, "error_policy", "report");
	close_element(w);
	leaf(w, "source", "file", disk->path, NULL, NULL);
	leaf(w, "target", "dev", disk->target, "bus", "virtio");
	if (disk->read_bytes > 0 || disk->write_bytes > 0 || disk->read_ops > 0 || disk->write_ops > 0) {
		open_element(w, "iotune");
		number(w, "read_bytes_sec", disk->read_bytes);
		number(w, "write_bytes_sec", disk->write_bytes);
		number(w, "read_iops_sec", disk->read_ops);
		number(w, "write_iops_sec", disk->write_ops);
		close_element(w);
	}
	if (disk->read_only)
		leaf(w, "readonly", NULL, NULL, NULL, NULL);
	if (disk->private_changes)
		leaf(w, "transient", NULL, NULL, NULL, NULL);
	element(w, "serial", disk->serial);
	write_virtio_address(w, c);
	close_element(w);
}

static void write_link(xmlTextWriterPtr w, const struct domain_config *c)
{
	if (c->link.kind == DOMAIN_LINK_NONE)
		return;
	open_element(w, "interface");
	attribute(w, "type", c->link.kind == DOMAIN_LINK_USER ? "user" : "ethernet");
	if (c->link.mac)
		leaf(w, "mac", "address", c->link.mac, NULL, NULL);
	if (c->link.kind == DOMAIN_LINK_TAP)
		leaf(w, "target", "dev", c->link.tap, "managed", "no");
	leaf(w, "model", "type", "virtio", NULL, NULL);
	if (c->link.kind == DOMAIN_LINK_TAP)
		leaf(w, "driver", "name", c->link.vhost ? "vhost" : "qemu", NULL, NULL);
	write_virtio_address(w, c);
	close_element(w);
}

static void write_balloon(xmlTextWriterPtr w, const struct domain_config *c)
{
	open_element(w, "memballoon");
	attribute(w, "model", c->balloon ? "virtio" : "none");
	if (c->balloon) {
		leaf(w, "stats", "period", "1", NULL, NULL);
		write_virtio_address(w, c);
	}
	close_element(w);
}

static bool has_isa(const struct domain_config *c)
{
	return !c->arch || strcmp(c->arch, "x86_64") == 0;
}

/* Of a machine on another host. QEMU loses what a guest writes to a pty before it has noticed, up to a second later, that somebody reads: good enough for
 * a kernel's last words, not for a stream that is measured by. */
static void write_carried(xmlTextWriterPtr w, const struct domain_config *c)
{
	static const char *const types[] = {"null", "pty"}, *const ports[] = {"0", "1"};

	for (size_t i = 0; c->channel && i < sizeof(types) / sizeof(types[0]); i++) {
		open_element(w, "serial");
		attribute(w, "type", types[i]);
		leaf(w, "target", "port", ports[i], NULL, NULL);
		close_element(w);
	}
	if (!c->channel)
		return;
	open_element(w, "channel");
	attribute(w, "type", "unix");
	leaf(w, "source", "mode", "bind", NULL, NULL);
	leaf(w, "target", "type", "virtio", "name", c->channel);
	close_element(w);
}

static void write_devices(xmlTextWriterPtr w, const struct domain_config *c)
{
	open_element(w, "devices");
	leaf(w, "controller", "type", "usb", "model", "none");
	for (size_t i = 0; i < c->n_serials; i++) {
		char port[24];

		snprintf(port, sizeof(port), "%zu", i);
		open_element(w, "serial");
		attribute(w, "type", "unix");
		leaf(w, "source", "mode", "connect", "path", c->serials[i]);
		open_element(w, "target");
		attribute(w, "type", has_isa(c) ? "isa-serial" : "system-serial");
		attribute(w, "port", port);
		leaf(w, "model", "name", has_isa(c) ? "isa-serial" : "pl011", NULL, NULL);
		close_element(w);
		close_element(w);
	}
	write_carried(w, c);
	for (size_t i = 0; i < c->n_disks; i++)
		write_disk(w, c, &c->disks[i]);
	write_link(w, c);
	write_balloon(w, c);
	close_element(w);
}

static void write_security(xmlTextWriterPtr w, const struct domain_config *c)
{
	if (!c->keep_owner)
		return;
	open_element(w, "seclabel");
	attribute(w, "type", "static");
	attribute(w, "model", "dac");
	attribute(w, "relabel", "no");
	open_element(w, "label");
	xmlTextWriterWriteFormatString(w, "+%u:+%u", (unsigned)c->uid, (unsigned)c->gid);
	close_element(w);
	close_element(w);
}

/* libvirt has no words of its own for it. */
static void write_trace(xmlTextWriterPtr w, const struct domain_config *c)
{
	const char *const arguments[] = {"-trace", "enable=fw_cfg_select", "-trace", "enable=vm_state_notify", "-D", c->trace};

	if (!c->trace)
		return;
	open_element(w, "qemu:commandline");
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		leaf(w, "qemu:arg", "value", arguments[i], NULL, NULL);
	close_element(w);
}

static void write_domain(xmlTextWriterPtr w, const struct domain_config *c)
{
	open_element(w, "domain");
	attribute(w, "type", c->type);
	if (c->few_capabilities || c->trace)
		attribute(w, "xmlns:qemu", QEMU_NAMESPACE);
	element(w, "name", c->name);
	element(w, "uuid", c->uuid);
	write_resources(w, c);
	write_cputune(w, c);
	write_os(w, c);
	/* A guest that ends, resets or panics is over: nothing restarts behind the back of a measurement. */
	element(w, "on_poweroff", "destroy");
	element(w, "on_reboot", "destroy");
	element(w, "on_crash", "destroy");
	write_devices(w, c);
	write_security(w, c);
	write_trace(w, c);
	/* With this capability libvirt asks QEMU for each of some 400 CPU properties before it lets the guest run. The answer only matters
	 * to a CPU model that libvirt has to check. */
	if (c->few_capabilities) {
		open_element(w, "qemu:capabilities");
		leaf(w, "qemu:del", "capability", "cpu-unavailable-features", NULL, NULL);
		close_element(w);
	}
	close_element(w);
}

static void free_buffer(xmlBufferPtr *buffer)
{
	if (*buffer)
		xmlBufferFree(*buffer);
}

int domain_xml(const struct domain_config *config, char **ret, struct error *err)
{
	_cleanup_(free_buffer) xmlBufferPtr buffer = xmlBufferCreate();
	xmlTextWriterPtr w = buffer ? xmlNewTextWriterMemory(buffer, 0) : NULL;

	if (!w)
		return error_set(err, ENOMEM, "machine description: out of memory");
	xmlTextWriterSetIndent(w, 1);
	xmlTextWriterSetIndentString(w, BAD_CAST "  ");
	write_domain(w, config);

	int flushed = xmlTextWriterFlush(w);

	xmlFreeTextWriter(w);
	/* Text that is not UTF-8 (a strange path) makes the writer drop the element: better to look at the end than at each call. */
	if (flushed < 0 || !strstr((const char *)xmlBufferContent(buffer), "</domain>"))
		return error_set(err, EINVAL, "machine description: a name or path cannot be written as XML");
	*ret = strdup((const char *)xmlBufferContent(buffer));
	return *ret ? 0 : error_set(err, ENOMEM, "machine description: out of memory");
}
