#include "upload.h"

#include "mark.h"
#include "virt_error.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void free_pool(virStoragePoolPtr *pool)
{
	if (*pool)
		virStoragePoolFree(*pool);
}

static void free_volume(virStorageVolPtr *volume)
{
	if (*volume)
		virStorageVolFree(*volume);
}

/* QEMU reads a kernel from a file whose length is the kernel's. */
static int open_pool(virConnectPtr connection, const char *name, virStoragePoolPtr *ret, struct error *err)
{
	_cleanup_(free_pool) virStoragePoolPtr pool = virStoragePoolLookupByName(connection, name);
	int rc = 0;

	if (!pool)
		rc = virt_error(err, "storage pool '%s' of that host", name);
	else if (virStoragePoolIsActive(pool) != 1)
		rc = error_set(err, ENOENT, "storage pool '%s' of that host is not running", name);
	if (rc < 0)
		return error_hint(err, "see 'virsh -c URI pool-list --all'; pool=NAME names another, 'virsh pool-start' starts it");

	_cleanup_free_ char *xml = virStoragePoolGetXMLDesc(pool, 0);

	if (!xml)
		return virt_error(err, "storage pool '%s' of that host", name);
	if (!strstr(xml, "<pool type='dir'") && !strstr(xml, "<pool type='fs'") && !strstr(xml, "<pool type='netfs'")) {
		error_set(err, ENOTSUP, "storage pool '%s' of that host is not a folder of files", name);
		return error_hint(err, "pool=NAME names another");
	}
	*ret = take_ptr(pool);
	return 0;
}

static int read_block(virStreamPtr stream, char *bytes, size_t length, void *fd)
{
	return (int)read(*(int *)fd, bytes, length);
}

static int send_bytes(virConnectPtr connection, virStorageVolPtr volume, int fd, size_t length, struct error *err)
{
	virStreamPtr stream = virStreamNew(connection, 0);
	int rc = stream && virStorageVolUpload(volume, stream, 0, length, 0) == 0 ? 0 : virt_error(err, "upload");

	if (rc == 0 && virStreamSendAll(stream, read_block, &fd) < 0) {
		rc = virt_error(err, "upload");
		virStreamAbort(stream);
	} else if (rc == 0 && virStreamFinish(stream) < 0) {
		rc = virt_error(err, "upload");
	}
	if (stream)
		virStreamFree(stream);
	return rc;
}

static int fill(virConnectPtr connection, virStorageVolPtr volume, int fd, size_t length, char *ret, size_t size, struct error *err)
{
	int rc = send_bytes(connection, volume, fd, length, err);
	_cleanup_free_ char *path = rc == 0 ? virStorageVolGetPath(volume) : NULL;

	if (rc == 0 && !path)
		rc = virt_error(err, "path of the volume");
	if (rc == 0 && (size_t)snprintf(ret, size, "%s", path) >= size)
		rc = error_set(err, ENAMETOOLONG, "path of the volume: too long");
	if (rc < 0)
		virStorageVolDelete(volume, 0);
	return rc;
}

int upload_file(virConnectPtr connection, const char *pool, const char *mark, const char *name, const char *path, char *ret, size_t size,
		struct error *err)
{
	_cleanup_(free_pool) virStoragePoolPtr folder = NULL;
	_cleanup_(free_volume) virStorageVolPtr volume = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char xml[256];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", path);

	int rc = open_pool(connection, pool, &folder, err);

	if (rc < 0)
		return rc;
	snprintf(xml, sizeof(xml),
		 "<volume><name>%s-%s</name><capacity unit='bytes'>%lld</capacity><target><format type='raw'/></target></volume>", mark,
		 name, (long long)st.st_size);
	volume = virStorageVolCreateXML(folder, xml, 0);
	if (!volume)
		return virt_error(err, "make a volume in storage pool '%s' of that host", pool);
	rc = fill(connection, volume, fd, (size_t)st.st_size, ret, size, err);
	return rc < 0 ? error_prefix(err, "volume %s-%s in storage pool '%s' of that host", mark, name, pool) : 0;
}

static int remove_all(virStoragePoolPtr pool, const char *mark, struct error *err)
{
	virStorageVolPtr *volumes = NULL;
	int rc = 0, n = virStoragePoolListAllVolumes(pool, &volumes, 0);

	if (n < 0)
		return virt_error(err, "list the volumes of a storage pool");
	for (int i = 0; i < n; i++) {
		const char *name = virStorageVolGetName(volumes[i]);

		if (name && mark_is_on(mark, name) && virStorageVolDelete(volumes[i], 0) < 0)
			rc = virt_error(err, "remove volume %s", name);
		virStorageVolFree(volumes[i]);
	}
	free(volumes);
	return rc;
}

int upload_remove(virConnectPtr connection, const char *name, const char *mark, struct error *err)
{
	_cleanup_(free_pool) virStoragePoolPtr pool = virStoragePoolLookupByName(connection, name);
	const virError *last = pool ? NULL : virGetLastError();

	if (!pool)
		return last && last->code == VIR_ERR_NO_STORAGE_POOL ? 0 : virt_error(err, "storage pool '%s'", name);
	return remove_all(pool, mark, err);
}
