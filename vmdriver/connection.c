#include "connection.h"

#include "connection_try.h"
#include "virt_error.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <libxml/uri.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A daemon that stands still is given up after KEEPALIVE_S * (KEEPALIVE_COUNT + 1) seconds. */
enum { KEEPALIVE_S = 2, KEEPALIVE_COUNT = 5 };

struct connection {
	virConnectPtr handle;
	char uri[256];
	char root[PATH_MAX]; /* empty unless embedded */
	char caps_cache[PATH_MAX];
	pthread_t loop;
	bool loop_runs;
	atomic_bool stop;
};

/* ---- which URIs ---- */

bool connection_uri_is_embed(const char *uri)
{
	return strcmp(uri, "qemu:///embed") == 0;
}

bool connection_uri_is_daemon(const char *uri)
{
	return strncmp(uri, "qemu", 4) == 0 && !connection_uri_is_embed(uri);
}

static void free_uri(xmlURIPtr *uri)
{
	xmlFreeURI(*uri);
}

static bool is_remote(const xmlURI *uri)
{
	const char *transport = strchr(uri->scheme, '+');

	/* Without a word for it, a host is reached by TLS. */
	return transport ? strcmp(transport, "+unix") != 0 : uri->server && uri->server[0];
}

bool connection_uri_is_remote(const char *uri)
{
	_cleanup_(free_uri) xmlURIPtr parsed = xmlParseURI(uri);

	return parsed && parsed->scheme && is_remote(parsed);
}

int connection_check_uri(const char *uri, struct error *err)
{
	_cleanup_(free_uri) xmlURIPtr parsed = xmlParseURI(uri);

	if (!parsed || !parsed->scheme || !parsed->path) {
		error_set(err, EINVAL, "'%s' is no libvirt URI", uri);
		return error_hint(err, "use qemu:///embed, qemu:///system or qemu:///session");
	}

	const char *transport = strchr(parsed->scheme, '+');
	size_t driver_length = transport ? (size_t)(transport - parsed->scheme) : strlen(parsed->scheme);

	if (driver_length != 4 || (strncmp(parsed->scheme, "qemu", 4) != 0 && strncmp(parsed->scheme, "test", 4) != 0)) {
		error_set(err, ENOTSUP, "'%s': only QEMU machines are supported", uri);
		return error_hint(err, "use qemu:///embed, qemu:///system or qemu:///session");
	}
	if (is_remote(parsed) && strcmp(parsed->path, "/system") != 0) {
		error_set(err, ENOTSUP, "'%s': of another host only the system's libvirt can be used", uri);
		return error_hint(err, "use qemu+ssh://HOST/system");
	}
	if (strcmp(parsed->path, "/embed") == 0 && !connection_uri_is_embed(uri)) {
		error_set(err, ENOTSUP, "'%s': the root folder of the embedded driver is chosen for you", uri);
		return error_hint(err, "use plain qemu:///embed");
	}
	return 0;
}

/* ---- the event loop, which libvirt wants to run before anything is opened ---- */

static void *loop_main(void *arg)
{
	struct connection *c = arg;

	while (!atomic_load(&c->stop))
		if (virEventRunDefaultImpl() < 0)
			break;
	return NULL;
}

static int loop_start(struct connection *c, struct error *err)
{
	if (virEventRegisterDefaultImpl() < 0)
		return virt_error(err, "libvirt's event loop");

	int rc = pthread_create(&c->loop, NULL, loop_main, c);

	if (rc)
		return error_set(err, rc, "thread for libvirt's event loop: %s", strerror(rc));
	c->loop_runs = true;
	return 0;
}

static void wake(int timer, void *arg)
{
	virEventRemoveTimeout(timer);
}

static void loop_stop(struct connection *c)
{
	if (!c->loop_runs)
		return;
	atomic_store(&c->stop, true);
	virEventAddTimeout(0, wake, NULL, NULL);
	pthread_join(c->loop, NULL);
	c->loop_runs = false;
}

