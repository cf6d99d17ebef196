/* The environment fingerprint: small readers of /proc and /sys, one a fact. A fact that is not there stays unknown. */
#include "environment.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

enum { HEAD_MAX = 16384 };

/* Appends to a text that is cut where its buffer ends. */
static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + length, size - length, format, args);
	va_end(args);
}

/* One short file as text without blanks at its ends; empty when it cannot be read. */
static void read_text(const char *root, const char *path, char *ret, size_t size)
{
	char text[1024];
	size_t first, length;

	ret[0] = '\0';
	if (file_read(root, path, text, sizeof(text), NULL) < 0)
		return;
	first = strspn(text, " \t\n");
	length = strlen(text + first);
	while (length > 0 && strchr(" \t\n", text[first + length - 1]))
		length--;
	snprintf(ret, size, "%.*s", (int)length, text + first);
}

/* The beginning of a file that may be long (/proc/cpuinfo of a large host); false when it cannot be read. */
static bool read_head(const char *root, const char *path, char *ret, size_t size)
{
	char full[PATH_MAX];
	_cleanup_close_ int fd = -1;
	size_t length = 0;
	ssize_t got = 0;

	if (path_format(full, sizeof(full), NULL, "%s%s", root, path) < 0)
		return false;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (length < size - 1 && (got = read(fd, ret + length, size - 1 - length)) > 0)
		length += (size_t)got;
	ret[length] = '\0';
	return got >= 0;
}

static FILE *open_stream(const char *root, const char *path)
{
	char full[PATH_MAX];

	return path_format(full, sizeof(full), NULL, "%s%s", root, path) < 0 ? NULL : fopen(full, "re");
}

/* ---- kernel, system, processor ---- */

static int read_kernel(const char *root, struct environment *env, struct error *err)
{
	struct utsname uts;

	read_text(root, "/proc/sys/kernel/osrelease", env->kernel, sizeof(env->kernel));
	read_text(root, "/proc/sys/kernel/arch", env->architecture, sizeof(env->architecture));
	/* The file is younger (Linux 6.1) than the call, but the call knows this host alone. */
	if (!env->architecture[0] && !*root && uname(&uts) == 0)
		append(env->architecture, sizeof(env->architecture), "%s", uts.machine);
	if (env->kernel[0])
		return 0;
	error_set(err, ENOENT, "read %s/proc/sys/kernel/osrelease: the kernel does not tell its version", root);
	return error_hint(err, "mount /proc");
}

static void read_os(const char *root, struct environment *env)
{
	char text[HEAD_MAX], value[256] = "";
	const char *begin = value;
	size_t length;

	if (!read_head(root, "/etc/os-release", text, sizeof(text)) && !read_head(root, "/usr/lib/os-release", text, sizeof(text)))
		return;
	if (!text_field(text, "PRETTY_NAME", value, sizeof(value)))
		return;
	length = strlen(value);
	if (length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0]) {
		begin = value + 1;
		length -= 2;
	}
	snprintf(env->os, sizeof(env->os), "%.*s", (int)length, begin);
}

static void read_memory(const char *root, struct environment *env)
{
	char text[HEAD_MAX], value[64];
	int64_t kib = 0;

	env->memory_bytes = -1;
	if (!read_head(root, "/proc/meminfo", text, sizeof(text)) || !text_field(text, "MemTotal", value, sizeof(value)))
		return;
	for (const char *digit = value; *digit >= '0' && *digit <= '9'; digit++)
		if (__builtin_mul_overflow(kib, 10, &kib) || __builtin_add_overflow(kib, *digit - '0', &kib))
			return;
	if (kib > 0 && kib <= INT64_MAX / 1024)
		env->memory_bytes = kib * 1024;
}

static void read_cpu_model(const char *cpuinfo, struct environment *env)
{
	/* x86, arm (32 bit), riscv, s390; arm64 has numbers alone. */
	static const char *const names[] = {"model name", "Processor", "uarch", "vendor_id"};
	char implementer[32], part[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_field(cpuinfo, names[i], env->cpu_model, sizeof(env->cpu_model)))
			return;
	if (text_field(cpuinfo, "CPU implementer", implementer, sizeof(implementer)) && text_field(cpuinfo, "CPU part", part, sizeof(part)))
		snprintf(env->cpu_model, sizeof(env->cpu_model), "implementer %s part %s", implementer, part);
}

