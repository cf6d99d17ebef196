/* Leads an import: what the source is, which image of it, under which name. */
#include "import.h"

#include "record.h"
#include "text.h"

#include <bench/cleanup.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BLOCK = 256 << 10, POLL_MS = 200 };

static const char *base_of(const char *source)
{
	const char *slash = strrchr(source, '/');

	return slash ? slash + 1 : source;
}

/* "…/busybox-1.36.tar.gz" → "busybox-1.36". */
static void name_from_path(const char *source, char *ret, size_t size)
{
	static const char *const suffixes[] = {".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".tgz", ".txz", ".tzst", ".tar", ".oci"};
	char full[PATH_MAX];

	/* "." and "folder/" have no name of their own; a link is called what it is called. */
	bool has_name = *base_of(source) && strcmp(base_of(source), ".") != 0 && strcmp(base_of(source), "..") != 0;
	snprintf(ret, size, "%s", base_of(has_name || !realpath(source, full) ? source : full));
	for (size_t length = strlen(ret), before = 0; length != before;) {
		before = length;
		for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
			size_t n = strlen(suffixes[i]);

			if (length > n && strcmp(ret + length - n, suffixes[i]) == 0)
				ret[length -= n] = '\0';
		}
	}
	for (char *c = ret; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-+", *c))
			*c = '-';
}

/* The name of the person, of the archive, or of the file, in this order. */
static int choose_name(struct import *import, const char *in_archive, struct error *err)
{
	static const char hub[] = "docker.io/", library[] = "library/";
	const struct image_import_options *options = import->options;
	char name[PATH_MAX];

	if (options->name) {
		snprintf(name, sizeof(name), "%s", options->name);
	} else if (in_archive && strpbrk(in_archive, ":/")) {
		in_archive += strncmp(in_archive, hub, strlen(hub)) == 0 ? strlen(hub) : 0;
		in_archive += strncmp(in_archive, library, strlen(library)) == 0 ? strlen(library) : 0;
		snprintf(name, sizeof(name), "%s", in_archive);
	} else if (strcmp(options->source, "-") == 0) {
		error_set(err, EINVAL, "what comes from standard input has no name");
		return error_hint(err, "give it one with --name");
	} else {
		name_from_path(options->source, name, sizeof(name) / 2);
		if (in_archive && *in_archive)
			snprintf(name + strlen(name), sizeof(name) - strlen(name), ":%s", in_archive);
	}
	int rc = record_check_name(name, err);
	if (rc < 0)
		return options->name ? rc : error_hint(err, "give it a name with --name");
	snprintf(import->image.name, sizeof(import->image.name), "%s", name);
	return import_check_name(import, err);
}

/* Standard input may be a pipe: it is read once, into a file without a name. */
static int spool(struct import *import, int *ret_fd, struct error *err)
{
	_cleanup_close_ int out = layout_nameless_file(import->folder_fd, err);
	_cleanup_free_ char *block = malloc(COPY_BLOCK);
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	int64_t bytes = 0;

	if (out < 0)
		return out;
	if (!block)
		return error_set(err, ENOMEM, "out of memory");
	for (;;) {
		int rc = layer_check_cancelled(import->options->cancelled, err);

		if (rc < 0)
			return rc;
		if (poll(&in, 1, POLL_MS) <= 0)
			continue;
		ssize_t got = read(STDIN_FILENO, block, COPY_BLOCK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "read standard input");
		if (got == 0)
			break;
		if (write(out, block, (size_t)got) != got)
			return error_errno(err, "copy standard input");
		bytes += got;
		if (import->options->progress)
			import->options->progress(import->options->progress_arg, "reading standard input", bytes, 0);
	}
	if (lseek(out, 0, SEEK_SET) < 0)
		return error_errno(err, "read standard input");
	*ret_fd = take_fd(&out);
	return 0;
}

static int open_source(struct import *import, int *ret_fd, struct stat *ret, struct error *err)
{
	const char *source = import->options->source;
	int rc = 0;

	if (strcmp(source, "-") == 0)
		rc = spool(import, ret_fd, err);
	/* not blocked by a FIFO */
	else if ((*ret_fd = open(source, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) < 0)
		rc = error_errno(err, "open");
	if (rc == 0 && fstat(*ret_fd, ret) < 0)
		rc = error_errno(err, "look at it");
	if (rc == 0 && !S_ISDIR(ret->st_mode) && !S_ISREG(ret->st_mode)) {
		error_set(err, EINVAL, "neither a folder nor a file");
		rc = error_hint(err, "a pipe is read as standard input: '-'");
	}
	return rc;
}

/* Does a folder hold images, or is it a root file system? */
static bool has_images(const struct layout *layout)
{
	struct stat st;

	if (layout_has(layout, "oci-layout"))
		return true;
	return layout_has(layout, "manifest.json") && fstatat(layout->fd, "etc", &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       fstatat(layout->fd, "bin", &st, AT_SYMLINK_NOFOLLOW) < 0 && fstatat(layout->fd, "usr", &st, AT_SYMLINK_NOFOLLOW) < 0;
}

static int import_archive(struct import *import, int folder_fd, bool is_private, struct error *err)
{
	struct layout layout = {
		.fd = folder_fd, .is_private = is_private, .scratch_fd = import->folder_fd, .cancelled = import->options->cancelled};
	_cleanup_(manifest_done) struct manifest manifest = {0};
	/* Newer archives of `docker save` are both: the layout has digests of everything. */
	bool is_oci = layout_has(&layout, "oci-layout") && layout_has(&layout, "index.json");
	int rc = is_oci ? oci_manifest(&layout, import->options->tag, &manifest, err)
			: docker_manifest(&layout, import->options->tag, &manifest, err);

	if (rc == 0)
		rc = choose_name(import, manifest.name, err);
	if (rc == 0)
		rc = import_layers(import, &layout, &manifest, err);
	if (rc < 0)
		return rc;
	memcpy(import->image.digest, manifest.digest, sizeof(manifest.digest));
	import->image.config = manifest.config;
	manifest.config = (struct image_config){0};
	return 0;
}

static int import_folder(struct import *import, int fd, struct error *err)
{
	struct layout layout = {.fd = fd, .scratch_fd = -1};

	if (has_images(&layout))
		return import_archive(import, fd, false, err);
	int rc = choose_name(import, NULL, err);
	return rc < 0 ? rc : import_root_folder(import, fd, err);
}

static int import_tar(struct import *import, int fd, int64_t size, struct error *err)
{
	_cleanup_close_ int folder = -1;
	enum unpack_kind kind;
	int rc = unpack_sniff(fd, &kind, err);

	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = error_errno(err, "read it again");
	if (rc == 0 && kind == UNPACK_ROOT) {
		rc = choose_name(import, NULL, err);
		return rc < 0 ? rc : import_root_tar(import, fd, size, err);
	}
	if (rc == 0)
		rc = import_stage(import, fd, size, &folder, err);
	return rc < 0 ? rc : import_archive(import, folder, true, err);
}

static int run(struct import *import, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int rc = import_begin(import, err);

	if (rc == 0)
		rc = open_source(import, &fd, &st, err);
	if (rc == 0)
		rc = S_ISDIR(st.st_mode) ? import_folder(import, fd, err) : import_tar(import, fd, st.st_size, err);
	return rc < 0 ? rc : import_publish(import, err);
}

/* One line that names the source; a full disk has its own remedy. */
static int explain(const struct import *import, int rc, struct error *err)
{
	char hint[sizeof(err->hint)];

	if (!err || rc == -EINTR || rc == -EEXIST || rc == -EBUSY)
		return rc;
	snprintf(hint, sizeof(hint), "%s", err->hint);
	error_prefix(err, "import %s", text_shown(import->options->source).text);
	if (rc == -ENOSPC || rc == -EDQUOT)
		return error_hint(err, "make room on the file system of %s, or name another folder in BENCH_IMAGE_DIR",
				  import->store->path);
	return *hint ? error_hint(err, "%s", hint) : rc;
}

/* libarchive turns names into the characters of the thread's locale: only UTF-8 has all of them. */
struct utf8 {
	locale_t own, before;
};

static struct utf8 utf8_enter(void)
{
	struct utf8 utf8 = {.own = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)};

	utf8.before = uselocale(utf8.own);
	return utf8;
}

static void utf8_leave(struct utf8 *utf8)
{
	uselocale(utf8->before);
	if (utf8->own)
		freelocale(utf8->own);
}

int image_import(struct image_store *store, const struct image_import_options *options, struct image *ret, struct error *err)
{
	_cleanup_(utf8_leave) struct utf8 utf8 = utf8_enter();
	_cleanup_free_ struct import *import = calloc(1, sizeof(*import));

	if (!import)
		return error_set(err, ENOMEM, "out of memory");
	import->store = store;
	import->options = options;
	import->folder_fd = -1;
	int rc = options->name ? record_check_name(options->name, err) : 0;
	if (rc == 0)
		rc = run(import, err);
	char name[IMAGE_NAME_MAX];
	memcpy(name, import->image.name, sizeof(name));
	if (rc < 0)
		explain(import, rc, err);
	import_end(import);
	return rc < 0 ? rc : image_find(store, name, ret, err);
}
