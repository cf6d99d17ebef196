/* Machine descriptions against golden files, and against libvirt's own parser. */
#include <base/files.h>
#include <criterion/criterion.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <vmdriver/domain_xml.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct domain_config typical(void)
{
	return (struct domain_config){
		.name = "bench-a1",
		.type = "qemu",
		.machine = "q35",
		.memory_bytes = 256 << 20,
		.vcpus = 1,
		.cpuset = "1",
		.kernel = "/run/bench/0/vm/kernel",
		.initrd = "/run/bench/0/vm/initramfs",
		.cmdline = "console=ttyS1 panic=-1",
		.serials = {"/run/bench/0/vm/a1.0", "/run/bench/0/vm/a1.1"},
		.n_serials = 2,
		.few_capabilities = true,
	};
}

static void check_golden(const struct domain_config *config, const char *name)
{
	char path[512], expected[8192] = "";
	struct error err = {0};
	char *xml = NULL;

	snprintf(path, sizeof(path), "%s/vm-%s.xml", BENCH_TEST_DATA, name);
	cr_assert_eq(domain_xml(config, &xml, &err), 0, "%s", err.message);
	cr_assert_geq(file_read("", path, expected, sizeof(expected), &err), 0, "%s", err.message);
	if (xml[strlen(xml) - 1] == '\n')
		xml[strlen(xml) - 1] = '\0';
	cr_assert_str_eq(xml, expected, "%s differs; it is now:\n%s", path, xml);
	free(xml);
}

Test(vm_domain_xml, q35_under_tcg)
{
	struct domain_config config = typical();

	check_golden(&config, "q35-tcg");
}

Test(vm_domain_xml, q35_under_kvm_has_the_hosts_processor)
{
	struct domain_config config = typical();

	config.type = "kvm";
	config.host_cpu = true;
	config.few_capabilities = false;
	config.cpuset = "";
	config.vcpus = 4;
	check_golden(&config, "q35-kvm");
}

Test(vm_domain_xml, microvm)
{
	struct domain_config config = typical();

	config.machine = "microvm";
	config.cpu_model = "qemu64";
	config.cpu_feature = "arat";
	config.cpuset = "0-1,3";
	check_golden(&config, "microvm-tcg");
}

Test(vm_domain_xml, microvm_under_kvm)
{
	struct domain_config config = typical();

	config.machine = "microvm";
	config.type = "kvm";
	config.host_cpu = true;
	check_golden(&config, "microvm-kvm");
}

/* Another architecture: no ISA, no ACPI without firmware; the port that it has by itself is the console, [0] is a card. */
Test(vm_domain_xml, virt_under_tcg)
{
	struct domain_config config = typical();

	config.arch = "aarch64";
	config.machine = "virt";
	config.cpu_model = "cortex-a72";
	config.cmdline = "console=ttyAMA0 panic=-1";
	check_golden(&config, "virt-tcg");
}

Test(vm_domain_xml, system_daemon_changes_no_owner)
{
	struct domain_config config = typical();

	config.keep_owner = true;
	config.uid = 0;
	config.gid = 107;
	check_golden(&config, "system");
}

Test(vm_domain_xml, what_xml_treats_specially_is_escaped)
{
	struct domain_config config = typical();
	char *xml = NULL;

	config.cmdline = "a=<b> & \"c\"";
	config.serials[0] = "/tmp/it's <here>";
	cr_assert_eq(domain_xml(&config, &xml, NULL), 0);
	cr_assert(strstr(xml, "<cmdline>a=&lt;b&gt; &amp; "), "%s", xml);
	cr_assert(strstr(xml, "&lt;here&gt;"), "%s", xml);
	free(xml);
}

static void ignore(void *arg, virErrorPtr error)
{
}

Test(vm_domain_xml, a_layer_over_another_image_has_its_format)
{
	struct domain_config config = typical();
	char *xml = NULL;

	config.n_disks = 2;
	config.disks[0] = (struct domain_disk){.path = "/run/bench/0/vm/a1.0.disk", .target = "vda", .format = "qcow2"};
	config.disks[1] = (struct domain_disk){.path = "/data.img", .target = "vdb"};
	cr_assert_eq(domain_xml(&config, &xml, NULL), 0);

	const char *layer = strstr(xml, "qcow2"), *raw = strstr(xml, "\"raw\"");

	cr_assert(layer && raw && layer < strstr(xml, "/run/bench/0/vm/a1.0.disk") && raw > layer && raw < strstr(xml, "/data.img"), "%s",
		  xml);
	free(xml);
}

/* A root file system for all, and a disk of its own with limits, which tells the guest of errors. */
static struct domain_config with_disks(void)
{
	struct domain_config config = typical();

	config.n_disks = 2;
	config.disks[0] = (struct domain_disk){
		.path = "/var/cache/bench/vm/disks/k/disk", .target = "vda", .read_only = true, .serial = "bench-root", .read_ops = 50};
	config.disks[1] = (struct domain_disk){.path = "/run/bench/0/vm/a1.0.scratch",
					       .target = "vdb",
					       .serial = "bench-scratch",
					       .cache = "none",
					       .report_errors = true,
					       .read_bytes = 4 << 20,
					       .write_bytes = 2 << 20,
					       .read_ops = 50,
					       .write_ops = 25};
	return config;
}

