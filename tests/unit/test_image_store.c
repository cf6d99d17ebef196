/* image/: imports from every source, what is refused, and what the store keeps, shares and removes. */
#include "image_fixture.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>

static const struct tar_entry small_root[] = {
	{"./", S_IFDIR | 0755},
	{"./etc/passwd", S_IFREG | 0644, "root:x:0:0::/:/bin/sh\nuser:x:1000:1001::/:/bin/sh\n"},
	{"./etc/group", S_IFREG | 0644, "root:x:0:\nstaff:x:50:user\n"},
	{0},
};

Test(image_store, imports_tars_folders_and_the_same_bytes_once)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	static const int filters[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ,
				      ARCHIVE_FILTER_BZIP2};
	struct blob plain = tar_make(small_root, ARCHIVE_FILTER_NONE);
	struct error err = {0};
	char name[32];

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct blob tar = tar_make(small_root, filters[i]);
		struct image image = {0};

		blob_write(&scratch, "root.tar.gz", &tar);
		snprintf(name, sizeof(name), "root-%zu", i);
		cr_expect_eq(import_source(store, &scratch, "root.tar.gz", name, &image, &err), 0, "%s", err.message);
		cr_expect_str_eq(image.digest, plain.hex, "the digest is that of the uncompressed tar");
		cr_expect_eq(image.n_layers, 1);
		cr_expect_str_eq(image.config.os, "linux");
		image_done(&image);
		free(tar.data);
	}
	cr_expect_eq(store_count(&scratch, "layers"), 1, "five images share a layer");
	cr_expect_eq(store_count(&scratch, "images"), 5);
	cr_expect_eq(store_count(&scratch, "tmp"), 0);

	struct image image = {0}, again = {0};
	cr_assert_eq(dir_make(scratch_path(&scratch, "folder/bin"), 0755, NULL), 0);
	scratch_write(&scratch, "folder/bin/a", "a");
	cr_assert_eq(link(scratch_path(&scratch, "folder/bin/a"), scratch_path(&scratch, "folder/bin/b")), 0);
	cr_assert_eq(symlink("/etc/passwd", scratch_path(&scratch, "folder/link")), 0);
	cr_expect_eq(import_source(store, &scratch, "folder", NULL, &image, &err), 0, "%s", err.message);
	cr_expect_str_eq(image.name, "folder");
	cr_expect_eq(import_source(store, &scratch, "folder", "again", &again, &err), 0, "%s", err.message);
	cr_expect_str_eq(image.digest, again.digest);
	scratch_write(&scratch, "folder/bin/a", "b");
	image_done(&again);
	cr_expect_eq(import_source(store, &scratch, "folder", "changed", &again, &err), 0, "%s", err.message);
	cr_expect_str_neq(image.digest, again.digest);
	struct stat a, b;
	char path[512];
	snprintf(path, sizeof(path), "%s/bin/a", image.layers[0]);
	cr_expect_eq(stat(path, &a), 0);
	snprintf(path, sizeof(path), "%s/bin/b", image.layers[0]);
	cr_expect_eq(stat(path, &b), 0);
	cr_expect_eq(a.st_ino, b.st_ino, "two names of one file stay that");
	image_done(&image);
	image_done(&again);
	free(plain.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, reads_an_oci_layout_with_all_it_says)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct blob plain = tar_make(small_root, ARCHIVE_FILTER_NONE);
	struct error err = {0};
	static const struct {
		int filter;
		const char *media_type;
	} forms[] = {{ARCHIVE_FILTER_NONE, "application/vnd.oci.image.layer.v1.tar"},
		     {ARCHIVE_FILTER_GZIP, "application/vnd.oci.image.layer.v1.tar+gzip"},
		     {ARCHIVE_FILTER_ZSTD, "application/vnd.oci.image.layer.v1.tar+zstd"}};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct blob layer = tar_make(small_root, forms[i].filter);
		struct image image = {0};
		char name[32];

		snprintf(name, sizeof(name), "layout-%zu", i);
		layout_make(&scratch, name,
			    &(struct layout_wish){.architecture = own_architecture(),
						  .os = "linux",
						  .tag = "3.20",
						  .layer = &layer,
						  .media_type = forms[i].media_type,
						  .diff_id = plain.hex,
						  .config_extra = "\"Entrypoint\":[\"/bin/a\",\"b c\"],\"Cmd\":null,\"Env\":[\"A=1\"],"
								  "\"WorkingDir\":\"/root\",\"User\":\"user:staff\""});
		cr_expect_eq(import_source(store, &scratch, name, NULL, &image, &err), 0, "%s", err.message);
		snprintf(name, sizeof(name), "layout-%zu:3.20", i);
		cr_expect_str_eq(image.name, name);
		cr_expect_str_eq(image.config.entrypoint[1], "b c");
		cr_expect_null(image.config.entrypoint[2]);
		cr_expect_null(image.config.command);
		cr_expect_str_eq(image.config.environment[0], "A=1");
		cr_expect_str_eq(image.config.working_dir, "/root");
		cr_expect_str_eq(image.config.user, "user:staff");
		cr_expect_str_eq(image.config.architecture, own_architecture());
		image_done(&image);
		free(layer.data);
	}
	cr_expect_eq(store_count(&scratch, "layers"), 1);
	free(plain.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

/* What a damaged or hostile layout is answered with; `spoil` changes a sound one. */
static void spoil_blob(const struct scratch *scratch, const char *hex)
{
	char name[160];

	snprintf(name, sizeof(name), "bad/blobs/sha256/%s", hex);
	FILE *file = fopen(scratch_path(scratch, name), "r+");
	cr_assert(file);
	cr_assert_eq(fputc('#', file), '#');
	fclose(file);
}

Test(image_store, refuses_layouts_that_are_not_what_they_say)
{
	struct blob layer = tar_make(small_root, ARCHIVE_FILTER_NONE);
	const char *own = own_architecture();
	static const char other[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	const struct {
		const char *what;
		struct layout_wish wish;
		bool spoil_layer;
		const char *index; /* instead of the right one */
		int code;
		const char *says;
	} cases[] = {
		{"foreign system", {own, "windows", .layer = &layer}, false, NULL, ENOEXEC, "the image is for windows/"},
		{"foreign machine", {"s390x", "linux", .layer = &layer}, false, NULL, ENOEXEC, "shares this host's kernel"},
		{"changed layer", {own, "linux", .layer = &layer}, true, NULL, EBADMSG, "does not match its digest"},
		{"wrong size", {own, "linux", .layer = &layer, .layer_size_error = 1}, false, NULL, EBADMSG, "its descriptor says"},
		{"wrong diff_id",
		 {own, "linux", .layer = &layer, .diff_id = other},
		 false,
		 NULL,
		 EBADMSG,
		 "the configuration says sha256:aaaa"},
		{"unknown layer type",
		 {own, "linux", .layer = &layer, .media_type = "text/plain"},
		 false,
		 NULL,
		 EPROTONOSUPPORT,
		 "'text/plain'"},
		{"architecture with control characters", {"a\\u001b", "linux", .layer = &layer}, false, NULL, EBADMSG, "'a?' is none"},
		{"relative working folder",
		 {own, "linux", .layer = &layer, .config_extra = "\"WorkingDir\":\"x\""},
		 false,
		 NULL,
		 EBADMSG,
		 "not absolute"},
		{"number for a text", {own, "linux", .layer = &layer, .config_extra = "\"Env\":[1]"}, false, NULL, EBADMSG, "'Env'"},
		{"index that is no JSON", {own, "linux", .layer = &layer}, false, "{", EBADMSG, "no sound JSON"},
		{"index that is a list", {own, "linux", .layer = &layer}, false, "[]", EBADMSG, "lists no manifests"},
		{"empty index", {own, "linux", .layer = &layer}, false, "{\"manifests\":[]}", ENOENT, "no image"},
		{"path for a digest",
		 {own, "linux", .layer = &layer},
		 false,
		 "{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:../../../"
		 "canary\",\"size\":5}]}",
		 EBADMSG,
		 "is not a digest"},
		{"sha512",
		 {own, "linux", .layer = &layer},
		 false,
		 "{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha512:aa\",\"size\":5}]}",
		 EPROTONOSUPPORT,
		 "only sha256"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scratch scratch = scratch_make();
		struct image_store *store = store_make(&scratch);
		struct image image = {0};
		struct error err = {0};

		layout_make(&scratch, "bad", &cases[i].wish);
		if (cases[i].spoil_layer)
			spoil_blob(&scratch, layer.hex);
		if (cases[i].index)
			scratch_write(&scratch, "bad/index.json", cases[i].index);
		cr_expect_eq(import_source(store, &scratch, "bad", NULL, &image, &err), -cases[i].code, "%s: %d %s", cases[i].what,
			     err.code, err.message);
		cr_expect(strstr(err.message, cases[i].says), "%s: said '%s'", cases[i].what, err.message);
		cr_expect_not(strpbrk(err.message, "\n\033"));
		cr_expect_eq(store_count(&scratch, "layers") + store_count(&scratch, "images") + store_count(&scratch, "tmp"), 0, "%s",
			     cases[i].what);
		image_store_close(store);
		scratch_remove(&scratch);
	}
	free(layer.data);
}

Test(image_store, chooses_among_several_by_tag)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct blob layer = tar_make(small_root, ARCHIVE_FILTER_NONE);
	char text[1200], source[256];
	struct error err = {0};
	struct image image = {0};

	snprintf(text, sizeof(text), "{\"architecture\":\"%s\",\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"sha256:%s\"]}}",
		 own_architecture(), layer.hex);
	struct blob config = blob_text(text);
	char config_name[80];
	snprintf(config_name, sizeof(config_name), "%s.json", config.hex);
	snprintf(text, sizeof(text),
		 "[{\"Config\":\"%s\",\"RepoTags\":[\"example/a:1\"],\"Layers\":[\"l.tar\"]},"
		 "{\"Config\":\"%s\",\"RepoTags\":[\"docker.io/library/b:2\"],\"Layers\":[\"l.tar\"]}]",
		 config_name, config_name);
	cr_assert_eq(dir_make(scratch_path(&scratch, "saved"), 0755, NULL), 0);
	scratch_write(&scratch, "saved/manifest.json", text);
	char name[128];
	snprintf(name, sizeof(name), "saved/%s", config_name);
	blob_write(&scratch, name, &config);
	blob_write(&scratch, "saved/l.tar", &layer);

	cr_expect_eq(import_source(store, &scratch, "saved", NULL, &image, &err), -ENOTUNIQ);
	cr_expect(strstr(err.message, "example/a:1, docker.io/library/b:2"), "%s", err.message);
	snprintf(source, sizeof(source), "%s", scratch_path(&scratch, "saved"));
	static const char *const tags[] = {"b:2", "2", "b", "library/b:2", "docker.io/library/b:2"};
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct image_import_options options = {.source = source, .tag = tags[i], .replace = true};

		cr_expect_eq(image_import(store, &options, &image, &err), 0, "%s: %s", tags[i], err.message);
		cr_expect_str_eq(image.name, "b:2");
		cr_expect_str_eq(image.digest, config.hex);
		image_done(&image);
	}
	cr_expect_eq(image_import(store, &(struct image_import_options){.source = source, .tag = "c"}, &image, &err), -ENOENT);
	/* A layer that leads out of the archive. */
	cr_assert_eq(unlink(scratch_path(&scratch, "saved/l.tar")), 0);
	cr_assert_eq(symlink("../canary.tar", scratch_path(&scratch, "saved/l.tar")), 0);
	blob_write(&scratch, "canary.tar", &layer);
	cr_expect_eq(image_remove(store, "b:2", &err), 0, "%s", err.message);
	cr_expect_eq(image_import(store, &(struct image_import_options){.source = source, .tag = "b"}, &image, &err), -ENOENT, "%s",
		     err.message);
	free(config.data);
	free(layer.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, holds_finds_and_removes)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct blob tar = tar_make(small_root, ARCHIVE_FILTER_NONE);
	struct image image = {0};
	struct error err = {0};
	int held = -1;

	blob_write(&scratch, "root.tar", &tar);
	cr_expect_eq(import_source(store, &scratch, "root.tar", "one:latest", &image, &err), 0, "%s", err.message);
	image_done(&image);
	cr_expect_eq(import_source(store, &scratch, "root.tar", "two", &image, &err), 0, "%s", err.message);
	image_done(&image);
	cr_expect_eq(import_source(store, &scratch, "root.tar", "two", &image, &err), -EEXIST);
	cr_expect_eq(image_find(store, "one", &image, &err), 0, "%s", err.message);
	cr_expect_str_eq(image.name, "one:latest");
	image_done(&image);
	cr_expect_eq(image_find(store, "three", &image, &err), -ENOENT);
	cr_expect(strstr(err.hint, "one:latest, two"), "%s", err.hint);

	cr_expect_eq(image_hold(store, "two", &held, &err), 0, "%s", err.message);
	cr_expect_eq(image_remove(store, "two", &err), -EBUSY);
	char source[256];
	snprintf(source, sizeof(source), "%s", scratch_path(&scratch, "root.tar"));
	cr_expect_eq(image_import(store, &(struct image_import_options){.source = source, .name = "two", .replace = true}, &image, &err),
		     -EBUSY);
	close(held);
	cr_expect_eq(image_remove(store, "two", &err), 0, "%s", err.message);
	cr_expect_eq(store_count(&scratch, "layers"), 1, "the other image has it");
	cr_expect_eq(image_remove(store, "one", &err), 0, "%s", err.message);
	cr_expect_eq(store_count(&scratch, "layers"), 0);
	cr_expect_eq(image_remove(store, "one", &err), -ENOENT);
	free(tar.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, names_cannot_leave_the_store)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct image image = {0};
	static const char *const bad[] = {"", "..", ".", "../x", "a/../b", "/a", "a//b", "a/", "-a", "a b", "a\nb", "a=b", "a/.hidden"};
	static const char *const good[] = {"a", "debian:12", "docker.io/library/alpine:3.20", "x@sha256", "a+b_c.d-e"};
	struct blob tar = tar_make(small_root, ARCHIVE_FILTER_NONE);
	struct error err = {0};

	blob_write(&scratch, "root.tar", &tar);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(import_source(store, &scratch, "root.tar", bad[i], &image, &err), -EINVAL, "'%s'", bad[i]);
		cr_expect_eq(image_find(store, bad[i], &image, &err), -EINVAL, "'%s'", bad[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(import_source(store, &scratch, "root.tar", good[i], &image, &err), 0, "'%s': %s", good[i], err.message);
		cr_expect_str_eq(image.name, good[i]);
		image_done(&image);
	}
	struct image *images = NULL;
	size_t n = 0;
	cr_expect_eq(image_list(store, &images, &n, &err), 0, "%s", err.message);
	cr_expect_eq(n, sizeof(good) / sizeof(good[0]));
	for (size_t i = 0; i < n; i++)
		image_done(&images[i]);
	free(images);
	free(tar.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, sweeps_what_is_dead_and_spares_what_lives)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct blob tar = tar_make(small_root, ARCHIVE_FILTER_NONE);
	struct image image = {0};
	struct error err = {0};

	blob_write(&scratch, "root.tar", &tar);
	cr_assert_eq(dir_make(scratch_path(&scratch, "store/tmp/dead/layer-0/root"), 0700, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "store/tmp/alive/layer-0/root"), 0700, NULL), 0);
	char orphan[160];
	snprintf(orphan, sizeof(orphan), "store/layers/%064d/root", 1);
	cr_assert_eq(dir_make(scratch_path(&scratch, orphan), 0700, NULL), 0);
	int alive = open(scratch_path(&scratch, "store/tmp/alive"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(flock(alive, LOCK_EX), 0);
	cr_expect_eq(import_source(store, &scratch, "root.tar", "a", &image, &err), 0, "%s", err.message);
	image_done(&image);
	cr_expect(path_exists(scratch_path(&scratch, "store/tmp/alive")));
	cr_expect_not(path_exists(scratch_path(&scratch, "store/tmp/dead")));
	cr_expect_not(path_exists(scratch_path(&scratch, orphan)));
	close(alive);
	free(tar.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, a_record_that_cannot_be_read_costs_no_layer)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct blob tar = tar_make(small_root, ARCHIVE_FILTER_NONE);
	struct image image = {0};
	struct error err = {0};

	blob_write(&scratch, "root.tar", &tar);
	cr_expect_eq(import_source(store, &scratch, "root.tar", "a", &image, &err), 0, "%s", err.message);
	image_done(&image);
	scratch_write(&scratch, "store/images/a.json", "{\"schema\": 1}");
	cr_expect_lt(import_source(store, &scratch, "root.tar", "b", &image, &err), 0);
	cr_expect(strstr(err.message, "record of image 'a'"), "%s", err.message);
	cr_expect_eq(store_count(&scratch, "layers"), 1);
	free(tar.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, does_not_copy_itself)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct image image = {0};
	struct error err = {0};

	cr_expect_eq(import_source(store, &scratch, ".", "self", &image, &err), -EINVAL, "%s", err.message);
	cr_expect(strstr(err.message, "the store of images itself"), "%s", err.message);
	cr_expect_eq(store_count(&scratch, "tmp"), 0);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, finds_users_in_the_images_own_files)
{
	struct scratch scratch = scratch_make();
	struct image_store *store = store_make(&scratch);
	struct blob tar = tar_make(small_root, ARCHIVE_FILTER_NONE);
	struct image image = {0};
	struct error err = {0};
	static const struct {
		const char *user;
		int rc;
		uint32_t uid, gid;
	} cases[] = {{NULL, 0, 0, 0},
		     {"", 0, 0, 0},
		     {"user", 0, 1000, 1001},
		     {"1000", 0, 1000, 1001},
		     {"4242", 0, 4242, 0},
		     {"user:staff", 0, 1000, 50},
		     {"user:7", 0, 1000, 7},
		     {"12:13", 0, 12, 13},
		     {"nobody", -ENOENT, 0, 0},
		     {"user:wheel", -ENOENT, 0, 0},
		     {"4294967295", -ENOENT, 0, 0},
		     {"-1", -ENOENT, 0, 0}};

	blob_write(&scratch, "root.tar", &tar);
	cr_assert_eq(import_source(store, &scratch, "root.tar", "a", &image, &err), 0, "%s", err.message);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t uid = 0, gid = 0;

		cr_expect_eq(image_user(&image, cases[i].user, &uid, &gid, &err), cases[i].rc, "%s", cases[i].user);
		cr_expect(uid == cases[i].uid && gid == cases[i].gid, "%s: %u:%u", cases[i].user, uid, gid);
	}
	/* A file of the host is out of reach. */
	char path[512];
	uint32_t uid, gid;
	snprintf(path, sizeof(path), "%s/etc/passwd", image.layers[0]);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	cr_expect_eq(image_user(&image, "root", &uid, &gid, &err), -ENOENT);
	image_done(&image);
	free(tar.data);
	image_store_close(store);
	scratch_remove(&scratch);
}

Test(image_store, checks_the_platform_in_words_of_oci)
{
	struct error err = {0};

	cr_expect_eq(image_check_platform(own_architecture(), "linux", &err), 0);
	cr_expect_eq(image_check_platform("", "", &err), 0);
	cr_expect_eq(image_check_platform("s390x", "linux", &err), -ENOEXEC);
	cr_expect(strstr(err.hint, "linux/") && strstr(err.hint, "'vm'"), "%s", err.hint);
	cr_expect_eq(image_check_platform(own_architecture(), "windows", &err), -ENOEXEC);
	cr_expect_eq(image_check_platform("wasm", "wasi", &err), -ENOEXEC);
}
