/* image/layer, unpack: what layers become on disk, and archives that mean harm. */
#include "image_fixture.h"

#include <image/layer.h>
#include <image/layer_place.h>
#include <image/platform.h>
#include <image/unpack.h>

#include <bench/cleanup.h>

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct box {
	struct scratch scratch;
	struct layer layer;
	int root_fd;
};

static struct box box_make(bool privileged)
{
	struct box box = {.scratch = scratch_make()};
	struct layer_options options = {.privileged = privileged && geteuid() == 0, .max_bytes = 1 << 20, .max_entries = 100};

	scratch_write(&box.scratch, "canary", "alive");
	cr_assert_eq(mkdir(scratch_path(&box.scratch, "root"), 0755), 0);
	box.root_fd = open(scratch_path(&box.scratch, "root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	layer_init(&box.layer, box.root_fd, &options);
	return box;
}

static int box_unpack(struct box *box, const struct tar_entry *entries, struct error *err)
{
	struct blob tar = tar_make(entries, ARCHIVE_FILTER_NONE);
	char hex[IMAGE_DIGEST_HEX + 1];
	_cleanup_close_ int fd = blob_fd(&tar);
	int rc = unpack_tar(fd, &box->layer, NULL, hex, err);

	if (rc == 0)
		rc = layer_finish(&box->layer, err);
	if (rc == 0)
		cr_expect_str_eq(hex, tar.hex);
	free(tar.data);
	return rc;
}

static void box_check_and_remove(struct box *box, const char *what)
{
	char text[16];
	struct stat st;

	cr_expect_eq(file_read("", scratch_path(&box->scratch, "canary"), text, sizeof(text), NULL), 5, "%s", what);
	cr_expect_str_eq(text, "alive", "%s", what);
	cr_expect_eq(stat(scratch_path(&box->scratch, "canary"), &st), 0);
	cr_expect_eq(st.st_nlink, 1, "%s", what);
	cr_expect_eq(stat(box->scratch.path, &st), 0);
	cr_expect_eq(st.st_nlink, 3, "%s: something new stands beside the layer", what);
	layer_done(&box->layer);
	close(box->root_fd);
	scratch_remove(&box->scratch);
}

static struct stat stat_of(const struct box *box, const char *path)
{
	struct stat st = {0};

	cr_expect_eq(fstatat(box->root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0, "%s", path);
	return st;
}

static bool is_there(const struct box *box, const char *path)
{
	struct stat st;

	return fstatat(box->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(image_layer, keeps_what_an_archive_says)
{
	struct box box = box_make(true);
	struct error err = {0};
	const struct tar_entry entries[] = {
		{"./", S_IFDIR | 0751},
		{"./bin", S_IFDIR | 0755},
		{"./bin/su", S_IFREG | 04755, "program", "user.note"},
		{"./bin/also-su", 0, "./bin/su"},
		{"./lib", S_IFLNK | 0777, "/usr/lib"},
		{"./run/pipe", S_IFIFO | 0600},
		{0},
	};
	char value[4] = "";

	cr_expect_eq(box_unpack(&box, entries, &err), 0, "%s", err.message);
	struct stat su = stat_of(&box, "bin/su");
	cr_expect_eq(su.st_size, 7);
	cr_expect_eq(su.st_mtim.tv_sec, 1000000000);
	cr_expect_eq(stat_of(&box, "bin/also-su").st_ino, su.st_ino);
	cr_expect_eq(stat_of(&box, "bin").st_mtim.tv_sec, 1000000000, "the time of a folder is set when all is in it");
	cr_expect(S_ISLNK(stat_of(&box, "lib").st_mode));
	cr_expect(S_ISFIFO(stat_of(&box, "run/pipe").st_mode));
	cr_expect_eq(stat_of(&box, "run").st_mode & 07777, 0755, "a folder that is not listed");
	cr_expect_eq(stat_of(&box, ".").st_mode & 07777, 0751);
	cr_expect_eq(getxattr(scratch_path(&box.scratch, "root/bin/su"), "user.note", value, sizeof(value)), 1);
	if (geteuid() == 0) {
		cr_expect_eq(su.st_mode & 07777, 04755);
		cr_expect_eq(su.st_uid, 7);
		cr_expect_eq(su.st_gid, 8);
	}
	box_check_and_remove(&box, "fine");
}

Test(image_layer, without_privilege_files_are_the_callers)
{
	struct box box = box_make(false);
	struct error err = {0};

	cr_expect_eq(box_unpack(&box,
				(struct tar_entry[]){{"d", S_IFDIR | 0500},
						     {"d/f", S_IFREG | 06755, "x"},
						     {"null", S_IFCHR | 0666},
						     {"lower", S_IFDIR | 0, NULL, "trusted.overlay.opaque"},
						     {0}},
				&err),
		     0, "%s", err.message);
	cr_expect_eq(stat_of(&box, "d/f").st_uid, geteuid());
	cr_expect_eq(stat_of(&box, "d/f").st_mode & 07777, 0755);
	cr_expect_eq(stat_of(&box, "d").st_mode & 0777, 0700, "the owner can remove what is in it");
	cr_expect_not(is_there(&box, "null"));
	cr_expect_eq(box.layer.left_out.devices, 1);
	cr_expect_eq(box.layer.left_out.setuid_bits, 1);
	cr_expect_eq(box.layer.left_out.attributes, 1);
	box_check_and_remove(&box, "unprivileged");
}

Test(image_layer, drops_attributes_that_would_steer_the_host)
{
	static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque", "security.selinux", "trusted.any", "system.x"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct box box = box_make(true);
		char value[8];

		cr_expect_eq(box_unpack(&box, (struct tar_entry[]){{"d", S_IFDIR | 0755, NULL, names[i]}, {0}}, NULL), 0);
		cr_expect_lt(getxattr(scratch_path(&box.scratch, "root/d"), names[i], value, sizeof(value)), 0, "%s", names[i]);
		cr_expect_eq(box.layer.left_out.attributes, 1, "%s", names[i]);
		box_check_and_remove(&box, names[i]);
	}
}

static void expect_whiteout(const struct box *box, const char *path)
{
	struct stat st = stat_of(box, path);

	cr_expect(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0), "%s is no whiteout", path);
}

static bool is_opaque(const struct box *box, const char *path)
{
	char full[256], value[2] = "";

	snprintf(full, sizeof(full), "%s/root/%s", box->scratch.path, path);
	return getxattr(full, "user.overlay.opaque", value, 1) == 1 && value[0] == 'y';
}

Test(image_layer, whiteouts_take_the_form_of_overlayfs)
{
	struct box box = box_make(true);
	struct error err = {0};

	cr_expect_eq(box_unpack(&box,
				(struct tar_entry[]){{"a", S_IFDIR | 0755},
						     {"a/.wh.gone", S_IFREG | 0644},
						     {"b/.wh..wh..opq", S_IFREG | 0644},
						     {"b/new", S_IFREG | 0644, "x"},
						     {".wh.c", S_IFREG | 0644}, /* the folder is replaced: first the whiteout … */
						     {"c", S_IFDIR | 0755},
						     {"d", S_IFDIR | 0755}, /* … or first the folder */
						     {".wh.d", S_IFREG | 0644},
						     {"e", S_IFREG | 0644, "x"},
						     {".wh.e", S_IFREG | 0644},
						     {".wh..wh.plnk", S_IFREG | 0644},
						     {0}},
				&err),
		     0, "%s", err.message);
	expect_whiteout(&box, "a/gone");
	cr_expect_not(is_opaque(&box, "a"));
	cr_expect(is_opaque(&box, "b"));
	cr_expect(is_there(&box, "b/new"));
	cr_expect(is_opaque(&box, "c"));
	cr_expect(is_opaque(&box, "d"));
	cr_expect_eq(stat_of(&box, "e").st_size, 1, "a file of the same layer is not hidden");
	cr_expect_not(is_there(&box, ".wh..wh.plnk"));
	if (geteuid() == 0) {
		char value[2];

		cr_expect_eq(getxattr(scratch_path(&box.scratch, "root/b"), "trusted.overlay.opaque", value, 1), 1);
	}
	box_check_and_remove(&box, "whiteouts");
}

Test(image_layer, a_whiteout_without_devices_is_a_marked_file)
{
	struct box box = box_make(true);
	char value[2] = "";

	cr_expect_eq(layer_make_whiteout_file(box.root_fd, "gone", NULL), 0);
	cr_expect_eq(stat_of(&box, "gone").st_size, 0);
	cr_expect_eq(getxattr(scratch_path(&box.scratch, "root/gone"), "user.overlay.whiteout", value, 1), 1);
	cr_expect_eq(fgetxattr(box.root_fd, "user.overlay.opaque", value, 1), 1);
	cr_expect_eq(value[0], 'x');
	box_check_and_remove(&box, "marked file");
}

Test(image_layer, the_last_of_several_entries_counts)
{
	struct box box = box_make(true);
	struct error err = {0};

	cr_expect_eq(box_unpack(&box,
				(struct tar_entry[]){{"f", S_IFREG | 0644, "one"},
						     {"g", 0, "f"},
						     {"f", S_IFREG | 0600, "second"},
						     {"d", S_IFDIR | 0700},
						     {"d/x/y", S_IFREG | 0644, "x"},
						     {"d", S_IFDIR | 0755},
						     {"e/x", S_IFREG | 0644, "x"},
						     {"e", S_IFREG | 0644, "a file now"},
						     {0}},
				&err),
		     0, "%s", err.message);
	cr_expect_eq(stat_of(&box, "f").st_size, 6);
	cr_expect_eq(stat_of(&box, "g").st_size, 3, "the other name of the old file keeps its bytes");
	cr_expect_eq(stat_of(&box, "d").st_mode & 0777, 0755);
	cr_expect(is_there(&box, "d/x/y"));
	cr_expect(S_ISREG(stat_of(&box, "e").st_mode));
	box_check_and_remove(&box, "duplicates");
}

#define LONG_50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_300 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50
#define DEEP_16  "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/"
#define DEEP_144 DEEP_16 DEEP_16 DEEP_16 DEEP_16 DEEP_16 DEEP_16 DEEP_16 DEEP_16 DEEP_16

static const struct hostile {
	const char *what;
	struct tar_entry entries[5];
	int code;
	const char *says;
} hostile[] = {
	{"dot-dot", {{"../canary", S_IFREG | 0644, "dead"}}, EPERM, "'..'"},
	{"dot-dot inside", {{"a", S_IFDIR | 0755}, {"a/../../canary", S_IFREG | 0644, "dead"}}, EPERM, "'..'"},
	{"dot-dot that stays inside", {{"a/../b", S_IFREG | 0644, "x"}}, EPERM, "'..'"},
	{"absolute", {{"/tmp/bench-must-not-be-there", S_IFREG | 0644, "dead"}}, EPERM, "absolute"},
	{"through a link up", {{"a", S_IFLNK | 0777, ".."}, {"a/canary", S_IFREG | 0644, "dead"}}, EPERM, "a link of the same layer"},
	{"through an absolute link", {{"a", S_IFLNK | 0777, "/tmp"}, {"a/x", S_IFREG | 0644, "dead"}}, EPERM, "a link of the same layer"},
	{"through a link that stays inside",
	 {{"b", S_IFDIR | 0755}, {"a", S_IFLNK | 0777, "b"}, {"a/x", S_IFREG | 0644, "x"}},
	 EPERM,
	 "link"},
	{"folder through a link", {{"a", S_IFLNK | 0777, ".."}, {"a/new", S_IFDIR | 0755}}, EPERM, "link"},
	{"whiteout through a link", {{"a", S_IFLNK | 0777, ".."}, {"a/.wh.canary", S_IFREG | 0644}}, EPERM, "link"},
	{"opaque through a link", {{"a", S_IFLNK | 0777, ".."}, {"a/.wh..wh..opq", S_IFREG | 0644}}, EPERM, "link"},
	{"folder becomes a link",
	 {{"a", S_IFDIR | 0755}, {"a/b", S_IFREG | 0644, "x"}, {"a", S_IFLNK | 0777, ".."}, {"a/canary", S_IFREG | 0644, "dead"}},
	 EPERM,
	 "link"},
	{"through a file", {{"a", S_IFREG | 0644, "x"}, {"a/b", S_IFREG | 0644, "x"}}, EPERM, "a file of the same layer"},
	{"whiteout of dot-dot", {{".wh...", S_IFREG | 0644}}, EPERM, "hides no file"},
	{"whiteout of nothing", {{".wh.", S_IFREG | 0644}}, EPERM, "hides no file"},
	{"hard link out by dot-dot", {{"a", 0, "../canary"}}, EPERM, "'..'"},
	{"hard link out by an absolute path", {{"a", 0, "/etc/passwd"}}, EPERM, "absolute"},
	{"hard link through a link", {{"l", S_IFLNK | 0777, ".."}, {"a", 0, "l/canary"}}, ENOTDIR, "hard link"},
	{"hard link to nothing", {{"a", 0, "b"}}, EBADMSG, "not in this layer"},
	{"hard link to a folder", {{"d", S_IFDIR | 0755}, {"a", 0, "d"}}, EPERM, "to a folder"},
	{"hard link to the root", {{"a", 0, "."}}, EPERM, "to a folder"},
	{"root that is a link", {{"./", S_IFLNK | 0777, ".."}}, EBADMSG, "root of the layer"},
	{"long name", {{LONG_300, S_IFREG | 0644, "x"}}, ENAMETOOLONG, "too long"},
	{"deep", {{DEEP_144, S_IFDIR | 0755}}, ENAMETOOLONG, "deep"},
	{"control characters in a message", {{"../\033[2J\n", S_IFREG | 0644, "x"}}, EPERM, "'../?[2J?'"},
};

Test(image_layer, refuses_what_would_leave_the_layer)
{
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		const struct hostile *h = &hostile[i];
		struct box box = box_make(true);
		struct error err = {0};

		cr_expect_eq(box_unpack(&box, h->entries, &err), -h->code, "%s: %d %s", h->what, err.code, err.message);
		cr_expect(strstr(err.message, h->says), "%s: said '%s'", h->what, err.message);
		cr_expect_not(strpbrk(err.message, "\n\033"), "%s", h->what);
		box_check_and_remove(&box, h->what);
	}
	cr_expect_not(path_exists("/tmp/bench-must-not-be-there"));
}

Test(image_layer, a_folder_replaced_by_a_link_does_not_lead_the_removal_out)
{
	struct box box = box_make(true);
	struct error err = {0};

	/* The tree that goes has a link to outside in it. */
	cr_expect_eq(box_unpack(&box,
				(struct tar_entry[]){
					{"a", S_IFDIR | 0755}, {"a/out", S_IFLNK | 0777, "../.."}, {"a", S_IFLNK | 0777, ".."}, {0}},
				&err),
		     0, "%s", err.message);
	cr_expect(S_ISLNK(stat_of(&box, "a").st_mode));
	box_check_and_remove(&box, "replaced folder");
}

Test(image_layer, bounds_bytes_and_entries)
{
	struct box box = box_make(true);
	static char big[700000];
	struct error err = {0};

	memset(big, 'x', sizeof(big) - 1);
	cr_expect_eq(box_unpack(&box, (struct tar_entry[]){{"a", S_IFREG | 0644, big}, {0}}, &err), 0, "%s", err.message);
	/* both together are over 1 MiB */
	cr_expect_eq(box_unpack(&box, (struct tar_entry[]){{"b", S_IFREG | 0644, big}, {0}}, &err), -EFBIG);
	box_check_and_remove(&box, "bytes");

	box = box_make(true);
	struct tar_entry many[102] = {0};
	static char names[101][8];

	for (int i = 0; i < 101; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		many[i] = (struct tar_entry){names[i], S_IFREG | 0644, "x"};
	}
	cr_expect_eq(box_unpack(&box, many, &err), -EFBIG);
	cr_expect(strstr(err.message, "more than 100 files"), "%s", err.message);
	box_check_and_remove(&box, "entries");
}

/* A header alone, as no tool would write it: `type` "0" (plain) or "S" (sparse, GNU), and the size that it declares. */
static struct blob huge_header(char type)
{
	struct blob blob = {calloc(3, 512), 3 * 512, ""};
	unsigned sum = 0;

	memcpy(blob.data, "huge", 5);
	memcpy(blob.data + 100, "0000644", 8);
	memcpy(blob.data + 124, type == 'S' ? "00000000000" : "77777777777", 12);
	memcpy(blob.data + 136, "00000000000", 12);
	memset(blob.data + 148, ' ', 8);
	blob.data[156] = type;
	memcpy(blob.data + 257, "ustar  ", 8);
	if (type == 'S')
		memcpy(blob.data + 483, "77777777777", 12);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)blob.data[i];
	snprintf(blob.data + 148, 8, "%06o", sum);
	return blob;
}

Test(image_layer, a_declared_size_is_bounded_before_a_byte_is_read)
{
	for (const char *type = "0S"; *type; type++) {
		struct box box = box_make(true);
		struct blob tar = huge_header(*type);
		struct error err = {0};
		int fd = blob_fd(&tar);

		cr_expect_eq(unpack_tar(fd, &box.layer, NULL, NULL, &err), -EFBIG, "%c: %s", *type, err.message);
		cr_expect_not(is_there(&box, "huge"));
		close(fd);
		free(tar.data);
		box_check_and_remove(&box, "huge");
	}
}

Test(image_layer, stops_when_it_is_cancelled)
{
	struct box box = box_make(true);
	bool cancelled = true;

	box.layer.options.cancelled = &cancelled;
	cr_expect_eq(box_unpack(&box, (struct tar_entry[]){{"a", S_IFREG | 0644, "x"}, {0}}, NULL), -EINTR);
	box_check_and_remove(&box, "cancelled");
}

Test(image_layer, cut_and_damaged_streams_are_refused)
{
	const struct tar_entry entries[] = {{"a", S_IFREG | 0644, "some bytes"}, {"b", S_IFREG | 0644, "more bytes"}, {0}};
	static const int filters[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ};

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct blob tar = tar_make(entries, filters[i]);
		struct box box = box_make(true);
		struct error err = {0};
		char hex[IMAGE_DIGEST_HEX + 1];

		tar.size = filters[i] == ARCHIVE_FILTER_NONE ? 700 : tar.size * 2 / 3;
		int fd = blob_fd(&tar);
		cr_expect_eq(unpack_tar(fd, &box.layer, NULL, hex, &err), -EBADMSG, "filter %d: %s", filters[i], err.message);
		cr_expect(strstr(err.message, "not a sound tar"), "%s", err.message);
		close(fd);
		free(tar.data);
		box_check_and_remove(&box, "cut");
	}
}