Test(vm_domain_xml, on_another_host_the_streams_come_over_the_connection)
{
	struct domain_config config = typical();

	config.cpuset = NULL;
	config.n_serials = 0;
	config.channel = "bench.control";
	check_golden(&config, "remote");
}

Test(vm_domain_xml, disks_with_limits)
{
	struct domain_config config = with_disks();

	check_golden(&config, "q35-disks");
}

Test(vm_domain_xml, disks_without_pci)
{
	struct domain_config config = with_disks();

	config.machine = "microvm";
	check_golden(&config, "microvm-disks");
}

static struct domain_config with_share(enum domain_share_kind kind)
{
	struct domain_config config = typical();

	config.share = (struct domain_share){.kind = kind, .socket = "/run/bench/0/vm/a1.0.fs", .folder = "/srv/tree", .tag = "bench-root"};
	return config;
}

Test(vm_domain_xml, a_folder_by_virtiofs)
{
	struct domain_config config = with_share(DOMAIN_SHARE_VIRTIOFS);

	check_golden(&config, "q35-virtiofs");
	config.machine = "microvm";
	check_golden(&config, "microvm-virtiofs");
}

Test(vm_domain_xml, a_folder_by_9p)
{
	struct domain_config config = with_share(DOMAIN_SHARE_9P);

	check_golden(&config, "q35-9p");
}

Test(vm_domain_xml, libvirt_accepts_disks)
{
	virSetErrorFunc(NULL, ignore);

	struct domain_config config = with_disks();
	virConnectPtr connection = virConnectOpen("test:///default");
	char *xml = NULL;

	cr_assert(connection, "%s", virGetLastErrorMessage());
	config.type = "test";
	config.machine = NULL;
	cr_assert_eq(domain_xml(&config, &xml, NULL), 0);
	virDomainPtr domain = virDomainCreateXML(connection, xml, VIR_DOMAIN_START_VALIDATE);
	cr_assert(domain, "%s", virGetLastErrorMessage());
	virDomainDestroy(domain);
	virDomainFree(domain);
	virConnectClose(connection);
	free(xml);
}

Test(vm_domain_xml, libvirt_accepts_it)
{
	virSetErrorFunc(NULL, ignore);

	struct domain_config config = typical();
	virConnectPtr connection = virConnectOpen("test:///default");
	char *xml = NULL;

	cr_assert(connection, "%s", virGetLastErrorMessage());
	config.type = "test";
	config.machine = NULL;
	cr_assert_eq(domain_xml(&config, &xml, NULL), 0);

	virDomainPtr domain = virDomainCreateXML(connection, xml, 0);

	cr_assert(domain, "%s", virGetLastErrorMessage());
	cr_assert_str_eq(virDomainGetName(domain), "bench-a1");
	cr_assert_eq(virDomainGetMaxMemory(domain), 256 * 1024);

	char *back = virDomainGetXMLDesc(domain, 0);

	cr_assert(strstr(back, "/run/bench/0/vm/a1.1"));
	cr_assert(strstr(back, "<on_reboot>destroy</on_reboot>"));
	free(back);
	cr_assert_eq(virDomainDestroy(domain), 0);
	virDomainFree(domain);
	virConnectClose(connection);
	free(xml);
}

static char *describe(const struct domain_config *config)
{
	struct error err = {0};
	char *xml = NULL;

	cr_assert_eq(domain_xml(config, &xml, &err), 0, "%s", err.message);
	return xml;
}

Test(vm_domain_xml, a_tap_is_not_libvirts_to_make_and_says_who_carries_it)
{
	struct domain_config config = typical();

	config.link = (struct domain_link){.kind = DOMAIN_LINK_TAP, .tap = "bn0", .mac = "02:00:0a:58:00:02"};
	char *xml = describe(&config);
	cr_assert(strstr(xml, "<interface type=\"ethernet\">"), "%s", xml);
	cr_assert(strstr(xml, "<target dev=\"bn0\" managed=\"no\"/>"), "%s", xml);
	cr_assert(strstr(xml, "<mac address=\"02:00:0a:58:00:02\"/>"), "%s", xml);
	cr_assert(strstr(xml, "<driver name=\"qemu\"/>"), "%s", xml);
	free(xml);
	config.link.vhost = true;
	xml = describe(&config);
	cr_assert(strstr(xml, "<driver name=\"vhost\"/>"), "%s", xml);
	free(xml);
}

Test(vm_domain_xml, devices_without_pci_have_an_address)
{
	struct domain_config config = typical();

	config.machine = "microvm";
	config.link.kind = DOMAIN_LINK_USER;
	config.balloon = true;
	char *xml = describe(&config), *interface = strstr(xml, "<interface type=\"user\">"),
	     *balloon = strstr(xml, "<memballoon model=\"virtio\">");
	cr_assert(interface && strstr(interface, "virtio-mmio") < strstr(interface, "</interface>"), "%s", xml);
	cr_assert(balloon && strstr(balloon, "virtio-mmio") < strstr(balloon, "</memballoon>"), "%s", xml);
	free(xml);
}