/* ---- what libvirt found out about QEMU: 3 to 4 s on a fresh root, so it is carried from run to run ---- */

/* Copies each <hash>.xml of one folder into another where it is missing or older. libvirt checks what it reads, so a stale file does
 * no harm; a failure only costs time. */
static void copy_capabilities(const char *from, const char *to)
{
	_cleanup_closedir_ DIR *dir = opendir(from);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');
		char source[PATH_MAX], target[PATH_MAX];
		struct stat old, new;

		if (!dot || strcmp(dot, ".xml") != 0 || path_format(source, sizeof(source), NULL, "%s/%s", from, entry->d_name) < 0 ||
		    path_format(target, sizeof(target), NULL, "%s/%s", to, entry->d_name) < 0 || stat(source, &new) < 0)
			continue;
		if (stat(target, &old) == 0 && old.st_mtim.tv_sec >= new.st_mtim.tv_sec)
			continue;

		_cleanup_free_ char *text = malloc((size_t) new.st_size + 1);
		ssize_t length = text ? file_read("", source, text, (size_t) new.st_size + 1, NULL) : -1;

		if (length > 0)
			file_write_atomic(target, text, (size_t)length, 0600, NULL);
	}
}

static int root_caps_dir(const struct connection *c, char *ret, size_t size, struct error *err)
{
	return path_format(ret, size, err, "%s/cache/qemu/capabilities", c->root);
}

void connection_save_capabilities(struct connection *c)
{
	char dir[PATH_MAX];

	if (c->root[0] && root_caps_dir(c, dir, sizeof(dir), NULL) == 0 && dir_make(c->caps_cache, 0700, NULL) == 0)
		copy_capabilities(dir, c->caps_cache);
}

/* ---- the embedded driver's root ---- */

/* Everything that libvirt would do to the host beside running QEMU is switched off: no change of owners, labels, namespaces, cgroups, no
 * daemon for logs. user and group only mean something to a privileged driver, which would otherwise switch to another user. */
static int root_make(struct connection *c, struct error *err)
{
	static const char common[] = "dynamic_ownership = 0\nremember_owner = 0\nsecurity_driver = \"none\"\nnamespaces = []\n"
				     "cgroup_controllers = []\nstdio_handler = \"file\"\n";
	char path[PATH_MAX], text[512];

	/* Where libvirt, and QEMU, put what belongs to a user: not into the home folder of whoever runs this. */
	static const char *const homes[] = {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"};

	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++)
		if (setenv(homes[i], c->root, 1) < 0)
			return error_errno(err, "set %s", homes[i]);
	if (path_format(path, sizeof(path), err, "%s/etc", c->root) < 0 || dir_make(path, 0700, err) < 0)
		return -EIO;

	int length = snprintf(text, sizeof(text), "%s%s", geteuid() == 0 ? "user = \"root\"\ngroup = \"root\"\n" : "", common);

	if (path_format(path, sizeof(path), err, "%s/etc/qemu.conf", c->root) < 0 ||
	    file_write_atomic(path, text, (size_t)length, 0600, err) < 0)
		return -EIO;
	if (root_caps_dir(c, path, sizeof(path), err) < 0 || dir_make(path, 0700, err) < 0)
		return -EIO;
	copy_capabilities(c->caps_cache, path);
	return 0;
}

bool connection_log_dir(const char *uri, char *ret, size_t size)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (!connection_uri_is_daemon(uri) || connection_uri_is_remote(uri))
		return false;
	if (!strstr(uri, "/session") || geteuid() == 0)
		return path_format(ret, size, NULL, "/var/log/libvirt/qemu") == 0;
	if (cache && *cache == '/')
		return path_format(ret, size, NULL, "%s/libvirt/qemu/log", cache) == 0;
	return home && *home == '/' && path_format(ret, size, NULL, "%s/.cache/libvirt/qemu/log", home) == 0;
}

