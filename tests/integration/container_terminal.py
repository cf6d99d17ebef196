#!/usr/bin/python3
"""A person at a terminal: a pseudo-terminal is driven like a keyboard and a screen. Arguments: bench, root folder."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

BENCH, ROOT = sys.argv[1:3]
DEADLINE_S = 20
OPTIONS = os.environ.get("CONTAINER_OPTIONS", "").split()


class Terminal:
    """bench in a new session with a terminal of its own, whose window has 30 lines of 100 characters."""

    def __init__(self, *arguments):
        self.seen = b""
        master, slave = pty.openpty()
        self.resize(30, 100, master)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
            os.environ["TERM"] = "dumb"
            os.execv(BENCH, [BENCH, "container", *arguments])
        self.master, self.slave = master, slave
        self.before = termios.tcgetattr(slave)

    def resize(self, lines, columns, master=None):
        fcntl.ioctl(master or self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def read(self, timeout_s):
        if select.select([self.master], [], [], timeout_s)[0]:
            self.seen += os.read(self.master, 65536)

    def expect(self, text):
        """Waits until the text is seen; what is before and with it is forgotten."""
        end = time.monotonic() + DEADLINE_S
        while text not in self.seen:
            if time.monotonic() > end:
                sys.exit(f"FAILED: no {text!r} in {self.seen!r}")
            self.read(0.1)
        before, self.seen = self.seen.split(text, 1)
        return before

    def wait(self):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            self.read(0.05)
        sys.exit(f"FAILED: it does not end: {self.seen!r}")

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def close(self):
        os.close(self.master)
        os.close(self.slave)


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def shell(*options):
    terminal = Terminal("run", "-it", *OPTIONS, "--name", "shell", *options, ROOT, "sh")
    terminal.expect(b"# ")
    return terminal


def test_session():
    t = shell()
    check(t.is_raw(), "our terminal is not raw while the shell runs")
    t.type(b"tty; stty size; echo $TERM end-$((1+1))\r")
    said = t.expect(b"end-2")
    check(b"/dev/pts/0" in said or b"/dev/console" in said, f"no terminal inside: {said!r}")
    check(b"30 100" in said, f"the size at the start: {said!r}")
    check(b"dumb" in said, f"TERM: {said!r}")
    t.resize(50, 132)
    t.type(b"sleep 0.2; stty size; echo end-$((2+2))\r")  # the new size is told by a signal
    check(b"50 132" in t.expect(b"end-4"), "the size after a change")
    t.type(b"sleep 1000; echo status-$?\r")
    t.expect(b"sleep 1000")
    time.sleep(0.3)  # until the shell has started it: there is nothing outside to look at
    t.type(b"\x03")
    t.expect(b"# ")
    t.type(b"echo after-$((3+3))\r")
    t.expect(b"after-6")
    t.type(b"sleep 1000\r")
    t.expect(b"sleep 1000")
    time.sleep(0.3)
    t.type(b"\x1a")
    t.expect(b"Stopped")
    t.type(b"fg; echo fg-ended-$((4+4))\r")
    t.expect(b"sleep 1000")
    time.sleep(0.3)
    t.type(b"\x03")
    t.expect(b"# ")
    t.type(b"exit 9\r")
    check(t.wait() == 9, "the exit status of the shell")
    check(t.is_restored(), "the terminal after exit")
    t.close()


def test_signals():
    t = shell()
    os.kill(t.pid, signal.SIGTSTP)  # from outside: we stop, and give the terminal back for that time
    end = time.monotonic() + DEADLINE_S
    while os.waitpid(t.pid, os.WUNTRACED | os.WNOHANG)[0] == 0:
        check(time.monotonic() < end, "SIGTSTP does not stop bench")
    check(t.is_restored(), "the terminal while bench is stopped")
    os.kill(t.pid, signal.SIGCONT)
    t.type(b"\recho back-$((5+5))\r")
    t.expect(b"back-10")
    check(t.is_raw(), "our terminal is not raw again")
    # A shell that waits for keys looks at its traps with the next one.
    t.type(b"trap 'exit 3' TERM; echo trap-$((6+6)); while :; do sleep 0.05; done\r")
    t.expect(b"trap-12")
    os.kill(t.pid, signal.SIGTERM)
    check(t.wait() == 3, "SIGTERM reaches the shell")
    check(t.is_restored(), "the terminal after SIGTERM")
    t.close()
    t = Terminal("run", "-it", *OPTIONS, ROOT, "sh", "-c", "echo ready; exec sleep 1000")
    t.expect(b"ready")
    os.kill(t.pid, signal.SIGTERM)
    check(t.wait() == 143, "a program without handler ends by SIGTERM")
    check(t.is_restored(), "the terminal after a program that was killed")
    t.close()


def test_failure():
    t = Terminal("run", "-it", *OPTIONS, ROOT, "no-such-program")
    check(t.wait() == 3, "a program that is not there")
    check(t.is_restored(), "the terminal after a failure")
    t.close()
    t = Terminal("run", "-it", *OPTIONS, "--timeout", "300ms", ROOT, "sleep", "1000")
    check(t.wait() == 124, "--timeout at a terminal")
    check(t.is_restored(), "the terminal after --timeout")
    t.close()


def test_hangup():
    """The window is closed: the shell gets SIGHUP, and nothing stays."""
    t = shell()
    t.close()
    end = time.monotonic() + DEADLINE_S
    while os.waitpid(t.pid, os.WNOHANG)[0] == 0:
        check(time.monotonic() < end, "it outlives its window")
        time.sleep(0.02)


def test_exec():
    t = shell()
    inner = Terminal("exec", "-it", "-e", "WORD=there", "shell", "sh")
    inner.expect(b"# ")
    inner.type(b"stty size; echo $WORD $(hostname) pids-$(ls -d /proc/[0-9]* | wc -l)-end\r")
    said = inner.expect(b"-end\r\n")
    said = said if b"there" in said else inner.expect(b"-end\r\n")
    check(b"there" in said and b"30 100" in said, f"exec: {said!r}")
    inner.type(b"exit 4\r")
    check(inner.wait() == 4, "the exit status of exec")
    check(inner.is_restored(), "the terminal after exec")
    inner.close()
    t.type(b"exit 0\r")
    check(t.wait() == 0, "the shell after exec")
    t.close()


for test in sys.argv[3:]:
    globals()["test_" + test]()
