#include "vm_disk.h"

#include <base/units.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <image/platform.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmdriver/arch.h>

/* As in the other options: the words of a table, or what was expected. */
static int read_word(const struct driver_spec *spec, const char *key, const char *const *words, int count, const char *expected, int *ret,
		     struct error *err)
{
	const char *text = driver_option(spec, key, words[0]);

	for (int i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	return error_set(err, EINVAL, "option %s=%.60s: expected %s", key, text, expected);
}

static int read_size(const struct driver_spec *spec, const char *key, int64_t *ret, struct error *err)
{
	const char *text = driver_option(spec, key, NULL);
	int rc = text ? parse_bytes(text, ret, err) : 0;

	if (rc == 0 && text && *ret <= 0)
		rc = error_set(err, EINVAL, "expected more than nothing");
	return rc < 0 ? error_prefix(err, "option %s", key) : 0;
}

static int read_count(const struct driver_spec *spec, const char *key, int64_t *ret, struct error *err)
{
	const char *text = driver_option(spec, key, NULL);
	int rc = text ? parse_integer(key, text, 1, 1000000000, ret, err) : 0;

	return rc < 0 ? error_prefix(err, "option %s", key) : 0;
}

static int read_limits(const struct driver_spec *spec, struct vm_io_limits *ret, struct error *err)
{
	int rc = read_size(spec, "read_bps", &ret->read_bytes, err);

	if (rc == 0)
		rc = read_size(spec, "write_bps", &ret->write_bytes, err);
	if (rc == 0)
		rc = read_count(spec, "read_iops", &ret->read_ops, err);
	return rc < 0 ? rc : read_count(spec, "write_iops", &ret->write_ops, err);
}

int vm_disk_read(const struct driver_spec *spec, struct vm_disk_source *source, struct vm_options *ret, struct error *err)
{
	static const char *const writes[] = {"off", "memory"}, *const caches[] = {"writeback", "none"};
	const char *folder = driver_option(spec, "rootfs", NULL), *image = driver_option(spec, "image", NULL);
	int root = 0, write = 0, cache = 0;
	int rc = read_word(spec, "root", vm_root_names, VM_ROOT_COUNT, "program, initramfs, ext4, squashfs, erofs, virtiofs or 9p", &root,
			   err);

	if (rc == 0)
		rc = read_word(spec, "root-writes", writes, 2, "off or memory", &write, err);
	if (rc == 0)
		rc = read_word(spec, "cache", caches, 2, "none or writeback", &cache, err);
	if (rc == 0)
		rc = read_size(spec, "disk", &ret->scratch_bytes, err);
	if (rc == 0)
		rc = read_limits(spec, &ret->io, err);
	if (rc == 0 && folder && image)
		rc = error_set(err, EINVAL, "options rootfs and image: a root file system is made from one of them");
	if (rc < 0)
		return rc;
	source->layer = folder ? folder : image;
	source->is_image = image;
	ret->root = (enum vm_root)root;
	ret->root_overlay = write == 1;
	ret->scratch_direct = cache == 1;
	ret->root_layers = &source->layer;
	ret->n_root_layers = source->layer ? 1 : 0;
	return 0;
}

/* A root's programs are of one architecture; where that is not known, nothing is said. `what` is in OCI's words, as Debian's are. */
static int check_arch(const char *what, const struct vm_options *o, struct error *err)
{
	const struct arch *arch;
	int rc = arch_find(o->arch, &arch, err);

	if (rc < 0 || !what[0] || strcmp(what, arch->deb) == 0)
		return rc;
	error_set(err, ENOEXEC, "its programs are for %s, the guest is %s: they would not run there", what, arch->deb);
	return error_hint(err, "name one for %s, or leave arch=%s out", arch->deb, arch->name);
}

static int check_folder(const char *path, const struct vm_options *o, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char found[32] = "";

	if (fd < 0)
		return error_errno(err, "option rootfs: %s", path);
	platform_of_root(fd, found, sizeof(found));

	int rc = check_arch(found, o, err);

	return rc < 0 ? error_prefix(err, "option rootfs: %s", path) : 0;
}

/* Held first: what was found before could be gone. */
static int resolve_image(struct vm_disk_source *source, struct vm_options *ret, struct error *err)
{
	struct image found = {0};
	int rc = image_store_open(NULL, &source->store, err);

	if (rc == 0)
		rc = image_find(source->store, source->layer, &found, err);
	if (rc == 0)
		rc = image_hold(source->store, found.name, &source->hold_fd, err);
	if (rc == 0)
		rc = image_find(source->store, found.name, &source->image, err);
	image_done(&found);
	if (rc == 0 && source->image.n_layers == 0)
		rc = error_set(err, EINVAL, "image '%s' has no layers", source->layer);
	if (rc == 0 && (rc = check_arch(source->image.config.architecture, ret, err)) < 0)
		error_prefix(err, "image '%s'", source->layer);
	if (rc < 0)
		return error_prefix(err, "option image");
	ret->root_layers = (const char *const *)source->image.layers;
	ret->n_root_layers = source->image.n_layers;
	return 0;
}

int vm_disk_resolve(struct vm_disk_source *source, struct vm_options *ret, struct error *err)
{
	if (!source->layer)
		return 0;
	if (source->is_image)
		return resolve_image(source, ret, err);
	if (!realpath(source->layer, source->folder))
		return error_errno(err, "option rootfs: %s", source->layer);
	source->layer = source->folder;
	return check_folder(source->folder, ret, err);
}

void vm_disk_done(struct vm_disk_source *source)
{
	if (source->hold_fd >= 0)
		close(source->hold_fd);
	source->hold_fd = -1;
	image_done(&source->image);
	if (source->store)
		image_store_close(source->store);
	source->store = NULL;
}

void vm_disk_report(const struct vm_disk_source *source, const struct vm_facts *facts, struct driver_info *info)
{
	if (source->layer) {
		driver_info_set(info, "root", "%s, from %s %s", facts->root, source->is_image ? "image" : "folder", source->layer);
		if (facts->root_key[0])
			driver_info_set(info, "root image", "%lld bytes, key %s", (long long)facts->root_bytes, facts->root_key);
	}
	if (facts->share_version[0])
		driver_info_set(info, "root carrier", "%s", facts->share_version);
	if (strcmp(facts->scratch, "none") != 0)
		driver_info_set(info, "disk", "%s", facts->scratch);
	if (strcmp(facts->disk_limits, "none") != 0)
		driver_info_set(info, "disk limits", "%s", facts->disk_limits);
}
