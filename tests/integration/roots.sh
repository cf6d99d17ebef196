# shellcheck shell=bash
# Root file systems for tests: made here from the distribution's packages and from what is installed. Sourced after lib.sh, not run.
# A function that cannot make its root says why on stdout and returns 1.

# Folder for what is expensive to make, kept between runs.
roots_cache() {
	local base=${BENCH_CACHE_DIR:-}
	if [ -z "$base" ]; then
		if [ "$(id -u)" -eq 0 ]; then base=/var/cache/bench; else base=${XDG_CACHE_HOME:-$HOME/.cache}/bench; fi
	fi
	mkdir -p "$base/roots"
	echo "$base/roots"
}

# make_debian_root_tar OUT: a small Debian (essential packages, ip, ps, hostname, apt) in a plain tar. A download of 60 MB the first time.
make_debian_root_tar() {
	local out=$1 packages=iproute2,procps,hostname,apt suite cached
	command -v mmdebstrap >/dev/null || { echo "mmdebstrap is not installed (scripts/install-deps --test)" && return 1; }
	suite=$(. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}" || true)
	suite=${suite:-bookworm}
	cached=$(roots_cache)/debian-$suite-essential-$(sha256sum <<<"$packages" | cut -c1-8).tar
	if [ ! -s "$cached" ]; then
		# without ".tar" at its end it would be a folder
		mmdebstrap --quiet --variant=essential --include="$packages" "$suite" "$cached.$$.tar" >"$WORK/mmdebstrap.log" 2>&1 </dev/null ||
			{ echo "mmdebstrap: $(tail -n 1 "$WORK/mmdebstrap.log")" && rm -f "$cached.$$.tar" && return 1; }
		mv "$cached.$$.tar" "$cached"
	fi
	ln -sf "$cached" "$out"
}

# make_busybox_root DIR: one static program with a hundred names.
make_busybox_root() {
	local dir=$1 busybox applet
	busybox=$(command -v busybox) || { echo "busybox is not installed" && return 1; }
	mkdir -p "$dir"/{bin,etc,dev,proc,sys,tmp,run,root,home/user,usr/bin,var}
	chmod 1777 "$dir/tmp"
	cp "$busybox" "$dir/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$dir/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n' >"$dir/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\nstaff:x:50:user\n' >"$dir/etc/group"
	printf 'ID=busybox\nPRETTY_NAME="BusyBox"\n' >"$dir/etc/os-release"
}

# make_musl_root DIR: as Alpine is built: busybox, the musl loader, and a program (/usr/bin/hello) that needs that loader.
make_musl_root() {
	local dir=$1 loader
	loader=/lib/ld-musl-$(uname -m).so.1
	command -v musl-gcc >/dev/null && [ -e "$loader" ] || { echo "musl-gcc or $loader is missing" && return 1; }
	make_busybox_root "$dir" || return 1
	mkdir -p "$dir/lib"
	cp -L "$loader" "$dir$loader"
	ln -sf "$(basename "$loader")" "$dir/lib/libc.musl-$(uname -m).so.1"
	cat >"$WORK/hello.c" <<'C'
#include <stdio.h>
#include <sys/utsname.h>
int main(void)
{
	struct utsname host;
	uname(&host);
	printf("hello from musl on %s\n", host.release);
	return 0;
}
C
	musl-gcc -O1 -o "$dir/usr/bin/hello" "$WORK/hello.c"
	printf 'ID=musl\nPRETTY_NAME="a root with musl"\n' >"$dir/etc/os-release"
}

# unpack_packages DIR PACKAGE…: what is in packages of the distribution, without installing them. Kept in the cache.
unpack_packages() {
	local dir=$1 package cache deb
	shift
	cache=$(roots_cache)/deb
	mkdir -p "$cache"
	command -v apt-get >/dev/null || { echo "this is not Debian: no apt-get" && return 1; }
	for package in "$@"; do
		deb=$(find "$cache" -name "${package}_*.deb" | head -n 1)
		if [ -z "$deb" ]; then
			(cd "$cache" && apt-get -qq download "$package" >"$WORK/apt.log" 2>&1 </dev/null) ||
				{ echo "apt-get download $package: $(tail -n 1 "$WORK/apt.log")" && return 1; }
			deb=$(find "$cache" -name "${package}_*.deb" | head -n 1)
		fi
		dpkg -x "$deb" "$dir"
	done
}