/* ---- who virtualises this host ---- */

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

/* What the hypervisor of this very processor calls itself (CPUID leaf 0x40000000), e.g. "KVMKVMKVM". */
static void read_cpuid_signature(char *ret, size_t size)
{
	ret[0] = '\0';
#if defined(__x86_64__) || defined(__i386__)
	unsigned leaf, words[3];
	char text[sizeof(words) + 1] = "";

	__cpuid(0x40000000, leaf, words[0], words[1], words[2]);
	memcpy(text, words, sizeof(words));
	for (char *at = text; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			return;
	snprintf(ret, size, "%s", text);
#endif
}

/* Maker and model as the firmware names them; a model that repeats its maker is enough. */
static void read_firmware_name(const char *root, char *ret, size_t size)
{
	char vendor[64], product[64];

	ret[0] = '\0';
	read_text(root, "/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor));
	read_text(root, "/sys/class/dmi/id/product_name", product, sizeof(product));
	if (vendor[0] && strncmp(vendor, product, strlen(vendor)) != 0)
		append(ret, size, "%s", vendor);
	if (product[0])
		append(ret, size, "%s%s", ret[0] ? " " : "", product);
}

/* Without a processor flag (all but x86) the firmware's name must do, and only those count that are surely no metal. */
static bool names_a_hypervisor(const char *firmware)
{
	static const char *const names[] = {"QEMU", "KVM",      "VMware",          "VirtualBox",           "Bochs",
					    "Xen",  "HVM domU", "Virtual Machine", "Google Compute Engine"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strstr(firmware, names[i]))
			return true;
	return false;
}

static void read_hypervisor(const char *root, const char *cpuinfo, struct environment *env)
{
	char flags[8192], signature[16] = "", firmware[128], *ret = env->hypervisor;
	size_t size = sizeof(env->hypervisor);
	bool has_flags = text_field(cpuinfo, "flags", flags, sizeof(flags));

	read_firmware_name(root, firmware, sizeof(firmware));
	read_text(root, "/sys/hypervisor/type", ret, size);
	if (ret[0])
		return;
	if (!has_flags) {
		if (names_a_hypervisor(firmware))
			snprintf(ret, size, "%s", firmware);
		return;
	}
	if (!has_word(flags, "hypervisor")) {
		snprintf(ret, size, "none");
		return;
	}
	if (!*root)
		read_cpuid_signature(signature, sizeof(signature));
	append(ret, size, "%s", signature);
	if (firmware[0])
		append(ret, size, "%s%s", ret[0] ? ", " : "", firmware);
	if (!ret[0])
		snprintf(ret, size, "unknown");
}

/* ---- control groups ---- */

struct cgroup_mounts {
	bool v1;
	char v2_point[PATH_MAX]; /* of the first cgroup2 mount, below the root prefix; empty: none */
};

/* One line of /proc/self/mountinfo: "36 35 98:0 /root /point options [optional…] - type source super". */
static void read_mount(char *line, struct cgroup_mounts *mounts)
{
	char *type = strstr(line, " - "), *field = line;

	if (!type)
		return;
	type += 3;
	if (strncmp(type, "cgroup ", 7) == 0)
		mounts->v1 = true;
	if (strncmp(type, "cgroup2 ", 8) != 0 || mounts->v2_point[0])
		return;
	for (int i = 0; i < 4 && field; i++) {
		field = strchr(field, ' ');
		field += field ? 1 : 0;
	}
	if (field && *field == '/')
		snprintf(mounts->v2_point, sizeof(mounts->v2_point), "%.*s", (int)strcspn(field, " "), field);
}

static void find_mounts(const char *root, struct cgroup_mounts *ret)
{
	_cleanup_fclose_ FILE *file = open_stream(root, "/proc/self/mountinfo");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	*ret = (struct cgroup_mounts){0};
	while (file && getline(&line, &room, file) > 0)
		read_mount(line, ret);
}

/* Controllers that a v1 hierarchy holds: lines "name hierarchy number enabled" with a hierarchy other than 0. */
static void append_v1_controllers(const char *root, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *file = open_stream(root, "/proc/cgroups");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		size_t name = strcspn(line, " \t"), hierarchy = name + strspn(line + name, " \t");

		if (line[0] != '#' && line[hierarchy] >= '1' && line[hierarchy] <= '9')
			append(ret, size, "%s%.*s", ret[0] ? " " : "", (int)name, line);
	}
}

/* Controllers of the v2 hierarchy, each with `prefix`. */
static void append_v2_controllers(const char *root, const char *point, const char *prefix, char *ret, size_t size)
{
	char path[PATH_MAX], text[1024], *rest = text;

	if (path_format(path, sizeof(path), NULL, "%s/cgroup.controllers", point) < 0)
		return;
	read_text(root, path, text, sizeof(text));
	for (char *name = strsep(&rest, " \n"); name; name = strsep(&rest, " \n"))
		if (*name)
			append(ret, size, "%s%s%s", ret[0] ? " " : "", prefix, name);
}

static void read_cgroups(const char *root, struct environment *env)
{
	struct cgroup_mounts mounts;
	const char *mode;

	find_mounts(root, &mounts);
	if (mounts.v2_point[0])
		mode = mounts.v1 ? "hybrid" : "v2";
	else
		mode = mounts.v1 ? "v1" : "none";
	snprintf(env->cgroup_mode, sizeof(env->cgroup_mode), "%s", mode);
	if (mounts.v1)
		append_v1_controllers(root, env->cgroup_controllers, sizeof(env->cgroup_controllers));
	if (mounts.v2_point[0])
		append_v2_controllers(root, mounts.v2_point, mounts.v1 ? "v2:" : "", env->cgroup_controllers,
				      sizeof(env->cgroup_controllers));
}

/* ---- settings that change figures ---- */

/* The word in brackets of "always [madvise] never". */
static void read_choice(const char *root, const char *path, char *ret, size_t size)
{
	char text[256];
	const char *begin;

	ret[0] = '\0';
	read_text(root, path, text, sizeof(text));
	begin = strchr(text, '[');
	if (begin)
		snprintf(ret, size, "%.*s", (int)strcspn(begin + 1, "]"), begin + 1);
}

static void read_settings(const char *root, struct environment *env)
{
	int64_t ksm;

	read_text(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", env->governor, sizeof(env->governor));
	read_text(root, "/sys/devices/system/cpu/smt/control", env->smt, sizeof(env->smt));
	read_text(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", env->clocksource, sizeof(env->clocksource));
	read_choice(root, "/sys/kernel/mm/transparent_hugepage/enabled", env->thp, sizeof(env->thp));
	env->ksm = -1;
	/* 1 merges, 0 has stopped, 2 has stopped and unmerged. */
	if (file_read_int(root, "/sys/kernel/mm/ksm/run", &ksm, NULL) == 0)
		env->ksm = ksm == 1;
}

int environment_read(const char *root, struct environment *ret, struct error *err)
{
	/* What this function does not know is the caller's and stays. */
	struct environment env = {.packages = ret->packages,
				  .cores = ret->cores,
				  .threads = ret->threads,
				  .numa_nodes = ret->numa_nodes,
				  .agent_bytes = ret->agent_bytes};
	char cpuinfo[HEAD_MAX];
	int r = read_kernel(root, &env, err);

	if (r < 0)
		return r;
	memcpy(env.bench_version, ret->bench_version, sizeof(env.bench_version));
	memcpy(env.compiler, ret->compiler, sizeof(env.compiler));
	memcpy(env.build_type, ret->build_type, sizeof(env.build_type));
	memcpy(env.agent_sha256, ret->agent_sha256, sizeof(env.agent_sha256));
	if (!read_head(root, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo)))
		cpuinfo[0] = '\0';
	read_os(root, &env);
	read_memory(root, &env);
	read_cpu_model(cpuinfo, &env);
	read_hypervisor(root, cpuinfo, &env);
	read_cgroups(root, &env);
	read_settings(root, &env);
	snprintf(env.libc, sizeof(env.libc), "glibc %s", gnu_get_libc_version());
	env.privileged = geteuid() == 0;
	*ret = env;
	return 0;
}

/* ---- the agent's bytes ---- */

int file_sha256(const char *path, char ret_hex[65], int64_t *ret_bytes, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	uint8_t buffer[65536], digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx context;
	int64_t size = 0;
	ssize_t got;

	if (fd < 0)
		return error_errno(err, "open %s", path);
	sha256_init(&context);
	while ((got = read(fd, buffer, sizeof(buffer))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "read %s", path);
		sha256_update(&context, (size_t)got, buffer);
		size += got;
	}
	sha256_digest(&context, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
	*ret_bytes = size;
	return 0;
}