bool connection_qemu_log(const struct connection *c, const char *domain, char *ret, size_t size)
{
	char dir[PATH_MAX];

	if (c->root[0])
		return path_format(ret, size, NULL, "%s/log/qemu/%s.log", c->root, domain) == 0;
	return connection_log_dir(c->uri, dir, sizeof(dir)) && path_format(ret, size, NULL, "%s/%s.log", dir, domain) == 0;
}

bool connection_pid_dir(const struct connection *c, char *ret, size_t size)
{
	return c->root[0] && path_format(ret, size, NULL, "%s/run/qemu", c->root) == 0;
}

/* ---- open and close ---- */

static int open_handle(struct connection *c, const char *uri, struct error *err)
{
	char full[PATH_MAX + 32];

	if (c->root[0])
		snprintf(full, sizeof(full), "%s?root=%s", uri, c->root);
	else
		snprintf(full, sizeof(full), "%s", uri);
	c->handle = virConnectOpen(full);
	if (c->handle) {
		/* Not every driver knows it, and none that does refuses. */
		virConnectSetKeepAlive(c->handle, KEEPALIVE_S, KEEPALIVE_COUNT);
		return 0;
	}

	const virError *last = virGetLastError();
	bool no_driver = last && last->code == VIR_ERR_NO_CONNECT;

	virt_error(err, "connect to libvirt at %s", uri);
	if (no_driver || c->root[0])
		return error_hint(
			err, "install libvirt's QEMU driver: apt install libvirt-daemon-driver-qemu (Fedora: libvirt-daemon-driver-qemu)");
	return connection_hint(uri, err);
}

/* libvirt reads where its log goes once, when it is first used. */
static int set_environment(const char *dir, struct error *err)
{
	char value[PATH_MAX + 16];

	if (path_format(value, sizeof(value), err, "3:file:%s/libvirt.log", dir) < 0)
		return -ENAMETOOLONG;
	if (setenv("LIBVIRT_LOG_OUTPUTS", value, 1) < 0)
		return error_errno(err, "set LIBVIRT_LOG_OUTPUTS");
	/* For a session it would start a daemon: a child of this run, which would go on after it, or end with it under the hands of others. */
	if (setenv("LIBVIRT_AUTOSTART", "0", 1) < 0)
		return error_errno(err, "set LIBVIRT_AUTOSTART");
	/* Its messages, and what it reads from the programs that it runs, in one language whatever the user's is. */
	if (setenv("LC_ALL", "C", 1) < 0)
		return error_errno(err, "set LC_ALL");
	return 0;
}

int connection_open(const char *uri, const char *dir, const char *caps_cache, struct connection **ret, struct error *err)
{
	int rc = connection_check_uri(uri, err);

	if (rc < 0)
		return rc;

	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, ENOMEM, "out of memory");
	rc = path_format(c->caps_cache, sizeof(c->caps_cache), err, "%s", caps_cache);
	if (rc == 0)
		rc = path_format(c->uri, sizeof(c->uri), err, "%s", uri);
	if (rc == 0)
		rc = set_environment(dir, err);
	virt_error_silence();
	if (rc == 0 && virInitialize() < 0)
		rc = virt_error(err, "start libvirt");
	if (rc == 0 && connection_uri_is_embed(uri)) {
		rc = path_format(c->root, sizeof(c->root), err, "%s/r", dir);
		if (rc == 0)
			rc = root_make(c, err);
	}
	if (rc == 0)
		rc = loop_start(c, err);
	if (rc == 0)
		rc = open_handle(c, uri, err);
	if (rc < 0) {
		connection_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

bool connection_is_lost(const struct connection *c)
{
	return virConnectIsAlive(c->handle) == 0;
}

int connection_tell_lost(const struct connection *c, struct error *err)
{
	error_set(err, ECONNABORTED, "the connection to libvirt at %s broke: its daemon was ended, or does not answer", c->uri);
	return connection_hint(c->uri, err);
}

virConnectPtr connection_handle(struct connection *c)
{
	return c->handle;
}

void connection_close(struct connection *c)
{
	if (!c)
		return;
	if (c->handle)
		virConnectClose(c->handle);
	loop_stop(c);
	free(c);
}