# make_interpreter_roots OLD NEW: two folders with two versions of an interpreter (/usr/bin/lua5.1, /usr/bin/lua5.4), neither of them on the host.
make_interpreter_roots() {
	local old=$1 new=$2
	make_busybox_root "$old" && make_busybox_root "$new" || return 1
	unpack_packages "$old" libc6 libtinfo6 libreadline8 lua5.1 || return 1
	unpack_packages "$new" libc6 libtinfo6 libreadline8 liblua5.4-0 lua5.4 || return 1
	ln -sf lua5.1 "$old/usr/bin/lua"
	ln -sf lua5.4 "$new/usr/bin/lua"
}

# make_archives ROOT OUT: from a root folder, an image of two layers in every form that is imported:
#   OUT/oci (folder), OUT/oci.tar, OUT/docker.tar (older form), OUT/save.tar (newer form: both at once)
# The upper layer removes /etc/os-release (a whiteout), empties /home (opaque) and adds /upper. ARCHITECTURE, OS: what it says it is for.
make_archives() {
	/usr/bin/python3 - "$1" "$2" "${ARCHITECTURE:-}" "${OS:-linux}" <<'PY'
import gzip, hashlib, io, json, os, platform, subprocess, sys, tarfile

root, out, architecture, system = sys.argv[1:]
names = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x"}
own = names.get(platform.machine(), platform.machine())
architecture = architecture or own

def sha(data):
    return hashlib.sha256(data).hexdigest()

def layer(fill):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        fill(tar)
    return stream.getvalue()

def upper(tar):
    for name, data in (("etc/.wh.os-release", b""), ("home/.wh..wh..opq", b""), ("upper", b"upper\n")):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        tar.addfile(info, io.BytesIO(data))

plain = [layer(lambda tar: tar.add(root, ".")), layer(upper)]
zstd = subprocess.run(["zstd", "-qc"], input=plain[1], stdout=subprocess.PIPE, check=True).stdout
packed = [gzip.compress(plain[0], 1, mtime=0), zstd]
config = json.dumps({"architecture": architecture, "os": system, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(data) for data in plain]},
                     "config": {"Entrypoint": ["/bin/busybox"], "Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin"], "WorkingDir": "/root", "User": "user"}}).encode()
blobs = {}

def blob(data, kind, **more):
    blobs[sha(data)] = data
    return {"mediaType": kind, "digest": "sha256:" + sha(data), "size": len(data), **more}

oci = "application/vnd.oci.image."
manifest = json.dumps({"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": blob(config, oci + "config.v1+json"),
                       "layers": [blob(packed[0], oci + "layer.v1.tar+gzip"), blob(packed[1], oci + "layer.v1.tar+zstd")]}).encode()
nested = json.dumps({"schemaVersion": 2, "mediaType": oci + "index.v1+json", "manifests": [
    blob(manifest, oci + "manifest.v1+json", platform={"architecture": architecture, "os": system}),
    {"mediaType": oci + "manifest.v1+json", "digest": "sha256:" + "0" * 64, "size": 7, "platform": {"architecture": "mips", "os": "plan9"}}]}).encode()
index = {"schemaVersion": 2, "manifests": [blob(nested, oci + "index.v1+json", annotations={"org.opencontainers.image.ref.name": "1.0"})]}

files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
files.update({"blobs/sha256/" + digest: data for digest, data in blobs.items()})
older = {sha(config) + ".json": config}
older.update({"%064d/layer.tar" % i: data for i, data in enumerate(plain)})
older["manifest.json"] = json.dumps([{"Config": sha(config) + ".json", "RepoTags": ["example/app:1.0"],
                                      "Layers": ["%064d/layer.tar" % i for i in range(len(plain))]}]).encode()
newer = dict(files)
newer["manifest.json"] = json.dumps([{"Config": "blobs/sha256/" + sha(config), "RepoTags": ["example/app:1.0"],
                                      "Layers": ["blobs/sha256/" + sha(data) for data in packed]}]).encode()
named = {"schemaVersion": 2, "manifests": [dict(index["manifests"][0], annotations={
    "io.containerd.image.name": "docker.io/example/app:1.0", "org.opencontainers.image.ref.name": "1.0"})]}
newer["index.json"] = json.dumps(named).encode()

def write_tar(path, content):
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

os.makedirs(out, exist_ok=True)
for name, data in files.items():
    os.makedirs(os.path.dirname(os.path.join(out, "oci", name)), exist_ok=True)
    with open(os.path.join(out, "oci", name), "wb") as file:
        file.write(data)
write_tar(os.path.join(out, "oci.tar"), files)
write_tar(os.path.join(out, "docker.tar"), older)
write_tar(os.path.join(out, "save.tar"), newer)
PY
}
