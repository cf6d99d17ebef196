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
	attribute(w, "arch", "x86_64");
	if (c->machine)
		attribute(w, "machine", c->machine);
	xmlTextWriterWriteString(w, BAD_CAST "hvm");
	close_element(w);
	element(w, "kernel", c->kernel);
	element(w, "initrd", c->initrd);
	element(w, "cmdline", c->cmdline);
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
	}
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
		attribute(w, "type", "isa-serial");
		attribute(w, "port", port);
		leaf(w, "model", "name", "isa-serial", NULL, NULL);
		close_element(w);
		close_element(w);
	}
	leaf(w, "memballoon", "model", "none", NULL, NULL);
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

static void write_domain(xmlTextWriterPtr w, const struct domain_config *c)
{
	open_element(w, "domain");
	attribute(w, "type", c->type);
	if (c->few_capabilities)
		attribute(w, "xmlns:qemu", QEMU_NAMESPACE);
	element(w, "name", c->name);
	write_resources(w, c);
	write_os(w, c);
	/* A guest that ends, resets or panics is over: nothing restarts behind the back of a measurement. */
	element(w, "on_poweroff", "destroy");
	element(w, "on_reboot", "destroy");
	element(w, "on_crash", "destroy");
	write_devices(w, c);
	write_security(w, c);
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
