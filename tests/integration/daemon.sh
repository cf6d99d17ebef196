# shellcheck shell=bash
# A libvirt daemon of one's own for tests: the distribution's libvirtd with its default configuration, where nobody else can reach it. Sourced after
# lib.sh, not run. First line of a script after that: daemon_enter "$@".
#
# The script is started anew as process 1 of its own PID and mount namespaces: it reaps as an init does (libvirt waits for the QEMU that it ends), every
# process ends with it, and /etc, /var/lib, /var/cache, /var/log and /run are layers that the host does not see. Control groups are hidden: a daemon
# would make its own in those of the host.

DAEMON_SYSTEM=qemu:///system
# shellcheck disable=SC2034 # for the scripts that source this
DAEMON_USER=64000 # an ordinary user, in no group of the daemon's

daemon_layers() {
	local dir
	mkdir "$WORK/host"
	mount -t tmpfs -o mode=711 none "$WORK/host"
	for dir in etc var/lib var/cache var/log; do
		mkdir -p "$WORK/host/upper/$dir" "$WORK/host/work/$dir"
		mount -t overlay -o "lowerdir=/$dir,upperdir=$WORK/host/upper/$dir,workdir=$WORK/host/work/$dir" none "/$dir"
	done
	mount -t tmpfs -o mode=755 none /run
	mkdir -m 1777 /run/lock
	umount -R -l /sys/fs/cgroup 2>/dev/null || true
	ip link set lo up
}

# What the distribution's package of the system daemon sets up beside files: QEMU's account, which may use /dev/kvm. Where that account could not, the
# daemon would look at QEMU anew, for a second, at each of its steps.
daemon_account() {
	getent passwd libvirt-qemu >/dev/null || echo "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin" >>/etc/passwd
	getent group libvirt-qemu >/dev/null || echo "libvirt-qemu:x:64055:" >>/etc/group
	echo "bench-user:x:$DAEMON_USER:$DAEMON_USER::$WORK/home:/bin/sh" >>/etc/passwd
	echo "bench-user:x:$DAEMON_USER:" >>/etc/group
	mknod -m 660 "$WORK/host/kvm" c 10 232
	chgrp libvirt-qemu "$WORK/host/kvm"
	[ ! -e /dev/kvm ] || mount --bind "$WORK/host/kvm" /dev/kvm
}

# daemon_enter ARGUMENT…: those of the script.
daemon_enter() {
	[ "$(id -u)" -eq 0 ] || must_run root "needs root for a daemon of its own"
	[ -x /usr/sbin/libvirtd ] && [ -x /usr/sbin/virtlogd ] || must_run vm "there is no /usr/sbin/libvirtd or virtlogd (Debian: libvirt-daemon)"
	command -v virsh >/dev/null || must_run vm "there is no virsh (Debian: libvirt-clients)"
	if [ "${DAEMON_INSIDE:-}" != yes ]; then
		rm -rf "$WORK"
		DAEMON_INSIDE=yes exec unshare -n -m -p -f --mount-proc --propagation private --kill-child "$0" "$@"
	fi
	trap daemon_leave EXIT
	daemon_layers
	daemon_account
	daemon_cache=${BENCH_CACHE_DIR:-$(dirname "$BIN")/test-cache}/daemon-capabilities
	mkdir -p "$daemon_cache" /etc/libvirt/qemu /run/libvirt /var/lib/libvirt /var/cache/libvirt/qemu /var/log/libvirt/qemu
}

# What it found out about QEMU (seconds) is kept for the next script.
daemon_leave() {
	local status=$?
	cp -a /var/cache/libvirt/qemu/capabilities/. "$daemon_cache" 2>/dev/null || true
	umount -l "$WORK/host" 2>/dev/null || true
	rm -rf "$WORK"
	exit "$status"
}

daemon_answers() { virsh -c "${1:-$DAEMON_SYSTEM}" list >/dev/null 2>&1; }

# daemon_start [OPTION…]: libvirtd and its log daemon; $daemon_pid is libvirtd's.
daemon_start() {
	mkdir -p /var/cache/libvirt/qemu/capabilities
	cp -a "$daemon_cache/." /var/cache/libvirt/qemu/capabilities
	if [ -z "${daemon_log_pid:-}" ] || ! kill -0 "$daemon_log_pid" 2>/dev/null; then
		/usr/sbin/virtlogd >"$WORK/virtlogd.log" 2>&1 </dev/null &
		daemon_log_pid=$!
	fi
	/usr/sbin/libvirtd "$@" >>"$WORK/libvirtd.log" 2>&1 </dev/null &
	daemon_pid=$!
	disown "$daemon_pid" # the shell would say on stderr how it ended
	wait_until 30 daemon_answers
}

# daemon_stop [SIGNAL]
daemon_stop() {
	kill "-${1:-TERM}" "$daemon_pid"
	wait_until 10 daemon_is_gone
}

daemon_is_gone() { ! kill -0 "$daemon_pid" 2>/dev/null; }

# as_user COMMAND…: an ordinary user with a home and a runtime folder.
as_user() {
	(cd "$WORK/home" && env -i PATH="$PATH" HOME="$WORK/home" USER=bench-user XDG_RUNTIME_DIR="$WORK/home/run" BENCH_RUN_DIR="$WORK/home" \
		${BENCH_CACHE_DIR:+BENCH_CACHE_DIR="$BENCH_CACHE_DIR"} setpriv --reuid "$DAEMON_USER" --regid "$DAEMON_USER" --clear-groups --inh-caps=-all "$@")
}

# The same user's own daemon, for qemu:///session; $session_pid is its process.
daemon_start_session() {
	mkdir -p "$WORK/home/run" "$WORK/home/.cache/libvirt/qemu/capabilities"
	cp -a "$daemon_cache/." "$WORK/home/.cache/libvirt/qemu/capabilities"
	chmod 711 "$WORK"
	chown -R "$DAEMON_USER:$DAEMON_USER" "$WORK/home"
	chmod 700 "$WORK/home/run"
	as_user /usr/sbin/libvirtd --timeout 60 >"$WORK/session.log" 2>&1 </dev/null &
	wait_until 30 session_answers
	session_pid=$(pgrep -u "$DAEMON_USER" -x libvirtd)
}

daemon_stop_session() {
	kill "$session_pid"
	wait_until 10 session_is_gone
}

session_is_gone() { ! kill -0 "$session_pid" 2>/dev/null; }
session_answers() { as_user env LIBVIRT_AUTOSTART=0 virsh -c qemu:///session list >/dev/null 2>&1; }