Test(image_layer, knows_archives_of_images_from_roots)
{
	static const struct {
		const char *first, *second;
		enum unpack_kind kind;
		bool is_folder;
	} cases[] = {
		{"./", "./bin/sh", UNPACK_ROOT, true},
		{"manifest.json", "x", UNPACK_IMAGES},
		{"blobs/sha256/aaaa", "./oci-layout", UNPACK_IMAGES},
		{"0123456789abcdef0123456789abcdef/layer.tar", "manifest.json", UNPACK_IMAGES},
		{"usr/manifest.json", "manifest.json", UNPACK_ROOT},
		{"blobs", "etc/passwd", UNPACK_ROOT, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob tar =
			tar_make((struct tar_entry[]){{cases[i].first, cases[i].is_folder ? S_IFDIR | 0755 : S_IFREG | 0644, "{}"},
						      {cases[i].second, S_IFREG | 0644, "{}"},
						      {0}},
				 ARCHIVE_FILTER_GZIP);
		enum unpack_kind kind = 99;
		int fd = blob_fd(&tar);

		struct error err = {0};
		cr_expect_eq(unpack_sniff(fd, &kind, &err), 0, "%s: %s", cases[i].first, err.message);
		cr_expect_eq(kind, cases[i].kind, "%s", cases[i].first);
		close(fd);
		free(tar.data);
	}
}
