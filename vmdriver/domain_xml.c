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
	/* virtiofsd reads and writes the guest's memory. */
	if (c->share.kind == DOMAIN_SHARE_VIRTIOFS) {
		open_element(w, "memoryBacking");
		leaf(w, "source", "type", "memfd", NULL, NULL);
		leaf(w, "access", "mode", "shared", NULL, NULL);
		close_element(w);
	}
}

static bool has_isa(const struct domain_config *c)
{
	return !c->arch || strcmp(c->arch, "x86_64") == 0;
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
	/* Without ACPI a guest of x86 cannot switch itself off. Where its tables come from firmware alone, there is another way. */
	if (has_isa(c) || c->firmware) {
		open_element(w, "features");
		leaf(w, "acpi", NULL, NULL, NULL, NULL);
		close_element(w);
	}
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
		if (c->cpu_feature)
			leaf(w, "feature", "policy", "require", "name", c->cpu_feature);
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

static bool is_microvm(const struct domain_config *c)
{
	return c->machine && strcmp(c->machine, "microvm") == 0;
}

/* microvm has no PCI. libvirt does not know that by itself. */
static void write_virtio_address(xmlTextWriterPtr w, const struct domain_config *c)
{
	if (is_microvm(c))
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

static void write_share(xmlTextWriterPtr w, const struct domain_config *c)
{
	bool is_9p = c->share.kind == DOMAIN_SHARE_9P;

	if (c->share.kind == DOMAIN_SHARE_NONE)
		return;
	open_element(w, "filesystem");
	attribute(w, "type", "mount");
	if (is_9p)
		attribute(w, "accessmode", "passthrough");
	else
		leaf(w, "driver", "type", "virtiofs", NULL, NULL);
	if (is_9p)
		leaf(w, "source", "dir", c->share.folder, NULL, NULL);
	else
		leaf(w, "source", "socket", c->share.socket, NULL, NULL);
	leaf(w, "target", "dir", c->share.tag, NULL, NULL);
	if (is_9p)
		leaf(w, "readonly", NULL, NULL, NULL, NULL);
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

static void write_serial(xmlTextWriterPtr w, const char *path, size_t port, const char *type, const char *model)
{
	char number[24];

	snprintf(number, sizeof(number), "%zu", port);
	open_element(w, "serial");
	attribute(w, "type", "unix");
	leaf(w, "source", "mode", "connect", "path", path);
	open_element(w, "target");
	attribute(w, "type", type);
	attribute(w, "port", number);
	leaf(w, "model", "name", model, NULL, NULL);
	close_element(w);
	/* Right on the root of PCI Express: else libvirt adds a bridge for it, which costs the guest's start. */
	if (strcmp(type, "pci-serial") == 0) {
		open_element(w, "address");
		attribute(w, "type", "pci");
		attribute(w, "bus", "0x00");
		attribute(w, "slot", "0x02");
		close_element(w);
	}
	close_element(w);
}

/* "virt" has one port of its own, which the kernel knows from its first word on: its console. The guest's ttyS0 is a card. */
static void write_serials(xmlTextWriterPtr w, const struct domain_config *c)
{
	if (has_isa(c)) {
		for (size_t i = 0; i < c->n_serials; i++)
			write_serial(w, c->serials[i], i, "isa-serial", "isa-serial");
		return;
	}
	if (c->n_serials > 1)
		write_serial(w, c->serials[1], 0, "system-serial", "pl011");
	if (c->n_serials > 0)
		write_serial(w, c->serials[0], 1, "pci-serial", "pci-serial");
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
	write_serials(w, c);
	write_carried(w, c);
	for (size_t i = 0; i < c->n_disks; i++)
		write_disk(w, c, &c->disks[i]);
	write_share(w, c);
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

/* QEMU's virtio-mmio is the one before version 1 unless it is told otherwise, and virtiofs came after that. */
static bool needs_modern_mmio(const struct domain_config *c)
{
	return is_microvm(c) && c->share.kind == DOMAIN_SHARE_VIRTIOFS;
}

static bool has_arguments(const struct domain_config *c)
{
	return c->trace || needs_modern_mmio(c);
}

/* libvirt has no words of its own for these. */
static void write_arguments(xmlTextWriterPtr w, const struct domain_config *c)
{
	const char *const trace[] = {"-trace", "enable=fw_cfg_select", "-trace", "enable=vm_state_notify", "-D", c->trace};
	const char *const modern[] = {"-global", "virtio-mmio.force-legacy=false"};

	if (!has_arguments(c))
		return;
	open_element(w, "qemu:commandline");
	for (size_t i = 0; c->trace && i < sizeof(trace) / sizeof(trace[0]); i++)
		leaf(w, "qemu:arg", "value", trace[i], NULL, NULL);
	for (size_t i = 0; needs_modern_mmio(c) && i < sizeof(modern) / sizeof(modern[0]); i++)
		leaf(w, "qemu:arg", "value", modern[i], NULL, NULL);
	close_element(w);
}

static void write_domain(xmlTextWriterPtr w, const struct domain_config *c)
{
	open_element(w, "domain");
	attribute(w, "type", c->type);
	if (c->few_capabilities || has_arguments(c))
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
	write_arguments(w, c);
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
